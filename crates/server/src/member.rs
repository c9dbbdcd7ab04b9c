//! This server as a member of an ensemble: what the agreement has to say to other servers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use zooid_ids::{ClusterId, ServerId};
use zooid_storage::{CheckpointFiles, DataDirs, LogReader};
use zooid_transport::Mailbox;
use zooid_transport::peers::{
    ClientAuth, PeerAddress, PeerSettings, PeerTls, Peers, TlsError, TlsSettings,
};
use zooid_zab::message::ChannelId;
use zooid_zab::{Effect as Agreed, Member as Identity};

use crate::Event;
use crate::catching_up::CatchingUp;
use crate::config::{Config, Ensemble, HostPort, Server};
use crate::fetch::{Offer, fetch};
use crate::serve::ServeError;
use crate::start_over::start_over;

/// What an entry takes in a message beside the request that it holds.
const ENTRY_BYTES: usize = 1 << 20;

/// The connections with the others, for the loop.
pub(crate) struct Member {
    peers: Arc<Peers>,
    catching_up: CatchingUp,
    files: CheckpointFiles,
    dirs: Arc<DataDirs>,
    mailbox: Arc<Mailbox<Event>>,
    runtime: Handle,
    /// What is being fetched.
    fetching: Option<AbortHandle>,
    /// The ensemble, once it is known here.
    cluster: Option<ClusterId>,
    /// It lost what it had, and has no vote.
    suspect: bool,
}

impl Member {
    pub(crate) fn new(
        peers: Arc<Peers>,
        reader: LogReader,
        (files, dirs): (CheckpointFiles, Arc<DataDirs>),
        suspect: bool,
        mailbox: Arc<Mailbox<Event>>,
    ) -> Self {
        peers.set_checkpoints(Arc::new(Offer(files.clone())));
        let catching_up = CatchingUp::new(peers.clone(), reader, mailbox.clone());
        let (runtime, fetching, cluster) = (Handle::current(), None, None);
        Self { peers, catching_up, files, dirs, mailbox, runtime, fetching, cluster, suspect }
    }

    /// The ensemble is known: messages of others are refused from here on. False if it was known.
    pub(crate) fn belong_to(&mut self, cluster: ClusterId) -> bool {
        let is_new = self.cluster.replace(cluster) != Some(cluster);
        if is_new {
            self.peers.set_cluster(cluster);
        }
        is_new
    }

    /// The others took this server in again. True if it was a suspect.
    pub(crate) fn readmitted(&mut self, counts: impl FnOnce() -> bool) -> bool {
        let readmitted = self.suspect && counts();
        self.suspect &= !readmitted;
        readmitted
    }

    /// There is no leader to fetch anything from.
    pub(crate) fn stop_fetching(&mut self) {
        if let Some(fetching) = self.fetching.take() {
            fetching.abort();
        }
    }

    fn fetch(&mut self, from: ServerId) {
        self.stop_fetching();
        let _context = self.runtime.enter();
        let (peers, files, mailbox) =
            (self.peers.clone(), self.files.clone(), self.mailbox.clone());
        self.fetching = Some(fetch(peers, files, mailbox, from, self.cluster).abort_handle());
    }

    /// What was said through a channel cannot be read.
    pub(crate) fn refuse(&self, channel: ChannelId, why: &dyn std::fmt::Display) {
        self.peers.refuse(channel, why.to_string());
    }

    /// A channel has ended.
    pub(crate) fn forget(&self, channel: ChannelId) {
        self.catching_up.forget(channel);
    }

    /// Says to other servers what the agreement has to say to them, and does what they said of this
    /// one.
    ///
    /// # Panics
    /// If it is nothing that is said to others.
    pub(crate) fn say(&mut self, agreed: Agreed) {
        match agreed {
            Agreed::Install { from } => self.fetch(from),
            Agreed::Notify { to, notification } => self.peers.notify(to, notification),
            Agreed::Dial(leader) => self.peers.dial(leader),
            Agreed::Send { channel, message } => self.catching_up.send(channel, message),
            Agreed::SendLog { channel, after, through } => {
                self.catching_up.send_log(channel, after, through);
            }
            Agreed::Close(channel) => {
                self.catching_up.forget(channel);
                self.peers.close(channel);
            }
            Agreed::Suspect => start_over(&self.dirs),
            other => unreachable!("this is not said to other servers: {other:?}"),
        }
    }
}

/// Listens for the others, and begins to speak to them. Needs tokio's context.
///
/// # Errors
/// [`ServeError::BindPeers`] if a port cannot be listened on, [`ServeError::Tls`] if there is TLS
/// and its files cannot be used.
pub(crate) async fn start_peers(
    config: &Config,
    ensemble: &Ensemble,
    me: Identity,
    mailbox: &Arc<Mailbox<Event>>,
) -> Result<Arc<Peers>, ServeError> {
    let own = &ensemble.servers[&me.id];
    let settings = peer_settings(config, ensemble)?;
    let (quorum, election) = listen(ensemble, own).await?;
    let peers = Peers::new(me, settings, mailbox.clone());
    peers.set_members(others(ensemble, me.id));
    tokio::spawn(peers.clone().serve(quorum, election));
    warn_of_strangers(ensemble);
    Ok(peers)
}

async fn listen(
    ensemble: &Ensemble,
    own: &Server,
) -> Result<(TcpListener, TcpListener), ServeError> {
    let (address, election_port) = &own.addresses[0];
    let bind = async |port: u16| {
        let host = address.host.clone().filter(|_| !ensemble.listens_everywhere);
        let address = HostPort { host, port };
        let bound = match address.resolve() {
            Ok(resolved) => TcpListener::bind(resolved).await,
            Err(error) => Err(error),
        };
        bound.map_err(|cause| ServeError::BindPeers { address, cause })
    };
    Ok((bind(address.port).await?, bind(*election_port).await?))
}

fn peer_settings(config: &Config, ensemble: &Ensemble) -> Result<PeerSettings, TlsError> {
    let defaults = PeerSettings::default();
    let tls = ensemble.tls.clone().map(PeerTls::load).transpose()?;
    Ok(PeerSettings {
        message_bytes: defaults.message_bytes.max(2 * config.frame_bytes + ENTRY_BYTES),
        dial_patience: Duration::from_millis(ensemble.sync_limit.0.unsigned_abs().min(1000)),
        tls: tls.map(Arc::new),
        ..defaults
    })
}

fn others(ensemble: &Ensemble, me: ServerId) -> BTreeMap<ServerId, Vec<PeerAddress>> {
    let address = |(address, election_port): &(HostPort, u16)| PeerAddress {
        host: address.host.clone().unwrap_or_default(),
        quorum_port: address.port,
        election_port: *election_port,
    };
    let others = ensemble.servers.values().filter(|server| server.id != me);
    others.map(|server| (server.id, server.addresses.iter().map(address).collect())).collect()
}

/// As in ZooKeeper, peers speak in plaintext where nothing else is said; whoever can reach their
/// ports can say anything.
fn warn_of_strangers(ensemble: &Ensemble) {
    let is_local = |server: &Server| {
        server
            .addresses
            .iter()
            .all(|(address, _)| address.resolve().is_ok_and(|resolved| resolved.ip().is_loopback()))
    };
    let Some(what) = what_is_open(ensemble.tls.as_ref()) else { return };
    if !ensemble.servers.values().all(is_local) {
        tracing::warn!(
            "{what}: whoever reaches the ports can say anything; keep them closed to others"
        );
    }
}

/// Why others than the members can speak to this server, if they can.
fn what_is_open(tls: Option<&TlsSettings>) -> Option<&'static str> {
    match tls {
        None => Some("the servers of the ensemble speak to each other in plaintext (no sslQuorum)"),
        Some(tls) if tls.takes_plaintext => {
            Some("other servers may speak in plaintext as well as with TLS (portUnification)")
        }
        Some(tls) if tls.client_auth != ClientAuth::Need => {
            Some("other servers need no certificate (ssl.quorum.clientAuth)")
        }
        Some(_) => None,
    }
}

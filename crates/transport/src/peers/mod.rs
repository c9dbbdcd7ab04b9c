//! Connections between the servers of an ensemble: `proto/peer.proto` over HTTP/2.
//!
//! Each server listens on its quorum port, for those who would follow it, and on its election port,
//! for what others say of the election. A learner opens a connection for each channel to its
//! leader; notifications go over a connection to each peer that is kept. The loop is told of
//! everything through one [`Inbox`], as of clients, and says what it has to say to [`Peers`], which
//! never blocks. What a message means, and when somebody is dialled, is decided elsewhere.
//!
//! What the loop may rely on, per channel: one [`FromPeer::Dialed`] or [`FromPeer::Connected`],
//! then what the other end has said, in order and without gaps, then one [`FromPeer::Closed`]
//! unless it has closed the channel itself, after which messages that are on their way to it may
//! still arrive. A message that arrived is what its types promise, and comes from a member of this
//! ensemble; that the member is who it says to be is proved by TLS ([`PeerTls`]) and by nothing
//! else: in plaintext, whoever reaches the ports can say anything.
//!
//! Everything is bounded: connections by their number, and by the time in which somebody has to say
//! hello; messages by their length; what waits to be sent through a channel and what was received
//! through it by bytes. Of notifications to a peer that cannot be reached only
//! the newest is kept, and not for long.
//!
//! Start with [`Peers`] and [`FromPeer`]; `hello` is the handshake, `contract` the messages.

mod message;
mod settings;

mod contract;
mod hello;
mod outbox;

mod channels;
mod checkpoint;
mod forwards;

mod connect;
mod dial;
mod elect;

mod accept;
mod begun;
mod guest;
mod serve;
mod tls;

mod complaints;
mod counters;
mod generated;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use zooid_ids::{ClusterId, ServerId, Zxid};
use zooid_zab::Member;
use zooid_zab::message::{ChannelId, Message, Notification};

use crate::Inbox;
use crate::counters::count;
use channels::{Channels, Link, batches};
use complaints::{Complaints, Source};
use elect::Latest;
use guest::{Stay, Visit};
use hello::{Ending, Greeting};

pub use checkpoint::{Checkpoint, CheckpointFile, Checkpoints, FetchError};
pub use counters::PeerCounters;
pub use message::{FromPeer, Held};
pub use settings::PeerSettings;
pub use tls::{ClientAuth, PeerTls, TlsError, TlsSettings, TlsVersion};

/// Where a member listens for its peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// A name or an address; an IPv6 address stands without brackets.
    pub host: String,
    /// For those who follow it.
    pub quorum_port: u16,
    /// For the election.
    pub election_port: u16,
}

/// All connections of this server with its peers.
pub struct Peers {
    me: Member,
    settings: PeerSettings,
    counters: PeerCounters,
    inbox: Arc<dyn Inbox<FromPeer>>,
    runtime: Handle,
    ensemble: Mutex<Ensemble>,
    channels: Channels,
    dialing: Mutex<Option<AbortHandle>>,
    electors: Mutex<BTreeMap<ServerId, watch::Sender<Latest>>>,
    checkpoints: Mutex<Option<Arc<dyn Checkpoints>>>,
    complaints: Complaints,
    stopping: watch::Sender<bool>,
}

#[derive(Debug)]
struct Ensemble {
    cluster: Option<ClusterId>,
    members: BTreeMap<ServerId, Vec<PeerAddress>>,
}

impl Peers {
    /// No connections yet; what peers say will go to `inbox`. Needs tokio's context.
    #[must_use]
    pub fn new(me: Member, settings: PeerSettings, inbox: Arc<dyn Inbox<FromPeer>>) -> Arc<Self> {
        Arc::new(Self {
            me,
            settings,
            counters: PeerCounters::default(),
            inbox,
            runtime: Handle::current(),
            ensemble: Mutex::new(Ensemble { cluster: None, members: BTreeMap::new() }),
            channels: Channels::default(),
            dialing: Mutex::default(),
            electors: Mutex::default(),
            checkpoints: Mutex::default(),
            complaints: Complaints::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// Who else belongs to the ensemble, and at which addresses, of which one is enough to reach
    /// it. Nobody else is spoken to or listened to.
    pub fn set_members(&self, members: BTreeMap<ServerId, Vec<PeerAddress>>) {
        lock(&self.electors).retain(|id, _| members.contains_key(id));
        lock(&self.ensemble).members = members;
    }

    /// Which ensemble this is. Before it is known, nobody is refused because of it.
    pub fn set_cluster(&self, cluster: ClusterId) {
        lock(&self.ensemble).cluster = Some(cluster);
    }

    /// Where the checkpoints are that others may fetch.
    pub fn set_checkpoints(&self, checkpoints: Arc<dyn Checkpoints>) {
        *lock(&self.checkpoints) = Some(checkpoints);
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> &PeerCounters {
        &self.counters
    }

    /// Serves peers that connect, until [`Self::stop`].
    pub async fn serve(self: Arc<Self>, quorum: TcpListener, election: TcpListener) {
        tokio::join!(
            serve::serve_quorum(Arc::clone(&self), quorum),
            serve::serve_election(Arc::clone(&self), election),
        );
    }

    /// Tells a member something about the election. What was to be told before and still waits is
    /// forgotten; nothing is certain to arrive. If the connection is lost soon after, it is said
    /// once more, so that it may arrive twice.
    pub fn notify(self: &Arc<Self>, to: ServerId, notification: Notification) {
        let mut electors = lock(&self.electors);
        let latest = electors.entry(to).or_insert_with(|| {
            let (sender, latest) = watch::channel(None);
            self.runtime.spawn(elect::speak(Arc::clone(self), to, latest));
            sender
        });
        latest.send_replace(Some((notification, Instant::now())));
    }

    /// Connects to the leader: [`FromPeer::Connected`] or [`FromPeer::Unreachable`] follows, unless
    /// somebody is dialled after it.
    pub fn dial(self: &Arc<Self>, leader: ServerId) {
        let task = self.runtime.spawn(dial::dial(Arc::clone(self), leader));
        if let Some(before) = lock(&self.dialing).replace(task.abort_handle()) {
            before.abort();
        }
    }

    /// Says something through a channel, behind what was said before; nothing happens if it has
    /// ended. If too much waits there already, or the message is too long or not for this
    /// direction, the channel is closed, and [`FromPeer::Closed`] follows.
    pub fn send(&self, channel: ChannelId, message: Message) {
        let Some(link) = self.channels.get(channel) else { return };
        for message in batches(message, self.settings.batch_bytes) {
            if let Err(ending) = link.say(&message, self.settings.message_bytes) {
                return self.ended(&link, &ending);
            }
            count(&self.counters.messages_sent);
        }
    }

    /// Bytes that wait to be sent through a channel; `None` once it has ended.
    #[must_use]
    pub fn waiting(&self, channel: ChannelId) -> Option<usize> {
        self.channels.get(channel).map(|link| link.waiting())
    }

    /// Closes a channel because of what was said through it, which is counted and told to the log;
    /// [`FromPeer::Closed`] follows.
    pub fn refuse(&self, channel: ChannelId, why: String) {
        if let Some(link) = self.channels.get(channel) {
            self.ended(&link, &Ending::Malformed(why));
        }
    }

    /// Closes a channel at once: what waits there is not sent any more.
    pub fn close(&self, channel: ChannelId) {
        self.channels.end(channel);
    }

    /// Fetches the newest checkpoint of `from` into a directory, where none of its files may be
    /// yet: gives the last entry that it contains. The files are synced, the directory is not; if
    /// it is dropped or fails, what it wrote stays. That the files are whole, and what was to be
    /// sent, is to be found out by who reads them. Needs tokio's context.
    ///
    /// # Errors
    /// If the peer cannot be reached, has none, sends something else, or a file cannot be written.
    pub async fn fetch(&self, from: ServerId, directory: &Path) -> Result<Zxid, FetchError> {
        let fetched = checkpoint::fetch(self, from, directory).await;
        Ok(fetched.inspect_err(|ending| self.note(from.into(), ending))?)
    }

    /// Closes everything and serves nobody any more.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
        if let Some(dialing) = lock(&self.dialing).take() {
            dialing.abort();
        }
        lock(&self.electors).clear();
        self.channels.end_all();
    }

    /// Ends when this server stops.
    async fn stopping(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives in `self`, so the wait can end only one way.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }

    /// Where a member may be reached, the best place first; none of who is not a member.
    fn addresses(&self, member: ServerId) -> Vec<PeerAddress> {
        lock(&self.ensemble).members.get(&member).cloned().unwrap_or_default()
    }

    /// The member was not reached there, so its other addresses are tried first next time.
    fn avoid(&self, member: ServerId, address: &PeerAddress) {
        let mut ensemble = lock(&self.ensemble);
        let addresses = ensemble.members.get_mut(&member);
        if let Some(addresses) = addresses.filter(|addresses| addresses.first() == Some(address)) {
            addresses.rotate_left(1);
        }
    }

    fn hello(&self, receiver: ServerId) -> generated::Hello {
        let cluster = lock(&self.ensemble).cluster;
        hello::hello(self.me, cluster, receiver, self.settings.window())
    }

    /// Who says hello where `expected` should be.
    fn expect(&self, expected: ServerId, hello: &generated::Hello) -> Result<Greeting, Ending> {
        let greeting = hello::greet(hello, self.me.id, lock(&self.ensemble).cluster)?;
        let actual = greeting.sender.id;
        if actual == expected { Ok(greeting) } else { Err(Ending::Mistaken { expected, actual }) }
    }

    /// Who has connected, if it may.
    fn admit(
        &self,
        opening: Result<generated::Hello, Ending>,
        visit: &Arc<Visit>,
    ) -> Result<(Greeting, Stay), Ending> {
        let sender = |hello: &generated::Hello| Some(ServerId(hello.sender.as_ref()?.id));
        let claimed = opening.as_ref().ok().and_then(sender);
        let member = claimed.filter(|id| lock(&self.ensemble).members.contains_key(id));
        let admitted = opening.and_then(|hello| {
            let greeting = hello::greet(&hello, self.me.id, lock(&self.ensemble).cluster)?;
            member.map(|_| greeting).ok_or(Ending::NotAMember(greeting.sender.id))
        });
        let admitted = admitted.and_then(|greeting| {
            self.check(greeting.sender, visit)?;
            Ok((greeting, visit.greet()))
        });
        admitted.inspect_err(|ending| self.note(Source { member, ..visit.source() }, ending))
    }

    /// Whether the certificate that was shown, if any was, is the member's.
    fn check(&self, Member { id: member, .. }: Member, visit: &Visit) -> Result<(), Ending> {
        let (Some(tls), Some(certificate)) = (visit.tls(), visit.certificate()) else {
            return Ok(());
        };
        let addresses = self.addresses(member);
        let hosts = addresses.iter().map(|address| &*address.host);
        tls.check(certificate, hosts).map_err(|why| Ending::Certificate { member, why })
    }

    /// A stream to or from a learner was opened.
    fn open(&self, greeting: Greeting, end: channels::End) -> Arc<Link> {
        count(&self.counters.channels);
        tracing::debug!(?greeting, "a channel was opened");
        self.channels.open(greeting.sender, end)
    }

    /// A channel has ended; the loop is told unless it knows.
    fn ended(&self, link: &Link, ending: &Ending) {
        self.note(link.peer.id.into(), ending);
        if self.channels.end(link.id) {
            self.inbox.push(FromPeer::Closed { channel: link.id });
        }
    }

    /// Counts an ending; of what should not happen the log is told.
    fn note(&self, source: Source, ending: &Ending) {
        if let Some(counter) = self.counters.of(ending) {
            count(counter);
        } else if !matches!(ending, Ending::Refused(_)) {
            return tracing::debug!("the connection with {source} ended: {ending}");
        }
        if let Some(untold) = self.complaints.raise(source, ending, Instant::now()) {
            tracing::warn!(untold, "the connection with {source} ended: {ending}");
        }
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("me", &self.me).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

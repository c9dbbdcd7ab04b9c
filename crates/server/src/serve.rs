//! Everything together: from a configuration to a server that has stopped.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use zooid_node::{Node, Role};
use zooid_storage::{DataDirs, OpenError, Opened, ReadError, Recovery, Storage};
use zooid_transport::peers::{Peers, TlsError};
use zooid_transport::{Clients, Listener, Mailbox};

use crate::checkpointer::Checkpointer;
use crate::config::{Config, HostPort};
use crate::disk::Disk;
use crate::identity::IdentityError;
use crate::load::{LoadError, load};
use crate::member::{Member, start_peers};
use crate::operators::Operators;
use crate::recorder::{Recorder, to_member};
use crate::room::RoomWatch;
use crate::turn::Loop;
use crate::voters::OtherVoters;
use crate::{Event, clock, guard, identity};

/// Why a server did not start, or did not stop well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The data directories.
    #[error(transparent)]
    Storage(#[from] OpenError),
    /// The checkpoint.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The end of the log.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// An entry of the log.
    #[error("{0}")]
    Entry(String),
    /// Who this server is.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Who votes.
    #[error(transparent)]
    Voters(#[from] OtherVoters),
    /// A port for the other servers.
    #[error(
        "cannot listen for other servers on {address}: {cause}; is another server running there?"
    )]
    BindPeers {
        /// Where.
        address: HostPort,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The keys and certificates for TLS between servers.
    #[error("TLS between servers (sslQuorum, portUnification): {0}")]
    Tls(#[from] TlsError),
    /// A client port.
    #[error("cannot listen for clients on {address}: {cause}; is another server running there?")]
    Bind {
        /// Where.
        address: HostPort,
        /// What the operating system says.
        cause: io::Error,
    },
}

impl ServeError {
    /// True if it is the configuration that has to be changed.
    pub(crate) fn is_of_config(&self) -> bool {
        matches!(self, Self::Voters(_) | Self::Tls(_))
    }
}

/// How long clients may take to accept their answers when the server stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that is up.
pub(crate) struct Server {
    clients: Arc<Clients>,
    mailbox: Arc<Mailbox<Event>>,
    turns: JoinHandle<()>,
    peers: Option<Arc<Peers>>,
    address: SocketAddr,
}

impl Server {
    /// Recovers what is in the data directories, then serves clients. Needs tokio's context.
    ///
    /// # Errors
    /// See [`ServeError`]; nothing was served then.
    pub(crate) async fn start(config: &Config) -> Result<Self, ServeError> {
        let (listener, address) = bind(config)?;
        let open_files = crate::system::raise_open_files();
        let mailbox = Arc::new(Mailbox::<Event>::default());
        let clients = Clients::new(config.transport_settings(open_files), mailbox.clone());
        let (ready, is_ready) = oneshot::channel();
        let started = clock::now();
        let on_ready = Box::new(move || {
            let milliseconds = clock::now().since(started).0;
            tracing::info!(milliseconds, "ready");
            // Whoever waited for it may have given up.
            let _ = ready.send(());
        });
        let (turns, peers, dirs) = start_loop(config, &mailbox, on_ready).await?;
        if config.ensemble.is_none() {
            // The loop either says so or ends the process.
            let _ = is_ready.await;
        }
        let operators =
            Operators::new(config, address.port(), (&clients, peers.as_ref()), &mailbox, &dirs);
        tokio::spawn(listener.serve(clients.clone(), Arc::new(operators)));
        Ok(Self { clients, mailbox, turns, peers, address })
    }

    /// Where it listens for clients.
    #[must_use]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops gracefully: what clients have asked is answered, what is written is synced.
    pub(crate) async fn stop(self) {
        if self.peers.is_some() {
            self.hand_over().await;
        }
        let cut_off = self.clients.stop(PATIENCE).await;
        if cut_off > 0 {
            tracing::warn!(connections = cut_off, "did not take their answers in time");
        }
        self.mailbox.put(Event::Stop);
        let turns = self.turns;
        // A panic of that thread has ended the process.
        let _ = tokio::task::spawn_blocking(move || turns.join()).await;
        if let Some(peers) = self.peers {
            peers.stop();
        }
    }
}

/// How long a leader that stops waits for another one to take over.
const HAND_OVER: Duration = Duration::from_secs(2);

/// How often it is looked whether it did.
const LOOK: Duration = Duration::from_millis(10);

impl Server {
    /// The others need not find out by silence that their leader stops.
    async fn hand_over(&self) {
        self.mailbox.put(Event::HandOver);
        let until = tokio::time::Instant::now() + HAND_OVER;
        while tokio::time::Instant::now() < until && self.leads().await {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn leads(&self) -> bool {
        let (give, take) = oneshot::channel();
        self.mailbox.put(Event::Look(Box::new(move |state| {
            let _ = give.send(matches!(state.node.role(), Role::Leading(_)));
        })));
        take.await.unwrap_or(false)
    }
}

fn bind(config: &Config) -> Result<(Listener, SocketAddr), ServeError> {
    let failed = |cause| ServeError::Bind { address: config.client_address.clone(), cause };
    let address = config.client_address.resolve().map_err(failed)?;
    let listener = Listener::bind(address, config.backlog()).map_err(failed)?;
    let address = listener.local_address().map_err(failed)?;
    Ok((listener, address))
}

/// What `start_loop` started: the loop's thread, the way to the others, the locked directories.
type Started = (JoinHandle<()>, Option<Arc<Peers>>, Arc<DataDirs>);

/// Recovers, and starts the threads that the server is made of.
async fn start_loop(
    config: &Config,
    mailbox: &Arc<Mailbox<Event>>,
    on_ready: Box<dyn FnOnce() + Send>,
) -> Result<Started, ServeError> {
    let started = clock::now();
    let opened = Storage::open(&identity::storage_config(config)?)?;
    tell_recovery(&opened, config);
    let tree = load(opened.checkpoint.as_ref())?;
    tracing::info!(
        zxid = %opened.log.last().zxid, checkpoint = %tree.zxid(), znodes = tree.counts().znodes,
        sessions = tree.counts().sessions, milliseconds = clock::now().since(started).0,
        "recovered",
    );
    let (settings, voters, recovered) = identity::node_start(config, &opened, &tree)?;
    let peers = match &config.ensemble {
        Some(ensemble) => Some(start_peers(config, ensemble, settings.member, mailbox).await?),
        None => None,
    };
    let suspect = opened.suspect.is_some();
    let Opened { dirs, log, checkpoints, checkpoint_files, reader, .. } = opened;
    let (acknowledged, acknowledgements) = (opened.acknowledged, opened.acknowledgements);
    let dirs = Arc::new(dirs);
    let member = peers.clone().map(|peers| {
        let files = (checkpoint_files, dirs.clone());
        Member::new(peers, reader.clone(), files, suspect, mailbox.clone())
    });
    let checkpoints = Arc::new(Mutex::new(checkpoints));
    let mut node = Node::start(settings, clock::read(), tree, voters, &recovered);
    node.recall_acknowledged(acknowledged.iter().map(to_member));
    let disk = Disk::start(log, checkpoints.clone(), mailbox.clone(), config.fsync_warning);
    let checkpointer = Checkpointer::start(checkpoints, reader.clone(), mailbox.clone());
    let recorder = Recorder::start(acknowledgements, acknowledged);
    let watched = [config.data_dir.clone(), config.data_log_dir.clone()];
    let room = RoomWatch::start(watched, config.head_room, mailbox.clone());
    let mailbox = mailbox.clone();
    // The directories stay locked for as long as the loop runs.
    let locked = dirs.clone();
    let turns = guard::spawn("loop", move || {
        let threads = (disk, checkpointer, recorder, room);
        Loop::new(node, mailbox, threads, reader, member, on_ready).run();
        drop(locked);
    });
    Ok((turns, peers, dirs))
}

fn tell_recovery(opened: &Opened, config: &Config) {
    if let Some(why) = &opened.suspect {
        tracing::error!(
            why,
            "this server cannot know that it has everything: it has no vote until the others \
                  gave it all and took it in again; what was found is kept beside"
        );
    }
    match &opened.recovery {
        Recovery::Fresh | Recovery::Sound(_) => tracing::info!("{}", opened.recovery),
        other => tracing::warn!("{other}"),
    }
    if opened.recovery == Recovery::Fresh {
        warn_of_zookeeper(config);
    }
}

/// Whoever replaces a ZooKeeper in its own directories must not find out by what is missing.
fn warn_of_zookeeper(config: &Config) {
    let of_zookeeper = [&config.data_dir, &config.data_log_dir].map(|dir| dir.join("version-2"));
    let has_files = |dir: &PathBuf| dir.read_dir().is_ok_and(|mut files| files.next().is_some());
    if let Some(found) = of_zookeeper.into_iter().find(has_files) {
        tracing::warn!(
            "{} holds the data of a ZooKeeper, which is not read: clients find none of it here; to \
             take it over, stop this server, move {} away, and run: zooid import {} {}",
            found.display(),
            config.data_dir.join("zooid").display(),
            config.data_dir.display(),
            config.data_dir.display(),
        );
    }
}

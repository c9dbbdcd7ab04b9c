//! All client connections of this server together.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use zooid_ids::ConnectionId;

use crate::admission::{Admission, Outstanding, Refusal};
use crate::counters::count;
use crate::outlet::Link;
use crate::{ConnectionReport, Counters, Inbox, Settings, Words, connection};

/// What all client connections share, over all listeners.
pub struct Clients {
    pub(crate) settings: Settings,
    pub(crate) counters: Counters,
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) outstanding: Outstanding,
    admission: Admission,
    last_connection: AtomicU64,
    open: Mutex<BTreeMap<ConnectionId, Arc<Link>>>,
    state: watch::Sender<State>,
}

/// What waits for a change can wait for.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    stopping: bool,
    open: usize,
}

impl Clients {
    /// No connections yet; those that come will speak to `inbox`.
    #[must_use]
    pub fn new(settings: Settings, inbox: Arc<dyn Inbox>) -> Arc<Self> {
        Arc::new(Self {
            admission: Admission::new(settings.connections, settings.connections_per_address),
            outstanding: Outstanding::new(settings.outstanding),
            settings,
            counters: Counters::default(),
            inbox,
            last_connection: AtomicU64::new(0),
            open: Mutex::default(),
            state: watch::Sender::default(),
        })
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Requests that wait for an answer.
    #[must_use]
    pub fn outstanding_requests(&self) -> usize {
        self.outstanding.taken()
    }

    /// Connections that are open, with or without a session.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open().len()
    }

    /// Every connection, in the order in which they were accepted.
    #[must_use]
    pub fn reports(&self) -> Vec<ConnectionReport> {
        let open: Vec<_> = self.open().values().cloned().collect();
        open.iter().map(|link| link.report()).collect()
    }

    /// Sets back what `crst` sets back.
    pub fn reset_reports(&self) {
        self.open().values().for_each(|link| link.reset_report());
    }

    /// Stops gracefully: no new connections, no further requests; every connection is closed once
    /// what it asked is answered and written. Returns how many had to be cut off because
    /// `patience` was over.
    pub async fn stop(&self, patience: Duration) -> usize {
        self.state.send_modify(|state| state.stopping = true);
        let open: Vec<_> = self.open().values().cloned().collect();
        open.iter().for_each(|link| link.drain());
        let mut state = self.state.subscribe();
        // The sender lives in `self`, so only the time can end the wait early.
        let _ = timeout(patience, state.wait_for(|state| state.open == 0)).await;
        let left: Vec<_> = self.open().values().cloned().collect();
        left.iter().for_each(|link| link.end());
        left.len()
    }

    /// Ends when the server stops.
    pub(crate) async fn stopping(&self) {
        let mut state = self.state.subscribe();
        // As above: the sender cannot be gone.
        let _ = state.wait_for(|state| state.stopping).await;
    }

    /// Takes a new connection on, unless there are enough.
    pub(crate) fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        words: Arc<dyn Words>,
    ) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if let Err(refusal) = self.admission.enter(peer.ip()) {
            count(&self.counters.rejected);
            return tracing::warn!(%peer, "refused a connection: {refusal}");
        }
        let id = ConnectionId(self.last_connection.fetch_add(1, Relaxed) + 1);
        let link = Arc::new(Link::new(Arc::clone(self), id, peer));
        let place = Place::take(Arc::clone(&link));
        tokio::spawn(async move {
            connection::serve(link, stream, words).await;
            drop(place);
        });
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Arc<Link>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(limit) => write!(f, "there are {limit} (maxCnxns)"),
            Self::TooManyFromThere(limit) => {
                write!(f, "there are {limit} from this address (maxClientCnxns)")
            }
        }
    }
}

/// A connection's place on the list; given back when dropped, also by a task that panics.
struct Place(Arc<Link>);

impl Place {
    fn take(link: Arc<Link>) -> Self {
        let clients = &link.clients;
        clients.open().insert(link.id, Arc::clone(&link));
        clients.state.send_modify(|state| state.open += 1);
        Self(link)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let clients = &self.0.clients;
        clients.open().remove(&self.0.id);
        clients.admission.leave(self.0.peer.ip());
        clients.state.send_modify(|state| state.open -= 1);
    }
}

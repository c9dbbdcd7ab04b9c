//! One client's connection, as the node sees it.

use alloc::vec::Vec;

use zooid_ids::{ConnectionId, Instant, Millis, SessionId, Xid, Zxid};
use zooid_model::{ConnectRequest, ErrorCode, Identity, Reply, Request};
use zooid_session::Queue;

use crate::lease::Lease;

/// A connection whose connect request arrived.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its session, from the moment it was asked for.
    pub(crate) session: SessionId,
    pub(crate) timeout: Millis,
    /// Its connect request, until it is answered.
    pub(crate) handshake: Option<ConnectRequest>,
    /// Who the client is: its address, and what it has proved.
    pub(crate) identities: Vec<Identity>,
    /// Its session is not known here, which may be since this server is behind.
    pub(crate) in_doubt: bool,
    /// Its requests that are not answered, in order.
    pub(crate) queue: Queue<Commanded, Waiting>,
    /// Until when it may be told anything.
    pub(crate) lease: Lease,
    /// It was told to close, and is told nothing more.
    pub(crate) closing: bool,
}

/// A request that became a command of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commanded {
    pub(crate) xid: Xid,
    /// The newest moment at which its client was heard and of which the leader was told before it.
    pub(crate) heard: Instant,
}

/// What stands in a client's order, for its turn.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    /// To be answered from the tree as it is then.
    Request(Xid, Request),
    /// Refused before the log; told in its place.
    Refused(Xid, ErrorCode),
    /// A command whose result is known.
    Answer { xid: Xid, zxid: Zxid, result: Result<Reply, ErrorCode> },
}

impl Connection {
    pub(crate) fn new(
        session: SessionId,
        timeout: Millis,
        address: &str,
        request: &ConnectRequest,
        now: Instant,
    ) -> Self {
        Self {
            session,
            timeout,
            handshake: Some(request.clone()),
            identities: alloc::vec![Identity::new("ip", address)],
            in_doubt: false,
            queue: Queue::new(),
            lease: Lease::new(now),
            closing: false,
        }
    }
}

/// A connection, as operators are shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionView {
    /// Its number.
    pub connection: ConnectionId,
    /// Its session.
    pub session: SessionId,
    /// The negotiated timeout.
    pub timeout: Millis,
}

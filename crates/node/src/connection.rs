//! One client's connection, as the node sees it.

use alloc::vec::Vec;

use zooid_ids::{ConnectionId, Millis, SessionId, Xid, Zxid};
use zooid_model::{ConnectRequest, ErrorCode, Identity, Reply, Request};
use zooid_session::Queue;

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
    /// Its requests that are not answered, in order.
    pub(crate) queue: Queue<Commanded, Waiting>,
    /// It was told to close, and is told nothing more.
    pub(crate) closing: bool,
}

/// A request that became a command of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commanded {
    pub(crate) xid: Xid,
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
    ) -> Self {
        Self {
            session,
            timeout,
            handshake: Some(request.clone()),
            identities: alloc::vec![Identity::new("ip", address)],
            queue: Queue::new(),
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

//! What a node asks its surroundings to do.

use bytes::Bytes;
use zooid_ids::{ConnectionId, Instant, Xid, Zxid};
use zooid_model::{ConnectReply, ErrorCode, Reply};

/// One thing to do; each may be done as soon as it is out.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// What the agreement asks for and the node has no part in: the disk's work, and what is said
    /// to other servers. Changes of role come out for those who look; the node has acted on them.
    Agree(zooid_zab::Effect),
    /// Tell a client; what is told to one client stays in order.
    Tell(ConnectionId, ToClient),
    /// What a client was and is told may be written to it until then, or for ever: by then its session
    /// may have ended elsewhere. Whoever writes compares its clock at each write, since it may have
    /// slept.
    Allow(ConnectionId, Option<Instant>),
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq)]
pub enum ToClient {
    /// The answer to its connect request: first, and once.
    Connected(ConnectReply),
    /// The answer to a request.
    Reply {
        /// The request's number.
        xid: Xid,
        /// Of a write its own transaction, of a read the version it saw.
        zxid: Zxid,
        /// What came of it.
        result: Result<Reply, ErrorCode>,
    },
    /// A watch event, encoded once for all who are told of it.
    Event(Bytes),
    /// Nothing more: the connection ends once it is told all this.
    Close,
}

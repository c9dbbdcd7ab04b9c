//! What a node asks its surroundings to do.

use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{ConnectionId, Epoch, Xid, Zxid};
use zooid_model::{ConnectReply, ErrorCode, Reply};
use zooid_zab::{Entry, Promise, Ticket};

/// One thing to do; each may be done as soon as it is out.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make a promise durable, then call [`Node::durable`](crate::Node::durable).
    Promise {
        /// To say so with.
        ticket: Ticket,
        /// What to write.
        promise: Promise,
    },
    /// Append entries to the log with one sync, then call [`Node::durable`](crate::Node::durable).
    Append {
        /// To say so with.
        ticket: Ticket,
        /// The entries, in order.
        entries: Vec<Entry>,
    },
    /// Give every entry of the log in `(after, through]` to [`Node::replay`](crate::Node::replay).
    Replay {
        /// The last entry that is applied already.
        after: Zxid,
        /// The last entry to give.
        through: Zxid,
    },
    /// This server leads a new epoch: clients are served.
    Lead(Epoch),
    /// Tell a client; what is told to one client stays in order.
    Tell(ConnectionId, ToClient),
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

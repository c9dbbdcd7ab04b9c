//! What the loop is told of clients, and what it tells them.

use std::net::SocketAddr;

use bytes::Bytes;
use zooid_ids::{ConnectionId, Xid, Zxid};
use zooid_model::{ConnectReply, ConnectRequest, ErrorCode, Reply, Request};

use crate::Outlet;

/// What a connection tells the loop.
#[derive(Debug)]
pub enum FromClient {
    /// A connection's first frame arrived and is a connect request.
    Opened {
        /// Its number, never used again by this process.
        connection: ConnectionId,
        /// The other end; an IPv4 address stands as such, not mapped into IPv6.
        peer: SocketAddr,
        /// What the client asks for.
        connect: ConnectRequest,
        /// Where its replies go.
        outlet: Outlet,
    },
    /// Requests that arrived together, in order.
    Requests {
        /// Which connection.
        connection: ConnectionId,
        /// Each with the number its reply must carry; never empty.
        requests: Vec<(Xid, Request)>,
    },
    /// The connection has ended, whoever ended it. Nothing more comes from it.
    Gone {
        /// Which connection.
        connection: ConnectionId,
    },
}

/// What the loop tells a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// The answer to the connect request; comes first, and once.
    Connect(ConnectReply),
    /// The answer to one request.
    Reply {
        /// The request's number.
        xid: Xid,
        /// The version a read saw, a write's own transaction, otherwise the last one applied.
        zxid: Zxid,
        /// What came of it.
        result: Result<Reply, ErrorCode>,
    },
    /// A watch event as a whole frame, encoded once for all who are told of it.
    Event(Bytes),
    /// The connection ends once all that stands before this is written.
    CloseAfterFlush,
}

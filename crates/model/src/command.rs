//! All that the replicated state can be told: what stands in the log.
//!
//! A command carries what was asked, not what comes of it; `tree::apply` decides that on every
//! server alike. So whatever depends on one server's configuration, clock, randomness or sockets
//! was decided before and stands in the command.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{BootNonce, ClusterId, ConnectionId, Millis, ServerId, SessionId, Zxid};

use crate::{Identity, WriteOp};

/// One entry of the log, beside the starts of epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The first command of all: the ensemble gets its name and the secret that session passwords
    /// are made from.
    Form {
        /// The ensemble's name.
        cluster: ClusterId,
        /// 32 unpredictable bytes.
        secret: [u8; 32],
    },
    /// What `/zookeeper/config` shows from here on; a new leader says so where it differs.
    Configure {
        /// The servers of the ensemble, as ZooKeeper writes them there.
        servers: Bytes,
    },
    /// A new session. If the id is taken nothing changes and the origin closes the connection.
    CreateSession {
        /// Its id, unpredictable and not used before.
        session: SessionId,
        /// The connection that asked.
        owner: Owner,
        /// The negotiated timeout.
        timeout: Millis,
    },
    /// A session is taken up by another connection; only if `seen` still owns it.
    Attach {
        /// The session.
        session: SessionId,
        /// The connection that asked.
        owner: Owner,
        /// Its owner when the connection asked.
        seen: Owner,
        /// The timeout negotiated anew.
        timeout: Millis,
    },
    /// A session ends, and its ephemerals with it.
    CloseSession {
        /// The session.
        session: SessionId,
        /// Who ends it.
        by: Origin,
    },
    /// A client's operation.
    Write(Write),
    /// The server collects an empty container or a TTL node whose time is over; only if the node
    /// still is as it was seen, and childless.
    Collect {
        /// The node.
        path: String,
        /// Its stat's `czxid` when it was seen.
        czxid: Zxid,
        /// Its stat's `mzxid` when it was seen.
        mzxid: Zxid,
        /// Its stat's `pzxid` when it was seen.
        pzxid: Zxid,
    },
}

/// A client's operation, with all that the decision on it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Whose, and in which order.
    pub turn: Turn,
    /// Who the client is; decides what ACLs allow.
    pub identities: Vec<Identity>,
    /// What the origin's configuration allows.
    pub grants: Grants,
    /// The operation.
    pub op: WriteOp,
}

/// What the configuration of the server that took the request allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// `enforceQuota`: hard quotas refuse.
    pub enforce_quota: bool,
    /// `extendedTypesEnabled`: TTL nodes may be created.
    pub extended_types: bool,
}

/// The connection that a session belongs to. It is never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The server the client is connected to.
    pub server: ServerId,
    /// That server process.
    pub boot: BootNonce,
    /// The connection.
    pub connection: ConnectionId,
}

/// A session's next command, said by its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The session.
    pub session: SessionId,
    /// The connection that says so.
    pub owner: Owner,
    /// 1 for the first command after the owner attached, and so on without a gap.
    pub sequence: u64,
}

/// Who ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its client: the owner, and the command's number as in [`Turn::sequence`].
    Client {
        /// The connection that says so.
        owner: Owner,
        /// The command's number.
        sequence: u64,
    },
    /// The leader, since nothing was heard for its timeout. Always applies.
    Expiry,
}

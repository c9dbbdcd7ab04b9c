//! All that a client can ask.
//!
//! The three kinds stand apart because they go different ways: a [`WriteOp`] through the log, a
//! [`Read`] to this server's tree, the rest to the connection itself.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Millis, Zxid};

use crate::{Acl, Secret};

/// One request of a client, as it came off the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Changes the tree: goes through the log.
    Write(WriteOp),
    /// Reads the tree, where `watch` says so leaving a watch.
    Read(Read),
    /// `sync`: answered when this server has all that was committed before.
    Sync {
        /// Only given back.
        path: String,
    },
    /// A sign of life.
    Ping,
    /// `addAuthInfo`: an identity and its proof.
    Auth {
        /// `digest`, or another scheme that this server knows.
        scheme: String,
        /// What proves it; for `digest` `user:password`.
        proof: Secret,
    },
    /// Restores the watches of an earlier connection.
    SetWatches(Box<SetWatches>),
    /// A persistent watch.
    AddWatch {
        /// The node, which need not exist.
        path: String,
        /// `None` where the number is not a mode: `MarshallingError`.
        mode: Option<AddWatchMode>,
    },
    /// Says whether there is such a watch; nothing changes.
    CheckWatches {
        /// The node.
        path: String,
        /// `None` where the number is not a kind: `MarshallingError`.
        kind: Option<WatchKind>,
    },
    /// Takes this connection's watches off a node.
    RemoveWatches {
        /// The node.
        path: String,
        /// `None` where the number is not a kind: `MarshallingError`.
        kind: Option<WatchKind>,
    },
    /// This connection's identities.
    WhoAmI,
    /// Ends the session.
    CloseSession,
    /// An operation that this server does not have: `Unimplemented`.
    Unknown {
        /// The number that was sent.
        opcode: i32,
    },
    /// An operation whose body could not be read: `MarshallingError`.
    Malformed {
        /// The number that was sent.
        opcode: i32,
    },
}

/// An operation that changes the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOp {
    /// `create`, `create2`, `createContainer`, `createTTL`.
    Create(Create),
    /// Deletes a node without children.
    Delete {
        /// The node.
        path: String,
        /// The version it must have; -1 for any.
        version: i32,
    },
    /// Sets a node's data.
    SetData {
        /// The node.
        path: String,
        /// The data; a client can send none at all, which is not the same as empty.
        data: Option<Bytes>,
        /// The version it must have; -1 for any.
        version: i32,
    },
    /// Sets a node's ACL.
    SetAcl {
        /// The node.
        path: String,
        /// The list, as sent.
        acl: Vec<Acl>,
        /// The ACL version it must have; -1 for any.
        version: i32,
    },
    /// Fails if a node does not have this version.
    Check {
        /// The node.
        path: String,
        /// The version it must have; -1 for any.
        version: i32,
    },
    /// All or nothing, each operation seeing what those before it did. Never holds a `Multi` or
    /// a `SetAcl`: the wire has no form for it.
    Multi(Vec<WriteOp>),
}

/// How a node is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// Where; for a sequential node without its number.
    pub path: String,
    /// The data; a client can send none at all, which is not the same as empty.
    pub data: Option<Bytes>,
    /// The list, as sent.
    pub acl: Vec<Acl>,
    /// Its kind.
    pub mode: CreateMode,
    /// The operation that was sent; it decides the form of the answer.
    pub kind: CreateKind,
}

/// Which operation asked for a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateKind {
    /// `create`: answered with the path.
    Create,
    /// `create2`: answered with path and stat.
    Create2,
    /// `createContainer`: answered with path and stat.
    Container,
    /// `createTTL`: answered with path and stat.
    Ttl,
}

/// The kind of node to be created: ZooKeeper's flags 0 to 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateMode {
    /// 0.
    Persistent,
    /// 1.
    Ephemeral,
    /// 2.
    PersistentSequential,
    /// 3.
    EphemeralSequential,
    /// 4.
    Container,
    /// 5, with its time to live as sent: any number.
    PersistentWithTtl(Millis),
    /// 6, with its time to live as sent: any number.
    PersistentSequentialWithTtl(Millis),
    /// Any other number: `BadArguments`.
    Unknown(i32),
}

impl CreateMode {
    /// The mode with this flag; `ttl` counts where the flag has one.
    #[must_use]
    pub const fn from_flags(flags: i32, ttl: Millis) -> Self {
        match flags {
            0 => Self::Persistent,
            1 => Self::Ephemeral,
            2 => Self::PersistentSequential,
            3 => Self::EphemeralSequential,
            4 => Self::Container,
            5 => Self::PersistentWithTtl(ttl),
            6 => Self::PersistentSequentialWithTtl(ttl),
            other => Self::Unknown(other),
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn flags(self) -> i32 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral => 1,
            Self::PersistentSequential => 2,
            Self::EphemeralSequential => 3,
            Self::Container => 4,
            Self::PersistentWithTtl(_) => 5,
            Self::PersistentSequentialWithTtl(_) => 6,
            Self::Unknown(flags) => flags,
        }
    }

    /// The time to live, where the mode has one.
    #[must_use]
    pub const fn ttl(self) -> Option<Millis> {
        match self {
            Self::PersistentWithTtl(ttl) | Self::PersistentSequentialWithTtl(ttl) => Some(ttl),
            _ => None,
        }
    }

    /// True if the parent's counter is appended to the name.
    #[must_use]
    pub const fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PersistentSequential
                | Self::EphemeralSequential
                | Self::PersistentSequentialWithTtl(_)
        )
    }

    /// True if the node goes with its session.
    #[must_use]
    pub const fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }
}

/// An operation that reads the tree of the server the client is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "a path to read, and whether a one-shot watch is left there")]
pub enum Read {
    Exists {
        path: String,
        watch: bool,
    },
    GetData {
        path: String,
        watch: bool,
    },
    GetAcl {
        path: String,
    },
    GetChildren {
        path: String,
        watch: bool,
    },
    GetChildren2 {
        path: String,
        watch: bool,
    },
    GetEphemerals {
        prefix: String,
    },
    GetAllChildrenNumber {
        path: String,
    },
    /// `GetData` and `GetChildren` only; each with its own result.
    MultiRead(Vec<Read>),
}

/// The watches a client had on an earlier connection, and what it has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the lists are named as on the wire")]
pub struct SetWatches {
    /// The newest zxid the client has seen: what changed later fires at once.
    pub relative_zxid: Zxid,
    pub data: Vec<String>,
    pub exist: Vec<String>,
    pub child: Vec<String>,
    pub persistent: Vec<String>,
    pub persistent_recursive: Vec<String>,
}

/// The mode of `addWatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddWatchMode {
    /// 0: this node and its list of children, until removed.
    Persistent,
    /// 1: this node and all below, until removed.
    PersistentRecursive,
}

/// The kinds that `checkWatches` and `removeWatches` name, with ZooKeeper's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are ZooKeeper's and say it all")]
pub enum WatchKind {
    Children = 1,
    Data = 2,
    Any = 3,
    Persistent = 4,
    PersistentRecursive = 5,
}

//! What comes of a command.

use alloc::vec::Vec;

use zooid_ids::{Millis, Zxid};
use zooid_model::{Change, ErrorCode, Owner, Reply};

/// What the leader gave a command: its place in the order and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Greater than that of every command before it.
    pub zxid: Zxid,
    /// The leader's wall clock, never going back.
    pub time: Millis,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// What it came to.
    pub outcome: Outcome,
    /// What it changed, in the order in which watches are to be told.
    pub changes: Vec<Change>,
    /// True if it went over a soft quota, which is only reported. (Over a hard one it fails with
    /// [`ErrorCode::QuotaExceeded`].)
    pub over_soft_quota: bool,
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// `Form`: the ensemble has its name.
    Formed,
    /// `Form`: it had one already; nothing changed.
    AlreadyFormed,
    /// `Configure`: that is what `/zookeeper/config` shows.
    Configured,
    /// `Write`: decided, and the command's number is used up, also where it failed.
    Decided(Result<Reply, ErrorCode>),
    /// `CreateSession`: there it is.
    SessionCreated,
    /// `CreateSession`: the id belongs to another one, or can belong to none; nothing changed.
    SessionTaken,
    /// `Attach`: the session has a new owner, and no command of it yet.
    Attached {
        /// Whose connection is to be closed.
        previous: Owner,
    },
    /// `CreateSession`, `Attach`: the connection that asks owns it already; nothing changed.
    AlreadyOwner,
    /// `Attach`, `Write`, `CloseSession`: it belongs to another connection; nothing changed.
    NotOwner {
        /// To which.
        owner: Owner,
    },
    /// `Write`, `CloseSession`: this command's number was applied before; nothing changed.
    Repeat,
    /// `Write`, `CloseSession`: commands are missing before this one; nothing changed.
    Gap {
        /// The number whose turn it is.
        expected: u64,
    },
    /// `Attach`, `Write`, `CloseSession`: there is no such session; nothing changed.
    NoSession,
    /// `CloseSession`: the session is gone, and its ephemerals with it.
    SessionClosed {
        /// Whose connection is to be closed.
        owner: Owner,
        /// How many nodes went with it.
        ephemerals: usize,
    },
    /// `Collect`: the node is gone.
    Collected,
    /// `Collect`: the node is not as it was seen, or has children; nothing changed.
    NotCollected,
}

impl Applied {
    pub(crate) fn nothing(outcome: Outcome) -> Self {
        Self { outcome, changes: Vec::new(), over_soft_quota: false }
    }
}

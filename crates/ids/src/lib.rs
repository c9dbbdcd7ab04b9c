//! The numbers that have names.
//!
//! Every number that means something in ZooKeeper's protocol or in the agreement is a type of its
//! own here, so that a zxid cannot be passed for a session. This crate knows no operation, no
//! clock and no encoding; it only says what the numbers are and how they are written for people.
//!
//! Start with [`Zxid`].
#![no_std]

mod session;
mod time;
mod zxid;

pub use session::{ConnectionId, SessionId, Xid};
pub use time::{Instant, Millis};
pub use zxid::{Epoch, LogIndex, Zxid};

use core::fmt;

/// One server of an ensemble: `N` of `server.N` and of the `myid` file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u64);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One life of a data directory: drawn at random when the directory is first used, so that a wiped
/// directory under the same [`ServerId`] is told from the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u128);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One ensemble: drawn at random when it is formed and durable with its first `EpochStart`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u128);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One run of a server process: drawn at random at start. With a [`ConnectionId`] it names a
/// connection for ever, across restarts that begin counting connections anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootNonce(pub u64);

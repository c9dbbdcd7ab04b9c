//! What is agreed on: entries, and promises to follow a leader.

use bytes::Bytes;
use zooid_ids::{Epoch, Millis, Zxid};

use crate::{Config, Member};

/// One place in the order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its place.
    pub zxid: Zxid,
    /// The place before it in the log; an entry is appended only there.
    pub prev_zxid: Zxid,
    /// The leader's wall clock, never going back from entry to entry.
    pub time: Millis,
    /// What it holds.
    pub body: Body,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// A leader starts its epoch: the entry with counter 0. It commits all that stands before it,
    /// and says who votes from here on.
    EpochStart(Config),
    /// Somebody's command; what it means is not known here.
    Command(Bytes),
    /// Who votes from here on, changed within an epoch.
    Config(Config),
}

/// An epoch that a server has promised to no leader but this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Promise {
    /// The epoch.
    pub epoch: Epoch,
    /// The leader.
    pub to: Member,
}

//! What a server is told once, at its start.

use alloc::vec::Vec;

use zooid_ids::{Incarnation, Millis, ServerId, Zxid};

use crate::{Config, EpochEnds, Promise};

/// Who a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its number in the ensemble.
    pub id: ServerId,
    /// The life of its data directory.
    pub incarnation: Incarnation,
}

/// What recovery found in the log: where agreement goes on from. The default is what an empty
/// directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Recovered {
    /// The last durable entry, or the checkpoint's if the log is empty.
    pub last: Zxid,
    /// The time of that entry: the log's time never goes back.
    pub last_time: Millis,
    /// Up to here the entries are known to be committed: the checkpoint's zxid.
    pub committed: Zxid,
    /// The newest promise.
    pub promise: Promise,
    /// The last entry of each epoch that the log holds.
    pub ends: EpochEnds,
    /// The config that the checkpoint holds, with the checkpoint's zxid, and those of the entries
    /// behind it ([`crate::Body::EpochStart`] and [`crate::Body::Config`]), ascending.
    pub configs: Vec<(Zxid, Config)>,
    /// This server had a vote in a life that is lost: it has an incarnation that was drawn anew,
    /// and must never say that there was nothing yet, though its log may be empty.
    pub suspect: bool,
}

/// What can be set without changing what is agreed. Times matter for liveness only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// From this counter on a new epoch is started in place; the rest is room for what is under
    /// way. At 20,000 entries a second the default lasts two and a half days.
    pub rollover_counter: u32,
    /// `tickTime`: learners are pinged twice in it.
    pub tick: Millis,
    /// `initLimit`: how long it may take until an epoch has started.
    pub init_limit: Millis,
    /// `syncLimit`: after so much silence a leader or a learner counts as gone.
    pub sync_limit: Millis,
    /// How long a quorum of votes waits for a better one.
    pub election_wait: Millis,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rollover_counter: 0xf000_0000,
            tick: Millis(2000),
            init_limit: Millis(20_000),
            sync_limit: Millis(10_000),
            election_wait: Millis(50),
        }
    }
}

//! What the leader knows of one learner.

use zooid_ids::{Epoch, Instant, ServerId, Zxid};

use crate::Member;
use crate::history::EpochEnds;

/// A learner, at the other end of a channel.
#[derive(Clone, Debug, Hash)]
pub(super) struct Learner {
    pub(super) member: Member,
    pub(super) epoch: Epoch,
    pub(super) stage: Stage,
    /// It said that nothing was ever agreed.
    pub(super) uninitialised: bool,
    pub(super) heard: Instant,
    /// The last round it answered.
    pub(super) ponged: u64,
    /// The end of the leader's log when it was synchronised.
    pub(super) joined: Zxid,
    /// It is not counted before this is committed: the entry that admits it.
    pub(super) counts_from: Zxid,
}

/// How far a learner is.
#[derive(Clone, Debug, Hash)]
pub(super) enum Stage {
    /// It said who it is.
    Known,
    /// It said what its log holds; synchronised once the epoch starts.
    Promised { counts: bool, last: Zxid, ends: EpochEnds },
    /// It fetches a checkpoint.
    Installing,
    /// It is sent every entry; up to here it has them.
    Synchronised { acked: Zxid },
}

impl Learner {
    /// What it has, as far as it is counted.
    pub(super) fn acked(&self) -> Zxid {
        match self.stage {
            Stage::Synchronised { acked } => acked,
            _ => Zxid::ZERO,
        }
    }

    /// True if it is sent every entry: its log is the leader's, and it has promised the epoch, or,
    /// while another is begun in place, the one before.
    pub(super) fn is_synchronised(&self) -> bool {
        matches!(self.stage, Stage::Synchronised { .. })
    }
}

/// A learner, as operators are shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LearnerView {
    /// Which server.
    pub id: ServerId,
    /// Whether it is counted; an observer is not.
    pub has_vote: bool,
    /// Whether it is sent every entry.
    pub is_synchronised: bool,
}

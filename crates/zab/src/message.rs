//! What servers say to each other.
//!
//! Election messages stand alone and may be lost. Everything else goes through a *channel*: one
//! connection of a learner to its leader, ordered, that loses nothing but its end. A connection
//! made anew is another channel and begins at the beginning.

use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Epoch, ServerId, Zxid};

use crate::history::EpochEnds;
use crate::{Entry, Member, Promise, SyncTicket};

/// Names one connection between a learner and its leader; never used again by this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u64);

/// Whom a server would follow. Votes are ordered by what the candidate has in its log, since the
/// one who has most loses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vote {
    /// The last entry that is durable at the candidate.
    pub zxid: Zxid,
    /// The candidate.
    pub leader: ServerId,
}

/// What a server is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It looks for a leader.
    Looking,
    /// It follows the leader of this epoch.
    Following(Epoch),
    /// It leads this epoch.
    Leading(Epoch),
}

/// One message of the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notification {
    /// Who says so.
    pub from: Member,
    /// What it is at.
    pub standing: Standing,
    /// The election it has taken part in last; newer ones count.
    pub round: u64,
    /// Its vote, or whom it follows. None if it looks for a leader and proposes nobody.
    pub vote: Option<Vote>,
}

/// How a learner's log becomes the beginning of the leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// It is already: entries follow.
    Diff,
    /// It has to be cut here first.
    Truncate(Zxid),
    /// Too much is missing: the leader's newest checkpoint comes first, on a connection of its own.
    Checkpoint,
}

/// One message of a channel, with ZAB's names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Learner: who I am and what I have promised. (FOLLOWERINFO, OBSERVERINFO)
    Info {
        /// Who.
        member: Member,
        /// Its newest promise; its log holds no later epoch.
        promise: Promise,
        /// True if nothing was ever agreed, as far as it can know: its log is empty and was not
        /// lost. Its promise, if it gave one, is to whom it forms the ensemble with.
        uninitialised: bool,
    },
    /// Leader: promise me this epoch. (LEADERINFO)
    Propose {
        /// The epoch.
        epoch: Epoch,
        /// True if nothing was ever agreed: then everybody has to promise, and each to this leader
        /// only, until the ensemble is formed.
        forms: bool,
    },
    /// Learner: what my log holds. (ACKEPOCH)
    Promised {
        /// The epoch it answers to.
        epoch: Epoch,
        /// True if the promise was made for this answer; only then does it count.
        counts: bool,
        /// The last entry that is durable.
        last: Zxid,
        /// The last entry of each epoch.
        ends: EpochEnds,
    },
    /// Leader: how we become one. Entries follow, up to `through` and beyond. (DIFF, TRUNC, SNAP)
    Sync {
        /// How.
        plan: Plan,
        /// The learner serves clients once this is committed.
        through: Zxid,
    },
    /// Learner: the checkpoint is installed, and this is now the end of my log.
    Installed {
        /// The checkpoint's zxid.
        zxid: Zxid,
    },
    /// Leader: append these. (PROPOSAL; the start of an epoch is NEWLEADER)
    Entries {
        /// Each following the one before it.
        entries: Vec<Entry>,
        /// What is committed by now.
        commit: Zxid,
    },
    /// Learner: everything up to here is durable. (ACK)
    Ack {
        /// The last durable entry.
        zxid: Zxid,
    },
    /// Leader: everything up to here is committed. (COMMIT)
    Commit {
        /// The last committed entry.
        zxid: Zxid,
    },
    /// Leader: are you there?
    Ping {
        /// Counted up.
        sequence: u64,
        /// What is committed by now.
        commit: Zxid,
    },
    /// Leader: you lack what you had acknowledged; do not come back in this life.
    Suspect,
    /// Leader: these have all that is committed up to here, durable.
    Acknowledged {
        /// Voters, the leader among them, each in its life.
        had: Vec<(Member, Zxid)>,
    },
    /// Learner: I still follow you.
    Pong {
        /// Of the ping.
        sequence: u64,
    },
    /// Learner: a client of mine asks for this. (REQUEST)
    Forward {
        /// The command.
        command: Bytes,
    },
    /// Learner: is everything here? (SYNC)
    AskSync {
        /// Comes back.
        ticket: SyncTicket,
    },
    /// Learner: clients of mine were heard at these times of mine; what it says is not known here.
    /// (PING of the learner)
    Touch {
        /// Comes back.
        payload: Bytes,
    },
    /// Leader: no later epoch had started when I took this.
    Confirmed {
        /// The learner's.
        payload: Bytes,
    },
    /// Leader: it is, once this is applied.
    Synced {
        /// The learner's.
        ticket: SyncTicket,
        /// What was committed when it asked.
        zxid: Zxid,
    },
}

//! What the agreement asks its surroundings to do.

use alloc::vec::Vec;

use zooid_ids::{Epoch, Zxid};

use crate::{Entry, Promise};

/// Names one thing handed to the disk; they come back in the order they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Names one question "is everything here?".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncTicket(pub u64);

/// One thing to do. Each may be done as soon as it is out; those of the disk in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make a promise durable, then say so.
    Promise {
        /// To say so with.
        ticket: Ticket,
        /// What to write.
        promise: Promise,
    },
    /// Append entries to the log with one sync, then say so.
    Append {
        /// To say so with.
        ticket: Ticket,
        /// The entries, each following the one before it.
        entries: Vec<Entry>,
    },
    /// The entries of the log in `(after, through]` are committed: apply them in order before
    /// anything else.
    Replay {
        /// The last entry that is applied already.
        after: Zxid,
        /// The last entry to apply.
        through: Zxid,
    },
    /// This entry is committed: apply it. Entries come in order, each once.
    Deliver(Entry),
    /// This server leads a new epoch and everything before it is delivered.
    Lead(Epoch),
    /// The answer to a sync.
    Synced(SyncTicket),
}

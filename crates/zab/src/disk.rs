//! What this server's disk was given and has not spoken of.

use alloc::collections::VecDeque;
use core::hash::{Hash, Hasher};

use zooid_ids::{Instant, Zxid};

use crate::{Promise, Ticket};

/// One thing that the disk makes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Written {
    Promise(Promise),
    /// Entries up to this one.
    Entries(Zxid),
    /// The log ends here now.
    Cut(Zxid),
    /// A fetched checkpoint, in the place of everything.
    Replaced(Zxid),
}

/// The disk's work, oldest first: it is done in this order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    writing: VecDeque<(Ticket, Written, Instant)>,
    last: Ticket,
}

impl Disk {
    /// Notes what the disk is given now; it answers with the ticket.
    pub(crate) fn give(&mut self, written: Written, now: Instant) -> Ticket {
        self.last = Ticket(self.last.0 + 1);
        self.writing.push_back((self.last, written, now));
        self.last
    }

    /// What this ticket was for.
    pub(crate) fn done(&mut self, ticket: Ticket) -> Written {
        let (expected, written, _) = self.writing.pop_front().expect("the disk was given nothing");
        assert_eq!(ticket, expected, "the disk speaks out of order");
        written
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.writing.is_empty()
    }

    /// Since when it is at what it is at.
    pub(crate) fn busy_since(&self) -> Option<Instant> {
        self.writing.front().map(|(_, _, since)| *since)
    }
}

/// What it is at; not what its tickets are called, nor since when.
impl Hash for Disk {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.writing.len().hash(state);
        self.writing.iter().for_each(|(_, written, _)| written.hash(state));
    }
}

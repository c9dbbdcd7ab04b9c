//! Agreement on one order of opaque entries, in the style of ZAB.
//!
//! A pure machine: inputs go in, [`Effect`]s come out, and an effect that has come out may be
//! executed at once. It knows no clock, disk or socket, and not what its entries mean.
//!
//! So far an ensemble has one voter. It walks the same path that more will walk: it promises an
//! epoch (discovery), starts it with an entry in the log (the `NEWLEADER` of ZAB), and only when
//! that entry is durable at a quorum is all that stood in the log before it committed, and
//! proposals are taken (broadcast).
//!
//! Where to start: [`Zab`], then [`leading`], where everything happens; [`quorum`] says who
//! decides.
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod entry;
pub mod leading;
pub mod quorum;

mod effect;

use alloc::vec::Vec;

pub use effect::{Effect, SyncTicket, Ticket};
pub use entry::{Body, Entry, Promise};
use leading::Leading;
pub use quorum::Config;

use bytes::Bytes;
use zooid_ids::{Incarnation, Millis, ServerId, Zxid};

/// Who this server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number in the ensemble.
    pub id: ServerId,
    /// The life of its data directory.
    pub incarnation: Incarnation,
}

/// What recovery found in the log: where agreement goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The last durable entry, or the checkpoint's if the log is empty.
    pub last: Zxid,
    /// The time of that entry: the log's time never goes back.
    pub last_time: Millis,
    /// Up to here the entries are known to be committed: the checkpoint's zxid.
    pub committed: Zxid,
    /// The newest promise.
    pub promise: Promise,
}

/// What can be set without changing what is agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From this counter on a new epoch is started in place; the rest is room for what is under
    /// way. At 20,000 entries a second the default lasts two and a half days.
    pub rollover_counter: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rollover_counter: 0xf000_0000 }
    }
}

/// One server's part in the agreement.
#[derive(Debug)]
pub struct Zab {
    leading: Leading,
}

impl Zab {
    /// A server that is the only voter, and begins at once to lead.
    ///
    /// # Panics
    /// If `config` names other voters than this server.
    #[must_use]
    pub fn start(
        member: Member,
        config: Config,
        settings: Settings,
        recovered: Recovered,
        out: &mut Vec<Effect>,
    ) -> Self {
        assert!(config.is_sole_voter(member.id), "an ensemble has one voter in this version");
        Self { leading: Leading::start(member, config, settings, recovered, out) }
    }

    /// True while proposals go to the log at once; otherwise they are held until an epoch starts.
    #[must_use]
    pub fn is_broadcasting(&self) -> bool {
        self.leading.is_broadcasting()
    }

    /// The last entry that is committed.
    #[must_use]
    pub fn committed(&self) -> Zxid {
        self.leading.committed()
    }

    /// Proposals that are not committed yet, held ones included.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.leading.outstanding()
    }

    /// Puts `command` after all that was proposed before; it comes back as [`Effect::Deliver`].
    /// `wall` is this server's wall clock.
    pub fn propose(&mut self, wall: Millis, command: Bytes) {
        self.leading.propose(wall, command);
    }

    /// Asks to be told when all that any server had committed before now is delivered here.
    pub fn sync(&mut self, ticket: SyncTicket, out: &mut Vec<Effect>) {
        self.leading.sync(ticket, out);
    }

    /// The disk has synced what was handed out under this ticket, and everything before it.
    ///
    /// # Panics
    /// If tickets come back out of order, or one that was never given.
    pub fn durable(&mut self, ticket: Ticket, out: &mut Vec<Effect>) {
        self.leading.durable(ticket, out);
    }

    /// Ends a turn: hands what was proposed in it to the disk, as one batch.
    pub fn flush(&mut self, wall: Millis, out: &mut Vec<Effect>) {
        self.leading.flush(wall, out);
    }

    /// Stops the process if the state contradicts itself.
    ///
    /// # Panics
    /// On a contradiction.
    pub fn check_invariants(&self) {
        self.leading.check_invariants();
    }
}

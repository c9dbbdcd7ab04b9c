//! All guarantees, one after the other.

use crate::history::History;
use crate::operation::{Observed, find_entries, observe};
use crate::replay::{Follow, replay};
use crate::violation::Violation;
use crate::{
    agreement, ephemerals, fifo, names, reads, real_time, sessions, sync, versions, watches, writes,
};

/// What was agreed on between the servers and those who judge them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How long it may take, in microseconds, until the leader hears that a client was heard by
    /// another server; 0 with one server. Only what was heard longer ago keeps a session alive.
    pub relay: u64,
}

/// Everything that is wrong with a history; nothing if every guarantee was kept.
///
/// The log is replayed once; all checks take a time of about O(n log n) in the number of things
/// said and logged, beside the watches of a connection, which look at each change that was made
/// while it had any.
#[must_use]
pub fn judge(history: &History, terms: &Terms) -> Vec<Violation> {
    let disorder = agreement::check_order(&history.log);
    if !disorder.is_empty() {
        return disorder;
    }
    let mut observed = observe(history);
    let (replayed, stats, mut violations) = {
        let mut digests = agreement::Digests::new(&history.servers);
        let mut exact = reads::Exact::new(&observed);
        let mut stats = watches::Stats::new(&observed);
        let mut lives = ephemerals::Lives::new(&observed);
        let mut numbers = names::Numbers::new(&observed);
        let mut followers: [&mut dyn Follow; 5] =
            [&mut digests, &mut exact, &mut stats, &mut lives, &mut numbers];
        let replayed = replay(&history.log, &mut followers);
        let found = [digests.violations, exact.finish(), lives.violations, numbers.violations];
        (replayed, stats, found.concat())
    };
    find_entries(&mut observed, &replayed);
    let observed: &[Observed<'_>] = &observed;
    violations.extend(agreement::check(history));
    violations.extend(writes::check(observed, &replayed));
    violations.extend(fifo::check(observed, &replayed));
    violations.extend(real_time::check(observed));
    violations.extend(reads::check(observed, &replayed));
    violations.extend(sync::check(observed));
    violations.extend(watches::check(observed, &replayed, &stats));
    violations.extend(sessions::check(observed, &replayed, terms));
    violations.extend(versions::check(observed));
    violations
}

//! **Log agreement.** The same zxid is the same entry on all servers, none leaves an entry out
//! between two that it has, and the tree at each zxid is the same (by its digest). From this follows
//! that what one server acknowledged no other can deny.
//!
//! Source: Zab's total order and integrity; the log is compared whole, since a client sees only
//! what it asks for.

use std::collections::BTreeMap;

use zooid_ids::{ServerId, Zxid};

use crate::history::{Committed, History, ServerLog};
use crate::replay::{Follow, Step};
use crate::violation::{Guarantee, Violation};

/// The log of an ensemble from those of its servers: each zxid once. Where they differ the first
/// counts, and [`judge`](crate::judge) tells of it.
#[must_use]
pub fn merge(servers: &[ServerLog]) -> Vec<Committed> {
    let mut merged: BTreeMap<Zxid, &Committed> = BTreeMap::new();
    for entry in servers.iter().flat_map(|server| &server.entries) {
        merged.entry(entry.zxid).or_insert(entry);
    }
    merged.into_values().cloned().collect()
}

/// The log must ascend, or there is nothing to replay.
pub(crate) fn check_order(log: &[Committed]) -> Vec<Violation> {
    let pairs = log.windows(2).filter(|pair| pair[0].zxid >= pair[1].zxid);
    pairs
        .map(|pair| {
            violation("an entry does not come after the one before it")
                .with(&pair[0])
                .with(&pair[1])
        })
        .collect()
}

pub(crate) fn check(history: &History) -> Vec<Violation> {
    history.servers.iter().flat_map(|server| check_server(&history.log, server)).collect()
}

/// A server's log is a piece of the whole one, without a hole.
fn check_server(log: &[Committed], server: &ServerLog) -> Option<Violation> {
    let first = server.entries.first()?.zxid;
    let start = log.partition_point(|entry| entry.zxid < first);
    let here = server.entries.iter();
    let (wrong, whole) = here.zip(&log[start..]).find(|(a, b)| !is_same(a, b)).or_else(|| {
        let beyond = server.entries.len().checked_sub(log.len() - start + 1)?;
        let at = server.entries.len() - 1 - beyond;
        Some((&server.entries[at], log.last()?))
    })?;
    let what = format!("server {} has another entry than the ensemble", server.server);
    Some(violation(what).with(wrong).with(whole))
}

fn is_same(a: &Committed, b: &Committed) -> bool {
    (a.zxid, a.time, &a.what) == (b.zxid, b.time, &b.what)
}

/// Compares the digests that servers had with that of the replay.
pub(crate) struct Digests {
    claimed: BTreeMap<Zxid, Vec<(ServerId, u64)>>,
    pub(crate) violations: Vec<Violation>,
}

impl Digests {
    pub(crate) fn new(servers: &[ServerLog]) -> Self {
        let mut claimed: BTreeMap<Zxid, Vec<(ServerId, u64)>> = BTreeMap::new();
        for server in servers {
            for (zxid, digest) in &server.digests {
                claimed.entry(*zxid).or_default().push((server.server, *digest));
            }
        }
        Self { claimed, violations: Vec::new() }
    }
}

impl Follow for Digests {
    fn step(&mut self, step: &Step<'_>) {
        for (server, digest) in self.claimed.remove(&step.zxid).unwrap_or_default() {
            if digest != step.tree.digest() {
                let what = format!("server {server} holds another tree at {}", step.zxid);
                let digests = format!("digest {digest:x}, not {:x}", step.tree.digest());
                self.violations.push(violation(what).with(digests));
            }
        }
    }
}

fn violation(what: impl Into<String>) -> Violation {
    Violation::new(Guarantee::Agreement, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};

    fn story() -> History {
        let mut story = Story::new();
        story.connect(1);
        story.write(1, Story::create("/a"));
        story.write(1, Story::set("/a", "x"));
        let digest = story.digest_at(2);
        let mut history = story.history();
        let digests = vec![(history.log[2].zxid, digest)];
        history.servers = [1, 2]
            .map(|id| ServerLog {
                server: ServerId(id),
                entries: history.log.clone(),
                digests: digests.clone(),
            })
            .into();
        history
    }

    #[test]
    fn servers_that_agree() {
        let mut history = story();
        history.servers[1].entries.pop();
        history.servers[1].entries.remove(0);
        assert_kept(&history);
        assert_eq!(merge(&history.servers), history.log);
    }

    #[test]
    fn another_entry_at_the_same_place() {
        let mut history = story();
        history.servers[1].entries[2].time.0 += 1;
        assert_broken(&history, Guarantee::Agreement);
    }

    #[test]
    fn a_hole() {
        let mut history = story();
        history.servers[1].entries.remove(2);
        assert_broken(&history, Guarantee::Agreement);
    }

    #[test]
    fn an_entry_that_nobody_else_has() {
        let mut history = story();
        let mut extra = history.log[2].clone();
        extra.zxid.0 += 10;
        history.servers[1].entries.push(extra);
        assert_broken(&history, Guarantee::Agreement);
    }

    #[test]
    fn another_tree() {
        let mut history = story();
        history.servers[1].digests[0].1 ^= 1;
        assert_broken(&history, Guarantee::Agreement);
    }

    #[test]
    fn a_log_that_goes_back() {
        let mut history = story();
        history.log.swap(1, 2);
        assert_broken(&history, Guarantee::Agreement);
    }
}

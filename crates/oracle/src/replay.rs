//! The log, done again: one pass, and whoever needs a version is there when it exists.

use zooid_ids::Zxid;
use zooid_model::Change;
use zooid_tree::{Outcome, Stamp, Tree};

use crate::history::{Committed, Logged};

/// One version of the tree, and how it came to be.
pub(crate) struct Step<'a> {
    /// The version; [`Zxid::ZERO`] before the first entry.
    pub(crate) zxid: Zxid,
    /// What made it; `None` for the beginning.
    pub(crate) entry: Option<&'a Committed>,
    /// What came of it, where it is a command.
    pub(crate) outcome: Option<&'a Outcome>,
    /// What it changed.
    pub(crate) changes: &'a [Change],
    /// The tree at this version.
    pub(crate) tree: &'a Tree,
}

/// Somebody who goes along.
pub(crate) trait Follow {
    /// A version exists. Called for each in order, the beginning first.
    fn step(&mut self, step: &Step<'_>);
}

/// What every entry came to.
#[derive(Default)]
pub(crate) struct Replayed<'a> {
    pub(crate) entries: Vec<Done<'a>>,
}

/// An entry and what came of it.
pub(crate) struct Done<'a> {
    pub(crate) entry: &'a Committed,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) changes: Vec<Change>,
}

impl<'a> Replayed<'a> {
    /// The entry with this zxid.
    pub(crate) fn at(&self, zxid: Zxid) -> Option<&Done<'a>> {
        let at = self.entries.binary_search_by_key(&zxid, |done| done.entry.zxid).ok()?;
        Some(&self.entries[at])
    }

    /// The entries after this zxid.
    pub(crate) fn after(&self, zxid: Zxid) -> &[Done<'a>] {
        &self.entries[self.entries.partition_point(|done| done.entry.zxid <= zxid)..]
    }
}

/// Applies a log that ascends, from nothing.
pub(crate) fn replay<'a>(log: &'a [Committed], followers: &mut [&mut dyn Follow]) -> Replayed<'a> {
    let mut tree = Tree::new();
    let mut replayed = Replayed::default();
    let mut tell = |step: &Step<'_>| followers.iter_mut().for_each(|one| one.step(step));
    tell(&Step { zxid: Zxid::ZERO, entry: None, outcome: None, changes: &[], tree: &tree });
    for entry in log {
        let (outcome, changes) = apply(&mut tree, entry);
        tell(&Step {
            zxid: entry.zxid,
            entry: Some(entry),
            outcome: outcome.as_ref(),
            changes: &changes,
            tree: &tree,
        });
        replayed.entries.push(Done { entry, outcome, changes });
    }
    replayed
}

fn apply(tree: &mut Tree, entry: &Committed) -> (Option<Outcome>, Vec<Change>) {
    let stamp = Stamp { zxid: entry.zxid, time: entry.time };
    match &entry.what {
        Logged::EpochStart => {
            tree.advance(stamp.zxid);
            (None, Vec::new())
        }
        Logged::Command(command) => {
            let applied = tree.apply(stamp, command);
            (Some(applied.outcome), applied.changes)
        }
    }
}

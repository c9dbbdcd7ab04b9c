//! **Ephemerals.** An ephemeral node is there exactly as long as its owner's session lives: it is
//! deleted in the zxid that closes the session, and no client is shown one whose session is not
//! there at the zxid of the reply.
//!
//! Source: ephemeral lifetime. When a session lives is read off the log here, not off the tree: from
//! its first `CreateSession` to the `CloseSession` that took effect.

use std::collections::BTreeMap;

use zooid_ids::{SessionId, Zxid};
use zooid_model::{Command, EphemeralOwner, OpResult, ReadResult, Reply, Stat};
use zooid_tree::Outcome;

use crate::history::Logged;
use crate::operation::{Observed, Operation};
use crate::replay::{Follow, Step};
use crate::violation::{Guarantee, Violation};

/// Sessions and their nodes, while the log is replayed.
pub(crate) struct Lives<'a> {
    lives: BTreeMap<SessionId, Zxid>,
    nodes: BTreeMap<String, SessionId>,
    /// Operations that show ephemerals, by the zxid of the reply, the last first.
    shown: Vec<(Zxid, &'a Operation<'a>)>,
    pub(crate) violations: Vec<Violation>,
}

impl<'a> Lives<'a> {
    pub(crate) fn new(observed: &'a [Observed<'a>]) -> Self {
        let operations = observed.iter().flat_map(|one| &one.operations);
        let mut shown: Vec<_> = operations
            .filter_map(|operation| {
                let (zxid, reply) = operation.success()?;
                owners_in(reply).next().map(|_| (zxid, operation))
            })
            .collect();
        shown.sort_by_key(|(zxid, _)| std::cmp::Reverse(*zxid));
        Self { lives: BTreeMap::new(), nodes: BTreeMap::new(), shown, violations: Vec::new() }
    }

    fn follow_nodes(&mut self, step: &Step<'_>) {
        for path in step.changes.iter().map(|change| &change.path) {
            match step.tree.stat(path).as_ref().and_then(owner_in) {
                Some(owner) => self.nodes.insert(path.to_string(), owner),
                None => self.nodes.remove(&**path),
            };
        }
    }

    fn follow_sessions(&mut self, step: &Step<'_>) {
        let Some(Logged::Command(command)) = step.entry.map(|entry| &entry.what) else { return };
        match (command, step.outcome) {
            (Command::CreateSession { session, .. }, Some(Outcome::SessionCreated)) => {
                self.lives.insert(*session, step.zxid);
            }
            (Command::CloseSession { session, .. }, Some(Outcome::SessionClosed { .. })) => {
                self.lives.remove(session);
                self.expect_none_of(*session, step);
            }
            _ => {}
        }
    }

    fn expect_none_of(&mut self, session: SessionId, step: &Step<'_>) {
        let left: Vec<_> = self.nodes.iter().filter(|(_, owner)| **owner == session).collect();
        if !left.is_empty() {
            let violation = violation("the end of a session leaves ephemerals behind");
            let entry = step.entry.map_or_else(String::new, ToString::to_string);
            self.violations.push(violation.with(entry).with(format!("left: {left:?}")));
        }
    }

    fn expect_alive(&mut self, operation: &Operation<'_>, reply: &Reply) {
        if let Some(dead) = owners_in(reply).find(|owner| !self.lives.contains_key(owner)) {
            let what = format!("an ephemeral of {dead} is shown, which does not live");
            self.violations.push(violation(what).with(operation));
        }
    }
}

impl Follow for Lives<'_> {
    fn step(&mut self, step: &Step<'_>) {
        self.follow_nodes(step);
        self.follow_sessions(step);
        while let Some((_, operation)) = self.shown.pop_if(|(zxid, _)| *zxid <= step.zxid) {
            if let Some((_, reply)) = operation.success().filter(|(zxid, _)| *zxid == step.zxid) {
                self.expect_alive(operation, reply);
            }
        }
    }
}

/// The sessions that own what a reply shows.
fn owners_in(reply: &Reply) -> impl Iterator<Item = SessionId> {
    let stats: Vec<&Stat> = match reply {
        Reply::PathStat { stat, .. }
        | Reply::Stat(stat)
        | Reply::Data { stat, .. }
        | Reply::Acl { stat, .. }
        | Reply::ChildrenStat { stat, .. } => vec![stat],
        Reply::Multi(results) => results.iter().filter_map(stat_of_part).collect(),
        Reply::MultiRead(results) => results.iter().filter_map(stat_of_read).collect(),
        _ => Vec::new(),
    };
    stats.into_iter().filter_map(owner_in)
}

fn stat_of_part(result: &OpResult) -> Option<&Stat> {
    match result {
        OpResult::PathStat { stat, .. } | OpResult::Stat(stat) => Some(stat),
        _ => None,
    }
}

fn stat_of_read(result: &ReadResult) -> Option<&Stat> {
    match result {
        ReadResult::Data { stat, .. } => Some(stat),
        _ => None,
    }
}

fn owner_in(stat: &Stat) -> Option<SessionId> {
    match EphemeralOwner::from_wire(stat.ephemeral_owner) {
        EphemeralOwner::Session(session) => Some(session),
        _ => None,
    }
}

fn violation(what: impl Into<String>) -> Violation {
    Violation::new(Guarantee::Ephemerals, what)
}

#[cfg(test)]
mod tests {
    use zooid_tree::Tree;

    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};
    use crate::history::{History, Told};

    fn story() -> History {
        let mut story = Story::new();
        story.connect(1);
        story.connect(2);
        story.write(1, Story::create_ephemeral("/e"));
        story.read(2, Story::get("/e", false));
        story.close(1);
        story.read(2, Story::get("/e", false));
        story.history()
    }

    #[test]
    fn an_ephemeral_goes_with_its_session() {
        assert_kept(&story());
    }

    #[test]
    fn an_ephemeral_of_a_dead_session_is_shown() {
        let mut history = story();
        let shown = history.conversations[1].told[0].clone();
        let (Told::Reply { result: late, .. }, Told::Reply { result: shown, .. }) =
            (&mut history.conversations[1].told[1], shown)
        else {
            panic!("two replies")
        };
        *late = shown;
        assert_broken(&history, Guarantee::Ephemerals);
    }

    #[test]
    fn an_ephemeral_of_a_session_that_never_was() {
        let mut history = story();
        let Told::Reply { result: Ok(Reply::Data { stat, .. }), .. } =
            &mut history.conversations[1].told[0]
        else {
            panic!("a reply")
        };
        stat.ephemeral_owner += 1;
        assert_broken(&history, Guarantee::Ephemerals);
    }

    /// A tree that forgets to delete what a session leaves; the real one cannot be made to.
    #[test]
    fn a_session_that_leaves_its_ephemerals_behind() {
        let history = story();
        let mut lives = Lives::new(&[]);
        let mut tree = Tree::new();
        for entry in &history.log {
            let Logged::Command(command) = &entry.what else {
                tree.advance(entry.zxid);
                continue;
            };
            let stamp = zooid_tree::Stamp { zxid: entry.zxid, time: entry.time };
            let applied = tree.apply(stamp, command);
            let closes = matches!(command, Command::CloseSession { .. });
            lives.step(&Step {
                zxid: entry.zxid,
                entry: Some(entry),
                outcome: Some(&applied.outcome),
                changes: if closes { &[] } else { &applied.changes },
                tree: &tree,
            });
        }
        assert_eq!(lives.violations.len(), 1, "{:?}", lives.violations);
    }
}

//! **Watches.** The event of a change at z is told on a connection before any reply with a zxid of
//! z or more. A one-shot watch registered at r (the zxid of the reply that left it) has one event,
//! that of the first change after r that concerns it; a persistent one has every event, without a
//! gap, in the order of the log; a recursive one hears of all below, but no `NodeChildrenChanged`.
//! Who may not read a node at the change is not told of it (and a one-shot watch is used up).
//! `setWatches` tells at once what was missed since the zxid it names. Nothing else is told.
//!
//! Source: ZooKeeper's watch guarantees; its server keeps one table of data watches and one of child
//! watches, and tells each connection of a change once. A connection that has ended need not have
//! been told of what came last.

mod table;

use std::collections::{BTreeMap, VecDeque};

use zooid_ids::Zxid;
use zooid_model::{
    AddWatchMode, Change, ErrorCode, EventKind, Perms, Read, Request, SetWatches, Stat, WatchEvent,
    acl,
};

use crate::history::Told;
use crate::operation::{Answer, Observed, Operation};
use crate::replay::{Follow, Replayed, Step};
use crate::violation::{Guarantee, Violation};

use table::{Table, Watch};

/// The stats that answers to `setWatches` depend on, taken while the log is replayed.
pub(crate) struct Stats {
    /// By version, the last first.
    wanted: Vec<(Zxid, String)>,
    found: BTreeMap<(Zxid, String), Stat>,
}

impl Stats {
    pub(crate) fn new(observed: &[Observed<'_>]) -> Self {
        let mut wanted = Vec::new();
        for operation in observed.iter().flat_map(|one| &one.operations) {
            let zxid = operation.answer.and_then(|answer| answer.zxid);
            if let (Request::SetWatches(set), Some(zxid)) = (&operation.asked.request, zxid) {
                wanted.extend(lists(set).flat_map(|(paths, _)| paths).map(|p| (zxid, p.clone())));
            }
        }
        wanted.sort_unstable_by(|a, b| b.cmp(a));
        Self { wanted, found: BTreeMap::new() }
    }

    fn get(&self, zxid: Zxid, path: &str) -> Option<&Stat> {
        self.found.get(&(zxid, path.to_owned()))
    }
}

impl Follow for Stats {
    fn step(&mut self, step: &Step<'_>) {
        while let Some((zxid, path)) = self.wanted.pop_if(|(zxid, _)| *zxid <= step.zxid) {
            if let Some(stat) = step.tree.stat(&path).filter(|_| zxid == step.zxid) {
                self.found.insert((zxid, path), stat);
            }
        }
    }
}

/// The lists of a `setWatches`, in the order in which they are looked at.
fn lists(set: &SetWatches) -> impl Iterator<Item = (&Vec<String>, Watch)> {
    [
        (&set.data, Watch::Data),
        (&set.exist, Watch::Exist),
        (&set.child, Watch::Child),
        (&set.persistent, Watch::Persistent),
        (&set.persistent_recursive, Watch::Recursive),
    ]
    .into_iter()
}

pub(crate) fn check(
    observed: &[Observed<'_>],
    replayed: &Replayed<'_>,
    stats: &Stats,
) -> Vec<Violation> {
    observed.iter().filter_map(|one| Listener::new(one, replayed, stats).listen().err()).collect()
}

/// One connection's watches, moved along what it was told.
struct Listener<'a> {
    one: &'a Observed<'a>,
    replayed: &'a Replayed<'a>,
    stats: &'a Stats,
    table: Table,
    /// All changes up to here have been told.
    told_through: Zxid,
    /// Where the client was last told what fixes `told_through`: what it proved since may count for
    /// a change or not.
    fixed_at: usize,
    /// Events without a zxid, which the answer to a `setWatches` must explain.
    missed: Vec<&'a WatchEvent>,
}

/// An event that the changes give.
struct Expected {
    event: WatchEvent,
    /// False where it depends on whether a proof was heard before the change.
    is_certain: bool,
}

impl<'a> Listener<'a> {
    fn new(one: &'a Observed<'a>, replayed: &'a Replayed<'a>, stats: &'a Stats) -> Self {
        let (table, told_through, missed) = (Table::default(), Zxid::ZERO, Vec::new());
        Self { one, replayed, stats, table, told_through, fixed_at: 0, missed }
    }

    fn listen(mut self) -> Result<(), Violation> {
        let told = &self.one.conversation.told;
        let mut position = 0;
        while position < told.len() {
            match &told[position] {
                Told::Event { event: WatchEvent { zxid: Some(zxid), .. }, .. } => {
                    position = self.hear(*zxid, position)?;
                    continue;
                }
                Told::Event { event, .. } => self.missed.push(event),
                Told::Reply { zxid, .. } => self.hear_reply(*zxid, position)?,
            }
            position += 1;
        }
        self.explain_rest()
    }

    /// Events without a zxid at the end need a `setWatches` whose answer did not come.
    fn explain_rest(&self) -> Result<(), Violation> {
        let is_unanswered = |op: &Operation<'_>| {
            op.answer.is_none() && matches!(op.asked.request, Request::SetWatches(_))
        };
        if self.missed.is_empty() || self.one.operations.iter().any(is_unanswered) {
            return Ok(());
        }
        let last = self.one.conversation.told.len() - 1;
        Err(self.wrong("events without a zxid that no setWatches asked for", last))
    }

    /// Events of one transaction; gives the position behind them.
    fn hear(&mut self, zxid: Zxid, position: usize) -> Result<usize, Violation> {
        if zxid <= self.told_through {
            let newer = format!("all up to {} was told before", self.told_through);
            return Err(self.wrong("an event comes late", position).with(newer));
        }
        self.nothing_until(Zxid(zxid.0 - 1), position)?;
        let mut expected = self.expect(zxid, position);
        let mut at = position;
        while let Some(Told::Event { event, .. }) = self.one.conversation.told.get(at) {
            if event.zxid != Some(zxid) {
                break;
            }
            self.match_event(&mut expected, event, at)?;
            at += 1;
        }
        // A connection can end between two events of one transaction.
        if at < self.one.conversation.told.len() {
            self.nothing_certain(&expected, position)?;
        }
        (self.told_through, self.fixed_at) = (zxid, position);
        Ok(at)
    }

    fn match_event(
        &self,
        expected: &mut VecDeque<Expected>,
        event: &WatchEvent,
        at: usize,
    ) -> Result<(), Violation> {
        while let Some(next) = expected.pop_front() {
            if next.event == *event {
                return Ok(());
            }
            if next.is_certain {
                let due = format!("due is {:?} {}", next.event.kind, next.event.path);
                return Err(self.wrong("an event other than the one due", at).with(due));
            }
        }
        Err(self.wrong("an event that no change and no watch explains", at))
    }

    fn hear_reply(&mut self, zxid: Option<Zxid>, position: usize) -> Result<(), Violation> {
        let operation = self.one.answers[position].map(|at| &self.one.operations[at]);
        let is_proof = operation.is_some_and(|op| matches!(op.asked.request, Request::Auth { .. }));
        if let Some(zxid) = zxid.filter(|zxid| *zxid > self.told_through && !is_proof) {
            self.nothing_until(zxid, position)?;
            (self.told_through, self.fixed_at) = (zxid, position);
        }
        let answered = operation.and_then(|operation| Some((operation, operation.answer?)));
        answered.map_or(Ok(()), |(operation, answer)| self.register(operation, answer))
    }

    /// There must be no event of all that was changed up to here.
    fn nothing_until(&mut self, through: Zxid, position: usize) -> Result<(), Violation> {
        let entries = self.replayed.after(self.told_through);
        for done in entries.iter().take_while(|done| done.entry.zxid <= through) {
            if self.table.is_empty() {
                break;
            }
            let expected = self.expect(done.entry.zxid, position);
            self.nothing_certain(&expected, position)?;
        }
        Ok(())
    }

    fn nothing_certain(
        &self,
        expected: &VecDeque<Expected>,
        position: usize,
    ) -> Result<(), Violation> {
        let Some(Expected { event, .. }) = expected.iter().find(|one| one.is_certain) else {
            return Ok(());
        };
        let late = self.one.conversation.told[position..].iter();
        let late =
            late.clone().any(|told| matches!(told, Told::Event { event: e, .. } if e == event));
        let what = if late { "an event comes behind newer data" } else { "an event was missed" };
        let due = format!("due was {:?} {} at {:?}", event.kind, event.path, event.zxid);
        Err(self.wrong(what, position).with(due))
    }

    /// The events of the transaction at `zxid`, and takes away the watches that they use up.
    fn expect(&mut self, zxid: Zxid, position: usize) -> VecDeque<Expected> {
        let certain = self.one.identities_at(self.fixed_at);
        let possible = self.one.identities_at(position);
        let changes = self.replayed.at(zxid).map_or(&[][..], |done| &done.changes);
        let mut heard = VecDeque::new();
        for Change { kind, path, acl: list } in changes {
            if self.table.take(*kind, path) && acl::allows(list, &possible, Perms::READ) {
                let is_certain = acl::allows(list, &certain, Perms::READ);
                let (kind, path) = (kind.event(), path.clone());
                let event = WatchEvent { kind, path, zxid: Some(zxid) };
                heard.push_back(Expected { event, is_certain });
            }
        }
        heard
    }

    /// What a request that was answered did to the watches.
    fn register(&mut self, operation: &Operation<'_>, answer: Answer<'_>) -> Result<(), Violation> {
        match &operation.asked.request {
            Request::Read(read) => {
                if let Some((path, watch)) = watch_of(read, answer) {
                    self.table.add(path, watch);
                }
            }
            Request::AddWatch { path, mode: Some(mode) } if answer.result.is_ok() => {
                self.table.add(
                    path,
                    match mode {
                        AddWatchMode::Persistent => Watch::Persistent,
                        AddWatchMode::PersistentRecursive => Watch::Recursive,
                    },
                );
            }
            Request::SetWatches(set) => return self.set_watches(operation, answer, set),
            Request::CheckWatches { path, kind: Some(kind) } => {
                let has = self.table.has(path, *kind);
                return found(has, operation, answer);
            }
            Request::RemoveWatches { path, kind: Some(kind) } => {
                let had = self.table.remove(path, *kind);
                return found(had, operation, answer);
            }
            _ => {}
        }
        Ok(())
    }

    fn set_watches(
        &mut self,
        operation: &Operation<'_>,
        answer: Answer<'_>,
        set: &SetWatches,
    ) -> Result<(), Violation> {
        let zxid = answer.zxid.unwrap_or_default();
        let mut due = Vec::new();
        for (path, watch) in lists(set).flat_map(|(paths, w)| paths.iter().map(move |p| (p, w))) {
            match missed(watch, set.relative_zxid, self.stats.get(zxid, path)) {
                Some(kind) => due.push((kind, path.as_str())),
                None => self.table.add(path, watch),
            }
        }
        let told = std::mem::take(&mut self.missed);
        let is_told = told.iter().map(|event| (event.kind, &*event.path)).eq(due.iter().copied());
        (is_told && answer.result.is_ok()).then_some(()).ok_or_else(|| {
            let what = "setWatches tells something else than what was missed";
            Violation::new(Guarantee::Watches, what)
                .with(operation)
                .with(format!("missed: {due:?}"))
                .with(format!("told: {told:?}"))
        })
    }

    fn wrong(&self, what: &str, position: usize) -> Violation {
        let violation = Violation::new(Guarantee::Watches, what).with(self.one.conversation);
        violation.with(&self.one.conversation.told[position])
    }
}

fn found(is_there: bool, operation: &Operation<'_>, answer: Answer<'_>) -> Result<(), Violation> {
    let is_right = match answer.result {
        Ok(_) => is_there,
        Err(error) => !is_there && *error == ErrorCode::NoWatcher,
    };
    is_right.then_some(()).ok_or_else(|| {
        Violation::new(Guarantee::Watches, "a watch is not as the server says").with(operation)
    })
}

/// The watch that a read leaves: on what it found, or with `exists` on what is not there yet.
fn watch_of<'r>(read: &'r Read, answer: Answer<'_>) -> Option<(&'r str, Watch)> {
    match (read, answer.result) {
        (Read::Exists { path, watch: true }, Ok(_) | Err(ErrorCode::NoNode))
        | (Read::GetData { path, watch: true }, Ok(_)) => Some((path, Watch::Data)),
        (
            Read::GetChildren { path, watch: true } | Read::GetChildren2 { path, watch: true },
            Ok(_),
        ) => Some((path, Watch::Child)),
        _ => None,
    }
}

/// The event that a watch of an earlier connection would have had: one that is due is told instead
/// of setting the watch anew. A node that came and went meanwhile is rightly not seen.
fn missed(watch: Watch, since: Zxid, stat: Option<&Stat>) -> Option<EventKind> {
    match watch {
        Watch::Data => match stat {
            Some(stat) => (stat.mzxid > since).then_some(EventKind::NodeDataChanged),
            None => Some(EventKind::NodeDeleted),
        },
        Watch::Exist => stat.map(|_| EventKind::NodeCreated),
        Watch::Child => match stat {
            Some(stat) => (stat.pzxid > since).then_some(EventKind::NodeChildrenChanged),
            None => Some(EventKind::NodeDeleted),
        },
        Watch::Persistent | Watch::Recursive => None,
    }
}

#[cfg(test)]
mod tests;

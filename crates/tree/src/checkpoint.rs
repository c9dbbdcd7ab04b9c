//! What changed since the last checkpoint, and how it is given out while the tree goes on.
//!
//! Changes are gathered in rounds. [`Tree::hand_over`] ends a round at the current zxid in constant
//! time: what changed in it now waits for [`Tree::harvest`], and changes from then on belong to the
//! next round. A node that changes while it waits is copied first, as it was. A run that succeeded
//! is [completed](Tree::complete_run); of one that failed the changes
//! [join the next](Tree::abandon_run).

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Bound;

use zooid_ids::{SessionId, Zxid};

use crate::arena::NodeId;
use crate::record::Record;
use crate::session::{Formation, HeldSession, Session};
use crate::tree::Tree;

/// Two rounds at most are told apart: the one that gathers and the one that is harvested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Round {
    #[default]
    Even,
    Odd,
}

/// Where a node or session stands towards the checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// In which round it changed; `None` if the checkpoints have it as it is.
    round: Option<Round>,
    /// True if no checkpoint knows of it, not even by an older record or a tombstone to be.
    fresh: bool,
}

/// What the next run will hold, and what the current one still does.
#[derive(Default)]
pub(crate) struct Changes {
    round: Round,
    /// What changed in this round, and perhaps is gone again.
    nodes: Vec<NodeId>,
    sessions: Vec<SessionId>,
    /// What older runs have and the tree has no more.
    gone_nodes: BTreeSet<Box<str>>,
    gone_sessions: BTreeSet<SessionId>,
    formation: bool,
    /// About how large the records of the round will be.
    bytes: u64,
    /// Nodes of this round that are in the tree.
    live_nodes: usize,
    live_sessions: usize,
    run: Option<Run>,
}

/// What was handed over.
struct Run {
    nodes: Vec<NodeId>,
    sessions: Vec<SessionId>,
    gone_nodes: BTreeSet<Box<str>>,
    gone_sessions: BTreeSet<SessionId>,
    formation: Option<Formation>,
    /// Records of what changed before it was harvested.
    copied: Vec<Record>,
    /// How far the harvest is in each list.
    next_node: usize,
    next_session: usize,
    last_gone_node: Option<Box<str>>,
    last_gone_session: Option<SessionId>,
    formation_taken: bool,
}

/// How many there are of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Znodes, each counted once.
    pub znodes: u64,
    /// Sessions.
    pub sessions: u64,
}

/// The state that a run of records is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// Exactly after this entry.
    pub zxid: Zxid,
    /// The digest of all znodes then.
    pub digest: u64,
    /// What the whole tree held then.
    pub counts: Counts,
}

/// What a record takes beside its data or path, about.
const RECORD_BYTES: u64 = 128;

impl Round {
    fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }
}

impl Mark {
    fn is_of(self, round: Round) -> bool {
        self.round == Some(round)
    }

    /// True if it changed in the other round and is still to be harvested.
    fn waits(self, gathering: Round) -> bool {
        self.round == Some(gathering.other())
    }
}

impl Changes {
    /// The ensemble got its name.
    pub(crate) fn formation_changed(&mut self) {
        self.formation = true;
        self.bytes += RECORD_BYTES;
    }

    /// The data of a node that changed in this round has another length now.
    pub(crate) fn resized(&mut self, before: u64, after: u64) {
        self.bytes = self.bytes - before + after;
    }

    fn count_node(&mut self, data_len: usize) {
        self.live_nodes += 1;
        self.bytes += RECORD_BYTES + data_len as u64;
    }

    fn node_gone(&mut self, path: &str) {
        if self.gone_nodes.insert(path.into()) {
            self.bytes += RECORD_BYTES + path.len() as u64;
        }
    }

    /// True if the path was among what is gone.
    fn node_back(&mut self, path: &str) -> bool {
        let was_gone = !self.gone_nodes.is_empty() && self.gone_nodes.remove(path);
        if was_gone {
            self.bytes -= RECORD_BYTES + path.len() as u64;
        }
        was_gone
    }

    fn copy(&mut self, record: Record) {
        self.run.as_mut().expect("only what was handed over waits").copied.push(record);
    }
}

/// Marks: to be set before a change.
impl Tree {
    pub(crate) fn mark_changed(&mut self, id: NodeId) {
        let round = self.changes.round;
        let mark = self.nodes.get(id).mark;
        if mark.is_of(round) {
            return;
        }
        if mark.waits(round) {
            let record = self.record_of(id);
            self.changes.copy(record);
        }
        self.mark_in_round(id, false);
    }

    pub(crate) fn mark_created(&mut self, id: NodeId, path: &str) {
        let fresh = !self.changes.node_back(path);
        self.mark_in_round(id, fresh);
    }

    fn mark_in_round(&mut self, id: NodeId, fresh: bool) {
        let node = self.nodes.get_mut(id);
        node.mark = Mark { round: Some(self.changes.round), fresh };
        self.changes.count_node(node.data_len());
        self.changes.nodes.push(id);
    }

    pub(crate) fn mark_gone(&mut self, id: NodeId, path: &str) {
        let round = self.changes.round;
        let node = self.nodes.get(id);
        if node.mark.is_of(round) {
            self.changes.live_nodes -= 1;
            self.changes.bytes -= RECORD_BYTES + node.data_len() as u64;
            if node.mark.fresh {
                return;
            }
        } else if node.mark.waits(round) {
            let record = self.record_of(id);
            self.changes.copy(record);
        }
        self.changes.node_gone(path);
    }

    /// A node is back in its place, as it was when it was marked gone by this very command.
    pub(crate) fn unmark_gone(&mut self, id: NodeId, path: &str) {
        self.changes.node_back(path);
        let node = self.nodes.get(id);
        if node.mark.is_of(self.changes.round) {
            self.changes.count_node(node.data_len());
        } else {
            self.mark_in_round(id, false);
        }
    }

    pub(crate) fn add_session(&mut self, id: SessionId, session: Session) {
        let fresh = !self.changes.gone_sessions.remove(&id);
        if !fresh {
            self.changes.bytes -= RECORD_BYTES;
        }
        let mark = Mark { round: Some(self.changes.round), fresh };
        self.changes.sessions.push(id);
        self.changes.live_sessions += 1;
        self.changes.bytes += RECORD_BYTES;
        self.sessions.insert(id, HeldSession { session, ephemerals: BTreeSet::new(), mark });
    }

    pub(crate) fn update_session(&mut self, id: SessionId, session: Session) {
        let round = self.changes.round;
        let held = self.sessions.get_mut(&id).expect("the caller has seen the session");
        let before = core::mem::replace(&mut held.session, session);
        if held.mark.is_of(round) {
            return;
        }
        if held.mark.waits(round) {
            self.changes.copy(Record::Session { id, session: before });
        }
        held.mark = Mark { round: Some(round), fresh: false };
        self.changes.sessions.push(id);
        self.changes.live_sessions += 1;
        self.changes.bytes += RECORD_BYTES;
    }

    pub(crate) fn drop_session(&mut self, id: SessionId) {
        let round = self.changes.round;
        let held = self.sessions.remove(&id).expect("the caller has seen the session");
        assert!(held.ephemerals.is_empty(), "no ephemeral outlives its session");
        if held.mark.is_of(round) {
            self.changes.live_sessions -= 1;
            self.changes.bytes -= RECORD_BYTES;
            if held.mark.fresh {
                return;
            }
        } else if held.mark.waits(round) {
            self.changes.copy(Record::Session { id, session: held.session });
        }
        self.changes.gone_sessions.insert(id);
        self.changes.bytes += RECORD_BYTES;
    }
}

impl Tree {
    /// About how many bytes the records of the next run will take.
    #[must_use]
    pub fn changed_bytes(&self) -> u64 {
        self.changes.bytes
    }

    /// How many records the next run will have.
    #[must_use]
    pub fn changed_records(&self) -> usize {
        let changes = &self.changes;
        changes.live_nodes
            + changes.live_sessions
            + changes.gone_nodes.len()
            + changes.gone_sessions.len()
            + usize::from(changes.formation)
    }

    /// True between [`hand_over`](Self::hand_over) and the end of the run.
    #[must_use]
    pub fn is_handing_over(&self) -> bool {
        self.changes.run.is_some()
    }

    /// Begins a run: what changed since the last one is to be harvested as it is now. Takes no
    /// time that depends on how much that is.
    ///
    /// # Panics
    /// If a run is neither completed nor abandoned yet.
    pub fn hand_over(&mut self) -> HandOver {
        assert!(self.changes.run.is_none(), "one run at a time");
        let changes = core::mem::take(&mut self.changes);
        self.changes.round = changes.round.other();
        self.changes.run = Some(Run {
            nodes: changes.nodes,
            sessions: changes.sessions,
            gone_nodes: changes.gone_nodes,
            gone_sessions: changes.gone_sessions,
            formation: self.formation.filter(|_| changes.formation),
            copied: Vec::new(),
            next_node: 0,
            next_session: 0,
            last_gone_node: None,
            last_gone_session: None,
            formation_taken: false,
        });
        HandOver { zxid: self.zxid, digest: self.digest, counts: self.counts() }
    }

    /// The next records of the run, in no order, each thing once; fewer than `limit` only at the
    /// end, and none where there is no run.
    pub fn harvest(&mut self, limit: usize) -> Vec<Record> {
        let Some(mut run) = self.changes.run.take() else { return Vec::new() };
        let copied = run.copied.len().saturating_sub(limit);
        let mut records = run.copied.split_off(copied);
        self.harvest_nodes(&mut run, &mut records, limit);
        self.harvest_sessions(&mut run, &mut records, limit);
        run.harvest_gone(&mut records, limit);
        self.changes.run = Some(run);
        records
    }

    fn harvest_nodes(&mut self, run: &mut Run, records: &mut Vec<Record>, limit: usize) {
        let gathering = self.changes.round;
        while records.len() < limit
            && let Some(id) = run.nodes.get(run.next_node).copied()
        {
            run.next_node += 1;
            if self.nodes.find(id).is_some_and(|node| node.mark.waits(gathering)) {
                records.push(self.record_of(id));
                self.nodes.get_mut(id).mark = Mark::default();
            }
        }
    }

    fn harvest_sessions(&mut self, run: &mut Run, records: &mut Vec<Record>, limit: usize) {
        let gathering = self.changes.round;
        while records.len() < limit
            && let Some(id) = run.sessions.get(run.next_session).copied()
        {
            run.next_session += 1;
            if let Some(held) = self.sessions.get_mut(&id)
                && held.mark.waits(gathering)
            {
                records.push(Record::Session { id, session: held.session });
                held.mark = Mark::default();
            }
        }
    }

    /// Ends a run whose records are durable: they are not given again.
    ///
    /// # Panics
    /// If there is no run, or it is not harvested to its end.
    pub fn complete_run(&mut self) {
        let run = self.changes.run.take().expect("a run was begun");
        assert!(run.is_harvested(), "a run is complete when all of it was harvested");
    }

    /// Ends a run that failed: the next one holds its changes too. (It may hold tombstones of what
    /// no run ever had.)
    ///
    /// # Panics
    /// If there is no run.
    pub fn abandon_run(&mut self) {
        let run = self.changes.run.take().expect("a run was begun");
        let gathering = self.changes.round;
        for id in run.nodes {
            if let Some(node) = self.nodes.find(id)
                && !node.mark.is_of(gathering)
            {
                self.mark_in_round(id, node.mark.waits(gathering) && node.mark.fresh);
            }
        }
        for path in run.gone_nodes {
            match self.locate(&path) {
                Some(id) => self.nodes.get_mut(id).mark.fresh = false,
                None => self.changes.node_gone(&path),
            }
        }
        self.give_back_sessions(&run.sessions, run.gone_sessions);
        if run.formation.is_some() {
            self.changes.formation_changed();
        }
    }

    fn give_back_sessions(&mut self, changed: &[SessionId], gone: BTreeSet<SessionId>) {
        let round = self.changes.round;
        for id in changed {
            if let Some(held) = self.sessions.get_mut(id)
                && !held.mark.is_of(round)
            {
                let fresh = held.mark.waits(round) && held.mark.fresh;
                held.mark = Mark { round: Some(round), fresh };
                self.changes.sessions.push(*id);
                self.changes.live_sessions += 1;
                self.changes.bytes += RECORD_BYTES;
            }
        }
        for id in gone {
            match self.sessions.get_mut(&id) {
                Some(held) => held.mark.fresh = false,
                None if self.changes.gone_sessions.insert(id) => self.changes.bytes += RECORD_BYTES,
                None => {}
            }
        }
    }

    fn record_of(&self, id: NodeId) -> Record {
        let node = self.nodes.get(id);
        Record::Znode {
            path: self.path_of(id).into(),
            data: node.shared_data(),
            acl: self.acls.get(node.acl).clone(),
            stat: node.persisted(),
        }
    }
}

impl Run {
    fn harvest_gone(&mut self, records: &mut Vec<Record>, limit: usize) {
        let after = self.last_gone_node.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let paths = self.gone_nodes.range::<str, _>((after, Bound::Unbounded));
        let paths: Vec<Box<str>> = paths.take(limit - records.len()).cloned().collect();
        if let Some(last) = paths.last() {
            self.last_gone_node = Some(last.clone());
        }
        records.extend(paths.into_iter().map(|path| Record::ZnodeGone { path }));

        let after = self.last_gone_session.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = self.gone_sessions.range((after, Bound::Unbounded));
        let before = records.len();
        records.extend(ids.take(limit - before).map(|id| Record::SessionGone { id: *id }));
        if let Some(Record::SessionGone { id }) = records[before..].last() {
            self.last_gone_session = Some(*id);
        }

        if let Some(formation) = self.formation
            && !self.formation_taken
            && records.len() < limit
        {
            self.formation_taken = true;
            records.push(Record::Formation(formation));
        }
    }

    fn is_harvested(&self) -> bool {
        self.copied.is_empty()
            && self.next_node == self.nodes.len()
            && self.next_session == self.sessions.len()
            && self.last_gone_node.as_ref() == self.gone_nodes.last()
            && self.last_gone_session.as_ref() == self.gone_sessions.last()
            && self.formation_taken == self.formation.is_some()
    }
}

/// What [`Tree::check_invariants`] asks of the changes.
impl Tree {
    pub(crate) fn check_changes(&self) {
        let round = self.changes.round;
        let live: Vec<usize> = self
            .nodes
            .iter()
            .filter(|(_, n)| n.mark.is_of(round))
            .map(|(_, n)| n.data_len())
            .collect();
        assert_eq!(live.len(), self.changes.live_nodes, "nodes of the round");
        let sessions = self.sessions.values().filter(|held| held.mark.is_of(round)).count();
        assert_eq!(sessions, self.changes.live_sessions, "sessions of the round");
        let gone: u64 =
            self.changes.gone_nodes.iter().map(|path| RECORD_BYTES + path.len() as u64).sum();
        let others = live.len()
            + sessions
            + self.changes.gone_sessions.len()
            + usize::from(self.changes.formation);
        let bytes = live.iter().sum::<usize>() as u64 + gone + RECORD_BYTES * others as u64;
        assert_eq!(bytes, self.changes.bytes, "bytes of the round");
        for path in &self.changes.gone_nodes {
            assert!(self.locate(path).is_none(), "{path} is gone");
        }
        let waiting = |mark: Mark| mark.waits(round);
        let waits = self.nodes.iter().any(|(_, node)| waiting(node.mark))
            || self.sessions.values().any(|held| waiting(held.mark));
        let harvested = self.changes.run.as_ref().is_none_or(Run::is_harvested);
        assert!(!(waits && harvested), "nothing waits for a run that is over");
    }
}

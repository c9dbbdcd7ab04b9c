//! How what changed is given out while the tree goes on.
//!
//! [`Tree::hand_over`] ends a round of changes at the current zxid in constant time: what changed
//! in it now waits for [`Tree::harvest`], and changes from then on belong to the next round. A run
//! that succeeded is [completed](Tree::complete_run); of one that failed the changes
//! [join the next](Tree::abandon_run).

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Bound;

use bytes::Bytes;
use zooid_ids::{SessionId, Zxid};

use crate::arena::NodeId;
use crate::changes::Mark;
use crate::record::Record;
use crate::session::Formation;
use crate::tree::Tree;

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

/// What was handed over.
pub(crate) struct Run {
    nodes: Vec<NodeId>,
    sessions: Vec<SessionId>,
    gone_nodes: BTreeSet<Box<str>>,
    gone_sessions: BTreeSet<SessionId>,
    formation: Option<Formation>,
    voters: Option<Bytes>,
    /// Records of what changed before it was harvested.
    pub(crate) copied: Vec<Record>,
    /// How far the harvest is in each list.
    next_node: usize,
    next_session: usize,
    last_gone_node: Option<Box<str>>,
    last_gone_session: Option<SessionId>,
    formation_taken: bool,
    voters_taken: bool,
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
            + usize::from(changes.voters)
    }

    /// True between [`hand_over`](Self::hand_over) and the end of the run.
    #[must_use]
    pub fn is_handing_over(&self) -> bool {
        self.changes.run.is_some()
    }

    /// All znodes as they are now, in no order.
    pub fn znodes(&self) -> impl Iterator<Item = Record> {
        self.nodes.iter().map(|(id, _)| self.record_of(id))
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
            voters: self.voters.clone().filter(|_| changes.voters),
            copied: Vec::new(),
            next_node: 0,
            next_session: 0,
            last_gone_node: None,
            last_gone_session: None,
            formation_taken: false,
            voters_taken: false,
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
        if run.voters.is_some() {
            self.changes.voters_changed();
        }
    }

    fn give_back_sessions(&mut self, changed: &[SessionId], gone: BTreeSet<SessionId>) {
        let round = self.changes.round;
        for id in changed {
            if let Some(held) = self.sessions.get_mut(id)
                && !held.mark.is_of(round)
            {
                let fresh = held.mark.waits(round) && held.mark.fresh;
                held.mark = self.changes.session_changed(*id, fresh);
            }
        }
        for id in gone {
            match self.sessions.get_mut(&id) {
                Some(held) => held.mark.fresh = false,
                None => self.changes.session_gone(id),
            }
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
        if let Some(voters) = &self.voters
            && !self.voters_taken
            && records.len() < limit
        {
            self.voters_taken = true;
            records.push(Record::Voters(voters.clone()));
        }
    }

    pub(crate) fn is_harvested(&self) -> bool {
        self.copied.is_empty()
            && self.next_node == self.nodes.len()
            && self.next_session == self.sessions.len()
            && self.last_gone_node.as_ref() == self.gone_nodes.last()
            && self.last_gone_session.as_ref() == self.gone_sessions.last()
            && self.formation_taken == self.formation.is_some()
            && self.voters_taken == self.voters.is_some()
    }
}

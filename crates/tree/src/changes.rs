//! Which nodes and sessions changed since the last checkpoint.
//!
//! Every node and session has a [`Mark`] that says in which round it last changed. A round ends
//! when its changes are handed over; what changes again while it still waits to be harvested is
//! copied first.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use zooid_ids::SessionId;

use crate::arena::NodeId;
use crate::checkpoint::Run;
use crate::record::Record;
use crate::session::{HeldSession, Session};
use crate::tree::Tree;

/// What a record takes beside its data or path, about.
const RECORD_BYTES: u64 = 128;

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
    pub(crate) round: Option<Round>,
    /// True if no checkpoint knows of it, not even by an older record or a tombstone to be.
    pub(crate) fresh: bool,
}

/// What the next run will hold, and what the current one still does.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) round: Round,
    /// What changed in this round, and perhaps is gone again.
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) sessions: Vec<SessionId>,
    /// What older runs have and the tree has no more.
    pub(crate) gone_nodes: BTreeSet<Box<str>>,
    pub(crate) gone_sessions: BTreeSet<SessionId>,
    pub(crate) formation: bool,
    pub(crate) voters: bool,
    /// About how large the records of the round will be.
    pub(crate) bytes: u64,
    /// Nodes of this round that are in the tree.
    pub(crate) live_nodes: usize,
    pub(crate) live_sessions: usize,
    pub(crate) run: Option<Run>,
}

impl Round {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }
}

impl Mark {
    pub(crate) fn is_of(self, round: Round) -> bool {
        self.round == Some(round)
    }

    /// True if it changed in the other round and is still to be harvested.
    pub(crate) fn waits(self, gathering: Round) -> bool {
        self.round == Some(gathering.other())
    }
}

impl Changes {
    /// The ensemble got its name.
    pub(crate) fn formation_changed(&mut self) {
        self.formation = true;
        self.bytes += RECORD_BYTES;
    }

    /// Others vote now.
    pub(crate) fn voters_changed(&mut self) {
        if !core::mem::replace(&mut self.voters, true) {
            self.bytes += RECORD_BYTES;
        }
    }

    /// The data of a node that changed in this round has another length now.
    pub(crate) fn resized(&mut self, before: u64, after: u64) {
        self.bytes = self.bytes - before + after;
    }

    fn count_node(&mut self, data_len: usize) {
        self.live_nodes += 1;
        self.bytes += RECORD_BYTES + data_len as u64;
    }

    pub(crate) fn node_gone(&mut self, path: &str) {
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

    /// The mark of a session that changed now.
    pub(crate) fn session_changed(&mut self, id: SessionId, fresh: bool) -> Mark {
        self.sessions.push(id);
        self.live_sessions += 1;
        self.bytes += RECORD_BYTES;
        Mark { round: Some(self.round), fresh }
    }

    pub(crate) fn session_gone(&mut self, id: SessionId) {
        if self.gone_sessions.insert(id) {
            self.bytes += RECORD_BYTES;
        }
    }

    /// True if the session was among what is gone.
    fn session_back(&mut self, id: SessionId) -> bool {
        let was_gone = self.gone_sessions.remove(&id);
        if was_gone {
            self.bytes -= RECORD_BYTES;
        }
        was_gone
    }

    fn copy(&mut self, record: Record) {
        self.run.as_mut().expect("only what was handed over waits").copied.push(record);
    }
}

/// Marks of nodes: to be set before a change.
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

    pub(crate) fn mark_in_round(&mut self, id: NodeId, fresh: bool) {
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

    pub(crate) fn record_of(&self, id: NodeId) -> Record {
        let node = self.nodes.get(id);
        Record::Znode {
            path: self.path_of(id).into(),
            data: node.shared_data(),
            acl: self.acls.get(node.acl).clone(),
            stat: node.persisted(),
        }
    }
}

/// Sessions, with their marks.
impl Tree {
    pub(crate) fn add_session(&mut self, id: SessionId, session: Session) {
        let fresh = !self.changes.session_back(id);
        let mark = self.changes.session_changed(id, fresh);
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
        held.mark = self.changes.session_changed(id, false);
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
        self.changes.session_gone(id);
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
            + usize::from(self.changes.formation)
            + usize::from(self.changes.voters);
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

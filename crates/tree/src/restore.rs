//! A tree from records.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use thiserror::Error;
use zooid_ids::{SessionId, Zxid};
use zooid_model::{Acl, path};

use crate::arena::NodeId;
use crate::changes::Mark;
use crate::node::PersistedStat;
use crate::record::Record;
use crate::session::{HeldSession, Session, is_usable};
use crate::tree::{SYSTEM_NODES, Tree};

/// Why records make no tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// No znode can have this path.
    #[error("{path:?} is not the path of a znode: {reason}")]
    NoPath {
        /// The path.
        path: Box<str>,
        /// The rule that it breaks.
        reason: path::PathError,
    },
    /// A znode came before its parent, or has none.
    #[error("znode {path} has no parent")]
    NoParent {
        /// The znode.
        path: Box<str>,
    },
    /// A znode is below an ephemeral one.
    #[error("znode {path} is below an ephemeral znode")]
    BelowEphemeral {
        /// The znode.
        path: Box<str>,
    },
    /// A znode came twice.
    #[error("znode {path} is there twice")]
    SameZnode {
        /// The znode.
        path: Box<str>,
    },
    /// One of the znodes that every tree has is missing.
    #[error("znode {path} is missing")]
    NoSystemZnode {
        /// The znode.
        path: &'static str,
    },
    /// An ephemeral znode of a session that is not there.
    #[error("znode {path} belongs to session {session}, which is not there")]
    NoSession {
        /// The znode.
        path: Box<str>,
        /// Its session.
        session: SessionId,
    },
    /// A session came twice.
    #[error("session {0} is there twice")]
    SameSession(SessionId),
    /// No session can have this id.
    #[error("{0} is not the id of a session")]
    NoSessionId(SessionId),
    /// Who votes was said twice.
    #[error("who votes is there twice")]
    SameVoters,
    /// The formation came twice.
    #[error("the formation is there twice")]
    SameFormation,
    /// Tombstones are for merging runs, which is done before.
    #[error("a record of something that is gone")]
    Tombstone,
}

impl Tree {
    /// The tree that the records were harvested from, all of its runs merged: each znode once and
    /// after its parent, which the order of paths as bytes grants; sessions, the formation
    /// and who votes anywhere. Whether nothing is missing is told by [`digest`](Self::digest) and
    /// [`counts`](Self::counts).
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn restore(
        zxid: Zxid,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Self, RestoreError> {
        let mut tree = Self::empty();
        tree.zxid = zxid;
        let mut ephemerals = Vec::new();
        for record in records {
            match record {
                Record::Znode { path, data, acl, stat } => {
                    let id = tree.restore_znode(&path, data.as_deref(), &acl, stat)?;
                    ephemerals.extend(tree.nodes.get(id).session().map(|session| (session, id)));
                }
                Record::Session { id, session } => tree.restore_session(id, session)?,
                Record::Formation(formation) => {
                    if tree.formation.replace(formation).is_some() {
                        return Err(RestoreError::SameFormation);
                    }
                }
                Record::Voters(voters) => {
                    if tree.voters.replace(voters).is_some() {
                        return Err(RestoreError::SameVoters);
                    }
                }
                Record::ZnodeGone { .. } | Record::SessionGone { .. } => {
                    return Err(RestoreError::Tombstone);
                }
            }
        }
        if let Some(path) = SYSTEM_NODES.into_iter().find(|path| tree.restored(path).is_none()) {
            return Err(RestoreError::NoSystemZnode { path });
        }
        tree.restore_ephemerals(ephemerals)?;
        tree.begin_quotas();
        tree.commit();
        Ok(tree)
    }

    /// The node with this path, also where there is not even a root yet.
    fn restored(&self, path: &str) -> Option<NodeId> {
        if self.nodes.len() == 0 { None } else { self.locate(path) }
    }

    fn restore_znode(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: &Arc<[Acl]>,
        stat: PersistedStat,
    ) -> Result<NodeId, RestoreError> {
        path::validate(path)
            .map_err(|reason| RestoreError::NoPath { path: path.into(), reason })?;
        let parent = match path::split(path) {
            None if self.nodes.len() > 0 => {
                return Err(RestoreError::SameZnode { path: path.into() });
            }
            None => NodeId::ROOT,
            Some((parent, name)) => self.restored_parent(path, parent, name)?,
        };
        let node = self.new_node(parent, path, data, acl, stat);
        let id = self.nodes.reserve();
        self.put_in(id, node, path);
        Ok(id)
    }

    fn restored_parent(
        &self,
        path: &str,
        parent: &str,
        name: &str,
    ) -> Result<NodeId, RestoreError> {
        let Some(parent) = self.restored(parent) else {
            return Err(RestoreError::NoParent { path: path.into() });
        };
        if self.nodes.get(parent).session().is_some() {
            return Err(RestoreError::BelowEphemeral { path: path.into() });
        }
        match self.child(parent, name) {
            Some(_) => Err(RestoreError::SameZnode { path: path.into() }),
            None => Ok(parent),
        }
    }

    fn restore_session(&mut self, id: SessionId, session: Session) -> Result<(), RestoreError> {
        if !is_usable(id) {
            return Err(RestoreError::NoSessionId(id));
        }
        let held = HeldSession { session, ephemerals: BTreeSet::new(), mark: Mark::default() };
        match self.sessions.insert(id, held) {
            Some(_) => Err(RestoreError::SameSession(id)),
            None => Ok(()),
        }
    }

    fn restore_ephemerals(
        &mut self,
        ephemerals: Vec<(SessionId, NodeId)>,
    ) -> Result<(), RestoreError> {
        for (session, id) in ephemerals {
            let Some(held) = self.sessions.get_mut(&session) else {
                let path = self.path_of(id).into();
                return Err(RestoreError::NoSession { path, session });
            };
            held.ephemerals.insert(id);
        }
        Ok(())
    }
}

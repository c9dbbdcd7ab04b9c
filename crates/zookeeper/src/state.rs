//! What ZooKeeper keeps: znodes and sessions at one zxid.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use zooid_ids::{Millis, SessionId, Zxid};
use zooid_model::{Acl, EphemeralOwner, Identity, Perms, path};
use zooid_tree::{PersistedStat, znode_digest};

/// The nodes that every ZooKeeper has since 3.5, with what a new one has in them.
const CONFIG: &str = "/zookeeper/config";
const SYSTEM_NODES: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", CONFIG];

/// A znode without its path. Its children are known by their own paths.
#[derive(Clone, Debug, PartialEq)]
pub struct Znode {
    /// Its data; `None` is not empty data.
    pub data: Option<Bytes>,
    /// Who may do what with it.
    pub acl: Arc<[Acl]>,
    /// The rest.
    pub stat: PersistedStat,
}

impl Znode {
    /// True if it goes with a session.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        matches!(self.stat.owner(), EphemeralOwner::Session(_))
    }
}

/// All znodes and sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Of the last transaction.
    pub zxid: Zxid,
    sessions: BTreeMap<SessionId, Millis>,
    znodes: BTreeMap<Box<str>, Znode>,
    /// The ephemeral znodes by their sessions.
    ephemerals: BTreeMap<SessionId, BTreeSet<Box<str>>>,
    digest: u64,
}

impl State {
    /// No session and no znode, not even the root.
    #[must_use]
    pub fn new(zxid: Zxid) -> Self {
        Self { zxid, ..Self::default() }
    }

    /// The sessions with their timeouts, by their ids.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = (SessionId, Millis)> {
        self.sessions.iter().map(|(id, timeout)| (*id, *timeout))
    }

    /// The znodes with their paths, in the order of these as bytes: parents first.
    pub fn znodes(&self) -> impl ExactSizeIterator<Item = (&str, &Znode)> {
        self.znodes.iter().map(|(path, znode)| (&**path, znode))
    }

    /// The znode with this path.
    #[must_use]
    pub fn znode(&self, path: &str) -> Option<&Znode> {
        self.znodes.get(path)
    }

    /// The digest of all znodes: ZooKeeper's, version 2.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// A session begins, or has another timeout.
    pub fn put_session(&mut self, id: SessionId, timeout: Millis) {
        self.sessions.insert(id, timeout);
    }

    pub(crate) fn remove_session(&mut self, id: SessionId) {
        self.sessions.remove(&id);
    }

    /// Puts a znode in its place, whatever was there.
    pub fn put(&mut self, path: &str, znode: Znode) {
        self.remove(path);
        self.digest = self.digest.wrapping_add(digest_of(path, &znode));
        if let EphemeralOwner::Session(session) = znode.stat.owner() {
            self.ephemerals.entry(session).or_default().insert(path.into());
        }
        self.znodes.insert(path.into(), znode);
    }

    /// Takes a znode away; its children are the caller's matter.
    pub(crate) fn remove(&mut self, path: &str) -> Option<Znode> {
        let znode = self.znodes.remove(path)?;
        self.digest = self.digest.wrapping_sub(digest_of(path, &znode));
        if let EphemeralOwner::Session(session) = znode.stat.owner()
            && let Some(paths) = self.ephemerals.get_mut(&session)
        {
            paths.remove(path);
            if paths.is_empty() {
                self.ephemerals.remove(&session);
            }
        }
        Some(znode)
    }

    /// Changes data, ACL or the numbers of a znode, not its owner; `false` if there is none.
    pub(crate) fn edit(&mut self, path: &str, change: impl FnOnce(&mut Znode)) -> bool {
        let Some(znode) = self.znodes.get_mut(path) else { return false };
        self.digest = self.digest.wrapping_sub(digest_of(path, znode));
        change(znode);
        self.digest = self.digest.wrapping_add(digest_of(path, znode));
        true
    }

    /// The ephemeral znodes of a session.
    pub(crate) fn ephemerals(&self, session: SessionId) -> Vec<Box<str>> {
        self.ephemerals.get(&session).into_iter().flatten().cloned().collect()
    }

    /// The owners of ephemeral znodes that are no sessions.
    pub(crate) fn dead_sessions(&self) -> Vec<SessionId> {
        let owners = self.ephemerals.keys();
        owners.filter(|owner| !self.sessions.contains_key(owner)).copied().collect()
    }

    /// Adds those of the nodes that every ZooKeeper has which an old one had not.
    pub fn add_system_nodes(&mut self) {
        for path in SYSTEM_NODES {
            if self.znode(path).is_none() {
                let (perms, aversion) =
                    if path == CONFIG { (Perms::READ, -1) } else { (Perms::ALL, 0) };
                let acl = Arc::from([Acl { perms, id: Identity::anyone() }]);
                let stat = PersistedStat { aversion, ..PersistedStat::default() };
                self.put(path, Znode { data: Some(Bytes::new()), acl, stat });
            }
        }
    }

    /// The first znode whose parent is not there.
    #[must_use]
    pub fn orphan(&self) -> Option<&str> {
        let mut paths = self.znodes.keys();
        paths.find(|path| path::parent(path).is_some_and(|p| self.znode(p).is_none())).map(|p| &**p)
    }
}

fn digest_of(path: &str, znode: &Znode) -> u64 {
    znode_digest(path, znode.data.as_deref(), &znode.stat)
}

//! The whole state, and where commands come in.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{ClusterId, SessionId, Zxid};
use zooid_model::{Acl, Change, ChangeKind, Command, Identity, Perms, Write, path};

use crate::acls::Acls;
use crate::arena::{Arena, NodeId};
use crate::changes::Changes;
use crate::checkpoint::Counts;
use crate::collect::Due;
use crate::edit::Undo;
use crate::node::{Content, Node, PersistedStat};
use crate::outcome::{Applied, Outcome, Stamp};
use crate::quota::Usage;
use crate::session;
use crate::session::{Formation, HeldSession};
use crate::write::{Caller, Report};

/// The node whose data is the ensemble's configuration.
const CONFIG: &str = "/zookeeper/config";
/// The nodes that cannot be deleted, parents first.
pub(crate) const SYSTEM_NODES: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", CONFIG];

/// The replicated state at one zxid.
///
/// Two trees that were told the same commands hold the same; a tree that was restored from records
/// holds what the one did that they were harvested from.
pub struct Tree {
    pub(crate) zxid: Zxid,
    pub(crate) nodes: Arena,
    pub(crate) acls: Acls,
    pub(crate) sessions: BTreeMap<SessionId, HeldSession>,
    pub(crate) formation: Option<Formation>,
    /// As the agreement wrote it down.
    pub(crate) voters: Option<Bytes>,
    /// What is used of each quota, by the node that holds its limits.
    pub(crate) quotas: BTreeMap<NodeId, Usage>,
    /// The childless containers and TTL nodes.
    pub(crate) due: BTreeSet<(Due, NodeId)>,
    pub(crate) digest: u64,
    /// Of all paths in UTF-16 and all data.
    pub(crate) data_size: u64,
    pub(crate) ephemerals: usize,
    pub(crate) changes: Changes,
    /// The way back from the operations of the command that is being applied.
    pub(crate) undo: Vec<Undo>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// What every ensemble begins with: the root, `/zookeeper`, `/zookeeper/quota` and
    /// `/zookeeper/config`, at zxid 0.
    #[must_use]
    pub fn new() -> Self {
        let mut tree = Self::empty();
        for path in SYSTEM_NODES {
            let (acl, aversion) = match path {
                CONFIG => (Acl { perms: Perms::READ, id: Identity::anyone() }, -1),
                _ => (Acl { perms: Perms::ALL, id: Identity::anyone() }, 0),
            };
            let stat = PersistedStat { aversion, ..PersistedStat::default() };
            tree.plant(path, &[acl], stat);
        }
        tree.commit();
        tree
    }

    /// No node at all, not even a root.
    pub(crate) fn empty() -> Self {
        Self {
            zxid: Zxid::ZERO,
            nodes: Arena::default(),
            acls: Acls::default(),
            sessions: BTreeMap::new(),
            formation: None,
            voters: None,
            quotas: BTreeMap::new(),
            due: BTreeSet::new(),
            digest: 0,
            data_size: 0,
            ephemerals: 0,
            changes: Changes::default(),
            undo: Vec::new(),
        }
    }

    fn plant(&mut self, path: &str, acl: &[Acl], stat: PersistedStat) {
        let parent = match path::parent(path) {
            Some(parent) => self.locate(parent).expect("parents first"),
            None => NodeId::ROOT,
        };
        let node = self.new_node(parent, path, Some(&[]), acl, stat);
        self.insert(node, path);
    }

    /// A node that is in no tree yet; it holds a use of its ACL.
    pub(crate) fn new_node(
        &mut self,
        parent: NodeId,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        stat: PersistedStat,
    ) -> Node {
        let name = path::split(path).map_or("", |(_, name)| name);
        Node::new(parent, name, self.acls.intern(acl), Content::new(path, data), stat)
    }

    /// Applies a command: what comes of it is decided here, on every server alike.
    ///
    /// Any command is taken, however wrong; what it should not do it does not.
    ///
    /// # Panics
    /// If `stamp.zxid` is not greater than [`zxid`](Self::zxid): then this server's order is not
    /// that of the others.
    pub fn apply(&mut self, stamp: Stamp, command: &Command) -> Applied {
        self.advance(stamp.zxid);
        let applied = match command {
            Command::Form { cluster, secret } => self.form(*cluster, *secret),
            Command::Configure { servers } => self.configure(stamp, servers),
            Command::CreateSession { session, owner, timeout } => {
                self.create_session(*session, session::Session::new(*owner, *timeout))
            }
            Command::Attach { session, owner, seen, timeout } => {
                self.attach(*session, *seen, session::Session::new(*owner, *timeout))
            }
            Command::CloseSession { session, by } => self.close_session(stamp, *session, *by),
            Command::Write(write) => self.apply_write(stamp, write),
            Command::Collect { path, czxid, mzxid, pzxid } => {
                self.collect(stamp, path, [*czxid, *mzxid, *pzxid])
            }
        };
        self.commit();
        applied
    }

    fn form(&mut self, cluster: ClusterId, secret: [u8; 32]) -> Applied {
        if self.formation.is_some() {
            return Applied::nothing(Outcome::AlreadyFormed);
        }
        self.formation = Some(Formation { cluster, secret });
        self.changes.formation_changed();
        Applied::nothing(Outcome::Formed)
    }

    fn apply_write(&mut self, stamp: Stamp, write: &Write) -> Applied {
        if let Err(refused) = self.take_turn(write.turn) {
            return Applied::nothing(refused);
        }
        let caller = Caller {
            stamp,
            session: write.turn.session,
            identities: &write.identities,
            grants: write.grants,
        };
        let mut report = Report::default();
        let result = self.write(&caller, &write.op, &mut report);
        report.into_applied(Outcome::Decided(result))
    }

    /// Moves on to a zxid that no command has: the start of an epoch.
    ///
    /// # Panics
    /// If `zxid` is not greater than [`zxid`](Self::zxid).
    pub fn advance(&mut self, zxid: Zxid) {
        assert!(zxid > self.zxid, "zxid {zxid} does not come after {}", self.zxid);
        self.zxid = zxid;
    }

    /// The entry with this zxid says who votes from here on, in words that only the agreement knows.
    ///
    /// # Panics
    /// If `zxid` is not greater than [`zxid`](Self::zxid).
    pub fn set_voters(&mut self, zxid: Zxid, voters: Bytes) {
        self.advance(zxid);
        self.voters = Some(voters);
        self.changes.voters_changed();
    }

    /// Who votes, as it was last said; `None` before the first epoch.
    #[must_use]
    pub fn voters(&self) -> Option<&Bytes> {
        self.voters.as_ref()
    }

    /// What `/zookeeper/config` shows; `None` until it was configured.
    #[must_use]
    pub fn config(&self) -> Option<&[u8]> {
        let id = self.locate(CONFIG).expect("the system nodes are never deleted");
        self.nodes.get(id).data()
    }

    /// Sets the data of `/zookeeper/config`, which no client may. The same data changes nothing.
    fn configure(&mut self, stamp: Stamp, servers: &[u8]) -> Applied {
        let mut applied = Applied::nothing(Outcome::Configured);
        if self.config() != Some(servers) {
            let id = self.locate(CONFIG).expect("the system nodes are never deleted");
            let node = self.nodes.get(id);
            let (mzxid, mtime) = (stamp.zxid, stamp.time);
            let stat = PersistedStat { version: -1, mzxid, mtime, ..node.persisted() };
            let acl = self.acls.get(node.acl).clone();
            self.set_data_of(id, CONFIG, Some(servers));
            self.set_stat_of(id, stat);
            let (kind, path) = (ChangeKind::DataChanged, CONFIG.into());
            applied.changes.push(Change { kind, path, acl });
        }
        applied
    }

    /// The zxid of the last command or epoch start.
    #[must_use]
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// The digest of all znodes: ZooKeeper's, version 2.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// What the tree holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { znodes: self.nodes.len() as u64, sessions: self.sessions.len() as u64 }
    }

    /// The number of znodes as ZooKeeper reports it, which counts the root twice.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len() + 1
    }

    /// The number of ephemeral znodes.
    #[must_use]
    pub fn ephemerals_count(&self) -> usize {
        self.ephemerals
    }

    /// Characters of all paths and bytes of all data, as ZooKeeper reports it.
    #[must_use]
    pub fn approximate_data_size(&self) -> u64 {
        self.data_size
    }

    /// The ensemble's name and secret, once it is formed.
    #[must_use]
    pub fn formation(&self) -> Option<&Formation> {
        self.formation.as_ref()
    }
}

//! What changed, and what those who watch are told of it.

use alloc::sync::Arc;

use zooid_ids::Zxid;

use crate::Acl;

/// One change of the tree by one transaction, as `tree::apply` reports it, in the order in which
/// ZooKeeper triggers watches: first the node itself, then its parent's list of children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// To which node.
    pub path: Arc<str>,
    /// That node's ACL at the transaction (of a deleted node: before it), since who may not read
    /// a node is not told of it (CVE-2024-23944).
    pub acl: Arc<[Acl]>,
}

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It came to be.
    Created,
    /// It is gone.
    Deleted,
    /// Its data was set.
    DataChanged,
    /// A child came or went.
    ChildrenChanged,
}

impl ChangeKind {
    /// The event that tells of it.
    #[must_use]
    pub const fn event(self) -> EventKind {
        match self {
            Self::Created => EventKind::NodeCreated,
            Self::Deleted => EventKind::NodeDeleted,
            Self::DataChanged => EventKind::NodeDataChanged,
            Self::ChildrenChanged => EventKind::NodeChildrenChanged,
        }
    }
}

/// The type of a watch event, with ZooKeeper's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are ZooKeeper's and say it all")]
pub enum EventKind {
    NodeCreated = 1,
    NodeDeleted = 2,
    NodeDataChanged = 3,
    NodeChildrenChanged = 4,
    DataWatchRemoved = 5,
    ChildWatchRemoved = 6,
    PersistentWatchRemoved = 7,
}

/// What a client that watches is told. Its state is always `SyncConnected` (3) on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// What happened.
    pub kind: EventKind,
    /// To which node.
    pub path: Arc<str>,
    /// The transaction that did it, for the reply header; `None` (-1 on the wire) where no
    /// transaction did, as when a watch is removed.
    pub zxid: Option<Zxid>,
}

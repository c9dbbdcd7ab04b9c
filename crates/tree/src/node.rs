//! One znode as it is kept in memory.

use alloc::boxed::Box;

use bytes::Bytes;
use hashbrown::HashTable;
use zooid_ids::{Millis, SessionId, Zxid};
use zooid_model::{EphemeralOwner, Stat};

use crate::acls::AclId;
use crate::arena::NodeId;
use crate::checkpoint::Mark;
use crate::hash::hash;
use crate::name::Name;

/// What is kept of a znode beside name, data and ACL; a client is told a [`Stat`] made from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PersistedStat {
    /// The transaction that created it.
    pub czxid: Zxid,
    /// The transaction that last set its data.
    pub mzxid: Zxid,
    /// The transaction that last changed its children.
    pub pzxid: Zxid,
    /// When it was created.
    pub ctime: Millis,
    /// When its data was last set.
    pub mtime: Millis,
    /// Changes of its data.
    pub version: i32,
    /// Children ever created, wrapping: the number that the next sequential child gets.
    /// ZooKeeper keeps it as `cversion`.
    pub creates: i32,
    /// Changes of its ACL.
    pub aversion: i32,
    /// Session, container mark or time to live: [`EphemeralOwner`].
    pub ephemeral_owner: i64,
}

impl PersistedStat {
    /// That of a node which is created now.
    pub(crate) fn new(zxid: Zxid, time: Millis, owner: EphemeralOwner) -> Self {
        Self {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ephemeral_owner: owner.to_wire(),
            ..Self::default()
        }
    }

    /// What kind of node it is.
    #[must_use]
    pub fn owner(&self) -> EphemeralOwner {
        EphemeralOwner::from_wire(self.ephemeral_owner)
    }

    /// The session that an ephemeral node belongs to.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self.owner() {
            EphemeralOwner::Session(session) => Some(session),
            _ => None,
        }
    }
}

/// The children of a node, found by name through the arena.
pub(crate) type Children = HashTable<Child>;

/// A child, with the hash of its name, so that a growing table need not ask every node for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    pub(crate) id: NodeId,
    name: NameHash,
}

/// 32 bits of the hash of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameHash(u32);

impl NameHash {
    pub(crate) fn new(name: &str) -> Self {
        Self((hash(name.as_bytes()) >> 32) as u32)
    }

    /// Spread over the 64 bits that a table looks at.
    pub(crate) fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Child {
    pub(crate) fn new(id: NodeId, name: &str) -> Self {
        Self { id, name: NameHash::new(name) }
    }

    /// What the table finds it by.
    pub(crate) fn hash(&self) -> u64 {
        self.name.spread()
    }

    /// False if it certainly has another name.
    pub(crate) fn may_be(&self, name: NameHash) -> bool {
        self.name == name
    }
}

/// A znode. Kept small: there are millions of them.
pub(crate) struct Node {
    pub(crate) name: Name,
    /// The root is its own.
    pub(crate) parent: NodeId,
    pub(crate) acl: AclId,
    /// `None` where there are none.
    pub(crate) children: Option<Box<Children>>,
    pub(crate) data: Option<Bytes>,
    pub(crate) stat: PersistedStat,
    /// Of path and data; `None` where the digest does not count the node.
    pub(crate) checksum: Option<u32>,
    /// Where it stands towards the checkpoints.
    pub(crate) mark: Mark,
}

const _: () = assert!(size_of::<Option<Node>>() <= 152);

impl Node {
    pub(crate) fn child_count(&self) -> usize {
        self.children.as_ref().map_or(0, |children| children.len())
    }

    pub(crate) fn data_len(&self) -> usize {
        self.data.as_ref().map_or(0, Bytes::len)
    }

    /// What a client is told: its `cversion` counts creates and deletes, and it sees an owner only
    /// of ephemeral nodes.
    pub(crate) fn stat(&self) -> Stat {
        let children = self.child_count() as i32;
        let kept = &self.stat;
        Stat {
            czxid: kept.czxid,
            mzxid: kept.mzxid,
            ctime: kept.ctime,
            mtime: kept.mtime,
            version: kept.version,
            cversion: kept.creates.wrapping_mul(2).wrapping_sub(children),
            aversion: kept.aversion,
            ephemeral_owner: kept.session().map_or(0, |session| session.0),
            data_length: self.data_len() as i32,
            num_children: children,
            pzxid: kept.pzxid,
        }
    }
}

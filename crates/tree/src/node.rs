//! One znode as it is kept in memory.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;
use hashbrown::HashTable;
use zooid_ids::{Millis, SessionId, Zxid};
use zooid_model::{EphemeralOwner, Stat};

use crate::acls::AclId;
use crate::arena::NodeId;
use crate::changes::Mark;
use crate::digest;
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
}

/// What only a node has that had children: most have none and pay 8 bytes for that.
#[derive(Default)]
struct Family {
    children: Children,
    creates: i32,
    pzxid: Zxid,
}

/// A znode. Kept small: there are millions of them.
pub(crate) struct Node {
    pub(crate) name: Name,
    /// The root is its own.
    pub(crate) parent: NodeId,
    pub(crate) acl: AclId,
    /// Where it stands towards the checkpoints.
    pub(crate) mark: Mark,
    counted: bool,
    checksum: u32,
    /// `None` where it never had a child: no `creates`, and `pzxid` is `czxid`.
    family: Option<Box<Family>>,
    data: Option<Arc<[u8]>>,
    czxid: Zxid,
    mzxid: Zxid,
    ctime: Millis,
    mtime: Millis,
    version: i32,
    aversion: i32,
    ephemeral_owner: i64,
}

const _: () = assert!(size_of::<Option<Node>>() == 112);

impl Node {
    pub(crate) fn new(
        parent: NodeId,
        name: &str,
        acl: AclId,
        content: Content,
        stat: PersistedStat,
    ) -> Self {
        let mut node = Self {
            name: Name::new(name),
            parent,
            acl,
            mark: Mark::default(),
            counted: false,
            checksum: 0,
            family: None,
            data: None,
            czxid: Zxid::ZERO,
            mzxid: Zxid::ZERO,
            ctime: Millis(0),
            mtime: Millis(0),
            version: 0,
            aversion: 0,
            ephemeral_owner: 0,
        };
        node.set_content(content);
        node.set_persisted(stat);
        node
    }

    /// Data and checksum.
    pub(crate) fn content(&self) -> Content {
        Content { data: self.data.clone(), checksum: self.checksum() }
    }

    pub(crate) fn set_content(&mut self, content: Content) {
        self.data = content.data;
        self.counted = content.checksum.is_some();
        self.checksum = content.checksum.unwrap_or_default();
    }

    /// Of path and data; `None` where the digest does not count the node.
    pub(crate) fn checksum(&self) -> Option<u32> {
        self.counted.then_some(self.checksum)
    }

    pub(crate) fn data(&self) -> Option<&[u8]> {
        self.data.as_deref()
    }

    /// The data, to keep: it is shared, not copied.
    pub(crate) fn shared_data(&self) -> Option<Bytes> {
        self.data.as_ref().map(|data| match data.len() {
            0 => Bytes::new(),
            _ => Bytes::from_owner(data.clone()),
        })
    }

    pub(crate) fn data_len(&self) -> usize {
        self.data.as_ref().map_or(0, |data| data.len())
    }

    pub(crate) fn child_count(&self) -> usize {
        self.family.as_ref().map_or(0, |family| family.children.len())
    }

    pub(crate) fn children(&self) -> impl Iterator<Item = Child> {
        self.family.iter().flat_map(|family| family.children.iter()).copied()
    }

    /// The child with such a name that `is_it`.
    pub(crate) fn find_child(
        &self,
        name: NameHash,
        is_it: impl Fn(NodeId) -> bool,
    ) -> Option<NodeId> {
        let children = &self.family.as_ref()?.children;
        let same = |child: &Child| child.name == name && is_it(child.id);
        children.find(name.spread(), same).map(|child| child.id)
    }

    pub(crate) fn edit_children(&mut self, change: impl FnOnce(&mut Children)) {
        let new = || Box::new(Family { pzxid: self.czxid, ..Family::default() });
        let family = self.family.get_or_insert_with(new);
        change(&mut family.children);
        if family.children.is_empty() {
            family.children = Children::new();
        }
        self.drop_empty_family();
    }

    fn drop_empty_family(&mut self) {
        self.family.take_if(|family| {
            family.children.is_empty() && family.creates == 0 && family.pzxid == self.czxid
        });
    }

    pub(crate) fn owner(&self) -> EphemeralOwner {
        EphemeralOwner::from_wire(self.ephemeral_owner)
    }

    /// The session that an ephemeral node belongs to.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self.owner() {
            EphemeralOwner::Session(session) => Some(session),
            _ => None,
        }
    }

    pub(crate) fn persisted(&self) -> PersistedStat {
        PersistedStat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            pzxid: self.family.as_ref().map_or(self.czxid, |family| family.pzxid),
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            creates: self.family.as_ref().map_or(0, |family| family.creates),
            aversion: self.aversion,
            ephemeral_owner: self.ephemeral_owner,
        }
    }

    pub(crate) fn set_persisted(&mut self, stat: PersistedStat) {
        self.czxid = stat.czxid;
        self.mzxid = stat.mzxid;
        self.ctime = stat.ctime;
        self.mtime = stat.mtime;
        self.version = stat.version;
        self.aversion = stat.aversion;
        self.ephemeral_owner = stat.ephemeral_owner;
        if self.family.is_some() || stat.creates != 0 || stat.pzxid != stat.czxid {
            let family = self.family.get_or_insert_default();
            family.creates = stat.creates;
            family.pzxid = stat.pzxid;
        }
        self.drop_empty_family();
    }

    /// What a client is told: its `cversion` counts creates and deletes, and it sees an owner only
    /// of ephemeral nodes.
    pub(crate) fn stat(&self) -> Stat {
        let children = self.child_count() as i32;
        let kept = self.persisted();
        Stat {
            czxid: kept.czxid,
            mzxid: kept.mzxid,
            ctime: kept.ctime,
            mtime: kept.mtime,
            version: kept.version,
            cversion: kept.creates.wrapping_mul(2).wrapping_sub(children),
            aversion: kept.aversion,
            ephemeral_owner: self.session().map_or(0, |session| session.0),
            data_length: self.data_len() as i32,
            num_children: children,
            pzxid: kept.pzxid,
        }
    }
}

/// What a node holds: its data, and the checksum of path and data.
pub(crate) struct Content {
    data: Option<Arc<[u8]>>,
    checksum: Option<u32>,
}

impl Content {
    /// A copy of the data, in an allocation of its own and of its size.
    pub(crate) fn new(path: &str, data: Option<&[u8]>) -> Self {
        let checksum = digest::of_path_and_data(path, data);
        let data = data.map(|data| if data.is_empty() { Arc::default() } else { data.into() });
        Self { data, checksum }
    }
}

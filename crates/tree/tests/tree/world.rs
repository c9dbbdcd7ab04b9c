//! A tree with clients that take their turns, for tests.

use zooid_ids::{BootNonce, ClusterId, ConnectionId, Millis, ServerId, SessionId, Zxid};
use zooid_model::{
    Acl, Command, Create, CreateKind, CreateMode, ErrorCode, Grants, Identity, Origin, Owner,
    Perms, Read, Reply, Turn, Write, WriteOp,
};
use zooid_tree::{Applied, Outcome, Record, Stamp, Tree};

/// A session id that no other number looks like.
pub(crate) const fn session(n: i64) -> SessionId {
    SessionId(0x0100_0000_0000_0000 + n)
}

/// A connection.
pub(crate) const fn owner(n: u64) -> Owner {
    Owner { server: ServerId(1), boot: BootNonce(7), connection: ConnectionId(n) }
}

pub(crate) struct World {
    pub(crate) tree: Tree,
    pub(crate) zxid: Zxid,
    pub(crate) now: Millis,
    pub(crate) grants: Grants,
    pub(crate) identities: Vec<Identity>,
}

impl World {
    /// A formed ensemble, and one client with session 1 and connection 1.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            tree: Tree::new(),
            zxid: Zxid(0x1_0000_0000),
            now: Millis(1_000_000),
            grants: Grants::default(),
            identities: vec![Identity::new("ip", "127.0.0.1")],
        };
        world.tree.advance(world.zxid);
        world.apply(&Command::Form { cluster: ClusterId(5), secret: [9; 32] });
        world.open(1);
        world
    }

    /// A new session with a connection of the same number.
    pub(crate) fn open(&mut self, n: i64) -> Outcome {
        let (session, owner) = (session(n), owner(n as u64));
        self.apply(&Command::CreateSession { session, owner, timeout: Millis(30_000) }).outcome
    }

    pub(crate) fn apply(&mut self, command: &Command) -> Applied {
        self.zxid = Zxid(self.zxid.0 + 1);
        self.now = Millis(self.now.0 + 10);
        let applied = self.tree.apply(Stamp { zxid: self.zxid, time: self.now }, command);
        self.tree.check_invariants();
        applied
    }

    /// The next command of a session.
    pub(crate) fn write(&mut self, n: i64, op: WriteOp) -> Applied {
        let held = self.tree.session(session(n)).expect("the test opened the session");
        let turn = Turn { session: session(n), owner: held.owner, sequence: held.sequence + 1 };
        let (identities, grants) = (self.identities.clone(), self.grants);
        self.apply(&Command::Write(Write { turn, identities, grants, op }))
    }

    /// What a write of session 1 comes to.
    pub(crate) fn decide(&mut self, op: WriteOp) -> Result<Reply, ErrorCode> {
        match self.write(1, op).outcome {
            Outcome::Decided(result) => result,
            other => panic!("not decided: {other:?}"),
        }
    }

    pub(crate) fn read(&self, read: &Read) -> Result<Reply, ErrorCode> {
        self.tree.read(read, session(1), &self.identities)
    }

    pub(crate) fn close(&mut self, n: i64) -> Applied {
        self.apply(&Command::CloseSession { session: session(n), by: Origin::Expiry })
    }
}

pub(crate) fn create(path: &str) -> WriteOp {
    create_as(path, CreateMode::Persistent)
}

/// A create of this mode with the operation that clients send for it.
pub(crate) fn create_as(path: &str, mode: CreateMode) -> WriteOp {
    let kind = match mode {
        CreateMode::Container => CreateKind::Container,
        _ if mode.ttl().is_some() => CreateKind::Ttl,
        _ => CreateKind::Create,
    };
    WriteOp::Create(Create {
        path: path.into(),
        data: Some(b"d".as_slice().into()),
        acl: Acl::open(),
        mode,
        kind,
    })
}

pub(crate) fn create_with(path: &str, data: &[u8], acl: &[Acl]) -> WriteOp {
    WriteOp::Create(Create {
        path: path.into(),
        data: Some(data.to_vec().into()),
        acl: acl.to_vec(),
        mode: CreateMode::Persistent,
        kind: CreateKind::Create2,
    })
}

pub(crate) fn delete(path: &str, version: i32) -> WriteOp {
    WriteOp::Delete { path: path.into(), version }
}

pub(crate) fn set(path: &str, data: &[u8], version: i32) -> WriteOp {
    WriteOp::SetData { path: path.into(), data: Some(data.to_vec().into()), version }
}

pub(crate) fn check(path: &str, version: i32) -> WriteOp {
    WriteOp::Check { path: path.into(), version }
}

pub(crate) fn set_acl(path: &str, acl: &[Acl], version: i32) -> WriteOp {
    WriteOp::SetAcl { path: path.into(), acl: acl.to_vec(), version }
}

pub(crate) fn acl(perms: Perms, scheme: &str, id: &str) -> Acl {
    Acl { perms, id: Identity::new(scheme, id) }
}

/// The records by what they are about, tombstones taking away: what merging runs makes of them.
pub(crate) fn merge(
    merged: &mut std::collections::BTreeMap<String, Record>,
    records: impl IntoIterator<Item = Record>,
) {
    for record in records {
        match record {
            Record::ZnodeGone { path } => {
                merged.remove(&format!("z{path}"));
            }
            Record::SessionGone { id } => {
                merged.remove(&format!("s{id}"));
            }
            Record::Znode { ref path, .. } => {
                merged.insert(format!("z{path}"), record);
            }
            Record::Session { id, .. } => {
                merged.insert(format!("s{id}"), record);
            }
            Record::Formation(_) => {
                merged.insert("f".into(), record);
            }
            Record::Voters(_) => {
                merged.insert("v".into(), record);
            }
        }
    }
}

//! The numbers of the operations, as ZooKeeper's `ZooDefs.OpCode` has them.

use zooid_model::{Create, CreateKind, Read, Request, WriteOp};

/// A watch event; never sent by a client.
pub const NOTIFICATION: i32 = 0;
/// `create`.
pub const CREATE: i32 = 1;
/// `delete`.
pub const DELETE: i32 = 2;
/// `exists`.
pub const EXISTS: i32 = 3;
/// `getData`.
pub const GET_DATA: i32 = 4;
/// `setData`.
pub const SET_DATA: i32 = 5;
/// `getACL`.
pub const GET_ACL: i32 = 6;
/// `setACL`.
pub const SET_ACL: i32 = 7;
/// `getChildren`.
pub const GET_CHILDREN: i32 = 8;
/// `sync`.
pub const SYNC: i32 = 9;
/// `ping`.
pub const PING: i32 = 11;
/// `getChildren2`: children and stat.
pub const GET_CHILDREN2: i32 = 12;
/// `check`: only within a multi.
pub const CHECK: i32 = 13;
/// `multi`: writes, all or nothing.
pub const MULTI: i32 = 14;
/// `create2`: answered with the stat.
pub const CREATE2: i32 = 15;
/// `reconfig`.
pub const RECONFIG: i32 = 16;
/// `checkWatches`.
pub const CHECK_WATCHES: i32 = 17;
/// `removeWatches`.
pub const REMOVE_WATCHES: i32 = 18;
/// `createContainer`.
pub const CREATE_CONTAINER: i32 = 19;
/// `deleteContainer`: the server's own.
pub const DELETE_CONTAINER: i32 = 20;
/// `createTTL`.
pub const CREATE_TTL: i32 = 21;
/// `multiRead`.
pub const MULTI_READ: i32 = 22;
/// `addAuthInfo`.
pub const AUTH: i32 = 100;
/// `setWatches`: the three one-shot kinds.
pub const SET_WATCHES: i32 = 101;
/// A step of a SASL exchange.
pub const SASL: i32 = 102;
/// `getEphemerals`.
pub const GET_EPHEMERALS: i32 = 103;
/// `getAllChildrenNumber`.
pub const GET_ALL_CHILDREN_NUMBER: i32 = 104;
/// `setWatches2`: all five kinds.
pub const SET_WATCHES2: i32 = 105;
/// `addWatch`.
pub const ADD_WATCH: i32 = 106;
/// `whoAmI`.
pub const WHO_AM_I: i32 = 107;
/// The server's own, for the log.
pub const CREATE_SESSION: i32 = -10;
/// `closeSession`.
pub const CLOSE_SESSION: i32 = -11;
/// In a multi's answer: an operation that failed. Never sent by a client.
pub const ERROR: i32 = -1;

/// The number that a request has on the wire. A `setWatches` has its newer number only if it
/// carries lists that the older one has no room for, as in ZooKeeper's client.
#[must_use]
pub fn of(request: &Request) -> i32 {
    match request {
        Request::Write(op) => of_write(op),
        Request::Read(read) => of_read(read),
        Request::Sync { .. } => SYNC,
        Request::Ping => PING,
        Request::Auth { .. } => AUTH,
        Request::SetWatches(watches)
            if watches.persistent.is_empty() && watches.persistent_recursive.is_empty() =>
        {
            SET_WATCHES
        }
        Request::SetWatches(_) => SET_WATCHES2,
        Request::AddWatch { .. } => ADD_WATCH,
        Request::CheckWatches { .. } => CHECK_WATCHES,
        Request::RemoveWatches { .. } => REMOVE_WATCHES,
        Request::WhoAmI => WHO_AM_I,
        Request::CloseSession => CLOSE_SESSION,
        Request::Unknown { opcode } | Request::Malformed { opcode } => *opcode,
    }
}

pub(crate) fn of_write(op: &WriteOp) -> i32 {
    match op {
        WriteOp::Create(Create { kind, .. }) => of_create(*kind),
        WriteOp::Delete { .. } => DELETE,
        WriteOp::SetData { .. } => SET_DATA,
        WriteOp::SetAcl { .. } => SET_ACL,
        WriteOp::Check { .. } => CHECK,
        WriteOp::Multi(_) => MULTI,
    }
}

pub(crate) fn of_read(read: &Read) -> i32 {
    match read {
        Read::Exists { .. } => EXISTS,
        Read::GetData { .. } => GET_DATA,
        Read::GetAcl { .. } => GET_ACL,
        Read::GetChildren { .. } => GET_CHILDREN,
        Read::GetChildren2 { .. } => GET_CHILDREN2,
        Read::GetEphemerals { .. } => GET_EPHEMERALS,
        Read::GetAllChildrenNumber { .. } => GET_ALL_CHILDREN_NUMBER,
        Read::MultiRead(_) => MULTI_READ,
    }
}

const fn of_create(kind: CreateKind) -> i32 {
    match kind {
        CreateKind::Create => CREATE,
        CreateKind::Create2 => CREATE2,
        CreateKind::Container => CREATE_CONTAINER,
        CreateKind::Ttl => CREATE_TTL,
    }
}

/// The kind of create with this number.
pub(crate) const fn create_kind(opcode: i32) -> Option<CreateKind> {
    match opcode {
        CREATE => Some(CreateKind::Create),
        CREATE2 => Some(CreateKind::Create2),
        CREATE_CONTAINER => Some(CreateKind::Container),
        CREATE_TTL => Some(CreateKind::Ttl),
        _ => None,
    }
}

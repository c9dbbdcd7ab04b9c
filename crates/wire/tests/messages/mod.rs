//! Any message there can be, for property tests.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use zooid_ids::{Millis, SessionId, Zxid};
use zooid_model::{
    Acl, AddWatchMode, ConnectReply, ConnectRequest, Create, CreateKind, CreateMode, ErrorCode,
    EventKind, Identity, Names, OpResult, Password, Perms, Read, ReadResult, Reply, Request,
    SetWatches, Stat, WatchEvent, WatchKind, WriteOp,
};
use zooid_wire::opcode;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "/[a-z]{0,9}(/[a-z0-9-]{1,9}){0,2}", 1 => "\\PC{0,9}", 1 => Just(String::new())]
}

fn data() -> impl Strategy<Value = Option<Bytes>> {
    option::of(vec(any::<u8>(), 0..40).prop_map(Bytes::from))
}

fn identity() -> impl Strategy<Value = Identity> {
    (text(), text()).prop_map(|(scheme, id)| Identity::new(&scheme, &id))
}

fn acl() -> impl Strategy<Value = Vec<Acl>> {
    vec((any::<i32>(), identity()), 0..4).prop_map(|entries| {
        let entry = |(bits, id)| Acl { perms: Perms::from_bits(bits), id };
        entries.into_iter().map(entry).collect()
    })
}

fn zxid() -> impl Strategy<Value = Zxid> {
    (0..=i64::MAX as u64).prop_map(Zxid)
}

fn stat() -> impl Strategy<Value = Stat> {
    (
        [zxid(), zxid(), zxid()],
        [any::<i64>(), any::<i64>(), any::<i64>()],
        [any::<i32>(), any::<i32>(), any::<i32>(), any::<i32>(), any::<i32>()],
    )
        .prop_map(|(zxids, longs, ints)| Stat {
            czxid: zxids[0],
            mzxid: zxids[1],
            pzxid: zxids[2],
            ctime: Millis(longs[0]),
            mtime: Millis(longs[1]),
            ephemeral_owner: longs[2],
            version: ints[0],
            cversion: ints[1],
            aversion: ints[2],
            data_length: ints[3],
            num_children: ints[4],
        })
}

/// The modes that a create of this kind can have after it was read.
fn mode(kind: CreateKind) -> impl Strategy<Value = CreateMode> {
    let flags = prop_oneof![4 => 0..7, 1 => any::<i32>()];
    (flags, any::<i64>()).prop_map(move |(flags, ttl)| match (kind, flags) {
        (CreateKind::Ttl, 5 | 6) => CreateMode::from_flags(flags, Millis(ttl)),
        (CreateKind::Ttl, _) => CreateMode::Unknown(flags),
        _ => CreateMode::from_flags(flags, Millis(-1)),
    })
}

/// Within a multi the kind follows the mode.
fn kind_and_mode_in_multi() -> impl Strategy<Value = (CreateKind, CreateMode)> {
    let any_kind = select(vec![CreateKind::Create, CreateKind::Create2, CreateKind::Container]);
    let plain = (any_kind, 0..5).prop_map(|(kind, flags)| {
        let mode = CreateMode::from_flags(flags, Millis(-1));
        (if flags == 4 { CreateKind::Container } else { kind }, mode)
    });
    let ttl = (5..7, any::<i64>())
        .prop_map(|(flags, ttl)| (CreateKind::Ttl, CreateMode::from_flags(flags, Millis(ttl))));
    prop_oneof![plain, ttl]
}

fn kind_and_mode_alone() -> impl Strategy<Value = (CreateKind, CreateMode)> {
    let kinds =
        vec![CreateKind::Create, CreateKind::Create2, CreateKind::Container, CreateKind::Ttl];
    select(kinds).prop_flat_map(|kind| (Just(kind), mode(kind)))
}

fn create(
    kind_and_mode: impl Strategy<Value = (CreateKind, CreateMode)>,
) -> impl Strategy<Value = WriteOp> {
    (text(), data(), acl(), kind_and_mode).prop_map(|(path, data, acl, (kind, mode))| {
        WriteOp::Create(Create { path, data, acl, mode, kind })
    })
}

fn delete_or_set() -> impl Strategy<Value = WriteOp> {
    prop_oneof![
        (text(), any::<i32>()).prop_map(|(path, version)| WriteOp::Delete { path, version }),
        (text(), data(), any::<i32>()).prop_map(|(path, data, version)| WriteOp::SetData {
            path,
            data,
            version
        }),
    ]
}

fn write() -> impl Strategy<Value = WriteOp> {
    let check = (text(), any::<i32>()).prop_map(|(path, version)| WriteOp::Check { path, version });
    let in_multi = prop_oneof![create(kind_and_mode_in_multi()), delete_or_set(), check];
    prop_oneof![
        create(kind_and_mode_alone()),
        delete_or_set(),
        (text(), acl(), any::<i32>()).prop_map(|(path, acl, version)| WriteOp::SetAcl {
            path,
            acl,
            version
        }),
        vec(in_multi, 0..5).prop_map(WriteOp::Multi),
    ]
}

fn read() -> impl Strategy<Value = Read> {
    let in_multi = prop_oneof![
        text().prop_map(|path| Read::GetData { path, watch: false }),
        text().prop_map(|path| Read::GetChildren { path, watch: false }),
    ];
    prop_oneof![
        (text(), any::<bool>()).prop_map(|(path, watch)| Read::Exists { path, watch }),
        (text(), any::<bool>()).prop_map(|(path, watch)| Read::GetData { path, watch }),
        (text(), any::<bool>()).prop_map(|(path, watch)| Read::GetChildren { path, watch }),
        (text(), any::<bool>()).prop_map(|(path, watch)| Read::GetChildren2 { path, watch }),
        text().prop_map(|path| Read::GetAcl { path }),
        text().prop_map(|prefix| Read::GetEphemerals { prefix }),
        text().prop_map(|path| Read::GetAllChildrenNumber { path }),
        vec(in_multi, 0..5).prop_map(Read::MultiRead),
    ]
}

fn set_watches() -> impl Strategy<Value = Request> {
    let paths = || vec(text(), 0..4);
    (zxid(), [paths(), paths(), paths(), paths(), paths()]).prop_map(|(relative_zxid, lists)| {
        let [data, exist, child, persistent, persistent_recursive] = lists;
        Request::SetWatches(Box::new(SetWatches {
            relative_zxid,
            data,
            exist,
            child,
            persistent,
            persistent_recursive,
        }))
    })
}

fn watch_request() -> impl Strategy<Value = Request> {
    let modes = [AddWatchMode::Persistent, AddWatchMode::PersistentRecursive];
    let kinds = [
        WatchKind::Children,
        WatchKind::Data,
        WatchKind::Any,
        WatchKind::Persistent,
        WatchKind::PersistentRecursive,
    ];
    let kind = move || option::of(select(kinds.to_vec()));
    prop_oneof![
        set_watches(),
        (text(), option::of(select(modes.to_vec())))
            .prop_map(|(path, mode)| Request::AddWatch { path, mode }),
        (text(), kind()).prop_map(|(path, kind)| Request::CheckWatches { path, kind }),
        (text(), kind()).prop_map(|(path, kind)| Request::RemoveWatches { path, kind }),
    ]
}

/// Any request that a client can make.
pub(crate) fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        4 => write().prop_map(Request::Write),
        4 => read().prop_map(Request::Read),
        3 => watch_request(),
        1 => text().prop_map(|path| Request::Sync { path }),
        1 => (text(), vec(any::<u8>(), 0..20)).prop_map(|(scheme, proof)| {
            Request::Auth { scheme, proof: zooid_model::Secret(proof.into()) }
        }),
        1 => select(vec![Request::Ping, Request::WhoAmI, Request::CloseSession]),
    ]
}

/// Any first frame of a connection.
pub(crate) fn connect_request() -> impl Strategy<Value = ConnectRequest> {
    let password = option::of(any::<[u8; 16]>().prop_map(Password));
    (any::<i32>(), zxid(), any::<i32>(), any::<i64>(), password, any::<Option<bool>>()).prop_map(
        |(protocol_version, last_zxid_seen, timeout, session, password, read_only)| {
            ConnectRequest {
                protocol_version,
                last_zxid_seen,
                timeout: Millis(timeout.into()),
                session: SessionId(session),
                password,
                read_only,
            }
        },
    )
}

/// Any answer to it.
pub(crate) fn connect_reply() -> impl Strategy<Value = ConnectReply> {
    (any::<i32>(), any::<i32>(), any::<i64>(), any::<[u8; 16]>(), any::<Option<bool>>()).prop_map(
        |(protocol_version, timeout, session, password, read_only)| ConnectReply {
            protocol_version,
            timeout: Millis(timeout.into()),
            session: SessionId(session),
            password: Password(password),
            read_only,
        },
    )
}

fn names() -> impl Strategy<Value = Names> {
    vec(text(), 0..6).prop_map(|names| names.iter().map(String::as_str).collect())
}

fn error() -> impl Strategy<Value = ErrorCode> {
    select(ErrorCode::ALL.to_vec())
}

fn op_result() -> impl Strategy<Value = OpResult> {
    prop_oneof![
        text().prop_map(|path| OpResult::Path { path }),
        (text(), stat()).prop_map(|(path, stat)| OpResult::PathStat { path, stat }),
        stat().prop_map(OpResult::Stat),
        Just(OpResult::Deleted),
        Just(OpResult::Checked),
        Just(OpResult::Error(Ok(()))),
        error().prop_map(|error| OpResult::Error(Err(error))),
    ]
}

fn read_result() -> impl Strategy<Value = ReadResult> {
    prop_oneof![
        (data(), stat()).prop_map(|(data, stat)| ReadResult::Data { data, stat }),
        names().prop_map(ReadResult::Children),
        error().prop_map(ReadResult::Error),
    ]
}

fn of(
    opcodes: &[i32],
    reply: impl Strategy<Value = Reply> + 'static,
) -> BoxedStrategy<(i32, Reply)> {
    (select(opcodes.to_vec()), reply).boxed()
}

/// Any reply, with the number of an operation that it answers.
pub(crate) fn reply() -> impl Strategy<Value = (i32, Reply)> {
    let empty = [opcode::DELETE, opcode::PING, opcode::AUTH, opcode::SET_WATCHES2];
    let path_stat = [opcode::CREATE2, opcode::CREATE_CONTAINER, opcode::CREATE_TTL];
    let only_stat = [opcode::EXISTS, opcode::SET_DATA, opcode::SET_ACL];
    proptest::strategy::Union::new([
        of(&empty, Just(Reply::Empty)),
        of(&[opcode::CREATE], text().prop_map(|path| Reply::Path { path })),
        of(&path_stat, (text(), stat()).prop_map(|(path, stat)| Reply::PathStat { path, stat })),
        of(&only_stat, stat().prop_map(Reply::Stat)),
        of(&[opcode::GET_DATA], {
            (data(), stat()).prop_map(|(data, stat)| Reply::Data { data, stat })
        }),
        of(&[opcode::GET_ACL], {
            (acl(), stat()).prop_map(|(acl, stat)| Reply::Acl { acl: acl.into(), stat })
        }),
        of(&[opcode::GET_CHILDREN], names().prop_map(Reply::Children)),
        of(&[opcode::GET_CHILDREN2], {
            (names(), stat()).prop_map(|(children, stat)| Reply::ChildrenStat { children, stat })
        }),
        of(&[opcode::SYNC], text().prop_map(|path| Reply::Sync { path })),
        of(&[opcode::MULTI], vec(op_result(), 0..6).prop_map(Reply::Multi)),
        of(&[opcode::MULTI_READ], vec(read_result(), 0..6).prop_map(Reply::MultiRead)),
        of(&[opcode::GET_EPHEMERALS], names().prop_map(Reply::Ephemerals)),
        of(&[opcode::GET_ALL_CHILDREN_NUMBER], any::<i32>().prop_map(Reply::AllChildrenNumber)),
        of(&[opcode::ADD_WATCH], Just(Reply::WatchAdded)),
        of(&[opcode::WHO_AM_I], vec(identity(), 0..4).prop_map(Reply::Identities)),
    ])
}

/// Any answer to an operation: a reply or an error.
pub(crate) fn answer() -> impl Strategy<Value = (i32, Result<Reply, ErrorCode>)> {
    prop_oneof![
        4 => reply().prop_map(|(opcode, reply)| (opcode, Ok(reply))),
        1 => (0..110, error()).prop_map(|(opcode, error)| (opcode, Err(error))),
    ]
}

/// Any watch event.
pub(crate) fn event() -> impl Strategy<Value = WatchEvent> {
    let kinds = [
        EventKind::NodeCreated,
        EventKind::NodeDeleted,
        EventKind::NodeDataChanged,
        EventKind::NodeChildrenChanged,
        EventKind::DataWatchRemoved,
        EventKind::ChildWatchRemoved,
        EventKind::PersistentWatchRemoved,
    ];
    (select(kinds.to_vec()), text(), option::of(zxid())).prop_map(|(kind, path, zxid)| WatchEvent {
        kind,
        path: path.into(),
        zxid,
    })
}

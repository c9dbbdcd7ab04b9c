//! Whatever a command holds, it is taken: nothing in the log can fell a server.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use zooid_ids::{BootNonce, ClusterId, ConnectionId, Millis, ServerId, SessionId, Zxid};
use zooid_model::{
    Acl, Command, Create, CreateKind, CreateMode, Grants, Identity, Origin, Owner, Perms, Read,
    Turn, Write, WriteOp,
};
use zooid_tree::{Stamp, Tree};

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "(/[a-c]){0,3}",
        2 => "/zookeeper/quota(/[a-c]|/zookeeper_limits|/zookeeper_stats|/zookeeper){0,3}",
        1 => "[/.a\\x00\\u{e000}\\u{1f600}]{0,6}",
        1 => any::<String>(),
        1 => (1_usize..3000).prop_map(|n| "/x".repeat(n)),
        1 => (1_usize..9000).prop_map(|n| format!("/{}", "long".repeat(n))),
    ]
}

fn any_number() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(-1),
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0x0100_0000_0000_0001),
        any::<i64>()
    ]
}

fn any_owner() -> impl Strategy<Value = Owner> {
    (0..3_u64, any_number()).prop_map(|(server, n)| Owner {
        server: ServerId(server),
        boot: BootNonce(1),
        connection: ConnectionId(n as u64),
    })
}

fn any_identity() -> impl Strategy<Value = Identity> {
    ("world|auth|digest|ip|super|x509||[a-z]", "anyone|u:h|10.0.0.0/8|::|/99||.{0,3}")
        .prop_map(|(scheme, id)| Identity::new(&scheme, &id))
}

fn any_acl() -> impl Strategy<Value = Vec<Acl>> {
    let entry = (any::<i32>(), any_identity())
        .prop_map(|(bits, id)| Acl { perms: Perms::from_bits(bits), id });
    prop_oneof![3 => Just(Acl::open()), 1 => vec(entry, 0..4)]
}

fn any_create() -> impl Strategy<Value = WriteOp> {
    use CreateKind::{Container, Create as Plain, Create2, Ttl};
    let kind = prop::sample::select(vec![Plain, Create2, Container, Ttl]);
    let data = prop::option::of(vec(any::<u8>(), 0..40));
    (any_path(), data, any_acl(), -1..9_i32, any_number(), kind).prop_map(
        |(path, data, acl, flags, ttl, kind)| {
            let mode = CreateMode::from_flags(flags, Millis(ttl));
            WriteOp::Create(Create { path, data: data.map(Into::into), acl, mode, kind })
        },
    )
}

fn any_op() -> impl Strategy<Value = WriteOp> {
    let version = || prop_oneof![3 => Just(-1), 1 => any::<i32>()];
    let data = prop_oneof![
        vec(any::<u8>(), 0..40),
        "(count|bytes|countHardLimit|byteHardLimit)=-?[0-9]{0,25}[;,=]"
            .prop_map(String::into_bytes)
    ];
    let leaf = prop_oneof![
        4 => any_create(),
        2 => (any_path(), version()).prop_map(|(path, version)| WriteOp::Delete { path, version }),
        2 => (any_path(), prop::option::of(data), version()).prop_map(|(path, data, version)| {
            WriteOp::SetData { path, data: data.map(Into::into), version }
        }),
        1 => (any_path(), any_acl(), version())
            .prop_map(|(path, acl, version)| WriteOp::SetAcl { path, acl, version }),
        1 => (any_path(), version()).prop_map(|(path, version)| WriteOp::Check { path, version }),
    ];
    leaf.prop_recursive(3, 20, 6, |inner| vec(inner, 0..6).prop_map(WriteOp::Multi))
}

fn any_command() -> impl Strategy<Value = Command> {
    let session = || any_number().prop_map(SessionId);
    let zxid = || (0..20_u64).prop_map(Zxid);
    let turn = (session(), any_owner(), 0..4_u64).prop_map(|(session, owner, sequence)| Turn {
        session,
        owner,
        sequence,
    });
    let by = prop_oneof![
        Just(Origin::Expiry),
        (any_owner(), any::<u64>())
            .prop_map(|(owner, sequence)| Origin::Client { owner, sequence }),
    ];
    let grants = (any::<bool>(), any::<bool>())
        .prop_map(|(enforce_quota, extended_types)| Grants { enforce_quota, extended_types });
    prop_oneof![
        1 => Just(Command::Form { cluster: ClusterId(0), secret: [0; 32] }),
        1 => any::<[u8; 3]>().prop_map(|servers| {
            Command::Configure { servers: Bytes::copy_from_slice(&servers) }
        }),
        1 => (session(), any_owner(), any_number()).prop_map(|(session, owner, timeout)| {
            Command::CreateSession { session, owner, timeout: Millis(timeout) }
        }),
        1 => (session(), any_owner(), any_owner()).prop_map(|(session, owner, seen)| {
            Command::Attach { session, owner, seen, timeout: Millis(0) }
        }),
        1 => (session(), by).prop_map(|(session, by)| Command::CloseSession { session, by }),
        4 => (turn, vec(any_identity(), 0..3), grants, any_op()).prop_map(
            |(turn, identities, grants, op)| Command::Write(Write { turn, identities, grants, op })
        ),
        1 => (any_path(), zxid(), zxid(), zxid())
            .prop_map(|(path, czxid, mzxid, pzxid)| Command::Collect { path, czxid, mzxid, pzxid }),
    ]
}

fn any_read() -> impl Strategy<Value = Read> {
    (any_path(), 0..7).prop_map(|(path, kind)| match kind {
        0 => Read::Exists { path, watch: true },
        1 => Read::GetData { path, watch: true },
        2 => Read::GetAcl { path },
        3 => Read::GetChildren { path, watch: true },
        4 => Read::GetChildren2 { path, watch: true },
        5 => Read::GetEphemerals { prefix: path },
        _ => Read::MultiRead(vec![Read::GetAllChildrenNumber { path }]),
    })
}

proptest! {
    #[test]
    fn any_command_and_any_read_is_taken(
        commands in vec((any_command(), any_number()), 1..40),
        ops in vec(any_op(), 1..40),
        reads in vec(any_read(), 0..20),
    ) {
        let mut tree = Tree::new();
        let mut zxid = 0;
        let mut apply = |command: &Command, time: i64| {
            zxid += 1;
            tree.apply(Stamp { zxid: Zxid(zxid), time: Millis(time) }, command);
            tree.check_invariants();
            let _ = tree.collectable(Millis(time), Millis(1), 4);
        };
        let (session, owner) = (SessionId(7), Owner::default());
        apply(&Command::CreateSession { session, owner, timeout: Millis(1) }, 0);
        for (command, time) in &commands {
            apply(command, *time);
        }
        for (op, sequence) in ops.into_iter().zip(1..) {
            let turn = Turn { session, owner, sequence };
            let grants = Grants { enforce_quota: true, extended_types: true };
            let identities = vec![Identity::super_user()];
            apply(&Command::Write(Write { turn, identities, grants, op }), 0);
        }
        for read in &reads {
            let _ = tree.read(read, session, &[]);
        }
    }
}

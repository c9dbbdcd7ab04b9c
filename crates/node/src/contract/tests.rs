//! Golden vectors: the bytes that servers have written must mean the same for ever.

use alloc::string::String;
use alloc::vec;
use std::format;

use bytes::Bytes;
use zooid_ids::{
    BootNonce, ClusterId, ConnectionId, Incarnation, Instant, Millis, ServerId, SessionId, Zxid,
};
use zooid_model::{
    Acl, Command, Create, CreateKind, CreateMode, Grants, Identity, Origin, Owner, PasswordScheme,
    Turn, Write, WriteOp,
};
use zooid_zab::{Body, Config, Seat, Voters};

use zooid_tree::{Formation, PersistedStat, Record, Session};

use super::ContractError;
use super::checkpoint::{Reader, write_record};
use super::entry::{Kind, read_body, read_command, write_body, write_command, write_config};
use super::touches::{Touch, read_touches, write_touches};

const OWNER: Owner =
    Owner { server: ServerId(3), boot: BootNonce(0x0102), connection: ConnectionId(9) };
const SESSION: SessionId = SessionId(0x0300_0000_0000_0001);

fn write(op: WriteOp) -> Command {
    Command::Write(Write {
        turn: Turn { session: SESSION, owner: OWNER, sequence: 2 },
        identities: vec![Identity::new("ip", "::1")],
        grants: Grants { enforce_quota: false, extended_types: true },
        op,
    })
}

fn create(data: Option<&'static [u8]>, mode: CreateMode, kind: CreateKind) -> WriteOp {
    let data = data.map(Bytes::from_static);
    WriteOp::Create(Create { path: "/a".into(), data, acl: Acl::open(), mode, kind })
}

fn commands() -> vec::Vec<(&'static str, Command)> {
    let (path, version) = (String::from("/a"), -1);
    vec![
        ("form", Command::Form { cluster: ClusterId(1), secret: [7; 32] }),
        ("configure", Command::Configure { servers: Bytes::from_static(b"server.1=...") }),
        (
            "create_session",
            Command::CreateSession { session: SESSION, owner: OWNER, timeout: Millis(4000) },
        ),
        (
            "attach",
            Command::Attach {
                session: SESSION,
                owner: Owner { connection: ConnectionId(10), ..OWNER },
                seen: OWNER,
                timeout: Millis(4000),
            },
        ),
        (
            "close_by_client",
            Command::CloseSession {
                session: SESSION,
                by: Origin::Client { owner: OWNER, sequence: 3 },
            },
        ),
        ("close_by_expiry", Command::CloseSession { session: SESSION, by: Origin::Expiry }),
        ("create", write(create(Some(b"x"), CreateMode::EphemeralSequential, CreateKind::Create))),
        ("create_without_data", write(create(None, CreateMode::Container, CreateKind::Container))),
        (
            "create_ttl",
            write(create(Some(b""), CreateMode::PersistentWithTtl(Millis(5)), CreateKind::Ttl)),
        ),
        (
            "multi",
            write(WriteOp::Multi(vec![
                WriteOp::Check { path: path.clone(), version: 3 },
                WriteOp::SetData {
                    path: path.clone(),
                    data: Some(Bytes::from_static(b"y")),
                    version,
                },
                WriteOp::Delete { path: path.clone(), version },
            ])),
        ),
        ("set_acl", write(WriteOp::SetAcl { path: path.clone(), acl: Acl::open(), version: 0 })),
        ("collect", Command::Collect { path, czxid: Zxid(1), mzxid: Zxid(2), pzxid: Zxid(3) }),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn commands_are_written_as_ever() {
    let written: String =
        commands().iter().map(|(name, c)| format!("{name} {}\n", hex(&write_command(c)))).collect();
    expect_test::expect_file!["../../testdata/entry_golden.txt"].assert_eq(&written);
}

#[test]
fn commands_come_back() {
    for (name, command) in commands() {
        assert_eq!(read_command(write_command(&command)), Ok(command), "{name}");
    }
}

fn configs() -> vec::Vec<(&'static str, Config)> {
    let plain = Config::of([ServerId(1), ServerId(300)]);
    let seat = |id, group, weight| (ServerId(id), Seat { group, weight });
    let groups = Voters::seated([seat(1, 1, 1), seat(2, 1, 0), seat(3, 2, 5), seat(4, 0, 1)]);
    vec![
        ("plain", plain.clone()),
        (
            "registered",
            Config {
                registered: [(ServerId(1), None), (ServerId(300), Some(Incarnation(0x0102)))]
                    .into(),
                ..plain.clone()
            },
        ),
        ("groups", Config { voters: groups.clone().unwrap(), ..plain.clone() }),
        ("joint", Config { next: groups, ..plain }),
    ]
}

#[test]
fn configs_are_written_as_ever() {
    let line = |(name, config): &(&str, Config)| {
        let (_, payload) = write_body(&Body::EpochStart(config.clone()));
        format!("{name} {}\n", hex(&payload))
    };
    let written: String = configs().iter().map(line).collect();
    expect_test::expect_file!["../../testdata/config_golden.txt"].assert_eq(&written);
}

#[test]
fn configs_come_back() {
    for (name, config) in configs() {
        for (body, kind) in [
            (Body::EpochStart(config.clone()), Kind::EpochStart),
            (Body::Config(config), Kind::Config),
        ] {
            let (written, payload) = write_body(&body);
            assert_eq!(written, kind);
            assert_eq!(read_body(kind as u8, payload), Ok(body), "{name}");
        }
    }
}

#[test]
fn configs_that_contradict_themselves_are_refused() {
    for (bytes, missing) in [
        (&b""[..], "the set of voters"),
        (b"\x0a\x01\x01\x1a\x02\x08\x02", "the seat's voter"),
        (b"\x0a\x01\x01\x1a\x02\x08\x01", "a voter with a weight"),
        (b"\x0a\x01\x01\x2a\x05\x08\x01\x12\x01\x00", "an incarnation"),
    ] {
        let read = read_body(1, Bytes::from_static(bytes));
        assert_eq!(read, Err(ContractError::Unknown(missing)));
    }
}

#[test]
fn what_a_newer_version_wrote_is_refused() {
    assert_eq!(read_body(9, Bytes::new()), Err(ContractError::Unknown("the entry's kind")));
    assert_eq!(read_command(Bytes::new()), Err(ContractError::Unknown("the command")));
    assert!(matches!(read_command(Bytes::from_static(b"\xff")), Err(ContractError::Decode(_))));
}

fn records() -> vec::Vec<(&'static str, Record)> {
    let stat = PersistedStat {
        czxid: Zxid(1),
        mzxid: Zxid(2),
        pzxid: Zxid(3),
        ctime: Millis(4),
        mtime: Millis(5),
        version: -6,
        creates: 7,
        aversion: 8,
        ephemeral_owner: SESSION.0,
    };
    let znode = |data: Option<&'static [u8]>, acl: vec::Vec<Acl>| Record::Znode {
        path: "/a/b".into(),
        data: data.map(Bytes::from_static),
        acl: acl.into(),
        stat,
    };
    let closed = Acl { perms: zooid_model::Perms::READ, id: Identity::new("digest", "u:h") };
    let scheme = PasswordScheme::Keyed;
    let session = Session { owner: OWNER, sequence: 5, timeout: Millis(4000), scheme };
    let imported = Session { scheme: PasswordScheme::ZooKeeper, ..session };
    let formation = Formation { cluster: ClusterId(1), secret: [7; 32] };
    vec![
        ("znode", znode(Some(b"x"), Acl::open())),
        ("znode_without_data", znode(None, vec![closed])),
        ("znode_gone", Record::ZnodeGone { path: "/a/b".into() }),
        ("session", Record::Session { id: SESSION, session }),
        ("session_of_zookeeper", Record::Session { id: SESSION, session: imported }),
        ("session_gone", Record::SessionGone { id: SESSION }),
        ("formation", Record::Formation(formation)),
        ("voters", Record::Voters(write_config(&Config::of([ServerId(1)])))),
    ]
}

#[test]
fn records_are_written_as_ever() {
    let show = |(name, record): (&str, Record)| {
        let (key, value) = write_record(&record);
        format!("{name} {} {}\n", hex(&key), value.map_or("gone".into(), |value| hex(&value)))
    };
    let written: String = records().into_iter().map(show).collect();
    expect_test::expect_file!["../../testdata/record_golden.txt"].assert_eq(&written);
}

#[test]
fn records_come_back() {
    for (name, record) in records() {
        let (key, value) = write_record(&record);
        if let Some(value) = value {
            assert_eq!(Reader::default().read(&key, &value), Ok(record), "{name}");
        }
    }
}

#[test]
fn touches_are_written_as_ever() {
    let touch = |connection, heard| Touch {
        session: SESSION,
        connection: ConnectionId(connection),
        heard: Instant(heard),
    };
    let touches = [touch(1, 0), touch(9, 1_700_000_000_000)];
    let bytes = write_touches(&touches);
    expect_test::expect_file!["../../testdata/touches_golden.txt"]
        .assert_eq(&format!("touches {}\n", hex(&bytes)));
    assert_eq!(read_touches(bytes).unwrap(), touches);
}

proptest::proptest! {
    #[test]
    fn no_record_is_a_panic(key: vec::Vec<u8>, value: vec::Vec<u8>) {
        let _ = Reader::default().read(&key, &value);
    }

    #[test]
    fn no_bytes_are_a_panic(bytes: vec::Vec<u8>, kind: u8) {
        let _ = read_command(bytes.clone().into());
        let _ = read_body(kind, bytes.clone().into());
        let _ = read_touches(bytes.into());
    }

    #[test]
    fn a_damaged_command_is_no_panic(which in 0..11_usize, at: usize, flip: u8) {
        let (_, command) = commands().swap_remove(which);
        let mut bytes = write_command(&command).to_vec();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        let _ = read_command(bytes.into());
    }
}

//! Sessions: owners, turns, and the end.

use zooid_ids::{ClusterId, Millis, SessionId};
use zooid_model::{
    ChangeKind, Command, CreateMode, ErrorCode, Grants, Origin, Owner, PasswordScheme, Read, Reply,
    Turn, Write,
};
use zooid_tree::{Outcome, Session};

use crate::world::*;

const TIMEOUT: Millis = Millis(30_000);

fn create_session(session: SessionId, owner: Owner) -> Command {
    Command::CreateSession { session, owner, timeout: TIMEOUT }
}

fn attach(n: i64, new: u64, seen: u64) -> Command {
    let timeout = Millis(5_000);
    Command::Attach { session: session(n), owner: owner(new), seen: owner(seen), timeout }
}

/// A create with the number and owner as said.
fn turn(n: i64, by: u64, sequence: u64, path: &str) -> Command {
    let turn = Turn { session: session(n), owner: owner(by), sequence };
    let (identities, grants) = (Vec::new(), Grants::default());
    Command::Write(Write { turn, identities, grants, op: create(path) })
}

fn close(n: i64, by: u64, sequence: u64) -> Command {
    let by = Origin::Client { owner: owner(by), sequence };
    Command::CloseSession { session: session(n), by }
}

#[test]
fn what_creating_a_session_comes_to() {
    let rows = [
        (session(2), owner(2), Outcome::SessionCreated),
        (session(1), owner(1), Outcome::AlreadyOwner),
        (session(1), owner(2), Outcome::SessionTaken),
        (SessionId::NONE, owner(2), Outcome::SessionTaken),
        (SessionId(i64::MIN), owner(2), Outcome::SessionTaken),
        (SessionId(-1), owner(2), Outcome::SessionTaken),
        (SessionId(0xff00_0000_0000_0001_u64 as i64), owner(2), Outcome::SessionTaken),
        (SessionId(0xfe00_0000_0000_0001_u64 as i64), owner(2), Outcome::SessionCreated),
    ];
    for (session, owner, outcome) in rows {
        let applied = World::new().apply(&create_session(session, owner));
        assert_eq!(applied.outcome, outcome, "{session}");
    }
}

#[test]
fn what_attaching_comes_to() {
    let mut world = World::new();
    world.decide(create("/a")).unwrap();
    let held = |owner, sequence, timeout| Session {
        owner,
        sequence,
        timeout,
        scheme: PasswordScheme::Keyed,
    };
    let rows = [
        (attach(9, 2, 1), Outcome::NoSession, held(owner(1), 1, TIMEOUT)),
        (attach(1, 1, 1), Outcome::AlreadyOwner, held(owner(1), 1, TIMEOUT)),
        (attach(1, 2, 3), Outcome::NotOwner { owner: owner(1) }, held(owner(1), 1, TIMEOUT)),
        (
            attach(1, 2, 1),
            Outcome::Attached { previous: owner(1) },
            held(owner(2), 0, Millis(5_000)),
        ),
        (attach(1, 2, 1), Outcome::AlreadyOwner, held(owner(2), 0, Millis(5_000))),
        (attach(1, 3, 1), Outcome::NotOwner { owner: owner(2) }, held(owner(2), 0, Millis(5_000))),
    ];
    for (command, outcome, after) in rows {
        assert_eq!(world.apply(&command).outcome, outcome, "{command:?}");
        assert_eq!(world.tree.session(session(1)), Some(&after), "{command:?}");
    }
}

#[test]
fn a_command_runs_only_in_its_turn() {
    let mut world = World::new();
    let created = |path: &str| Outcome::Decided(Ok(Reply::Path { path: path.into() }));
    let rows = [
        (turn(9, 1, 1, "/x"), Outcome::NoSession),
        (turn(1, 2, 1, "/x"), Outcome::NotOwner { owner: owner(1) }),
        (turn(1, 1, 0, "/x"), Outcome::Repeat),
        (turn(1, 1, 2, "/x"), Outcome::Gap { expected: 1 }),
        (turn(1, 1, u64::MAX, "/x"), Outcome::Gap { expected: 1 }),
        (turn(1, 1, 1, "/a"), created("/a")),
        (turn(1, 1, 1, "/x"), Outcome::Repeat),
        (turn(1, 1, 2, "/a"), Outcome::Decided(Err(ErrorCode::NodeExists))),
        (turn(1, 1, 2, "/b"), Outcome::Repeat),
        (turn(1, 1, 3, "/b"), created("/b")),
        (attach(1, 2, 1), Outcome::Attached { previous: owner(1) }),
        (turn(1, 1, 4, "/x"), Outcome::NotOwner { owner: owner(2) }),
        (turn(1, 2, 1, "/c"), created("/c")),
        (close(1, 1, 2), Outcome::NotOwner { owner: owner(2) }),
        (close(1, 2, 1), Outcome::Repeat),
        (close(1, 2, 3), Outcome::Gap { expected: 2 }),
        (close(1, 2, 2), Outcome::SessionClosed { owner: owner(2), ephemerals: 0 }),
        (close(1, 2, 3), Outcome::NoSession),
        (turn(1, 2, 3, "/x"), Outcome::NoSession),
        (attach(1, 3, 2), Outcome::NoSession),
    ];
    for (command, outcome) in rows {
        assert_eq!(world.apply(&command).outcome, outcome, "{command:?}");
        assert_eq!(world.tree.stat("/x"), None);
    }
}

#[test]
fn a_sessions_ephemerals_go_with_it_in_one_transaction() {
    let mut world = World::new();
    world.open(2);
    world.decide(create("/dir")).unwrap();
    for path in ["/dir/b", "/dir/a", "/top"] {
        world.decide(create_as(path, CreateMode::Ephemeral)).unwrap();
    }
    world.write(2, create_as("/dir/other", CreateMode::Ephemeral));
    assert_eq!(world.tree.ephemerals(session(1)), ["/dir/a", "/dir/b", "/top"]);
    assert_eq!(world.tree.ephemerals_count(), 4);
    assert_eq!(world.tree.stat("/top").unwrap().ephemeral_owner, session(1).0);

    let applied = world.close(1);
    assert_eq!(applied.outcome, Outcome::SessionClosed { owner: owner(1), ephemerals: 3 });
    use ChangeKind::*;
    let told: Vec<_> = applied.changes.iter().map(|change| (change.kind, &*change.path)).collect();
    assert_eq!(
        told,
        [
            (Deleted, "/dir/a"),
            (ChildrenChanged, "/dir"),
            (Deleted, "/dir/b"),
            (ChildrenChanged, "/dir"),
            (Deleted, "/top"),
            (ChildrenChanged, "/"),
        ]
    );
    let dir = world.tree.stat("/dir").unwrap();
    assert_eq!((dir.pzxid, dir.num_children, dir.cversion), (world.zxid, 1, 5));
    assert_eq!(world.tree.ephemerals_count(), 1);
    assert_eq!(world.close(1).outcome, Outcome::NoSession);
}

#[test]
fn a_session_is_told_of_its_own_ephemerals() {
    let mut world = World::new();
    world.open(2);
    world.decide(create("/a")).unwrap();
    for path in ["/a/1", "/a2"] {
        world.decide(create_as(path, CreateMode::Ephemeral)).unwrap();
    }
    world.write(2, create_as("/a/2", CreateMode::Ephemeral));
    let rows = [
        ("", vec!["/a/1", "/a2"]),
        (" / ", vec!["/a/1", "/a2"]),
        ("/a", vec!["/a/1", "/a2"]),
        ("/a/", vec!["/a/1"]),
        ("/b", vec![]),
    ];
    for (prefix, paths) in rows {
        let read = Read::GetEphemerals { prefix: prefix.into() };
        let answer = Reply::Ephemerals(paths.into_iter().collect());
        assert_eq!(world.read(&read), Ok(answer), "{prefix:?}");
    }
}

#[test]
fn an_ensemble_is_formed_once() {
    let mut world = World::new();
    let again = Command::Form { cluster: ClusterId(6), secret: [0; 32] };
    assert_eq!(world.apply(&again).outcome, Outcome::AlreadyFormed);
    assert_eq!(world.tree.formation().unwrap().cluster, ClusterId(5));
}

#[test]
#[should_panic(expected = "does not come after")]
fn a_zxid_never_comes_twice() {
    let mut world = World::new();
    world.tree.advance(world.zxid);
}

//! Checkpoints: exactly what changed, exactly as it was.

use std::collections::BTreeSet;

use bytes::Bytes;
use zooid_ids::{ClusterId, Millis, SessionId, Zxid};
use zooid_model::{Acl, Command, CreateMode, PasswordScheme};
use zooid_tree::{
    Counts, Formation, Outcome, PersistedStat, Record, RestoreError, Session, Stamp, Tree,
};

use crate::world::*;

/// What the records are about, tombstones with a minus.
fn about(records: &[Record]) -> BTreeSet<String> {
    let names: BTreeSet<String> = records.iter().map(name).collect();
    assert_eq!(names.len(), records.len(), "each thing once");
    names
}

fn name(record: &Record) -> String {
    match record {
        Record::Znode { path, .. } => path.to_string(),
        Record::ZnodeGone { path } => format!("-{path}"),
        Record::Session { id, .. } => format!("s{}", id.0 - session(0).0),
        Record::SessionGone { id } => format!("-s{}", id.0 - session(0).0),
        Record::Formation(_) => "formation".into(),
        Record::Voters(_) => "voters".into(),
    }
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(ToString::to_string).collect()
}

/// A whole run.
fn run(world: &mut World) -> Vec<Record> {
    world.tree.hand_over();
    let records = world.tree.harvest(usize::MAX);
    world.tree.complete_run();
    world.tree.check_invariants();
    records
}

/// A world whose first run is done.
fn checkpointed(paths: &[&str]) -> World {
    let mut world = World::new();
    for path in paths {
        world.decide(create(path)).unwrap();
    }
    run(&mut world);
    world
}

#[test]
fn the_first_run_has_everything_and_the_next_nothing() {
    let mut world = World::new();
    assert_eq!(world.tree.changed_records(), 6);
    let system = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];
    let handed = world.tree.hand_over();
    assert_eq!((handed.zxid, handed.digest), (world.zxid, world.tree.digest()));
    assert_eq!(handed.counts, Counts { znodes: 4, sessions: 1 });
    assert!(world.tree.is_handing_over());
    let records = world.tree.harvest(usize::MAX);
    assert_eq!(about(&records), &names(&system) | &names(&["s1", "formation"]));
    world.tree.complete_run();
    assert!(!world.tree.is_handing_over());
    assert_eq!((world.tree.changed_records(), world.tree.changed_bytes()), (0, 0));
    assert_eq!(run(&mut world), []);
    assert_eq!(world.tree.harvest(10), [], "there is no run");
}

#[test]
fn what_a_run_has() {
    // What is done after a run with /a, /b and /b/c, and what the next run has of it.
    let rows: Vec<(Vec<zooid_model::WriteOp>, &[&str])> = vec![
        (vec![set("/a", b"x", -1)], &["s1", "/a"]),
        (vec![set("/a", b"x", -1), set("/a", b"y", -1)], &["s1", "/a"]),
        (vec![set("/a", b"x", 99)], &["s1"]),
        (vec![set_acl("/a", &Acl::open(), -1)], &["s1", "/a"]),
        (vec![create("/n")], &["s1", "/", "/n"]),
        (vec![create("/a/n")], &["s1", "/a", "/a/n"]),
        (vec![delete("/b/c", -1)], &["s1", "/b", "-/b/c"]),
        (vec![create("/n"), delete("/n", -1)], &["s1", "/"]),
        (vec![delete("/a", -1), create("/a")], &["s1", "/", "/a"]),
        (vec![delete("/a", -1), create("/a"), delete("/a", -1)], &["s1", "/", "-/a"]),
        (vec![delete("/b/c", -1), delete("/b", -1)], &["s1", "/", "-/b", "-/b/c"]),
        (vec![set("/a", b"x", -1), delete("/a", -1)], &["s1", "/", "-/a"]),
    ];
    for (ops, expected) in rows {
        let mut world = checkpointed(&["/a", "/b", "/b/c"]);
        for op in &ops {
            let _ = world.decide(op.clone());
        }
        assert_eq!(world.tree.changed_records(), expected.len(), "{ops:?}");
        assert_eq!(about(&run(&mut world)), names(expected), "{ops:?}");
    }
}

#[test]
fn sessions_come_and_go() {
    let mut world = checkpointed(&[]);
    world.open(2);
    world.open(3);
    world.close(3);
    assert_eq!(about(&run(&mut world)), names(&["s2"]));
    world.close(2);
    world.close(1);
    world.open(2);
    assert_eq!(about(&run(&mut world)), names(&["-s1", "s2"]));
    assert_eq!(run(&mut world), []);
}

#[test]
fn a_failed_multi_changes_no_record_that_it_did_not_touch() {
    let mut world = checkpointed(&["/a", "/b"]);
    let ops = vec![create("/n"), delete("/a", -1), create("/a"), delete("/b", -1), check("/", 99)];
    world.decide(zooid_model::WriteOp::Multi(ops)).unwrap();
    // What was touched may come again, as it is; nothing is gone.
    assert_eq!(about(&run(&mut world)), names(&["s1", "/", "/a", "/b"]));
}

#[test]
fn what_waits_is_copied_before_it_changes() {
    let mut world = checkpointed(&["/a", "/b", "/b/c"]);
    for path in ["/a", "/b", "/b/c"] {
        world.decide(set(path, b"before", -1)).unwrap();
    }
    world.decide(create_as("/e", CreateMode::Ephemeral)).unwrap();
    let expected = {
        let mut twin = checkpointed(&["/a", "/b", "/b/c"]);
        for path in ["/a", "/b", "/b/c"] {
            twin.decide(set(path, b"before", -1)).unwrap();
        }
        twin.decide(create_as("/e", CreateMode::Ephemeral)).unwrap();
        sorted(run(&mut twin))
    };
    world.tree.hand_over();
    let mut records = world.tree.harvest(1);
    for op in [
        set("/a", b"after", -1),
        delete("/b/c", -1),
        create("/b/c"),
        create("/new"),
        delete("/b/c", -1),
        delete("/b", -1),
    ] {
        world.decide(op).unwrap();
    }
    world.close(1);
    loop {
        let more = world.tree.harvest(1);
        if more.is_empty() {
            break;
        }
        assert_eq!(more.len(), 1);
        records.extend(more);
        world.tree.check_invariants();
    }
    world.tree.complete_run();
    assert_eq!(sorted(records), expected);
    assert_eq!(about(&run(&mut world)), names(&["/", "/a", "-/b", "-/b/c", "/new", "-/e", "-s1"]));
}

fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(name);
    records
}

#[test]
fn the_changes_of_a_failed_run_join_the_next() {
    for harvested in 0..9 {
        let mut world = checkpointed(&["/a", "/b", "/c", "/d"]);
        for op in [set("/a", b"1", -1), delete("/b", -1), delete("/c", -1), create("/n")] {
            world.decide(op).unwrap();
        }
        world.open(2);
        world.close(2);
        world.open(4);
        world.tree.hand_over();
        assert!(world.tree.harvest(harvested).len() <= harvested);
        for op in [create("/c"), set("/d", b"1", -1), delete("/n", -1)] {
            world.decide(op).unwrap();
        }
        world.tree.abandon_run();
        world.tree.check_invariants();
        let records = run(&mut world);
        let mut expected = names(&["s1", "s4", "/", "/a", "-/b", "/c", "/d"]);
        // Whether the failed run had it is not known any more.
        expected.insert("-/n".into());
        assert_eq!(about(&records), expected, "{harvested}");
    }
}

#[test]
fn what_came_back_during_a_failed_run_and_went_again_is_gone() {
    let mut world = checkpointed(&["/a"]);
    world.open(2);
    run(&mut world);
    world.decide(delete("/a", -1)).unwrap();
    world.close(2);
    world.tree.hand_over();
    world.decide(create("/a")).unwrap();
    world.open(2);
    world.tree.abandon_run();
    world.decide(delete("/a", -1)).unwrap();
    world.close(2);
    assert_eq!(about(&run(&mut world)), names(&["s1", "/", "-/a", "-s2"]));
}

#[test]
fn the_formation_joins_the_next_run_too() {
    let mut world = World::new();
    world.tree.hand_over();
    world.tree.abandon_run();
    assert!(about(&run(&mut world)).contains("formation"));
}

#[test]
fn who_votes_is_in_the_next_run_whenever_it_was_said() {
    let mut world = World::new();
    run(&mut world);
    let said = |world: &mut World| {
        let zxid = Zxid(world.tree.zxid().0 + 1);
        world.tree.set_voters(zxid, Bytes::from_static(b"1,2,3"));
    };
    said(&mut world);
    said(&mut world);
    assert_eq!(world.tree.changed_records(), 1);
    world.tree.hand_over();
    world.tree.abandon_run();
    let records = run(&mut world);
    assert_eq!(records, [Record::Voters(Bytes::from_static(b"1,2,3"))]);
    assert_eq!(about(&run(&mut world)), names(&[]));
}

#[test]
#[should_panic(expected = "harvested")]
fn a_run_is_not_complete_before_its_end() {
    let mut world = World::new();
    world.tree.hand_over();
    world.tree.harvest(2);
    world.tree.complete_run();
}

#[test]
#[should_panic(expected = "one run at a time")]
fn there_is_one_run_at_a_time() {
    let mut world = World::new();
    world.tree.hand_over();
    world.tree.hand_over();
}

fn znode(path: &str) -> Record {
    owned(path, 0)
}

fn owned(path: &str, ephemeral_owner: i64) -> Record {
    let stat = PersistedStat { ephemeral_owner, ..PersistedStat::default() };
    Record::Znode { path: path.into(), data: None, acl: Acl::open().into(), stat }
}

fn a_session(id: SessionId) -> Record {
    let scheme = PasswordScheme::Keyed;
    let session = Session { owner: owner(1), sequence: 3, timeout: Millis(5), scheme };
    Record::Session { id, session }
}

/// Its client knows no other password, whichever connection has the session.
#[test]
fn a_session_keeps_its_password_scheme() {
    let imported = PasswordScheme::ZooKeeper;
    let Record::Session { id, session: held } = a_session(session(1)) else { unreachable!() };
    let held = Record::Session { id, session: Session { scheme: imported, ..held } };
    let system = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
    let records = system.map(znode).into_iter().chain([held]);
    let mut tree = Tree::restore(Zxid(9), records).unwrap();
    let (seen, timeout) = (owner(1), Millis(7));
    let attach = Command::Attach { session: id, owner: owner(2), seen, timeout };
    let stamp = Stamp { zxid: Zxid(10), time: Millis(1) };
    assert_eq!(tree.apply(stamp, &attach).outcome, Outcome::Attached { previous: seen });
    let after = Session { owner: owner(2), sequence: 0, timeout, scheme: imported };
    assert_eq!(tree.session(id), Some(&after));
    tree.hand_over();
    assert!(tree.harvest(10).contains(&Record::Session { id, session: after }));
}

#[test]
fn records_that_make_no_tree() {
    let formation = Record::Formation(Formation { cluster: ClusterId(1), secret: [0; 32] });
    let voters = Record::Voters(Bytes::new());
    let path = || Box::<str>::from("/a");
    let rows = [
        (vec![znode("/a"), znode("/a")], Some(RestoreError::SameZnode { path: path() })),
        (vec![znode("/")], Some(RestoreError::SameZnode { path: "/".into() })),
        (vec![znode("/x/a")], Some(RestoreError::NoParent { path: "/x/a".into() })),
        (
            vec![owned("/a", session(1).0)],
            Some(RestoreError::NoSession { path: path(), session: session(1) }),
        ),
        (vec![owned("/a", session(1).0), a_session(session(1))], None),
        (
            vec![owned("/a", session(1).0), znode("/a/b"), a_session(session(1))],
            Some(RestoreError::BelowEphemeral { path: "/a/b".into() }),
        ),
        (vec![owned("/a", i64::MIN), znode("/a/b")], None),
        (
            vec![a_session(session(1)), a_session(session(1))],
            Some(RestoreError::SameSession(session(1))),
        ),
        (vec![a_session(SessionId(0))], Some(RestoreError::NoSessionId(SessionId(0)))),
        (vec![formation.clone()], None),
        (vec![formation.clone(), formation], Some(RestoreError::SameFormation)),
        (vec![voters.clone(), voters], Some(RestoreError::SameVoters)),
        (vec![Record::ZnodeGone { path: path() }], Some(RestoreError::Tombstone)),
        (vec![Record::SessionGone { id: session(1) }], Some(RestoreError::Tombstone)),
    ];
    let system = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
    for (records, error) in rows {
        let all = system.map(znode).into_iter().chain(records.clone());
        let restored = Tree::restore(Zxid(9), all);
        if let Ok(tree) = &restored {
            tree.check_invariants();
            assert_eq!(tree.changed_records(), 0);
        }
        assert_eq!(restored.err(), error, "{records:?}");
    }
    for path in ["a", "", "/a/", "/a/../b", "/a\0"] {
        let error = Tree::restore(Zxid(9), [znode("/"), znode(path)]).err();
        assert!(matches!(error, Some(RestoreError::NoPath { .. })), "{path:?}");
    }
    for missing in system {
        let rest = system.into_iter().filter(|path| !path.starts_with(missing)).map(znode);
        let error = Tree::restore(Zxid(9), rest).err();
        assert!(matches!(error, Some(RestoreError::NoSystemZnode { .. })), "{missing}");
    }
    assert_eq!(
        Tree::restore(Zxid(9), [znode("/a")]).err(),
        Some(RestoreError::NoParent { path: path() })
    );
}

#[test]
fn what_is_used_of_a_quota_is_counted_again() {
    let mut world = World::new();
    for path in ["/q", "/q/1", "/zookeeper/quota/q", "/zookeeper/quota/q/zookeeper_limits"] {
        world.decide(create(path)).unwrap();
    }
    let mut records = run(&mut world);
    let Some(Record::Znode { acl, stat, .. }) = records.first().cloned() else { panic!() };
    let path = "/zookeeper/quota/q/zookeeper_stats".into();
    let data = Some(b"count=77,bytes=77".as_slice().into());
    records.push(Record::Znode { path, data, acl, stat });
    let mut tree = Tree::restore(world.zxid, sorted(records)).unwrap();
    tree.check_invariants();
    assert_eq!(tree.changed_records(), 1, "the right number is in the next run");
    tree.hand_over();
    let Some(Record::Znode { data: Some(data), .. }) = tree.harvest(9).pop() else { panic!() };
    assert_eq!(data, b"count=2,bytes=2".as_slice());
}

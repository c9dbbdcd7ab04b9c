//! Multis: all or nothing, and nothing really is nothing.

use ErrorCode::*;
use zooid_model::{ChangeKind, CreateMode, ErrorCode, OpResult, Perms, Reply, WriteOp};
use zooid_tree::{Applied, Outcome};

use crate::world::*;

fn results(applied: &Applied) -> &[OpResult] {
    match &applied.outcome {
        Outcome::Decided(Ok(Reply::Multi(results))) => results,
        other => panic!("{other:?}"),
    }
}

fn created(path: &str) -> OpResult {
    OpResult::Path { path: path.into() }
}

#[test]
fn later_operations_see_earlier_ones() {
    let mut world = World::new();
    let applied = world.write(
        1,
        WriteOp::Multi(vec![
            create("/a"),
            create_as("/a/s", CreateMode::PersistentSequential),
            create_as("/a/s", CreateMode::EphemeralSequential),
            set("/a", b"second", 0),
            check("/a", 1),
            delete("/a/s0000000000", 0),
            create_as("/a/s", CreateMode::PersistentSequential),
        ]),
    );
    let stat = world.tree.stat("/a").unwrap();
    let at_set = zooid_model::Stat { cversion: 2, num_children: 2, ..stat };
    assert_eq!(
        results(&applied),
        [
            created("/a"),
            created("/a/s0000000000"),
            created("/a/s0000000001"),
            OpResult::Stat(at_set),
            OpResult::Checked,
            OpResult::Deleted,
            created("/a/s0000000002"),
        ]
    );
    assert_eq!((stat.cversion, stat.num_children, stat.version), (4, 2, 1));
    assert!([stat.czxid, stat.mzxid, stat.pzxid].iter().all(|zxid| *zxid == world.zxid));
    use ChangeKind::*;
    let told: Vec<_> = applied.changes.iter().map(|change| (change.kind, &*change.path)).collect();
    assert_eq!(
        told,
        [
            (Created, "/a"),
            (ChildrenChanged, "/"),
            (Created, "/a/s0000000000"),
            (ChildrenChanged, "/a"),
            (Created, "/a/s0000000001"),
            (ChildrenChanged, "/a"),
            (DataChanged, "/a"),
            (Deleted, "/a/s0000000000"),
            (ChildrenChanged, "/a"),
            (Created, "/a/s0000000002"),
            (ChildrenChanged, "/a"),
        ]
    );
}

#[test]
fn the_errors_say_which_one_failed() {
    let rows = [
        (vec![check("/", 9)], vec![Err(BadVersion)]),
        (vec![create("/n"), create("/n")], vec![Ok(()), Err(NodeExists)]),
        (
            vec![create("/n"), delete("/x", -1), create("/m"), check("/", 9)],
            vec![Ok(()), Err(NoNode), Err(RuntimeInconsistency), Err(RuntimeInconsistency)],
        ),
        (
            vec![create_with("/n", b"", &[]), create("/n")],
            vec![Err(InvalidAcl), Err(RuntimeInconsistency)],
        ),
        (vec![WriteOp::Multi(vec![])], vec![Err(Unimplemented)]),
        (vec![set_acl("/", &[acl(Perms::ALL, "world", "anyone")], -1)], vec![Err(Unimplemented)]),
    ];
    for (ops, errors) in rows {
        let applied = World::new().write(1, WriteOp::Multi(ops.clone()));
        let expected: Vec<OpResult> = errors.into_iter().map(OpResult::Error).collect();
        assert_eq!(results(&applied), expected, "{ops:?}");
        assert_eq!(applied.changes, []);
    }
    assert_eq!(results(&World::new().write(1, WriteOp::Multi(vec![]))), []);
}

#[test]
fn a_failed_multi_leaves_only_its_number_used() {
    let mut world = World::new();
    world.grants.extended_types = true;
    for op in [
        create("/a"),
        create("/a/b"),
        create_as("/c", CreateMode::Container),
        create("/c/1"),
        create_as("/e", CreateMode::Ephemeral),
        create("/zookeeper/quota/a"),
        create("/zookeeper/quota/a/zookeeper_limits"),
        create("/zookeeper/quota/a/zookeeper_stats"),
    ] {
        assert!(world.decide(op).is_ok());
    }
    let before = everything(&mut world);
    let (digest, size) = (world.tree.digest(), world.tree.approximate_data_size());
    let applied = world.write(
        1,
        WriteOp::Multi(vec![
            create_as("/a/s", CreateMode::PersistentSequential),
            create_as("/a/e", CreateMode::Ephemeral),
            set("/a/b", b"something longer than before", -1),
            set("/a/b", b"", -1),
            delete("/c/1", -1),
            delete("/c", -1),
            create_as("/c", CreateMode::Container),
            delete("/e", -1),
            create("/e"),
            delete("/zookeeper/quota/a/zookeeper_limits", -1),
            create("/a/uncounted"),
            create("/zookeeper/quota/a/zookeeper_limits"),
            delete("/zookeeper/quota/a/zookeeper_stats", -1),
            delete("/a/b", -1),
            create_with("/a/b", b"other", &[acl(Perms::READ, "ip", "10.0.0.1")]),
            delete("/a", -1),
        ]),
    );
    assert_eq!(results(&applied)[14..], [OpResult::Error(Ok(())), OpResult::Error(Err(NotEmpty))]);
    assert_eq!(everything(&mut world), before);
    assert_eq!((world.tree.digest(), world.tree.approximate_data_size()), (digest, size));
    assert_eq!(world.tree.session(session(1)).unwrap().sequence, 9);
    // The number that the failed multi took for its sequential node is free again.
    let next = world.decide(create_as("/a/s", CreateMode::PersistentSequential));
    assert_eq!(next, Ok(Reply::Path { path: "/a/s0000000001".into() }));
}

/// Every node with data and stat.
fn everything(world: &mut World) -> Vec<(String, Reply)> {
    let mut paths = world.tree.paths();
    paths.sort();
    let read = |path: String| {
        let read = zooid_model::Read::GetData { path: path.clone(), watch: false };
        (path, world.read(&read).expect("everybody may"))
    };
    paths.into_iter().map(read).collect()
}

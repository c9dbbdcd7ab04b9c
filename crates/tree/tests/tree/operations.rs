//! One row, one request and its answer: what each operation comes to, in ZooKeeper's words.

use crate::world::*;
use ErrorCode::*;
use zooid_ids::Millis;
use zooid_model::{
    Acl, CreateKind, CreateMode, EphemeralOwner, ErrorCode, Identity, Perms, Read, Reply, WriteOp,
};

/// A world with a node of each kind.
fn populated() -> World {
    let mut world = World::new();
    world.grants.extended_types = true;
    let user = Identity::new("digest", "user:hash");
    for op in [
        create("/a"),
        create("/a/b"),
        create_as("/e", CreateMode::Ephemeral),
        create_as("/c", CreateMode::Container),
        create_as("/t", CreateMode::PersistentWithTtl(Millis(1000))),
        create_with("/ro", b"x", &[acl(Perms::READ, "world", "anyone")]),
        create_with("/none", b"x", &[acl(Perms::ALL, "digest", "other:hash")]),
        create_with("/admin", b"x", &[acl(Perms::ADMIN, "digest", "user:hash")]),
    ] {
        assert!(world.decide(op).is_ok());
    }
    world.grants.extended_types = false;
    world.identities.push(user);
    world
}

fn path(path: &str) -> Result<Reply, ErrorCode> {
    Ok(Reply::Path { path: path.into() })
}

#[test]
fn what_create_answers() {
    let root_creates = 7;
    let rows: Vec<(WriteOp, Result<Reply, ErrorCode>)> = vec![
        (create("/n"), path("/n")),
        (create("/a/n"), path("/a/n")),
        (create_as("/s", CreateMode::PersistentSequential), path("/s0000000007")),
        (create_as("/a/", CreateMode::PersistentSequential), path("/a/0000000001")),
        (create_as("/", CreateMode::PersistentSequential), path("/0000000007")),
        (create_as("/a/e", CreateMode::EphemeralSequential), path("/a/e0000000001")),
        (create("/a"), Err(NodeExists)),
        (create("/"), Err(NodeExists)),
        (create("/zookeeper"), Err(NodeExists)),
        (create("/x/y"), Err(NoNode)),
        (create("/x/"), Err(NoNode)),
        (create("/x//y"), Err(NoNode)),
        (create("x/y"), Err(NoNode)),
        (create("/a/"), Err(BadArguments)),
        (create("//n"), Err(BadArguments)),
        (create("n"), Err(BadArguments)),
        (create(""), Err(BadArguments)),
        (create("/n\0"), Err(BadArguments)),
        (create("/x/n\0"), Err(BadArguments)),
        (create("/."), Err(BadArguments)),
        (create("/a/.."), Err(BadArguments)),
        (create("/\u{1f600}"), Err(BadArguments)),
        (create_as("/a/..", CreateMode::PersistentSequential), path("/a/..0000000001")),
        (create("/e/n"), Err(NoChildrenForEphemerals)),
        (create("/c/n"), path("/c/n")),
        (create("/t/n"), path("/t/n")),
        (create("/ro/n"), Err(NoAuth)),
        (create("/none/n"), Err(NoAuth)),
        (create("/none/.."), Err(NoAuth)),
        (create_with("/n", b"", &[]), Err(InvalidAcl)),
        (create_with("/x/n", b"", &[acl(Perms::ALL, "nonsense", "x")]), Err(InvalidAcl)),
        (create_with("n", b"", &[]), Err(BadArguments)),
        (create_as("/n", CreateMode::Unknown(7)), Err(BadArguments)),
        (create_as("/n", CreateMode::Unknown(-1)), Err(BadArguments)),
        (create_as("n", CreateMode::PersistentWithTtl(Millis(5))), Err(Unimplemented)),
        (create_as("/n", CreateMode::PersistentSequentialWithTtl(Millis(-5))), Err(Unimplemented)),
    ];
    assert_eq!(populated().tree.stat("/").unwrap().cversion, 2 * root_creates - 8);
    for (op, answer) in rows {
        assert_eq!(populated().decide(op.clone()), answer, "{op:?}");
    }
}

#[test]
fn the_operation_decides_what_kind_of_node_it_makes() {
    let ttl = |millis| CreateMode::PersistentWithTtl(Millis(millis));
    let longest = EphemeralOwner::TTL_MAX.0;
    let rows = [
        (CreateKind::Create, CreateMode::Container, Ok(EphemeralOwner::None)),
        (CreateKind::Create2, CreateMode::Container, Ok(EphemeralOwner::None)),
        (CreateKind::Container, CreateMode::Persistent, Ok(EphemeralOwner::Container)),
        (CreateKind::Container, CreateMode::Ephemeral, Ok(EphemeralOwner::Container)),
        (CreateKind::Container, ttl(5), Err(BadArguments)),
        (CreateKind::Create, ttl(5), Err(BadArguments)),
        (CreateKind::Ttl, CreateMode::Persistent, Err(BadArguments)),
        (CreateKind::Ttl, ttl(0), Err(BadArguments)),
        (CreateKind::Ttl, ttl(-1), Err(BadArguments)),
        (CreateKind::Ttl, ttl(1), Ok(EphemeralOwner::Ttl(Millis(1)))),
        (CreateKind::Ttl, ttl(longest), Ok(EphemeralOwner::Ttl(Millis(longest)))),
        (CreateKind::Ttl, ttl(longest + 1), Err(BadArguments)),
        (CreateKind::Create, CreateMode::Ephemeral, Ok(EphemeralOwner::Session(session(1)))),
    ];
    for (kind, mode, expected) in rows {
        let mut world = World::new();
        world.grants.extended_types = true;
        let WriteOp::Create(mut op) = create_as("/n", mode) else { unreachable!() };
        op.kind = kind;
        let answer = world.decide(WriteOp::Create(op)).map(|_| owner_of(&mut world, "/n"));
        assert_eq!(answer, expected, "{kind:?} {mode:?}");
    }
}

/// The owner as the checkpoint keeps it; a client sees only sessions.
fn owner_of(world: &mut World, wanted: &str) -> EphemeralOwner {
    world.tree.hand_over();
    let found = world.tree.harvest(usize::MAX).into_iter().find_map(|record| match record {
        zooid_tree::Record::Znode { path, stat, .. } if *path == *wanted => Some(stat.owner()),
        _ => None,
    });
    found.expect("the node is new")
}

#[test]
fn what_delete_answers() {
    let rows = [
        (delete("/a/b", -1), Ok(Reply::Empty)),
        (delete("/a/b", 0), Ok(Reply::Empty)),
        (delete("/e", 0), Ok(Reply::Empty)),
        (delete("/a/b", 1), Err(BadVersion)),
        (delete("/a", -1), Err(NotEmpty)),
        (delete("/a", 3), Err(BadVersion)),
        (delete("/x", -1), Err(NoNode)),
        (delete("/x/y", -1), Err(NoNode)),
        (delete("/a/", -1), Err(NoNode)),
        (delete("//a", -1), Err(NoNode)),
        (delete("/none/x", -1), Err(NoAuth)),
        (delete("/none", -1), Ok(Reply::Empty)),
        (delete("a", -1), Err(BadArguments)),
        (delete("", -1), Err(BadArguments)),
        (delete("/a\0", -1), Err(BadArguments)),
        (delete("/", -1), Err(BadArguments)),
        (delete("/zookeeper", -1), Err(BadArguments)),
        (delete("/zookeeper/quota", -1), Err(BadArguments)),
        (delete("/zookeeper/config", -1), Err(BadArguments)),
    ];
    for (op, answer) in rows {
        assert_eq!(populated().decide(op.clone()), answer, "{op:?}");
    }
}

#[test]
fn what_set_data_set_acl_and_check_answer() {
    let open = Acl::open();
    let rows: Vec<(WriteOp, Result<i32, ErrorCode>)> = vec![
        (set("/a", b"1", 0), Ok(1)),
        (set("/a", b"1", -1), Ok(1)),
        (set("/", b"1", -1), Ok(1)),
        (set("/zookeeper", b"1", -1), Ok(1)),
        (set("/a", b"1", 4), Err(BadVersion)),
        (set("/x", b"1", -1), Err(NoNode)),
        (set("/ro", b"1", -1), Err(NoAuth)),
        (set("/ro", b"1", 4), Err(NoAuth)),
        (set("/zookeeper/config", b"1", -1), Err(NoAuth)),
        (set("a", b"1", -1), Err(BadArguments)),
        (set("", b"1", -1), Err(BadArguments)),
        (set("/a/", b"1", -1), Err(BadArguments)),
        (set_acl("/a", &open, 0), Ok(0)),
        (set_acl("/a", &open, 2), Err(BadVersion)),
        (set_acl("/x", &open, -1), Err(NoNode)),
        (set_acl("/ro", &open, -1), Err(NoAuth)),
        (set_acl("/admin", &open, -1), Ok(0)),
        (set_acl("/x", &[], -1), Err(InvalidAcl)),
        (set_acl("x", &[], -1), Err(BadArguments)),
        (set_acl("/a", &[acl(Perms::ALL, "auth", "")], -1), Ok(0)),
    ];
    for (op, answer) in rows {
        let version = populated().decide(op.clone()).map(|reply| match reply {
            Reply::Stat(stat) => stat.version,
            other => panic!("{other:?}"),
        });
        assert_eq!(version, answer, "{op:?}");
    }
    let rows = [
        (check("/a", 0), Ok(Reply::Empty)),
        (check("/a", -1), Ok(Reply::Empty)),
        (check("/a", 1), Err(BadVersion)),
        (check("/x", -1), Err(NoNode)),
        (check("/none", -1), Err(NoAuth)),
        (check("/a/", -1), Err(BadArguments)),
    ];
    for (op, answer) in rows {
        assert_eq!(populated().decide(op.clone()), answer, "{op:?}");
    }
}

#[test]
fn what_reads_answer() {
    let exists = |path: &str| Read::Exists { path: path.into(), watch: false };
    let data = |path: &str| Read::GetData { path: path.into(), watch: true };
    let get_acl = |path: &str| Read::GetAcl { path: path.into() };
    let children = |path: &str| Read::GetChildren { path: path.into(), watch: false };
    let children2 = |path: &str| Read::GetChildren2 { path: path.into(), watch: false };
    let number = |path: &str| Read::GetAllChildrenNumber { path: path.into() };
    let rows = [
        (exists("/a"), Ok(())),
        (exists("/"), Ok(())),
        (exists(""), Ok(())),
        (exists("/x"), Err(NoNode)),
        (exists("/a/"), Err(NoNode)),
        (exists("nonsense"), Err(NoNode)),
        (exists("/none"), Err(NoAuth)),
        (exists("/\0"), Err(BadArguments)),
        (data("/a"), Ok(())),
        (data("/x"), Err(NoNode)),
        (data("/none"), Err(NoAuth)),
        (data("/zookeeper/config"), Ok(())),
        (get_acl("/ro"), Ok(())),
        (get_acl("/admin"), Ok(())),
        (get_acl("/none"), Err(NoAuth)),
        (get_acl("/x"), Err(NoNode)),
        (children("/a"), Ok(())),
        (children("/admin"), Err(NoAuth)),
        (children("/x"), Err(NoNode)),
        (children2("/a"), Ok(())),
        (children2("/admin"), Err(NoAuth)),
        (children2("/x"), Err(NoNode)),
        (number("/none"), Err(NoAuth)),
        (number("/x"), Err(NoNode)),
    ];
    let world = populated();
    for (read, answer) in rows {
        assert_eq!(world.read(&read).map(drop), answer, "{read:?}");
    }
    assert_eq!(world.read(&number("/")), Ok(Reply::AllChildrenNumber(11)));
    assert_eq!(world.read(&number("/a")), Ok(Reply::AllChildrenNumber(1)));
    assert_eq!(world.read(&number("/a/b")), Ok(Reply::AllChildrenNumber(0)));
}

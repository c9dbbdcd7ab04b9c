//! The fields of a stat, the names of sequential nodes, ACLs, and the nodes that are always there.

use bytes::Bytes;
use zooid_ids::{Millis, Zxid};
use zooid_model::{
    Acl, Change, ChangeKind, Command, CreateKind, CreateMode, EphemeralOwner, ErrorCode, Identity,
    Perms, Read, ReadResult, Reply, Stat, WriteOp,
};
use zooid_tree::{Record, Stamp, Tree};

use crate::world::*;

#[test]
fn what_every_tree_begins_with() {
    let tree = Tree::new();
    let stat = Stat::default();
    let rows = [
        ("/", Stat { cversion: -1, num_children: 1, ..stat }, Perms::ALL),
        ("/zookeeper", Stat { cversion: -2, num_children: 2, ..stat }, Perms::ALL),
        ("/zookeeper/quota", stat, Perms::ALL),
        ("/zookeeper/config", Stat { aversion: -1, ..stat }, Perms::READ),
    ];
    for (path, stat, perms) in rows {
        assert_eq!(tree.stat(path), Some(stat), "{path}");
        assert_eq!(tree.acl(path).unwrap()[..], [acl(perms, "world", "anyone")], "{path}");
    }
    assert_eq!((tree.node_count(), tree.approximate_data_size()), (5, 44));
    assert_eq!((tree.zxid(), tree.ephemerals_count()), (Zxid::ZERO, 0));
    assert_eq!(tree.counts().znodes, 4);
    tree.check_invariants();
}

#[test]
fn all_eleven_fields() {
    let mut world = World::new();
    let stat = |world: &World| world.tree.stat("/a").unwrap();
    world.decide(create_with("/a", b"12345", &Acl::open())).unwrap();
    let (czxid, ctime) = (world.zxid, world.now);
    let mut expected = Stat {
        czxid,
        mzxid: czxid,
        ctime,
        mtime: ctime,
        data_length: 5,
        pzxid: czxid,
        ..Stat::default()
    };
    assert_eq!(stat(&world), expected);

    world.decide(set("/a", b"1234567", 0)).unwrap();
    expected = Stat { mzxid: world.zxid, mtime: world.now, version: 1, data_length: 7, ..expected };
    assert_eq!(stat(&world), expected);

    world.decide(set_acl("/a", &Acl::open(), 0)).unwrap();
    expected.aversion = 1;
    assert_eq!(stat(&world), expected);

    world.decide(create("/a/b")).unwrap();
    expected = Stat { pzxid: world.zxid, cversion: 1, num_children: 1, ..expected };
    assert_eq!(stat(&world), expected);

    world.decide(set("/a/b", b"", -1)).unwrap();
    assert_eq!(stat(&world), expected);

    world.decide(delete("/a/b", 1)).unwrap();
    expected = Stat { pzxid: world.zxid, cversion: 2, num_children: 0, ..expected };
    assert_eq!(stat(&world), expected);
}

#[test]
fn no_data_is_not_empty_data() {
    let mut world = World::new();
    world.decide(create("/a")).unwrap();
    let read = Read::GetData { path: "/a".into(), watch: false };
    for data in [None, Some(Bytes::new()), Some(Bytes::from_static(b"x"))] {
        let op = WriteOp::SetData { path: "/a".into(), data: data.clone(), version: -1 };
        world.decide(op).unwrap();
        let Ok(Reply::Data { data: found, stat }) = world.read(&read) else { panic!() };
        assert_eq!(
            (&found, stat.data_length as usize),
            (&data, data.as_ref().map_or(0, Bytes::len))
        );
    }
}

/// A tree whose root has had so many creates, and whose data version is this.
fn aged(creates: i32, version: i32, aversion: i32) -> World {
    let mut world = World::new();
    world.tree.hand_over();
    let mut records = world.tree.harvest(usize::MAX);
    for record in &mut records {
        if let Record::Znode { path, stat, .. } = record
            && **path == *"/"
        {
            (stat.creates, stat.version, stat.aversion) = (creates, version, aversion);
        }
    }
    records.sort_by_key(|record| match record {
        Record::Znode { path, .. } => path.to_string(),
        _ => String::new(),
    });
    world.tree = Tree::restore(world.zxid, records).unwrap();
    world
}

#[test]
fn names_and_counters_wrap_as_javas_numbers_do() {
    let rows = [
        (0, "/s0000000000", 0),
        (1, "/s0000000001", 2),
        (i32::MAX, "/s2147483647", -2),
        (i32::MIN, "/s-2147483648", 0),
        (-1, "/s-000000001", -2),
        (-12_345, "/s-000012345", -24_690),
    ];
    for (creates, path, cversion) in rows {
        let mut world = aged(creates, 0, 0);
        let created = world.decide(create_as("/s", CreateMode::PersistentSequential));
        assert_eq!(created, Ok(Reply::Path { path: path.into() }));
        // One more create, and two children now where there was one.
        assert_eq!(world.tree.stat("/").unwrap().cversion, cversion + 2 - 2, "{creates}");
    }
}

#[test]
fn a_version_is_never_minus_one() {
    for (before, after) in [(0, 1), (i32::MAX, i32::MIN), (-3, -2), (-2, 0), (-1, 0)] {
        let mut world = aged(0, before, before);
        world.decide(set("/", b"x", before)).unwrap();
        world.decide(set_acl("/", &Acl::open(), before)).unwrap();
        let stat = world.tree.stat("/").unwrap();
        assert_eq!((stat.version, stat.aversion), (after, after));
    }
}

#[test]
fn each_operation_is_told_in_zookeepers_order() {
    let mut world = World::new();
    let open = Acl::open();
    let ours = [acl(Perms::ALL, "ip", "127.0.0.1")];
    let change =
        |kind, path: &str, acl: &[Acl]| Change { kind, path: path.into(), acl: acl.into() };
    use ChangeKind::*;
    let rows = [
        (
            create_with("/a", b"", &ours),
            vec![change(Created, "/a", &ours), change(ChildrenChanged, "/", &open)],
        ),
        (
            create("/a/b"),
            vec![change(Created, "/a/b", &open), change(ChildrenChanged, "/a", &ours)],
        ),
        (set("/a", b"x", -1), vec![change(DataChanged, "/a", &ours)]),
        (set("/", b"x", -1), vec![change(DataChanged, "/", &open)]),
        (set_acl("/a/b", &ours, -1), vec![]),
        (check("/a", -1), vec![]),
        (
            delete("/a/b", -1),
            vec![change(Deleted, "/a/b", &ours), change(ChildrenChanged, "/a", &ours)],
        ),
        (delete("/a", 7), vec![]),
    ];
    for (op, changes) in rows {
        assert_eq!(world.write(1, op.clone()).changes, changes, "{op:?}");
    }
}

#[test]
fn what_an_acl_shows_to_whom() {
    let list = [
        acl(Perms::READ, "world", "anyone"),
        acl(Perms::ADMIN, "digest", "boss:secret"),
        acl(Perms::WRITE, "digest", "other:hash:ed"),
        acl(Perms::WRITE, "ip", "10.0.0.1:x"),
    ];
    let masked = [
        acl(Perms::READ, "world", "anyone"),
        acl(Perms::ADMIN, "digest", "boss:x"),
        acl(Perms::WRITE, "digest", "other:x"),
        acl(Perms::WRITE, "ip", "10.0.0.1:x"),
    ];
    let mut world = World::new();
    world.decide(create("/a")).unwrap();
    world.tree.hand_over();
    let mut records = world.tree.harvest(usize::MAX);
    for record in &mut records {
        if let Record::Znode { path, acl, .. } = record
            && **path == *"/a"
        {
            *acl = list.as_slice().into();
        }
    }
    records.sort_by_key(|record| format!("{record:?}"));
    world.tree = Tree::restore(world.zxid, records).unwrap();
    let read = Read::GetAcl { path: "/a".into() };
    let rows = [
        (vec![], &masked),
        (vec![Identity::new("digest", "other:hash:ed")], &masked),
        (vec![Identity::new("digest", "boss:secret")], &list),
        (vec![Identity::super_user()], &list),
    ];
    for (identities, shown) in rows {
        let Ok(Reply::Acl { acl, .. }) = world.tree.read(&read, session(1), &identities) else {
            panic!()
        };
        assert_eq!(acl[..], shown[..], "{identities:?}");
    }
}

#[test]
fn each_read_of_a_multi_read_stands_for_itself() {
    let mut world = World::new();
    world.decide(create_with("/a", b"1", &Acl::open())).unwrap();
    world.decide(create_with("/b", b"2", &[acl(Perms::WRITE, "world", "anyone")])).unwrap();
    let data = |path: &str| Read::GetData { path: path.into(), watch: false };
    let children = |path: &str| Read::GetChildren { path: path.into(), watch: false };
    let reads = vec![
        data("/a"),
        data("/b"),
        children("/x"),
        children("/a"),
        Read::Exists { path: "/a".into(), watch: false },
        Read::MultiRead(vec![]),
    ];
    let stat = world.tree.stat("/a").unwrap();
    let answers = vec![
        ReadResult::Data { data: Some(Bytes::from_static(b"1")), stat },
        ReadResult::Error(ErrorCode::NoAuth),
        ReadResult::Error(ErrorCode::NoNode),
        ReadResult::Children([].into_iter().collect()),
        ReadResult::Error(ErrorCode::Unimplemented),
        ReadResult::Error(ErrorCode::Unimplemented),
    ];
    assert_eq!(world.read(&Read::MultiRead(reads)), Ok(Reply::MultiRead(answers)));
}

#[test]
fn the_configuration_is_set_from_the_log() {
    let mut world = World::new();
    let stamp = Stamp { zxid: Zxid(0x2_0000_0000), time: Millis(77) };
    let configure = Command::Configure { servers: Bytes::from_static(b"server.1=...\nversion=0") };
    let told = world.tree.apply(stamp, &configure).changes;
    assert_eq!(
        (told.len(), told[0].kind, &*told[0].path),
        (1, ChangeKind::DataChanged, "/zookeeper/config")
    );
    let stat = world.tree.stat("/zookeeper/config").unwrap();
    assert_eq!(
        (stat.version, stat.mzxid, stat.mtime, stat.aversion),
        (-1, stamp.zxid, stamp.time, -1)
    );
    assert_eq!((stat.czxid, stat.data_length), (Zxid::ZERO, 22));
    assert_eq!(world.tree.config(), Some(&b"server.1=...\nversion=0"[..]));
    let later = Stamp { zxid: Zxid(0x2_0000_0001), ..stamp };
    assert_eq!(world.tree.apply(later, &configure).changes, []);
    world.tree.check_invariants();
}

#[test]
fn a_container_and_a_ttl_node_show_no_owner() {
    let mut world = World::new();
    world.grants.extended_types = true;
    world.decide(create_as("/c", CreateMode::Container)).unwrap();
    let reply = world.decide(create_as("/t", CreateMode::PersistentWithTtl(Millis(5)))).unwrap();
    let Reply::PathStat { path, stat } = reply else { panic!() };
    assert_eq!((&*path, stat.ephemeral_owner), ("/t", 0));
    assert_eq!(world.tree.stat("/c").unwrap().ephemeral_owner, 0);
    let owners = [EphemeralOwner::Container, EphemeralOwner::Ttl(Millis(5))];
    world.tree.hand_over();
    let kept = world.tree.harvest(usize::MAX).into_iter().filter_map(|record| match record {
        Record::Znode { stat, .. } => Some(stat.owner()),
        _ => None,
    });
    assert_eq!(kept.filter(|owner| *owner != EphemeralOwner::None).collect::<Vec<_>>(), owners);
}

#[test]
fn create2_tells_the_stat() {
    let mut world = World::new();
    let WriteOp::Create(mut op) = create_as("/a", CreateMode::Ephemeral) else { unreachable!() };
    op.kind = CreateKind::Create2;
    let Ok(Reply::PathStat { path, stat }) = world.decide(WriteOp::Create(op)) else { panic!() };
    assert_eq!((&*path, Some(stat)), ("/a", world.tree.stat("/a")));
}

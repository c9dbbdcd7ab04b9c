//! Quotas: what is counted, and what is refused.

use bytes::Bytes;
use zooid_model::{ErrorCode, Read, Reply, WriteOp};

use crate::world::*;

/// A world with this quota on `/q`, where nothing is yet.
fn with_quota(limits: &str) -> World {
    let mut world = World::new();
    world.grants.enforce_quota = true;
    for (path, data) in [
        ("/zookeeper/quota/q", ""),
        ("/zookeeper/quota/q/zookeeper_limits", limits),
        ("/zookeeper/quota/q/zookeeper_stats", ""),
    ] {
        world.decide(create_with(path, data.as_bytes(), &zooid_model::Acl::open())).unwrap();
    }
    world
}

fn used(world: &World, quota: &str) -> String {
    let path = format!("/zookeeper/quota{quota}/zookeeper_stats");
    match world.read(&Read::GetData { path, watch: false }) {
        Ok(Reply::Data { data: Some(data), .. }) => String::from_utf8(data.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn sized(path: &str, bytes: usize) -> WriteOp {
    create_with(path, &vec![b'x'; bytes], &zooid_model::Acl::open())
}

#[test]
fn what_is_used_is_counted() {
    let mut world = with_quota("count=1000,bytes=-1");
    let steps = [
        (sized("/q", 5), "count=1,bytes=5"),
        (sized("/q/1", 3), "count=2,bytes=8"),
        (sized("/q/1/2", 0), "count=3,bytes=8"),
        (sized("/other", 9), "count=3,bytes=8"),
        (sized("/qq", 9), "count=3,bytes=8"),
        (set("/q/1", b"123456", -1), "count=3,bytes=11"),
        (WriteOp::SetData { path: "/q/1".into(), data: None, version: -1 }, "count=3,bytes=5"),
        (delete("/q/1/2", -1), "count=2,bytes=5"),
        (set("/q/1", b"1", 77), "count=2,bytes=5"),
        (set("/zookeeper/quota/q/zookeeper_stats", b"count=9,bytes=9", -1), "count=2,bytes=5"),
        (delete("/q/1", -1), "count=1,bytes=5"),
        (delete("/q", -1), "count=0,bytes=0"),
    ];
    for (op, expected) in steps {
        let _ = world.decide(op.clone());
        assert_eq!(used(&world, "/q"), expected, "{op:?}");
    }
    let stat = world.tree.stat("/zookeeper/quota/q/zookeeper_stats").unwrap();
    assert_eq!((stat.version, stat.data_length), (1, 15));
}

#[test]
fn a_quota_counts_what_was_there_before_it() {
    let mut world = World::new();
    for op in [sized("/q", 5), sized("/q/1", 3), sized("/zookeeper/quota/q", 0)] {
        world.decide(op).unwrap();
    }
    let stats = "/zookeeper/quota/q/zookeeper_stats";
    let reply = world.decide(sized(stats, 1)).unwrap();
    let Reply::PathStat { stat, .. } = reply else { panic!() };
    assert_eq!(stat.data_length, 1, "as ZooKeeper answers");
    assert_eq!(used(&world, "/q"), "count=2,bytes=8");
    // Without limits nothing is counted any further, until there are some.
    world.decide(sized("/q/2", 1)).unwrap();
    assert_eq!(used(&world, "/q"), "count=2,bytes=8");
    world
        .decide(create_with(
            "/zookeeper/quota/q/zookeeper_limits",
            b"count=1",
            &zooid_model::Acl::open(),
        ))
        .unwrap();
    assert_eq!(used(&world, "/q"), "count=3,bytes=9");
    world.decide(delete("/zookeeper/quota/q/zookeeper_limits", -1)).unwrap();
    world.decide(sized("/q/3", 1)).unwrap();
    assert_eq!(used(&world, "/q"), "count=3,bytes=9");
}

#[test]
fn what_a_quota_refuses_and_what_it_only_reports() {
    // The quota, the operation, and whether it is refused; else whether it is reported.
    let rows: [(&str, WriteOp, Result<bool, ErrorCode>); 17] = [
        ("count=3", sized("/q/n", 1), Ok(false)),
        ("count=2", sized("/q/n", 1), Ok(true)),
        ("count=2", set("/q", b"longer", -1), Ok(false)),
        ("bytes=9", sized("/q/n", 1), Ok(false)),
        ("bytes=8", sized("/q/n", 1), Ok(true)),
        ("bytes=8", sized("/q/n", 0), Ok(false)),
        ("count=1,bytes=-1=;countHardLimit=3", sized("/q/n", 1), Ok(false)),
        ("count=1,bytes=-1=;countHardLimit=2", sized("/q/n", 1), Err(ErrorCode::QuotaExceeded)),
        ("count=-1,bytes=1=;byteHardLimit=9", sized("/q/n", 1), Ok(false)),
        ("count=-1,bytes=1=;byteHardLimit=8", sized("/q/n", 1), Err(ErrorCode::QuotaExceeded)),
        ("byteHardLimit=8", set("/q", b"123456", -1), Err(ErrorCode::QuotaExceeded)),
        ("byteHardLimit=8", set("/q", b"123456", 99), Err(ErrorCode::QuotaExceeded)),
        ("byteHardLimit=3", set("/q", b"1234", -1), Err(ErrorCode::QuotaExceeded)),
        ("byteHardLimit=0", set("/q", b"54321", -1), Ok(false)),
        ("count=2;byteHardLimit=8", sized("/q/n", 1), Err(ErrorCode::QuotaExceeded)),
        ("nonsense,,;=;bytes=;count=x", sized("/q/n", 1), Ok(false)),
        ("countHardLimit=2", sized("/elsewhere", 1), Ok(false)),
    ];
    for (limits, op, expected) in rows {
        let mut world = with_quota("");
        world.decide(sized("/q", 5)).unwrap();
        world.decide(sized("/q/1", 3)).unwrap();
        world.decide(set("/zookeeper/quota/q/zookeeper_limits", limits.as_bytes(), -1)).unwrap();
        let applied = world.write(1, op.clone());
        let outcome = match applied.outcome {
            zooid_tree::Outcome::Decided(result) => result.map(|_| applied.over_soft_quota),
            other => panic!("{other:?}"),
        };
        assert_eq!(outcome, expected, "{limits} {op:?}");
    }
}

#[test]
fn nothing_is_refused_where_quotas_are_not_enforced_or_not_kept() {
    let mut world = with_quota("countHardLimit=0");
    world.grants.enforce_quota = false;
    assert!(world.decide(sized("/q", 1)).is_ok());
    world.grants.enforce_quota = true;
    assert_eq!(world.decide(sized("/q/1", 1)), Err(ErrorCode::QuotaExceeded));
    world.decide(delete("/zookeeper/quota/q/zookeeper_stats", -1)).unwrap();
    assert!(world.decide(sized("/q/1", 1)).is_ok());
}

#[test]
fn every_quota_above_counts_and_the_nearest_refuses() {
    let mut world = with_quota("countHardLimit=1");
    for (path, data) in [
        ("/zookeeper/quota/q/in", ""),
        ("/zookeeper/quota/q/in/zookeeper_limits", "countHardLimit=2"),
        ("/zookeeper/quota/q/in/zookeeper_stats", ""),
    ] {
        world.decide(create_with(path, data.as_bytes(), &zooid_model::Acl::open())).unwrap();
    }
    for (op, done) in [
        (sized("/q", 0), true),
        (sized("/q/n", 0), false),
        (sized("/q/in", 0), true),
        (sized("/q/in/1", 0), true),
        (sized("/q/in/2", 0), false),
    ] {
        assert_eq!(world.decide(op.clone()).is_ok(), done, "{op:?}");
    }
    assert_eq!(used(&world, "/q"), "count=3,bytes=0");
    assert_eq!(used(&world, "/q/in"), "count=2,bytes=0");
}

#[test]
fn there_is_no_quota_on_the_root_nor_on_zookeeper() {
    let mut world = World::new();
    world.grants.enforce_quota = true;
    for path in [
        "/zookeeper/quota/zookeeper_limits",
        "/zookeeper/quota/zookeeper_stats",
        "/zookeeper/quota/zookeeper",
        "/zookeeper/quota/zookeeper/zookeeper_limits",
        "/zookeeper/quota/zookeeper/zookeeper_stats",
        "/zookeeper/quotas",
        "/zookeeper/quotas/zookeeper_limits",
    ] {
        let op = create_with(path, b"countHardLimit=0", &zooid_model::Acl::open());
        assert!(world.decide(op).is_ok(), "{path}");
    }
    assert!(world.decide(create("/n")).is_ok());
    assert!(world.decide(create("/zookeeper/n")).is_ok());
    let read = Read::GetData { path: "/zookeeper/quota/zookeeper_stats".into(), watch: false };
    let Ok(Reply::Data { data, .. }) = world.read(&read) else { panic!() };
    assert_eq!(data, Some(Bytes::from_static(b"countHardLimit=0")));
}

#[test]
fn in_a_multi_the_operations_before_count() {
    let mut world = with_quota("countHardLimit=2");
    world.decide(sized("/q", 0)).unwrap();
    let fits =
        world.decide(WriteOp::Multi(vec![sized("/q/1", 0), delete("/q/1", -1), sized("/q/2", 0)]));
    let Ok(Reply::Multi(results)) = fits else { panic!() };
    assert!(results.iter().all(|result| !matches!(result, zooid_model::OpResult::Error(_))));
    world.decide(delete("/q/2", -1)).unwrap();
    let Ok(Reply::Multi(results)) =
        world.decide(WriteOp::Multi(vec![sized("/q/1", 0), sized("/q/2", 0)]))
    else {
        panic!()
    };
    assert_eq!(results[1], zooid_model::OpResult::Error(Err(ErrorCode::QuotaExceeded)));
    assert_eq!(used(&world, "/q"), "count=1,bytes=0");
}

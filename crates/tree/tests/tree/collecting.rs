//! Containers and TTL nodes: when they may be collected, and when they are not.

use zooid_ids::Millis;
use zooid_model::{Command, CreateMode};
use zooid_tree::Outcome;

use crate::world::*;

const FOREVER: Millis = Millis(0);

fn collectable(world: &World, now: i64, never_used: Millis) -> Vec<String> {
    let commands = world.tree.collectable(Millis(now), never_used, usize::MAX);
    let path = |command| match command {
        Command::Collect { path, .. } => path,
        other => panic!("{other:?}"),
    };
    let mut paths: Vec<String> = commands.into_iter().map(path).collect();
    paths.sort();
    paths
}

fn collect(world: &mut World, path: &str) -> Command {
    let stat = world.tree.stat(path).unwrap();
    let (czxid, mzxid, pzxid) = (stat.czxid, stat.mzxid, stat.pzxid);
    Command::Collect { path: path.into(), czxid, mzxid, pzxid }
}

#[test]
fn a_container_goes_when_its_last_child_has_gone() {
    let mut world = World::new();
    world.decide(create_as("/c", CreateMode::Container)).unwrap();
    assert_eq!(collectable(&world, i64::MAX, FOREVER), [""; 0]);
    world.decide(create("/c/1")).unwrap();
    world.decide(create("/c/2")).unwrap();
    world.decide(delete("/c/1", -1)).unwrap();
    assert_eq!(collectable(&world, i64::MAX, FOREVER), [""; 0]);
    world.decide(delete("/c/2", -1)).unwrap();
    assert_eq!(collectable(&world, 0, FOREVER), ["/c"]);
    world.decide(create("/c/3")).unwrap();
    assert_eq!(collectable(&world, i64::MAX, FOREVER), [""; 0]);
}

#[test]
fn a_container_that_was_never_used_goes_after_a_while_if_that_is_wished() {
    let mut world = World::new();
    world.decide(create_as("/c", CreateMode::Container)).unwrap();
    world.decide(set("/c", b"x", -1)).unwrap();
    let since = world.now.0;
    for (now, never_used, found) in [
        (since + 101, Millis(100), 1),
        (since + 100, Millis(100), 0),
        (since - 1, Millis(100), 0),
        (i64::MAX, FOREVER, 0),
    ] {
        assert_eq!(collectable(&world, now, never_used).len(), found, "{now} {never_used}");
    }
}

#[test]
fn a_ttl_node_goes_when_nobody_set_it_for_so_long() {
    let mut world = World::new();
    world.grants.extended_types = true;
    world.decide(create_as("/t", CreateMode::PersistentWithTtl(Millis(50)))).unwrap();
    world.decide(set("/t", b"again", -1)).unwrap();
    let set = world.now.0;
    assert_eq!(collectable(&world, set + 50, FOREVER), [""; 0]);
    assert_eq!(collectable(&world, set + 51, FOREVER), ["/t"]);
    world.decide(create("/t/child")).unwrap();
    assert_eq!(collectable(&world, set + 51, FOREVER), [""; 0]);
    world.decide(delete("/t/child", -1)).unwrap();
    assert_eq!(collectable(&world, set + 51, FOREVER), ["/t"], "children do not keep it longer");
}

#[test]
fn no_more_than_asked_for() {
    let mut world = World::new();
    world.grants.extended_types = true;
    for n in 0..5 {
        let mode = CreateMode::PersistentSequentialWithTtl(Millis(1 + n));
        world.decide(create_as("/t", mode)).unwrap();
    }
    let now = Millis(i64::MAX);
    assert_eq!(world.tree.collectable(now, FOREVER, 3).len(), 3);
    assert_eq!(world.tree.collectable(now, FOREVER, 0).len(), 0);
    assert_eq!(world.tree.collectable(now, FOREVER, 9).len(), 5);
}

#[test]
fn what_collecting_comes_to() {
    let mut world = World::new();
    world.grants.extended_types = true;
    for op in [
        create("/plain"),
        create_as("/e", CreateMode::Ephemeral),
        create_as("/c", CreateMode::Container),
        create_as("/full", CreateMode::Container),
        create("/full/1"),
        create_as("/t", CreateMode::PersistentWithTtl(Millis(1))),
    ] {
        world.decide(op).unwrap();
    }
    let stale = collect(&mut world, "/t");
    world.decide(set("/t", b"alive", -1)).unwrap();
    let other = |path: &str, command: Command| match command {
        Command::Collect { czxid, mzxid, pzxid, .. } => {
            Command::Collect { path: path.into(), czxid, mzxid, pzxid }
        }
        other => other,
    };
    let current = collect(&mut world, "/t");
    let rows = [
        (collect(&mut world, "/plain"), Outcome::NotCollected),
        (collect(&mut world, "/e"), Outcome::NotCollected),
        (collect(&mut world, "/full"), Outcome::NotCollected),
        (collect(&mut world, "/"), Outcome::NotCollected),
        (collect(&mut world, "/zookeeper"), Outcome::NotCollected),
        (stale, Outcome::NotCollected),
        (other("/x", current.clone()), Outcome::NotCollected),
        (other("/t/", current.clone()), Outcome::NotCollected),
        (other("", current.clone()), Outcome::NotCollected),
        (current.clone(), Outcome::Collected),
        (current, Outcome::NotCollected),
        (collect(&mut world, "/c"), Outcome::Collected),
    ];
    for (command, outcome) in rows {
        let applied = world.apply(&command);
        assert_eq!(applied.outcome, outcome, "{command:?}");
        let changes = if outcome == Outcome::Collected { 2 } else { 0 };
        assert_eq!(applied.changes.len(), changes, "{command:?}");
    }
    assert_eq!(world.tree.stat("/").unwrap().pzxid, world.zxid);
}

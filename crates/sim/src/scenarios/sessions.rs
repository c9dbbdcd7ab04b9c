//! Sessions that end, move, and come back.

use zooid_model::{ErrorCode, Read};
use zooid_oracle::Told;

use super::*;

fn three() -> Scene {
    Scene::new(Setup::default())
}

#[test]
fn r20_a_client_comes_back_at_every_moment_around_its_expiry() {
    let (mut expired, mut kept) = (0, 0);
    for moment in 0..60 {
        let mut scene = three();
        let (leader, other) = (scene.leader(), scene.followers()[0]);
        let client = scene.client_of(scene.followers()[1]);
        scene.world.ask(client, create("/e", CreateMode::Ephemeral));
        scene.run(100);
        let session = scene.world.clients[client].session;
        // It is silent until about its timeout, then comes back elsewhere.
        scene.world.hang_up(client);
        scene.world.clients[client].faithful_to = Some(other);
        scene.world.sleep(client, 60 * SECOND);
        scene.run(3800 + moment * 15);
        scene.world.sleep(client, 0);
        scene.world.connect(client, Some(other));
        scene.run(1500);
        let lives = scene.world.servers[&leader].node().unwrap().tree().session(session).is_some();
        if lives {
            kept += 1
        } else {
            expired += 1
        }
        scene.finish();
    }
    assert!(kept > 5 && expired > 5, "{kept} kept, {expired} expired: both must happen");
}

#[test]
fn r21_an_ephemeral_is_made_while_its_session_is_closed() {
    for gap in 0..40 {
        let mut scene = three();
        let client = scene.client_of(scene.followers()[0]);
        scene.world.ask(client, create("/e", CreateMode::Ephemeral));
        scene.world.ask(client, Request::CloseSession);
        scene.world.run(gap * 50);
        scene.world.ask(client, create("/f", CreateMode::Ephemeral));
        scene.run(300);
        let tree = scene.world.servers[&scene.leader()].node().unwrap().tree();
        assert!(tree.sessions().count() < 3 || !scene.saw("CloseSession"));
        scene.finish();
    }
}

#[test]
fn r22_a_request_that_is_late_at_the_server_that_the_session_has_left() {
    let mut scene = three();
    let (leader, followers) = (scene.leader(), scene.followers());
    let client = scene.client_of(followers[0]);
    // What the old server forwards does not arrive, until the session has moved.
    scene.world.cut(followers[0], leader);
    scene.write(client);
    scene.run(5);
    scene.world.clients[client].faithful_to = Some(followers[1]);
    scene.world.hang_up(client);
    scene.world.connect(client, Some(followers[1]));
    scene.run(30);
    scene.world.heal();
    scene.run(500);
    scene.write(client);
    scene.run(500);
    let history = scene.finish();
    let moved =
        history.conversations.iter().flat_map(|one| &one.told).filter(|told| {
            matches!(told, Told::Reply { result: Err(ErrorCode::SessionMoved), .. })
        });
    assert!(moved.count() <= 1);
}

#[test]
fn r23_a_session_with_thousands_of_ephemerals_is_closed() {
    let mut scene = three();
    let client = scene.client_of(scene.followers()[0]);
    for _ in 0..30 {
        for _ in 0..100 {
            scene.world.ask(client, create("/e-", CreateMode::EphemeralSequential));
        }
        scene.run(50);
    }
    let tree = scene.world.servers[&scene.leader()].node().unwrap().tree();
    assert!(tree.counts().znodes > 3000);
    scene.world.ask(client, Request::CloseSession);
    scene.run(500);
    let tree = scene.world.servers[&scene.leader()].node().unwrap().tree();
    assert!(tree.counts().znodes < 100, "{} are left", tree.counts().znodes);
    scene.finish();
}

#[test]
fn r24_a_client_that_has_seen_more_waits_for_its_server() {
    let mut scene = three();
    let (leader, followers) = (scene.leader(), scene.followers());
    let client = scene.client_of(leader);
    // One server is behind, and still serves.
    scene.world.cut(leader, followers[0]);
    scene.write(client);
    scene.run(60);
    scene.world.hang_up(client);
    scene.world.clients[client].faithful_to = Some(followers[0]);
    scene.world.connect(client, Some(followers[0]));
    scene.run(50);
    assert!(!scene.world.is_connected(client), "it would see time go back");
    scene.world.heal();
    scene.until("it is accepted", |world| world.is_connected(client));
    scene.finish();
}

#[test]
fn r27_numbers_of_nodes_go_on_under_another_leader() {
    let mut scene = three();
    for _ in 0..4 {
        scene.write_all(5);
        scene.world.run(2000);
        let leader = scene.leader();
        scene.kill(leader);
        scene.run(300);
        scene.boot(leader);
        scene.settle();
    }
    scene.write_all(1);
    scene.run(100);
    // That each number is given once, the judge knows.
    let history = scene.finish();
    assert!(history.log.len() > 20);
}

#[test]
fn r28_events_come_before_what_they_tell_of() {
    let mut scene = three();
    let (one, other) = (0, 1);
    scene.world.ask(one, create("/w", CreateMode::Persistent));
    scene.run(50);
    for round in 0..50u64 {
        for watch in [true, false] {
            let read = Read::GetData { path: "/w".into(), watch };
            scene.world.ask(other, Request::Read(read));
        }
        let data = Some("y".into());
        let set = WriteOp::SetData { path: "/w".into(), data, version: -1 };
        scene.world.ask(one, Request::Write(set));
        scene.world.run(200 + 37 * round);
        let read = Read::GetData { path: "/w".into(), watch: false };
        scene.world.ask(other, Request::Read(read));
    }
    scene.run(100);
    let history = scene.finish();
    let told = history.conversations.iter().flat_map(|one| &one.told);
    assert!(told.filter(|told| matches!(told, Told::Event { .. })).count() > 20);
}

#[test]
fn r48_clients_of_before_meet_servers_that_were_restored_from_a_copy() {
    let mut scene = three();
    scene.write_all(2);
    scene.run(100);
    let ids: Vec<ServerId> = scene.world.servers.keys().copied().collect();
    ids.iter().for_each(|id| scene.kill(*id));
    let copies: Vec<_> = ids.iter().map(|id| scene.world.servers[id].disk.stored.clone()).collect();
    ids.iter().for_each(|id| scene.boot(*id));
    scene.settle();
    scene.write_all(5);
    scene.run(200);
    ids.iter().for_each(|id| scene.kill(*id));
    for (id, copy) in ids.iter().zip(copies) {
        scene.world.record.restored(copy.last().zxid);
        scene.world.server(*id).disk.stored = copy;
    }
    ids.iter().for_each(|id| scene.boot(*id));
    scene.run(20_000);
    let clients = 0..scene.world.clients.len();
    let accepted = clients.filter(|client| scene.world.is_connected(*client)).count();
    assert_eq!(accepted, 0, "they have seen what is not there any more");
}

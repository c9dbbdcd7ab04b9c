//! Networks that are cut, servers that sleep, disks that are lost.

use zooid_node::Node;
use zooid_oracle::Logged;

use super::*;

fn three() -> Scene {
    Scene::new(Setup::default())
}

#[test]
fn r13_an_observer_joins_under_load() {
    let mut scene = Scene::new(Setup { observers: 1, clients: 4, ..Setup::default() });
    let observer = ServerId(4);
    scene.kill(observer);
    scene.write_all(5);
    scene.run(20);
    scene.boot(observer);
    for _ in 0..100 {
        scene.write_all(1);
        scene.run(2);
    }
    scene.settle();
    assert_ne!(scene.leader(), observer);
    let history = scene.finish();
    assert!(history.log.len() > 300);
}

#[test]
fn r14_one_comes_late_to_an_ensemble_with_many_elections_behind_it() {
    let mut scene = three();
    let late = scene.followers()[0];
    scene.kill(late);
    for _ in 0..5 {
        let leader = scene.leader();
        scene.kill(leader);
        scene.run(200);
        scene.boot(leader);
        scene.settle();
    }
    let before = scene.world.now;
    scene.boot(late);
    scene.settle();
    assert!(scene.world.now - before < 5 * SECOND, "it finds the leader soon");
    scene.finish();
}

#[test]
fn r16_only_what_the_leader_says_arrives_and_only_what_it_is_told() {
    for outwards in [true, false] {
        let mut scene = three();
        let (leader, followers) = (scene.leader(), scene.followers());
        for follower in &followers {
            let (from, to) = if outwards { (*follower, leader) } else { (leader, *follower) };
            scene.world.cut(from, to);
        }
        for _ in 0..10 {
            scene.write_all(1);
            scene.run(1000);
        }
        let led_by = |node: &Node| matches!(node.role(), Role::Leading(_));
        let others = followers.iter().filter_map(|id| scene.world.servers[id].node());
        assert!(others.filter(|node| led_by(node)).count() == 1, "the others go on");
        scene.finish();
    }
}

#[test]
fn r18_the_counter_rolls_over_under_load_and_by_an_election() {
    let mut scene = Scene::new(Setup { rollover_counter: 20, ..Setup::default() });
    for round in 0..60 {
        scene.write_all(2);
        scene.run(10);
        if round == 30 {
            let leader = scene.leader();
            scene.kill(leader);
            scene.run(100);
            scene.boot(leader);
            scene.settle();
        }
    }
    let history = scene.finish();
    let epochs = history.log.iter().filter(|entry| entry.what == Logged::EpochStart);
    assert!(epochs.count() > 5, "it rolled over again and again");
}

#[test]
fn r30_a_leader_is_killed_at_every_effect_under_a_client_that_does_not_wait() {
    for how in [End::Killed, End::PowerCut] {
        let ends = at_every_effect(how, |end| {
            let mut scene = three();
            let (leader, follower) = (scene.leader(), scene.followers()[0]);
            end(&mut scene, leader);
            for _ in 0..20 {
                scene.write(scene.client_of(follower));
                scene.write(scene.client_of(leader));
            }
            scene.run(60);
            end(&mut scene, leader);
            scene.finish();
        });
        assert!(ends > 30, "only {ends} ends");
    }
}

#[test]
fn r31_a_leader_that_slept_through_its_end_answers_no_sync() {
    let mut scene = three();
    let old = scene.leader();
    scene.pause(old);
    scene.run(4000);
    assert_ne!(scene.leader_awake(), old);
    let (awake, asleep) = (scene.client_of(scene.leader_awake()), scene.client_of(old));
    for _ in 0..3 {
        scene.write(awake);
        scene.run(50);
    }
    scene.world.ask(asleep, Request::Sync { path: "/".into() });
    scene.world.ask(
        asleep,
        Request::Read(zooid_model::Read::GetChildren { path: "/".into(), watch: false }),
    );
    scene.world.resume(old);
    scene.settle();
    scene.finish();
}

#[test]
fn r32_disks_that_fail_end_their_servers_and_nothing_is_lost() {
    for set in 1..8u64 {
        let mut scene = three();
        scene.write_all(10);
        scene.world.run(700);
        for id in (1..=3).map(ServerId).filter(|id| set >> (id.0 - 1) & 1 == 1) {
            scene.cut_power(id);
        }
        scene.run(2000);
        scene.finish();
    }
}

#[test]
fn r34_a_bit_flips_in_what_one_acknowledged_and_then_another_is_lost() {
    let mut scene = three();
    scene.write_all(5);
    scene.run(100);
    let (leader, followers) = (scene.leader(), scene.followers());
    scene.world.damage(followers[0], 4);
    scene.world.end(followers[1], End::Killed);
    scene.boot(followers[0]);
    scene.kill(leader);
    scene.run(5000);
    let suspect = scene.world.servers[&followers[0]].node().unwrap();
    assert!(!suspect.is_serving(), "it must not decide on its own");
    scene.boot(leader);
    scene.run(5000);
    assert!(!scene.world.servers[&leader].node().unwrap().is_serving(), "nor with one other");
    scene.finish();
}

#[test]
fn r35_a_wiped_voter_would_decide() {
    let mut scene = three();
    let (leader, followers) = (scene.leader(), scene.followers());
    let (wiped, behind) = (followers[0], followers[1]);
    scene.kill(behind);
    scene.write_all(3);
    scene.run(100);
    scene.world.wipe(wiped);
    scene.kill(leader);
    scene.boot(wiped);
    scene.boot(behind);
    scene.run(10_000);
    for id in [wiped, behind] {
        assert!(!scene.world.servers[&id].node().unwrap().is_serving(), "{id} forgot a write");
    }
    scene.finish();
}

#[test]
fn r36_two_of_three_are_wiped_and_everything_stops() {
    let mut scene = three();
    scene.write_all(3);
    scene.run(100);
    let followers = scene.followers();
    for id in &followers {
        scene.cut_power(*id);
        scene.world.server(*id).disk.stored = crate::disk::Stored::default();
        scene.boot(*id);
    }
    scene.run(20_000);
    let serving = scene.world.servers.values().filter_map(|server| server.node());
    assert_eq!(serving.filter(|node| node.is_serving()).count(), 0, "nobody may decide");
}

#[test]
fn r39_a_leader_sleeps_for_longer_than_every_timeout_and_ends_no_session() {
    let mut scene = three();
    scene.write_all(1);
    scene.run(100);
    let leader = scene.leader();
    scene.pause(leader);
    scene.run(12_000);
    scene.world.resume(leader);
    scene.run(300);
    // Only the client of the one that slept was silent towards all others.
    let history = scene.finish();
    let expired = history.log.iter().filter(|entry| is_expiry(&entry.what)).count();
    assert!(expired <= 1, "{expired} sessions were ended");
}

#[test]
fn r40_wall_clocks_jump_and_no_session_ends() {
    let mut scene = three();
    let leader = scene.leader();
    for jump in [3_600_000, -7_200_000, 3_600_000] {
        scene.world.server(leader).skew += jump;
        scene.write_all(2);
        scene.run(3000);
    }
    let history = scene.finish();
    assert!(!history.log.iter().any(|entry| is_expiry(&entry.what)));
    assert!(history.log.is_sorted_by_key(|entry| entry.time), "the log's time never goes back");
}

#[test]
fn r44_a_server_ends_at_what_it_cannot_bear_and_the_others_go_on() {
    let mut scene = three();
    let follower = scene.followers()[0];
    scene.kill(follower);
    scene.write_all(3);
    scene.run(200);
    assert!(scene.world.servers[&scene.leader()].node().unwrap().is_serving());
    scene.finish();
}

fn is_expiry(what: &Logged) -> bool {
    use zooid_model::{Command, Origin};
    matches!(what, Logged::Command(Command::CloseSession { by: Origin::Expiry, .. }))
}

impl Scene {
    /// Who leads of those that are awake.
    fn leader_awake(&self) -> ServerId {
        let awake = self.world.servers.values().filter(|server| {
            let process = server.process.as_ref();
            process.is_some_and(|p| !p.paused && matches!(p.node.role(), Role::Leading(_)))
        });
        awake.map(|server| server.id).next().expect("somebody leads")
    }
}

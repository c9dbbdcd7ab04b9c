//! How a server's log becomes its leader's, and what can go wrong meanwhile.

use std::cell::Cell;

use super::*;

/// Client 0 to 2 speak to servers 1 to 3.
fn three() -> Scene {
    Scene::new(Setup::default())
}

/// A leader writes something that nobody else gets, and is gone; the others go on without it.
fn with_a_tail_that_nobody_has() -> (Scene, ServerId) {
    let mut scene = three();
    let leader = scene.leader();
    scene.world.isolate(leader);
    for _ in 0..3 {
        scene.write(scene.client_of(leader));
    }
    scene.run(50);
    scene.kill(leader);
    scene.settle_with_another_leader();
    scene.world.heal();
    scene.write_all(2);
    scene.run(50);
    (scene, leader)
}

#[test]
fn r01_an_old_leader_comes_back_with_what_nobody_committed() {
    let (mut scene, old) = with_a_tail_that_nobody_has();
    scene.boot(old);
    scene.settle();
    assert!(scene.saw(&format!("server {old} cuts its log")), "it had a tail");
    scene.finish();
}

#[test]
fn r02_a_tail_of_an_epoch_that_the_new_leader_never_saw() {
    let (mut scene, first) = with_a_tail_that_nobody_has();
    // The next leader leaves a tail too, and both come back to a third.
    let second = scene.leader();
    scene.world.isolate(second);
    scene.write(scene.client_of(second));
    scene.run(50);
    scene.kill(second);
    scene.boot(first);
    scene.settle_with_another_leader();
    scene.world.heal();
    scene.write_all(1);
    scene.run(50);
    scene.boot(second);
    scene.settle();
    assert!(scene.saw(&format!("server {second} cuts its log")));
    scene.finish();
}

#[test]
fn r03_a_crash_at_every_step_of_a_truncation() {
    let ends = at_every_effect(End::PowerCut, |end| {
        let (mut scene, old) = with_a_tail_that_nobody_has();
        scene.boot(old);
        end(&mut scene, old);
        scene.run(1000);
        end(&mut scene, old);
        scene.finish();
    });
    assert!(ends > 5, "only {ends} ends");
}

/// One server missed more than the log of the others still holds.
fn with_a_follower_far_behind() -> (Scene, ServerId) {
    let setup = Setup { checkpoint_entries: 5, keep_entries: 1, ..Setup::default() };
    let mut scene = Scene::new(setup);
    let behind = scene.followers()[0];
    scene.kill(behind);
    for _ in 0..10 {
        scene.write_all(2);
        scene.run(100);
    }
    (scene, behind)
}

#[test]
fn r04_a_crash_at_every_step_of_the_installation_of_a_checkpoint() {
    for how in [End::Killed, End::PowerCut] {
        let installed = Cell::new(0);
        let ends = at_every_effect(how, |end| {
            let (mut scene, behind) = with_a_follower_far_behind();
            scene.boot(behind);
            end(&mut scene, behind);
            scene.run(1000);
            end(&mut scene, behind);
            installed.set(installed.get() + u64::from(scene.saw("installed")));
            scene.finish();
        });
        assert!(ends > 5 && installed.get() > 0, "{ends} ends, {} installed", installed.get());
    }
}

#[test]
fn r05_a_leader_that_dies_right_after_its_checkpoint_was_installed() {
    let (mut scene, behind) = with_a_follower_far_behind();
    let leader = scene.leader();
    scene.boot(behind);
    let installed = format!("server {behind} installed");
    while !scene.saw(&installed) {
        scene.run(1);
    }
    scene.kill(leader);
    scene.settle();
    scene.write_all(1);
    scene.run(100);
    scene.finish();
}

#[test]
fn r06_all_lose_power_while_a_quorum_has_just_acknowledged_the_new_epoch() {
    let ends = at_every_effect(End::PowerCut, |end| {
        let mut scene = three();
        scene.write_all(3);
        scene.run(100);
        let old = scene.leader();
        let followers = scene.followers();
        scene.cut_power(old);
        end(&mut scene, followers[1]);
        scene.run(400);
        end(&mut scene, followers[1]);
        // The old leader is not there when the others come back.
        followers.iter().for_each(|id| scene.cut_power(*id));
        followers.iter().for_each(|id| scene.boot(*id));
        scene.settle();
        scene.write(scene.client_of(followers[0]));
        scene.run(100);
        scene.finish();
    });
    assert!(ends > 10, "only {ends} ends");
}

#[test]
fn r07_a_crash_at_every_step_of_a_follower_that_joins_a_new_epoch() {
    for how in [End::Killed, End::PowerCut] {
        let ends = at_every_effect(how, |end| {
            let mut scene = three();
            scene.write_all(3);
            scene.run(20);
            let (old, followers) = (scene.leader(), scene.followers());
            end(&mut scene, followers[0]);
            scene.kill(old);
            scene.run(300);
            scene.boot(old);
            scene.run(700);
            end(&mut scene, followers[0]);
            scene.finish();
        });
        assert!(ends > 10, "only {ends} ends");
    }
}

/// A follower joins while everybody writes without a pause.
fn join_under_load(mut scene: Scene, joining: ServerId) {
    scene.boot(joining);
    for _ in 0..200 {
        scene.write_all(1);
        scene.run(1);
    }
    scene.settle();
    scene.finish();
}

#[test]
fn r08_r09_commits_and_acknowledgements_around_the_start_of_an_epoch() {
    let mut scene = three();
    let joining = scene.followers()[0];
    scene.kill(joining);
    scene.write_all(2);
    scene.run(50);
    join_under_load(scene, joining);
    // And with everybody joining a new epoch at once.
    let mut scene = three();
    let leader = scene.leader();
    scene.kill(leader);
    for _ in 0..300 {
        scene.write_all(1);
        scene.run(1);
    }
    join_under_load(scene, leader);
}

#[test]
fn r10_who_was_just_synchronised_leads_and_synchronises_a_third() {
    let mut scene = three();
    let (leader, followers) = (scene.leader(), scene.followers());
    let (stays, joins) = (followers[0], followers[1]);
    scene.kill(joins);
    scene.write_all(5);
    scene.run(100);
    scene.kill(stays);
    scene.boot(joins);
    scene.settle();
    scene.write(scene.client_of(joins));
    scene.run(100);
    scene.kill(leader);
    scene.boot(stays);
    scene.settle();
    assert_eq!(scene.leader(), joins, "only it has everything");
    scene.write(scene.client_of(stays));
    scene.run(100);
    scene.finish();
}

#[test]
fn r11_a_leader_that_becomes_a_follower_with_much_that_is_not_synced() {
    let mut scene = three();
    let leader = scene.leader();
    scene.world.server(leader).slow_disk = SECOND;
    for _ in 0..100 {
        scene.write_all(3);
    }
    scene.run(30);
    scene.world.isolate(leader);
    scene.run(4000);
    scene.world.heal();
    scene.world.server(leader).slow_disk = 0;
    scene.settle();
    scene.finish();
}

#[test]
fn r12_a_channel_that_breaks_at_every_moment_of_a_synchronisation() {
    for after in 0..60 {
        let mut scene = three();
        let (leader, joining) = (scene.leader(), scene.followers()[0]);
        scene.kill(joining);
        scene.write_all(5);
        scene.run(50);
        scene.boot(joining);
        scene.world.run(after * 500);
        scene.world.break_between(leader, joining);
        scene.settle();
        scene.finish();
    }
}

#[test]
fn r15_a_candidate_that_one_voter_and_then_nobody_can_reach() {
    let mut scene = three();
    let (leader, followers) = (scene.leader(), scene.followers());
    scene.kill(leader);
    // The one with the highest number is elected, but the other cannot dial it.
    scene.world.cut(followers[0], followers[1]);
    scene.run(3000);
    scene.boot(leader);
    scene.settle();
    scene.write_all(1);
    scene.run(100);
    scene.finish();
}

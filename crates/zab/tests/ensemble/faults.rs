//! Ensembles of servers under faults that are drawn from a seed: crashes that lose what was not
//! synced, lost disks, cut networks, pauses, slow disks, compacted logs. First anything goes and
//! everything must stay right (safety); then all is healed and the ensemble must come together
//! (liveness), unless a quorum lost its disks: then it must not.
//!
//! `ZAB_SEEDS=10000 cargo test --release -p zooid-zab --test ensemble` runs more;
//! `ZAB_SEED=7` runs one and prints what happened.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::world::{Dice, World};
use zooid_ids::{Millis, ServerId};
use zooid_zab::Settings;

/// Seeds in a plain `cargo test`: a few seconds in a debug build.
const SEEDS: u64 = 40;

#[test]
fn nothing_is_lost_and_everybody_comes_together() {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seeds = match number("ZAB_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ZAB_SEEDS").unwrap_or(SEEDS),
    };
    let told = seeds.end - seeds.start == 1;
    for seed in seeds {
        let mut world = draw(seed);
        let run = catch_unwind(AssertUnwindSafe(|| {
            torment(&mut world, &mut Dice(seed ^ 0xfa17));
            world.heal_and_check();
        }));
        if told || run.is_err() {
            println!("{}", world.trace.join("\n"));
            world.servers.iter().for_each(|s| println!("{}: {:?}", s.id, s.zab));
        }
        assert!(run.is_ok(), "seed {seed} fails; to see it: ZAB_SEED={seed}");
    }
}

#[test]
fn the_same_seed_is_the_same_story() {
    let tell = || {
        let mut world = draw(7);
        torment(&mut world, &mut Dice(7));
        (world.trace, world.judge.order)
    };
    assert_eq!(tell(), tell());
}

fn draw(seed: u64) -> World {
    let mut dice = Dice(seed);
    let tick = [100, 500, 2000][dice.below(3) as usize];
    let settings = Settings {
        rollover_counter: [5, 50, u32::MAX][dice.below(3) as usize],
        tick: Millis(tick),
        init_limit: Millis(10 * tick),
        sync_limit: Millis(5 * tick),
        election_wait: Millis(50),
    };
    let voters = [1, 2, 3, 3, 3, 5, 5][dice.below(7) as usize];
    World::new(dice.next(), voters, dice.below(3), settings)
}

fn torment(world: &mut World, dice: &mut Dice) {
    let servers = world.servers.len() as u64;
    let steps = 20 + dice.below(60);
    for _ in 0..steps {
        let one = ServerId(1 + dice.below(servers));
        let other = ServerId(1 + dice.below(servers));
        match dice.below(17) {
            0 | 1 => world.crash(one),
            2..=4 => world.boot(one),
            5 => drop(world.cut.insert((one, other))),
            6 => world.isolate(one),
            7 | 8 => world.cut.clear(),
            9 => world.server(one).paused ^= true,
            10 => world.checkpoint(one, dice.below(4) as usize),
            11 => world.disk_delay = [5, 50, 2000][dice.below(3) as usize],
            12 => world.sync(one),
            13 => world.touch(one, dice.once_in(2)),
            14 => world.hand_over(one),
            15 if dice.once_in(4) && world.somebody_remembers_without(one) => world.wipe(one),
            _ => (0..dice.below(5)).for_each(|_| world.propose(one)),
        }
        for _ in 0..dice.below(3) {
            let id = ServerId(1 + dice.below(servers));
            world.propose(id);
        }
        let longest = if dice.once_in(4) { 20_000 } else { 300 };
        world.run(1 + dice.below(longest));
    }
}

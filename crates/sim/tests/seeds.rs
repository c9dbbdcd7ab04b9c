//! Seeds, enough of them to be quick: `cargo run --release -p zooid-sim -- --seeds 100000` plays
//! more.

use zooid_sim::{Options, play};

const SEEDS: u64 = 150;

/// Seeds in which something was found: an election that never ended, an admission that counted too
/// early, a client that was told something after its session had ended.
const FOUND: [u64; 11] =
    [148, 12_446, 17_031, 17_251, 23_558, 37_101, 108_750, 121_979, 125_699, 134_064, 135_238];

#[test]
fn every_seed_keeps_every_guarantee_and_everybody_comes_together() {
    let (mut epochs, mut told, mut lost) = (0, 0, 0);
    for seed in (0..SEEDS).chain(FOUND) {
        let played = play(seed, &Options::default());
        if let Some(failure) = &played.failure {
            panic!(
                "{} at {}; to see it: cargo run -p zooid-sim -- --seed {seed}",
                failure.what, failure.place
            );
        }
        epochs += played.elections;
        told += played.told();
        lost += played.lost_disks;
    }
    // A world in which nothing happens would keep every guarantee.
    assert!(epochs > 2 * SEEDS as usize, "{epochs} epochs");
    assert!(told > 50 * SEEDS as usize, "{told} things were told");
    assert!(lost > SEEDS / 2, "{lost} disks were lost");
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in 0..20 {
        let traced = Options { traced: true, ..Options::default() };
        let (first, again) = (play(seed, &traced), play(seed, &traced));
        assert_eq!(first.trace, again.trace, "seed {seed}");
        assert!(first.trace.len() > 100, "seed {seed} tells nothing");
        // What is told changes nothing of what happens.
        let silent = play(seed, &Options::default());
        assert_eq!((first.happened, first.told()), (silent.happened, silent.told()), "seed {seed}");
    }
}

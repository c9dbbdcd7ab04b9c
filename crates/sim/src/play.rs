//! One seed, from its beginning to the judgement; and a failure, made short.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use zooid_oracle::History;

use crate::dice::Dice;
use crate::schedule::{self, Step};
use crate::setup::Setup;
use crate::world::World;

/// How a seed is played.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What happens is told in lines.
    pub traced: bool,
    /// Only these steps of the schedule happen.
    pub only: Option<BTreeSet<u64>>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Simulated, in microseconds.
    pub time: u64,
    /// Events of the world.
    pub happened: u64,
    /// Epochs that were led.
    pub elections: usize,
    /// The log, and what clients asked and were told; none if something failed before it was
    /// judged.
    pub history: Option<History>,
    /// Disks that were lost.
    pub lost_disks: u64,
    /// What happened, if that was wanted.
    pub trace: Vec<String>,
    /// What was wrong.
    pub failure: Option<Failure>,
}

impl Played {
    /// Entries that were committed.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.history.as_ref().map_or(0, |history| history.log.len())
    }

    /// Answers and events that clients were told, each judged.
    #[must_use]
    pub fn told(&self) -> usize {
        let conversations = self.history.iter().flat_map(|history| &history.conversations);
        conversations.map(|one| one.told.len()).sum()
    }
}

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What, in words.
    pub what: String,
    /// Where it was found.
    pub place: String,
}

/// Plays a seed.
#[must_use]
pub fn play(seed: u64, options: &Options) -> Played {
    let mut dice = Dice::new(seed);
    let setup = Setup::draw(&mut dice);
    let mut steps = schedule::draw(&setup, &mut dice);
    if let Some(only) = &options.only {
        steps.retain(|step| only.contains(&step.number));
    }
    run(World::new(setup, dice.next(), options.traced), &steps)
}

fn run(mut world: World, steps: &[Step]) -> Played {
    let mut played = Played::default();
    let failure = watched(|| {
        world.torment(steps);
        world.heal_and_check();
    });
    (played.time, played.happened) = (world.now, world.happened);
    (played.elections, played.lost_disks) = (world.record.elections(), world.record.lost_disks);
    played.trace = world.trace.lines.take().unwrap_or_default();
    played.failure = failure.err().or_else(|| {
        let history = watched(|| world.judge());
        history.map_err(Some).map_or_else(
            |failure| failure,
            |history| {
                played.history = Some(history);
                None
            },
        )
    });
    played
}

/// The fewest steps with which a seed still fails in the same place, and how it is then.
#[must_use]
pub fn shrink(seed: u64, failure: &Failure) -> (BTreeSet<u64>, Played) {
    let mut dice = Dice::new(seed);
    let setup = Setup::draw(&mut dice);
    let mut kept: Vec<u64> = schedule::draw(&setup, &mut dice).iter().map(|s| s.number).collect();
    let mut size = kept.len().div_ceil(2).max(1);
    let fails = |steps: &[u64]| {
        let only = Some(steps.iter().copied().collect());
        let played = play(seed, &Options { traced: false, only });
        played.failure.is_some_and(|found| found.place == failure.place)
    };
    loop {
        let mut at = 0;
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + size).min(kept.len()));
            if fails(&fewer) { kept = fewer } else { at += size }
        }
        if size == 1 {
            break;
        }
        size /= 2;
    }
    let only: BTreeSet<u64> = kept.into_iter().collect();
    let played = play(seed, &Options { traced: true, only: Some(only.clone()) });
    (only, played)
}

thread_local! {
    /// A panic of this thread is a finding, not yet made.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// What it said.
    static FOUND: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// Runs something in which a panic is a finding.
fn watched<T>(run: impl FnOnce() -> T) -> Result<T, Failure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let ordinary = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !WATCHED.get() {
                return ordinary(info);
            }
            let what = info.payload_as_str().unwrap_or("a panic without words").to_owned();
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            FOUND.set(Some(Failure { what, place }));
        }));
    });
    WATCHED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    WATCHED.set(false);
    result.map_err(|_| FOUND.take().expect("a panic was seen by the hook"))
}

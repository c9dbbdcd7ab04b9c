//! Plays seeds, many at once, and tells of each that fails how to see it.
#![expect(clippy::print_stdout, reason = "this is a command")]

use std::io::{self, Write};
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use zooid_sim::{Failure, Options, Played, play, shrink};

/// Simulates whole clusters in worlds of faults, each drawn from one seed.
///
/// Example: zooid-sim --seeds 1000. The exit code is 1 if a seed failed.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to play
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Play this seed only, and tell what happens
    #[arg(long)]
    seed: Option<u64>,
    /// Of that seed, only these steps, as a failure's line names them
    #[arg(long, value_delimiter = ',', requires = "seed")]
    only: Option<Vec<u64>>,
    /// Threads [default: one for each core]
    #[arg(long)]
    jobs: Option<NonZero<usize>>,
    /// Give up after so many failures
    #[arg(long, default_value_t = 10)]
    failures: usize,
    /// Do not look for the fewest steps with which a seed fails
    #[arg(long)]
    no_shrink: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => tell(seed, arguments.only),
        None => play_many(&arguments),
    }
}

/// Plays one seed and shows what happens in it.
fn tell(seed: u64, only: Option<Vec<u64>>) -> ExitCode {
    let only = only.map(|steps| steps.into_iter().collect());
    let played = play(seed, &Options { traced: true, only });
    let mut out = io::stdout().lock();
    // Whoever reads only the beginning has seen enough.
    let _ = played.trace.iter().try_for_each(|line| writeln!(out, "{line}"));
    drop(out);
    println!("{}", Totals::of(&played));
    match &played.failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            println!("FAILED at {}: {}", failure.place, failure.what);
            ExitCode::FAILURE
        }
    }
}

fn play_many(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let jobs = arguments.jobs.or_else(|| thread::available_parallelism().ok());
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from + arguments.seeds;
    let totals = Mutex::new(Totals::default());
    thread::scope(|scope| {
        for _ in 0..jobs.map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some(seed) = take(&next, end) {
                    let played = play(seed, &Options::default());
                    if let Some(failure) = &played.failure {
                        report(seed, failure, arguments.no_shrink);
                    }
                    let mut totals = totals.lock().expect("nobody panics with it");
                    totals.add(&played, began);
                    if totals.failed >= arguments.failures {
                        next.store(end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let totals = totals.into_inner().expect("nobody panicked with it");
    println!("{totals}, in {:.1?}", began.elapsed());
    if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn take(next: &AtomicU64, end: u64) -> Option<u64> {
    let seed = next.fetch_add(1, Ordering::Relaxed);
    (seed < end).then_some(seed)
}

/// One line for a failure, with the command that shows it.
fn report(seed: u64, failure: &Failure, as_it_is: bool) {
    let Failure { what, place } = failure;
    let first_line = what.lines().next().unwrap_or_default();
    let only = if as_it_is { String::new() } else { fewest(seed, failure) };
    println!(
        "seed {seed} FAILED at {place}: {first_line}\n  \
         cargo run -p zooid-sim -- --seed {seed}{only}"
    );
}

fn fewest(seed: u64, failure: &Failure) -> String {
    let (steps, _) = shrink(seed, failure);
    let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
    format!(" --only {}", steps.join(","))
}

/// What all seeds together were.
#[derive(Default)]
struct Totals {
    seeds: u64,
    failed: usize,
    time: u64,
    happened: u64,
    elections: usize,
    entries: usize,
    told: usize,
    lost_disks: u64,
    /// When progress was shown last, since the beginning.
    shown: Duration,
}

impl Totals {
    fn of(played: &Played) -> Self {
        let mut totals = Self::default();
        totals.add(played, Instant::now());
        totals
    }

    fn add(&mut self, played: &Played, began: Instant) {
        self.seeds += 1;
        self.failed += usize::from(played.failure.is_some());
        self.time += played.time;
        self.happened += played.happened;
        self.elections += played.elections;
        self.entries += played.entries();
        self.told += played.told();
        self.lost_disks += played.lost_disks;
        if began.elapsed() > self.shown + Duration::from_secs(10) {
            self.shown = began.elapsed();
            println!("{self} ...");
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seeds, failed, happened, elections, entries, told, lost_disks, .. } = self;
        let hours = self.time as f64 / 3.6e9;
        write!(
            f,
            "{seeds} seeds, {failed} failed: {hours:.2} hours simulated, {happened} events, \
             {elections} epochs, {entries} entries committed, {told} things told to clients, \
             {lost_disks} disks lost"
        )
    }
}

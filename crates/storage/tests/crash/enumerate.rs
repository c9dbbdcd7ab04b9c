//! Every crash of every scenario, and every call that fails.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::faults::{FULL, faults_of};
use crate::record::{self, Op, Record};
use crate::scenarios::{Scenario, scenarios};
use crate::trial::{Tally, Trial};

/// Set to a part of a scenario's name to try only such.
const ONLY: &str = "ZOOID_CRASH_ONLY";
/// What a directory that is there already answers, without a fault.
const EEXIST: u32 = 17;

/// Tries all scenarios, two at a time; says of each how much was tried, and gives what was wrong.
pub(crate) fn all() -> Vec<String> {
    let only = std::env::var(ONLY).unwrap_or_default();
    let mut chosen = scenarios();
    chosen.retain(|scenario| scenario.name.contains(&only));
    record::recorder();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failures = Vec::new();
        while let Some(scenario) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            failures.extend(one(scenario));
        }
        failures
    };
    std::thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn one(scenario: &Scenario) -> Vec<String> {
    let begun = Instant::now();
    let mut trial = Trial::new(scenario);
    let fallible = crashes(&mut trial, 0);
    faults(&mut trial, &fallible);
    trial.recoveries(|recovery, before| {
        crashes(recovery, before);
    });
    let Tally { points, faults, recoveries, states, opened, failures } = trial.into_tally();
    let (name, wrong, took) = (scenario.name, failures.len(), begun.elapsed());
    eprintln!(
        "{name:20} {points:4} points {faults:5} faults {recoveries:4} recoveries {states:6} states {opened:5} opened \
         {wrong:3} wrong {took:.1?}"
    );
    failures.iter().take(10).map(|why| format!("{name}: {why}")).collect()
}

/// A call that changes something or one that reads, by its number among all such.
struct Call {
    number: u64,
    op: Op,
}

/// Tries a crash before each call; gives the calls. Until the first step is done any world up to the
/// one with this number may be there, or the one behind.
fn crashes(trial: &mut Trial<'_>, before: usize) -> Vec<Call> {
    let mut disk = trial.lay_out();
    let recording = trial.play("");
    assert_eq!(recording.code, Some(0), "{}", recording.said);
    let mut notes = Notes { before, ..Notes::default() };
    let mut calls = Vec::new();
    let (mut number, mut reads) = (0, 0);
    for record in &recording.records {
        if notes.is_call(record, trial.root()) {
            number += 1;
            if notes.begun > trial.scenario.from {
                trial.crash(&disk, notes.steps(), &format!("before {record}"));
                calls.push(Call { number, op: record.op });
            }
        }
        if record.op == Op::Read {
            reads += 1;
            if notes.begun > trial.scenario.from {
                calls.push(Call { number: reads, op: Op::Read });
            }
        }
        disk.take(record);
        notes.take(record, trial.root());
    }
    trial.crash(&disk, notes.steps(), "at the end");
    trial.compare(&disk);
    calls
}

/// Lets each call fail in turn; what the process leaves then is a state like any other.
fn faults(trial: &mut Trial<'_>, calls: &[Call]) {
    for call in calls {
        for fault in faults_of(call.op) {
            if !trial.takes_fault(call.op) {
                continue;
            }
            let mut disk = trial.lay_out();
            let fault = format!("{} {fault}", call.number);
            let recording = trial.play(&fault);
            // Another one than in the run without a fault, if sled's own thread was quicker.
            let failed =
                recording.records.iter().find(|record| record.failed() && record.error != EEXIST);
            let failed = failed.map_or("nothing".into(), Record::to_string);
            let when = format!("when [{fault}] failed {failed}");
            if !matches!(recording.code, Some(0 | 3)) {
                let said = recording.said.lines().filter(|line| line.contains("panicked"));
                let said: Vec<_> = said.collect();
                trial.wrong(format!("{when}: ended with {:?}: {said:?}", recording.code));
            }
            if fault.contains(FULL) && !trial.keeps_ledger() {
                trial.wrong(format!("{when}: a full disk took the ledger away"));
            }
            let mut notes = Notes::default();
            for record in &recording.records {
                disk.take(record);
                notes.take(record, trial.root());
            }
            trial.compare(&disk);
            trial.crash(&disk, notes.steps(), &when);
        }
    }
}

/// How far the recorded process came, by its own notes.
#[derive(Default)]
struct Notes {
    begun: usize,
    done: usize,
    file: u64,
    /// How many worlds there may be before the first step but one.
    before: usize,
}

impl Notes {
    /// The worlds that there may be: after each of these steps.
    fn steps(&self) -> std::ops::RangeInclusive<usize> {
        let first = if self.done == 0 { 0 } else { self.before + self.done };
        first..=self.before + self.begun
    }

    /// Whether this counts as a call that can fail.
    fn is_call(&self, record: &Record, root: &Path) -> bool {
        let is_note = record.path == root.join("marks") || record.file == self.file;
        record.changes() && (record.file == 0 || !is_note)
    }

    fn take(&mut self, record: &Record, root: &Path) {
        if record.path == root.join("marks") {
            self.file = record.file;
        }
        if record.op == Op::Write && record.file == self.file {
            match &record.data[..] {
                b"try\n" => self.begun += 1,
                _ => self.done += 1,
            }
        }
    }
}

//! What a crash leaves after every call to the file system, opened again with the real engines.
//!
//! A process of its own plays a [scenario](scenarios) on the real [`Storage`](zooid_storage::Storage)
//! with raft-engine and sled below it, while a recorder (`recorder.c`, put before the C library) notes
//! every call that changes files or makes them durable, whoever makes it. The notes are played back
//! on a [model of a disk](disk); before each call, and at the end, the crash is tried: the process
//! dies, or the power is cut and of what was not synced [this or that](cuts) is there. Each such state
//! is laid out as real directories and opened with `Storage::open`: what had been acknowledged until
//! then must be there, nothing that was never written may be, and it must go on from there
//! ([`judge`]). No crash may end in a refusal: nothing here damages what was synced. From some of
//! the states the same is done again, with a process that recovers; and in other runs one call or
//! another [fails](faults).
//!
//! `cargo test -p zooid-storage --test crash` tries every moment and of the cuts and faults a
//! sample; `ZOOID_CRASH=full` tries them all, `ZOOID_CRASH_ONLY=merge` one scenario. With
//! `-- --nocapture` it says how much was tried. Why it is done so, and what it found:
//! `docs/decisions/0012-crashes-are-enumerated.md`.
//!
//! What it does not show: reordering inside the journal of a real file system, damage (other tests
//! do that), and threads that write at once, since each scenario calls from one thread; the
//! witness and sled have theirs, at work now and then.
#![expect(clippy::unwrap_used, reason = "clippy sees the tests here, not what they share")]

mod scenarios;
mod steps;

mod actor;
mod record;

mod cuts;
mod disk;
mod judge;

mod faults;
mod trial;

mod enumerate;

use std::path::Path;

use actor::Actor;
use scenarios::Scenario;
use steps::config;

/// Set for the process that is recorded: the scenario that it plays, and where.
const SCENARIO: &str = "ZOOID_CRASH_SCENARIO";
const ROOT: &str = "CRASH_ROOT";

#[test]
fn every_crash_of_every_scenario() {
    if let Ok(name) = std::env::var(SCENARIO) {
        play(&Scenario::named(&name));
    }
    let failures = enumerate::all();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// In the recorded process: never returns, so that nothing else writes.
fn play(scenario: &Scenario) -> ! {
    let root = std::env::var_os(ROOT).unwrap();
    let root = Path::new(&root);
    let settings = config(root, scenarios::DRAWN, scenario.if_suspect);
    let mut actor = Actor::new(settings, scenario.worlds().remove(0), root);
    let told = actor.act(scenario.steps);
    if let Err(error) = &told {
        eprintln!("failed: {error}");
    }
    drop(actor);
    std::process::exit(if told.is_ok() { 0 } else { 3 });
}

//! A table: one sound start, one thing changed, and what follows.

use zooid_ids::{ClusterId, Epoch, Incarnation, Millis, Zxid};

use super::*;
use crate::entry::Chain;
use crate::run::RunHeader;

const IDENTITY: Identity = Identity {
    cluster: ClusterId(1),
    server: ServerId(1),
    incarnation: Incarnation(7),
    created: Millis(0),
};

fn at(index: u64) -> LogPosition {
    LogPosition { index: LogIndex(index), zxid: Zxid(index), chain: Chain(index as u32 * 3) }
}

fn promise(epoch: u32) -> Promise {
    Promise { epoch: Epoch(epoch), ..Promise::default() }
}

fn record(sequence: u64, index: u64) -> WitnessRecord {
    WitnessRecord {
        sequence,
        forming: false,
        position: at(index),
        promise: promise(2),
        server: IDENTITY.server,
        incarnation: IDENTITY.incarnation,
    }
}

fn slots(records: [WitnessRecord; 2]) -> WitnessFound {
    WitnessFound::Slots(records.map(Slot::Record))
}

fn run(kind: RunKind, index: u64, parent: u64) -> RunSummary {
    let header = RunHeader {
        kind,
        position: at(index),
        parent: Zxid(parent),
        digest: index * 7,
        created: Millis(0),
        cluster: IDENTITY.cluster,
        incarnation: IDENTITY.incarnation,
    };
    RunSummary { header, records: 3, tombstones: 0, blocks: 1, bytes: 300, checksum: 4 }
}

fn found_run(summary: RunSummary) -> RunFound {
    RunFound { file: summary.header.file_name(), read: Ok(summary) }
}

fn manifest_of(runs: &[RunSummary]) -> Manifest {
    Manifest {
        runs: runs.iter().map(|run| RunInManifest::new(run, false)).collect(),
        installing: false,
    }
}

/// Log 5..=20, checkpoint of a base at 6 and a delta at 10, witness at 20.
fn sound() -> Found {
    let runs = [run(RunKind::Base, 6, 0), run(RunKind::Delta, 10, 6)];
    Found {
        server: IDENTITY.server,
        data_dir: "/data/zooid".into(),
        log_dir: "/log/zooid/log".into(),
        witness: slots([record(8, 19), record(9, 20)]),
        files: FilesFound::Whole,
        log: LogFound::Entries {
            first: LogIndex(5),
            end: LogIndex(20),
            at_checkpoint: Some(at(10)),
            at_witness: Some(at(20)),
            above: AboveCheckpoint::Whole { last: at(20) },
        },
        log_identity: Some(IDENTITY),
        log_promise: Some(promise(1)),
        ledger: LedgerFound::Read { identity: IDENTITY, manifest: manifest_of(&runs) },
        runs: runs.map(found_run).to_vec(),
    }
}

fn unused() -> Found {
    Found {
        witness: WitnessFound::Missing,
        files: FilesFound::None,
        log: LogFound::Unopened,
        log_identity: None,
        log_promise: None,
        ledger: LedgerFound::Empty,
        runs: Vec::new(),
        ..sound()
    }
}

/// Interrupted between the witness and the first entry.
fn forming() -> Found {
    let record = WitnessRecord { forming: true, position: LogPosition::START, ..record(1, 0) };
    Found {
        witness: WitnessFound::Slots([Slot::Record(record), Slot::Blank]),
        files: FilesFound::Whole,
        log: LogFound::Empty,
        ..unused()
    }
}

fn changed(base: Found, change: impl FnOnce(&mut Found)) -> Recovery {
    let mut found = base;
    change(&mut found);
    recover(&found)
}

/// The parts of the log that the table changes.
struct Entries<'a> {
    end: &'a mut LogIndex,
    at_checkpoint: &'a mut Option<LogPosition>,
    at_witness: &'a mut Option<LogPosition>,
    above: &'a mut AboveCheckpoint,
}

fn entries(found: &mut Found) -> Entries<'_> {
    match &mut found.log {
        LogFound::Entries { end, at_checkpoint, at_witness, above, .. } => {
            Entries { end, at_checkpoint, at_witness, above }
        }
        other => panic!("{other:?}"),
    }
}

/// The first words of the sentence; enough to tell the cases apart, and what an operator sees.
#[track_caller]
fn says(recovery: &Recovery, words: &str) {
    let sentence = recovery.to_string();
    assert!(sentence.contains(words), "`{words}` is not in: {sentence}");
    let stops = matches!(recovery, Recovery::Suspect(_));
    assert_eq!(sentence.contains("move both `zooid` folders away"), stops, "{sentence}");
}

#[test]
fn nothing_wrong() {
    let recovery = recover(&sound());
    let Recovery::Sound(recovered) = &recovery else { panic!("{recovery}") };
    assert_eq!((recovered.last, recovered.promise), (at(20), promise(2)));
    assert_eq!(recovered.manifest.position(), at(10));
    says(&recovery, "everything up to zxid 0x14 (entry 20, chain 0000003c) is there, up to zxid");
}

#[test]
fn first_starts() {
    says(&recover(&unused()), "the directories are new");
    says(&recover(&forming()), "it starts over");
    let blank = changed(unused(), |found| found.witness = WitnessFound::Slots([Slot::Blank; 2]));
    assert_eq!(blank, Recovery::Fresh);
    let promised = changed(forming(), |found| found.log_promise = Some(promise(5)));
    assert_eq!(promised, Recovery::Forming { promise: promise(5) });
    let before_log = changed(forming(), |found| {
        (found.files, found.log) = (FilesFound::None, LogFound::Unopened);
    });
    assert!(matches!(before_log, Recovery::Forming { .. }));
    let with_runs = changed(forming(), |found| found.runs = sound().runs);
    says(&with_runs, "its witness says that nothing was ever stored");
}

#[test]
fn entries_count_though_the_witness_still_says_forming() {
    let recovery = changed(sound(), |found| {
        let forming = WitnessRecord { forming: true, position: LogPosition::START, ..record(1, 0) };
        found.witness = WitnessFound::Slots([Slot::Record(forming), Slot::Blank]);
        *entries(found).at_witness = None;
    });
    assert!(matches!(recovery, Recovery::Sound(_)), "{recovery}");
}

#[test]
fn a_torn_tail_is_cut_and_said() {
    let tear = Tear { file: "/log/zooid/log/7.raftlog".into(), offset: 99 };
    let recovery = changed(sound(), |found| found.files = FilesFound::Torn(tear));
    says(&recovery, "never acknowledged was cut from /log/zooid/log/7.raftlog at byte 99");
    assert!(matches!(recovery, Recovery::TornTail { .. }));
}

#[test]
fn damage_in_the_log() {
    let file = PathBuf::from("/log/x");
    let damaged = FilesFound::Damaged { file, offset: 3, why: "because" };
    let recovery = changed(sound(), |found| found.files = damaged);
    says(&recovery, "/log/x is damaged at byte 3 (because)");
    let recovery = changed(sound(), |found| found.files = FilesFound::Unreadable("eio".into()));
    says(&recovery, "cannot be read (eio)");
    let recovery = changed(sound(), |found| found.log = LogFound::Unopenable("no".into()));
    says(&recovery, "cannot be read (no)");
    let recovery = changed(sound(), |found| found.log_identity = None);
    says(&recovery, "does not say any more whose it is");
}

#[test]
fn a_log_that_is_gone() {
    for log in [LogFound::Empty, LogFound::Unopened] {
        let recovery = changed(sound(), |found| found.log = log);
        says(&recovery, "is gone, but the witness says it reached zxid 0x14");
    }
}

#[test]
fn entries_that_are_missing() {
    let above = |above| changed(sound(), |found| *entries(found).above = above);
    says(&above(AboveCheckpoint::Gap), "the log begins at entry 5, but the checkpoint ends at");
    let broken = AboveCheckpoint::Broken { last_good: at(12), why: "flip".into() };
    says(&above(broken), "only up to zxid 0xc (entry 12, chain 00000024) (flip)");
    let short = AboveCheckpoint::Whole { last: at(19) };
    says(&above(short), "ends at entry 19, but the witness says it reached zxid 0x14");
    let recovery = changed(sound(), |found| *entries(found).end = LogIndex(9));
    says(&recovery, "ends at entry 9, but the checkpoint says it reached zxid 0xa");
}

#[test]
fn another_history() {
    let other = LogPosition { chain: Chain(1), ..at(20) };
    let recovery = changed(sound(), |found| *entries(found).at_witness = Some(other));
    says(&recovery, "chain 00000001), but the witness says it was");
    let recovery = changed(sound(), |found| *entries(found).at_checkpoint = Some(other));
    says(&recovery, "but the checkpoint says it was zxid 0xa");
    let recovery = changed(sound(), |found| *entries(found).at_checkpoint = None);
    says(&recovery, "cannot give the entry that the checkpoint has as zxid 0xa");
}

#[test]
fn a_witness_behind_the_log_is_what_a_power_cut_leaves() {
    for (witness, held) in [(12, Some(at(12))), (10, None), (3, None)] {
        let recovery = changed(sound(), |found| {
            found.witness = slots([record(8, witness), record(7, witness - 1)]);
            *entries(found).at_witness = held;
        });
        assert!(matches!(recovery, Recovery::Sound(_)), "{witness}: {recovery}");
    }
}

#[test]
fn one_slot_of_the_witness_is_enough_and_none_is_not() {
    let torn = WitnessFound::Slots([Slot::Damaged, Slot::Record(record(9, 20))]);
    let recovery = changed(sound(), |found| found.witness = torn);
    assert!(matches!(recovery, Recovery::Sound(_)), "{recovery}");
    let lost = [
        (WitnessFound::Missing, "it is missing"),
        (WitnessFound::Slots([Slot::Damaged, Slot::Blank]), "neither of its records is whole"),
        (WitnessFound::Unreadable("eio".into()), "(eio)"),
    ];
    for (witness, words) in lost {
        says(&changed(sound(), |found| found.witness = witness), words);
    }
}

#[test]
fn the_highest_promise_of_any_copy_binds() {
    for (log, witness, highest) in [(9, [3, 4], 9), (1, [6, 2], 6), (1, [2, 6], 6)] {
        let recovery = changed(sound(), |found| {
            found.log_promise = Some(promise(log));
            let [one, other] = witness.map(promise);
            found.witness = slots([
                WitnessRecord { promise: one, ..record(8, 19) },
                WitnessRecord { promise: other, ..record(9, 20) },
            ]);
        });
        let Recovery::Sound(recovered) = recovery else { panic!("{recovery}") };
        assert_eq!(recovered.promise, promise(highest));
    }
}

#[test]
fn runs_that_the_ledger_names() {
    let missing = changed(sound(), |found| drop(found.runs.remove(0)));
    says(&missing, "/data/zooid/runs/0000000000000006.base, but it is missing");
    let damaged = changed(sound(), |found| found.runs[1].read = Err("rotten".into()));
    says(&damaged, "/data/zooid/runs/000000000000000a.delta, but rotten");
    let other = changed(sound(), |found| {
        found.runs[0] = found_run(RunSummary { checksum: 5, ..run(RunKind::Base, 6, 0) });
    });
    says(&other, "it is another run than the ledger names");
    let unnamed = changed(sound(), |found| {
        found.runs.push(found_run(run(RunKind::Delta, 15, 10)));
    });
    let Recovery::Sound(recovered) = unnamed else { panic!("{unnamed}") };
    assert_eq!(recovered.manifest.position(), at(10));
}

/// A received checkpoint at 30 is named, and the log is the one from before it.
fn installing(base: Found) -> Found {
    let mut found = base;
    let received = RunInManifest::new(&run(RunKind::Base, 30, 0), true);
    let manifest = Manifest { runs: vec![received], installing: true };
    found.ledger = LedgerFound::Read { identity: IDENTITY, manifest };
    found
        .runs
        .push(RunFound { file: received.file_name(), ..found_run(run(RunKind::Base, 30, 0)) });
    found
}

#[test]
fn an_installation_is_finished_whatever_the_log_is() {
    for base in [sound(), forming()] {
        let zero = WitnessRecord { position: LogPosition::START, ..record(9, 0) };
        let recovery = changed(installing(base), |found| found.witness = slots([zero, zero]));
        says(&recovery, "they were received, and installing them is finished now");
        let Recovery::Sound(recovered) = recovery else { panic!("{recovery}") };
        assert_eq!((recovered.last, recovered.promise.epoch), (at(30), Epoch(2)));
    }
    let other = LogPosition { chain: Chain(1), ..at(30) };
    let diverged = changed(installing(sound()), |found| {
        let entries = entries(found);
        *entries.above = AboveCheckpoint::Broken { last_good: other, why: "another".into() };
    });
    assert!(matches!(diverged, Recovery::Sound(_)), "{diverged}");
    let missing = changed(installing(sound()), |found| drop(found.runs.pop()));
    says(&missing, "/data/zooid/runs/000000000000001e-00000004.base, but it is missing");
    let unopenable =
        changed(installing(sound()), |found| found.log = LogFound::Unopenable("no".into()));
    says(&unopenable, "cannot be read (no)");
}

#[test]
fn received_runs_that_nobody_names_count_nothing() {
    let received = RunInManifest::new(&run(RunKind::Base, 30, 0), true).file_name();
    let unnamed = || RunFound { file: received.clone(), ..found_run(run(RunKind::Base, 30, 0)) };
    let before_any_entry = changed(forming(), |found| found.runs = vec![unnamed()]);
    assert!(matches!(before_any_entry, Recovery::Forming { .. }), "{before_any_entry}");
    let beside = changed(sound(), |found| found.runs.push(unnamed()));
    assert_eq!(beside, recover(&sound()));
}

fn without_ledger(change: impl FnOnce(&mut Found)) -> Recovery {
    changed(sound(), |found| {
        let (why, moved_to) = ("broken".into(), "/data/zooid/ledger.unreadable-1".into());
        found.ledger = LedgerFound::Unreadable { why, moved_to };
        change(found);
    })
}

#[test]
fn a_ledger_that_cannot_be_read_takes_nothing_away() {
    let recovery = without_ledger(|_| ());
    says(&recovery, "written anew from the runs and the log (broken; its files are kept in /data");
    let Recovery::Sound(recovered) = recovery else { panic!("not sound") };
    assert_eq!(
        recovered.manifest,
        manifest_of(&[run(RunKind::Base, 6, 0), run(RunKind::Delta, 10, 6)])
    );
}

#[test]
fn without_a_ledger_the_newest_runs_that_fit_are_taken() {
    let manifest = |runs: &[RunSummary]| {
        let mut found = sound();
        found.ledger = LedgerFound::Empty;
        found.runs = runs.iter().copied().map(found_run).collect();
        found.manifest(LogIndex(20)).unwrap()
    };
    let base = run(RunKind::Base, 6, 0);
    let delta = run(RunKind::Delta, 10, 6);
    let merged = run(RunKind::Base, 10, 0);
    let not_durable_here = run(RunKind::Delta, 21, 10);
    let orphan = run(RunKind::Delta, 15, 12);
    let mut foreign = run(RunKind::Base, 18, 0);
    foreign.header.cluster = ClusterId(2);
    assert_eq!(manifest(&[]), Manifest::default());
    assert_eq!(manifest(&[base, delta]), manifest_of(&[base, delta]));
    assert_eq!(manifest(&[base, delta, merged]), manifest_of(&[merged]));
    assert_eq!(manifest(&[base, delta, not_durable_here]), manifest_of(&[base, delta]));
    assert_eq!(manifest(&[base, orphan, foreign]), manifest_of(&[base]));
    let next = run(RunKind::Delta, 15, 10);
    assert_eq!(manifest(&[base, delta, merged, next]), manifest_of(&[merged, next]));
}

#[test]
fn directories_of_somebody_else() {
    let configured = changed(sound(), |found| found.server = ServerId(2));
    says(&configured, "/data/zooid belongs to server 1, but this is server 2: correct myid");
    let other_life = Identity { incarnation: Incarnation(8), ..IDENTITY };
    let mixed = changed(sound(), |found| found.log_identity = Some(other_life));
    says(&mixed, "/data/zooid and /log/zooid/log were never used together");
    let manifest = Manifest::default();
    let ledger = changed(sound(), |found| {
        found.ledger = LedgerFound::Read { identity: other_life, manifest };
    });
    assert!(matches!(ledger, Recovery::Refused(Refusal::NotTogether { .. })));
}

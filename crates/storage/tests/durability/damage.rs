//! Real directories, damaged in every way that no crash leaves: never opened with less than was
//! acknowledged.

use std::fs;

use crate::home::{Home, checkpoint, entry, flip, last, loaded, written};
use zooid_ids::{Incarnation, LogIndex, ServerId};
use zooid_storage::{OpenError, Recovery, Refusal, RunKind, Suspicion};

#[test]
fn a_flip_anywhere_in_the_log_is_seen() {
    let home = Home::with_entries(60);
    let file = home.newest_log_file();
    let written = written(&fs::read(&file).unwrap());
    let name = file.file_name().unwrap();
    let mut cut = 0;
    for place in (0..written).step_by(written / 80) {
        let killed = home.killed();
        flip(&killed.log_dir().join(name), place);
        match killed.try_open() {
            Err(OpenError::Suspect(_)) => (),
            Err(other) => panic!("a flip at {place}: {other}"),
            Ok(opened) => {
                assert_eq!(last(&opened.recovery), 60, "a flip at {place}");
                cut += 1;
            }
        }
    }
    assert!(cut <= 2, "only bytes that mean nothing may be lost: {cut}");
}

#[test]
fn the_last_batch_is_missed_though_it_looks_torn() {
    let home = Home::with_entries(10);
    let file = home.newest_log_file();
    let written = written(&fs::read(&file).unwrap());
    flip(&file, written - 100);
    let says = home.suspicion();
    assert!(matches!(says, Suspicion::LogBehind { last: LogIndex(9), .. }), "{says}");
}

#[test]
fn a_page_of_zeros_in_the_log() {
    let home = Home::with_entries(60);
    let file = home.newest_log_file();
    let mut bytes = fs::read(&file).unwrap();
    bytes[4096..8192].fill(0);
    fs::write(&file, bytes).unwrap();
    assert!(matches!(home.suspicion(), Suspicion::LogDamaged { .. }));
}

#[test]
fn a_log_file_that_was_removed() {
    let home = Home::with_entries(1500);
    let files = home.log_files();
    assert!(files.len() > 4, "{files:?}");
    let name = |place: usize| files[place].file_name().unwrap();
    for place in 0..files.len() {
        let killed = home.killed();
        fs::remove_file(killed.log_dir().join(name(place))).unwrap();
        let says = killed.suspicion();
        let gap = matches!(says, Suspicion::Gap { .. });
        let behind = matches!(says, Suspicion::LogBehind { .. } | Suspicion::KeysLost { .. });
        assert!(gap || behind, "without file {place}: {says}");
    }
}

#[test]
fn a_log_that_was_removed() {
    let home = Home::with_entries(10);
    fs::remove_dir_all(home.log_dir()).unwrap();
    assert!(matches!(home.suspicion(), Suspicion::LogGone { .. }));
    // And again: looking has not made it new.
    assert!(matches!(home.suspicion(), Suspicion::LogGone { .. }));
}

#[test]
fn a_log_of_yesterday() {
    let yesterday = Home::with_entries(10);
    let today = yesterday.killed();
    today.open().log.append(&[entry(11)]).unwrap();
    fs::remove_dir_all(today.log_dir()).unwrap();
    fs::rename(yesterday.log_dir(), today.log_dir()).unwrap();
    let says = today.suspicion();
    assert!(matches!(says, Suspicion::LogBehind { last: LogIndex(10), .. }), "{says}");
}

#[test]
fn a_log_of_another_history() {
    let one = Home::with_entries(10);
    let other = one.killed();
    one.open().log.append(&[entry(11)]).unwrap();
    let mut differs = entry(11);
    differs.payload = b"other".as_slice().into();
    other.open().log.append(&[differs]).unwrap();
    fs::remove_dir_all(one.log_dir()).unwrap();
    fs::rename(other.log_dir(), one.log_dir()).unwrap();
    let says = one.suspicion();
    assert!(matches!(says, Suspicion::HistoryDiffers { .. }), "{says}");
}

#[test]
fn a_witness_that_was_removed_or_lost_a_slot() {
    let home = Home::with_entries(10);
    let torn = home.killed();
    let witness = torn.data("witness");
    let bytes = fs::read(&witness).unwrap();
    let sequence = |slot: usize| u64::from_le_bytes(*bytes[slot + 16..].first_chunk().unwrap());
    let older = if sequence(0) < sequence(4096) { 0 } else { 4096 };
    flip(&witness, older + 30);
    assert_eq!(last(&torn.open().recovery), 10);
    fs::remove_file(home.data("witness")).unwrap();
    assert!(matches!(home.suspicion(), Suspicion::WitnessLost { .. }));
}

fn with_two_runs() -> Home {
    let home = Home::with_entries(20);
    let mut opened = home.open();
    checkpoint(&mut opened, RunKind::Base, &[("/a", Some("1")), ("/b", Some("2"))]);
    for n in 21..=40 {
        opened.log.append(&[entry(n)]).unwrap();
    }
    checkpoint(&mut opened, RunKind::Delta, &[("/a", Some("3"))]);
    let position = opened.log.last();
    opened.log.compact(position).unwrap();
    opened.log.append(&[entry(41)]).unwrap();
    home
}

#[test]
fn a_run_that_was_removed_or_rots() {
    let home = with_two_runs();
    for run in fs::read_dir(home.data("runs")).unwrap().map(|entry| entry.unwrap().file_name()) {
        let removed = home.killed();
        fs::remove_file(removed.data("runs").join(&run)).unwrap();
        assert!(matches!(removed.suspicion(), Suspicion::RunUnusable { .. }));
        let rotten = home.killed();
        flip(&rotten.data("runs").join(&run), 150);
        assert!(matches!(rotten.suspicion(), Suspicion::RunUnusable { .. }));
    }
}

#[test]
fn a_ledger_that_was_removed_or_rots() {
    let home = with_two_runs();
    let removed = home.killed();
    fs::remove_dir_all(removed.data("ledger")).unwrap();
    let rotten = home.killed();
    for name in ["db", "conf"] {
        let path = rotten.data("ledger").join(name);
        let length = fs::metadata(&path).unwrap().len() as usize;
        fs::write(path, vec![0xa5; length]).unwrap();
    }
    for home in [removed, rotten] {
        let opened = home.open();
        let Recovery::Sound(recovered) = &opened.recovery else { panic!("{}", opened.recovery) };
        assert!(recovered.ledger_rebuilt.is_some());
        assert_eq!(recovered.last.index, LogIndex(41));
        let expected = [("/a", "3"), ("/b", "2")];
        assert_eq!(loaded(&opened), expected.map(|(key, value)| (key.into(), value.into())));
        drop(opened);
        let again = home.open();
        let Recovery::Sound(recovered) = &again.recovery else { panic!("{}", again.recovery) };
        assert_eq!(recovered.ledger_rebuilt, None);
    }
}

#[test]
fn directories_of_another_server() {
    let mut home = Home::with_entries(10);
    home.config.server = ServerId(2);
    home.config.identity_if_fresh.server = ServerId(2);
    let Err(OpenError::Refused(why)) = home.try_open() else { panic!("opened") };
    assert!(matches!(*why, Refusal::OtherServer { holds: ServerId(1), .. }), "{why}");
}

#[test]
fn directories_that_were_never_used_together() {
    let one = Home::with_entries(10);
    let mut other = Home::new();
    other.config.identity_if_fresh.incarnation = Incarnation(8);
    other.open().log.append(&[entry(1)]).unwrap();
    other.config.log_dir = one.config.log_dir.clone();
    let Err(OpenError::Refused(why)) = other.try_open() else { panic!("opened") };
    assert!(matches!(*why, Refusal::NotTogether { .. }), "{why}");
}

//! Real directories: written, dropped or killed, and opened again.

use std::fs;

use crate::home::{Home, checkpoint, entry, last, loaded, replayed, written};
use zooid_ids::{Epoch, Incarnation, LogIndex, Millis, ServerId, Zxid};
use zooid_storage::{Promise, Recovery, RunKind};

#[test]
fn an_empty_directory_is_fresh_and_then_forming() {
    let home = Home::new();
    assert_eq!(home.open().recovery, Recovery::Fresh);
    assert!(matches!(home.open().recovery, Recovery::Forming { .. }));
}

#[test]
fn what_was_appended_is_there_after_a_drop_without_close() {
    let home = Home::with_entries(300);
    let mut opened = home.open();
    assert_eq!(last(&opened.recovery), 300);
    assert_eq!(replayed(&mut opened), (1..=300).map(entry).collect::<Vec<_>>());
    assert_eq!(opened.log.append(&[entry(301)]).unwrap().position.index, LogIndex(301));
}

#[test]
fn a_promise_is_there_again() {
    let home = Home::new();
    let promise = Promise { epoch: Epoch(9), server: ServerId(2), incarnation: Incarnation(3) };
    home.open().log.put_promise(promise).unwrap();
    let opened = home.open();
    assert_eq!(opened.recovery, Recovery::Forming { promise });
    assert_eq!(opened.log.promise(), promise);
}

#[test]
fn a_checkpoint_replaces_the_log_behind_it() {
    let home = Home::with_entries(100);
    let mut opened = home.open();
    checkpoint(&mut opened, RunKind::Base, &[("/a", Some("1")), ("/b", Some("2"))]);
    let position = opened.log.last();
    opened.log.compact(position).unwrap();
    for n in 101..=120 {
        opened.log.append(&[entry(n)]).unwrap();
    }
    checkpoint(&mut opened, RunKind::Delta, &[("/a", None), ("/c", Some("3"))]);
    opened.log.append(&[entry(121)]).unwrap();
    drop(opened);
    let mut opened = home.open();
    assert_eq!(last(&opened.recovery), 121);
    assert_eq!(replayed(&mut opened), vec![entry(121)]);
    let expected = [("/b", "2"), ("/c", "3")];
    assert_eq!(loaded(&opened), expected.map(|(key, value)| (key.into(), value.into())));
    assert!(!opened.checkpoints.merge(Millis(6), |_| false).unwrap(), "it was given up");
    drop(opened);
    let mut opened = home.open();
    assert_eq!(opened.checkpoint.as_ref().unwrap().runs.len(), 2);
    assert_eq!(loaded(&opened), expected.map(|(key, value)| (key.into(), value.into())));
    assert!(opened.checkpoints.merge(Millis(6), |_| true).unwrap());
    drop(opened);
    let opened = home.open();
    assert_eq!(opened.checkpoint.as_ref().unwrap().runs.len(), 1);
    assert_eq!(loaded(&opened), expected.map(|(key, value)| (key.into(), value.into())));
}

#[test]
fn a_truncated_log_stays_truncated_and_goes_on() {
    let home = Home::with_entries(50);
    home.open().log.truncate(entry(20).zxid).unwrap();
    let mut opened = home.open();
    assert_eq!(last(&opened.recovery), 20);
    assert_eq!(replayed(&mut opened).len(), 20);
    opened.log.append(&[entry(21)]).unwrap();
    drop(opened);
    assert_eq!(last(&home.open().recovery), 21);
}

#[test]
fn what_was_appended_is_there_after_a_kill() {
    let home = Home::new();
    let mut opened = home.open();
    for n in 1..=40 {
        let done = opened.log.append(&[entry(3 * n - 2), entry(3 * n - 1), entry(3 * n)]).unwrap();
        assert_eq!((done.position.index, done.batches), (LogIndex(3 * n), 1));
        if n % 10 == 0 {
            let killed = home.killed();
            let mut reopened = killed.open();
            assert!(matches!(reopened.recovery, Recovery::Sound(_)), "{}", reopened.recovery);
            assert_eq!(replayed(&mut reopened), (1..=3 * n).map(entry).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_batch_above_the_limits_is_split() {
    let home = Home::new();
    let entries: Vec<_> = (1..=10_000).map(entry).collect();
    let done = home.open().log.append(&entries).unwrap();
    assert_eq!((done.position.index, done.batches), (LogIndex(10_000), 3));
    assert!(done.bytes > 10_000 * 240);
    let mut opened = home.open();
    assert_eq!(replayed(&mut opened), entries);
}

#[test]
fn a_zxid_has_its_position() {
    let home = Home::with_entries(100);
    let opened = home.open();
    for n in 1..=100 {
        let position = opened.log.position(entry(n).zxid).unwrap().unwrap();
        assert_eq!((position.index, position.zxid), (LogIndex(n), entry(n).zxid));
    }
    assert_eq!(opened.log.position(entry(100).zxid).unwrap(), Some(opened.log.last()));
    assert_eq!(opened.log.position(entry(101).zxid).unwrap(), None);
    assert_eq!(opened.log.position(Zxid::new(Epoch(1), 0)).unwrap(), None);
    assert_eq!(opened.log.position(Zxid::ZERO).unwrap().unwrap().index, LogIndex(0));
}

#[test]
fn a_torn_tail_is_cut() {
    let home = Home::with_entries(10);
    let file = home.newest_log_file();
    let mut bytes = fs::read(&file).unwrap();
    bytes.truncate(written(&bytes));
    // The beginning of another batch: its header and some of its entries.
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 7, 7, 7]);
    fs::write(&file, bytes).unwrap();
    let opened = home.open();
    assert!(matches!(opened.recovery, Recovery::TornTail { .. }), "{}", opened.recovery);
    assert_eq!(last(&opened.recovery), 10);
}

#[test]
fn checkpoints_keep_the_log_small() {
    let home = Home::new();
    let mut opened = home.open();
    for round in 0..60 {
        for n in round * 100 + 1..=round * 100 + 100 {
            opened.log.append(&[entry(n)]).unwrap();
        }
        let kind = if round == 0 { RunKind::Base } else { RunKind::Delta };
        checkpoint(&mut opened, kind, &[("/a", Some("1"))]);
        let position = opened.log.last();
        opened.log.compact(position).unwrap();
        if round % 10 == 9 {
            opened.checkpoints.merge(Millis(0), |_| true).unwrap();
            let killed = home.killed();
            let mut reopened = killed.open();
            assert_eq!(last(&reopened.recovery), (round + 1) * 100);
            assert_eq!(replayed(&mut reopened), vec![]);
            assert_eq!(reopened.log.first(), Some(LogIndex((round + 1) * 100 - 9)));
            drop(reopened);
        }
    }
    // 6000 entries of 250 bytes; files that wait to be written anew are counted too.
    let sizes = opened.dirs.sizes();
    assert!(sizes.log < 800 << 10, "{sizes:?}");
    assert!(sizes.data > 0);
}

/// raft-engine keeps files to write them anew, and forgets them when the process is killed.
#[test]
fn the_files_of_killed_servers_do_not_pile_up() {
    let mut home = Home::new();
    for life in 0..12 {
        let mut opened = home.open();
        for n in life * 700 + 1..=life * 700 + 700 {
            opened.log.append(&[entry(n)]).unwrap();
        }
        checkpoint(&mut opened, RunKind::Base, &[("/a", Some("1"))]);
        let position = opened.log.last();
        opened.log.compact(position).unwrap();
        home = home.killed();
    }
    let sizes = home.open().dirs.sizes();
    assert!(sizes.log < 800 << 10, "{sizes:?}");
}

#[test]
fn a_run_that_was_not_published_is_removed() {
    let home = Home::with_entries(10);
    let opened = home.open();
    let position = opened.log.last();
    let run = opened.checkpoints.begin(RunKind::Base, position, 1, Millis(0)).unwrap();
    run.finish().unwrap();
    let _unfinished = opened.checkpoints.begin(RunKind::Base, position, 2, Millis(0)).unwrap();
    drop(opened);
    let opened = home.open();
    assert_eq!(opened.checkpoint, None);
    assert_eq!(fs::read_dir(home.data("runs")).unwrap().count(), 0);
}

#[test]
fn an_interrupted_first_start_keeps_its_incarnation() {
    let mut home = Home::new();
    drop(home.open());
    // As if the process had died behind the witness.
    fs::remove_dir_all(home.log_dir()).unwrap();
    fs::remove_dir_all(home.data("ledger")).unwrap();
    home.config.identity_if_fresh.incarnation = Incarnation(99);
    let mut opened = home.open();
    assert!(matches!(opened.recovery, Recovery::Forming { .. }));
    assert_eq!(opened.log.identity().incarnation, Incarnation(7));
    opened.log.append(&[entry(1)]).unwrap();
    drop(opened);
    assert_eq!(last(&home.open().recovery), 1);
}

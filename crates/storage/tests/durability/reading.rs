//! Reading the log on other threads: by zxid, and while it is appended to, cut and compacted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use zooid_ids::{Epoch, LogIndex, Millis, Zxid};
use zooid_storage::{LogEntry, LogPosition, LogReader, LogWriter, ReadError, RunKind};

use crate::home::{Home, checkpoint, entry};

fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

/// An entry whose payload tells what its header must be.
fn told(zxid: Zxid, prev_zxid: Zxid, len: usize) -> LogEntry {
    let mut payload = vec![7; len];
    payload[..8].copy_from_slice(&zxid.0.to_le_bytes());
    payload[8..16].copy_from_slice(&prev_zxid.0.to_le_bytes());
    LogEntry { zxid, prev_zxid, time: Millis(1), kind: 2, payload: Bytes::from(payload) }
}

/// Behind the end, `count` entries of `epoch` from its start on.
fn append(log: &mut LogWriter, epoch: u32, count: u32) {
    let mut prev = log.last().zxid;
    let first = if prev.epoch() == Epoch(epoch) { prev.counter() + 1 } else { 0 };
    let batch: Vec<_> = (first..first + count)
        .map(|counter| {
            let before = std::mem::replace(&mut prev, z(epoch, counter));
            told(z(epoch, counter), before, 200)
        })
        .collect();
    log.append(&batch).unwrap();
}

fn read(reader: &LogReader, after: Zxid, through: Zxid) -> Result<Vec<Zxid>, ReadError> {
    let entries = reader.entries(after, through)?;
    entries.map(|entry| entry.map(|entry| entry.zxid)).collect()
}

#[test]
fn entries_behind_one_zxid_up_to_another() {
    let home = Home::with_entries(100);
    let reader = home.open().reader;
    let zxids = |from: u64, to: u64| (from..=to).map(|n| entry(n).zxid).collect::<Vec<_>>();
    assert_eq!(read(&reader, Zxid::ZERO, z(1, 100)), Ok(zxids(1, 100)));
    assert_eq!(read(&reader, z(1, 40), z(1, 43)), Ok(zxids(41, 43)));
    assert_eq!(read(&reader, z(1, 100), z(1, 100)), Ok(vec![]));
    assert_eq!(read(&reader, z(1, 40), z(1, 101)), Err(ReadError::Unknown(z(1, 101))));
    assert_eq!(read(&reader, z(1, 0), z(1, 43)), Err(ReadError::Unknown(z(1, 0))));
    assert_eq!(reader.entries(z(1, 40), z(1, 43)).unwrap().remaining(), 3);
}

#[test]
fn what_was_compacted_is_not_known() {
    let home = Home::with_entries(100);
    let mut opened = home.open();
    assert_eq!((opened.first, &*opened.ends), (Zxid::ZERO, [z(1, 100)].as_slice()));
    checkpoint(&mut opened, RunKind::Base, &[("/a", Some("1"))]);
    let position = opened.log.last();
    assert_eq!(opened.log.compact(position).unwrap(), z(1, 90));
    let reader = opened.log.reader();
    assert_eq!(reader.before_first(), Ok(z(1, 90)));
    assert_eq!(read(&reader, z(1, 89), z(1, 95)), Err(ReadError::Unknown(z(1, 89))));
    assert_eq!(read(&reader, z(1, 90), z(1, 92)), Ok(vec![z(1, 91), z(1, 92)]));
    drop((opened, reader));
    assert_eq!(home.open().first, z(1, 90));
}

#[test]
fn the_ends_of_epochs() {
    let home = Home::new();
    let mut opened = home.open();
    assert_eq!((opened.first, &*opened.ends), (Zxid::ZERO, [].as_slice()));
    let mut expected = Vec::new();
    for (epoch, count) in [(1, 1), (2, 30), (5, 7), (6, 1), (9, 100)] {
        append(&mut opened.log, epoch, count);
        expected.push(z(epoch, count - 1));
    }
    assert_eq!(opened.reader.ends().unwrap(), expected);
    opened.log.truncate(z(6, 0)).unwrap();
    assert_eq!(opened.reader.ends().unwrap(), expected[..4]);
    drop(opened);
    let opened = home.open();
    assert_eq!((opened.first, &*opened.ends), (Zxid::ZERO, &expected[..4]));
}

#[test]
fn a_log_that_is_cut_and_goes_on_is_no_longer_what_was_being_read() {
    let home = Home::new();
    let mut opened = home.open();
    append(&mut opened.log, 1, 3000);
    let mut entries = opened.reader.entries(Zxid::ZERO, z(1, 2999)).unwrap();
    assert_eq!(entries.next().unwrap().unwrap().zxid, z(1, 0));
    opened.log.truncate(z(1, 1500)).unwrap();
    append(&mut opened.log, 2, 2000);
    let (read, failed): (Vec<_>, Vec<_>) = entries.by_ref().partition(Result::is_ok);
    assert!((1..2999).contains(&read.len()), "{}", read.len());
    assert_eq!(failed.len(), 1);
    assert!(matches!(failed[0], Err(ReadError::Replaced(_))), "{failed:?}");
    assert!(entries.next().is_none());
}

#[test]
#[should_panic(expected = "is not in the log")]
fn a_cut_to_what_is_not_there() {
    let home = Home::with_entries(10);
    let _unreachable = home.open().log.truncate(z(1, 11));
}

#[test]
#[should_panic(expected = "the checkpoint is")]
fn a_cut_below_the_checkpoint() {
    let home = Home::with_entries(10);
    let mut opened = home.open();
    checkpoint(&mut opened, RunKind::Base, &[]);
    let position = opened.log.last();
    opened.log.compact(position).unwrap();
    let _unreachable = opened.log.truncate(z(1, 9));
}

/// What reading says of a log that changes: one history from `after` to `through`, or an error.
fn read_all(reader: &LogReader, after: Zxid) -> Result<u64, ReadError> {
    let through = reader.durable().zxid;
    let (mut before, mut count) = (after, 0);
    for read in reader.entries(after, through)? {
        let entry = read?;
        assert_eq!(entry.prev_zxid, before);
        assert_eq!(entry, told(entry.zxid, entry.prev_zxid, 200));
        (before, count) = (entry.zxid, count + 1);
    }
    assert_eq!(before, through);
    Ok(count)
}

/// Appends, cuts, goes on in a new epoch, and compacts to the end or to where it began.
fn write(log: &mut LogWriter, keeping: Keeping) {
    let began = log.last();
    for round in 1..=400 {
        let kept = log.last();
        append(log, round, 40 + round % 30);
        if round % 3 == 0 {
            log.truncate(kept.zxid).unwrap();
        }
        if round % 20 == 0 {
            let to = if keeping == Keeping::Everything { began } else { log.last() };
            log.compact(to).unwrap();
        }
    }
}

#[test]
fn many_read_while_one_writes() {
    read_and_write(Keeping::Little);
}

/// So much stays that raft-engine moves entries to other files while they are read.
#[test]
fn many_read_while_entries_are_moved() {
    let home = read_and_write(Keeping::Everything);
    let files = std::fs::read_dir(home.log_dir()).unwrap().map(|file| file.unwrap());
    let moved = files.filter(|file| file.path().extension().is_some_and(|end| end == "rewrite"));
    let moved: u64 = moved.map(|file| file.metadata().unwrap().len()).sum();
    assert!(moved > 20_000, "nothing was moved: {moved}");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeping {
    Little,
    Everything,
}

fn read_and_write(keeping: Keeping) -> Home {
    let home = Home::new();
    let mut opened = home.open();
    append(&mut opened.log, 1, 10);
    let (done, whole, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _reader in 0..3 {
            let reader = opened.log.reader();
            let (done, whole, failed) = (&done, &whole, &failed);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let read = reader.before_first().and_then(|first| read_all(&reader, first));
                    match read {
                        Ok(count) => whole.fetch_add(count, Ordering::Relaxed),
                        Err(ReadError::Unreadable { index, cause }) => {
                            panic!("entry {index} cannot be read: {cause}")
                        }
                        Err(_gone) => failed.fetch_add(1, Ordering::Relaxed),
                    };
                    let LogPosition { index: LogIndex(index), .. } = reader.durable();
                    assert!(index >= 10);
                }
            });
        }
        write(&mut opened.log, keeping);
        done.store(true, Ordering::Relaxed);
    });
    let (whole, failed) = (whole.into_inner(), failed.into_inner());
    assert!(whole > 1000, "{whole} entries were read, {failed} readings failed");
    home
}

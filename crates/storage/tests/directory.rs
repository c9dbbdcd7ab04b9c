//! Real directories: written, dropped or damaged, and opened again.
#![expect(clippy::unwrap_used, reason = "clippy sees the tests here, not what they share")]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;
use zooid_ids::{ClusterId, Epoch, Incarnation, LogIndex, Millis, ServerId, Zxid};
use zooid_storage::{
    Config, Identity, LogEntry, OpenError, Opened, Promise, Recovery, RunKind, Storage, Suspicion,
};

/// A directory that a server uses, and how it opens it.
struct Home {
    dir: TempDir,
    config: Config,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity {
            cluster: ClusterId(1),
            server: ServerId(1),
            incarnation: Incarnation(7),
            created: Millis(0),
        };
        let (data, log) = (dir.path().join("data"), dir.path().join("logs"));
        let mut config = Config::new(data, log, identity);
        config.log_file_bytes = 64 << 10;
        config.purge_threshold_bytes = 256 << 10;
        Self { dir, config }
    }

    fn open(&self) -> Opened {
        Storage::open(&self.config).unwrap_or_else(|error| panic!("{error}"))
    }

    fn suspicion(&self) -> Suspicion {
        match Storage::open(&self.config) {
            Err(OpenError::Suspect(why)) => *why,
            Err(other) => panic!("{other}"),
            Ok(opened) => panic!("opened: {}", opened.recovery),
        }
    }

    /// A directory with `count` entries, closed.
    fn with_entries(count: u64) -> Self {
        let home = Self::new();
        let mut opened = home.open();
        for n in 1..=count {
            opened.log.append(&[entry(n)]).unwrap();
        }
        home
    }

    fn log_dir(&self) -> PathBuf {
        self.config.log_dir.join("zooid/log")
    }

    fn data(&self, name: &str) -> PathBuf {
        self.config.data_dir.join("zooid").join(name)
    }

    fn log_files(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.log_dir()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            names.filter(|path| path.extension().is_some_and(|end| end == "raftlog")).collect();
        files.sort();
        files
    }
}

fn entry(n: u64) -> LogEntry {
    LogEntry {
        zxid: Zxid::new(Epoch(1), n as u32),
        prev_zxid: if n == 1 { Zxid::ZERO } else { Zxid::new(Epoch(1), n as u32 - 1) },
        time: Millis(1000 + n as i64),
        kind: 2,
        payload: Bytes::from(vec![n as u8; 200]),
    }
}

fn replayed(opened: &mut Opened) -> Vec<LogEntry> {
    opened.entries.by_ref().collect::<Result<_, _>>().unwrap()
}

fn last(recovery: &Recovery) -> u64 {
    match recovery {
        Recovery::Sound(recovered) | Recovery::TornTail { recovered, .. } => recovered.last.index.0,
        other => panic!("{other}"),
    }
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn checkpoint_at(opened: &mut Opened, kind: RunKind, records: &[(&str, Option<&str>)]) {
    let position = opened.log.last();
    let mut run = opened.checkpoints.begin(kind, position, 99, Millis(5)).unwrap();
    for (key, value) in records {
        run.push(key.as_bytes(), value.map(str::as_bytes)).unwrap();
    }
    let run = run.finish().unwrap();
    opened.checkpoints.publish(&run).unwrap();
}

fn loaded(opened: &Opened) -> Vec<(String, String)> {
    let mut merge = opened.checkpoint.as_ref().unwrap().load().unwrap();
    let mut records = Vec::new();
    while let Some((key, value)) = merge.next_record().unwrap() {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        records.push((text(key), text(value)));
    }
    records
}

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
    checkpoint_at(&mut opened, RunKind::Base, &[("/a", Some("1")), ("/b", Some("2"))]);
    let position = opened.log.last();
    opened.log.compact(position).unwrap();
    for n in 101..=120 {
        opened.log.append(&[entry(n)]).unwrap();
    }
    checkpoint_at(&mut opened, RunKind::Delta, &[("/a", None), ("/c", Some("3"))]);
    opened.log.append(&[entry(121)]).unwrap();
    drop(opened);
    let mut opened = home.open();
    assert_eq!(last(&opened.recovery), 121);
    assert_eq!(replayed(&mut opened), vec![entry(121)]);
    let expected = [("/b", "2"), ("/c", "3")];
    assert_eq!(loaded(&opened), expected.map(|(key, value)| (key.into(), value.into())));
    opened.checkpoints.merge(Millis(6)).unwrap();
    drop(opened);
    let opened = home.open();
    assert_eq!(opened.checkpoint.as_ref().unwrap().runs.len(), 1);
    assert_eq!(loaded(&opened), expected.map(|(key, value)| (key.into(), value.into())));
}

#[test]
fn a_truncated_log_stays_truncated_and_goes_on() {
    let home = Home::with_entries(50);
    home.open().log.truncate(LogIndex(20)).unwrap();
    let mut opened = home.open();
    assert_eq!(last(&opened.recovery), 20);
    assert_eq!(replayed(&mut opened).len(), 20);
    opened.log.append(&[entry(21)]).unwrap();
    drop(opened);
    assert_eq!(last(&home.open().recovery), 21);
}

#[test]
fn a_flipped_bit_in_the_middle_is_no_torn_tail() {
    let home = Home::with_entries(100);
    let file = home.log_files().pop().unwrap();
    let middle = fs::read(&file).unwrap().iter().rposition(|byte| *byte != 0).unwrap() / 2;
    flip(&file, middle);
    assert!(matches!(home.suspicion(), Suspicion::LogDamaged { .. }));
}

#[test]
fn a_log_that_was_removed_is_missed() {
    let home = Home::with_entries(10);
    fs::remove_dir_all(home.log_dir()).unwrap();
    assert!(matches!(home.suspicion(), Suspicion::LogGone { .. }));
}

#[test]
fn a_run_that_was_removed_is_missed() {
    let home = Home::with_entries(10);
    let mut opened = home.open();
    checkpoint_at(&mut opened, RunKind::Base, &[("/a", Some("1"))]);
    drop(opened);
    let run = fs::read_dir(home.data("runs")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(run).unwrap();
    assert!(matches!(home.suspicion(), Suspicion::RunUnusable { .. }));
}

#[test]
fn a_torn_tail_is_cut() {
    let home = Home::with_entries(10);
    let file = home.log_files().pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(end);
    // The beginning of another batch: its header and some of its entries.
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 7, 7, 7]);
    fs::write(&file, bytes).unwrap();
    let opened = home.open();
    assert!(matches!(opened.recovery, Recovery::TornTail { .. }), "{}", opened.recovery);
    assert_eq!(last(&opened.recovery), 10);
    assert!(home.dir.path().exists());
}

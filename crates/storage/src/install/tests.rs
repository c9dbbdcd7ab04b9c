//! A crash after every step of an installation, on members in different states.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;
use zooid_ids::{ClusterId, Epoch, Incarnation, LogIndex, Millis, ServerId, Zxid};

use super::*;
use crate::entry::{LogEntry, LogPosition};
use crate::run::RunKind;
use crate::{Config, Identity, Opened, Promise, Recovery, Storage};

struct Member {
    dir: TempDir,
    id: u64,
}

impl Member {
    fn new(id: u64) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), id }
    }

    fn open(&self) -> Opened {
        let identity = Identity {
            cluster: ClusterId(1),
            server: ServerId(self.id),
            incarnation: Incarnation(u128::from(self.id) * 7),
            created: Millis(0),
        };
        let (data, log) = (self.dir.path().join("data"), self.dir.path().join("log"));
        let config = Config { keep_entries: 5, ..Config::new(data, log, identity) };
        Storage::open(&config).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What a killed process would leave.
    fn killed(&self) -> Self {
        let copy = Self::new(self.id);
        copy_dir(self.dir.path(), copy.dir.path());
        copy
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Appends `count` entries of `epoch`; those of different epochs have different lengths.
fn append(opened: &mut Opened, epoch: u32, count: u32) {
    let mut prev_zxid = opened.log.last().zxid;
    let mut batch = Vec::new();
    for counter in 0..count {
        let zxid = Zxid::new(Epoch(epoch), counter);
        let payload = Bytes::from(vec![counter as u8; 50 + epoch as usize]);
        batch.push(LogEntry { zxid, prev_zxid, time: Millis(1), kind: 2, payload });
        prev_zxid = zxid;
    }
    opened.log.append(&batch).unwrap();
}

/// Publishes a run at the end of the log, with one record that names it.
fn publish(opened: &mut Opened, kind: RunKind) {
    let position = opened.log.last();
    let mut run = opened.checkpoints.begin(kind, position, 3, Millis(0)).unwrap();
    run.push(format!("/{}", position.zxid).as_bytes(), Some(b"it")).unwrap();
    let run = run.finish().unwrap();
    opened.checkpoints.publish(&run).unwrap();
    opened.log.compact(position).unwrap();
}

/// The keys that the checkpoint holds.
fn loaded(checkpoint: &Checkpoint) -> Vec<String> {
    let mut merge = checkpoint.load().unwrap();
    let mut keys = Vec::new();
    while let Some((key, _)) = merge.next_record().unwrap() {
        keys.push(String::from_utf8(key.to_vec()).unwrap());
    }
    keys
}

/// A checkpoint of two runs and some entries behind it.
fn lead(member: &Member) -> Opened {
    let mut leader = member.open();
    append(&mut leader, 1, 20);
    publish(&mut leader, RunKind::Base);
    append(&mut leader, 2, 30);
    publish(&mut leader, RunKind::Delta);
    append(&mut leader, 4, 10);
    leader
}

/// As the transport does it.
fn receive(from: &Opened, to: &Opened) {
    let staging = to.checkpoint_files.staging().unwrap();
    for run in from.checkpoint_files.newest().unwrap().unwrap().runs {
        let (mut file, mut copy) = (run.file, File::create(staging.join(run.name)).unwrap());
        assert_eq!(std::io::copy(&mut file, &mut copy).unwrap(), run.bytes);
    }
}

fn fresh() -> Member {
    Member::new(2)
}

/// It has a base of the very zxid that the leader's base has, and entries behind it.
fn behind() -> Member {
    let member = Member::new(2);
    let mut opened = member.open();
    append(&mut opened, 1, 20);
    publish(&mut opened, RunKind::Base);
    append(&mut opened, 2, 7);
    member
}

/// It has entries that nobody else has, more than the leader.
fn diverged() -> Member {
    let member = Member::new(2);
    append(&mut member.open(), 3, 200);
    member
}

/// The first `steps` steps of an installation, and then a crash.
fn crashed_after(steps: usize, member: &Member, leader: &Opened) -> Member {
    let mut opened = member.open();
    let promise = Promise { epoch: Epoch(4), server: ServerId(1), incarnation: Incarnation(7) };
    opened.log.put_promise(promise).unwrap();
    receive(leader, &opened);
    let staged = opened.checkpoint_files.stage(None).unwrap();
    assert_eq!(loaded(staged.checkpoint()), ["/0x100000013", "/0x20000001d"]);
    let Opened { log, checkpoints, .. } = &mut opened;
    let mut installation = Installation { log, checkpoints, received: staged.into_checkpoint() };
    STEPS[..steps].iter().for_each(|step| step(&mut installation).unwrap());
    member.killed()
}

#[test]
fn a_crash_leaves_the_old_state_or_the_new_one() {
    let leading = Member::new(1);
    let leader = lead(&leading);
    let new = leader.log.position(Zxid::new(Epoch(2), 29)).unwrap().unwrap();
    let (mut old_found, mut new_found) = (0, 0);
    for member in [fresh(), behind(), diverged()] {
        let copy = member.killed();
        let before = copy.open();
        let (old, old_checkpoint) = (before.log.last(), before.checkpoint.clone());
        let kept = before.log.reader();
        for steps in 0..=STEPS.len() {
            let crashed = crashed_after(steps, &member.killed(), &leader);
            for _start in 0..2 {
                let opened = crashed.open();
                assert_eq!(opened.log.promise().epoch, Epoch(4));
                if steps < 3 {
                    let runs = opened.checkpoint.as_ref().map(|found| found.runs.clone());
                    assert_eq!(runs, old_checkpoint.as_ref().map(|found| found.runs.clone()));
                    assert_eq!(opened.log.last(), old, "after {steps} steps");
                    assert_eq!(opened.ends, kept.ends().unwrap());
                    old_found += 1;
                } else {
                    check_installed(&opened, new);
                    new_found += 1;
                }
            }
            goes_on(&crashed, steps >= 3, &leader, new);
        }
    }
    assert_eq!((old_found, new_found), (18, 24));
}

fn check_installed(opened: &Opened, new: LogPosition) {
    assert!(matches!(opened.recovery, Recovery::Sound(_)), "{}", opened.recovery);
    let checkpoint = opened.checkpoint.as_ref().unwrap();
    assert_eq!(checkpoint.position(), new);
    assert_eq!(loaded(checkpoint), ["/0x100000013", "/0x20000001d"]);
    assert_eq!((opened.log.last(), opened.first, opened.ends.len()), (new, new.zxid, 0));
    assert_eq!(opened.log.first(), None);
    assert!(!opened.checkpoints.manifest().installing);
    let files = fs::read_dir(opened.checkpoints.files().runs()).unwrap().count();
    assert_eq!(files, 2, "only what is named stays");
}

/// What the leader has behind the checkpoint follows it, and stays.
fn goes_on(crashed: &Member, installed: bool, leader: &Opened, new: LogPosition) {
    let mut opened = crashed.open();
    if !installed {
        receive(leader, &opened);
        let staged = opened.checkpoint_files.stage(None).unwrap();
        install(&mut opened.log, &mut opened.checkpoints, staged).unwrap();
    }
    let end = leader.log.last();
    let rest = leader.reader.entries(new.zxid, end.zxid).unwrap();
    let rest: Vec<_> = rest.collect::<Result<_, _>>().unwrap();
    assert_eq!(opened.log.append(&rest).unwrap().position, end);
    publish(&mut opened, RunKind::Delta);
    drop(opened);
    let opened = crashed.open();
    assert_eq!((opened.log.last(), opened.checkpoint.unwrap().position()), (end, end));
    assert_eq!(opened.log.first(), Some(LogIndex(new.index.0 + 6)));
}

#[test]
#[should_panic(expected = "a checkpoint at")]
fn what_is_committed_is_never_given_up() {
    let (leading, member) = (Member::new(1), Member::new(2));
    let (leader, mut opened) = (lead(&leading), member.open());
    append(&mut opened, 9, 60);
    publish(&mut opened, RunKind::Base);
    receive(&leader, &opened);
    let staged = opened.checkpoint_files.stage(None).unwrap();
    let _unreachable = install(&mut opened.log, &mut opened.checkpoints, staged);
}

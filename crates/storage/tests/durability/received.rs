//! Checkpoints that are sent and received: files that stay readable, and files that are refused.

use std::fs::{self, File};
use std::io::Read;

use zooid_ids::{ClusterId, Millis};
use zooid_storage::{Opened, RunKind, StageError, Staged, install};

use crate::home::{Home, checkpoint, entry, last, loaded, replayed};

/// A member with a base at 20 and a delta at 40.
fn leader() -> (Home, Opened) {
    let home = Home::with_entries(20);
    let mut opened = home.open();
    checkpoint(&mut opened, RunKind::Base, &[("/a", Some("1")), ("/b", Some("2"))]);
    for n in 21..=40 {
        opened.log.append(&[entry(n)]).unwrap();
    }
    checkpoint(&mut opened, RunKind::Delta, &[("/a", Some("3"))]);
    (home, opened)
}

/// The files of `from` as they arrive at `to`.
pub(crate) fn receive(from: &Opened, to: &Opened) -> Vec<String> {
    let staging = to.checkpoint_files.staging().unwrap();
    let sent = from.checkpoint_files.newest().unwrap().unwrap();
    let copy = |mut run: zooid_storage::OpenRun| {
        let mut file = File::create_new(staging.join(&run.name)).unwrap();
        assert_eq!(std::io::copy(&mut run.file, &mut file).unwrap(), run.bytes);
        run.name
    };
    sent.runs.into_iter().map(copy).collect()
}

fn stage(opened: &Opened) -> Result<Staged, StageError> {
    opened.checkpoint_files.stage(Some(opened.log.identity().cluster))
}

#[test]
fn open_files_stay_readable_when_they_are_removed() {
    let (home, mut opened) = leader();
    let files = opened.checkpoints.files();
    let sent = files.newest().unwrap().unwrap();
    assert_eq!(sent.position, opened.log.last());
    opened.checkpoints.merge(Millis(0), |_| true).unwrap();
    assert!(sent.runs.iter().all(|run| !home.data("runs").join(&run.name).exists()));
    for mut run in sent.runs {
        let mut bytes = Vec::new();
        run.file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, run.bytes);
    }
    let merged = files.newest().unwrap().unwrap();
    assert_eq!((merged.runs.len(), merged.position), (1, sent.position));
    assert!(Home::new().open().checkpoint_files.newest().unwrap().is_none());
}

#[test]
fn what_was_received_is_installed_and_sent_on() {
    let (_leading, leader) = leader();
    let home = Home::new();
    let mut opened = home.open();
    receive(&leader, &opened);
    let staged = stage(&opened).unwrap();
    assert_eq!(staged.checkpoint().position(), leader.log.last());
    assert_eq!(staged.checkpoint().digest(), 99);
    assert!(opened.checkpoint_files.newest().unwrap().is_none());
    install(&mut opened.log, &mut opened.checkpoints, staged).unwrap();
    assert_eq!((opened.log.last(), opened.log.first()), (leader.log.last(), None));
    assert_eq!(opened.reader.before_first(), Ok(entry(40).zxid));
    opened.log.append(&[entry(41)]).unwrap();
    drop(opened);
    let mut opened = home.open();
    assert_eq!(replayed(&mut opened), vec![entry(41)]);
    let expected = [("/a", "3"), ("/b", "2")].map(|(key, value)| (key.into(), value.into()));
    assert_eq!(loaded(&opened), expected);
    let other = Home::new();
    let third = other.open();
    assert_eq!(receive(&opened, &third).len(), 2);
    assert_eq!(stage(&third).unwrap().checkpoint().position(), leader.log.last());
    checkpoint(&mut opened, RunKind::Delta, &[("/c", Some("4"))]);
    opened.checkpoints.merge(Millis(0), |_| true).unwrap();
    assert_eq!(fs::read_dir(home.data("runs")).unwrap().count(), 1);
    drop(opened);
    assert_eq!(loaded(&home.open()).len(), 3);
}

#[test]
fn a_ledger_that_rots_after_an_installation() {
    let (_leading, leader) = leader();
    let home = Home::with_entries(20);
    let mut opened = home.open();
    checkpoint(&mut opened, RunKind::Base, &[("/own", Some("1"))]);
    receive(&leader, &opened);
    let staged = stage(&opened).unwrap();
    install(&mut opened.log, &mut opened.checkpoints, staged).unwrap();
    opened.log.append(&[entry(41)]).unwrap();
    drop(opened);
    fs::remove_dir_all(home.data("ledger")).unwrap();
    let mut opened = home.open();
    assert_eq!(replayed(&mut opened), vec![entry(41)]);
    assert_eq!(loaded(&opened).len(), 2);
}

/// Each time the log drops everything, its files are reused, and its keys have to survive.
#[test]
fn installing_again_and_again_keeps_the_log_small_and_whole() {
    let (leading, mut home) = (Home::new(), Home::new());
    let (mut leader, mut opened) = (leading.open(), home.open());
    let append = |opened: &mut Opened, count: u64| {
        let last = opened.log.last().index.0;
        for n in last + 1..=last + count {
            opened.log.append(&[entry(n)]).unwrap();
        }
    };
    for round in 0..10 {
        append(&mut leader, 900);
        checkpoint(&mut leader, RunKind::Base, &[("/a", Some(&round.to_string()))]);
        let position = leader.log.last();
        leader.log.compact(position).unwrap();
        receive(&leader, &opened);
        let staged = stage(&opened).unwrap();
        install(&mut opened.log, &mut opened.checkpoints, staged).unwrap();
        append(&mut opened, 700);
        checkpoint(&mut opened, RunKind::Delta, &[("/b", Some("1"))]);
        let position = opened.log.last();
        opened.log.compact(position).unwrap();
        append(&mut opened, 5);
        home = home.killed();
        opened = home.open();
        assert_eq!(last(&opened.recovery), (round + 1) * 900 + 705);
        assert_eq!(loaded(&opened)[0], ("/a".into(), round.to_string()));
        assert_eq!(replayed(&mut opened).len(), 5);
        assert!(opened.dirs.sizes().log < 800 << 10, "{:?}", opened.dirs.sizes());
    }
}

#[test]
fn files_that_are_no_checkpoint_are_refused() {
    let (_leading, leader) = leader();
    let home = Home::with_entries(3);
    let opened = home.open();
    let staging = || home.data("staging");
    let refused = |change: &dyn Fn(&[String])| {
        change(&receive(&leader, &opened));
        stage(&opened).unwrap_err()
    };
    let flip = refused(&|names| crate::home::flip(&staging().join(&names[0]), 150));
    assert!(matches!(flip, StageError::Run(_)), "{flip}");
    let cut = refused(&|names| fs::write(staging().join(&names[1]), b"short").unwrap());
    assert!(matches!(cut, StageError::Run(_)), "{cut}");
    let without_base = refused(&|names| fs::remove_file(staging().join(&names[0])).unwrap());
    assert!(matches!(without_base, StageError::NotOne { .. }), "{without_base}");
    let twice = refused(&|names| {
        fs::copy(staging().join(&names[0]), staging().join("copy")).unwrap();
    });
    assert!(matches!(twice, StageError::NotOne { .. }), "{twice}");
    let nested = refused(&|_| fs::create_dir(staging().join("directory")).unwrap());
    assert!(matches!(nested, StageError::Run(_)), "{nested}");
    opened.checkpoint_files.staging().unwrap();
    assert!(matches!(stage(&opened), Err(StageError::Nothing { .. })));
    assert_eq!(opened.log.last().zxid, entry(3).zxid);
    receive(&leader, &opened);
    drop(opened);
    assert!(matches!(stage(&home.open()), Err(StageError::Nothing { .. })));
}

#[test]
fn runs_of_another_ensemble_are_refused() {
    let (_leading, leader) = leader();
    let mut home = Home::new();
    home.config.identity_if_fresh.cluster = ClusterId(2);
    let mut opened = home.open();
    receive(&leader, &opened);
    let error = stage(&opened).unwrap_err();
    assert!(matches!(error, StageError::OtherCluster { .. }), "{error}");
    // A member that was just told which ensemble it is in.
    opened.log.set_cluster(ClusterId(1)).unwrap();
    assert_eq!(stage(&opened).unwrap().checkpoint().position(), leader.log.last());
}

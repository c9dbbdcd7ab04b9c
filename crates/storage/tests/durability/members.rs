//! What only a member of an ensemble needs: the ensemble's id, what others acknowledged, and a
//! life after its data was found suspect.

use std::fs;

use zooid_ids::{ClusterId, Incarnation, Millis, ServerId, Zxid};
use zooid_storage::{Acknowledged, IfSuspect, OpenError, Recovery, RunKind};

use crate::home::{Home, checkpoint, entry, last};

#[test]
fn the_ensemble_that_a_member_was_told_of_stays() {
    let home = Home::new();
    let mut opened = home.open();
    opened.log.set_cluster(ClusterId(77)).unwrap();
    assert_eq!(opened.log.identity().cluster, ClusterId(77));
    opened.log.append(&[entry(1)]).unwrap();
    checkpoint(&mut opened, RunKind::Base, &[("/a", Some("1"))]);
    let killed = home.killed();
    assert_eq!(killed.open().log.identity().cluster, ClusterId(77));
    // Without the ledger the runs are known by the ensemble that the log names.
    fs::remove_dir_all(killed.data("ledger")).unwrap();
    assert!(killed.open().checkpoint.is_some());
}

#[test]
fn what_others_acknowledged_is_there_again() {
    let home = Home::with_entries(3);
    let opened = home.open();
    assert_eq!(opened.acknowledged, []);
    let of = |n: u64, zxid| Acknowledged {
        server: ServerId(n),
        incarnation: Incarnation(u128::from(n) << 99),
        zxid: Zxid(zxid),
    };
    opened.acknowledgements.put(&[of(2, 5), of(3, 6)]).unwrap();
    opened.acknowledgements.put(&[of(2, 8), of(3, 9)]).unwrap();
    assert_eq!(home.killed().open().acknowledged, [of(2, 8), of(3, 9)]);
}

/// A member's directory whose log is damaged.
fn suspect() -> Home {
    let mut home = Home::with_entries(60);
    let file = home.newest_log_file();
    let mut bytes = fs::read(&file).unwrap();
    bytes[4096..8192].fill(0);
    fs::write(&file, bytes).unwrap();
    home.config.if_suspect = IfSuspect::SetAside;
    home.config.identity_if_fresh.incarnation = Incarnation(99);
    home.config.identity_if_fresh.created = Millis(1234);
    home
}

#[test]
fn a_suspect_begins_anew_and_says_so_until_it_is_readmitted() {
    let home = suspect();
    let damaged = fs::read(home.newest_log_file()).unwrap();
    let mut opened = home.open();
    let said = opened.suspect.clone().unwrap();
    assert!(said.contains("is damaged at byte") && said.contains("suspect-1234"), "{said}");
    assert!(!said.contains("move both"), "{said}");
    assert_eq!((&opened.recovery, opened.log.last().index.0), (&Recovery::Fresh, 0));
    assert_eq!(opened.log.identity().incarnation, Incarnation(99));
    let kept = home.config.log_dir.join("zooid/suspect-1234/log");
    let name = fs::read_dir(&kept)
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "raftlog"));
    assert_eq!(fs::read(name.unwrap()).unwrap(), damaged);
    assert!(home.data("suspect-1234/witness").exists());
    opened.log.append(&[entry(1), entry(2)]).unwrap();
    drop(opened);
    let mut opened = home.open();
    assert_eq!((last(&opened.recovery), &opened.suspect), (2, &Some(said)));
    opened.log.readmitted().unwrap();
    let killed = home.killed();
    drop(opened);
    assert_eq!(killed.open().suspect, None);
    assert_eq!(home.open().suspect, None);
}

#[test]
fn a_suspect_that_is_refused_is_not_changed() {
    let mut home = suspect();
    home.config.if_suspect = IfSuspect::Refuse;
    assert!(matches!(home.try_open(), Err(OpenError::Suspect(_))));
    assert!(matches!(home.try_open(), Err(OpenError::Suspect(_))));
    assert!(!home.data("suspect").exists() && !home.data("suspect-1234").exists());
}

#[test]
fn a_suspect_again_is_kept_again() {
    let home = suspect();
    home.open().log.append(&[entry(1)]).unwrap();
    fs::remove_file(home.data("witness")).unwrap();
    let opened = home.open();
    let said = opened.suspect.unwrap();
    assert!(said.contains("its witness cannot be used"), "{said}");
    assert!(home.data("suspect-1234/ledger").exists() && home.data("suspect-1235/ledger").exists());
}

/// The mark comes first: whatever was moved when the server died, it never looks new.
#[test]
fn a_crash_while_a_suspect_is_set_aside() {
    for moved in [[].as_slice(), &["witness"], &["witness", "ledger", "runs"]] {
        let home = suspect();
        let aside = home.data("suspect-55");
        fs::create_dir(&aside).unwrap();
        fs::write(home.data("suspect.moving"), "suspect-55\nbecause").unwrap();
        for name in moved {
            fs::rename(home.data(name), aside.join(name)).unwrap();
        }
        for _start in 0..2 {
            let opened = home.open();
            assert_eq!(opened.suspect.as_deref(), Some("because"));
            assert_eq!(last(&opened.recovery), 0);
            assert_eq!(opened.log.identity().incarnation, Incarnation(99));
        }
        let kept = home.config.log_dir.join("zooid/suspect-55/log");
        assert!(kept.exists() && aside.join("witness").exists());
        assert!(!home.data("suspect.moving").exists());
    }
}

/// The others say that it is one: nothing changes before the next start.
#[test]
fn a_suspect_by_the_word_of_others() {
    let mut home = Home::with_entries(3);
    home.config.if_suspect = IfSuspect::SetAside;
    let opened = home.open();
    opened.dirs.mark_suspect("the others say so", Millis(5)).unwrap();
    assert!(home.data("witness").exists());
    let killed = home.killed();
    drop(opened);
    for home in [home, killed] {
        let opened = home.open();
        let said = opened.suspect.clone().unwrap();
        assert!(said.starts_with("the others say so; what was found is kept in "), "{said}");
        assert_eq!((&opened.recovery, opened.log.last().index.0), (&Recovery::Fresh, 0));
        assert!(home.data("suspect-5/witness").exists());
    }
}

#[test]
fn one_directory_for_both_is_set_aside_whole() {
    let mut home = Home::new();
    home.config.log_dir = home.config.data_dir.clone();
    home.open().log.append(&[entry(1)]).unwrap();
    fs::remove_file(home.data("witness")).unwrap();
    home.config.if_suspect = IfSuspect::SetAside;
    let said = home.open().suspect.unwrap();
    assert_eq!(said.matches("suspect-0").count(), 1, "{said}");
    assert!(home.data("suspect-0/log").exists() && home.data("suspect-0/ledger").exists());
}

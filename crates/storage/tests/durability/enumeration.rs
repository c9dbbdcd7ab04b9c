//! Every file, damaged in every way, one at a time: what a start makes of it.
//!
//! Each kind of damage is done at some places of each file of a directory that has everything: a
//! log of several files, a base and a delta, a ledger, a witness. The outcome must be one of those
//! that are defined, and never a history that ends earlier, or a state with less in it.
//!
//! `ZOOID_DAMAGE_PLACES=16 cargo test -p zooid-storage --test durability enumeration -- --nocapture`
//! takes half a minute and prints the whole table; the default is a few places.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::home::{Home, checkpoint, entry, last, loaded, replayed};
use zooid_ids::{Incarnation, ServerId};
use zooid_storage::{OpenError, Opened, Recovery, RunKind, Suspicion};

/// The end of the log, and where the older copies of the files end.
const END: u64 = 400;
const OLDER: u64 = 60;

/// A directory that has everything, and how it looked earlier.
fn filled(server: u64) -> (Home, Home) {
    let mut home = Home::new();
    let identity = &mut home.config.identity_if_fresh;
    identity.incarnation = Incarnation(u128::from(server) + 6);
    identity.server = ServerId(server);
    home.config.server = ServerId(server);
    let mut opened = home.open();
    let append = |opened: &mut Opened, from: u64, through: u64| {
        for n in from..=through {
            opened.log.append(&[entry(n)]).unwrap();
        }
    };
    append(&mut opened, 1, 20);
    checkpoint(&mut opened, RunKind::Base, &[("/a", Some("1")), ("/b", Some("2"))]);
    append(&mut opened, 21, OLDER);
    let older = home.killed();
    checkpoint(&mut opened, RunKind::Delta, &[("/a", Some("3"))]);
    append(&mut opened, OLDER + 1, END);
    drop(opened);
    (home, older)
}

/// One way to damage a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flipped(usize),
    Cut(usize),
    Emptied,
    Removed,
    Older,
    Swapped,
}

impl Damage {
    fn name(self) -> &'static str {
        match self {
            Self::Flipped(_) => "a bit flipped",
            Self::Cut(_) => "cut",
            Self::Emptied => "emptied",
            Self::Removed => "removed",
            Self::Older => "an older copy",
            Self::Swapped => "another server's",
        }
    }

    /// All of them for a file of this length.
    fn all(length: usize, places: usize) -> Vec<Self> {
        let at = |place: usize| (2 * place + 1) * length / (2 * places);
        let places = (0..places).filter(|_| length > 0).map(at);
        let inside = places.flat_map(|at| [Self::Flipped(at), Self::Cut(at)]);
        let whole = [Self::Emptied, Self::Removed, Self::Older, Self::Swapped];
        inside.chain(whole).collect()
    }

    /// False if there is nothing to do it with.
    fn is_done(self, file: &Path, older: &Path, other: &Path) -> bool {
        let bytes = fs::read(file).unwrap();
        let copied = |from: &Path| from.exists() && fs::copy(from, file).is_ok();
        match self {
            Self::Flipped(at) => {
                let mut bytes = bytes;
                bytes[at] ^= 0x10;
                fs::write(file, bytes).is_ok()
            }
            Self::Cut(at) => fs::write(file, &bytes[..at]).is_ok(),
            Self::Emptied => fs::write(file, b"").is_ok(),
            Self::Removed => fs::remove_file(file).is_ok(),
            Self::Older => copied(older),
            Self::Swapped => copied(other),
        }
    }
}

/// What became of it.
fn outcome(home: &Home) -> &'static str {
    let opened = catch_unwind(AssertUnwindSafe(|| home.try_open()));
    match opened {
        Err(_) => "PANIC",
        Ok(Err(OpenError::Suspect(why))) => suspicion(&why),
        Ok(Err(OpenError::Refused(_))) => "refused",
        Ok(Err(OpenError::Dirs(_))) => "not ours",
        Ok(Err(OpenError::Log(_) | OpenError::Fatal(_))) => "error",
        Ok(Ok(opened)) => opened_as(opened),
    }
}

fn opened_as(mut opened: Opened) -> &'static str {
    if !is_whole(&mut opened) {
        return "LESS THAN ACKNOWLEDGED";
    }
    match &opened.recovery {
        Recovery::Sound(recovered) if recovered.ledger_rebuilt.is_some() => "ledger rebuilt",
        Recovery::Sound(_) => "sound",
        _ => "behind the end cut",
    }
}

fn suspicion(why: &Suspicion) -> &'static str {
    match why {
        Suspicion::LogDamaged { .. } => "log damaged",
        Suspicion::LogUnreadable { .. } => "log unreadable",
        Suspicion::LogGone { .. } => "log gone",
        Suspicion::LogBroken { .. } => "log broken",
        Suspicion::Gap { .. } => "gap",
        Suspicion::LogBehind { .. } => "log behind",
        Suspicion::HistoryDiffers { .. } => "history differs",
        Suspicion::WitnessLost { .. } => "witness lost",
        Suspicion::KeysLost { .. } => "keys lost",
        Suspicion::RunUnusable { .. } => "run unusable",
        Suspicion::NeverFormed { .. } => "never formed",
    }
}

/// Everything up to the end is there, from the checkpoint on, and each entry is what it was.
fn is_whole(opened: &mut Opened) -> bool {
    if last(&opened.recovery) != END {
        return false;
    }
    let from = opened.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.position().index.0);
    let state = opened.checkpoint.is_some().then(|| loaded(opened));
    let base = [("/a", "1"), ("/b", "2")].map(|(key, value)| (key.into(), value.into()));
    let both = [("/a", "3"), ("/b", "2")].map(|(key, value)| (key.into(), value.into()));
    let expected = match from {
        0 => None,
        20 => Some(base.to_vec()),
        _ => Some(both.to_vec()),
    };
    let entries = replayed(opened);
    state == expected && entries == (from + 1..=END).map(entry).collect::<Vec<_>>()
}

/// Files that mean the same, whatever their number is.
fn kind(file: &Path) -> String {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let of = file.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
    match of.as_str() {
        "log" | "runs" => format!("{of}/*.{}", name.rsplit('.').next().unwrap()),
        "ledger" => format!("ledger/{}", name.split('.').next().unwrap()),
        _ => format!("{}/{name}", if file.starts_with("logs") { "dataLogDir" } else { "dataDir" }),
    }
}

fn files(dir: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir.join(below)).unwrap().map(Result::unwrap) {
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files(dir, &path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn no_damage_is_taken_for_less() {
    let places = std::env::var("ZOOID_DAMAGE_PLACES").ok().and_then(|text| text.parse().ok());
    let (home, older) = filled(1);
    let (other, _) = filled(2);
    assert_eq!(outcome(&home.killed()), "sound");
    let mut found = Vec::new();
    files(home.path(), Path::new(""), &mut found);
    found.sort();
    let mut table: BTreeMap<(String, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for file in &found {
        let length = fs::metadata(home.path().join(file)).unwrap().len() as usize;
        for damage in Damage::all(length, places.unwrap_or(2)) {
            let damaged = home.killed();
            let at = |home: &Home| home.path().join(file);
            if damage.is_done(&at(&damaged), &at(&older), &at(&other)) {
                let outcome = outcome(&damaged);
                println!("{} {damage:?}: {outcome}", file.display());
                let row = table.entry((kind(file), damage.name())).or_default();
                *row.entry(outcome).or_default() += 1;
            }
        }
    }
    for ((file, damage), outcomes) in &table {
        println!("{file:24} {damage:18} {outcomes:?}");
    }
    let bad: Vec<_> = table
        .iter()
        .filter(|(_, row)| row.keys().any(|outcome| *outcome == outcome.to_uppercase()))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

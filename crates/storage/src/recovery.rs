//! What a start found, and what follows from it: one pure function.
//!
//! [`Found`] is plain data, gathered without changing anything that matters; [`recover`] decides.
//! The rule behind the cases: a crash or a power cut leaves only what [`Recovery::Sound`] and
//! [`Recovery::TornTail`] say; everything else means that something acknowledged may be gone, and
//! a server that does not know must not answer as if it did.

use std::path::PathBuf;

use zooid_ids::{LogIndex, ServerId};

use crate::checkpoint::{Manifest, RunInManifest};
use crate::entry::LogPosition;
use crate::precheck::{FilesFound, Tear};
use crate::run::{RunKind, RunSummary};
use crate::witness::{Slot, WitnessRecord};
use crate::{Identity, Promise};

/// Everything that a start found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who the server is configured to be.
    pub server: ServerId,
    /// For sentences: where witness, ledger and runs lie.
    pub data_dir: PathBuf,
    /// For sentences: where the log lies.
    pub log_dir: PathBuf,
    /// The witness.
    pub witness: WitnessFound,
    /// The log's files, before they were opened.
    pub files: FilesFound,
    /// The log, opened and read.
    pub log: LogFound,
    /// The identity among the log's keys.
    pub log_identity: Option<Identity>,
    /// The promise among the log's keys.
    pub log_promise: Option<Promise>,
    /// The ledger.
    pub ledger: LedgerFound,
    /// The run files, each read to its end.
    pub runs: Vec<RunFound>,
}

/// The witness file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessFound {
    /// There is none.
    Missing,
    /// The system refused to read it.
    Unreadable(String),
    /// Its two slots.
    Slots([Slot; 2]),
}

impl WitnessFound {
    fn records(&self) -> impl Iterator<Item = WitnessRecord> {
        let slots = if let Self::Slots(slots) = self { *slots } else { [Slot::Blank; 2] };
        slots.into_iter().filter_map(Slot::record)
    }

    /// The newest whole record.
    #[must_use]
    pub fn newest(&self) -> Option<WitnessRecord> {
        self.records().max_by_key(|record| record.sequence)
    }
}

/// The log, as raft-engine gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFound {
    /// It was not opened, because of what was found before.
    Unopened,
    /// raft-engine refused, or panicked.
    Unopenable(String),
    /// No entry.
    Empty,
    /// Entries.
    Entries {
        /// The oldest.
        first: LogIndex,
        /// The newest record, be it an entry or the mark of a truncation.
        end: LogIndex,
        /// The entry at the checkpoint's index, if the log has it.
        at_checkpoint: Option<LogPosition>,
        /// The entry at the witness's index, if the log has it.
        at_witness: Option<LogPosition>,
        /// What stands above the checkpoint.
        above: AboveCheckpoint,
    },
}

/// The entries above the checkpoint, each of which was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AboveCheckpoint {
    /// They do not begin at the checkpoint.
    Gap,
    /// One cannot be read or does not continue the history.
    Broken {
        /// The end of what does.
        last_good: LogPosition,
        /// What is wrong behind it.
        why: String,
    },
    /// They are one history.
    Whole {
        /// Its end; the checkpoint itself if there is no entry above it.
        last: LogPosition,
    },
}

/// The ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerFound {
    /// It was never written.
    Empty,
    /// It could not be read.
    Unreadable {
        /// Why not.
        why: String,
        /// Where its files are kept.
        moved_to: PathBuf,
    },
    /// Both of its records.
    Read {
        /// Whose directory.
        identity: Identity,
        /// Which runs count.
        manifest: Manifest,
    },
}

/// One run file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFound {
    /// Its name.
    pub file: String,
    /// What it says of itself, if all of it is whole; otherwise what is wrong.
    pub read: Result<RunSummary, String>,
}

impl RunFound {
    /// As a manifest would name it, if it is whole. A received one has another name than its own.
    fn whole(&self) -> Option<(&RunSummary, RunInManifest)> {
        let run = self.read.as_ref().ok()?;
        Some((run, RunInManifest::new(run, self.file != run.header.file_name())))
    }

    /// Whether it lies here without ever having been named: installing it was not begun.
    fn is_received(&self) -> bool {
        self.whole().is_some_and(|(_, run)| run.received && run.file_name() == self.file)
    }
}

/// What follows from what was found. Its `Display` is the sentence that an operator reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The directories were never used.
    Fresh,
    /// A first start was interrupted before anything was durable; it starts over.
    Forming {
        /// What was promised meanwhile still binds.
        promise: Promise,
    },
    /// Everything that was acknowledged is there.
    Sound(Recovered),
    /// The same, after the end of a write that was never acknowledged was cut off.
    TornTail {
        /// What was cut.
        tear: Tear,
        /// What is there.
        recovered: Recovered,
    },
    /// Something that was acknowledged may be missing: no vote, no reads.
    Suspect(Suspicion),
    /// These directories do not belong to this server, or not together.
    Refused(Refusal),
}

/// The state to go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Whose directories.
    pub identity: Identity,
    /// The checkpoint's runs.
    pub manifest: Manifest,
    /// The end of the log.
    pub last: LogPosition,
    /// The highest promise that any copy remembers.
    pub promise: Promise,
    /// Why the ledger had to be written anew from the runs and the log.
    pub ledger_rebuilt: Option<String>,
}

/// Why a server cannot know that it has everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// A bad place in the log's files that no crash leaves.
    LogDamaged {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// How it is known.
        why: &'static str,
    },
    /// The log cannot be opened or read.
    LogUnreadable {
        /// Its directory.
        dir: PathBuf,
        /// Why not.
        why: String,
    },
    /// There is no log, but other files say that there was one.
    LogGone {
        /// Its directory.
        dir: PathBuf,
        /// Who says so.
        beside: String,
    },
    /// An entry does not continue the history.
    LogBroken {
        /// Its directory.
        dir: PathBuf,
        /// The end of what does.
        last_good: LogPosition,
        /// What is wrong.
        why: String,
    },
    /// Entries between the checkpoint and the log are missing.
    Gap {
        /// The checkpoint.
        checkpoint: LogPosition,
        /// The log's first entry.
        first: LogIndex,
    },
    /// The log ends earlier than it once did.
    LogBehind {
        /// Where it ends.
        last: LogIndex,
        /// Where it ended.
        reached: LogPosition,
        /// Who says so.
        says: &'static str,
    },
    /// The log holds another history than it once did.
    HistoryDiffers {
        /// What the log holds there.
        log: Option<LogPosition>,
        /// What it held.
        expected: LogPosition,
        /// Who says so.
        says: &'static str,
    },
    /// There is data, but no witness.
    WitnessLost {
        /// Where it should be.
        dir: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The log has entries but lost its keys.
    KeysLost {
        /// Its directory.
        dir: PathBuf,
    },
    /// A run of the checkpoint is missing, damaged or another one.
    RunUnusable {
        /// Its file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The ledger or the runs tell of a checkpoint in a directory that never had an entry.
    NeverFormed {
        /// The directory.
        dir: PathBuf,
    },
}

/// Why these directories are not for this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They belong to another server of the ensemble.
    OtherServer {
        /// Which copy of the identity says so.
        place: PathBuf,
        /// Whose it is.
        holds: ServerId,
        /// Who this server is.
        configured: ServerId,
    },
    /// They were never used together.
    NotTogether {
        /// One.
        one: PathBuf,
        /// And the other.
        other: PathBuf,
    },
}

/// Decides. The same answer for the same findings, always.
#[must_use]
pub fn recover(found: &Found) -> Recovery {
    if let Err(refusal) = found.check_identity() {
        return Recovery::Refused(refusal);
    }
    if found.is_unused() {
        return Recovery::Fresh;
    }
    match found.judge() {
        Ok(recovery) => recovery,
        Err(suspicion) => Recovery::Suspect(suspicion),
    }
}

impl Found {
    /// Every copy must name this server and one life of its directory.
    fn check_identity(&self) -> Result<(), Refusal> {
        let witness = self.witness.newest().map(|record| (record.server, record.incarnation));
        let log = self.log_identity.map(|identity| (identity.server, identity.incarnation));
        let ledger = match &self.ledger {
            LedgerFound::Read { identity, .. } => Some((identity.server, identity.incarnation)),
            _ => None,
        };
        let copies = [(witness, &self.data_dir), (ledger, &self.data_dir), (log, &self.log_dir)];
        let copies: Vec<_> =
            copies.into_iter().filter_map(|(copy, dir)| Some((copy?, dir))).collect();
        for ((holds, _), place) in &copies {
            if *holds != self.server {
                let (holds, configured) = (*holds, self.server);
                let place = place.to_path_buf();
                return Err(Refusal::OtherServer { place, holds, configured });
            }
        }
        let differs = copies.iter().find(|(copy, _)| *copy != copies[0].0);
        differs.map_or(Ok(()), |(_, other)| {
            Err(Refusal::NotTogether { one: copies[0].1.clone(), other: other.to_path_buf() })
        })
    }

    fn is_unused(&self) -> bool {
        self.witness.newest().is_none()
            && !matches!(self.witness, WitnessFound::Unreadable(_))
            && self.files == FilesFound::None
            && self.ledger == LedgerFound::Empty
            && self.runs.is_empty()
    }

    fn judge(&self) -> Result<Recovery, Suspicion> {
        self.check_files()?;
        let witness = self.witness.newest().ok_or_else(|| self.witness_lost())?;
        if let LedgerFound::Read { identity, manifest } = &self.ledger
            && manifest.installing
        {
            return self.finish_installing(*identity);
        }
        let LogFound::Entries { first, end, at_checkpoint, at_witness, above } = &self.log else {
            return self.without_entries(witness);
        };
        let dir = || self.log_dir.clone();
        let identity = self.log_identity.ok_or_else(|| Suspicion::KeysLost { dir: dir() })?;
        let manifest = self.manifest(*end)?;
        let checkpoint = manifest.position();
        let last = match above {
            AboveCheckpoint::Whole { last } => *last,
            AboveCheckpoint::Gap => return Err(Suspicion::Gap { checkpoint, first: *first }),
            AboveCheckpoint::Broken { last_good, why } => {
                let (last_good, why) = (*last_good, why.clone());
                return Err(Suspicion::LogBroken { dir: dir(), last_good, why });
            }
        };
        check_against("the checkpoint", checkpoint, *end, *first, *at_checkpoint)?;
        let at_witness =
            if witness.position.index == checkpoint.index { Some(checkpoint) } else { *at_witness };
        check_against("the witness", witness.position, last.index, *first, at_witness)?;
        Ok(self.go_on(Recovered {
            identity,
            manifest,
            last,
            promise: self.promise(),
            ledger_rebuilt: self.why_ledger_was_rebuilt(),
        }))
    }

    fn go_on(&self, recovered: Recovered) -> Recovery {
        match &self.files {
            FilesFound::Torn(tear) => Recovery::TornTail { tear: tear.clone(), recovered },
            _ => Recovery::Sound(recovered),
        }
    }

    /// Whatever the log holds, it is to be begun anew.
    fn finish_installing(&self, identity: Identity) -> Result<Recovery, Suspicion> {
        if let LogFound::Unopenable(why) = &self.log {
            return Err(self.log_unreadable(why));
        }
        let manifest = self.manifest(LogIndex(0))?;
        Ok(self.go_on(Recovered {
            identity: self.log_identity.unwrap_or(identity),
            last: manifest.position(),
            manifest,
            promise: self.promise(),
            ledger_rebuilt: None,
        }))
    }

    fn check_files(&self) -> Result<(), Suspicion> {
        match &self.files {
            FilesFound::Damaged { file, offset, why } => {
                Err(Suspicion::LogDamaged { file: file.clone(), offset: *offset, why })
            }
            FilesFound::Unreadable(why) => Err(self.log_unreadable(why)),
            FilesFound::None | FilesFound::Whole | FilesFound::Torn(_) => Ok(()),
        }
    }

    fn log_unreadable(&self, why: &str) -> Suspicion {
        Suspicion::LogUnreadable { dir: self.log_dir.clone(), why: why.into() }
    }

    fn witness_lost(&self) -> Suspicion {
        let why = match &self.witness {
            WitnessFound::Missing => "it is missing",
            WitnessFound::Unreadable(why) => why,
            WitnessFound::Slots(_) => "neither of its records is whole",
        };
        Suspicion::WitnessLost { dir: self.data_dir.clone(), why: why.into() }
    }

    /// No entry was found: either there never was one, or they are gone.
    fn without_entries(&self, witness: WitnessRecord) -> Result<Recovery, Suspicion> {
        if let LogFound::Unopenable(why) = &self.log {
            return Err(self.log_unreadable(why));
        }
        let gone = |beside| Suspicion::LogGone { dir: self.log_dir.clone(), beside };
        if !witness.forming {
            return Err(gone(format!("the witness says it reached {}", witness.position)));
        }
        let named = matches!(&self.ledger,
            LedgerFound::Read { manifest, .. } if *manifest != Manifest::default());
        if named || !self.runs.iter().all(RunFound::is_received) {
            return Err(Suspicion::NeverFormed { dir: self.data_dir.clone() });
        }
        Ok(Recovery::Forming { promise: self.promise() })
    }

    /// The promise in force is the highest that any copy has.
    fn promise(&self) -> Promise {
        let witness = self.witness.records().map(|record| record.promise);
        witness.chain(self.log_promise).max().unwrap_or_default()
    }

    /// The runs that count: those that the ledger names, or without it the newest that fit in a log
    /// that ends at `log_end`.
    ///
    /// # Errors
    /// If one of them is not what the ledger says.
    pub fn manifest(&self, log_end: LogIndex) -> Result<Manifest, Suspicion> {
        match &self.ledger {
            LedgerFound::Read { manifest, .. } => {
                manifest.runs.iter().try_for_each(|run| self.check_run(run))?;
                Ok(manifest.clone())
            }
            LedgerFound::Empty | LedgerFound::Unreadable { .. } => Ok(self.rebuilt(log_end)),
        }
    }

    fn check_run(&self, run: &RunInManifest) -> Result<(), Suspicion> {
        let name = run.file_name();
        let why = match self.runs.iter().find(|found| found.file == name).map(|run| &run.read) {
            None => "it is missing".into(),
            Some(Err(why)) => why.clone(),
            // Its checksum says nothing of its header, which ends in a checksum of its own.
            Some(Ok(read)) if !run.received && !self.is_own(read) => {
                "it was written in another directory".into()
            }
            Some(Ok(read)) if RunInManifest::new(read, run.received) == *run => return Ok(()),
            Some(Ok(_)) => "it is another run than the ledger names".into(),
        };
        Err(Suspicion::RunUnusable { file: self.data_dir.join("runs").join(name), why })
    }

    /// Whether a run was written in this life of the directory, as far as its identity is known.
    fn is_own(&self, run: &RunSummary) -> bool {
        let of_ledger = match &self.ledger {
            LedgerFound::Read { identity, .. } => Some(*identity),
            _ => None,
        };
        let identity = self.log_identity.or(of_ledger);
        identity.is_none_or(|own| own.incarnation == run.header.incarnation)
    }

    /// The newest run that is durable in the log too, with all its parents.
    fn rebuilt(&self, log_end: LogIndex) -> Manifest {
        let mut whole: Vec<_> = self
            .runs
            .iter()
            .filter_map(RunFound::whole)
            .filter(|(run, _)| run.header.position.index <= log_end)
            .filter(|(run, _)| {
                self.log_identity.is_some_and(|own| own.cluster == run.header.cluster)
            })
            .collect();
        // At one zxid a base is as good as the delta that leads there, and stands alone.
        whole.sort_by_key(|(run, _)| {
            (std::cmp::Reverse(run.header.position.zxid), run.header.kind == RunKind::Delta)
        });
        let chains = whole.iter().map(|newest| chain_to(*newest, &whole));
        Manifest { runs: chains.flatten().next().unwrap_or_default(), installing: false }
    }

    fn why_ledger_was_rebuilt(&self) -> Option<String> {
        match &self.ledger {
            LedgerFound::Read { .. } => None,
            LedgerFound::Empty => Some("it was empty".into()),
            LedgerFound::Unreadable { why, moved_to } => {
                Some(format!("{why}; its files are kept in {}", moved_to.display()))
            }
        }
    }
}

/// `newest` and its parents, oldest first; `None` if one of them is not there.
fn chain_to(
    newest: (&RunSummary, RunInManifest),
    whole: &[(&RunSummary, RunInManifest)],
) -> Option<Vec<RunInManifest>> {
    let (mut run, named) = newest;
    let mut chain = vec![named];
    while run.header.kind == RunKind::Delta {
        let parent = run.header.parent;
        let (before, named) = whole.iter().find(|(other, _)| {
            other.header.position.zxid == parent && parent < run.header.position.zxid
        })?;
        chain.push(*named);
        run = before;
    }
    chain.reverse();
    Some(chain)
}

/// A log that ends at `end` must have reached `expected`, by the same history.
fn check_against(
    says: &'static str,
    expected: LogPosition,
    end: LogIndex,
    first: LogIndex,
    held: Option<LogPosition>,
) -> Result<(), Suspicion> {
    if end < expected.index {
        return Err(Suspicion::LogBehind { last: end, reached: expected, says });
    }
    let compacted = held.is_none() && expected.index < first;
    if compacted || held == Some(expected) {
        return Ok(());
    }
    Err(Suspicion::HistoryDiffers { log: held, expected, says })
}

#[cfg(test)]
mod tests;

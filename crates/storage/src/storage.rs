//! Opening everything: look, decide, and only then let anybody write.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use zooid_ids::{LogIndex, Zxid};

use crate::acknowledged::{Acknowledged, Acknowledgements};
use crate::checkpoint::{Checkpoint, Checkpoints, Manifest};
use crate::dirs::{Config, DataDirs, DirError, IfSuspect};
use crate::entry::LogPosition;
use crate::ledger::LedgerFiles;
use crate::log::{self, Engine, Entries, LogReader, LogWriter, ReadError, Start, Unopenable};
use crate::precheck::{self, FilesFound};
use crate::received::CheckpointFiles;
use crate::recovery::{Found, LedgerFound, LogFound, Recovered, Recovery, RunFound, recover};
use crate::recovery::{Refusal, Suspicion, WitnessFound};
use crate::run::{RunError, RunReader};
use crate::sentence::Finding;
use crate::witness::{self, Witness, WitnessRecord};
use crate::{Fatal, Identity, Promise};

/// The way in.
#[derive(Debug)]
pub struct Storage;

/// Storage that may be written.
#[derive(Debug)]
pub struct Opened {
    /// What was found: never [`Recovery::Suspect`] or [`Recovery::Refused`].
    pub recovery: Recovery,
    /// What made this server a suspect, now or at an earlier start, as a sentence; `None` unless it
    /// is one. It has no vote and is no new server, until [`LogWriter::readmitted`].
    pub suspect: Option<String>,
    /// The locked directories; to be kept as long as anything else of this.
    pub dirs: DataDirs,
    /// For the disk thread.
    pub log: LogWriter,
    /// For every other thread that needs the log.
    pub reader: LogReader,
    /// The position before the first entry that the log holds.
    pub first: Zxid,
    /// The zxid of the last entry of each epoch that the log holds, ascending.
    pub ends: Vec<Zxid>,
    /// For the thread that writes checkpoints.
    pub checkpoints: Checkpoints,
    /// For the threads that send and receive checkpoints.
    pub checkpoint_files: CheckpointFiles,
    /// What other members had acknowledged, as it was last recorded.
    pub acknowledged: Vec<Acknowledged>,
    /// Where to record it.
    pub acknowledgements: Acknowledgements,
    /// The state to load first.
    pub checkpoint: Option<Checkpoint>,
    /// The entries to replay behind it; to be read to the end before the log is compacted.
    pub entries: Entries,
}

/// Why there is nothing to write to.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directories cannot be used.
    #[error(transparent)]
    Dirs(#[from] DirError),
    /// Something that was acknowledged may be missing.
    #[error(transparent)]
    Suspect(Box<Suspicion>),
    /// They are not for this server.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// An entry that recovery has no need of cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// A write failed.
    #[error(transparent)]
    Fatal(#[from] Fatal),
}

impl Storage {
    /// Looks at everything that a start looks at, for [`recover`] to decide. The engines below may
    /// cut and rewrite files meanwhile: give it a copy where nothing may change.
    ///
    /// # Errors
    /// If the directories cannot be used, or listed.
    pub fn examine(config: &Config) -> Result<Found, OpenError> {
        let dirs = DataDirs::open(&config.data_dir, &config.log_dir)?;
        Ok(look(&dirs, config)?.found)
    }

    /// Opens the directories, recovers what is in them, and makes the end of the log durable.
    ///
    /// # Errors
    /// See [`OpenError`]; what was found suspect is not changed, except that a torn tail may
    /// already have been cut.
    pub fn open(config: &Config) -> Result<Opened, OpenError> {
        assert_eq!(config.server, config.identity_if_fresh.server, "one server has one id");
        let dirs = DataDirs::open(&config.data_dir, &config.log_dir)?;
        let mut looked = look(&dirs, config)?;
        let mut recovery = recover(&looked.found);
        if let Recovery::Suspect(why) = &recovery
            && config.if_suspect == IfSuspect::SetAside
        {
            // Nothing may be open when it is moved.
            drop(looked);
            dirs.set_aside(&Finding(why).to_string(), config.identity_if_fresh.created)?;
            looked = look(&dirs, config)?;
            recovery = recover(&looked.found);
        }
        let recovered = match &recovery {
            Recovery::Sound(recovered) | Recovery::TornTail { recovered, .. } => recovered.clone(),
            Recovery::Fresh => unused(config.identity_if_fresh, Promise::default()),
            Recovery::Forming { promise } => {
                unused(interrupted_identity(&looked.found, config), *promise)
            }
            Recovery::Suspect(why) => return Err(OpenError::Suspect(Box::new(why.clone()))),
            Recovery::Refused(why) => return Err(OpenError::Refused(Box::new(why.clone()))),
        };
        begin(config, dirs, recovery, recovered, looked)
    }
}

/// What is there, and what it was read from.
struct Looked {
    found: Found,
    ledger: LedgerFiles,
    engine: Option<Arc<Engine>>,
}

fn unused(identity: Identity, promise: Promise) -> Recovered {
    Recovered {
        identity,
        manifest: Manifest::default(),
        last: LogPosition::START,
        promise,
        ledger_rebuilt: None,
    }
}

/// The identity that an interrupted first start began to write: every copy must get the same.
fn interrupted_identity(found: &Found, config: &Config) -> Identity {
    let ledger = match &found.ledger {
        LedgerFound::Read { identity, .. } => Some(*identity),
        _ => None,
    };
    let witness = found.witness.newest().map(|record| record.incarnation);
    let drawn = config.identity_if_fresh;
    let of_witness = Identity { incarnation: witness.unwrap_or(drawn.incarnation), ..drawn };
    found.log_identity.or(ledger).unwrap_or(of_witness)
}

/// The order matters: the witness is there before the ledger and the log, the log has its keys before
/// an entry, and nobody is told how far the log reaches before all three are durable.
fn begin(
    config: &Config,
    dirs: DataDirs,
    recovery: Recovery,
    recovered: Recovered,
    looked: Looked,
) -> Result<Opened, OpenError> {
    let Recovered { identity, manifest, last, promise, .. } = recovered;
    let base = manifest.position();
    let forming = WitnessRecord {
        forming: true,
        promise,
        server: identity.server,
        incarnation: identity.incarnation,
        ..WitnessRecord::default()
    };
    let witness = Witness::open(&dirs.witness(), forming)?;
    let acknowledged = looked.ledger.acknowledged().to_vec();
    let ledger = looked.ledger.begin(identity, &manifest)?;
    let engine = match looked.engine {
        Some(engine) => engine,
        None => {
            log::open_engine(dirs.log(), config).map_err(Fatal::at("begin the log", dirs.log()))?
        }
    };
    let start = Start { engine, witness, ledger: ledger.clone(), promise, base, last };
    let mut log = LogWriter::begin(config, &dirs, start)?;
    precheck::remove_ignored(dirs.log()).map_err(Fatal::at("remove old files", dirs.log()))?;
    let checkpoint = Checkpoint::new(&manifest, dirs.runs());
    let installing = manifest.installing;
    let files = CheckpointFiles::new(dirs.runs(), dirs.staging(), manifest);
    files.staging().map_err(Fatal::at("empty the directory", &dirs.staging()))?;
    let mut checkpoints = Checkpoints::new(ledger.clone(), files.clone());
    if installing {
        log.begin_anew(base)?;
        checkpoints.installed()?;
    }
    checkpoints.remove_unnamed()?;
    Ok(Opened {
        suspect: dirs.suspect()?,
        first: log.reader().before_first()?,
        ends: log.reader().ends()?,
        reader: log.reader(),
        entries: log.entries(base.index.next(), last.index),
        acknowledgements: Acknowledgements::new(ledger),
        checkpoint_files: files,
        recovery,
        dirs,
        log,
        checkpoints,
        acknowledged,
        checkpoint,
    })
}

/// Gathers what there is. The log's files are opened only if they bear it: opening cuts what
/// raft-engine takes for a torn tail. What the system refuses to read is no finding: it may be whole.
fn look(dirs: &DataDirs, config: &Config) -> Result<Looked, OpenError> {
    let (ledger, ledger_found) = LedgerFiles::open(&dirs.ledger())?;
    // Both read hundreds of megabytes in the worst case.
    let (files, runs) = std::thread::scope(|scope| {
        let files = scope.spawn(|| precheck::look(dirs.log()));
        let runs = runs_in(&dirs.runs());
        (files.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), runs)
    });
    let witness = witness::look(&dirs.witness());
    check_access(dirs, &witness, &files)?;
    let mut found = Found {
        server: config.server,
        data_dir: dirs.data().to_path_buf(),
        log_dir: dirs.log().to_path_buf(),
        witness,
        files,
        log: LogFound::Unopened,
        log_identity: None,
        log_promise: None,
        ledger: ledger_found,
        runs: runs?,
    };
    let bearing = matches!(found.files, FilesFound::Whole | FilesFound::Torn(_));
    let engine = if bearing { open_log(&mut found, config)? } else { None };
    Ok(Looked { found, ledger, engine })
}

/// Where the system refused to read there is nothing to decide.
fn check_access(dirs: &DataDirs, witness: &WitnessFound, files: &FilesFound) -> Result<(), Fatal> {
    if let WitnessFound::Unreadable(why) = witness {
        return Err(Fatal::at("read the witness", &dirs.witness())(why));
    }
    if let FilesFound::Unreadable(why) = files {
        return Err(Fatal::at("read the log", dirs.log())(why));
    }
    Ok(())
}

fn open_log(found: &mut Found, config: &Config) -> Result<Option<Arc<Engine>>, Fatal> {
    match log::open_engine(&found.log_dir, config) {
        Ok(engine) => {
            found.log_identity = log::identity_in(&engine);
            found.log_promise = log::promise_in(&engine);
            // A manifest that cannot be used is found again when recovery decides.
            let end = log::last_index(&engine);
            let manifest = found.manifest(end).unwrap_or_default();
            let witness = found.witness.newest().map(|record| record.position.index);
            found.log = read_log(&engine, manifest.position(), witness);
            engine.check_reads().map_err(Fatal::at("read the log", &found.log_dir))?;
            Ok(Some(engine))
        }
        Err(Unopenable::Damaged(why)) => {
            found.log = LogFound::Unopenable(why);
            Ok(None)
        }
        Err(refused) => Err(Fatal::at("open the log", &found.log_dir)(refused)),
    }
}

/// On a thread of its own, because raft-engine keeps for each thread what it read last, and takes
/// it for its own again at the same place of another log: the one that is begun if this is set
/// aside.
fn read_log(engine: &Arc<Engine>, base: LogPosition, witness: Option<LogIndex>) -> LogFound {
    std::thread::scope(|scope| {
        let read = scope.spawn(|| log::log_found(engine, base, witness));
        read.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Reads every run to its end.
fn runs_in(dir: &Path) -> Result<Vec<RunFound>, OpenError> {
    let fatal = || Fatal::at("list the runs", dir);
    let mut runs = Vec::new();
    for entry in fs::read_dir(dir).map_err(fatal())? {
        let entry = entry.map_err(fatal())?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if file.ends_with(".base") || file.ends_with(".delta") {
            let read = RunReader::open(&entry.path()).and_then(RunReader::verify);
            if let Err(RunError::Unreadable { source, .. }) = &read
                && source.raw_os_error().is_some()
            {
                return Err(Fatal::at("read the run", &entry.path())(source).into());
            }
            runs.push(RunFound { file, read: read.map_err(|error| error.to_string()) });
        }
    }
    runs.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(runs)
}

//! Opening everything: look, decide, and only then let anybody write.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use raft_engine::Engine;
use zooid_ids::Zxid;

use crate::checkpoint::{Checkpoint, Checkpoints, Manifest};
use crate::dirs::{Config, DataDirs, DirError};
use crate::entry::LogPosition;
use crate::ledger::Ledger;
use crate::log::{self, Entries, LogReader, LogWriter, ReadError, Start};
use crate::precheck::{self, FilesFound};
use crate::recovery::{Found, LedgerFound, LogFound, Recovered, Recovery, RunFound, recover};
use crate::recovery::{Refusal, Suspicion};
use crate::run::RunReader;
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
    /// Opens the directories, recovers what is in them, and makes the end of the log durable.
    ///
    /// # Errors
    /// See [`OpenError`]; what was found suspect is not changed, except that a torn tail may
    /// already have been cut.
    pub fn open(config: &Config) -> Result<Opened, OpenError> {
        assert_eq!(config.server, config.identity_if_fresh.server, "one server has one id");
        let dirs = DataDirs::open(&config.data_dir, &config.log_dir)?;
        let (found, ledger, engine) = look(&dirs, config)?;
        let recovery = recover(&found);
        let recovered = match &recovery {
            Recovery::Sound(recovered) | Recovery::TornTail { recovered, .. } => recovered.clone(),
            Recovery::Fresh => unused(config.identity_if_fresh, Promise::default()),
            Recovery::Forming { promise } => unused(interrupted_identity(&found, config), *promise),
            Recovery::Suspect(why) => return Err(OpenError::Suspect(Box::new(why.clone()))),
            Recovery::Refused(why) => return Err(OpenError::Refused(Box::new(why.clone()))),
        };
        begin(config, dirs, recovery, recovered, ledger, engine)
    }
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

/// The order matters: the witness is there before the log, the log has its keys before an entry,
/// and nobody is told how far the log reaches before all three are durable.
fn begin(
    config: &Config,
    dirs: DataDirs,
    recovery: Recovery,
    recovered: Recovered,
    mut ledger: Ledger,
    engine: Option<Arc<Engine>>,
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
    ledger.put(identity, &manifest)?;
    let engine = match engine {
        Some(engine) => engine,
        None => {
            log::open_engine(dirs.log(), config).map_err(Fatal::at("begin the log", dirs.log()))?
        }
    };
    let start = Start { identity, promise, base, last };
    let log = LogWriter::begin(engine, witness, config, dirs.log(), start)?;
    let checkpoint = Checkpoint::new(&manifest, dirs.runs());
    let checkpoints = Checkpoints::new(ledger, dirs.runs(), identity, manifest);
    checkpoints.remove_unnamed()?;
    let entries = log.entries(base.index.next(), last.index);
    let reader = log.reader();
    let (first, ends) = (reader.before_first()?, reader.ends()?);
    Ok(Opened { recovery, dirs, log, reader, first, ends, checkpoints, checkpoint, entries })
}

/// Gathers what there is. The log's files are opened only if they bear it: opening cuts what
/// raft-engine takes for a torn tail.
fn look(
    dirs: &DataDirs,
    config: &Config,
) -> Result<(Found, Ledger, Option<Arc<Engine>>), OpenError> {
    let (ledger, ledger_found) = Ledger::open(&dirs.ledger())?;
    // Both read hundreds of megabytes in the worst case.
    let (files, runs) = std::thread::scope(|scope| {
        let files = scope.spawn(|| precheck::look(dirs.log()));
        let runs = runs_in(&dirs.runs());
        (files.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), runs)
    });
    let mut found = Found {
        server: config.server,
        data_dir: dirs.data().to_path_buf(),
        log_dir: dirs.log().to_path_buf(),
        witness: witness::look(&dirs.witness()),
        files,
        log: LogFound::Unopened,
        log_identity: None,
        log_promise: None,
        ledger: ledger_found,
        runs: runs?,
    };
    let bearing = matches!(found.files, FilesFound::Whole | FilesFound::Torn(_));
    let engine = if bearing { open_log(&mut found, config) } else { None };
    Ok((found, ledger, engine))
}

fn open_log(found: &mut Found, config: &Config) -> Option<Arc<Engine>> {
    match log::open_engine(&found.log_dir, config) {
        Ok(engine) => {
            found.log_identity = log::identity_in(&engine);
            found.log_promise = log::promise_in(&engine);
            // A manifest that cannot be used is found again when recovery decides.
            let end = log::last_index(&engine);
            let manifest = found.manifest(end).unwrap_or_default();
            let witness = found.witness.newest().map(|record| record.position.index);
            found.log = log::log_found(&engine, manifest.position(), witness);
            Some(engine)
        }
        Err(why) => {
            found.log = LogFound::Unopenable(why);
            None
        }
    }
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
            runs.push(RunFound { file, read: read.map_err(|error| error.to_string()) });
        }
    }
    runs.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(runs)
}

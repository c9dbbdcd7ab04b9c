//! Checkpoints on their way between members: the files of the newest one for sending, and a place
//! for those that were received, which count nothing before they are verified and installed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zooid_ids::{ClusterId, LogIndex, Zxid};

use crate::Fatal;
use crate::checkpoint::{Checkpoint, Manifest, RunInManifest};
use crate::entry::LogPosition;
use crate::run::{Merge, RunError, RunHeader, RunKind, RunReader, RunSummary, RunWriter};

/// A way to the checkpoint's files for every thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct CheckpointFiles {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    runs: PathBuf,
    staging: PathBuf,
    manifest: Mutex<Manifest>,
}

/// The newest checkpoint, open: its files can be read though they are removed meanwhile.
#[derive(Debug)]
pub struct OpenCheckpoint {
    /// The state that it holds.
    pub position: LogPosition,
    /// Its runs, oldest first.
    pub runs: Vec<OpenRun>,
}

/// One file of it.
#[derive(Debug)]
pub struct OpenRun {
    /// Letters, digits, `-` and `.`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// To read from its start.
    pub file: File,
}

/// Why received files are no checkpoint; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The system refused an access.
    #[error("cannot use the received files in {}: {source}", path.display())]
    Unusable {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// One is damaged.
    #[error(transparent)]
    Run(#[from] RunError),
    /// One is of another ensemble.
    #[error("the received run {} is of the ensemble {holds}, this server is of {own}", path.display())]
    OtherCluster {
        /// The file.
        path: PathBuf,
        /// Its ensemble.
        holds: ClusterId,
        /// This server's.
        own: ClusterId,
    },
    /// They are not one base and the deltas behind it.
    #[error("the received run {} does not belong to the others: {why}", path.display())]
    NotOne {
        /// The first that does not fit.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// There are no files.
    #[error("no run was received in {}", path.display())]
    Nothing {
        /// Where.
        path: PathBuf,
    },
}

/// A received checkpoint that was verified; the server's own is still what it was.
#[derive(Debug)]
pub struct Staged {
    checkpoint: Checkpoint,
}

impl Staged {
    /// What was received.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    pub(crate) fn into_checkpoint(self) -> Checkpoint {
        self.checkpoint
    }

    /// All records of the state, in the order of their keys.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn load(&self) -> Result<Merge, RunError> {
        self.checkpoint.load()
    }
}

impl CheckpointFiles {
    pub(crate) fn new(runs: PathBuf, staging: PathBuf, manifest: Manifest) -> Self {
        let manifest = Mutex::new(manifest);
        Self { shared: Arc::new(Shared { runs, staging, manifest }) }
    }

    /// Opens the newest checkpoint, to send it; `None` if there is none yet.
    ///
    /// # Errors
    /// If a file cannot be opened.
    pub fn newest(&self) -> io::Result<Option<OpenCheckpoint>> {
        // Held meanwhile: files are removed only once another manifest is there.
        let manifest = self.lock();
        let open = |run: &RunInManifest| {
            let name = run.file_name();
            let file = File::open(self.runs().join(&name))?;
            Ok(OpenRun { name, bytes: run.bytes, file })
        };
        let runs = manifest.runs.iter().map(open).collect::<io::Result<Vec<_>>>()?;
        let position = manifest.position();
        Ok((!runs.is_empty()).then_some(OpenCheckpoint { position, runs }))
    }

    /// An empty directory, into which the files of one checkpoint are to be received. What was
    /// received before is removed.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn staging(&self) -> io::Result<PathBuf> {
        let dir = self.shared.staging.clone();
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&dir)?,
        }
        Ok(dir)
    }

    /// Begins a run among those that are received, for a state that comes from elsewhere than from
    /// a server's log.
    ///
    /// # Errors
    /// [`Fatal`] if the file cannot be written.
    pub fn write_received(&self, header: RunHeader) -> Result<RunWriter, Fatal> {
        RunWriter::create(&self.shared.staging, header)
    }

    /// Verifies what was received: every run is whole and of the ensemble `own`, or where this
    /// server belongs to none yet of one and the same, and together they are a base and the deltas
    /// behind it. Reads every byte.
    ///
    /// # Errors
    /// See [`StageError`].
    pub fn stage(&self, own: Option<ClusterId>) -> Result<Staged, StageError> {
        let dir = &self.shared.staging;
        let mut received = Vec::new();
        for entry in fs::read_dir(dir).map_err(unusable(dir))? {
            let path = entry.map_err(unusable(dir))?.path();
            received.push((RunReader::open(&path)?.verify()?, path));
        }
        received.sort_by_key(|(run, _)| run.header.position.zxid);
        check_cluster(own, &received)?;
        check_parents(&received)?;
        let runs = received.into_iter().map(|(run, path)| rename(&run, &path));
        let manifest = Manifest { runs: runs.collect::<Result<_, _>>()?, installing: true };
        let checkpoint = Checkpoint::new(&manifest, dir.clone());
        let checkpoint = checkpoint.ok_or_else(|| StageError::Nothing { path: dir.clone() })?;
        Ok(Staged { checkpoint })
    }

    /// Where the runs that count lie.
    pub(crate) fn runs(&self) -> &Path {
        &self.shared.runs
    }

    pub(crate) fn manifest(&self) -> Manifest {
        self.lock().clone()
    }

    pub(crate) fn set_manifest(&self, manifest: Manifest) {
        *self.lock() = manifest;
    }

    /// A panic while it was held left it whole: it is set in one step.
    fn lock(&self) -> MutexGuard<'_, Manifest> {
        self.shared.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unusable(path: &Path) -> impl Fn(io::Error) -> StageError {
    move |source| StageError::Unusable { path: path.to_path_buf(), source }
}

fn check_cluster(
    own: Option<ClusterId>,
    received: &[(RunSummary, PathBuf)],
) -> Result<(), StageError> {
    let Some(own) = own.or(received.first().map(|(run, _)| run.header.cluster)) else {
        return Ok(());
    };
    let other = received.iter().find(|(run, _)| run.header.cluster != own);
    other.map_or(Ok(()), |(run, path)| {
        let (path, holds) = (path.clone(), run.header.cluster);
        Err(StageError::OtherCluster { path, holds, own })
    })
}

/// Ascending, each must be the parent of the next, and the first have none.
fn check_parents(received: &[(RunSummary, PathBuf)]) -> Result<(), StageError> {
    let mut before = LogPosition::START;
    for (run, path) in received {
        let RunHeader { kind, position, parent, .. } = run.header;
        let why = match kind {
            _ if position.zxid == Zxid::ZERO => "it is of no entry",
            _ if position.index <= before.index => "it is not behind the one before",
            RunKind::Base if before.index != LogIndex(0) => "it is another base",
            RunKind::Base => "a base has no parent",
            RunKind::Delta => "its parent is another one",
        };
        let follows = parent == before.zxid && position.index > before.index;
        let first = before == LogPosition::START;
        if !follows || first != (kind == RunKind::Base) || position.zxid <= before.zxid {
            return Err(StageError::NotOne { path: path.clone(), why });
        }
        before = position;
    }
    Ok(())
}

/// Gives a received file the name that it will have among the runs.
fn rename(run: &RunSummary, path: &Path) -> Result<RunInManifest, StageError> {
    let run = RunInManifest::new(run, true);
    fs::rename(path, path.with_file_name(run.file_name())).map_err(unusable(path))?;
    Ok(run)
}

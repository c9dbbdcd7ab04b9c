//! A copy of a data directory that may be opened: files that an engine writes are copied, and runs,
//! which nobody changes, are linked.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use tempfile::TempDir;

use super::shown;

/// What is copied of `zooid` in dataDir; runs are linked, what was being received counts for
/// nothing.
const DATA: [&str; 4] = ["format", "witness", "suspect", "ledger"];

/// What is copied of `zooid` in dataLogDir.
const LOG: [&str; 2] = ["format", "log"];

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    #[error("{} is not there: give the dataDir of a Zooid server", .0.display())]
    NoData(PathBuf),
    #[error(
        "{} is used by a running server: stop it first, or ask it by `zooid status`", .0.display()
    )]
    Used(PathBuf),
    #[error("cannot {what} {}: {source}", path.display())]
    Unusable { what: &'static str, path: PathBuf, source: io::Error },
}

impl CopyError {
    fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Unusable { what, path: path.to_path_buf(), source }
    }
}

/// The copy, and the locks that keep a server from starting on the original meanwhile.
pub(super) struct Copy {
    scratch: TempDir,
    one_dir: bool,
    original: [PathBuf; 2],
    _locks: Vec<File>,
}

impl Copy {
    /// Copies what a start would look at.
    pub(super) fn of(
        data_dir: &Path,
        log_dir: &Path,
        scratch: Option<&Path>,
    ) -> Result<Self, CopyError> {
        let homes = [data_dir.join("zooid"), log_dir.join("zooid")];
        if let Some(missing) = homes.iter().find(|home| !home.is_dir()) {
            return Err(CopyError::NoData(missing.clone()));
        }
        let one_dir = homes[0].canonicalize().ok() == homes[1].canonicalize().ok();
        let locked = if one_dir { &homes[..1] } else { &homes[..] };
        let locks = locked.iter().filter_map(|home| lock(home).transpose());
        let locks = locks.collect::<Result<_, _>>()?;
        let place = scratch.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let scratch = TempDir::with_prefix_in("zooid-check-", &place);
        let scratch = scratch.map_err(CopyError::at("make a directory in", &place))?;
        let original = [data_dir.to_path_buf(), log_dir.to_path_buf()];
        let copy = Self { scratch, one_dir, original, _locks: locks };
        copy_named(&homes[0], &copy.data_dir().join("zooid"), &DATA)?;
        copy_named(&homes[1], &copy.log_dir().join("zooid"), &LOG)?;
        name_strangers(&homes[0], &copy.data_dir().join("zooid"))?;
        name_strangers(&homes[1], &copy.log_dir().join("zooid"))?;
        link_runs(&homes[0].join("runs"), &copy.data_dir().join("zooid/runs"))?;
        Ok(copy)
    }

    /// The copy's dataDir.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// The copy's dataLogDir.
    pub(super) fn log_dir(&self) -> PathBuf {
        if self.one_dir { self.data_dir() } else { self.scratch.path().join("log") }
    }

    /// What was said of the copy's files, said of those that it was made of.
    pub(super) fn in_words_of_the_original(&self, sentence: &str) -> String {
        let said = sentence.replace(&shown(&self.data_dir()), &shown(&self.original[0]));
        said.replace(&shown(&self.log_dir()), &shown(&self.original[1]))
    }
}

/// Shared with others who look, and with no server. `None` where none was ever here.
fn lock(home: &Path) -> Result<Option<File>, CopyError> {
    let path = home.join("lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CopyError::at("open", &path)(error)),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(file)),
        Err(_) => Err(CopyError::Used(home.to_path_buf())),
    }
}

fn copy_named(from: &Path, to: &Path, names: &[&str]) -> Result<(), CopyError> {
    fs::create_dir_all(to).map_err(CopyError::at("make", to))?;
    for name in names {
        let (from, to) = (from.join(name), to.join(name));
        if from.exists() {
            copy_all(&from, &to)?;
        }
    }
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> Result<(), CopyError> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ()).map_err(CopyError::at("copy", from));
    }
    fs::create_dir_all(to).map_err(CopyError::at("make", to))?;
    for entry in fs::read_dir(from).map_err(CopyError::at("list", from))? {
        let entry = entry.map_err(CopyError::at("list", from))?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Where no `format` says that the files are ours, all their names count.
fn name_strangers(from: &Path, to: &Path) -> Result<(), CopyError> {
    if from.join("format").exists() {
        return Ok(());
    }
    for entry in fs::read_dir(from).map_err(CopyError::at("list", from))? {
        let to = to.join(entry.map_err(CopyError::at("list", from))?.file_name());
        if !to.exists() {
            File::create(&to).map_err(CopyError::at("make", &to))?;
        }
    }
    Ok(())
}

fn link_runs(from: &Path, to: &Path) -> Result<(), CopyError> {
    if !from.is_dir() {
        return Ok(());
    }
    let from = from.canonicalize().map_err(CopyError::at("open", from))?;
    fs::create_dir_all(to).map_err(CopyError::at("make", to))?;
    for entry in fs::read_dir(&from).map_err(CopyError::at("list", &from))? {
        let entry = entry.map_err(CopyError::at("list", &from))?;
        let link = to.join(entry.file_name());
        std::os::unix::fs::symlink(entry.path(), &link).map_err(CopyError::at("make", &link))?;
    }
    Ok(())
}

//! The two directories: where everything lies, whose they are, and that nobody else writes.
//!
//! ```text
//! dataDir/zooid/format       one line of text
//!               lock         held while a server runs; its process id
//!               witness
//!               ledger/      sled
//!               runs/        checkpoint runs
//!               staging/     runs that are being received
//!               suspect      see `suspect`
//! dataLogDir/zooid/format    (the same files if both directories are one)
//!                  lock
//!                  log/      raft-engine
//! ```
//!
//! ZooKeeper's own `version-2` is neither read nor written.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use zooid_ids::{Millis, ServerId};

use crate::suspect::SuspectMark;
use crate::{Fatal, Identity};

/// The version of everything that this crate lays out in the directories.
pub(crate) const FORMAT: u32 = 1;

/// Where the directories are and what to do in them.
#[derive(Clone, Debug)]
pub struct Config {
    /// ZooKeeper's `dataDir`.
    pub data_dir: PathBuf,
    /// ZooKeeper's `dataLogDir`; the same as `data_dir` unless set.
    pub log_dir: PathBuf,
    /// Who this server is configured to be.
    pub server: ServerId,
    /// What an unused directory becomes; its `server` must be the one above.
    pub identity_if_fresh: Identity,
    /// What to do if something that was acknowledged may be missing.
    pub if_suspect: IfSuspect,
    /// How many entries the log keeps behind the checkpoint, for followers that are a little late.
    pub keep_entries: u64,
    /// Size at which the log begins a new file, in bytes.
    pub log_file_bytes: u64,
    /// Size of the log above which files are removed or reused, in bytes.
    pub purge_threshold_bytes: u64,
}

impl Config {
    /// The settings for production, in these directories.
    #[must_use]
    pub fn new(data_dir: PathBuf, log_dir: PathBuf, identity_if_fresh: Identity) -> Self {
        Self {
            data_dir,
            log_dir,
            server: identity_if_fresh.server,
            identity_if_fresh,
            if_suspect: IfSuspect::Refuse,
            keep_entries: 100_000,
            log_file_bytes: 64 << 20,
            purge_threshold_bytes: 256 << 20,
        }
    }
}

/// What to do with directories in which something that was acknowledged may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfSuspect {
    /// Change nothing and do not start: nobody else has what is missing.
    Refuse,
    /// Keep what is there aside and begin empty, marked as a suspect: the others have it all.
    SetAside,
}

/// Why the directories cannot be used; each says what was found where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// Another process holds the lock.
    #[error(
        "{} is used by another server{}: stop that one, or give this one a dataDir of its own",
        path.display(), holder(*.pid)
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process that says it holds the lock.
        pid: Option<u32>,
    },
    /// The system refused an access.
    #[error(
        "cannot {what} {}: {source}; check that it is a directory that this user may write",
        path.display()
    )]
    Unusable {
        /// What was being done, as it goes after "cannot".
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Files that are not ours.
    #[error(
        "{} holds files of something else (no file `format`, but `{found}`): \
         point dataDir and dataLogDir elsewhere, or move these files away",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// One of the files in it.
        found: String,
    },
    /// Written by a newer version.
    #[error(
        "{} says {line:?}, this version reads format {FORMAT}: \
         start the version that wrote it, or a newer one",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: String,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

impl DirError {
    fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Unusable { what, path: path.to_path_buf(), source }
    }
}

/// Bytes on disk, for the four-letter word `dirs` and for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Of the checkpoint runs, those that are being received, and the ledger.
    pub data: u64,
    /// Of the log.
    pub log: u64,
}

/// The directories, locked for this process until dropped.
#[derive(Debug)]
pub struct DataDirs {
    data: PathBuf,
    log: PathBuf,
    /// Never read: closing them releases the locks.
    _locks: Vec<File>,
}

impl DataDirs {
    /// Makes what is missing, takes the locks and checks that the files there are ours.
    ///
    /// # Errors
    /// See [`DirError`].
    pub fn open(data_dir: &Path, log_dir: &Path) -> Result<Self, DirError> {
        let (data_dir, log_dir) = (make_dir(data_dir)?, make_dir(log_dir)?);
        let (data, log) = (data_dir.join("zooid"), log_dir.join("zooid"));
        let mut locks = vec![claim(&data)?];
        if log != data {
            locks.push(claim(&log)?);
        }
        let dirs = Self { log: log.join("log"), data, _locks: locks };
        let finished = dirs.suspect_mark().finish(&log);
        finished.map_err(DirError::at("move suspect files aside in", &dirs.data))?;
        dirs.make()?;
        for dir in BTreeSet::from([&data_dir, &log_dir, &dirs.data, &log]) {
            sync_dir(dir).map_err(DirError::at("sync", dir))?;
        }
        for dir in BTreeSet::from([&data_dir, &log_dir]) {
            sync_name(dir).map_err(DirError::at("sync what holds", dir))?;
        }
        Ok(dirs)
    }

    fn make(&self) -> Result<(), DirError> {
        [self.runs(), self.ledger(), self.log.clone()].iter().try_for_each(|dir| {
            make_dir(dir)?;
            Ok(())
        })
    }

    /// Moves everything aside that recovery looks at, leaves the mark, and begins empty. Nothing
    /// may be open.
    pub(crate) fn set_aside(&self, finding: &str, now: Millis) -> Result<(), DirError> {
        let aside = self.suspect_mark().set_aside(self.log_home(), finding, now);
        aside.map_err(DirError::at("move suspect files aside in", &self.data))?;
        self.make()
    }

    /// The other members found out that something is missing here: says durably what, so that the
    /// next start sets everything aside and begins empty, as a suspect.
    ///
    /// # Errors
    /// [`DirError::Unusable`]: the mark may or may not be there.
    pub fn mark_suspect(&self, finding: &str, now: Millis) -> Result<(), DirError> {
        let begun = self.suspect_mark().begin(self.log_home(), finding, now);
        begun.map_err(DirError::at("mark as suspect", &self.data))
    }

    /// `zooid` in dataLogDir.
    fn log_home(&self) -> &Path {
        self.log.parent().unwrap_or(&self.log)
    }

    /// What was found suspect here, if this server was not re-admitted since.
    pub(crate) fn suspect(&self) -> Result<Option<String>, DirError> {
        self.suspect_mark()
            .read()
            .map_err(DirError::at("read the mark of a suspect in", &self.data))
    }

    pub(crate) fn suspect_mark(&self) -> SuspectMark {
        SuspectMark::of(&self.data)
    }

    /// `zooid` in dataDir.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The witness file.
    pub(crate) fn witness(&self) -> PathBuf {
        self.data.join("witness")
    }

    /// Where the checkpoint runs lie.
    pub(crate) fn runs(&self) -> PathBuf {
        self.data.join("runs")
    }

    /// Where runs are received.
    pub(crate) fn staging(&self) -> PathBuf {
        self.data.join("staging")
    }

    /// sled's directory.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.data.join("ledger")
    }

    /// raft-engine's directory.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// What the files take, as their lengths say. A file that vanishes meanwhile counts nothing.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let data = [self.runs(), self.staging(), self.ledger()];
        Sizes { data: data.iter().map(|dir| bytes_in(dir)).sum(), log: bytes_in(&self.log) }
    }
}

/// Makes a directory and its parents; gives its one true name, so that two names of one directory
/// are seen to be one.
fn make_dir(path: &Path) -> Result<PathBuf, DirError> {
    let missing = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.exists();
    let missing: Vec<_> = path.ancestors().take_while(missing).collect();
    fs::create_dir_all(path).map_err(DirError::at("make the directory", path))?;
    for dir in missing {
        let dir = dir.canonicalize().map_err(DirError::at("open", dir))?;
        sync_name(&dir).map_err(DirError::at("sync what holds", &dir))?;
    }
    path.canonicalize().map_err(DirError::at("open", path))
}

/// Locks one `zooid` directory and checks or writes its format.
fn claim(dir: &Path) -> Result<File, DirError> {
    make_dir(dir)?;
    let lock = take_lock(dir)?;
    let path = dir.join("format");
    match fs::read_to_string(&path) {
        Ok(line) if line == format_line() => Ok(lock),
        Ok(line) => Err(DirError::Format { path, line: line.chars().take(80).collect() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            refuse_foreign(dir)?;
            write_format(&path).map_err(DirError::at("write", &path))?;
            Ok(lock)
        }
        Err(error) => Err(DirError::at("read", &path)(error)),
    }
}

fn format_line() -> String {
    format!("zooid data, format {FORMAT}\n")
}

fn take_lock(dir: &Path) -> Result<File, DirError> {
    let path = dir.join("lock");
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(DirError::at("open", &path))?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut text = String::new();
        let _unreadable_is_unknown = file.take(20).read_to_string(&mut text);
        return Err(DirError::Locked { path: dir.to_path_buf(), pid: text.trim().parse().ok() });
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(DirError::at("write", &path))?;
    Ok(file)
}

/// A directory without a `format` may hold our lock and what an interrupted start left, no more.
fn refuse_foreign(dir: &Path) -> Result<(), DirError> {
    for entry in fs::read_dir(dir).map_err(DirError::at("list", dir))? {
        let name = entry.map_err(DirError::at("list", dir))?.file_name();
        if name != "lock" && name != "format.tmp" {
            let found = name.to_string_lossy().into_owned();
            return Err(DirError::Foreign { path: dir.to_path_buf(), found });
        }
    }
    Ok(())
}

fn write_format(path: &Path) -> io::Result<()> {
    let staged = path.with_extension("tmp");
    let mut file = File::create(&staged)?;
    file.write_all(format_line().as_bytes())?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    // Before any other file: a directory with files but without a format is somebody else's.
    sync_dir(path.parent().unwrap_or(path))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes the name of a directory durable. Who may not list the directory above it did not make the
/// name: then somebody else did, and long ago.
fn sync_name(dir: &Path) -> io::Result<()> {
    match sync_dir(dir.parent().unwrap_or(dir)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Makes what the files in a directory hold durable.
pub(crate) fn sync_files(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() {
            File::open(path)?.sync_all()?;
        }
    }
    Ok(())
}

/// Makes a directory's names and its own name durable.
pub(crate) fn sync_dir_and_parent(dir: &Path) -> Result<(), Fatal> {
    let parent = dir.parent().unwrap_or(dir);
    sync_dir(dir).and_then(|()| sync_dir(parent)).map_err(Fatal::at("sync the directory", dir))
}

fn bytes_in(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_in(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(dir: &Path) -> String {
        DataDirs::open(dir, dir).unwrap_err().to_string()
    }

    #[test]
    fn two_servers_on_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDirs::open(dir.path(), dir.path()).unwrap();
        let said = sentence(dir.path());
        assert!(said.contains("used by another server (process "), "{said}");
        drop(first);
        DataDirs::open(dir.path(), dir.path()).unwrap();
    }

    #[test]
    fn one_log_directory_for_two_data_directories() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = tempfile::tempdir().unwrap();
        let _first = DataDirs::open(one.path(), log.path()).unwrap();
        assert!(matches!(DataDirs::open(other.path(), log.path()), Err(DirError::Locked { .. })));
    }

    #[test]
    fn files_of_something_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("zooid")).unwrap();
        fs::write(dir.path().join("zooid/precious"), "x").unwrap();
        let said = sentence(dir.path());
        assert!(said.contains("something else") && said.contains("precious"), "{said}");
    }

    #[test]
    fn a_newer_format() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDirs::open(dir.path(), dir.path()).unwrap());
        fs::write(dir.path().join("zooid/format"), "zooid data, format 2\n").unwrap();
        let said = sentence(dir.path());
        assert!(said.contains("format 2") && said.contains("reads format 1"), "{said}");
    }

    #[test]
    fn a_file_where_a_directory_should_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        fs::write(&path, "x").unwrap();
        let said = sentence(&path);
        assert!(said.contains("cannot make the directory"), "{said}");
    }

    #[test]
    fn zookeepers_own_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("version-2")).unwrap();
        fs::write(dir.path().join("version-2/log.1"), "old").unwrap();
        drop(DataDirs::open(dir.path(), dir.path()).unwrap());
        assert_eq!(fs::read(dir.path().join("version-2/log.1")).unwrap(), b"old");
    }
}

//! A directory that a server uses: opened, written, copied as a kill would leave it, damaged.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;
use zooid_ids::{ClusterId, Epoch, Incarnation, Millis, ServerId, Zxid};
use zooid_storage::{
    Config, Identity, LogEntry, OpenError, Opened, Recovery, RunKind, Storage, Suspicion,
};

/// dataDir and dataLogDir in a directory of their own.
pub(crate) struct Home {
    /// Removed at the end.
    _dir: Option<TempDir>,
    path: PathBuf,
    pub(crate) config: Config,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Self::at(dir.path());
        Self { _dir: Some(dir), ..home }
    }

    /// Of somebody who removes it.
    pub(crate) fn at(path: &Path) -> Self {
        let identity = Identity {
            cluster: ClusterId(1),
            server: ServerId(1),
            incarnation: Incarnation(7),
            created: Millis(0),
        };
        let mut config = Config::new(path.join("data"), path.join("logs"), identity);
        config.log_file_bytes = 64 << 10;
        config.purge_threshold_bytes = 256 << 10;
        config.keep_entries = 10;
        Self { _dir: None, path: path.to_path_buf(), config }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// With `count` entries, closed.
    pub(crate) fn with_entries(count: u64) -> Self {
        let home = Self::new();
        let mut opened = home.open();
        for n in 1..=count {
            opened.log.append(&[entry(n)]).unwrap();
        }
        home
    }

    pub(crate) fn open(&self) -> Opened {
        Storage::open(&self.config).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn try_open(&self) -> Result<Opened, OpenError> {
        Storage::open(&self.config)
    }

    pub(crate) fn suspicion(&self) -> Suspicion {
        match Storage::open(&self.config) {
            Err(OpenError::Suspect(why)) => *why,
            Err(other) => panic!("{other}"),
            Ok(opened) => panic!("opened: {}", opened.recovery),
        }
    }

    /// What a killed process would leave: the files as they are now, no destructor run.
    pub(crate) fn killed(&self) -> Self {
        let copy = Self::new();
        copy_dir(&self.path, &copy.path);
        let Config { data_dir, log_dir, .. } = copy.config;
        Self { config: Config { data_dir, log_dir, ..self.config.clone() }, ..copy }
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        self.config.log_dir.join("zooid/log")
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.config.data_dir.join("zooid").join(name)
    }

    /// The files that raft-engine appended to, oldest first.
    pub(crate) fn log_files(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.log_dir()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            names.filter(|path| path.extension().is_some_and(|end| end == "raftlog")).collect();
        files.sort();
        files
    }

    pub(crate) fn newest_log_file(&self) -> PathBuf {
        self.log_files().pop().unwrap()
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

/// Entry `n` of a history without holes in one epoch.
pub(crate) fn entry(n: u64) -> LogEntry {
    LogEntry {
        zxid: Zxid::new(Epoch(1), n as u32),
        prev_zxid: if n == 1 { Zxid::ZERO } else { Zxid::new(Epoch(1), n as u32 - 1) },
        time: Millis(1000 + n as i64),
        kind: 2,
        payload: Bytes::from(vec![n as u8; 200]),
    }
}

/// The entries above the checkpoint.
pub(crate) fn replayed(opened: &mut Opened) -> Vec<LogEntry> {
    opened.entries.by_ref().collect::<Result<_, _>>().unwrap()
}

/// The index at which the log ends.
pub(crate) fn last(recovery: &Recovery) -> u64 {
    match recovery {
        Recovery::Sound(recovered) | Recovery::TornTail { recovered, .. } => recovered.last.index.0,
        Recovery::Fresh | Recovery::Forming { .. } => 0,
        other => panic!("{other}"),
    }
}

/// Where the written part of a log file ends; behind it are zeros.
pub(crate) fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

pub(crate) fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Publishes a run at the end of the log.
pub(crate) fn checkpoint(opened: &mut Opened, kind: RunKind, records: &[(&str, Option<&str>)]) {
    let position = opened.log.last();
    let mut run = opened.checkpoints.begin(kind, position, 99, Millis(5)).unwrap();
    for (key, value) in records {
        run.push(key.as_bytes(), value.map(str::as_bytes)).unwrap();
    }
    let run = run.finish().unwrap();
    opened.checkpoints.publish(&run).unwrap();
}

/// What the checkpoint holds.
pub(crate) fn loaded(opened: &Opened) -> Vec<(String, String)> {
    let mut merge = opened.checkpoint.as_ref().unwrap().load().unwrap();
    let mut records = Vec::new();
    while let Some((key, value)) = merge.next_record().unwrap() {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        records.push((text(key), text(value)));
    }
    records
}

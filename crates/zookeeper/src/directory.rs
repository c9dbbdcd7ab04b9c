//! A whole directory: which snapshot, which logs, and that nothing is missing between them.

use std::fs;
use std::path::{Path, PathBuf};

use zooid_ids::{Epoch, Zxid};

use crate::log::{LogReader, Next};
use crate::snapshot::{self, Footer, TreeDigest};
use crate::state::State;
use crate::txn::Record;
use crate::{FileError, LoadError, Note};

/// Where ZooKeeper's files are.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Its `dataDir`, the `version-2` in it, a directory with snapshots, or one snapshot.
    pub data: PathBuf,
    /// Its `dataLogDir`, if that is another directory.
    pub logs: Option<PathBuf>,
    /// Goes on where digests differ or are missing.
    pub ignore_digest: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many znodes of the snapshot were read.
    Znodes(u64),
    /// So many transactions were applied.
    Transactions(u64),
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The state behind the last transaction.
    pub state: State,
    /// The snapshot that it began with.
    pub snapshot: PathBuf,
    /// The newest epoch that this server knew of, where it was one of several.
    pub epoch: Option<Epoch>,
    /// Transactions of the logs that were applied.
    pub transactions: u64,
    /// Digests of ZooKeeper that the tree was compared with.
    pub digests: u64,
    /// What an operator should know.
    pub notes: Vec<Note>,
}

/// A file with a zxid in its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    zxid: Zxid,
    path: PathBuf,
}

/// So many transactions between two reports.
const REPORT: u64 = 10_000;

/// Reads what a stopped ZooKeeper left, as it would itself, but trusts nothing: checksums, digests
/// and the order of transactions are verified.
///
/// # Errors
/// See [`LoadError`].
pub fn load(sources: &Sources, progress: &mut dyn FnMut(Step)) -> Result<Loaded, LoadError> {
    let data = inner(&sources.data);
    let logs = sources.logs.as_deref().map(inner);
    let (snapshots, logs) = if data.is_file() {
        (vec![single(&data)?], logs.map_or(Ok(Vec::new()), |dir| named(&dir, "log."))?)
    } else {
        (named(&data, "snapshot.")?, named(logs.as_ref().unwrap_or(&data), "log.")?)
    };
    let mut begun = begin(&data, snapshots, &logs, progress)?;
    if logs.is_empty() {
        begun.notes.push(Note::NoLogs { file: begun.file.clone() });
    }
    let mut replay = Replay::new(begun, sources.ignore_digest);
    for (at, log) in logs.iter().enumerate() {
        let is_over = logs.get(at + 1).is_some_and(|next| next.zxid <= replay.first);
        if !is_over {
            replay.read(log, at + 1 == logs.len(), progress)?;
        }
    }
    Ok(Loaded { epoch: epoch(&data)?, ..replay.finish()? })
}

/// What an election left: clients have seen a zxid of its epoch, though nothing was written in it.
fn epoch(dir: &Path) -> Result<Option<Epoch>, LoadError> {
    let mut epoch = None;
    for path in ["currentEpoch", "acceptedEpoch"].map(|name| dir.join(name)) {
        if let Ok(found) = fs::read(&path) {
            let found = String::from_utf8_lossy(&found).trim().to_string();
            let read = found.parse::<i32>().ok().and_then(|epoch| u32::try_from(epoch).ok());
            let read = read.map(Epoch).ok_or(LoadError::Epoch { path, found })?;
            epoch = epoch.max(Some(read));
        }
    }
    Ok(epoch)
}

fn inner(path: &Path) -> PathBuf {
    let inner = path.join("version-2");
    if inner.is_dir() { inner } else { path.to_path_buf() }
}

/// Files like `snapshot.1f` and `snapshot.1f.gz`, ascending.
fn named(dir: &Path, prefix: &str) -> Result<Vec<Named>, LoadError> {
    let failed = |source| LoadError::Unreadable { path: dir.to_path_buf(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if let Some(zxid) = zxid_of(&path, prefix) {
            files.push(Named { zxid, path });
        }
    }
    files.sort();
    Ok(files)
}

fn single(path: &Path) -> Result<Named, LoadError> {
    let zxid = zxid_of(path, "snapshot.");
    let named = zxid.map(|zxid| Named { zxid, path: path.to_path_buf() });
    named.ok_or_else(|| LoadError::NoSnapshot { path: path.to_path_buf() })
}

fn zxid_of(path: &Path, prefix: &str) -> Option<Zxid> {
    let name = path.file_name()?.to_str()?.strip_prefix(prefix)?;
    let (digits, extension) = name.split_once('.').unwrap_or((name, ""));
    let is_known = matches!((prefix, extension), (_, "") | ("snapshot.", "gz" | "snappy"));
    let zxid = i64::from_str_radix(digits, 16).ok().filter(|_| is_known)?;
    Zxid::from_wire(zxid)
}

/// What the replay begins with.
struct Begun {
    state: State,
    footer: Footer,
    file: PathBuf,
    notes: Vec<Note>,
    /// What is wrong with a newer snapshot: the logs must reach as far.
    newer: Option<(Zxid, FileError)>,
}

/// The newest snapshot that is whole. One that was being written when ZooKeeper was killed is not.
fn begin(
    dir: &Path,
    snapshots: Vec<Named>,
    logs: &[Named],
    progress: &mut dyn FnMut(Step),
) -> Result<Begun, LoadError> {
    let (mut notes, mut newer) = (Vec::new(), None);
    for Named { zxid, path } in snapshots.into_iter().rev() {
        match snapshot::read(&path, zxid, progress) {
            Ok((state, footer)) => return Ok(Begun { state, footer, file: path, notes, newer }),
            Err(error) => {
                notes.push(Note::SnapshotSkipped(error.to_string()));
                newer.get_or_insert((zxid, error));
            }
        }
    }
    let path = dir.to_path_buf();
    Err(match (newer, logs.last()) {
        (Some((_, error)), _) => LoadError::Snapshot(Box::new(error)),
        (None, Some(log)) => LoadError::OnlyLogs { path, log: log.path.clone() },
        (None, None) => LoadError::NoSnapshot { path },
    })
}

struct Replay {
    state: State,
    snapshot: PathBuf,
    /// The snapshot's zxid: what is not behind it is in it.
    first: Zxid,
    /// The file with the last transaction.
    before: PathBuf,
    /// A digest of the tree behind a transaction that is still to come.
    awaited: Option<(Zxid, TreeDigest)>,
    ignore_digest: bool,
    transactions: u64,
    digests: u64,
    unused: Option<(u64, Zxid)>,
    differs: Option<Zxid>,
    notes: Vec<Note>,
    newer: Option<(Zxid, FileError)>,
}

impl Replay {
    fn new(begun: Begun, ignore_digest: bool) -> Self {
        let Begun { state, footer, file, notes, newer } = begun;
        let first = state.zxid;
        // A digest of before the snapshot was begun says nothing of it.
        let awaited = footer.digest.filter(|(zxid, digest)| *zxid >= first && digest.is_known());
        Self {
            before: file.clone(),
            snapshot: file,
            first,
            state,
            awaited,
            ignore_digest,
            transactions: 0,
            digests: 0,
            unused: None,
            differs: None,
            notes,
            newer,
        }
    }

    /// Applies what one log holds behind the snapshot.
    fn read(
        &mut self,
        log: &Named,
        is_last: bool,
        progress: &mut dyn FnMut(Step),
    ) -> Result<(), LoadError> {
        if self.transactions == 0 {
            self.compare_awaited()?;
        }
        let Some(mut reader) = LogReader::open(&log.path)? else {
            if is_last {
                self.notes.push(Note::TornTail { file: log.path.clone(), offset: 0 });
            }
            return Ok(());
        };
        loop {
            match reader.next()? {
                Next::Record(record) if record.header.zxid <= self.first => {}
                Next::Record(record) => self.apply(log, *record, progress)?,
                Next::End => return Ok(()),
                Next::Torn(offset) => {
                    let file = log.path.clone();
                    self.notes.push(Note::TornTail { file, offset });
                    return Ok(());
                }
            }
        }
    }

    fn apply(
        &mut self,
        log: &Named,
        record: Record,
        progress: &mut dyn FnMut(Step),
    ) -> Result<(), LoadError> {
        self.check_order(log, record.header.zxid)?;
        let Record { header, txn, digest } = record;
        self.state.apply(&header, txn);
        self.before.clone_from(&log.path);
        self.transactions += 1;
        if self.transactions.is_multiple_of(REPORT) {
            progress(Step::Transactions(self.transactions));
        }
        match (self.awaited, digest) {
            (Some(_), _) => self.compare_awaited(),
            (None, Some(digest)) => self.compare(&log.path, digest),
            (None, None) => Ok(()),
        }
    }

    /// Within an epoch zxids are dense, and one begins with 1. Where a file goes on in itself,
    /// none can be missing: those that are not there were used for requests that nobody could read.
    fn check_order(&mut self, log: &Named, zxid: Zxid) -> Result<(), LoadError> {
        let last = self.state.zxid;
        let expected = if zxid.epoch() == last.epoch() { last.counter() + 1 } else { 1 };
        if zxid.counter() == expected && zxid > last {
            return Ok(());
        }
        let within = self.before == log.path && zxid > last;
        if !within {
            let (before, file) = (self.before.clone(), log.path.clone());
            return Err(LoadError::Gap { before, last, file, first: zxid });
        }
        let missing = u64::from(zxid.counter().saturating_sub(expected));
        let unused = self.unused.get_or_insert((0, zxid));
        unused.0 += missing;
        Ok(())
    }

    /// Compares with the snapshot's digest, once the transaction came that it is of.
    fn compare_awaited(&mut self) -> Result<(), LoadError> {
        let Some((zxid, digest)) = self.awaited.filter(|(zxid, _)| *zxid <= self.state.zxid) else {
            return Ok(());
        };
        self.awaited = None;
        if zxid == self.state.zxid { self.compare(&self.snapshot.clone(), digest) } else { Ok(()) }
    }

    fn compare(&mut self, file: &Path, digest: TreeDigest) -> Result<(), LoadError> {
        if !digest.is_known() {
            return Ok(());
        }
        self.digests += 1;
        let (zxid, found, expected) = (self.state.zxid, self.state.digest(), digest.digest);
        if found == expected {
            return Ok(());
        }
        if !self.ignore_digest {
            let file = file.to_path_buf();
            return Err(LoadError::Digest { file, zxid, expected, found });
        }
        self.differs.get_or_insert(zxid);
        Ok(())
    }

    fn finish(mut self) -> Result<Loaded, LoadError> {
        self.compare_awaited()?;
        let last = self.state.zxid;
        if let Some((_, error)) = self.newer.take_if(|(zxid, _)| *zxid > last) {
            return Err(LoadError::Snapshot(Box::new(error)));
        }
        if let Some((until, _)) = self.awaited.filter(|_| !self.ignore_digest) {
            return Err(LoadError::Fuzzy { file: self.snapshot, until, last });
        }
        if last.epoch().next().is_none() {
            return Err(LoadError::LastEpoch(last));
        }
        self.note_findings();
        self.state.add_system_nodes();
        let Self { state, snapshot, transactions, digests, notes, .. } = self;
        Ok(Loaded { state, snapshot, epoch: None, transactions, digests, notes })
    }

    fn note_findings(&mut self) {
        if self.digests == 0 {
            self.notes.push(Note::NoDigest { file: self.snapshot.clone() });
        }
        self.notes.extend(self.differs.map(|zxid| Note::DigestIgnored { zxid }));
        self.notes.extend(self.unused.map(|(count, first)| Note::Unused { count, first }));
        let dead = self.state.dead_sessions();
        let znodes: usize = dead.iter().map(|id| self.state.ephemerals(*id).len()).sum();
        let zxid = self.state.zxid;
        dead.iter().for_each(|id| self.state.end_session(*id, zxid, &[]));
        if znodes > 0 {
            self.notes.push(Note::DeadSessions { sessions: dead.len(), znodes });
        }
    }
}

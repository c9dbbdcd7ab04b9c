//! The checkpoint: the runs that together are the state at one zxid, and their manifest.
//!
//! The order that keeps it safe: the run's file and its directory are durable, then the manifest
//! names it, then the log may be compacted. What the manifest does not name does not count.

use std::fs;
use std::path::PathBuf;

use bytes::{Buf, BufMut};
use zooid_ids::{ClusterId, LogIndex, Millis, Zxid};

use crate::entry::{Chain, LogPosition};
use crate::ledger::Ledger;
use crate::received::CheckpointFiles;
use crate::run::{Merge, RunError, RunHeader, RunKind, RunReader, RunSummary, RunWriter};
use crate::{Fatal, Identity};

/// What the manifest remembers of one run; enough to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunInManifest {
    /// Base or delta.
    pub kind: RunKind,
    /// The state it leads to.
    pub position: LogPosition,
    /// The caller's digest of that state.
    pub digest: u64,
    /// Records, tombstones among them.
    pub records: u64,
    /// Length of the file.
    pub bytes: u64,
    /// Of the whole file.
    pub checksum: u32,
    /// Another member wrote it. This one may have written another run of the same zxid, so the
    /// checksum is part of the file's name.
    pub received: bool,
}

impl RunInManifest {
    const LEN: usize = 49;
    const RECEIVED: u8 = 128;

    pub(crate) fn new(run: &RunSummary, received: bool) -> Self {
        Self {
            kind: run.header.kind,
            position: run.header.position,
            digest: run.header.digest,
            records: run.records,
            bytes: run.bytes,
            checksum: run.checksum,
            received,
        }
    }

    /// The name of its file.
    #[must_use]
    pub fn file_name(&self) -> String {
        let (zxid, kind) = (self.position.zxid.0, self.kind);
        if self.received {
            format!("{zxid:016x}-{:08x}.{kind}", self.checksum)
        } else {
            format!("{zxid:016x}.{kind}")
        }
    }

    fn encode_to(&self, bytes: &mut Vec<u8>) {
        let kind = if self.kind == RunKind::Base { 1 } else { 2 };
        bytes.put_u8(if self.received { kind | Self::RECEIVED } else { kind });
        bytes.put_u64_le(self.position.index.0);
        bytes.put_u64_le(self.position.zxid.0);
        bytes.put_u32_le(self.position.chain.0);
        bytes.put_u64_le(self.digest);
        bytes.put_u64_le(self.records);
        bytes.put_u64_le(self.bytes);
        bytes.put_u32_le(self.checksum);
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let first = bytes.get_u8();
        let kind = match first & !Self::RECEIVED {
            1 => RunKind::Base,
            2 => RunKind::Delta,
            _ => return None,
        };
        let (index, zxid) = (LogIndex(bytes.get_u64_le()), Zxid(bytes.get_u64_le()));
        let position = LogPosition { index, zxid, chain: Chain(bytes.get_u32_le()) };
        Some(Self {
            kind,
            position,
            digest: bytes.get_u64_le(),
            records: bytes.get_u64_le(),
            bytes: bytes.get_u64_le(),
            checksum: bytes.get_u32_le(),
            received: first & Self::RECEIVED != 0,
        })
    }
}

/// Which runs make the checkpoint, oldest first: a base, then deltas. Empty: there is none yet.
///
/// In the ledger: the format (4 bytes, 2), whether it is being installed (4), then 49 bytes for
/// each run: kind (1; with 128 added a received one), index (8), zxid (8), chain (4), digest (8),
/// records (8), bytes (8), checksum (4); little-endian. Format 1 has neither installations nor
/// received runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Oldest first.
    pub runs: Vec<RunInManifest>,
    /// The runs were received, and the log may still be the one before them: it is to be begun anew
    /// behind them.
    pub installing: bool,
}

impl Manifest {
    const FORMAT: u32 = 2;
    const FORMAT_BEFORE_RECEIVED: u32 = 1;

    /// The state that the runs lead to; [`LogPosition::START`] without any.
    #[must_use]
    pub fn position(&self) -> LogPosition {
        self.runs.last().map_or(LogPosition::START, |run| run.position)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.runs.len() * RunInManifest::LEN);
        bytes.put_u32_le(Self::FORMAT);
        bytes.put_u32_le(u32::from(self.installing));
        for run in &self.runs {
            run.encode_to(&mut bytes);
        }
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let installing = match bytes.try_get_u32_le().ok()? {
            Self::FORMAT => bytes.try_get_u32_le().ok()? == 1,
            Self::FORMAT_BEFORE_RECEIVED => false,
            _ => return None,
        };
        if !bytes.len().is_multiple_of(RunInManifest::LEN) {
            return None;
        }
        let runs = bytes.chunks(RunInManifest::LEN).map(RunInManifest::decode);
        Some(Self { runs: runs.collect::<Option<_>>()?, installing })
    }
}

/// The checkpoint that recovery found and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Oldest first; never empty.
    pub runs: Vec<RunInManifest>,
    dir: PathBuf,
}

impl Checkpoint {
    pub(crate) fn new(manifest: &Manifest, dir: PathBuf) -> Option<Self> {
        let runs = manifest.runs.clone();
        (!runs.is_empty()).then_some(Self { runs, dir })
    }

    /// The state it holds.
    #[must_use]
    pub fn position(&self) -> LogPosition {
        self.newest().position
    }

    /// The caller's digest of that state.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.newest().digest
    }

    /// Where one of its runs lies.
    pub(crate) fn path_of(&self, run: &RunInManifest) -> PathBuf {
        self.dir.join(run.file_name())
    }

    fn newest(&self) -> &RunInManifest {
        self.runs.last().expect("a checkpoint has a run")
    }

    /// All records of the state, in the order of their keys. Blocks are checked again as they are
    /// read.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn load(&self) -> Result<Merge, RunError> {
        let open = |run| RunReader::open(&self.path_of(run));
        Ok(Merge::new(self.runs.iter().map(open).collect::<Result<_, _>>()?))
    }
}

/// Why runs were not merged; the checkpoint is what it was.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A run cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A write failed.
    #[error(transparent)]
    Fatal(#[from] Fatal),
}

/// Writes checkpoints; on a thread of its own, since its calls wait for the disk.
#[derive(Debug)]
pub struct Checkpoints {
    ledger: Ledger,
    files: CheckpointFiles,
}

impl Checkpoints {
    pub(crate) fn new(ledger: Ledger, files: CheckpointFiles) -> Self {
        Self { ledger, files }
    }

    /// The runs that count now.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        self.files.manifest()
    }

    /// For other threads.
    #[must_use]
    pub fn files(&self) -> CheckpointFiles {
        self.files.clone()
    }

    /// The ensemble that runs are written for, as the ledger knows it.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.ledger.identity().cluster
    }

    /// Begins a run of the state at `position`: a base that holds everything if there is no
    /// checkpoint yet or `kind` says so, otherwise a delta to the newest run.
    ///
    /// # Panics
    /// If a delta has no parent, or `position` is not behind the newest run.
    ///
    /// # Errors
    /// [`Fatal`] if the file cannot be written.
    pub fn begin(
        &self,
        kind: RunKind,
        position: LogPosition,
        digest: u64,
        created: Millis,
    ) -> Result<RunWriter, Fatal> {
        let newest = self.manifest().position();
        assert!(position.zxid > newest.zxid, "a run at {position} behind one at {newest}");
        self.create(kind, position, digest, created)
    }

    fn create(
        &self,
        kind: RunKind,
        position: LogPosition,
        digest: u64,
        created: Millis,
    ) -> Result<RunWriter, Fatal> {
        let (is_base, manifest) = (kind == RunKind::Base, self.manifest());
        assert!(is_base || !manifest.runs.is_empty(), "a delta needs a base");
        let parent = if is_base { Zxid::ZERO } else { manifest.position().zxid };
        let Identity { cluster, incarnation, .. } = self.ledger.identity();
        let header = RunHeader { kind, position, parent, digest, created, cluster, incarnation };
        RunWriter::create(self.files.runs(), header)
    }

    /// Makes a finished run count: the manifest names it, durable; then files that it made
    /// unnecessary are removed. After that the log may be compacted to its position. The caller
    /// must know that the log is durable up to that position here.
    ///
    /// # Panics
    /// If another checkpoint took the place of what the run was begun for.
    ///
    /// # Errors
    /// [`Fatal`]: it is unknown which manifest is on disk; both are whole.
    pub fn publish(&mut self, run: &RunSummary) -> Result<(), Fatal> {
        let mut manifest = self.manifest();
        let (position, newest) = (run.header.position, manifest.position());
        assert!(position.zxid >= newest.zxid, "a run at {position} behind one at {newest}");
        match run.header.kind {
            RunKind::Base => manifest.runs.clear(),
            RunKind::Delta => assert_eq!(run.header.parent, newest.zxid),
        }
        manifest.runs.push(RunInManifest::new(run, false));
        self.name(manifest)?;
        self.remove_unnamed()
    }

    /// The log begins behind the received runs now: the manifest says so, durable.
    pub(crate) fn installed(&mut self) -> Result<(), Fatal> {
        self.name(Manifest { installing: false, ..self.manifest() })
    }

    /// Makes this the manifest, durable.
    pub(crate) fn name(&mut self, manifest: Manifest) -> Result<(), Fatal> {
        self.ledger.put_manifest(&manifest)?;
        self.files.set_manifest(manifest);
        Ok(())
    }

    /// Writes all runs as one base, without tombstones, and publishes it once it was read back.
    /// `goes_on` is told how many bytes of records were written so far; it may let that take its
    /// time, and where it says no everything stays as it was. Whether there is a new base: there is
    /// none either if there was only one run.
    ///
    /// # Errors
    /// See [`MergeError`].
    pub fn merge(
        &mut self,
        created: Millis,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> Result<bool, MergeError> {
        let dir = self.files.runs();
        let Some(checkpoint) = Checkpoint::new(&self.manifest(), dir.to_path_buf())
            .filter(|checkpoint| checkpoint.runs.len() > 1)
        else {
            return Ok(false);
        };
        let (position, digest) = (checkpoint.position(), checkpoint.digest());
        let mut run = self.create(RunKind::Base, position, digest, created)?;
        let (mut merge, mut written) = (checkpoint.load()?, 0);
        while let Some((key, value)) = merge.next_record()? {
            run.push(key, Some(value))?;
            written += (key.len() + value.len()) as u64;
            if !goes_on(written) {
                return Ok(false);
            }
        }
        let run = run.finish()?;
        RunReader::open(&dir.join(run.header.file_name()))?.verify()?;
        self.publish(&run)?;
        Ok(true)
    }

    /// Removes what the manifest does not name. A file that stays costs room, nothing else.
    pub(crate) fn remove_unnamed(&self) -> Result<(), Fatal> {
        let (manifest, dir) = (self.manifest(), self.files.runs());
        let named: Vec<String> = manifest.runs.iter().map(RunInManifest::file_name).collect();
        let fatal = || Fatal::at("remove old runs", dir);
        for entry in fs::read_dir(dir).map_err(fatal())? {
            let entry = entry.map_err(fatal())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_run = [".base", ".delta", ".tmp"].iter().any(|end| name.ends_with(end));
            if is_run && !named.contains(&name) {
                fs::remove_file(entry.path()).map_err(fatal())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(received: bool) -> RunInManifest {
        RunInManifest {
            kind: RunKind::Delta,
            position: LogPosition {
                index: LogIndex(3),
                zxid: Zxid(0x1_0000_0004),
                chain: Chain(5),
            },
            digest: 6,
            records: 7,
            bytes: 8,
            checksum: 0x9a,
            received,
        }
    }

    #[test]
    fn a_manifest_comes_back() {
        let manifest = Manifest { runs: vec![run(true), run(false)], installing: true };
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Some(manifest));
        assert_eq!(Manifest::decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Manifest::decode(&bytes[..5]), None);
    }

    #[test]
    fn the_format_before_there_were_received_runs_is_read() {
        let manifest = Manifest { runs: vec![run(false)], installing: false };
        let mut bytes = manifest.encode();
        bytes.drain(4..8);
        bytes[0] = 1;
        assert_eq!(Manifest::decode(&bytes), Some(manifest));
    }

    #[test]
    fn a_received_run_has_a_name_of_its_own() {
        assert_eq!(run(false).file_name(), "0000000100000004.delta");
        assert_eq!(run(true).file_name(), "0000000100000004-0000009a.delta");
    }
}

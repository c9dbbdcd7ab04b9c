//! The log: raft-engine behind the few operations that keep its promises.
//!
//! One region holds the records at dense indexes; the key-value space beside them holds the
//! identity and the promise. Every write is one batch with one fsync: raft-engine checks only the
//! last batch of a file at open, so that two batches under one fsync could leave a hole.
//! raft-engine fails open (`precheck`), so what it gave back is checked by the chain, before anybody
//! uses it (`scan`) and whenever it is read (`entries`).

mod engine;
mod entries;
mod reader;
mod retention;
mod scan;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use raft_engine::{Command, LogBatch, MessageExt, ReadableSize, RecoveryMode};
use zooid_ids::{ClusterId, LogIndex, Millis, Zxid};

use crate::dirs;
use crate::entry::{HEADER_LEN, KIND_TRUNCATION, LogEntry, LogPosition, Record};
use crate::ledger::Ledger;
use crate::suspect::SuspectMark;
use crate::witness::{Witness, WitnessRecord};
use crate::{Config, DataDirs, Fatal, Identity, Promise};

use reader::Span;
use retention::Retention;

pub(crate) use engine::{Engine, Unopenable};
pub(crate) use entries::Before;
pub use entries::{Entries, ReadError};
pub use reader::LogReader;
pub(crate) use scan::log_found;

/// The only region.
const REGION: u64 = 1;
/// A batch is one unit of loss and of reading back.
const BATCH_ENTRIES_MAX: usize = 4096;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// raft-engine counts the bytes of a batch in 31 bits.
const PAYLOAD_BYTES_MAX: usize = 1 << 30;

const KEY_IDENTITY: &[u8] = b"identity";
const KEY_PROMISE: &[u8] = b"promise";
const KEY_OPENED: &[u8] = b"opened";

/// Tells raft-engine where the index of a record is.
pub(crate) struct Records;

impl MessageExt for Records {
    type Entry = Record;

    fn index(record: &Record) -> u64 {
        record.index.0
    }
}

/// What an append did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// The end of the log, durable.
    pub position: LogPosition,
    /// Batches written, each with its fsync; more than one only above the limits of a batch.
    pub batches: u32,
    /// Bytes written.
    pub bytes: u64,
    /// Time in `write`.
    pub write: Duration,
    /// Time in `fdatasync`.
    pub fsync: Duration,
}

/// The one writer of the log. All calls block; a failed one leaves nothing to count on.
pub struct LogWriter {
    /// Shares with all readers how far the log reaches.
    reader: LogReader,
    witness: Witness,
    /// Knows whose log this is.
    ledger: Ledger,
    suspect: SuspectMark,
    dir: PathBuf,
    promise: Promise,
    times_opened: u64,
    retention: Retention,
}

impl std::fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogWriter").field("dir", &self.dir).field("last", &self.last()).finish()
    }
}

/// What a writer begins with, as recovery found it.
pub(crate) struct Start {
    pub(crate) engine: Arc<Engine>,
    pub(crate) witness: Witness,
    pub(crate) ledger: Ledger,
    pub(crate) promise: Promise,
    pub(crate) base: LogPosition,
    pub(crate) last: LogPosition,
}

impl LogWriter {
    /// Makes the directory durable and what its files hold: raft-engine syncs neither a first file
    /// nor its header, nor what it cut off. Then writes one synced batch with the keys, and sets the
    /// witness. Only after that may anybody be told how far the log reaches.
    pub(crate) fn begin(
        config: &Config,
        data_dirs: &DataDirs,
        start: Start,
    ) -> Result<Self, Fatal> {
        let Start { engine, witness, ledger, promise, base, last } = start;
        let retention = Retention::new(
            config.keep_entries,
            config.purge_threshold_bytes / 2,
            last.index,
            engine.get_used_size() as u64,
        );
        let (dir, suspect) = (data_dirs.log().to_path_buf(), data_dirs.suspect_mark());
        let times_opened = opened_before(&engine) + 1;
        let reader = LogReader::new(engine, Span { base, last });
        let log = Self { reader, witness, ledger, suspect, dir, promise, times_opened, retention };
        dirs::sync_files(&log.dir).map_err(Fatal::at("sync the log", &log.dir))?;
        dirs::sync_dir_and_parent(&log.dir)?;
        let mut batch = log.batch_of_keys(log.identity())?;
        log.write(&mut batch, &mut Appended::default())?;
        // Only now: what raft-engine found may have been written and never synced.
        log.witness.restarted(log.witness_record())?;
        Ok(log)
    }

    fn witness_record(&self) -> WitnessRecord {
        WitnessRecord {
            sequence: 0,
            forming: self.last() == LogPosition::START,
            position: self.last(),
            promise: self.promise,
            server: self.identity().server,
            incarnation: self.identity().incarnation,
        }
    }

    /// Makes these entries durable, in this order, behind the last one; then tells the witness.
    ///
    /// # Panics
    /// If an entry does not continue the log, or uses the kind that marks truncations.
    ///
    /// # Errors
    /// [`Fatal`]: it is unknown what reached the disk.
    pub fn append(&mut self, entries: &[LogEntry]) -> Result<Appended, Fatal> {
        let mut done = Appended { position: self.last(), ..Appended::default() };
        let mut rest = entries;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch_len(rest));
            self.append_batch(batch, &mut done)?;
            rest = later;
        }
        Ok(done)
    }

    fn append_batch(&mut self, entries: &[LogEntry], done: &mut Appended) -> Result<(), Fatal> {
        let mut records = Vec::with_capacity(entries.len());
        let Span { base, mut last } = self.reader.span();
        for entry in entries {
            check(entry, last);
            let record = Record::after(last, entry.clone());
            last = record.position();
            records.push(record);
        }
        let mut batch = LogBatch::with_capacity(1);
        batch
            .add_entries::<Records>(REGION, &records)
            .map_err(Fatal::at("add entries to the log", &self.dir))?;
        let before = done.bytes;
        self.write(&mut batch, done)?;
        self.retention.wrote(last.index, done.bytes - before);
        done.position = last;
        self.witness.reached(last)?;
        self.reader.set_span(Span { base, last });
        Ok(())
    }

    /// Makes a promise durable in the log and in the witness.
    ///
    /// # Errors
    /// [`Fatal`]: it is unknown whether the promise was kept.
    pub fn put_promise(&mut self, promise: Promise) -> Result<(), Fatal> {
        assert!(promise.epoch >= self.promise.epoch, "a promise is never taken back");
        self.promise = promise;
        let mut batch = self.batch_of_keys(self.identity())?;
        self.write(&mut batch, &mut Appended::default())?;
        self.witness.promised(promise)
    }

    /// Cuts off everything behind `to`, which must be in the log or the checkpoint itself.
    ///
    /// raft-engine can only overwrite: a mark behind `to` drops the rest, and the next append
    /// overwrites the mark. The witness goes down first, so that it never claims what was cut.
    ///
    /// # Panics
    /// If `to` is not in the log, or before the checkpoint: what is committed is never cut.
    ///
    /// # Errors
    /// [`Fatal`]: it is unknown where the log ends; recovery finds out.
    pub fn truncate(&mut self, to: Zxid) -> Result<(), Fatal> {
        let Span { base, last } = self.reader.span();
        assert!(to >= base.zxid, "cannot cut to {to}, the checkpoint is {base}");
        let found = self.reader.position(to).map_err(Fatal::at("read the log", &self.dir))?;
        let Some(target) = found else {
            panic!("cannot cut to {to}, which is not in the log that ends at {last}")
        };
        if target == last {
            return Ok(());
        }
        self.witness.lowered(target)?;
        // Before the mark is there, so that no reader takes it for an entry.
        self.reader.set_span(Span { base, last: target });
        let mut batch = LogBatch::with_capacity(1);
        self.mark_end(&mut batch, target)?;
        self.write(&mut batch, &mut Appended::default())
    }

    /// Adds the mark that says that the log ends at `target`.
    fn mark_end(&self, batch: &mut LogBatch, target: LogPosition) -> Result<(), Fatal> {
        let mark = LogEntry {
            zxid: target.zxid,
            prev_zxid: target.zxid,
            time: Millis(0),
            kind: KIND_TRUNCATION,
            payload: Bytes::new(),
        };
        batch
            .add_entries::<Records>(REGION, &[Record::after(target, mark)])
            .map_err(Fatal::at("mark the end of the log", &self.dir))
    }

    /// Forgets entries that `checkpoint`, durable in the manifest, makes unnecessary: all up to
    /// it but the newest `keep_entries`, or fewer if those take half of the purge threshold. The
    /// keys are written anew in the same batch, because an old key would hold its old file back.
    /// Gives the position before the first entry that is kept.
    ///
    /// # Errors
    /// [`Fatal`], as every write.
    pub fn compact(&mut self, checkpoint: LogPosition) -> Result<Zxid, Fatal> {
        let Span { base, last } = self.reader.span();
        assert!(checkpoint.index <= last.index, "a checkpoint of what is not durable");
        assert!(checkpoint.index >= base.index, "checkpoints do not go back");
        self.reader.set_span(Span { base: checkpoint, last });
        let first = self.retention.first_to_keep(checkpoint.index).0;
        let mut batch = self.batch_of_keys(self.identity())?;
        batch.add_command(REGION, Command::Compact { index: first });
        self.write(&mut batch, &mut Appended::default())?;
        self.reader
            .engine()
            .purge()
            .map_err(Fatal::at("remove old files of the log", &self.dir))?;
        self.reader.before_first().map_err(Fatal::at("read the log", &self.dir))
    }

    /// Says that the log may hold nothing, durable: it is about to be begun anew.
    pub(crate) fn witness_nothing(&self) -> Result<(), Fatal> {
        self.witness.lowered(LogPosition::START)
    }

    /// Drops every entry; the next one follows `checkpoint`. The keys go with the entries, so they
    /// are written anew in the same batch.
    pub(crate) fn begin_anew(&mut self, checkpoint: LogPosition) -> Result<(), Fatal> {
        let mut batch = LogBatch::with_capacity(5);
        batch.add_command(REGION, Command::Clean);
        self.put_keys(&mut batch, self.identity())?;
        self.mark_end(&mut batch, checkpoint)?;
        self.reader.set_span(Span { base: checkpoint, last: checkpoint });
        self.write(&mut batch, &mut Appended::default())?;
        let found = self.reader.engine().get_used_size() as u64;
        self.retention = self.retention.anew(checkpoint.index, found);
        self.witness.restarted(self.witness_record())
    }

    /// From now on this is the log of a member of `cluster`, durable here and in the ledger. The
    /// identity that was drawn for a new directory names no ensemble that was ever formed.
    ///
    /// # Errors
    /// [`Fatal`]: it is unknown which of the two is on the disk; the log's counts.
    pub fn set_cluster(&mut self, cluster: ClusterId) -> Result<(), Fatal> {
        let identity = Identity { cluster, ..self.identity() };
        if identity == self.identity() {
            return Ok(());
        }
        let mut batch = self.batch_of_keys(identity)?;
        self.write(&mut batch, &mut Appended::default())?;
        self.ledger.put_identity(identity)
    }

    /// This server is a member with a vote again: it is a suspect no more, durable.
    ///
    /// # Errors
    /// [`Fatal`]: it is unknown whether the mark is still there.
    pub fn readmitted(&mut self) -> Result<(), Fatal> {
        self.suspect.clear()
    }

    /// The end of the durable log.
    #[must_use]
    pub fn last(&self) -> LogPosition {
        self.reader.durable()
    }

    /// For other threads.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        self.reader.clone()
    }

    /// See [`LogReader::position`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn position(&self, zxid: Zxid) -> Result<Option<LogPosition>, ReadError> {
        self.reader.position(zxid)
    }

    /// The oldest entry that can be read; `None` if there is none.
    #[must_use]
    pub fn first(&self) -> Option<LogIndex> {
        self.reader.first()
    }

    /// The newest promise.
    #[must_use]
    pub fn promise(&self) -> Promise {
        self.promise
    }

    /// Whose log this is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.ledger.identity()
    }

    /// The entries from `from` to `to`, both included, read as they are asked for.
    #[must_use]
    pub fn entries(&self, from: LogIndex, to: LogIndex) -> Entries {
        let Span { base, last } = self.reader.span();
        let known = from == base.index.next();
        let before = if known { Before::Position(base) } else { Before::Nothing };
        Entries::new(self.reader.engine().clone(), from, to.min(last.index), before)
    }

    fn batch_of_keys(&self, identity: Identity) -> Result<LogBatch, Fatal> {
        let mut batch = LogBatch::with_capacity(4);
        self.put_keys(&mut batch, identity)?;
        Ok(batch)
    }

    fn put_keys(&self, batch: &mut LogBatch, identity: Identity) -> Result<(), Fatal> {
        let mut promise = Vec::with_capacity(Promise::LEN);
        self.promise.encode_to(&mut promise);
        self.put(batch, KEY_IDENTITY, identity.encode())?;
        self.put(batch, KEY_PROMISE, promise)?;
        self.put(batch, KEY_OPENED, self.times_opened.to_le_bytes().to_vec())
    }

    fn put(&self, batch: &mut LogBatch, key: &[u8], value: Vec<u8>) -> Result<(), Fatal> {
        batch.put(REGION, key.to_vec(), value).map_err(Fatal::at("add a key to the log", &self.dir))
    }

    /// One batch, one fsync.
    fn write(&self, batch: &mut LogBatch, done: &mut Appended) -> Result<(), Fatal> {
        let _earlier = raft_engine::take_perf_context();
        let written =
            self.reader.engine().write(batch).map_err(Fatal::at("write the log", &self.dir))?;
        let spent = raft_engine::take_perf_context();
        done.batches += 1;
        done.bytes += written as u64;
        done.write += spent.log_write_duration;
        done.fsync += spent.log_sync_duration;
        Ok(())
    }
}

fn check(entry: &LogEntry, last: LogPosition) {
    assert_ne!(entry.kind, KIND_TRUNCATION, "kind {KIND_TRUNCATION} is the log's own");
    assert_eq!(entry.prev_zxid, last.zxid, "an entry that does not continue the log");
    assert!(entry.zxid > last.zxid, "zxids of the log ascend: {} {}", last.zxid, entry.zxid);
    assert!(entry.payload.len() <= PAYLOAD_BYTES_MAX, "an entry above every limit");
}

/// How many of these entries make one batch; at least one.
fn batch_len(entries: &[LogEntry]) -> usize {
    let mut bytes = 0;
    let fits = |entry: &&LogEntry| {
        bytes += HEADER_LEN + entry.payload.len();
        bytes <= BATCH_BYTES_MAX
    };
    entries.iter().take(BATCH_ENTRIES_MAX).take_while(fits).count().max(1)
}

/// Opens raft-engine.
pub(crate) fn open_engine(dir: &Path, config: &Config) -> Result<Arc<Engine>, Unopenable> {
    let settings = raft_engine::Config {
        dir: dir.to_string_lossy().into_owned(),
        recovery_mode: RecoveryMode::TolerateTailCorruption,
        recovery_threads: 2,
        batch_compression_threshold: ReadableSize(0),
        target_file_size: ReadableSize(config.log_file_bytes),
        purge_threshold: ReadableSize(config.purge_threshold_bytes),
        enable_log_recycle: true,
        prefill_for_recycle: false,
        ..raft_engine::Config::default()
    };
    Engine::open(settings).map(Arc::new)
}

/// The index of the newest record; 0 if there is none.
pub(crate) fn last_index(engine: &Engine) -> LogIndex {
    LogIndex(engine.last_index(REGION).unwrap_or(0))
}

/// The identity in the log's key-value space.
pub(crate) fn identity_in(engine: &Engine) -> Option<Identity> {
    Identity::decode(&engine.get(REGION, KEY_IDENTITY)?)
}

/// The promise in the log's key-value space.
pub(crate) fn promise_in(engine: &Engine) -> Option<Promise> {
    Promise::decode(&engine.get(REGION, KEY_PROMISE)?)
}

fn opened_before(engine: &Engine) -> u64 {
    let bytes = engine.get(REGION, KEY_OPENED).unwrap_or_default();
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

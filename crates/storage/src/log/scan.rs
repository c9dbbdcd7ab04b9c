//! Reading the log: entry by entry, and checking that they are one history.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use raft_engine::Engine;
use zooid_ids::{LogIndex, Zxid};

use super::{REGION, Records};
use crate::entry::{LogEntry, LogPosition, Record};
use crate::recovery::{AboveCheckpoint, LogFound};

/// How many entries and bytes are read at once.
const CHUNK_ENTRIES: u64 = 1024;
const CHUNK_BYTES: usize = 1 << 20;

/// Why an entry cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It was compacted, or never written.
    #[error("the log holds no entry {0}")]
    Absent(LogIndex),
    /// Its bytes are not what was written, or cannot be read.
    #[error("entry {index} of the log cannot be read: {cause}")]
    Unreadable {
        /// Which.
        index: LogIndex,
        /// What raft-engine said.
        cause: String,
    },
}

/// Entries of the log, ascending and without a gap. Behind the first error nothing follows.
pub struct Entries {
    engine: Arc<Engine>,
    next: LogIndex,
    to: LogIndex,
    read: VecDeque<Record>,
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries").field("next", &self.next).field("to", &self.to).finish()
    }
}

impl Entries {
    pub(crate) fn new(engine: Arc<Engine>, from: LogIndex, to: LogIndex) -> Self {
        Self { engine, next: from, to, read: VecDeque::new() }
    }

    /// How many are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        (self.to.0 + 1).saturating_sub(self.next.0)
    }

    fn next_record(&mut self) -> Option<Result<Record, ReadError>> {
        if self.remaining() == 0 {
            return None;
        }
        if self.read.is_empty()
            && let Err(error) = self.read_chunk()
        {
            self.to = LogIndex(0);
            return Some(Err(error));
        }
        let record = self.read.pop_front()?;
        self.next = record.index.next();
        Some(Ok(record))
    }

    fn read_chunk(&mut self) -> Result<(), ReadError> {
        let (index, end) = (self.next, (self.to.0 + 1).min(self.next.0 + CHUNK_ENTRIES));
        let unreadable = |cause: String| ReadError::Unreadable { index, cause };
        let mut records = Vec::new();
        // raft-engine asserts that a record has the index it was looked up by.
        catch_unwind(AssertUnwindSafe(|| {
            self.engine.fetch_entries_to::<Records>(
                REGION,
                index.0,
                end,
                Some(CHUNK_BYTES),
                &mut records,
            )
        }))
        .map_err(|_| unreadable("raft-engine panicked".into()))?
        .map_err(|error| match error {
            raft_engine::Error::EntryCompacted | raft_engine::Error::EntryNotFound => {
                ReadError::Absent(index)
            }
            other => unreadable(other.to_string()),
        })?;
        if records.is_empty() {
            return Err(ReadError::Absent(index));
        }
        self.read = records.into();
        Ok(())
    }
}

impl Iterator for Entries {
    type Item = Result<LogEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_record()?.map(|record| record.entry))
    }
}

pub(crate) fn record_at(engine: &Arc<Engine>, index: LogIndex) -> Result<Record, ReadError> {
    Entries::new(engine.clone(), index, index)
        .next_record()
        .unwrap_or(Err(ReadError::Absent(index)))
}

/// The entry with this zxid among those from `first` to `last`, whose zxids ascend.
pub(crate) fn find(
    engine: &Arc<Engine>,
    first: LogIndex,
    last: LogIndex,
    zxid: Zxid,
) -> Result<Option<LogPosition>, ReadError> {
    let (mut from, mut to) = (first.0, last.0);
    while from <= to {
        let middle = from + (to - from) / 2;
        let position = record_at(engine, LogIndex(middle))?.position();
        match position.zxid.cmp(&zxid) {
            Ordering::Equal => return Ok(Some(position)),
            Ordering::Less => from = middle + 1,
            Ordering::Greater => to = middle - 1,
        }
    }
    Ok(None)
}

/// What the log holds, read and checked from `checkpoint` on.
pub(crate) fn log_found(
    engine: &Arc<Engine>,
    checkpoint: LogPosition,
    witness: Option<LogIndex>,
) -> LogFound {
    let span = engine.first_index(REGION).zip(engine.last_index(REGION));
    let Some((first, end)) = span.map(|(first, end)| (LogIndex(first), LogIndex(end))) else {
        return LogFound::Empty;
    };
    let mut scan = Scan { at_witness: None, witness, end: checkpoint };
    let from = first.max(checkpoint.index.next());
    let above = if checkpoint.index.next() < first {
        AboveCheckpoint::Gap
    } else {
        scan.run(Entries::new(engine.clone(), from, end))
    };
    let position = |index| record_at(engine, index).ok().map(|record| record.position());
    LogFound::Entries {
        first,
        end,
        at_checkpoint: position(checkpoint.index),
        at_witness: scan.at_witness.or_else(|| witness.and_then(position)),
        above,
    }
}

struct Scan {
    witness: Option<LogIndex>,
    at_witness: Option<LogPosition>,
    /// The end of what was found to be one history.
    end: LogPosition,
}

impl Scan {
    fn run(&mut self, mut entries: Entries) -> AboveCheckpoint {
        while let Some(read) = entries.next_record() {
            let record = match read {
                Ok(record) => record,
                Err(error) => return self.broken(error.to_string()),
            };
            if !record.continues(self.end) {
                return self.broken(format!("entry {} does not continue it", record.index));
            }
            if record.is_truncation() {
                // Only ever the last: the next append overwrites it.
                let behind = entries.remaining();
                return if behind == 0 { self.whole() } else { self.broken("a cut inside".into()) };
            }
            self.end = record.position();
            if self.witness == Some(self.end.index) {
                self.at_witness = Some(self.end);
            }
        }
        self.whole()
    }

    fn whole(&self) -> AboveCheckpoint {
        AboveCheckpoint::Whole { last: self.end }
    }

    fn broken(&self, why: String) -> AboveCheckpoint {
        AboveCheckpoint::Broken { last_good: self.end, why }
    }
}

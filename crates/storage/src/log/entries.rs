//! Entries as they are read: in chunks, each entry checked to continue the one before.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use zooid_ids::{LogIndex, Zxid};

use super::engine::Engine;
use super::{REGION, Records};
use crate::entry::{LogEntry, LogPosition, Record};

/// How many entries and bytes are read at once.
const CHUNK_ENTRIES: u64 = 1024;
const CHUNK_BYTES: usize = 1 << 20;
/// raft-engine may move an entry to another file while it is read; the second try finds it there.
const TRIES: u32 = 3;

/// Why an entry cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It was compacted, or never written.
    #[error("the log holds no entry {0}")]
    Absent(LogIndex),
    /// The log has no entry with this zxid: it was compacted, or is of another history.
    #[error("the log holds no entry with zxid {0}")]
    Unknown(Zxid),
    /// The log was truncated, and perhaps went on, while it was read.
    #[error("entry {0} of the log was replaced while the log was read")]
    Replaced(LogIndex),
    /// Its bytes are not what was written, or cannot be read.
    #[error("entry {index} of the log cannot be read: {cause}")]
    Unreadable {
        /// Which.
        index: LogIndex,
        /// What raft-engine said.
        cause: String,
    },
}

/// Entries of the log, ascending, without a gap and of one history. Behind the first error nothing
/// follows.
#[derive(Debug)]
pub struct Entries {
    cursor: Cursor,
    before: Before,
    end: Option<LogPosition>,
}

/// What is known of the entry before the next one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Before {
    Nothing,
    Zxid(Zxid),
    Position(LogPosition),
}

impl Before {
    fn is_continued_by(self, record: &Record) -> bool {
        match self {
            Self::Nothing => true,
            Self::Zxid(zxid) => record.entry.prev_zxid == zxid,
            Self::Position(position) => record.continues(position),
        }
    }
}

impl Entries {
    pub(crate) fn new(engine: Arc<Engine>, from: LogIndex, to: LogIndex, before: Before) -> Self {
        Self { cursor: Cursor::new(engine, from, to), before, end: None }
    }

    /// The last one must be this one.
    pub(super) fn ending_at(self, end: LogPosition) -> Self {
        Self { end: Some(end), ..self }
    }

    /// How many are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.cursor.remaining()
    }

    fn is_expected(&self, record: &Record) -> bool {
        let position = record.position();
        !record.is_truncation()
            && self.before.is_continued_by(record)
            && self.end.is_none_or(|end| position.index < end.index || position == end)
    }
}

impl Iterator for Entries {
    type Item = Result<LogEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.cursor.next_record()? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        if !self.is_expected(&record) {
            self.cursor.end();
            return Some(Err(ReadError::Replaced(record.index)));
        }
        self.before = Before::Position(record.position());
        Some(Ok(record.entry))
    }
}

/// The records at these indexes, whatever they are.
pub(super) struct Cursor {
    engine: Arc<Engine>,
    next: LogIndex,
    to: LogIndex,
    read: VecDeque<Record>,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("next", &self.next).field("to", &self.to).finish()
    }
}

impl Cursor {
    pub(super) fn new(engine: Arc<Engine>, from: LogIndex, to: LogIndex) -> Self {
        Self { engine, next: from, to, read: VecDeque::new() }
    }

    pub(super) fn remaining(&self) -> u64 {
        (self.to.0 + 1).saturating_sub(self.next.0)
    }

    fn end(&mut self) {
        self.to = LogIndex(0);
    }

    pub(super) fn next_record(&mut self) -> Option<Result<Record, ReadError>> {
        if self.remaining() == 0 {
            return None;
        }
        if self.read.is_empty()
            && let Err(error) = self.read_chunk()
        {
            self.end();
            return Some(Err(error));
        }
        let record = self.read.pop_front()?;
        self.next = record.index.next();
        Some(Ok(record))
    }

    fn read_chunk(&mut self) -> Result<(), ReadError> {
        let (index, end) = (self.next, (self.to.0 + 1).min(self.next.0 + CHUNK_ENTRIES));
        let mut read = self.fetch(end);
        for _again in 1..TRIES {
            if !matches!(read, Err(ReadError::Unreadable { .. })) {
                break;
            }
            read = self.fetch(end);
        }
        let compacted = self.engine.first_index(REGION).is_none_or(|first| index.0 < first);
        self.read =
            read.map_err(|error| if compacted { ReadError::Absent(index) } else { error })?;
        Ok(())
    }

    fn fetch(&self, end: u64) -> Result<VecDeque<Record>, ReadError> {
        let index = self.next;
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
        if records.is_empty() { Err(ReadError::Absent(index)) } else { Ok(records.into()) }
    }
}

pub(crate) fn record_at(engine: &Arc<Engine>, index: LogIndex) -> Result<Record, ReadError> {
    Cursor::new(engine.clone(), index, index).next_record().unwrap_or(Err(ReadError::Absent(index)))
}

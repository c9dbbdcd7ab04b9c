//! Reading the log on any thread, while another one writes it.
//!
//! raft-engine gives a reader whatever stands at an index at that moment: entries that a
//! compaction removes or a truncation replaces meanwhile are seen as such by their chain, and then
//! are an error.

use std::sync::{Arc, Mutex, PoisonError};

use zooid_ids::{Epoch, LogIndex, Zxid};

use super::REGION;
use super::engine::Engine;
use super::entries::{Before, Entries, ReadError, record_at};
use crate::entry::{LogPosition, Record};

/// A way to the log for every thread; cheap to clone. Only the writer makes it longer or shorter.
#[derive(Clone)]
pub struct LogReader {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<Engine>,
    span: Mutex<Span>,
}

/// What the log is, apart from what raft-engine knows.
///
/// Invariant: `base` ≤ `last`; the engine holds every index above `base` up to `last`, and behind
/// `last` at most the mark of a truncation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The newest checkpoint: nothing at or before it is ever truncated.
    pub(super) base: LogPosition,
    /// The end, durable.
    pub(super) last: LogPosition,
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("span", &self.span()).finish()
    }
}

impl LogReader {
    pub(super) fn new(engine: Arc<Engine>, span: Span) -> Self {
        Self { shared: Arc::new(Shared { engine, span: Mutex::new(span) }) }
    }

    /// The end of the durable log.
    #[must_use]
    pub fn durable(&self) -> LogPosition {
        self.span().last
    }

    /// The position before the oldest entry that can be read; where the log ends, if there is none.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn before_first(&self) -> Result<Zxid, ReadError> {
        Ok(self.first_record()?.map_or(self.span().base.zxid, |record| record.entry.prev_zxid))
    }

    /// The zxid of the last entry of each epoch that the log holds, ascending. Reads some twenty
    /// entries for each epoch.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn ends(&self) -> Result<Vec<Zxid>, ReadError> {
        let last = self.durable().index;
        let mut ends = Vec::new();
        let mut next = self.first_record()?;
        while let Some(record) = next {
            let Epoch(epoch) = record.entry.zxid.epoch();
            let of_epoch = Zxid(u64::from(epoch) << 32 | u64::from(u32::MAX));
            let end = self.newest_up_to(of_epoch, record.index, last)?;
            let end = end.ok_or(ReadError::Replaced(record.index))?;
            ends.push(end.zxid);
            next = (end.index < last).then(|| self.record(end.index.next())).transpose()?;
        }
        Ok(ends)
    }

    /// Where the entry with this zxid stands: what a checkpoint of the state at that zxid is named
    /// by. `None` if the log has no such entry. Reads some twenty entries.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn position(&self, zxid: Zxid) -> Result<Option<LogPosition>, ReadError> {
        loop {
            let Span { base, last } = self.span();
            if let Some(known) = [last, base].into_iter().find(|known| known.zxid == zxid) {
                return Ok(Some(known));
            }
            let Some(first) = self.first() else { return Ok(None) };
            match self.newest_up_to(zxid, first, last.index) {
                // Compacted or truncated while it was searched.
                Err(ReadError::Absent(_))
                    if (self.first(), self.durable()) != (Some(first), last) => {}
                found => return Ok(found?.filter(|found| found.zxid == zxid)),
            }
        }
    }

    /// The entries behind `after` up to `through`, which is among them; read as they are asked for.
    /// `after` is an entry of the log or the position [before the first](Self::before_first).
    ///
    /// # Errors
    /// [`ReadError::Unknown`] if the log does not hold one of the two, because it was compacted or
    /// is another history; otherwise what reading them meets.
    pub fn entries(&self, after: Zxid, through: Zxid) -> Result<Entries, ReadError> {
        let end = self.position(through)?.ok_or(ReadError::Unknown(through))?;
        let (from, before) = match self.position(after)? {
            Some(position) => (position.index.next(), Before::Position(position)),
            None => match self.first_record()? {
                Some(first) if first.entry.prev_zxid == after => (first.index, Before::Zxid(after)),
                _ => return Err(ReadError::Unknown(after)),
            },
        };
        Ok(Entries::new(self.shared.engine.clone(), from, end.index, before).ending_at(end))
    }

    /// The oldest entry that can be read; `None` if there is none.
    pub(super) fn first(&self) -> Option<LogIndex> {
        let first = LogIndex(self.shared.engine.first_index(REGION)?);
        (first <= self.durable().index).then_some(first)
    }

    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    /// A panic while it was held left it whole: it is set in one step.
    pub(super) fn span(&self) -> Span {
        *self.shared.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_span(&self, span: Span) {
        assert!(span.base.index <= span.last.index, "a log that ends before its checkpoint");
        *self.shared.span.lock().unwrap_or_else(PoisonError::into_inner) = span;
    }

    /// The oldest entry. A compaction may remove the one that was just found: then the next.
    fn first_record(&self) -> Result<Option<Record>, ReadError> {
        while let Some(first) = self.first() {
            match self.record(first) {
                Err(ReadError::Absent(_)) if self.first() != Some(first) => {}
                read => return read.map(Some),
            }
        }
        Ok(None)
    }

    fn record(&self, index: LogIndex) -> Result<Record, ReadError> {
        let record = record_at(&self.shared.engine, index)?;
        if record.is_truncation() { Err(ReadError::Absent(index)) } else { Ok(record) }
    }

    /// The newest entry from `first` to `last` that is not behind `limit`.
    fn newest_up_to(
        &self,
        limit: Zxid,
        first: LogIndex,
        last: LogIndex,
    ) -> Result<Option<LogPosition>, ReadError> {
        let (mut from, mut to, mut found) = (first.0, last.0, None);
        while from <= to {
            let middle = from + (to - from) / 2;
            let position = self.record(LogIndex(middle))?.position();
            if position.zxid <= limit {
                (found, from) = (Some(position), middle + 1);
            } else {
                to = middle - 1;
            }
        }
        Ok(found)
    }
}

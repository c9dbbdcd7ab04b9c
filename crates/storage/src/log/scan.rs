//! The look at the log before anybody uses it: everything above the checkpoint is read and checked
//! to be one history.

use std::sync::Arc;

use zooid_ids::LogIndex;

use super::REGION;
use super::engine::Engine;
use super::entries::{Cursor, record_at};
use crate::entry::LogPosition;
use crate::recovery::{AboveCheckpoint, LogFound};

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
        scan.run(Cursor::new(engine.clone(), from, end))
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
    fn run(&mut self, mut records: Cursor) -> AboveCheckpoint {
        while let Some(read) = records.next_record() {
            let record = match read {
                Ok(record) => record,
                Err(error) => return self.broken(error.to_string()),
            };
            if !record.continues(self.end) {
                return self.broken(format!("entry {} does not continue it", record.index));
            }
            if record.is_truncation() {
                // Only ever the last: the next append overwrites it.
                let behind = records.remaining();
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

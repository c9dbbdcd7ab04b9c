//! How much of the log stays behind a checkpoint, for followers that are a little late.

use std::collections::VecDeque;

use zooid_ids::LogIndex;

/// How finely bytes are told apart, as a part of the limit.
const MARKS: u64 = 64;

/// Counts what is written, so that what stays is limited by entries and by bytes: raft-engine
/// keeps memory for every live entry, and copies live entries once there are too many bytes.
#[derive(Debug)]
pub(super) struct Retention {
    entries_max: u64,
    bytes_max: u64,
    /// Bytes until now; what was there at the start is counted as written before the first mark.
    written: u64,
    /// The newest entry at some moments, and the bytes written until then; ascending. Those more
    /// than `bytes_max` ago are gone.
    marks: VecDeque<(LogIndex, u64)>,
    /// Whether one is gone: then what is older than the first must go too.
    limited: bool,
}

impl Retention {
    pub(super) fn new(entries_max: u64, bytes_max: u64, last: LogIndex, found: u64) -> Self {
        let marks = VecDeque::from([(last, found)]);
        Self { entries_max, bytes_max, written: found, marks, limited: found > bytes_max }
    }

    /// The same limits for a log that begins behind `last`.
    pub(super) fn anew(&self, last: LogIndex, found: u64) -> Self {
        Self::new(self.entries_max, self.bytes_max, last, found)
    }

    pub(super) fn wrote(&mut self, last: LogIndex, bytes: u64) {
        self.written += bytes;
        let marked = self.marks.back().map_or(0, |(_, written)| *written);
        if self.written - marked >= self.bytes_max / MARKS {
            self.marks.push_back((last, self.written));
        }
        while self.marks.len() > 1 && self.written - self.marks[0].1 > self.bytes_max {
            self.marks.pop_front();
            self.limited = true;
        }
    }

    /// The first entry to keep, at most that of the checkpoint: one that is always kept, so that a
    /// log that lost its files is told from one that was compacted.
    pub(super) fn first_to_keep(&self, checkpoint: LogIndex) -> LogIndex {
        let by_entries = LogIndex(checkpoint.0.saturating_sub(self.entries_max));
        let by_bytes = if self.limited { self.marks[0].0 } else { LogIndex(0) };
        by_entries.max(by_bytes).next().min(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrote(retention: &mut Retention, entries: std::ops::Range<u64>) {
        entries.for_each(|n| retention.wrote(LogIndex(n), 10));
    }

    #[test]
    fn entries_limit_what_stays() {
        let mut retention = Retention::new(30, 10_000, LogIndex(0), 0);
        wrote(&mut retention, 1..101);
        assert_eq!(retention.first_to_keep(LogIndex(100)), LogIndex(71));
        assert_eq!(retention.first_to_keep(LogIndex(20)), LogIndex(1));
    }

    #[test]
    fn bytes_limit_what_stays() {
        let mut retention = Retention::new(1000, 640, LogIndex(0), 0);
        wrote(&mut retention, 1..101);
        assert_eq!(retention.first_to_keep(LogIndex(100)), LogIndex(37));
        assert_eq!(retention.first_to_keep(LogIndex(30)), LogIndex(30));
    }

    #[test]
    fn what_was_there_at_the_start_counts() {
        let mut retention = Retention::new(1000, 640, LogIndex(50), 700);
        assert_eq!(retention.first_to_keep(LogIndex(50)), LogIndex(50));
        wrote(&mut retention, 51..61);
        assert_eq!(retention.first_to_keep(LogIndex(60)), LogIndex(51));
    }

    #[test]
    fn nothing_is_kept_but_the_checkpoint() {
        let retention = Retention::new(0, 640, LogIndex(50), 0);
        assert_eq!(retention.first_to_keep(LogIndex(50)), LogIndex(50));
    }
}

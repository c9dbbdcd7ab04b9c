//! What the loop measures, for `mntr`.

use std::time::{Duration, Instant};

use crate::words::Proposals;

/// Count, sum and extremes of one quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How often it was measured.
    pub(crate) count: u64,
    /// All together, in milliseconds.
    pub(crate) sum_ms: u64,
    /// The least, in milliseconds.
    pub(crate) min_ms: u64,
    /// The greatest, in milliseconds.
    pub(crate) max_ms: u64,
}

impl Summary {
    fn add(&mut self, duration: Duration) {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.min_ms = if self.count == 0 { milliseconds } else { self.min_ms.min(milliseconds) };
        self.max_ms = self.max_ms.max(milliseconds);
        self.sum_ms = self.sum_ms.saturating_add(milliseconds);
        self.count += 1;
    }
}

/// All that is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measures {
    /// `fsynctime`: how long syncs of the log took.
    pub(crate) fsync_time: Summary,
    /// Bytes of what was proposed here.
    pub(crate) proposals: Proposals,
    /// Bytes that are free on the fuller disk, if that is known.
    pub(crate) free: Option<u64>,
    /// Since when this server leads, if it does.
    pub(crate) leads_since: Option<Instant>,
}

impl Measures {
    /// `leader_uptime`.
    pub(crate) fn leader_uptime(&self) -> Duration {
        self.leads_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub(crate) fn fsync(&mut self, took: Duration) {
        self.fsync_time.add(took);
    }
}

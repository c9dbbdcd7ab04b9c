//! Says on the log how far long work is, every few seconds.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(2);

/// When it was said last.
pub(crate) struct Progress {
    said: Instant,
}

impl Progress {
    /// Says nothing in the first seconds.
    pub(crate) fn new() -> Self {
        Self { said: Instant::now() }
    }

    /// So much of something is done.
    pub(crate) fn is_at(&mut self, count: u64, of_what: &str) {
        if self.said.elapsed() >= PAUSE {
            self.said = Instant::now();
            tracing::info!("{count} {of_what}");
        }
    }
}

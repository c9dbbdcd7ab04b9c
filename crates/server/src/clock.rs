//! The clocks, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use zooid_ids::{Instant, Millis};
use zooid_node::Clock;

/// What time it is now, on both clocks.
#[must_use]
pub(crate) fn read() -> Clock {
    Clock { now: now(), wall: wall() }
}

/// `CLOCK_BOOTTIME`: it goes on while the machine sleeps, so that whoever slept notices.
#[must_use]
pub(crate) fn now() -> Instant {
    let time = clock_gettime(ClockId::Boottime);
    let (seconds, nanoseconds) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Instant(seconds * 1000 + nanoseconds / 1_000_000)
}

/// Milliseconds since 1970; 0 on a machine whose clock stands before that.
#[must_use]
pub(crate) fn wall() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

//! Time, as it is handed in: this project's pure crates never read a clock.

use core::fmt;
use core::ops::{Add, Sub};

/// Milliseconds: of wall time since 1970 where a znode's `ctime` is meant, otherwise a length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// A point on one server's own clock that never goes back and goes on while the machine sleeps
/// (`CLOCK_BOOTTIME`), in milliseconds. Instants of two servers cannot be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// How long ago `earlier` was; zero if it was not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0) as i64)
    }
}

impl Add<Millis> for Instant {
    type Output = Self;

    /// A later instant; a negative length counts as zero.
    fn add(self, length: Millis) -> Self {
        Self(self.0.saturating_add(length.0.max(0) as u64))
    }
}

impl Sub<Millis> for Instant {
    type Output = Self;

    /// An earlier instant, not before the clock's start; a negative length counts as zero.
    fn sub(self, length: Millis) -> Self {
        Self(self.0.saturating_sub(length.0.max(0) as u64))
    }
}

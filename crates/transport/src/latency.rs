//! Lengths of time, counted so that many threads can add to them at once.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Buckets of a [`Latency`]: four to each power of two, up to 2^38 microseconds, three days.
const BUCKETS: usize = 4 * 38;

/// Least, greatest, sum, number and distribution of lengths of time.
#[derive(Debug)]
pub struct Latency {
    min_micros: AtomicU64,
    max_micros: AtomicU64,
    sum_micros: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            min_micros: AtomicU64::new(u64::MAX),
            max_micros: AtomicU64::new(0),
            sum_micros: AtomicU64::new(0),
            buckets: array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Latency {
    pub(crate) fn add(&self, length: Duration) {
        let micros = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Relaxed);
        self.buckets[bucket(micros)].fetch_add(1, Relaxed);
        if micros < self.min_micros.load(Relaxed) {
            self.min_micros.fetch_min(micros, Relaxed);
        }
        if micros > self.max_micros.load(Relaxed) {
            self.max_micros.fetch_max(micros, Relaxed);
        }
    }

    /// The shortest, in whole milliseconds; 0 where there was none.
    #[must_use]
    pub fn min_ms(&self) -> u64 {
        match self.min_micros.load(Relaxed) {
            u64::MAX => 0,
            micros => micros / 1000,
        }
    }

    /// The longest, in whole milliseconds.
    #[must_use]
    pub fn max_ms(&self) -> u64 {
        self.max_micros.load(Relaxed) / 1000
    }

    /// The mean, in milliseconds; 0 where there was none.
    #[must_use]
    pub fn avg_ms(&self) -> f64 {
        let sum = self.sum_micros.load(Relaxed) as f64 / 1000.0;
        match self.count() {
            0 => 0.0,
            count => sum / count as f64,
        }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    /// All together, in milliseconds.
    #[must_use]
    pub fn sum_ms(&self) -> u64 {
        self.sum_micros.load(Relaxed) / 1000
    }

    /// In whole milliseconds, what at least `share` of them (0 to 1) were not longer than; up to a
    /// fifth too much, as they are kept in buckets. 0 where there was none.
    #[must_use]
    pub fn percentile_ms(&self, share: f64) -> u64 {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let reached = self.buckets.iter().position(|bucket| {
            seen += bucket.load(Relaxed);
            seen >= wanted.max(1)
        });
        reached.map_or(0, |bucket| greatest(bucket).min(self.max_micros.load(Relaxed)) / 1000)
    }

    pub(crate) fn reset(&self) {
        self.min_micros.store(u64::MAX, Relaxed);
        let counts = [&self.max_micros, &self.sum_micros].into_iter().chain(&self.buckets);
        counts.for_each(|count| count.store(0, Relaxed));
    }
}

/// The bucket of a length: by its highest bit and the two behind it.
fn bucket(micros: u64) -> usize {
    let exponent = micros.max(4).ilog2();
    let quarter = micros.max(4) >> (exponent - 2) & 3;
    ((exponent as usize - 2) * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The greatest length of a bucket.
fn greatest(bucket: usize) -> u64 {
    let (exponent, quarter) = (bucket / 4, bucket as u64 % 4);
    ((5 + quarter) << exponent) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(lengths: impl IntoIterator<Item = u64>) -> Latency {
        let latency = Latency::default();
        lengths.into_iter().for_each(|micros| latency.add(Duration::from_micros(micros)));
        latency
    }

    #[test]
    fn latencies_are_milliseconds() {
        let none = latency([]);
        assert_eq!((none.min_ms(), none.max_ms(), none.avg_ms()), (0, 0, 0.0));
        assert_eq!((none.count(), none.sum_ms(), none.percentile_ms(0.99)), (0, 0, 0));
        let two = latency([1500, 4500]);
        assert_eq!((two.min_ms(), two.max_ms(), two.avg_ms()), (1, 4, 3.0));
        assert_eq!((two.count(), two.sum_ms()), (2, 6));
        two.reset();
        assert_eq!((two.min_ms(), two.max_ms(), two.count(), two.sum_ms()), (0, 0, 0, 0));
    }

    #[test]
    fn each_length_has_its_bucket() {
        for micros in (0..100_000).chain([1 << 30, (1 << 38) - 1]) {
            let bucket = bucket(micros);
            assert!(micros <= greatest(bucket), "{micros}");
            assert!(bucket == 0 || micros > greatest(bucket - 1), "{micros}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_at_most_a_fifth_too_long() {
        let even = latency((1..=1000).map(|milliseconds| milliseconds * 1000));
        for (share, exact) in [(0.0, 1), (0.5, 500), (0.95, 950), (0.99, 990), (1.0, 1000)] {
            let found = even.percentile_ms(share);
            assert!((exact..=exact + exact / 4).contains(&found), "{share}: {found}");
        }
        assert_eq!(latency([7000]).percentile_ms(0.5), 7);
    }
}

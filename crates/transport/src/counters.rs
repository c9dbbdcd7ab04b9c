//! What this server has done for clients, in numbers.
//!
//! The names in the comments are those of ZooKeeper's metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counters of all client connections together. They go up; only those that `srst` resets go back.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say what is counted")]
pub struct Counters {
    /// `packets_received`: frames and four-letter words.
    pub received: AtomicU64,
    /// `packets_sent`: frames.
    pub sent: AtomicU64,
    /// `avg_latency`, `min_latency`, `max_latency`: from reading a request to its answer.
    pub latency: Latency,
    /// `connection_request_count`: connect requests.
    pub connect_requests: AtomicU64,
    /// `bytes_received_count`.
    pub bytes_received: AtomicU64,
    /// `response_bytes`: without events.
    pub response_bytes: AtomicU64,
    /// `watch_bytes`: events.
    pub watch_bytes: AtomicU64,
    /// `connection_rejected`: over `maxCnxns` or `maxClientCnxns`.
    pub rejected: AtomicU64,
    /// `connection_drop_count`: ended by the client, or by the network.
    pub dropped: AtomicU64,
    /// `sessionless_connections_expired`: no complete connect request in time.
    pub sessionless_expired: AtomicU64,
    /// `large_requests_rejected`: frames over the limit.
    pub oversized_frames: AtomicU64,
    pub malformed_frames: AtomicU64,
    pub tls_on_plain_port: AtomicU64,
    pub http_on_client_port: AtomicU64,
    pub slow_clients: AtomicU64,
    pub accept_errors: AtomicU64,
}

impl Counters {
    /// Sets back what `srst` sets back: received, sent and the latencies.
    pub fn reset(&self) {
        self.received.store(0, Relaxed);
        self.sent.store(0, Relaxed);
        self.latency.reset();
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Smallest, largest, sum and number of lengths of time, in microseconds.
#[derive(Debug)]
pub struct Latency {
    min: AtomicU64,
    max: AtomicU64,
    sum: AtomicU64,
    count: AtomicU64,
}

impl Default for Latency {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self { min: AtomicU64::new(u64::MAX), max: zero(), sum: zero(), count: zero() }
    }
}

impl Latency {
    pub(crate) fn add(&self, length: Duration) {
        let micros = length.as_micros() as u64;
        self.sum.fetch_add(micros, Relaxed);
        self.count.fetch_add(1, Relaxed);
        if micros < self.min.load(Relaxed) {
            self.min.fetch_min(micros, Relaxed);
        }
        if micros > self.max.load(Relaxed) {
            self.max.fetch_max(micros, Relaxed);
        }
    }

    /// The shortest, in whole milliseconds; 0 where there was none.
    #[must_use]
    pub fn min_ms(&self) -> u64 {
        match self.min.load(Relaxed) {
            u64::MAX => 0,
            micros => micros / 1000,
        }
    }

    /// The longest, in whole milliseconds.
    #[must_use]
    pub fn max_ms(&self) -> u64 {
        self.max.load(Relaxed) / 1000
    }

    /// The mean, in milliseconds; 0 where there was none.
    #[must_use]
    pub fn avg_ms(&self) -> f64 {
        let count = self.count();
        if count == 0 { 0.0 } else { self.sum_micros() as f64 / 1000.0 / count as f64 }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// All together, in microseconds.
    #[must_use]
    pub fn sum_micros(&self) -> u64 {
        self.sum.load(Relaxed)
    }

    fn reset(&self) {
        self.min.store(u64::MAX, Relaxed);
        for number in [&self.max, &self.sum, &self.count] {
            number.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_milliseconds() {
        let latency = Latency::default();
        assert_eq!((latency.min_ms(), latency.max_ms(), latency.avg_ms()), (0, 0, 0.0));
        latency.add(Duration::from_micros(1500));
        latency.add(Duration::from_micros(4500));
        assert_eq!((latency.min_ms(), latency.max_ms(), latency.avg_ms()), (1, 4, 3.0));
        latency.reset();
        assert_eq!((latency.min_ms(), latency.max_ms(), latency.count()), (0, 0, 0));
    }
}

//! What this server has done for clients, in numbers.
//!
//! The names in the comments are those of ZooKeeper's metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Latency;

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
    /// `readlatency`: of what changes nothing.
    pub read_latency: Latency,
    /// `updatelatency`: of what went through the log.
    pub update_latency: Latency,
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
        for latency in [&self.latency, &self.read_latency, &self.update_latency] {
            latency.reset();
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

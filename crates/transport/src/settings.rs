//! The limits that come from the configuration.

use std::time::Duration;

use zooid_ids::Instant;
use zooid_model::limits;

/// So many bytes of unanswered requests keep the log busy; more of them only take memory.
const OUTSTANDING_BYTES: usize = 16 * 1024 * 1024;

/// Limits of client connections; [`Default`] is ZooKeeper's.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `jute.maxbuffer`: a longer request frame, in bytes without its length prefix, closes the
    /// connection.
    pub frame_bytes: usize,
    /// `nio.sessionlessCnxnTimeout`: a connection whose first frame is not complete by then is
    /// closed.
    pub sessionless_timeout: Duration,
    /// `maxClientCnxns`: connections from one address; `None` is without limit.
    pub connections_per_address: Option<usize>,
    /// `maxCnxns`: connections in all; `None` is without limit.
    pub connections: Option<usize>,
    /// `globalOutstandingLimit`: requests without an answer, over all connections. At the limit a
    /// connection that has one already is not read.
    pub outstanding: usize,
    /// Requests of one connection without an answer; at the limit it is not read.
    pub outstanding_per_connection: usize,
    /// Bytes of one connection's requests without an answer; from there on it is not read.
    pub outstanding_bytes_per_connection: usize,
    /// Bytes that wait to be written to one connection; a client that lets more pile up is
    /// disconnected. At a quarter of it, its requests are not read.
    pub outbox_bytes: usize,
    /// How long a connection that is being closed may take to accept what is still to be written.
    pub flush_timeout: Duration,
    /// The clock of [`Outlet::allow`](crate::Outlet::allow); it must not stand still while the
    /// machine sleeps.
    pub now: fn() -> Instant,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            frame_bytes: limits::FRAME_BYTES_DEFAULT,
            sessionless_timeout: Duration::from_secs(10),
            connections_per_address: Some(60),
            connections: None,
            outstanding: 1000,
            outstanding_per_connection: limits::OUTSTANDING_PER_CONNECTION,
            outstanding_bytes_per_connection: OUTSTANDING_BYTES,
            outbox_bytes: limits::OUTBOX_BYTES,
            flush_timeout: Duration::from_secs(5),
            now: || Instant(0),
        }
    }
}

//! What can be set about connections between peers.

use std::sync::Arc;
use std::time::Duration;

use super::PeerTls;
use super::forwards::window;

/// Limits and times of connections between peers.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// The longest message, in bytes; a longer one ends its stream. Must have room for the longest
    /// entry.
    pub message_bytes: usize,
    /// Entries are sent in batches of about so many bytes, so that what stands behind them does not
    /// wait for long.
    pub batch_bytes: usize,
    /// Bytes that wait to be sent through one channel; over it the channel is closed.
    pub outbox_bytes: usize,
    /// Bytes of one channel that were handed over and not given back ([`Held`](super::Held)), but
    /// for forwards; from there on the channel is not read, and its other end has to wait.
    pub inbox_bytes: u32,
    /// Forwards of one learner that the loop has not taken yet, in bytes; more have to wait at the
    /// learner. Counts as one message of `message_bytes` if it is less.
    pub forward_bytes: u64,
    /// Connections to one port.
    pub connections: usize,
    /// Of these, how many may be without a hello.
    pub strangers: usize,
    /// Of these, how many may come from one address.
    pub strangers_per_address: usize,
    /// How long a connection to a port may have no stream on which somebody has said hello, at its
    /// beginning and later; then it is closed.
    pub hello_timeout: Duration,
    /// How long connecting may take, and after it the handshake.
    pub connect_timeout: Duration,
    /// How long a leader that cannot be reached is dialled again.
    pub dial_patience: Duration,
    /// The longest pause between two attempts to connect; the first ones are shorter.
    pub retry_pause: Duration,
    /// A notification that could not be sent for so long is not sent any more.
    pub notification_age: Duration,
    /// An idle connection is tried this often, and counts as dead after as long without an answer.
    pub keep_alive: Duration,
    /// How long the next part of a checkpoint is waited for.
    pub fetch_patience: Duration,
    /// A checkpoint is not sent quicker than this, so that what is agreed meanwhile does not wait.
    pub checkpoint_bytes_per_second: u64,
    /// How TLS is spoken; in plaintext without.
    pub tls: Option<Arc<PeerTls>>,
}

impl PeerSettings {
    /// What a learner may forward before the first of it is taken.
    pub(crate) fn window(&self) -> u64 {
        window(self.forward_bytes, self.message_bytes)
    }
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self {
            message_bytes: 16 * 1024 * 1024,
            batch_bytes: 1024 * 1024,
            outbox_bytes: 64 * 1024 * 1024,
            inbox_bytes: 16 * 1024 * 1024,
            forward_bytes: 16 * 1024 * 1024,
            connections: 1024,
            strangers: 256,
            strangers_per_address: 64,
            hello_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            dial_patience: Duration::from_secs(1),
            retry_pause: Duration::from_millis(500),
            notification_age: Duration::from_secs(2),
            keep_alive: Duration::from_secs(2),
            fetch_patience: Duration::from_secs(10),
            checkpoint_bytes_per_second: 100_000_000,
            tls: None,
        }
    }
}

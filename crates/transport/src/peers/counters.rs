//! What has happened between peers, in numbers.

use std::sync::atomic::AtomicU64;

use super::hello::Ending;

/// Counters of all connections between peers together; they only go up.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say what is counted")]
pub struct PeerCounters {
    pub messages_sent: AtomicU64,
    pub messages_received: AtomicU64,
    pub notifications_sent: AtomicU64,
    pub notifications_received: AtomicU64,
    /// Channels that were opened, by either side.
    pub channels: AtomicU64,
    pub wrong_version: AtomicU64,
    pub wrong_cluster: AtomicU64,
    /// Not a member, not who was dialled, or meant for another one.
    pub wrong_member: AtomicU64,
    pub oversized_messages: AtomicU64,
    pub malformed_messages: AtomicU64,
    /// Channels that were closed as too much waited to be sent.
    pub slow_peers: AtomicU64,
    /// No Hello in time.
    pub silent_peers: AtomicU64,
}

impl PeerCounters {
    /// What counts endings like this one, if any does.
    pub(crate) const fn of(&self, ending: &Ending) -> Option<&AtomicU64> {
        Some(match ending {
            Ending::Version { .. } => &self.wrong_version,
            Ending::Cluster { .. } => &self.wrong_cluster,
            Ending::NotAMember(_) | Ending::Mistaken { .. } | Ending::Impostor(_) => {
                &self.wrong_member
            }
            Ending::Malformed(_) => &self.malformed_messages,
            Ending::Oversized(_) => &self.oversized_messages,
            Ending::Silent => &self.silent_peers,
            Ending::Slow(..) => &self.slow_peers,
            Ending::Disk(_)
            | Ending::Refused(_)
            | Ending::Broken(_)
            | Ending::Ended
            | Ending::Here => return None,
        })
    }
}

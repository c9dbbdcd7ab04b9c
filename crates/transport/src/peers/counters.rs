//! What has happened between peers, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
    /// That cannot be read, or were not granted.
    pub malformed_messages: AtomicU64,
    /// Channels that were closed as too much waited to be sent.
    pub slow_peers: AtomicU64,
    /// No Hello in time.
    pub silent_peers: AtomicU64,
    /// Connections to this server that have ended without a hello, for whatever reason.
    pub connections_without_hello: AtomicU64,
    /// Connections to this server that were refused as too many were open.
    pub refused_connections: AtomicU64,
    /// Connections to this server whose first bytes are not a peer's.
    pub foreign_connections: AtomicU64,
    pub tls_on_plain_port: AtomicU64,
    pub plaintext_on_tls_port: AtomicU64,
    /// With either end, for whatever reason.
    pub tls_handshakes_failed: AtomicU64,
    /// Certificates that are trusted, but not the member's.
    pub wrong_certificates: AtomicU64,
    pub accept_errors: AtomicU64,
}

impl PeerCounters {
    /// All of them with their names, which monitoring may rely on.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 20] {
        [
            ("peer_messages_sent", &self.messages_sent),
            ("peer_messages_received", &self.messages_received),
            ("peer_notifications_sent", &self.notifications_sent),
            ("peer_notifications_received", &self.notifications_received),
            ("peer_channels", &self.channels),
            ("peer_wrong_version", &self.wrong_version),
            ("peer_wrong_cluster", &self.wrong_cluster),
            ("peer_wrong_member", &self.wrong_member),
            ("peer_oversized_messages", &self.oversized_messages),
            ("peer_malformed_messages", &self.malformed_messages),
            ("peer_slow", &self.slow_peers),
            ("peer_silent", &self.silent_peers),
            ("peer_connections_without_hello", &self.connections_without_hello),
            ("peer_refused_connections", &self.refused_connections),
            ("peer_foreign_connections", &self.foreign_connections),
            ("peer_tls_on_plain_port", &self.tls_on_plain_port),
            ("peer_plaintext_on_tls_port", &self.plaintext_on_tls_port),
            ("peer_tls_handshakes_failed", &self.tls_handshakes_failed),
            ("peer_wrong_certificates", &self.wrong_certificates),
            ("peer_accept_errors", &self.accept_errors),
        ]
        .map(|(name, counter)| (name, counter.load(Relaxed)))
    }

    /// What counts endings like this one, if any does.
    pub(crate) const fn of(&self, ending: &Ending) -> Option<&AtomicU64> {
        Some(match ending {
            Ending::Version { .. } => &self.wrong_version,
            Ending::Cluster { .. } => &self.wrong_cluster,
            Ending::NotAMember(_) | Ending::Mistaken { .. } | Ending::Impostor(_) => {
                &self.wrong_member
            }
            Ending::Malformed(_) | Ending::Overdrawn(_) => &self.malformed_messages,
            Ending::Oversized(_) => &self.oversized_messages,
            Ending::Silent => &self.silent_peers,
            Ending::Slow(..) => &self.slow_peers,
            Ending::Crowded(_) => &self.refused_connections,
            Ending::Foreign(_) => &self.foreign_connections,
            Ending::UnwantedTls => &self.tls_on_plain_port,
            Ending::UnwantedPlaintext => &self.plaintext_on_tls_port,
            Ending::Handshake(_) => &self.tls_handshakes_failed,
            Ending::Certificate { .. } => &self.wrong_certificates,
            Ending::Disk(_)
            | Ending::Refused(_)
            | Ending::Broken(_)
            | Ending::Ended
            | Ending::Here => return None,
        })
    }
}

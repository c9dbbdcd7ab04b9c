//! What a node is told once, at its start.

use bytes::Bytes;
use zooid_ids::{BootNonce, ClusterId, Millis};
use zooid_model::Grants;
use zooid_session::auth::Authentication;
use zooid_session::handshake::Timeouts;
use zooid_zab::Member;

/// What a node is told once, at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who it is.
    pub member: Member,
    /// This run of its process.
    pub boot: BootNonce,
    /// The ensemble's name and secret, if this server is the one that forms it: unpredictable.
    pub formation: (ClusterId, [u8; 32]),
    /// What session ids are drawn from: unpredictable, new at each start.
    pub session_id_key: [u8; 32],
    /// Keeps clients from choosing paths that collide; new at each start.
    pub hash_key: u64,
    /// `minSessionTimeout` and `maxSessionTimeout`.
    pub timeouts: Timeouts,
    /// `tickTime`: sessions expire by buckets of it.
    pub tick: Millis,
    /// `initLimit`, `syncLimit` and what else agreement can be told.
    pub agreement: zooid_zab::Settings,
    /// What `/zookeeper/config` shows: the servers of the ensemble, as clients can reach them.
    pub servers: Option<Bytes>,
    /// `enforceQuota`, `extendedTypesEnabled`.
    pub grants: Grants,
    /// `DigestAuthenticationProvider.*`.
    pub authentication: Authentication,
    /// `znode.container.checkIntervalMs`.
    pub collect_interval: Millis,
    /// `znode.container.maxPerMinute`.
    pub collect_per_minute: usize,
    /// `znode.container.maxNeverUsedIntervalMs`; 0 keeps containers that were never used.
    pub collect_never_used: Millis,
    /// A checkpoint is taken after so many entries (`snapCount`) ...
    pub checkpoint_entries: u64,
    /// ... or when its records would take so many bytes.
    pub checkpoint_bytes: u64,
}

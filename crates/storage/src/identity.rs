//! Whose directory this is, and what its server promised.
//!
//! Both stand in the log's key-value space; the identity again in the ledger, the promise again in
//! the witness. Numbers are little-endian.

use bytes::{Buf, BufMut};
use zooid_ids::{ClusterId, Epoch, Incarnation, Millis, ServerId};

/// Which server of which ensemble a directory belongs to.
///
/// ```text
///  0  4  format      1
///  4  8  server
/// 12 16  cluster
/// 28 16  incarnation
/// 44  8  created     ms since 1970
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The ensemble.
    pub cluster: ClusterId,
    /// `N` of `server.N` and `myid`; 0 for a standalone server without one.
    pub server: ServerId,
    /// This life of the directory.
    pub incarnation: Incarnation,
    /// When the directory was first used.
    pub created: Millis,
}

impl Identity {
    const LEN: usize = 52;

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.put_u32_le(crate::dirs::FORMAT);
        bytes.put_u64_le(self.server.0);
        bytes.put_u128_le(self.cluster.0);
        bytes.put_u128_le(self.incarnation.0);
        bytes.put_i64_le(self.created.0);
        bytes
    }

    /// `None` if these bytes are no identity of this format.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LEN || bytes.get_u32_le() != crate::dirs::FORMAT {
            return None;
        }
        let server = ServerId(bytes.get_u64_le());
        let cluster = ClusterId(bytes.get_u128_le());
        let incarnation = Incarnation(bytes.get_u128_le());
        Some(Self { cluster, server, incarnation, created: Millis(bytes.get_i64_le()) })
    }
}

/// The newest epoch that a server agreed to, and with which life of which server: it follows no
/// older epoch, and no other leader of this one.
///
/// ```text
///  0  4  epoch
///  4  8  server
/// 12 16  incarnation
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Promise {
    /// The epoch; 0 if nothing was promised yet.
    pub epoch: Epoch,
    /// The candidate it was given to.
    pub server: ServerId,
    /// The life of that candidate's directory.
    pub incarnation: Incarnation,
}

impl Promise {
    pub(crate) const LEN: usize = 28;

    pub(crate) fn encode_to(&self, bytes: &mut impl BufMut) {
        bytes.put_u32_le(self.epoch.0);
        bytes.put_u64_le(self.server.0);
        bytes.put_u128_le(self.incarnation.0);
    }

    /// `None` if these bytes are no promise.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LEN {
            return None;
        }
        let epoch = Epoch(bytes.get_u32_le());
        let server = ServerId(bytes.get_u64_le());
        Some(Self { epoch, server, incarnation: Incarnation(bytes.get_u128_le()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_and_a_promise_come_back() {
        let identity = Identity {
            cluster: ClusterId(7),
            server: ServerId(3),
            incarnation: Incarnation(9),
            created: Millis(11),
        };
        assert_eq!(Identity::decode(&identity.encode()), Some(identity));
        assert_eq!(Identity::decode(&identity.encode()[1..]), None);
        let promise = Promise { epoch: Epoch(4), server: ServerId(3), incarnation: Incarnation(9) };
        let mut bytes = Vec::new();
        promise.encode_to(&mut bytes);
        assert_eq!(Promise::decode(&bytes), Some(promise));
        assert_eq!(Promise::decode(&bytes[1..]), None);
    }
}

//! What other members had acknowledged.
//!
//! A disk that was rolled back restores its own records too, so only the others can tell that a
//! member has less than it once said. Nothing waits for this record, and nothing is lost without it
//! but that help.

use bytes::{Buf, BufMut};
use zooid_ids::{Incarnation, ServerId, Zxid};

use crate::Fatal;
use crate::ledger::Ledger;

/// How far one life of a member had everything.
///
/// In the ledger 32 bytes each, one behind the other: server (8), incarnation (16), zxid (8);
/// little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which member.
    pub server: ServerId,
    /// Which life of its directory.
    pub incarnation: Incarnation,
    /// The newest entry that it had acknowledged.
    pub zxid: Zxid,
}

impl Acknowledged {
    const LEN: usize = 32;

    pub(crate) fn encode_all(all: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(all.len() * Self::LEN);
        for Self { server, incarnation, zxid } in all {
            bytes.put_u64_le(server.0);
            bytes.put_u128_le(incarnation.0);
            bytes.put_u64_le(zxid.0);
        }
        bytes
    }

    /// `None` if these bytes are no such records.
    pub(crate) fn decode_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let decode = |mut record: &[u8]| Self {
            server: ServerId(record.get_u64_le()),
            incarnation: Incarnation(record.get_u128_le()),
            zxid: Zxid(record.get_u64_le()),
        };
        let whole = bytes.len().is_multiple_of(Self::LEN);
        whole.then(|| bytes.chunks(Self::LEN).map(decode).collect())
    }
}

/// Where it is recorded; cheap to clone, for any thread that may wait for the disk.
#[derive(Clone, Debug)]
pub struct Acknowledgements {
    ledger: Ledger,
}

impl Acknowledgements {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Puts these in the place of what was recorded before, durable.
    ///
    /// # Errors
    /// [`Fatal`]: it is unknown what is on the disk.
    pub fn put(&self, acknowledged: &[Acknowledged]) -> Result<(), Fatal> {
        self.ledger.put_acknowledged(acknowledged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back() {
        let one = |n: u64| Acknowledged {
            server: ServerId(n),
            incarnation: Incarnation(u128::from(n) << 70),
            zxid: Zxid(n + 5),
        };
        let all = [one(1), one(2), one(3)];
        let bytes = Acknowledged::encode_all(&all);
        assert_eq!(Acknowledged::decode_all(&bytes), Some(all.to_vec()));
        assert_eq!(Acknowledged::decode_all(&bytes[1..]), None);
        assert_eq!(Acknowledged::decode_all(&[]), Some(vec![]));
    }
}

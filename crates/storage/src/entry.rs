//! One record of the log: a fixed header and an opaque payload.
//!
//! ```text
//! offset size field      numbers are little-endian
//!      0    8 index      dense position in this server's log, from 1
//!      8    1 format     1
//!      9    1 kind       the caller's; 255 is the mark of a truncation
//!     10    2 zero
//!     12    4 chain      see below
//!     16    8 zxid
//!     24    8 prev_zxid  zxid of the record before, 0 for the first
//!     32    8 time       the leader's, milliseconds since 1970, signed
//!     40      payload    to the end of the record
//! ```
//!
//! `chain` is CRC-32 (IEEE) over the chain of the record before (4 bytes, 0 for the first), the
//! bytes 8..12 and 16..40 of the header, and the payload. It is a function of the history alone:
//! two servers that hold the same entries have the same chain, whatever their indexes are. The
//! record has no length: raft-engine keeps it. The layout is a contract; `proto/README.md` has it too.

use bytes::{Buf, BufMut, Bytes};
use protobuf::{ProtobufError, ProtobufResult};
use zooid_ids::{LogIndex, Millis, Zxid};

/// Length of a record's header, in bytes.
pub(crate) const HEADER_LEN: usize = 40;
/// The record format that this crate writes, and the only one that it reads.
const FORMAT: u8 = 1;
/// The kind of the record that marks the end of a log that was truncated.
pub(crate) const KIND_TRUNCATION: u8 = 255;

/// What the caller puts into the log and gets back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The place in the one order.
    pub zxid: Zxid,
    /// The zxid of the entry before; [`Zxid::ZERO`] for the very first.
    pub prev_zxid: Zxid,
    /// The leader's clock when it stamped the entry.
    pub time: Millis,
    /// What the payload is; opaque here, except that 255 is taken.
    pub kind: u8,
    /// Opaque.
    pub payload: Bytes,
}

/// The checksum over a whole history; 0 for the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chain(pub u32);

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The end of a history: the entry there and the chain up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// Its index.
    pub index: LogIndex,
    /// Its zxid.
    pub zxid: Zxid,
    /// The chain up to and with it.
    pub chain: Chain,
}

impl LogPosition {
    /// Before the first entry.
    pub const START: Self = Self { index: LogIndex(0), zxid: Zxid::ZERO, chain: Chain(0) };
}

impl std::fmt::Display for LogPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "zxid {} (entry {}, chain {})", self.zxid, self.index, self.chain)
    }
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Shorter than a header.
    #[error("a record of {0} bytes is shorter than its header")]
    Short(usize),
    /// Written by a newer server.
    #[error("record format {0} is not known")]
    Format(u8),
}

/// A [`LogEntry`] where it stands in the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) index: LogIndex,
    pub(crate) chain: Chain,
    pub(crate) entry: LogEntry,
}

impl Record {
    /// The record of `entry` behind `before`.
    pub(crate) fn after(before: LogPosition, entry: LogEntry) -> Self {
        let chain = chain_after(before.chain, &entry);
        Self { index: before.index.next(), chain, entry }
    }

    pub(crate) fn position(&self) -> LogPosition {
        LogPosition { index: self.index, zxid: self.entry.zxid, chain: self.chain }
    }

    /// Whether this record is the one behind `before`: index, previous zxid, order and chain.
    pub(crate) fn continues(&self, before: LogPosition) -> bool {
        self.index == before.index.next()
            && self.entry.prev_zxid == before.zxid
            && (self.is_truncation() || self.entry.zxid > before.zxid)
            && self.chain == chain_after(before.chain, &self.entry)
    }

    pub(crate) fn is_truncation(&self) -> bool {
        self.entry.kind == KIND_TRUNCATION
    }

    pub(crate) fn encode_to(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(HEADER_LEN + self.entry.payload.len());
        bytes.put_u64_le(self.index.0);
        bytes.put_slice(&[FORMAT, self.entry.kind, 0, 0]);
        bytes.put_u32_le(self.chain.0);
        bytes.put_slice(&order_bytes(&self.entry));
        bytes.put_slice(&self.entry.payload);
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() < HEADER_LEN {
            return Err(RecordError::Short(bytes.len()));
        }
        let index = LogIndex(bytes.get_u64_le());
        let format = bytes.get_u8();
        if format != FORMAT {
            return Err(RecordError::Format(format));
        }
        let kind = bytes.get_u8();
        bytes.advance(2);
        let chain = Chain(bytes.get_u32_le());
        let (zxid, prev_zxid) = (Zxid(bytes.get_u64_le()), Zxid(bytes.get_u64_le()));
        let time = Millis(bytes.get_i64_le());
        let payload = Bytes::copy_from_slice(bytes);
        Ok(Self { index, chain, entry: LogEntry { zxid, prev_zxid, time, kind, payload } })
    }
}

/// Bytes 16..40 of the header.
fn order_bytes(entry: &LogEntry) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[0..8].copy_from_slice(&entry.zxid.0.to_le_bytes());
    bytes[8..16].copy_from_slice(&entry.prev_zxid.0.to_le_bytes());
    bytes[16..24].copy_from_slice(&entry.time.0.to_le_bytes());
    bytes
}

fn chain_after(before: Chain, entry: &LogEntry) -> Chain {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&before.0.to_le_bytes());
    crc.update(&[FORMAT, entry.kind, 0, 0]);
    crc.update(&order_bytes(entry));
    crc.update(&entry.payload);
    Chain(crc.finalize())
}

/// raft-engine wants a protobuf message as an entry, and of it calls only `write_to_vec` and
/// `parse_from_bytes`: nothing of a record is ever encoded as protobuf.
impl protobuf::Message for Record {
    fn write_to_vec(&self, bytes: &mut Vec<u8>) -> ProtobufResult<()> {
        self.encode_to(bytes);
        Ok(())
    }

    fn parse_from_bytes(bytes: &[u8]) -> ProtobufResult<Self> {
        Self::decode(bytes).map_err(|error| ProtobufError::IoError(std::io::Error::other(error)))
    }

    fn is_initialized(&self) -> bool {
        true
    }

    fn descriptor(&self) -> &'static protobuf::reflect::MessageDescriptor {
        unreachable!("a log record has no protobuf descriptor")
    }

    fn merge_from(&mut self, _: &mut protobuf::CodedInputStream<'_>) -> ProtobufResult<()> {
        unreachable!("a log record is not read as protobuf")
    }

    fn write_to_with_cached_sizes(
        &self,
        _: &mut protobuf::CodedOutputStream<'_>,
    ) -> ProtobufResult<()> {
        unreachable!("a log record is not written as protobuf")
    }

    fn compute_size(&self) -> u32 {
        (HEADER_LEN + self.entry.payload.len()) as u32
    }

    fn get_cached_size(&self) -> u32 {
        self.compute_size()
    }

    fn get_unknown_fields(&self) -> &protobuf::UnknownFields {
        unreachable!("a log record has no protobuf fields")
    }

    fn mut_unknown_fields(&mut self) -> &mut protobuf::UnknownFields {
        unreachable!("a log record has no protobuf fields")
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn default_instance() -> &'static Self {
        unreachable!("there is no log record without content")
    }

    fn new() -> Self {
        unreachable!("a log record is made from an entry or from bytes")
    }
}

impl protobuf::Clear for Record {
    fn clear(&mut self) {
        unreachable!("a log record is not reused")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(zxid: u64, prev_zxid: u64, payload: &'static [u8]) -> LogEntry {
        LogEntry {
            zxid: Zxid(zxid),
            prev_zxid: Zxid(prev_zxid),
            time: Millis(1_700_000_000_123),
            kind: 2,
            payload: Bytes::from_static(payload),
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The contract of `proto/README.md`: a change here is a new format.
    #[test]
    fn golden_vectors() {
        let first = Record::after(LogPosition::START, entry(0x1_0000_0000, 0, b""));
        let second = Record::after(first.position(), entry(0x1_0000_0001, 0x1_0000_0000, b"hello"));
        let mut bytes = Vec::new();
        first.encode_to(&mut bytes);
        assert_eq!(
            hex(&bytes),
            "0100000000000000010200000684f5ff000000000100000000000000000000007b68e5cf8b010000"
        );
        bytes.clear();
        second.encode_to(&mut bytes);
        assert_eq!(
            hex(&bytes),
            "020000000000000001020000d509409b010000000100000000000000010000007b68e5cf8b01000068656c6c6f"
        );
        assert_eq!(Record::decode(&bytes), Ok(second.clone()));
        assert!(second.continues(first.position()));
    }

    #[test]
    fn a_record_continues_only_its_own_history() {
        let first = Record::after(LogPosition::START, entry(1, 0, b"a"));
        let second = Record::after(first.position(), entry(2, 1, b"b"));
        assert!(!second.continues(LogPosition::START));
        let elsewhere = Record::after(LogPosition::START, entry(1, 0, b"x"));
        assert!(!second.continues(elsewhere.position()));
        let mut changed = second.clone();
        changed.entry.payload = Bytes::from_static(b"c");
        assert!(!changed.continues(first.position()));
    }

    #[test]
    fn the_chain_does_not_depend_on_the_index() {
        let at = |index| LogPosition { index: LogIndex(index), zxid: Zxid(5), chain: Chain(6) };
        let (one, other) =
            (Record::after(at(1), entry(7, 5, b"p")), Record::after(at(9), entry(7, 5, b"p")));
        assert_eq!(one.chain, other.chain);
    }

    #[test]
    fn what_is_no_record_is_said() {
        assert_eq!(Record::decode(&[0; 39]), Err(RecordError::Short(39)));
        assert_eq!(Record::decode(&[0; 40]), Err(RecordError::Format(0)));
    }
}

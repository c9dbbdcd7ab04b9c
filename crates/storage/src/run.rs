//! Runs: immutable files of records sorted by key, written once and never changed.
//!
//! A *base* holds everything, a *delta* what changed since its parent, with tombstones for what is
//! gone. A file describes itself, so that the ledger can be rebuilt from the files alone:
//!
//! ```text
//! header 128 bytes      numbers are little-endian
//!      0    8 magic        "ZOOIDRUN"
//!      8    4 format       1
//!     12    4 kind         1 base, 2 delta
//!     16    8 zxid         the state it leads to, exactly
//!     24    8 index        of that entry in the writer's log
//!     32    4 chain        of the log up to that entry
//!     36    4 zero
//!     40    8 parent       zxid of the run before; 0 for a base
//!     48    8 digest       the caller's, of the whole state
//!     56    8 created      milliseconds since 1970
//!     64   16 cluster
//!     80   16 incarnation  of the directory that it was written in
//!     96   28 zero
//!    124    4 crc          CRC-32 (IEEE) of bytes 0..124
//!
//! block, again and again    closed at about 64 KiB
//!      0    4 length       of the records, not 0
//!      4    4 count        of the records
//!      8    4 crc          of length, count and the records
//!     12      records
//!
//! record
//!      0    4 key length
//!      4    4 value length 0xffffffff: a tombstone, without a value
//!      8      key, value
//!
//! trailer 48 bytes      at the very end
//!      0    8 magic        "ZOOIDEND"
//!      8    8 records      with the tombstones
//!     16    8 tombstones
//!     24    8 blocks
//!     32    8 file length  with the trailer
//!     40    4 checksum     CRC of the header and the 12 bytes before each block's records, in order;
//!                          a header with its CRC behind it leaves the same for all contents, so
//!                          that this one stands for the records alone
//!     44    4 crc          of bytes 0..44
//! ```

mod merge;
mod reader;
mod writer;

use std::path::PathBuf;

use bytes::{Buf, BufMut};
use zooid_ids::{ClusterId, Incarnation, LogIndex, Millis, Zxid};

use crate::entry::{Chain, LogPosition};

pub use merge::{KeyValue, Merge};
pub use reader::RunReader;
pub use writer::RunWriter;

const MAGIC: &[u8; 8] = b"ZOOIDRUN";
const MAGIC_END: &[u8; 8] = b"ZOOIDEND";
const FORMAT: u32 = 1;
const HEADER_LEN: usize = 128;
const TRAILER_LEN: usize = 48;
const BLOCK_HEADER_LEN: usize = 12;
const RECORD_HEADER_LEN: usize = 8;
/// A block is closed by the record that makes it this long.
const BLOCK_LEN: usize = 64 << 10;
const TOMBSTONE: u32 = u32::MAX;

/// Whether a run stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunKind {
    /// It holds the whole state.
    Base,
    /// It holds what changed since its parent.
    Delta,
}

/// The end of the file's name.
impl std::fmt::Display for RunKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::Base { "base" } else { "delta" })
    }
}

/// What a run says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunHeader {
    /// Whether it needs its parent.
    pub kind: RunKind,
    /// The state that it leads to.
    pub position: LogPosition,
    /// The zxid of the run before; [`Zxid::ZERO`] for a base.
    pub parent: Zxid,
    /// The caller's digest of the whole state at that position.
    pub digest: u64,
    /// When it was begun.
    pub created: Millis,
    /// The ensemble it belongs to.
    pub cluster: ClusterId,
    /// The life of the directory that it was written in.
    pub incarnation: Incarnation,
}

impl RunHeader {
    /// The file's name: zxid and kind, so that it is told without opening it.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{:016x}.{}", self.position.zxid.0, self.kind)
    }

    fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.put_slice(MAGIC);
        bytes.put_u32_le(FORMAT);
        bytes.put_u32_le(if self.kind == RunKind::Base { 1 } else { 2 });
        bytes.put_u64_le(self.position.zxid.0);
        bytes.put_u64_le(self.position.index.0);
        bytes.put_u32_le(self.position.chain.0);
        bytes.put_u32_le(0);
        bytes.put_u64_le(self.parent.0);
        bytes.put_u64_le(self.digest);
        bytes.put_i64_le(self.created.0);
        bytes.put_u128_le(self.cluster.0);
        bytes.put_u128_le(self.incarnation.0);
        sealed(&bytes)
    }

    fn decode(header: &[u8; HEADER_LEN]) -> Result<Self, &'static str> {
        let mut bytes = unsealed(header, MAGIC).ok_or("the header is not whole")?;
        if bytes.get_u32_le() != FORMAT {
            return Err("the format is not known");
        }
        let kind = match bytes.get_u32_le() {
            1 => RunKind::Base,
            2 => RunKind::Delta,
            _ => return Err("the kind is not known"),
        };
        let (zxid, index) = (Zxid(bytes.get_u64_le()), LogIndex(bytes.get_u64_le()));
        let position = LogPosition { index, zxid, chain: Chain(bytes.get_u32_le()) };
        bytes.advance(4);
        Ok(Self {
            kind,
            position,
            parent: Zxid(bytes.get_u64_le()),
            digest: bytes.get_u64_le(),
            created: Millis(bytes.get_i64_le()),
            cluster: ClusterId(bytes.get_u128_le()),
            incarnation: Incarnation(bytes.get_u128_le()),
        })
    }
}

/// A finished run: what its trailer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// What it says at its beginning.
    pub header: RunHeader,
    /// Records, tombstones among them.
    pub records: u64,
    /// Records without a value.
    pub tombstones: u64,
    /// Blocks.
    pub blocks: u64,
    /// Length of the file, in bytes.
    pub bytes: u64,
    /// Over the header and every block's header, and so over everything.
    pub checksum: u32,
}

impl RunSummary {
    fn encode_trailer(&self) -> [u8; TRAILER_LEN] {
        let mut bytes = Vec::with_capacity(TRAILER_LEN);
        bytes.put_slice(MAGIC_END);
        bytes.put_u64_le(self.records);
        bytes.put_u64_le(self.tombstones);
        bytes.put_u64_le(self.blocks);
        bytes.put_u64_le(self.bytes);
        bytes.put_u32_le(self.checksum);
        sealed(&bytes)
    }

    fn decode_trailer(header: RunHeader, trailer: &[u8; TRAILER_LEN]) -> Option<Self> {
        let mut bytes = unsealed(trailer, MAGIC_END)?;
        Some(Self {
            header,
            records: bytes.get_u64_le(),
            tombstones: bytes.get_u64_le(),
            blocks: bytes.get_u64_le(),
            bytes: bytes.get_u64_le(),
            checksum: bytes.get_u32_le(),
        })
    }
}

/// `bytes`, zeros, and the CRC of both in the last four.
fn sealed<const LEN: usize>(bytes: &[u8]) -> [u8; LEN] {
    let mut whole = [0; LEN];
    whole[..bytes.len()].copy_from_slice(bytes);
    let crc = crc32fast::hash(&whole[..LEN - 4]);
    whole[LEN - 4..].copy_from_slice(&crc.to_le_bytes());
    whole
}

/// What stands between magic and CRC, if both hold.
fn unsealed<'a, const LEN: usize>(whole: &'a [u8; LEN], magic: &[u8]) -> Option<&'a [u8]> {
    let (bytes, mut crc) = whole.split_at(LEN - 4);
    if crc32fast::hash(bytes) != crc.get_u32_le() {
        return None;
    }
    bytes.strip_prefix(magic)
}

/// The CRC in a block's header.
fn block_crc(length: u32, count: u32, records: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length.to_le_bytes());
    crc.update(&count.to_le_bytes());
    crc.update(records);
    crc.finalize()
}

/// One record: a key, and a value unless it is a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Never empty; unique in a run.
    pub key: &'a [u8],
    /// `None`: what an older run says of this key holds no more.
    pub value: Option<&'a [u8]>,
}

/// Why a run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system refused an access.
    #[error("cannot read the run {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what was written.
    #[error("the run {} is damaged: {why}, at byte {offset}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        why: &'static str,
    },
}

#[cfg(test)]
mod tests;

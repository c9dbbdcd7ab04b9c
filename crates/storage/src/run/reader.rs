//! Reading a run: block by block, each checked before it is believed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Buf;

use super::{BLOCK_HEADER_LEN, HEADER_LEN, RECORD_HEADER_LEN, TOMBSTONE, TRAILER_LEN};
use super::{Record, RunError, RunHeader, RunSummary, block_crc};

/// An open run. No length in the file is believed beyond what the file can hold.
#[derive(Debug)]
pub struct RunReader {
    path: PathBuf,
    file: BufReader<File>,
    summary: RunSummary,
    checksum: crc32fast::Hasher,
    /// Bytes that were read, the header among them.
    offset: u64,
    block: Vec<u8>,
    /// Where in `block` the next record begins.
    at: usize,
    in_block: u32,
    seen: Seen,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    records: u64,
    tombstones: u64,
    blocks: u64,
}

impl RunReader {
    /// Opens a run and checks its header and trailer, not yet its blocks.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let unreadable = |source| RunError::Unreadable { path: path.to_path_buf(), source };
        let damaged = |offset, why| RunError::Damaged { path: path.to_path_buf(), offset, why };
        let mut file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        if length < (HEADER_LEN + TRAILER_LEN) as u64 {
            return Err(damaged(length, "it is too short"));
        }
        let mut head = [0; HEADER_LEN];
        file.read_exact(&mut head).map_err(unreadable)?;
        let header = RunHeader::decode(&head).map_err(|why| damaged(0, why))?;
        let end = length - TRAILER_LEN as u64;
        let mut trailer = [0; TRAILER_LEN];
        file.read_exact_at(&mut trailer, end).map_err(unreadable)?;
        let summary = RunSummary::decode_trailer(header, &trailer)
            .filter(|summary| summary.bytes == length)
            .ok_or_else(|| damaged(end, "the trailer is not whole"))?;
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&head);
        Ok(Self {
            path: path.to_path_buf(),
            file: BufReader::with_capacity(256 << 10, file),
            summary,
            checksum,
            offset: HEADER_LEN as u64,
            block: Vec::new(),
            at: 0,
            in_block: 0,
            seen: Seen::default(),
        })
    }

    /// What the run says of itself.
    #[must_use]
    pub fn summary(&self) -> &RunSummary {
        &self.summary
    }

    /// Reads the whole run and checks everything that can be checked without another file.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn verify(mut self) -> Result<RunSummary, RunError> {
        let mut before = Vec::new();
        while self.advance()? {
            let ascends = self.record().is_some_and(|record| record.key > before.as_slice());
            if !ascends {
                return Err(self.damaged("the keys do not ascend"));
            }
            before.clear();
            before.extend_from_slice(self.record().map_or(&[], |record| record.key));
        }
        Ok(self.summary)
    }

    /// Goes to the next record, first to the first one; `false` behind the last.
    ///
    /// # Errors
    /// See [`RunError`].
    pub(crate) fn advance(&mut self) -> Result<bool, RunError> {
        if let Some((_, len)) = record_at(&self.block[self.at..]) {
            self.at += len;
        }
        if self.at < self.block.len() {
            return self.count_record().map(|()| true);
        }
        if self.in_block != 0 {
            return Err(self.damaged("a block holds fewer records than it says"));
        }
        if !self.read_block()? {
            return self.check_end().map(|()| false);
        }
        self.count_record().map(|()| true)
    }

    /// The record that [`advance`](Self::advance) went to.
    pub(crate) fn record(&self) -> Option<Record<'_>> {
        record_at(&self.block[self.at..]).map(|(record, _)| record)
    }

    fn count_record(&mut self) -> Result<(), RunError> {
        let Some(record) = self.record() else {
            return Err(self.damaged("a record is longer than its block"));
        };
        let tombstone = record.value.is_none();
        let Some(left) = self.in_block.checked_sub(1) else {
            return Err(self.damaged("a block holds more records than it says"));
        };
        self.in_block = left;
        self.seen.records += 1;
        self.seen.tombstones += u64::from(tombstone);
        Ok(())
    }

    /// `false` if there is no other block.
    fn read_block(&mut self) -> Result<bool, RunError> {
        let end = self.summary.bytes - TRAILER_LEN as u64;
        self.block.clear();
        self.at = 0;
        if self.offset == end {
            return Ok(false);
        }
        if self.offset + (BLOCK_HEADER_LEN as u64) > end {
            return Err(self.damaged("a block begins too late"));
        }
        let mut head = [0; BLOCK_HEADER_LEN];
        self.file.read_exact(&mut head).map_err(|source| self.unreadable(source))?;
        let mut fields = head.as_slice();
        let (length, count, crc) = (fields.get_u32_le(), fields.get_u32_le(), fields.get_u32_le());
        let rest = end - self.offset - BLOCK_HEADER_LEN as u64;
        if length == 0 || u64::from(length) > rest {
            return Err(self.damaged("a block is longer than the file"));
        }
        self.block.resize(length as usize, 0);
        self.file.read_exact(&mut self.block).map_err(|source| self.unreadable(source))?;
        if block_crc(length, count, &self.block) != crc {
            return Err(self.damaged("a block's checksum does not hold"));
        }
        self.checksum.update(&head);
        self.offset += BLOCK_HEADER_LEN as u64 + u64::from(length);
        self.in_block = count;
        self.seen.blocks += 1;
        Ok(true)
    }

    /// Behind the last block: everything that the trailer says must have been seen.
    fn check_end(&self) -> Result<(), RunError> {
        let RunSummary { records, tombstones, blocks, .. } = self.summary;
        let whole = self.seen == Seen { records, tombstones, blocks }
            && self.checksum.clone().finalize() == self.summary.checksum;
        if whole { Ok(()) } else { Err(self.damaged("the blocks are not those that were written")) }
    }

    fn damaged(&self, why: &'static str) -> RunError {
        RunError::Damaged { path: self.path.clone(), offset: self.offset, why }
    }

    fn unreadable(&self, source: io::Error) -> RunError {
        RunError::Unreadable { path: self.path.clone(), source }
    }
}

/// The record at the beginning of `bytes` and its length; `None` if there is no whole one.
fn record_at(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let (mut head, rest) = bytes.split_at_checked(RECORD_HEADER_LEN)?;
    let (key_len, value_len) = (head.get_u32_le() as usize, head.get_u32_le());
    let (key, rest) = rest.split_at_checked(key_len)?;
    let value = match value_len {
        TOMBSTONE => None,
        length => Some(rest.get(..length as usize)?),
    };
    let len = RECORD_HEADER_LEN + key_len + value.map_or(0, <[u8]>::len);
    Some((Record { key, value }, len))
}

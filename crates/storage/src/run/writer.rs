//! Writing a run: block by block into a file of another name, renamed once it is durable.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::BufMut;

use super::{BLOCK_HEADER_LEN, BLOCK_LEN, RECORD_HEADER_LEN, TOMBSTONE, TRAILER_LEN};
use super::{RunHeader, RunSummary, block_crc};
use crate::Fatal;
use crate::dirs::sync_dir;

/// The suffix of a run that is not finished; recovery removes such files.
const UNFINISHED: &str = "tmp";
/// So much is written before it is synced, so that the sync at the end does not stall the log's.
const SYNC_BYTES: u64 = 8 << 20;

/// A run being written. Dropped before [`finish`](Self::finish), it leaves nothing that counts.
#[derive(Debug)]
pub struct RunWriter {
    file: File,
    dir: PathBuf,
    path: PathBuf,
    summary: RunSummary,
    checksum: crc32fast::Hasher,
    /// Header and records of the open block.
    block: Vec<u8>,
    in_block: u32,
    last_key: Vec<u8>,
    unsynced: u64,
}

impl RunWriter {
    /// Begins a run in `dir`.
    ///
    /// # Errors
    /// [`Fatal`] if the file cannot be written.
    pub(crate) fn create(dir: &Path, header: RunHeader) -> Result<Self, Fatal> {
        let path = dir.join(format!("{}.{UNFINISHED}", header.file_name()));
        let mut file = File::create(&path).map_err(Fatal::at("begin a run", &path))?;
        let head = header.encode();
        file.write_all(&head).map_err(Fatal::at("write a run", &path))?;
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&head);
        let bytes = head.len() as u64;
        let summary =
            RunSummary { header, records: 0, tombstones: 0, blocks: 0, bytes, checksum: 0 };
        let mut block = Vec::with_capacity(BLOCK_LEN + BLOCK_LEN / 4);
        block.resize(BLOCK_HEADER_LEN, 0);
        Ok(Self {
            file,
            dir: dir.to_path_buf(),
            path,
            summary,
            checksum,
            block,
            in_block: 0,
            last_key: Vec::new(),
            unsynced: bytes,
        })
    }

    /// Adds a record; `None` is a tombstone.
    ///
    /// # Panics
    /// If the key is empty or not above the one before, or something is above 1 GiB.
    ///
    /// # Errors
    /// [`Fatal`] if the file cannot be written.
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Fatal> {
        assert!(key > self.last_key.as_slice(), "keys of a run ascend");
        let value_len = value.map_or(0, <[u8]>::len);
        assert!(key.len().max(value_len) <= 1 << 30, "a record above every limit");
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.block.reserve(RECORD_HEADER_LEN + key.len() + value_len);
        self.block.put_u32_le(key.len() as u32);
        self.block.put_u32_le(value.map_or(TOMBSTONE, |value| value.len() as u32));
        self.block.put_slice(key);
        self.block.put_slice(value.unwrap_or_default());
        self.in_block += 1;
        self.summary.tombstones += u64::from(value.is_none());
        if self.block.len() >= BLOCK_LEN { self.close_block() } else { Ok(()) }
    }

    fn close_block(&mut self) -> Result<(), Fatal> {
        let (mut head, records) = self.block.split_at_mut(BLOCK_HEADER_LEN);
        let length = records.len() as u32;
        let crc = block_crc(length, self.in_block, records);
        head.put_u32_le(length);
        head.put_u32_le(self.in_block);
        head.put_u32_le(crc);
        self.checksum.update(&self.block[..BLOCK_HEADER_LEN]);
        self.file.write_all(&self.block).map_err(Fatal::at("write a run", &self.path))?;
        self.summary.records += u64::from(self.in_block);
        self.summary.blocks += 1;
        self.summary.bytes += self.block.len() as u64;
        self.unsynced += self.block.len() as u64;
        self.in_block = 0;
        self.block.truncate(BLOCK_HEADER_LEN);
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.file.sync_data().map_err(Fatal::at("sync a run", &self.path))?;
        }
        Ok(())
    }

    /// Makes the run durable under its own name. It counts once it is published.
    ///
    /// # Errors
    /// [`Fatal`] if the file cannot be written.
    pub fn finish(mut self) -> Result<RunSummary, Fatal> {
        if self.in_block > 0 {
            self.close_block()?;
        }
        self.summary.checksum = self.checksum.clone().finalize();
        self.summary.bytes += TRAILER_LEN as u64;
        let trailer = self.summary.encode_trailer();
        let path = self.dir.join(self.summary.header.file_name());
        self.file
            .write_all(&trailer)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.path, &path))
            .and_then(|()| sync_dir(&self.dir))
            .map_err(Fatal::at("make a run durable", &self.path))?;
        Ok(self.summary)
    }
}

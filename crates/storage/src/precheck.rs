//! Looks at raft-engine's files before it opens them, without changing anything; and removes those
//! that it left behind, once it is known that nothing is missing.
//!
//! raft-engine cuts off everything behind the first bad byte of its newest file, without an error,
//! and so loses synced entries to one flipped bit. A bad byte can only be the tail of a write that
//! was never acknowledged if no valid batch stands behind it: each batch is synced before the next
//! is written. Older files were closed whole.
//!
//! What is read here is raft-engine's format, versions 1 and 2:
//!
//! ```text
//! file   magic (53 bytes of text), version (8, big-endian); in version 2: alignment (8)
//! batch  length << 8 | compression (8, big-endian), offset of the footer (8, big-endian)
//!        entries and their CRC-32 (4, little-endian), if there are any
//!        footer and its CRC-32 (4, little-endian), in version 2 XOR the file's number
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"RAFT-LOG-FILE-HEADER-9986AB3E47F320B394C8E84916EB0ED5";
/// How the names of the two queues' files end.
const APPENDED: &str = ".raftlog";
const REWRITTEN: &str = ".rewrite";
const BATCH_HEADER: usize = 16;
const CRC_LEN: usize = 4;
/// No file of ours comes near: a file begins anew above `Config::log_file_bytes`.
const FILE_LEN_MAX: u64 = 4 << 30;

/// What stands in the log's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesFound {
    /// There are none.
    None,
    /// Every byte is accounted for.
    Whole,
    /// The newest file ends in something that is no whole batch, with nothing valid behind.
    Torn(Tear),
    /// A bad place that no crash can leave.
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// How it is known not to be a torn tail.
        why: &'static str,
    },
    /// The files cannot be read.
    Unreadable(String),
}

/// Where a torn tail begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tear {
    /// The newest file.
    pub file: PathBuf,
    /// The first byte that is part of no batch.
    pub offset: u64,
}

/// Reads every file of the log that raft-engine would replay.
pub(crate) fn look(dir: &Path) -> FilesFound {
    let found = listed(dir, APPENDED).and_then(|(_, appended)| {
        let (_, rewritten) = listed(dir, REWRITTEN)?;
        look_at(&appended, &rewritten)
    });
    found.unwrap_or_else(|error| FilesFound::Unreadable(error.to_string()))
}

/// Removes the files that raft-engine ignores. After a crash these are the files that it kept to
/// write them anew, and would keep for ever. It may be open, but must not have removed files itself.
pub(crate) fn remove_ignored(dir: &Path) -> io::Result<()> {
    for suffix in [APPENDED, REWRITTEN] {
        let (ignored, _) = listed(dir, suffix)?;
        ignored.iter().try_for_each(|file| fs::remove_file(&file.path))?;
    }
    Ok(())
}

fn look_at(appended: &[LogFile], rewritten: &[LogFile]) -> io::Result<FilesFound> {
    if appended.is_empty() && rewritten.is_empty() {
        return Ok(FilesFound::None);
    }
    // raft-engine syncs several batches of the rewritten queue at once, and keeps their originals
    // until then: a bad tail there is never damage.
    let older = rewritten.iter().rev().skip(1).chain(appended.iter().rev().skip(1));
    for file in older {
        if let Some(offset) = file.first_bad_byte()? {
            let why = "this file was closed whole before a newer one was begun";
            return Ok(FilesFound::Damaged { file: file.path.clone(), offset, why });
        }
    }
    appended.last().map_or(Ok(FilesFound::Whole), LogFile::tail)
}

struct LogFile {
    sequence: u64,
    path: PathBuf,
}

/// The files of one queue before and behind the last gap in their numbers, ascending: raft-engine
/// leaves such gaps when it removes files, and ignores what stands before.
fn listed(dir: &Path, suffix: &str) -> io::Result<(Vec<LogFile>, Vec<LogFile>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(Ok(sequence)) = name.strip_suffix(suffix).map(str::parse) {
            files.push(LogFile { sequence, path });
        }
    }
    files.sort_by_key(|file| file.sequence);
    let gap = files.windows(2).rposition(|pair| pair[0].sequence + 1 != pair[1].sequence);
    let replayed = files.split_off(gap.map_or(0, |before| before + 1));
    Ok((files, replayed))
}

impl LogFile {
    fn read(&self) -> io::Result<Vec<u8>> {
        if fs::metadata(&self.path)?.len() > FILE_LEN_MAX {
            return Err(io::Error::other(format!("{} is too large", self.path.display())));
        }
        fs::read(&self.path)
    }

    /// `None` if the file is whole to its end.
    fn first_bad_byte(&self) -> io::Result<Option<u64>> {
        let bytes = self.read()?;
        let (good, _) = self.whole_batches(&bytes);
        Ok((good < bytes.len()).then_some(good as u64))
    }

    /// The newest file: whole, torn or damaged.
    fn tail(&self) -> io::Result<FilesFound> {
        let bytes = self.read()?;
        let (good, signature) = self.whole_batches(&bytes);
        let rest = &bytes[good..];
        if rest.iter().all(|byte| *byte == 0) {
            return Ok(FilesFound::Whole);
        }
        let (file, offset) = (self.path.clone(), good as u64);
        let why = "a batch that was written later stands behind it";
        if batch_behind(rest, signature) {
            return Ok(FilesFound::Damaged { file, offset, why });
        }
        Ok(FilesFound::Torn(Tear { file, offset }))
    }

    /// Where the whole batches from the beginning end, and what the file's footers are signed with.
    fn whole_batches(&self, bytes: &[u8]) -> (usize, u32) {
        let Some((mut good, version)) = file_header(bytes) else {
            return (0, self.sequence as u32);
        };
        let signature = if version == 1 { 0 } else { self.sequence as u32 };
        while let Some(batch) = Batch::at(&bytes[good..], signature)
            && batch.entries_whole
        {
            good += batch.len;
        }
        (good, signature)
    }
}

/// Length and version of the header; `None` if there is none.
fn file_header(bytes: &[u8]) -> Option<(usize, u64)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let version = u64::from_be_bytes(*rest.first_chunk()?);
    match version {
        1 => Some((MAGIC.len() + 8, 1)),
        2 if rest.len() >= 16 => Some((MAGIC.len() + 16, 2)),
        _ => None,
    }
}

/// Whether a valid batch begins anywhere behind the first byte. The entries of a batch whose
/// footer is valid belong to it and are skipped.
fn batch_behind(bytes: &[u8], signature: u32) -> bool {
    let first = Batch::at(bytes, signature).map_or(1, |batch| batch.len);
    (first..bytes.len()).any(|at| Batch::at(&bytes[at..], signature).is_some())
}

/// A batch with a valid footer.
struct Batch {
    len: usize,
    entries_whole: bool,
}

impl Batch {
    /// The batch at the beginning of `bytes`, if its header is possible and its footer valid.
    fn at(bytes: &[u8], signature: u32) -> Option<Self> {
        let header: &[u8; BATCH_HEADER] = bytes.first_chunk()?;
        // Lengths fit 32 bits: most places are told apart here.
        if header[..3] != [0; 3] || header[7] > 1 || header[8..12] != [0; 4] {
            return None;
        }
        let len = (be_u64(&header[..8]) >> 8) as usize;
        let footer = be_u64(&header[8..]) as usize;
        if footer < BATCH_HEADER || footer > len || len > bytes.len() {
            return None;
        }
        if !crc_holds(&bytes[footer..len], signature) {
            return None;
        }
        let entries = &bytes[BATCH_HEADER..footer];
        Some(Self { len, entries_whole: entries.is_empty() || crc_holds(entries, 0) })
    }
}

fn be_u64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Whether the last four bytes are the signed CRC of those before.
fn crc_holds(bytes: &[u8], signature: u32) -> bool {
    let Some((content, crc)) = bytes.split_last_chunk::<CRC_LEN>() else { return false };
    !content.is_empty() && crc32fast::hash(content) == u32::from_le_bytes(*crc) ^ signature
}

#[cfg(test)]
mod tests;

//! Reading a log of transactions.
//!
//! ```text
//! "ZKLG", version 2 (4 bytes), a number (8)
//! record, again and again: Adler-32 of its bytes (8), their length (4), the bytes, 'B'
//! zeros, or the end of the file
//! ```
//!
//! ZooKeeper allocates files ahead and fills them, so zeros are an end. It takes an incomplete
//! record for the end too, wherever it stands; here it is one only if nothing whole stands behind
//! it, since a crash interrupts the last write and no other.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use simd_adler32::adler32;

use crate::archive::Archive;
use crate::snapshot::read_head;
use crate::txn::Record;
use crate::{Fault, FileError, LoadError};

pub(crate) const MAGIC: i32 = 0x5a4b_4c47;
/// Behind every record.
const END_OF_RECORD: u8 = b'B';
/// Checksum and length.
const RECORD_HEADER_LEN: usize = 12;
/// How often each byte may be looked at for a record, on average.
const LOOKED_AT: u64 = 16;
/// So much is looked through at a time.
const WINDOW: usize = 1 << 16;

/// A log file that is being read.
pub(crate) struct LogReader {
    path: PathBuf,
    file: File,
    length: u64,
    archive: Archive<BufReader<File>>,
}

/// What comes next in it.
#[derive(Debug)]
pub(crate) enum Next {
    /// A record.
    Record(Box<Record>),
    /// Nothing more was ever written.
    End,
    /// A write that was interrupted, at this place.
    Torn(u64),
}

impl LogReader {
    /// Opens a file; `None` if not even its head was written.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, LoadError> {
        let failed = |source| LoadError::Unreadable { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let reading = file.try_clone().map_err(failed)?;
        let mut archive = Archive::new(BufReader::with_capacity(1 << 16, reading));
        match read_head(&mut archive, "log of transactions", MAGIC) {
            Ok(()) => Ok(Some(Self { path: path.to_path_buf(), file, length, archive })),
            Err(Fault::Ends) => Ok(None),
            Err(fault) => {
                Err(LoadError::Log(Box::new(FileError::new(path, archive.field(), fault))))
            }
        }
    }

    pub(crate) fn next(&mut self) -> Result<Next, LoadError> {
        let at = self.archive.offset();
        let bytes = match self.read_bytes() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return self.check_end(at, None),
            Err(fault) => return self.check_end(at, Some(fault)),
        };
        let record = Record::decode(&bytes).map_err(|fault| {
            LoadError::Transaction(Box::new(FileError::new(&self.path, at, fault)))
        })?;
        Ok(Next::Record(Box::new(record)))
    }

    /// The bytes of the next record; `None` where there are zeros, or the file ends.
    fn read_bytes(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        if self.archive.offset() == self.length {
            return Ok(None);
        }
        let stored = self.archive.i64()?;
        let length = self.archive.length()?.ok_or(Fault::Length(-1))?;
        if length == 0 {
            return if stored == 0 { Ok(None) } else { Err(Fault::Length(0)) };
        }
        let bytes = self.archive.bytes(length)?;
        let end = self.archive.bytes(1)?;
        let computed = adler32(&bytes.as_slice());
        if end != [END_OF_RECORD] || stored != i64::from(computed) {
            return Err(Fault::Checksum { stored, computed });
        }
        Ok(Some(bytes))
    }

    /// Nothing whole may stand behind the end.
    fn check_end(&mut self, at: u64, fault: Option<Fault>) -> Result<Next, LoadError> {
        let behind = self
            .whole_record_behind(at)
            .map_err(|source| LoadError::Unreadable { path: self.path.clone(), source })?;
        match (behind, fault) {
            (None, None) => Ok(Next::End),
            (None, Some(_)) => Ok(Next::Torn(at)),
            (Some(_), fault) => {
                let fault = fault.unwrap_or(Fault::Missing("transaction"));
                Err(LoadError::Log(Box::new(FileError::new(&self.path, at, fault))))
            }
        }
    }

    /// Where the next record with a right checksum stands, if there is one behind `from`.
    fn whole_record_behind(&self, from: u64) -> io::Result<Option<u64>> {
        let mut window = vec![0; WINDOW + RECORD_HEADER_LEN];
        let mut budget = LOOKED_AT * self.length;
        let mut at = from + 1;
        while at + (RECORD_HEADER_LEN as u64) < self.length {
            let read = read_at(&self.file, &mut window, at)?;
            let mut next = 0;
            while let Some(found) = candidate(&window[..read], next) {
                let place = at + found as u64;
                if self.is_record(place, &window[found..], &mut budget)? {
                    return Ok(Some(place));
                }
                next = found + 1;
            }
            at += WINDOW as u64;
        }
        Ok(None)
    }

    /// Bytes that look like a record again and again, as nothing does that ZooKeeper wrote, cost no
    /// more than the budget and then count as one.
    fn is_record(&self, at: u64, head: &[u8], budget: &mut u64) -> io::Result<bool> {
        let (checksum, length) = head.split_at(8);
        let number = |bytes: &[u8]| bytes[..4].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let (checksum, length) = (number(&checksum[4..]), number(length));
        let begin = at + RECORD_HEADER_LEN as u64;
        if length == 0 || begin + length >= self.length {
            return Ok(false);
        }
        let mut end = [0];
        self.file.read_exact_at(&mut end, begin + length)?;
        if end != [END_OF_RECORD] {
            return Ok(false);
        }
        let Some(left) = budget.checked_sub(length) else { return Ok(true) };
        *budget = left;
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, begin)?;
        Ok(u64::from(adler32(&bytes.as_slice())) == checksum)
    }
}

/// The next place from `from` on where a record may begin: a checksum has four zeros before it, and
/// is not zero itself.
fn candidate(window: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at + RECORD_HEADER_LEN <= window.len() {
        let quiet = window[at..at + 8].iter().position(|byte| *byte != 0);
        match quiet {
            Some(first) if first >= 4 => return Some(at),
            Some(first) => at += first + 1,
            None => {
                let zeros = window[at..].iter().position(|byte| *byte != 0)?;
                at += zeros - 7;
            }
        }
    }
    None
}

/// As much as there is.
fn read_at(file: &File, window: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < window.len() {
        match file.read_at(&mut window[read..], at + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

//! The ledger: whose directory this is, which runs make the checkpoint, and what other members had
//! acknowledged.
//!
//! sled keeps it, some kilobytes in all. sled fails open, its `flush` is not durable by itself,
//! and a power cut can break it on every member at once. So each record carries its own checksum
//! and sequence number, each flush is followed by an fsync of sled's file, it is opened under a
//! guard, and what cannot be read is moved aside and written anew from the runs and the log.
//!
//! ```text
//! record  0 4 crc        CRC-32 (IEEE) of the key, the sequence and the content
//!         4 8 sequence   counted up with every write of any record
//!        12   content
//! ```

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BufMut};

use crate::acknowledged::Acknowledged;
use crate::checkpoint::Manifest;
use crate::dirs::sync_dir;
use crate::recovery::LedgerFound;
use crate::{Fatal, Identity};

const KEY_IDENTITY: &str = "identity";
const KEY_MANIFEST: &str = "manifest";
const KEY_ACKNOWLEDGED: &str = "acknowledged";
const CACHE_BYTES: u64 = 4 << 20;
const RECORD_HEADER_LEN: usize = 12;

/// The ledger, shared by all who write it. Every write is durable when it returns.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Apart from the files, so that nobody who asks for it waits for the disk.
    identity: Mutex<Identity>,
    files: Mutex<OpenFiles>,
}

impl Ledger {
    /// Whose directory this is.
    pub(crate) fn identity(&self) -> Identity {
        *lock(&self.shared.identity)
    }

    pub(crate) fn put_identity(&self, identity: Identity) -> Result<(), Fatal> {
        self.put(KEY_IDENTITY, &identity.encode())?;
        *lock(&self.shared.identity) = identity;
        Ok(())
    }

    pub(crate) fn put_manifest(&self, manifest: &Manifest) -> Result<(), Fatal> {
        self.put(KEY_MANIFEST, &manifest.encode())
    }

    pub(crate) fn put_acknowledged(&self, acknowledged: &[Acknowledged]) -> Result<(), Fatal> {
        self.put(KEY_ACKNOWLEDGED, &Acknowledged::encode_all(acknowledged))
    }

    fn put(&self, key: &str, content: &[u8]) -> Result<(), Fatal> {
        let mut files = lock(&self.shared.files);
        files.insert(key, content)?;
        files.flush()
    }
}

/// A panic while one of them was held left it whole: each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The files, before it is decided whose they are.
#[derive(Debug)]
pub(crate) struct LedgerFiles {
    /// `None` where no file is: sled's first ones are written only once the witness is there, so
    /// that what a crash leaves of them does not stand alone.
    db: Option<Db>,
    dir: PathBuf,
    sequence: u64,
    acknowledged: Vec<Acknowledged>,
}

impl LedgerFiles {
    /// Opens what is in `dir`; what cannot be read is moved aside, kept, to be begun anew.
    pub(crate) fn open(dir: &Path) -> Result<(Self, LedgerFound), Fatal> {
        let mut entries = fs::read_dir(dir).map_err(Fatal::at("list the ledger", dir))?;
        if entries.next().is_none() {
            return Ok((Self::none(dir), LedgerFound::Empty));
        }
        match read(dir) {
            Ok(read) => Ok(read),
            Err(Unread::Refused(why)) => Err(Fatal::at("open the ledger", dir)(why)),
            Err(Unread::Damaged(why)) => {
                let moved_to = move_aside(dir).map_err(Fatal::at("move the ledger aside", dir))?;
                Ok((Self::none(dir), LedgerFound::Unreadable { why, moved_to }))
            }
        }
    }

    fn none(dir: &Path) -> Self {
        Self { db: None, dir: dir.to_path_buf(), sequence: 0, acknowledged: Vec::new() }
    }

    /// What other members had acknowledged, as it was last recorded.
    pub(crate) fn acknowledged(&self) -> &[Acknowledged] {
        &self.acknowledged
    }

    /// Makes it the ledger of `identity`, durable.
    pub(crate) fn begin(self, identity: Identity, manifest: &Manifest) -> Result<Ledger, Fatal> {
        let Self { db, dir, sequence, .. } = self;
        let db = db.map_or_else(|| Db::open(&dir), Ok);
        let db = db.map_err(Fatal::at("begin the ledger", &dir))?;
        let mut files = OpenFiles { db, dir, sequence };
        files.insert(KEY_IDENTITY, &identity.encode())?;
        files.insert(KEY_MANIFEST, &manifest.encode())?;
        files.flush()?;
        let shared = Shared { identity: Mutex::new(identity), files: Mutex::new(files) };
        Ok(Ledger { shared: Arc::new(shared) })
    }
}

#[derive(Debug)]
struct OpenFiles {
    db: Db,
    dir: PathBuf,
    sequence: u64,
}

impl OpenFiles {
    fn insert(&mut self, key: &str, content: &[u8]) -> Result<(), Fatal> {
        self.sequence += 1;
        let record = encode(key, self.sequence, content);
        self.db.insert(key, record).map_err(Fatal::at("write the ledger", &self.dir))
    }

    /// sled's flush leaves metadata and the disk's cache to somebody else: the fsync is ours.
    fn flush(&self) -> Result<(), Fatal> {
        self.db.flush().map_err(Fatal::at("flush the ledger", &self.dir))?;
        File::open(self.dir.join("db"))
            .and_then(|file| file.sync_all())
            .and_then(|()| sync_dir(&self.dir))
            .map_err(Fatal::at("sync the ledger", &self.dir))
    }
}

/// sled, which may panic instead of saying that a database is damaged or the disk fails.
#[derive(Debug)]
struct Db(Option<sled::Db>);

impl Db {
    fn open(dir: &Path) -> Result<Self, Unread> {
        let settings = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES);
        Ok(Self(Some(guarded("opened its files", || settings.open().map_err(Unread::from))?)))
    }

    fn get(&self, key: &str) -> Result<Option<sled::IVec>, String> {
        self.guarded("read", |db| db.get(key))
    }

    fn insert(&self, key: &str, record: Vec<u8>) -> Result<(), String> {
        self.guarded("wrote", |db| db.insert(key, record))?;
        Ok(())
    }

    fn flush(&self) -> Result<(), String> {
        self.guarded("wrote", |db| db.flush())?;
        Ok(())
    }

    fn guarded<T>(
        &self,
        doing: &str,
        call: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, String> {
        let db = self.0.as_ref().ok_or("it is closed")?;
        guarded(doing, || call(db).map_err(|error| error.to_string()))
    }
}

impl Drop for Db {
    /// sled syncs its file then, and panics if that fails; nothing that counts depends on it.
    fn drop(&mut self) {
        let db = self.0.take();
        let closed: Result<(), String> = guarded("closed its files", || {
            drop(db);
            Ok(())
        });
        if let Err(why) = closed {
            tracing::warn!(%why, "ledger");
        }
    }
}

fn guarded<T, E: From<String>>(doing: &str, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(format!("sled panicked while it {doing}").into()))
}

/// Why the ledger was not read.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("{0}")]
    Damaged(String),
    /// The disk is full, or the like: what is there may be whole.
    #[error("{0}")]
    Refused(String),
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

impl From<sled::Error> for Unread {
    /// A place that the disk cannot read is damage too.
    fn from(error: sled::Error) -> Self {
        let code = if let sled::Error::Io(error) = &error { error.raw_os_error() } else { None };
        match code {
            Some(code) if code != rustix::io::Errno::IO.raw_os_error() => {
                Self::Refused(error.to_string())
            }
            _ => Self::Damaged(error.to_string()),
        }
    }
}

fn read(dir: &Path) -> Result<(LedgerFiles, LedgerFound), Unread> {
    let db = Db::open(dir)?;
    guarded("read", || {
        let mut sequence = 0;
        let identity = get(&db, KEY_IDENTITY, Identity::decode, &mut sequence)?;
        let manifest = get(&db, KEY_MANIFEST, Manifest::decode, &mut sequence)?;
        let acknowledged = get(&db, KEY_ACKNOWLEDGED, Acknowledged::decode_all, &mut sequence)?;
        let found = match (identity, manifest) {
            (None, None) => LedgerFound::Empty,
            (Some(identity), Some(manifest)) => LedgerFound::Read { identity, manifest },
            _ => return Err(String::from("one of its two records is missing").into()),
        };
        let (dir, acknowledged) = (dir.to_path_buf(), acknowledged.unwrap_or_default());
        Ok((LedgerFiles { db: Some(db), dir, sequence, acknowledged }, found))
    })
}

/// What stands at `key`; `sequence` becomes the highest that was seen.
fn get<T>(
    db: &Db,
    key: &str,
    decode_content: impl FnOnce(&[u8]) -> Option<T>,
    sequence: &mut u64,
) -> Result<Option<T>, String> {
    let Some(record) = db.get(key)? else { return Ok(None) };
    let (at, content) =
        decode(key, &record).ok_or_else(|| format!("the checksum of `{key}` does not hold"))?;
    *sequence = at.max(*sequence);
    decode_content(content).map(Some).ok_or_else(|| format!("`{key}` is not readable"))
}

fn encode(key: &str, sequence: u64, content: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(RECORD_HEADER_LEN + content.len());
    record.put_u32_le(crc(key, sequence, content));
    record.put_u64_le(sequence);
    record.put_slice(content);
    record
}

fn decode<'a>(key: &str, mut record: &'a [u8]) -> Option<(u64, &'a [u8])> {
    if record.len() < RECORD_HEADER_LEN {
        return None;
    }
    let (expected, sequence) = (record.get_u32_le(), record.get_u64_le());
    (crc(key, sequence, record) == expected).then_some((sequence, record))
}

fn crc(key: &str, sequence: u64, content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key.as_bytes());
    crc.update(&sequence.to_le_bytes());
    crc.update(content);
    crc.finalize()
}

/// Renames the directory to the first free `ledger.unreadable-N` and makes an empty one.
fn move_aside(dir: &Path) -> std::io::Result<PathBuf> {
    let aside = (1_u32..)
        .map(|n| dir.with_extension(format!("unreadable-{n}")))
        .find(|path| !path.exists())
        .ok_or_else(|| std::io::Error::other("no free name"))?;
    fs::rename(dir, &aside)?;
    fs::create_dir(dir)?;
    sync_dir(dir.parent().unwrap_or(dir))?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use zooid_ids::{ClusterId, Incarnation, Millis, ServerId, Zxid};

    use super::*;

    fn identity() -> Identity {
        Identity {
            cluster: ClusterId(1),
            server: ServerId(2),
            incarnation: Incarnation(3),
            created: Millis(4),
        }
    }

    #[test]
    fn what_was_put_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (files, found) = LedgerFiles::open(dir.path()).unwrap();
        assert_eq!(found, LedgerFound::Empty);
        let ledger = files.begin(identity(), &Manifest::default()).unwrap();
        let formed = Identity { cluster: ClusterId(9), ..identity() };
        ledger.put_identity(formed).unwrap();
        assert_eq!(ledger.identity(), formed);
        let acknowledged =
            Acknowledged { server: ServerId(7), incarnation: Incarnation(8), zxid: Zxid(9) };
        ledger.put_acknowledged(&[acknowledged]).unwrap();
        drop(ledger);
        let (files, found) = LedgerFiles::open(dir.path()).unwrap();
        let manifest = Manifest::default();
        assert_eq!(found, LedgerFound::Read { identity: formed, manifest });
        assert_eq!(files.acknowledged(), [acknowledged]);
        assert_eq!(files.sequence, 4);
    }

    #[test]
    fn a_record_of_another_key_or_with_a_flipped_bit_is_none() {
        let mut record = encode("identity", 7, b"content");
        assert_eq!(decode("identity", &record), Some((7, b"content".as_slice())));
        assert_eq!(decode("manifest", &record), None);
        record[13] ^= 1;
        assert_eq!(decode("identity", &record), None);
        assert_eq!(decode("identity", b"short"), None);
    }

    #[test]
    fn an_unreadable_ledger_is_kept_aside() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("ledger");
        fs::create_dir(&dir).unwrap();
        let (files, _) = LedgerFiles::open(&dir).unwrap();
        drop(files.begin(identity(), &Manifest::default()).unwrap());
        let length = fs::metadata(dir.join("db")).unwrap().len() as usize;
        fs::write(dir.join("db"), vec![0xa5; length]).unwrap();
        fs::write(dir.join("conf"), b"not sled's").unwrap();
        let (_, found) = LedgerFiles::open(&dir).unwrap();
        let LedgerFound::Unreadable { moved_to, .. } = found else { panic!("{found:?}") };
        assert_eq!(fs::read(moved_to.join("conf")).unwrap(), b"not sled's");
    }
}

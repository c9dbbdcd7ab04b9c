//! The witness: one small file outside the log's directory that remembers how far the log reached.
//!
//! Two slots, each in a block of 4096 bytes of its own (a disk that rewrites 4096 bytes at once
//! cannot tear both), each one sector of 512 bytes:
//!
//! ```text
//! offset size field       numbers are little-endian
//!      0    8 magic       "ZOOIDWIT"
//!      8    4 format      1
//!     12    1 forming     1 until the first entry is durable
//!     13    3 zero
//!     16    8 sequence    of the record; the higher is the newer
//!     24    8 index       of the newest durable entry
//!     32    8 zxid        of it
//!     40    4 chain       up to it
//!     44   28 promise     epoch (4), server (8), incarnation (16)
//!     72    8 server      whose directory
//!     80   16 incarnation of the directory
//!     96  412 zero
//!    508    4 crc         CRC-32 (IEEE) of bytes 0..508
//! ```
//!
//! A record is written after each fsync of the log, without one of its own; a thread syncs it once
//! a second. The slot that was synced last is not overwritten until the other was synced, so one
//! of them is always whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Buf, BufMut};
use zooid_ids::{Incarnation, LogIndex, ServerId, Zxid};

use crate::entry::{Chain, LogPosition};
use crate::recovery::WitnessFound;
use crate::{Fatal, Promise};

const MAGIC: &[u8; 8] = b"ZOOIDWIT";
const FORMAT: u32 = 1;
const SECTOR: usize = 512;
const SLOT_DISTANCE: u64 = 4096;
const FILE_LEN: u64 = 2 * SLOT_DISTANCE;
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What one slot says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WitnessRecord {
    /// The higher of two records is the newer.
    pub sequence: u64,
    /// Nothing was ever durable in the log.
    pub forming: bool,
    /// The end of the durable log.
    pub position: LogPosition,
    /// What this server promised.
    pub promise: Promise,
    /// Whose directory.
    pub server: ServerId,
    /// Which life of it.
    pub incarnation: Incarnation,
}

impl WitnessRecord {
    fn encode(&self) -> [u8; SECTOR] {
        let mut bytes = Vec::with_capacity(SECTOR);
        bytes.put_slice(MAGIC);
        bytes.put_u32_le(FORMAT);
        bytes.put_u32_le(u32::from(self.forming));
        bytes.put_u64_le(self.sequence);
        bytes.put_u64_le(self.position.index.0);
        bytes.put_u64_le(self.position.zxid.0);
        bytes.put_u32_le(self.position.chain.0);
        self.promise.encode_to(&mut bytes);
        bytes.put_u64_le(self.server.0);
        bytes.put_u128_le(self.incarnation.0);
        let mut sector = [0; SECTOR];
        sector[..bytes.len()].copy_from_slice(&bytes);
        let crc = crc32fast::hash(&sector[..SECTOR - 4]);
        sector[SECTOR - 4..].copy_from_slice(&crc.to_le_bytes());
        sector
    }

    fn decode(sector: &[u8; SECTOR]) -> Option<Self> {
        let (mut bytes, mut crc) = sector.split_at(SECTOR - 4);
        let whole = crc32fast::hash(bytes) == crc.get_u32_le();
        if !whole || !bytes.starts_with(MAGIC) {
            return None;
        }
        bytes.advance(MAGIC.len());
        if bytes.get_u32_le() != FORMAT {
            return None;
        }
        let forming = bytes.get_u32_le() == 1;
        let sequence = bytes.get_u64_le();
        let (index, zxid) = (LogIndex(bytes.get_u64_le()), Zxid(bytes.get_u64_le()));
        let position = LogPosition { index, zxid, chain: Chain(bytes.get_u32_le()) };
        let promise = Promise::decode(&bytes[..Promise::LEN])?;
        bytes.advance(Promise::LEN);
        let server = ServerId(bytes.get_u64_le());
        let incarnation = Incarnation(bytes.get_u128_le());
        Some(Self { sequence, forming, position, promise, server, incarnation })
    }
}

/// One of the two places for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Never written.
    Blank,
    /// Written, and not whole.
    Damaged,
    /// Whole.
    Record(WitnessRecord),
}

impl Slot {
    pub(crate) fn record(self) -> Option<WitnessRecord> {
        if let Self::Record(record) = self { Some(record) } else { None }
    }
}

/// Reads the file without changing it.
pub(crate) fn look(path: &Path) -> WitnessFound {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return WitnessFound::Missing,
        Err(error) => return WitnessFound::Unreadable(error.to_string()),
    };
    match (read_slot(&file, 0), read_slot(&file, 1)) {
        (Ok(first), Ok(second)) => WitnessFound::Slots([first, second]),
        (Err(error), _) | (_, Err(error)) => WitnessFound::Unreadable(error.to_string()),
    }
}

fn read_slot(file: &File, slot: u64) -> io::Result<Slot> {
    let mut sector = [0; SECTOR];
    match file.read_exact_at(&mut sector, slot * SLOT_DISTANCE) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Slot::Damaged),
        read => read?,
    }
    if sector == [0; SECTOR] {
        return Ok(Slot::Blank);
    }
    Ok(WitnessRecord::decode(&sector).map_or(Slot::Damaged, Slot::Record))
}

/// The open witness. Dropping it stops its thread, after a last sync.
#[derive(Debug)]
pub(crate) struct Witness {
    shared: Arc<Shared>,
    syncer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    path: PathBuf,
    state: Mutex<State>,
    /// Held through a sync, so that two do not mistake each other's slot.
    syncing: Mutex<()>,
    stop: Condvar,
}

#[derive(Debug)]
struct State {
    record: WitnessRecord,
    /// The slot that holds `record`.
    newest: u64,
    /// The slot that may be overwritten. Invariant: not the one that was synced last.
    free: u64,
    dirty: bool,
    stopping: bool,
    /// A sync by the thread failed; the next writer is told.
    failed: Option<String>,
}

impl State {
    /// What the file holds; `first` if it holds nothing.
    fn of(slots: [Option<WitnessRecord>; 2], first: WitnessRecord) -> Self {
        let sequences = slots.map(|record| record.map(|record| record.sequence));
        let newest = u64::from(sequences[1] > sequences[0]);
        Self {
            record: slots[newest as usize].unwrap_or(first),
            newest,
            free: 1 - newest,
            dirty: false,
            stopping: false,
            failed: None,
        }
    }
}

impl Witness {
    /// Opens the file, or makes it with `first` in it, durable.
    pub(crate) fn open(path: &Path, first: WitnessRecord) -> Result<Self, Fatal> {
        let fatal = || Fatal::at("open the witness", path);
        let file = open_file(path).map_err(fatal())?;
        let slots = [read_slot(&file, 0).map_err(fatal())?, read_slot(&file, 1).map_err(fatal())?];
        let state = State::of(slots.map(Slot::record), first);
        let is_new = slots.iter().all(|slot| slot.record().is_none());
        let shared = Arc::new(Shared {
            file,
            path: path.to_path_buf(),
            state: Mutex::new(state),
            syncing: Mutex::new(()),
            stop: Condvar::new(),
        });
        if is_new {
            shared.write(|_| ())?;
            shared.sync()?;
        }
        let syncer = shared.clone();
        let syncer = std::thread::Builder::new()
            .name("witness".into())
            .spawn(move || syncer.sync_every_second())
            .map_err(fatal())?;
        Ok(Self { shared, syncer: Some(syncer) })
    }

    /// Says what recovery found and made durable; durable itself when this returns.
    pub(crate) fn restarted(&self, found: WitnessRecord) -> Result<(), Fatal> {
        self.shared.write(|record| {
            *record = WitnessRecord { sequence: record.sequence, ..found };
        })?;
        self.shared.sync()
    }

    /// Says how far the log is durable; not synced here.
    pub(crate) fn reached(&self, position: LogPosition) -> Result<(), Fatal> {
        self.shared.write(|record| {
            record.position = position;
            record.forming = false;
        })
    }

    /// Says what was promised, durable.
    pub(crate) fn promised(&self, promise: Promise) -> Result<(), Fatal> {
        self.shared.write(|record| record.promise = promise)?;
        self.shared.sync()
    }

    /// Says that the log will end at `position`, in both slots and durable: after that no record
    /// of a longer log is left. A server that is still forming stays so.
    pub(crate) fn lowered(&self, position: LogPosition) -> Result<(), Fatal> {
        for _slot in 0..2 {
            self.shared.write(|record| record.position = position)?;
            self.shared.sync()?;
        }
        Ok(())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.stop.notify_all();
        if let Some(syncer) = self.syncer.take() {
            let _its_failure_was_logged = syncer.join();
        }
    }
}

impl Shared {
    /// A panic while the state was held left it whole: each field is set in one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, change: impl FnOnce(&mut WitnessRecord)) -> Result<(), Fatal> {
        let mut state = self.lock();
        if let Some(cause) = state.failed.clone() {
            return Err(Fatal::at("sync the witness", &self.path)(cause));
        }
        change(&mut state.record);
        state.record.sequence += 1;
        self.file
            .write_all_at(&state.record.encode(), state.free * SLOT_DISTANCE)
            .map_err(Fatal::at("write the witness", &self.path))?;
        state.newest = state.free;
        state.dirty = true;
        Ok(())
    }

    fn sync(&self) -> Result<(), Fatal> {
        let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let synced = {
            let mut state = self.lock();
            if !state.dirty {
                return Ok(());
            }
            state.dirty = false;
            state.newest
        };
        self.file.sync_data().map_err(Fatal::at("sync the witness", &self.path))?;
        self.lock().free = 1 - synced;
        Ok(())
    }

    fn sync_every_second(&self) {
        let mut state = self.lock();
        while !state.stopping {
            state =
                self.stop.wait_timeout(state, SYNC_EVERY).unwrap_or_else(PoisonError::into_inner).0;
            drop(state);
            let synced = self.sync();
            state = self.lock();
            if let Err(fatal) = synced {
                tracing::error!(%fatal, "witness");
                state.failed = Some(fatal.cause);
            }
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    if file.metadata()?.len() != FILE_LEN {
        file.set_len(FILE_LEN)?;
        for slot in 0..2 {
            let mut sector = [0; SECTOR];
            file.read_exact_at(&mut sector, slot * SLOT_DISTANCE)?;
            // Writing the blocks allocates them: later writes need no room and no metadata.
            file.write_all_at(&sector, slot * SLOT_DISTANCE)?;
        }
        file.sync_all()?;
    }
    crate::dirs::sync_dir(path.parent().unwrap_or(path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u64) -> LogPosition {
        LogPosition { index: LogIndex(index), zxid: Zxid(index), chain: Chain(9) }
    }

    fn slots(path: &Path) -> [Slot; 2] {
        let WitnessFound::Slots(slots) = look(path) else { panic!("no slots") };
        slots
    }

    fn indexes(path: &Path) -> [u64; 2] {
        slots(path).map(|slot| slot.record().map_or(u64::MAX, |record| record.position.index.0))
    }

    #[test]
    fn the_synced_slot_stays_until_the_other_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witness");
        let witness = Witness::open(&path, WitnessRecord::default()).unwrap();
        let held = indexes(&path);
        let synced = held.iter().position(|index| *index == 0).unwrap();
        for index in 1..4 {
            witness.reached(at(index)).unwrap();
        }
        assert_eq!(indexes(&path)[synced], 0);
        assert_eq!(indexes(&path)[1 - synced], 3);
        witness.shared.sync().unwrap();
        witness.reached(at(4)).unwrap();
        assert_eq!((indexes(&path)[synced], indexes(&path)[1 - synced]), (4, 3));
    }

    #[test]
    fn a_write_during_a_sync_does_not_free_the_newest_slot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witness");
        let witness = Witness::open(&path, WitnessRecord::default()).unwrap();
        witness.reached(at(1)).unwrap();
        witness.shared.sync().unwrap();
        // As if this write had come between the fsync and its return.
        let newest = witness.shared.lock().newest;
        witness.shared.lock().free = newest;
        witness.reached(at(2)).unwrap();
        witness.shared.sync().unwrap();
        witness.reached(at(3)).unwrap();
        assert_eq!(indexes(&path)[newest as usize], 2);
    }

    #[test]
    fn lowering_leaves_no_higher_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witness");
        let witness = Witness::open(&path, WitnessRecord::default()).unwrap();
        for index in 1..9 {
            witness.reached(at(index)).unwrap();
            witness.shared.sync().unwrap();
        }
        witness.lowered(at(5)).unwrap();
        assert_eq!(indexes(&path), [5, 5]);
    }

    #[test]
    fn a_record_comes_back_and_damage_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witness");
        let record = WitnessRecord {
            sequence: 0,
            forming: true,
            position: at(7),
            promise: Promise { server: ServerId(2), ..Promise::default() },
            server: ServerId(1),
            incarnation: Incarnation(5),
        };
        drop(Witness::open(&path, record).unwrap());
        // What is there stays until it is said anew.
        drop(Witness::open(&path, WitnessRecord::default()).unwrap());
        let place = slots(&path).iter().position(|slot| slot.record().is_some()).unwrap();
        assert_eq!(slots(&path)[place], Slot::Record(WitnessRecord { sequence: 1, ..record }));
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[1], place as u64 * SLOT_DISTANCE + 30).unwrap();
        assert_eq!(slots(&path)[place], Slot::Damaged);
        assert_eq!(look(&dir.path().join("none")), WitnessFound::Missing);
    }
}

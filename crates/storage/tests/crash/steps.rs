//! What is done to a storage, and what must be true of it afterwards.

use std::path::Path;

use bytes::Bytes;
use zooid_ids::{ClusterId, Epoch, Incarnation, Millis, ServerId, Zxid};
use zooid_storage::{Config, Identity, IfSuspect, LogEntry, Promise, RunKind};

/// One call of the storage's API, or a few that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Open,
    /// One batch of so many entries with payloads of so many bytes.
    Append(u64, usize),
    /// Cut behind this index.
    Truncate(u64),
    Promise(u32),
    /// A run at the end of the log, written and named.
    Checkpoint(RunKind),
    /// Forgets what the checkpoint makes unnecessary.
    Compact,
    Merge,
    Cluster(u128),
    /// The checkpoint of a leader, as it lies in [`leader_dir`], is received and installed.
    Install,
    /// The others found out that something is missing.
    MarkSuspect,
    Readmit,
    /// Everything is dropped, as a clean stop does.
    Close,
}

/// What a start must find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct World {
    /// The entry at each index, from 1.
    pub(crate) history: Vec<LogEntry>,
    pub(crate) epoch: u32,
    pub(crate) promise: u32,
    pub(crate) cluster: u128,
    pub(crate) suspect: bool,
    /// Of the directory; `None` as long as nobody was told.
    pub(crate) incarnation: Option<u128>,
}

impl World {
    /// A directory that was never opened.
    pub(crate) fn unused() -> Self {
        let (history, promise, cluster) = (Vec::new(), 0, 1);
        Self { history, epoch: 1, promise, cluster, suspect: false, incarnation: None }
    }

    /// The same after `step`, done by a process that draws `incarnation`.
    pub(crate) fn after(&self, step: Step, incarnation: u128) -> Self {
        let mut world = self.clone();
        match step {
            Step::Open => world.incarnation = self.incarnation.or(Some(incarnation)),
            Step::Append(count, bytes) => world.history.extend(self.batch(count, bytes)),
            Step::Truncate(to) => {
                world.history.truncate(to as usize);
                world.epoch += 1;
            }
            Step::Promise(epoch) => world.promise = epoch,
            Step::Cluster(cluster) => world.cluster = cluster,
            Step::Install => {
                world.history = leaders_history();
                world.epoch = LEADERS_EPOCH + 1;
            }
            Step::MarkSuspect => world = Self { suspect: true, ..Self::unused() },
            Step::Readmit => world.suspect = false,
            Step::Checkpoint(_) | Step::Compact | Step::Merge | Step::Close => {}
        }
        world
    }

    /// The entries that follow.
    pub(crate) fn batch(&self, count: u64, bytes: usize) -> Vec<LogEntry> {
        let last = self.history.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        chain(last, self.history.len() as u64, count, self.epoch, bytes)
    }

    /// The zxid of the entry at `index`.
    pub(crate) fn zxid(&self, index: u64) -> Zxid {
        index.checked_sub(1).map_or(Zxid::ZERO, |before| self.history[before as usize].zxid)
    }
}

fn chain(mut last: Zxid, behind: u64, count: u64, epoch: u32, bytes: usize) -> Vec<LogEntry> {
    let entry = |n: u64| {
        let zxid = Zxid::new(Epoch(epoch), n as u32);
        let prev_zxid = std::mem::replace(&mut last, zxid);
        let payload = Bytes::from(vec![n as u8 ^ epoch as u8 | 1; bytes]);
        LogEntry { zxid, prev_zxid, time: Millis(n as i64), kind: 2, payload }
    };
    (behind + 1..=behind + count).map(entry).collect()
}

const LEADERS_EPOCH: u32 = 40;

/// What a leader has, whose checkpoint is installed.
pub(crate) fn leaders_history() -> Vec<LogEntry> {
    chain(Zxid::ZERO, 0, 70, LEADERS_EPOCH, 50)
}

/// The records of a state at `index`; in a delta `None` is a tombstone.
pub(crate) fn state(index: u64) -> Vec<(String, Option<Vec<u8>>)> {
    let odd = (!index.is_multiple_of(2)).then(|| b"odd".to_vec());
    let pad = vec![index as u8; 9000];
    let text = index.to_string().into_bytes();
    vec![("/n".into(), Some(text)), ("/odd".into(), odd), ("/pad".into(), Some(pad))]
}

pub(crate) fn promise(epoch: u32) -> Promise {
    if epoch == 0 {
        return Promise::default();
    }
    let (server, incarnation) = (ServerId(1), Incarnation(u128::from(epoch)));
    Promise { epoch: Epoch(epoch), server, incarnation }
}

/// Small files, so that they are many.
pub(crate) fn config(root: &Path, incarnation: u128, if_suspect: IfSuspect) -> Config {
    let identity = Identity {
        cluster: ClusterId(1),
        server: ServerId(1),
        incarnation: Incarnation(incarnation),
        created: Millis(1000),
    };
    let mut config = Config::new(root.join("data"), root.join("logs"), identity);
    config.log_file_bytes = 16 << 10;
    config.purge_threshold_bytes = 64 << 10;
    config.keep_entries = 3;
    config.if_suspect = if_suspect;
    config
}

//! The thread that writes checkpoints.
//!
//! It asks the loop for the changed records a thousand at a time, so that the loop never stands
//! still for it, sorts them and writes them as one run. When there are many runs it merges them.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use zooid_ids::{ClusterId, Zxid};
use zooid_node::contract::checkpoint::write_record;
use zooid_storage::{Checkpoints, Fatal, LogPosition, LogReader, MergeError, RunKind};
use zooid_transport::Mailbox;
use zooid_tree::{HandOver, Record};

use crate::{Event, clock, guard};

/// Records that the loop gives at a time: about half a millisecond of its time.
const RECORDS: usize = 1000;

/// How often it is looked whether the log is durable so far.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs that are merged into one; as many as can be read side by side without notice at a start.
const RUNS: usize = 8;

/// How fast runs are merged: reading and writing that nobody waits for must not slow what the log
/// writes.
const MERGE_BYTES_PER_SECOND: u64 = 100_000_000;

/// The way to the thread. When it is dropped the thread gives up what it is at and ends.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    ways: Option<Ways>,
    thread: Option<JoinHandle<()>>,
}

/// Both end with the loop, so that the thread waits for neither any more.
#[derive(Debug)]
struct Ways {
    orders: Sender<Order>,
    /// The answers to [`Event::Harvest`].
    records: Sender<Vec<Record>>,
}

impl Checkpointer {
    /// Starts the thread.
    #[must_use]
    pub(crate) fn start(
        checkpoints: Arc<Mutex<Checkpoints>>,
        log: LogReader,
        mailbox: Arc<Mailbox<Event>>,
    ) -> Self {
        let (orders, waiting) = channel();
        let (records, harvested) = channel();
        let mut writer = Writer { checkpoints, log, mailbox, harvested };
        let thread = guard::spawn("checkpoint", move || writer.work(&waiting));
        Self { ways: Some(Ways { orders, records }), thread: Some(thread) }
    }

    /// Writes the checkpoint that the tree of this ensemble handed over when this was the last entry
    /// applied.
    pub(crate) fn write(&self, hand_over: HandOver, zxid: Zxid, cluster: ClusterId) {
        let sent = self.ways().orders.send(Order { hand_over, zxid, cluster });
        assert!(sent.is_ok(), "the thread lives as long");
    }

    /// The records that [`Event::Harvest`] asked for.
    pub(crate) fn give(&self, records: Vec<Record>) {
        assert!(self.ways().records.send(records).is_ok(), "the thread lives as long");
    }

    fn ways(&self) -> &Ways {
        self.ways.as_ref().expect("the senders live until the drop")
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.ways.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has ended the process.
            let _ = thread.join();
        }
    }
}

/// Not more bytes in a second than these.
struct Pace {
    bytes_per_second: u64,
    begun: Instant,
    next: u64,
}

impl Pace {
    /// How much may be written before it is waited for.
    const STEP: u64 = 1 << 20;

    fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, begun: Instant::now(), next: Self::STEP }
    }

    /// Waits until so much may be written; false where there was nothing to wait for yet.
    fn waits_for(&mut self, written: u64) -> bool {
        if written < self.next {
            return false;
        }
        self.next = written + Self::STEP;
        let due = Duration::from_secs_f64(written as f64 / self.bytes_per_second as f64);
        std::thread::sleep(due.saturating_sub(self.begun.elapsed()));
        true
    }
}

/// A checkpoint to be written.
#[derive(Debug)]
struct Order {
    hand_over: HandOver,
    zxid: Zxid,
    cluster: ClusterId,
}

struct Writer {
    checkpoints: Arc<Mutex<Checkpoints>>,
    log: LogReader,
    mailbox: Arc<Mailbox<Event>>,
    harvested: Receiver<Vec<Record>>,
}

type Pair = (Vec<u8>, Option<Vec<u8>>);

impl Writer {
    fn work(&mut self, waiting: &Receiver<Order>) {
        while let Ok(Order { hand_over, zxid, cluster }) = waiting.recv() {
            let Some(pairs) = self.harvest() else { return };
            let Some(position) = self.position(zxid, cluster) else { return };
            match self.write(pairs, hand_over, position) {
                Ok(()) => self.mailbox.put(Event::CheckpointEnded(Some(position))),
                Err(error) => {
                    tracing::error!(%error, "the checkpoint failed; the log keeps everything");
                    self.mailbox.put(Event::CheckpointEnded(None));
                }
            }
            self.merge();
        }
    }

    /// Where the entry stands in the log once it is durable there: what is applied may have been
    /// committed by others before. The directories have to know their ensemble by then, or nobody
    /// would take the run for one of it. `None` where the loop has ended.
    fn position(&self, zxid: Zxid, cluster: ClusterId) -> Option<LogPosition> {
        while self.log.durable().zxid < zxid || lock(&self.checkpoints).cluster() != cluster {
            // The loop gives an empty harvest for as long as it lives.
            self.mailbox.put(Event::Harvest(0));
            self.harvested.recv().ok()?;
            std::thread::sleep(PAUSE);
        }
        match self.log.position(zxid) {
            Ok(Some(position)) => Some(position),
            Ok(None) => guard::die("checkpoint", &format!("the log does not hold {zxid}")),
            Err(error) => guard::die("checkpoint", &error.to_string()),
        }
    }

    /// All records of the run, sorted; `None` where the loop has ended.
    fn harvest(&self) -> Option<Vec<Pair>> {
        let mut pairs = Vec::new();
        loop {
            self.mailbox.put(Event::Harvest(RECORDS));
            let records = self.harvested.recv().ok()?;
            let last = records.len() < RECORDS;
            pairs.extend(records.iter().map(write_record));
            if last {
                break;
            }
        }
        pairs.sort_unstable();
        Some(pairs)
    }

    fn write(
        &mut self,
        pairs: Vec<Pair>,
        hand_over: HandOver,
        position: LogPosition,
    ) -> Result<(), Fatal> {
        let started = clock::now();
        let mut checkpoints = lock(&self.checkpoints);
        let first = checkpoints.manifest().runs.is_empty();
        let kind = if first { RunKind::Base } else { RunKind::Delta };
        let mut run = checkpoints.begin(kind, position, hand_over.digest, clock::wall())?;
        for (key, value) in pairs {
            // A base has nothing before it that could be gone.
            if value.is_some() || kind == RunKind::Delta {
                run.push(&key, value.as_deref())?;
            }
        }
        let summary = run.finish()?;
        checkpoints.publish(&summary)?;
        let milliseconds = clock::now().since(started).0;
        let zxid = position.zxid;
        tracing::info!(%zxid, records = summary.records, bytes = summary.bytes, milliseconds, "checkpoint");
        Ok(())
    }

    fn merge(&mut self) {
        let mut checkpoints = lock(&self.checkpoints);
        if checkpoints.manifest().runs.len() < RUNS {
            return;
        }
        let mut pace = Pace::new(MERGE_BYTES_PER_SECOND);
        // The loop has dropped its end: the server stops, and a merge can wait for the next one.
        let stops = || matches!(self.harvested.try_recv(), Err(TryRecvError::Disconnected));
        let goes_on = |written| !pace.waits_for(written) || !stops();
        match checkpoints.merge(clock::wall(), goes_on) {
            Ok(true) => tracing::info!("merged the checkpoint's runs"),
            Ok(false) => tracing::info!("the runs are not merged now: the server stops"),
            Err(MergeError::Fatal(fatal)) => {
                tracing::error!(error = %fatal, "the runs were not merged; they stay as they are");
            }
            Err(error) => guard::die("checkpoint", &error.to_string()),
        }
    }
}

/// The checkpoints: a panic of whoever held them has ended the process.
pub(crate) fn lock(checkpoints: &Mutex<Checkpoints>) -> MutexGuard<'_, Checkpoints> {
    checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept() {
        let mut pace = Pace::new(20 << 20);
        assert!(!pace.waits_for(Pace::STEP - 1));
        assert!(pace.waits_for(2 << 20));
        assert!(pace.begun.elapsed() >= Duration::from_millis(100), "two of twenty in a second");
        assert!(!pace.waits_for(2 << 20));
    }
}

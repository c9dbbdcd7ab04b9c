//! The disk thread: it alone writes the log.
//!
//! It takes all that waits, writes it as one batch with one sync, and says so; meanwhile the next
//! batch gathers. Whatever fails here ends the process: after a failed sync nobody knows what is on
//! the disk.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use zooid_ids::{ClusterId, Zxid};
use zooid_node::contract::entry::write_body;
use zooid_storage::{Checkpoints, Fatal, LogEntry, LogPosition, LogWriter, Staged, install};
use zooid_transport::Mailbox;
use zooid_zab::{Entry, Promise, Ticket};

use crate::Event;
use crate::checkpointer::lock;
use crate::guard;

/// One thing for the disk thread to do, in order.
#[derive(Debug)]
pub(crate) enum Job {
    /// Make a promise durable.
    Promise(Ticket, Promise),
    /// Append entries.
    Append(Ticket, Vec<Entry>),
    /// Cut off everything behind this entry.
    Truncate(Ticket, Zxid),
    /// Put a fetched checkpoint of this ensemble in the place of everything.
    Replace(Ticket, Box<Staged>, Option<ClusterId>),
    /// This is the ensemble.
    Cluster(ClusterId),
    /// The others took this server in again after it lost what it had.
    Readmitted,
    /// The checkpoint at this position is durable: what it holds may leave the log.
    Compact(LogPosition),
}

/// The way to the disk thread. When it is dropped the thread finishes what it was given and ends.
#[derive(Debug)]
pub(crate) struct Disk {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    /// Starts the thread. It warns of a sync that takes longer than `warn_after`
    /// (`fsync.warningthresholdms`).
    #[must_use]
    pub(crate) fn start(
        log: LogWriter,
        checkpoints: Arc<Mutex<Checkpoints>>,
        mailbox: Arc<Mailbox<Event>>,
        warn_after: Duration,
    ) -> Self {
        let (jobs, waiting) = channel();
        let thread = guard::spawn("disk", move || {
            let mut writer = Writer { log, checkpoints, mailbox, warn_after };
            if let Err(fatal) = writer.work(&waiting) {
                guard::die("disk", &what_failed(&fatal));
            }
        });
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Hands a job over. What can wait here is bounded by what clients may have outstanding.
    pub(crate) fn give(&self, job: Job) {
        let jobs = self.jobs.as_ref().expect("the sender lives until the drop");
        assert!(jobs.send(job).is_ok(), "the disk thread lives until the process ends");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has ended the process.
            let _ = thread.join();
        }
    }
}

/// The engine below says of a full disk only that there is `nospace`.
fn what_failed(fatal: &Fatal) -> String {
    let text = fatal.to_string();
    let is_full = ["nospace", "No space left"].iter().any(|says| text.contains(says));
    let advice =
        if is_full { "; the disk is full: make room, then start the server again" } else { "" };
    format!("{text}{advice}")
}

struct Writer {
    log: LogWriter,
    checkpoints: Arc<Mutex<Checkpoints>>,
    mailbox: Arc<Mailbox<Event>>,
    warn_after: Duration,
}

impl Writer {
    fn work(&mut self, waiting: &Receiver<Job>) -> Result<(), Fatal> {
        let mut batch = Batch::default();
        while let Ok(first) = waiting.recv() {
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Append(ticket, entries) => batch.add(ticket, entries),
                    Job::Promise(ticket, promise) => {
                        self.append(&mut batch)?;
                        self.promise(ticket, promise)?;
                    }
                    Job::Truncate(ticket, to) => {
                        self.append(&mut batch)?;
                        self.log.truncate(to)?;
                        self.mailbox.put(Event::Durable(ticket, None));
                    }
                    Job::Replace(ticket, staged, cluster) => {
                        self.append(&mut batch)?;
                        self.replace(*staged, cluster)?;
                        self.mailbox.put(Event::Durable(ticket, None));
                    }
                    Job::Cluster(cluster) => {
                        self.append(&mut batch)?;
                        self.belong_to(cluster)?;
                    }
                    Job::Readmitted => {
                        self.append(&mut batch)?;
                        self.log.readmitted()?;
                    }
                    Job::Compact(position) => {
                        self.append(&mut batch)?;
                        let first = self.log.compact(position)?;
                        self.mailbox.put(Event::Compacted(first));
                    }
                }
                next = waiting.try_recv().ok();
            }
            self.append(&mut batch)?;
        }
        Ok(())
    }

    fn append(&mut self, batch: &mut Batch) -> Result<(), Fatal> {
        let Some(ticket) = batch.last.take() else { return Ok(()) };
        let appended = self.log.append(&batch.entries)?;
        batch.entries.clear();
        if appended.fsync > self.warn_after {
            tracing::warn!(
                milliseconds = appended.fsync.as_millis(),
                bytes = appended.bytes,
                "the log's disk is slow: a sync took longer than fsync.warningthresholdms",
            );
        }
        batch.tickets.drain(..).for_each(|ticket| self.mailbox.put(Event::Durable(ticket, None)));
        self.mailbox.put(Event::Durable(ticket, Some(appended)));
        Ok(())
    }

    /// Waits for a merge of the own runs to end, and for nothing else: no run is written now.
    fn replace(&mut self, staged: Staged, cluster: Option<ClusterId>) -> Result<(), Fatal> {
        if let Some(cluster) = cluster {
            self.belong_to(cluster)?;
        }
        let mut checkpoints = lock(&self.checkpoints);
        install(&mut self.log, &mut checkpoints, staged)
    }

    fn belong_to(&mut self, cluster: ClusterId) -> Result<(), Fatal> {
        if self.log.identity().cluster == cluster {
            return Ok(());
        }
        self.log.set_cluster(cluster)
    }

    fn promise(&mut self, ticket: Ticket, promise: Promise) -> Result<(), Fatal> {
        let Promise { epoch, to } = promise;
        self.log.put_promise(zooid_storage::Promise {
            epoch,
            server: to.id,
            incarnation: to.incarnation,
        })?;
        self.mailbox.put(Event::Durable(ticket, None));
        Ok(())
    }
}

/// Appends that share a sync.
#[derive(Default)]
struct Batch {
    entries: Vec<LogEntry>,
    /// The newest one, which speaks of the whole batch.
    last: Option<Ticket>,
    /// Those before it.
    tickets: Vec<Ticket>,
}

impl Batch {
    fn add(&mut self, ticket: Ticket, entries: Vec<Entry>) {
        self.entries.extend(entries.into_iter().map(|entry| {
            let (kind, payload) = write_body(&entry.body);
            let Entry { zxid, prev_zxid, time, .. } = entry;
            LogEntry { zxid, prev_zxid, time, kind: kind as u8, payload }
        }));
        self.tickets.extend(self.last.replace(ticket));
    }
}

//! A server's disk: one thing after the other, with what is left when the server ends in between.
//!
//! The steps of each write are those of the real storage, in its order; a crash may come between
//! any two. `stored` is what is there, and finds out by the real recovery function what it means.

mod checkpoint;
mod stored;

use std::collections::VecDeque;

use zooid_ids::{ClusterId, ServerId, Zxid};
use zooid_storage::{Identity, LogPosition, Promise, Slot, WitnessRecord};
use zooid_zab::{Entry, Member, Ticket};

pub(crate) use checkpoint::{RunFile, restore};
pub(crate) use stored::{Start, Stored};

use crate::dice::Dice;

/// One thing to do.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Promise(Ticket, zooid_zab::Promise),
    Append(Ticket, Vec<Entry>),
    Truncate(Ticket, Zxid),
    Replace(Ticket, Vec<RunFile>, Option<ClusterId>),
    Cluster(ClusterId),
    Readmitted,
    Compact(LogPosition),
}

/// What is known once it is done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Done {
    Durable(Ticket),
    Compacted(Zxid),
}

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its process is killed: what was written is there, synced or not.
    Killed,
    /// Its power fails: what was not synced may be gone.
    PowerCut,
}

/// A disk, and what its server has given it to do.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) stored: Stored,
    /// The newest record of the witness; it may not be synced.
    witness: WitnessRecord,
    waiting: VecDeque<Job>,
    /// What is being written and synced together.
    writing: Vec<Job>,
    /// Entries that stay behind a checkpoint.
    keep: u64,
}

impl Disk {
    pub(crate) fn new(keep: u64) -> Self {
        Self { keep, ..Self::default() }
    }

    /// A server starts on it. `fresh` is what it becomes if it was never used, or if what is there
    /// is suspect and is set aside; then the reason comes too.
    pub(crate) fn start(&mut self, fresh: Identity) -> (Start, Option<String>) {
        let mut why = None;
        let start = self.stored.start(fresh).unwrap_or_else(|suspicion| {
            self.stored = Stored::set_aside();
            why = Some(suspicion);
            self.stored.start(fresh).expect("an empty disk is not suspect")
        });
        self.set_witness();
        (start, why)
    }

    /// What recovery found, synced.
    fn set_witness(&mut self) {
        let Identity { server, incarnation, .. } =
            self.stored.identity.expect("it was just started");
        let sequence = self.stored.newest_witness().map_or(0, |record| record.sequence);
        let position = self.stored.last();
        self.witness = WitnessRecord {
            sequence: sequence + 1,
            forming: position == LogPosition::START,
            position,
            promise: self.stored.promise,
            server,
            incarnation,
        };
        self.sync_witness();
    }

    pub(crate) fn give(&mut self, job: Job) {
        self.waiting.push_back(job);
    }

    /// True if nothing is left to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_empty()
    }

    /// True if it begins to write something: appends that wait share a sync.
    pub(crate) fn begin(&mut self) -> bool {
        if !self.writing.is_empty() {
            return false;
        }
        while let Some(job) = self.waiting.front() {
            let shares = matches!(job, Job::Append(..))
                && self.writing.iter().all(|job| matches!(job, Job::Append(..)));
            if !shares && !self.writing.is_empty() {
                break;
            }
            self.writing.extend(self.waiting.pop_front());
            if !shares {
                break;
            }
        }
        !self.writing.is_empty()
    }

    /// What was begun is done.
    pub(crate) fn finish(&mut self) -> Vec<Done> {
        let jobs = std::mem::take(&mut self.writing);
        let jobs: Vec<_> = jobs.into_iter().collect();
        jobs.into_iter().filter_map(|job| self.do_all(&job)).collect()
    }

    fn do_all(&mut self, job: &Job) -> Option<Done> {
        (0..steps(job)).for_each(|step| self.do_step(job, step));
        match job {
            Job::Promise(ticket, _)
            | Job::Append(ticket, _)
            | Job::Truncate(ticket, _)
            | Job::Replace(ticket, ..) => Some(Done::Durable(*ticket)),
            Job::Compact(_) => Some(Done::Compacted(self.stored.before_first())),
            Job::Cluster(_) | Job::Readmitted => None,
        }
    }

    fn do_step(&mut self, job: &Job, step: usize) {
        match job {
            Job::Promise(_, promise) => self.promise(*promise, step),
            Job::Append(_, entries) => match entries.get(step) {
                Some(entry) => self.stored.append(entry.clone()),
                None => self.write_witness(self.stored.last(), false),
            },
            Job::Truncate(_, to) => self.truncate(*to, step),
            Job::Replace(_, runs, cluster) => self.replace(runs, *cluster, step),
            Job::Cluster(cluster) => self.belong_to(*cluster),
            Job::Readmitted => self.stored.suspect = false,
            Job::Compact(checkpoint) => drop(self.stored.compact(*checkpoint, self.keep)),
        }
    }

    fn promise(&mut self, promise: zooid_zab::Promise, step: usize) {
        let Member { id: server, incarnation } = promise.to;
        let promise = Promise { epoch: promise.epoch, server, incarnation };
        if step == 0 {
            assert!(promise.epoch >= self.stored.promise.epoch, "a promise is never taken back");
            self.stored.promise = promise;
        } else {
            self.witness.promise = promise;
            self.write_witness(self.witness.position, self.witness.forming);
            self.sync_witness();
        }
    }

    fn truncate(&mut self, to: Zxid, step: usize) {
        let checkpoint = self.stored.manifest.position();
        let target = self.stored.position(to).or((to == checkpoint.zxid).then_some(checkpoint));
        let target = target.unwrap_or_else(|| panic!("cannot cut to {to}, which is not there"));
        match step {
            0 => self.lower_witness(target),
            _ => self.stored.truncate(target),
        }
    }

    fn replace(&mut self, runs: &[RunFile], cluster: Option<ClusterId>, step: usize) {
        let named = || runs.iter().map(|run| run.in_manifest(true));
        match step {
            0 => cluster.into_iter().for_each(|cluster| self.belong_to(cluster)),
            1 => {
                let files = named().map(|run| run.file_name()).zip(runs.iter().cloned());
                self.stored.runs.extend(files);
            }
            2 => self.lower_witness(LogPosition::START),
            3 => {
                let own = self.stored.manifest.position();
                let new = runs.last().expect("a checkpoint has runs").position();
                assert!(new.zxid >= own.zxid, "a checkpoint at {new} behind {own}");
                self.stored.manifest.runs = named().collect();
                self.stored.manifest.installing = true;
            }
            4 => {
                self.stored.begin_anew();
                self.set_witness();
            }
            5 => self.stored.manifest.installing = false,
            _ => self.stored.name(runs.to_vec(), true),
        }
    }

    fn belong_to(&mut self, cluster: ClusterId) {
        self.stored.identity = self.stored.identity.map(|own| Identity { cluster, ..own });
    }

    fn write_witness(&mut self, position: LogPosition, forming: bool) {
        (self.witness.position, self.witness.forming) = (position, forming);
        self.witness.sequence += 1;
    }

    /// The record that was synced last is never overwritten.
    pub(crate) fn sync_witness(&mut self) {
        let free = self.free_slot();
        let synced = self.stored.newest_witness();
        if synced != Some(self.witness) {
            self.stored.slots[free] = Some(Slot::Record(self.witness));
        }
    }

    fn free_slot(&self) -> usize {
        let synced = self.stored.newest_witness().map(Slot::Record);
        usize::from(synced.is_some() && self.stored.slots[0] == synced)
    }

    fn lower_witness(&mut self, position: LogPosition) {
        for _ in 0..2 {
            self.write_witness(position, self.witness.forming);
            self.sync_witness();
        }
    }

    /// The server ends; what it was at is done in part, and what only waited is not.
    pub(crate) fn end(&mut self, how: End, dice: &mut Dice) {
        self.waiting.clear();
        for job in std::mem::take(&mut self.writing) {
            let all = steps(&job);
            let done = dice.roll(all as u64 + 1) as usize;
            (0..done).for_each(|step| self.do_step(&job, step));
            if done < all {
                self.stored.torn = dice.once_in(3);
                break;
            }
        }
        let is_kept = how == End::Killed || dice.once_in(2);
        if is_kept {
            self.sync_witness();
        } else if self.stored.newest_witness() != Some(self.witness) && dice.once_in(4) {
            self.stored.slots[self.free_slot()] = Some(Slot::Damaged);
        }
        self.stored.ledger_broken = how == End::PowerCut && dice.once_in(16);
    }

    /// Whose disk it is, once it was used.
    pub(crate) fn member(&self, server: ServerId) -> Option<Member> {
        let identity = self.stored.identity?;
        Some(Member { id: server, incarnation: identity.incarnation })
    }
}

/// How many steps a job has between which a crash can come.
fn steps(job: &Job) -> usize {
    match job {
        Job::Append(_, entries) => entries.len() + 1,
        Job::Promise(..) | Job::Truncate(..) => 2,
        Job::Replace(..) => 7,
        Job::Cluster(_) | Job::Readmitted | Job::Compact(_) => 1,
    }
}

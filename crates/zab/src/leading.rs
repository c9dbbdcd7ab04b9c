//! The leader: it starts an epoch, then puts proposals in order and commits what a quorum holds.
//!
//! ```text
//!   Promising ──promise durable──▶ Starting ──EpochStart at a quorum──▶ Broadcasting
//!       ▲                                                                    │
//!       └───────────── the counter of the epoch is almost used up ───────────┘
//! ```
//!
//! Outside of `Broadcasting` proposals are held, in order, without a zxid.
//!
//! ```text
//!   committed  ≤  synced here  ≤  handed to the disk  ≤  proposed
//! ```

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Epoch, Millis, ServerId, Zxid};

use crate::{
    Body, Config, Effect, Entry, Member, Promise, Recovered, Settings, SyncTicket, Ticket,
};

/// The leader's state.
#[derive(Debug)]
pub struct Leading {
    member: Member,
    config: Config,
    settings: Settings,
    phase: Phase,
    epoch: Epoch,
    /// The last entry that has a place in the order.
    proposed: Zxid,
    /// Its time.
    proposed_time: Millis,
    committed: Zxid,
    /// The last entry that was in the log before this process; it is applied from there.
    recovered: Option<Zxid>,
    /// Entries that have a place and were not handed to the disk yet.
    batch: Vec<Entry>,
    /// Entries that have a place and are not committed yet, oldest first.
    /// Invariant: each `prev_zxid` is the `zxid` before it; all are greater than `committed`.
    uncommitted: VecDeque<Entry>,
    /// Commands that have no place yet.
    held: VecDeque<(Millis, Bytes)>,
    /// What the disk has and has not spoken of yet, oldest first: the last entry of each ticket,
    /// none for a promise.
    writing: VecDeque<(Ticket, Option<Zxid>)>,
    last_ticket: Ticket,
    /// The last entry each voter holds durably, as far as known here.
    synced: BTreeMap<ServerId, Zxid>,
    /// Syncs, with what must be committed before they are answered.
    syncs: VecDeque<(Zxid, SyncTicket)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Promising,
    Starting,
    Broadcasting,
}

impl Leading {
    /// Begins to lead: the promise of the next epoch goes to the disk.
    pub(crate) fn start(
        member: Member,
        config: Config,
        settings: Settings,
        recovered: Recovered,
        out: &mut Vec<Effect>,
    ) -> Self {
        assert!(recovered.committed <= recovered.last, "a checkpoint beyond the log");
        let mut leading = Self {
            member,
            config,
            settings,
            phase: Phase::Promising,
            epoch: recovered.promise.epoch.max(recovered.last.epoch()),
            proposed: recovered.last,
            proposed_time: recovered.last_time,
            committed: recovered.committed,
            recovered: (recovered.last > recovered.committed).then_some(recovered.last),
            batch: Vec::new(),
            uncommitted: VecDeque::new(),
            held: VecDeque::new(),
            writing: VecDeque::new(),
            last_ticket: Ticket::default(),
            synced: BTreeMap::new(),
            syncs: VecDeque::new(),
        };
        leading.promise(out);
        leading
    }

    pub(crate) fn is_broadcasting(&self) -> bool {
        self.phase == Phase::Broadcasting
    }

    pub(crate) fn committed(&self) -> Zxid {
        self.committed
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.uncommitted.len() + self.held.len()
    }

    pub(crate) fn propose(&mut self, wall: Millis, command: Bytes) {
        if self.phase == Phase::Broadcasting && self.held.is_empty() && !self.is_full() {
            self.place(wall, Body::Command(command));
        } else {
            self.held.push_back((wall, command));
        }
    }

    pub(crate) fn sync(&mut self, ticket: SyncTicket, out: &mut Vec<Effect>) {
        self.syncs.push_back((self.proposed, ticket));
        self.answer_syncs(out);
    }

    pub(crate) fn durable(&mut self, ticket: Ticket, out: &mut Vec<Effect>) {
        let (expected, last) = self.writing.pop_front().expect("the disk was given nothing");
        assert_eq!(ticket, expected, "the disk speaks out of order");
        match last {
            Some(last) => {
                self.synced.insert(self.member.id, last);
                self.commit(out);
            }
            None => self.start_epoch(),
        }
    }

    pub(crate) fn flush(&mut self, wall: Millis, out: &mut Vec<Effect>) {
        if self.phase == Phase::Broadcasting {
            self.release(wall);
            self.roll_over(out);
        }
        let Some(last) = self.batch.last() else { return };
        let (ticket, last) = (self.last_ticket.next(), last.zxid);
        self.last_ticket = ticket;
        self.writing.push_back((ticket, Some(last)));
        out.push(Effect::Append { ticket, entries: core::mem::take(&mut self.batch) });
    }

    /// Discovery: no other leader may start this epoch once the promise is durable.
    fn promise(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Promising;
        self.epoch = self.epoch.next().expect("Java clients cannot order zxids of a later epoch");
        let ticket = self.last_ticket.next();
        self.last_ticket = ticket;
        self.writing.push_back((ticket, None));
        let promise = Promise { epoch: self.epoch, to: self.member };
        out.push(Effect::Promise { ticket, promise });
    }

    /// The promise holds at a quorum; the epoch starts with its entry in the log.
    fn start_epoch(&mut self) {
        assert_eq!(self.phase, Phase::Promising);
        self.phase = Phase::Starting;
        self.place(self.proposed_time, Body::EpochStart(self.config.clone()));
    }

    fn place(&mut self, wall: Millis, body: Body) {
        let zxid = match &body {
            Body::EpochStart(_) => Zxid::new(self.epoch, 0),
            Body::Command(_) => self.proposed.next().expect("an epoch ends before its counter"),
        };
        let time = wall.max(self.proposed_time);
        let entry = Entry { zxid, prev_zxid: self.proposed, time, body };
        (self.proposed, self.proposed_time) = (zxid, time);
        self.batch.push(entry.clone());
        self.uncommitted.push_back(entry);
    }

    fn commit(&mut self, out: &mut Vec<Effect>) {
        let reached =
            self.config.reached(|voter| self.synced.get(&voter).copied().unwrap_or(Zxid::ZERO));
        // What an earlier epoch left is committed only through the start of this one.
        if reached < Zxid::new(self.epoch, 0) && self.phase != Phase::Broadcasting {
            return;
        }
        assert!(reached >= self.committed, "what is committed stays committed");
        if let Some(through) = self.recovered.take() {
            out.push(Effect::Replay { after: self.committed, through });
            self.committed = through;
        }
        while let Some(entry) = self.uncommitted.pop_front_if(|entry| entry.zxid <= reached) {
            self.deliver(entry, out);
        }
        self.answer_syncs(out);
    }

    fn deliver(&mut self, entry: Entry, out: &mut Vec<Effect>) {
        assert_eq!(entry.prev_zxid, self.committed, "a gap in what is delivered");
        self.committed = entry.zxid;
        let starts = matches!(entry.body, Body::EpochStart(_));
        out.push(Effect::Deliver(entry));
        if starts {
            self.phase = Phase::Broadcasting;
            out.push(Effect::Lead(self.epoch));
        }
    }

    /// Gives held commands their place, in the order they came.
    fn release(&mut self, wall: Millis) {
        while !self.is_full() {
            let Some((asked, command)) = self.held.pop_front() else { break };
            self.place(asked.max(wall), Body::Command(command));
        }
    }

    /// Starts the next epoch in place once nothing of this one is under way.
    fn roll_over(&mut self, out: &mut Vec<Effect>) {
        if self.is_full() && self.uncommitted.is_empty() && self.writing.is_empty() {
            self.promise(out);
        }
    }

    fn is_full(&self) -> bool {
        self.proposed.counter() >= self.settings.rollover_counter
    }

    fn answer_syncs(&mut self, out: &mut Vec<Effect>) {
        while let Some((_, ticket)) = self.syncs.pop_front_if(|(zxid, _)| *zxid <= self.committed) {
            out.push(Effect::Synced(ticket));
        }
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.committed <= self.proposed);
        let mut before = self.recovered.unwrap_or(self.committed);
        for entry in &self.uncommitted {
            assert_eq!(entry.prev_zxid, before);
            assert!(entry.zxid > before);
            before = entry.zxid;
        }
        assert_eq!(before, self.proposed);
        assert!(self.writing.iter().zip(self.writing.iter().skip(1)).all(|(a, b)| a.0 < b.0));
        assert!(self.synced.values().all(|synced| *synced <= self.proposed));
        assert!(self.phase == Phase::Broadcasting || self.uncommitted.len() <= 1);
    }
}

impl Ticket {
    fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

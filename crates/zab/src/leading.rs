//! The leader: it starts an epoch, then puts proposals in order and commits what a quorum holds.
//!
//! ```text
//!   Gathering ──quorum of infos──▶ Promising ──quorum of promises──▶ Starting
//!                                      ▲                                 │ EpochStart
//!                                      │ the epoch's counter             ▼ at a quorum
//!                                      └──── is almost used up ──── Broadcasting
//! ```
//!
//! Outside of `Broadcasting` proposals are held, in order, without a zxid. The start of the epoch
//! is an entry like others (ZAB's NEWLEADER): the learner that acknowledges it has all before it.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Epoch, Instant, Millis, ServerId, Zxid};

use crate::disk::Written;
use crate::history::EpochEnds;
use crate::message::{ChannelId, Message, Plan, Standing};
use crate::server::{Next, Server};
use crate::{Body, Effect, Entry, Member, Promise, SyncTicket};

/// The leader's state.
#[derive(Debug)]
pub(crate) struct Leading {
    phase: Phase,
    epoch: Epoch,
    learners: BTreeMap<ChannelId, Learner>,
    /// Commands that have no place yet.
    held: VecDeque<Bytes>,
    /// Syncs, in the order they were asked.
    syncs: VecDeque<Sync>,
    pings: u64,
    pinged: Instant,
    /// When it gives up if it does not broadcast by then: soon while a quorum has not even come,
    /// since it may have gone elsewhere (ZooKeeper 3109).
    give_up: Instant,
    /// What learners were told is committed.
    told_commit: Zxid,
    /// This server's own promise of the epoch is durable.
    own_promise: bool,
    /// A learner has promised a later epoch to somebody: a later one still is started.
    outbid: Option<Epoch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Gathering,
    Promising,
    Starting,
    Broadcasting,
}

#[derive(Debug)]
struct Learner {
    member: Member,
    epoch: Epoch,
    stage: Stage,
    heard: Instant,
    /// The last ping it answered.
    ponged: u64,
}

/// How far a learner is.
#[derive(Debug)]
enum Stage {
    /// It said who it is.
    Known,
    /// It said what its log holds; synchronised once the epoch starts.
    Promised { counts: bool, last: Zxid, ends: EpochEnds },
    /// It fetches a checkpoint.
    Installing,
    /// It is sent every entry; up to here it has them.
    Synchronised { acked: Zxid },
}

#[derive(Debug)]
struct Sync {
    /// The learner that asks; none for this server itself.
    learner: Option<ChannelId>,
    ticket: SyncTicket,
    /// Answered once a quorum has answered this ping ...
    ping: u64,
    /// ... and this is committed.
    zxid: Zxid,
}

impl Leading {
    pub(crate) fn begin(server: &mut Server, out: &mut Vec<Effect>) -> Self {
        let mut leading = Self {
            phase: Phase::Gathering,
            epoch: server.highest_epoch(),
            learners: BTreeMap::new(),
            held: VecDeque::new(),
            syncs: VecDeque::new(),
            pings: 0,
            pinged: server.now,
            give_up: server.now + server.settings.tick,
            told_commit: server.history.committed(),
            own_promise: false,
            outbid: None,
        };
        leading.gather(server, out);
        leading
    }

    pub(crate) fn standing(&self, server: &Server) -> (Standing, ServerId) {
        (Standing::Leading(self.epoch), server.member.id)
    }

    pub(crate) fn is_broadcasting(&self) -> bool {
        self.phase == Phase::Broadcasting
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn propose(&mut self, server: &mut Server, command: Bytes) {
        if self.is_broadcasting() && self.held.is_empty() && !self.is_full(server) {
            place(server, self.epoch, Body::Command(command));
        } else {
            self.held.push_back(command);
        }
    }

    pub(crate) fn receive(
        &mut self,
        server: &mut Server,
        channel: ChannelId,
        message: Message,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        if let Message::Info { member, promise } = message {
            self.meet(server, channel, member, promise, out);
            return None;
        }
        let Some(learner) = self.learners.get_mut(&channel) else {
            out.push(Effect::Close(channel));
            return None;
        };
        learner.heard = server.now;
        match message {
            Message::Promised { epoch, counts, last, ends } if epoch == self.epoch => {
                return self.promised(server, channel, Stage::Promised { counts, last, ends }, out);
            }
            Message::Installed { zxid } => self.installed(server, channel, zxid, out),
            Message::Ack { zxid } => self.acked(server, channel, zxid, out),
            Message::Pong { sequence } => {
                learner.ponged = learner.ponged.max(sequence);
                self.answer_syncs(server, out);
            }
            Message::Forward { command } => self.propose(server, command),
            Message::AskSync { ticket } => self.ask_sync(server, Some(channel), ticket, out),
            Message::Promised { .. } => {}
            _ => self.drop_learner(channel, out),
        }
        None
    }

    pub(crate) fn closed(&mut self, channel: ChannelId) {
        self.learners.remove(&channel);
        self.syncs.retain(|sync| sync.learner != Some(channel));
    }

    pub(crate) fn written(
        &mut self,
        server: &mut Server,
        written: Written,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        match written {
            Written::Promise(promise) if promise.epoch == self.epoch => {
                self.own_promise = true;
                let propose = Message::Propose { epoch: self.epoch };
                let channels: Vec<_> = self.learners.keys().copied().collect();
                channels.into_iter().for_each(|channel| send(channel, propose.clone(), out));
                return self.count_promises(server, out);
            }
            Written::Entries(_) => self.commit(server, out),
            Written::Promise(_) | Written::Cut(_) => {}
        }
        None
    }

    /// Leads on, or not: without a quorum, or with a disk that does not answer, others may do
    /// better.
    pub(crate) fn tick(&mut self, server: &Server, out: &mut Vec<Effect>) -> Option<Next> {
        let limit = server.settings.sync_limit;
        let heard = |learner: &Learner| server.now.since(learner.heard) <= limit;
        let silent: Vec<_> =
            self.learners.iter().filter(|(_, l)| !heard(l)).map(|(channel, _)| *channel).collect();
        silent.into_iter().for_each(|channel| self.drop_learner(channel, out));
        if server.now.since(self.pinged) >= Millis(server.settings.tick.0 / 2) {
            self.ping(server, out);
        }
        // Nobody else could do better: whoever is alone waits for its disk.
        if server.config.is_sole_voter(server.member.id) {
            return None;
        }
        let has_quorum = server.config.is_quorum(|id| self.has(server, id));
        let late = !self.is_broadcasting() && server.now > self.give_up;
        let alone = self.is_broadcasting() && !has_quorum;
        (late || alone || server.is_disk_stuck()).then_some(Next::Look)
    }

    pub(crate) fn flush(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        if self.is_broadcasting() {
            self.release(server);
            self.roll_over(server, out);
        }
        let entries = server.append_batch(out);
        let commit = server.history.committed();
        if entries.is_empty() && commit <= self.told_commit {
            return;
        }
        self.told_commit = commit;
        let message = match entries.is_empty() {
            true => Message::Commit { zxid: commit },
            false => Message::Entries { entries, commit },
        };
        for (channel, learner) in &self.learners {
            if matches!(learner.stage, Stage::Synchronised { .. }) {
                send(*channel, message.clone(), out);
            }
        }
    }

    pub(crate) fn sync(&mut self, server: &Server, ticket: SyncTicket, out: &mut Vec<Effect>) {
        self.ask_sync(server, None, ticket, out);
    }

    /// Gives all channels back, to be closed.
    pub(crate) fn end(&self, out: &mut Vec<Effect>) {
        out.extend(self.learners.keys().map(|channel| Effect::Close(*channel)));
    }

    /// A learner says who it is. A newer channel of the same server takes the place of an older.
    fn meet(
        &mut self,
        server: &mut Server,
        channel: ChannelId,
        member: Member,
        promise: Promise,
        out: &mut Vec<Effect>,
    ) {
        let older = self.learners.iter().find(|(_, learner)| learner.member.id == member.id);
        if let Some((older, _)) = older {
            self.drop_learner(*older, out);
        }
        let (stage, heard, epoch) = (Stage::Known, server.now, promise.epoch);
        self.learners.insert(channel, Learner { member, epoch, stage, heard, ponged: 0 });
        let elsewhere = epoch == self.epoch && promise.to != server.member;
        match self.phase {
            Phase::Gathering => self.gather(server, out),
            _ if epoch > self.epoch || elsewhere => self.outbid = self.outbid.max(Some(epoch)),
            _ if self.own_promise => {
                send(channel, Message::Propose { epoch: self.epoch }, out);
            }
            // It is told with the others, once this server's own promise is durable.
            Phase::Promising | Phase::Starting | Phase::Broadcasting => {}
        }
    }

    /// Discovery, first half: an epoch that nobody in a quorum has promised to anybody.
    fn gather(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        if server.config.is_quorum(|id| self.has(server, id)) {
            self.open_epoch(server, out);
        }
    }

    fn open_epoch(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        let known = self.learners.values().map(|learner| learner.epoch);
        let highest = known.chain(self.outbid).max().unwrap_or_default();
        let highest = highest.max(server.highest_epoch());
        self.epoch = highest.next().expect("Java clients cannot order zxids of a later epoch");
        (self.phase, self.outbid, self.own_promise) = (Phase::Promising, None, false);
        self.give_up = server.now + server.settings.init_limit;
        server.promise(Promise { epoch: self.epoch, to: server.member }, out);
    }

    /// Discovery, second half: a quorum follows nobody else into this epoch. Whoever has more than
    /// this server must lead instead: what it has may be committed.
    fn promised(
        &mut self,
        server: &mut Server,
        channel: ChannelId,
        stage: Stage,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        let learner = self.learners.get_mut(&channel).expect("it was just heard");
        let Stage::Promised { counts, last, .. } = &stage else { return None };
        let counted = *counts && server.config.is_voter(learner.member.id);
        if counted && self.phase == Phase::Promising && *last > server.history.last() {
            return Some(Next::Look);
        }
        match learner.stage {
            // In place: its log is this one already.
            Stage::Synchronised { .. } if counted => learner.epoch = self.epoch,
            Stage::Synchronised { .. } => {}
            _ => learner.stage = stage,
        }
        if self.phase == Phase::Promising {
            return self.count_promises(server, out);
        }
        self.synchronise(server, channel, out);
        None
    }

    fn count_promises(&mut self, server: &mut Server, out: &mut Vec<Effect>) -> Option<Next> {
        let promised = |id: ServerId| {
            id == server.member.id || self.learner(id).is_some_and(|l| self.counts(l))
        };
        if !self.own_promise || !server.config.is_quorum(promised) {
            return None;
        }
        self.phase = Phase::Starting;
        place(server, self.epoch, Body::EpochStart(server.config.clone()));
        let channels: Vec<_> = self.learners.keys().copied().collect();
        channels.into_iter().for_each(|channel| self.synchronise(server, channel, out));
        None
    }

    fn counts(&self, learner: &Learner) -> bool {
        match &learner.stage {
            Stage::Promised { counts, .. } => *counts,
            // One that was synchronised in the epoch before promised this one in place.
            Stage::Synchronised { .. } => learner.epoch == self.epoch,
            Stage::Known | Stage::Installing => false,
        }
    }

    /// Synchronisation: the learner's log becomes this one, from where they part.
    fn synchronise(&mut self, server: &Server, channel: ChannelId, out: &mut Vec<Effect>) {
        let Some(learner) = self.learners.get_mut(&channel) else { return };
        let Stage::Promised { last, ends, .. } = &learner.stage else { return };
        let mine = server.history.ends();
        let common = mine.common(ends).filter(|common| *common >= mine.first());
        let (plan, after) = match common {
            None => (Plan::Checkpoint, Zxid::ZERO),
            Some(common) if common == *last => (Plan::Diff, common),
            Some(common) => (Plan::Truncate(common), common),
        };
        let through = server.history.last();
        send(channel, Message::Sync { plan, through }, out);
        if plan == Plan::Checkpoint {
            learner.stage = Stage::Installing;
            return;
        }
        learner.stage = Stage::Synchronised { acked: after };
        send_history(server, channel, after, out);
    }

    fn installed(
        &mut self,
        server: &Server,
        channel: ChannelId,
        zxid: Zxid,
        out: &mut Vec<Effect>,
    ) {
        let learner = self.learners.get_mut(&channel).expect("it was just heard");
        if matches!(learner.stage, Stage::Installing) {
            let ends = EpochEnds::new(zxid, []);
            learner.stage = Stage::Promised { counts: false, last: zxid, ends };
            self.synchronise(server, channel, out);
        }
    }

    fn acked(
        &mut self,
        server: &mut Server,
        channel: ChannelId,
        zxid: Zxid,
        out: &mut Vec<Effect>,
    ) {
        let learner = self.learners.get_mut(&channel).expect("it was just heard");
        match &mut learner.stage {
            Stage::Synchronised { acked } if zxid <= server.history.last() => {
                *acked = zxid.max(*acked);
                self.commit(server, out);
            }
            _ => self.drop_learner(channel, out),
        }
    }

    fn commit(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        let reached = server.config.reached(|id| self.acked_by(server, id));
        // What an earlier epoch left is committed only through the start of this one.
        let start = Zxid::new(self.epoch, 0);
        if self.phase < Phase::Starting || reached < start && self.phase == Phase::Starting {
            return;
        }
        server.history.commit(reached, out);
        if self.phase == Phase::Starting {
            self.phase = Phase::Broadcasting;
            out.push(Effect::Lead(self.epoch));
        }
        self.answer_syncs(server, out);
    }

    /// Gives held commands their place, in the order they came.
    fn release(&mut self, server: &mut Server) {
        while self.outbid.is_none() && !self.is_full(server) {
            let Some(command) = self.held.pop_front() else { break };
            place(server, self.epoch, Body::Command(command));
        }
    }

    /// Starts another epoch in place once nothing of this one is under way.
    fn roll_over(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        let due = self.is_full(server);
        if due && server.history.uncommitted() == 0 && server.disk.is_idle() {
            self.open_epoch(server, out);
        }
    }

    fn is_full(&self, server: &Server) -> bool {
        self.outbid.is_some() || server.history.last().counter() >= server.settings.rollover_counter
    }

    fn ask_sync(
        &mut self,
        server: &Server,
        learner: Option<ChannelId>,
        ticket: SyncTicket,
        out: &mut Vec<Effect>,
    ) {
        // A round that begins now: only so is it known that nobody else leads yet.
        self.ping(server, out);
        let zxid = server.history.last();
        self.syncs.push_back(Sync { learner, ticket, ping: self.pings, zxid });
        self.answer_syncs(server, out);
    }

    fn answer_syncs(&mut self, server: &Server, out: &mut Vec<Effect>) {
        let committed = server.history.committed();
        while let Some(sync) = self.syncs.pop_front_if(|sync| sync.zxid <= committed) {
            let answered = |id: ServerId| {
                id == server.member.id || self.learner(id).is_some_and(|l| l.ponged >= sync.ping)
            };
            if !server.config.is_quorum(answered) {
                return self.syncs.push_front(sync);
            }
            let Sync { learner, ticket, zxid, .. } = sync;
            match learner {
                Some(channel) => send(channel, Message::Synced { ticket, zxid }, out),
                None => out.push(Effect::Synced(ticket)),
            }
        }
    }

    fn ping(&mut self, server: &Server, out: &mut Vec<Effect>) {
        self.pings += 1;
        self.pinged = server.now;
        let ping = Message::Ping { sequence: self.pings, commit: server.history.committed() };
        self.learners.keys().for_each(|channel| send(*channel, ping.clone(), out));
    }

    fn drop_learner(&mut self, channel: ChannelId, out: &mut Vec<Effect>) {
        self.closed(channel);
        out.push(Effect::Close(channel));
    }

    fn learner(&self, id: ServerId) -> Option<&Learner> {
        self.learners.values().find(|learner| learner.member.id == id)
    }

    fn has(&self, server: &Server, id: ServerId) -> bool {
        id == server.member.id || self.learner(id).is_some()
    }

    fn acked_by(&self, server: &Server, id: ServerId) -> Zxid {
        if id == server.member.id {
            return server.history.durable();
        }
        match self.learner(id).map(|learner| &learner.stage) {
            Some(Stage::Synchronised { acked }) => *acked,
            _ => Zxid::ZERO,
        }
    }

    pub(crate) fn check_invariants(&self, server: &Server) {
        assert!(self.epoch <= server.promise.epoch, "an epoch that this server did not promise");
        assert!(self.told_commit <= server.history.committed());
        let acked = |learner: &Learner| match learner.stage {
            Stage::Synchronised { acked } => acked,
            _ => Zxid::ZERO,
        };
        assert!(self.learners.values().all(|learner| acked(learner) <= server.history.last()));
    }
}

/// Gives an entry its place in the order.
fn place(server: &mut Server, epoch: Epoch, body: Body) {
    let prev_zxid = server.history.last();
    let zxid = match &body {
        Body::EpochStart(_) => Zxid::new(epoch, 0),
        Body::Command(_) => prev_zxid.next().expect("an epoch ends before its counter"),
    };
    assert_eq!(zxid.epoch(), epoch, "an entry of another leader's epoch");
    let time = server.wall.max(server.history.last_time());
    server.history.append(Entry { zxid, prev_zxid, time, body });
}

/// Sends what the learner lacks: from the log what is there, the rest from memory. The entries of
/// this turn go to all learners when it ends.
fn send_history(server: &Server, channel: ChannelId, after: Zxid, out: &mut Vec<Effect>) {
    let durable = server.history.durable();
    if after < durable {
        out.push(Effect::SendLog { channel, after, through: durable });
    }
    let entries: Vec<Entry> =
        server.history.being_written().filter(|entry| entry.zxid > after).cloned().collect();
    if !entries.is_empty() {
        send(channel, Message::Entries { entries, commit: Zxid::ZERO }, out);
    }
}

fn send(channel: ChannelId, message: Message, out: &mut Vec<Effect>) {
    out.push(Effect::Send { channel, message });
}

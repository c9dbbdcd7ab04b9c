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
//!
//! This file has the state and the inputs; then `discovery`, `synchronisation` and `broadcast` in
//! the order in which a learner meets them, `admission` for a voter that lost its disk, `rounds`:
//! what only a leader may answer, `sharing`: what everybody has, and `handing`: how it ends if all goes well.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Epoch, Instant, ServerId, Zxid};

use crate::disk::Written;
use crate::message::{ChannelId, Message, Standing};
use crate::server::{Next, Server};
use crate::{Effect, SyncTicket};

mod discovery;
mod synchronisation;

mod admission;
mod broadcast;
mod handing;
mod rounds;
mod sharing;

mod learner;

use handing::Handing;
pub use learner::LearnerView;
use learner::{Learner, Stage};
use rounds::{Question, Rounds};

/// The leader's state.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Leading {
    phase: Phase,
    epoch: Epoch,
    /// Nothing was ever agreed: it needs everybody, not a quorum, to begin.
    forms: bool,
    learners: BTreeMap<ChannelId, Learner>,
    /// Commands that have no place yet.
    held: VecDeque<Bytes>,
    rounds: Rounds,
    /// When it said last what everybody has.
    shared: Instant,
    /// When it gives up if it does not broadcast by then: soon while a quorum has not even come,
    /// since it may have gone elsewhere (ZooKeeper 3109).
    give_up: Instant,
    /// It said that it leads; while it starts another epoch in place, it still does.
    leads: bool,
    /// What learners were told is committed.
    told_commit: Zxid,
    /// This server's own promise of the epoch is durable.
    own_promise: bool,
    /// A learner has promised a later epoch to somebody: a later one still is started.
    outbid: Option<Epoch>,
    /// It was asked to let somebody else lead.
    handing: Option<Handing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    Gathering,
    Promising,
    Starting,
    Broadcasting,
}

impl Leading {
    pub(crate) fn begin(server: &mut Server, out: &mut Vec<Effect>) -> Self {
        let mut leading = Self {
            phase: Phase::Gathering,
            epoch: server.highest_epoch(),
            forms: server.is_uninitialised(),
            learners: BTreeMap::new(),
            held: VecDeque::new(),
            rounds: Rounds::new(server.now),
            shared: server.now,
            give_up: server.now + server.settings.tick,
            leads: false,
            told_commit: server.history.committed(),
            own_promise: false,
            outbid: None,
            handing: None,
        };
        leading.gather(server, out);
        leading
    }

    pub(crate) fn standing(&self, server: &Server) -> (Standing, ServerId) {
        (Standing::Leading(self.epoch), server.member.id)
    }

    pub(crate) fn learner_views(&self, server: &Server) -> Vec<LearnerView> {
        let view = |learner: &Learner| LearnerView {
            id: learner.member.id,
            has_vote: counts(server, learner),
            is_synchronised: matches!(learner.stage, Stage::Synchronised { .. }),
        };
        self.learners.values().map(view).collect()
    }

    pub(crate) fn leads(&self) -> bool {
        self.leads
    }

    pub(crate) fn is_broadcasting(&self) -> bool {
        self.phase == Phase::Broadcasting
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn receive(
        &mut self,
        server: &mut Server,
        channel: ChannelId,
        message: Message,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        if let Message::Info { member, promise, uninitialised } = message {
            return self.meet(server, channel, (member, promise), uninitialised, out);
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
                self.ponged(server, channel, sequence, out);
                return self.hand_over_to_best(server);
            }
            Message::Forward { command } => self.propose(server, command),
            Message::AskSync { ticket } => self.sync(server, Some(channel), ticket, out),
            Message::Touch { payload } => {
                out.push(Effect::Touched { channel: Some(channel), payload });
            }
            Message::Promised { .. } => {}
            _ => self.drop_learner(channel, out),
        }
        None
    }

    pub(crate) fn closed(&mut self, channel: ChannelId) {
        self.learners.remove(&channel);
        self.rounds.forget(channel);
    }

    pub(crate) fn written(
        &mut self,
        server: &mut Server,
        written: Written,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        match written {
            Written::Promise(promise) if promise.epoch == self.epoch => {
                return self.promised_itself(server, out);
            }
            Written::Entries(_) => self.commit(server, out),
            Written::Promise(_) | Written::Cut(_) | Written::Replaced(_) => {}
        }
        None
    }

    /// Leads on, or not: without a quorum, or with a disk that does not answer, others may do
    /// better.
    pub(crate) fn tick(&mut self, server: &mut Server, out: &mut Vec<Effect>) -> Option<Next> {
        let limit = server.settings.sync_limit;
        let heard = |learner: &Learner| server.now.since(learner.heard) <= limit;
        let silent: Vec<_> =
            self.learners.iter().filter(|(_, l)| !heard(l)).map(|(channel, _)| *channel).collect();
        silent.into_iter().for_each(|channel| self.drop_learner(channel, out));
        self.keep_in_touch(server, out);
        self.share_records(server, out);
        self.give_up_handing_over(server);
        // Nobody else could do better: whoever is alone waits for its disk.
        if server.config().is_sole_voter(server.member.id) {
            return None;
        }
        let has_quorum = server.config().is_quorum(|id| self.has(server, id));
        let late = !self.is_broadcasting() && server.now > self.give_up;
        let alone = self.is_broadcasting() && !has_quorum;
        let leaves = late || alone || server.is_disk_stuck();
        leaves.then_some(Next::Look).or_else(|| self.hand_over_to_any(server))
    }

    pub(crate) fn sync(
        &mut self,
        server: &mut Server,
        by: Option<ChannelId>,
        ticket: SyncTicket,
        out: &mut Vec<Effect>,
    ) {
        let zxid = server.history.last();
        self.ask(server, by, Question::Sync { ticket, zxid }, true, out);
    }

    /// Somebody's touch was taken: to be confirmed after a round.
    pub(crate) fn confirm(
        &mut self,
        server: &mut Server,
        by: Option<ChannelId>,
        payload: Bytes,
        urgent: bool,
        out: &mut Vec<Effect>,
    ) {
        if by.is_none_or(|channel| self.learners.contains_key(&channel)) {
            self.ask(server, by, Question::Touch { payload }, urgent, out);
        }
    }

    /// Gives all channels back, to be closed.
    pub(crate) fn end(&self, out: &mut Vec<Effect>) {
        out.extend(self.learners.keys().map(|channel| Effect::Close(*channel)));
    }

    fn drop_learner(&mut self, channel: ChannelId, out: &mut Vec<Effect>) {
        self.closed(channel);
        out.push(Effect::Close(channel));
    }

    /// The voter of this number, if it is here in the life that counts.
    fn voter(&self, server: &Server, id: ServerId) -> Option<&Learner> {
        let mut those = self.learners.values().filter(|learner| learner.member.id == id);
        those.next().filter(|learner| counts(server, learner))
    }

    fn has(&self, server: &Server, id: ServerId) -> bool {
        id == server.member.id || self.voter(server, id).is_some()
    }

    pub(crate) fn check_invariants(&self, server: &Server) {
        assert!(self.epoch <= server.promise.epoch, "an epoch that this server did not promise");
        assert!(self.told_commit <= server.history.committed());
        let last = server.history.last();
        assert!(self.learners.values().all(|learner| learner.acked() <= last));
        self.rounds.check_invariants();
    }
}

fn counts(server: &Server, learner: &Learner) -> bool {
    server.config().counts(learner.member) && learner.counts_from <= server.history.committed()
}

fn send(channel: ChannelId, message: Message, out: &mut Vec<Effect>) {
    out.push(Effect::Send { channel, message });
}

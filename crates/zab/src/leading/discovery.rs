//! Discovery: an epoch that nobody in a quorum has promised to anybody else, and a leader that has
//! all that they have.

use alloc::vec::Vec;

use zooid_ids::ServerId;

use super::broadcast::place;
use super::learner::{Learner, Stage};
use super::{Leading, Phase, send};
use crate::message::{ChannelId, Message};
use crate::server::{Next, Server};
use crate::{Body, Effect, Member, Promise};

impl Leading {
    /// A learner says who it is. A newer channel of the same server takes the place of an older.
    pub(super) fn meet(
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

    /// First half: a quorum has come.
    pub(super) fn gather(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        if server.config.is_quorum(|id| self.has(server, id)) {
            self.open_epoch(server, out);
        }
    }

    pub(super) fn open_epoch(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        let known = self.learners.values().map(|learner| learner.epoch);
        let highest = known.chain(self.outbid).max().unwrap_or_default();
        let highest = highest.max(server.highest_epoch());
        self.epoch = highest.next().expect("Java clients cannot order zxids of a later epoch");
        (self.phase, self.outbid, self.own_promise) = (Phase::Promising, None, false);
        self.give_up = server.now + server.settings.init_limit;
        server.promise(Promise { epoch: self.epoch, to: server.member }, out);
    }

    /// Nobody is asked for a promise before this server's own is durable (ZooKeeper 1291).
    pub(super) fn promised_itself(
        &mut self,
        server: &mut Server,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        self.own_promise = true;
        let propose = Message::Propose { epoch: self.epoch };
        self.learners.keys().for_each(|channel| send(*channel, propose.clone(), out));
        self.count_promises(server, out)
    }

    /// Second half: a quorum follows nobody else into this epoch. Whoever has more than this server
    /// must lead instead: what it has may be committed.
    pub(super) fn promised(
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
}

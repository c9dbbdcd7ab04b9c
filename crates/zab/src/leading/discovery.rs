//! Discovery: an epoch that nobody in a quorum has promised to anybody else, and a leader that has
//! all that they have.

use alloc::vec::Vec;

use zooid_ids::{Epoch, ServerId, Zxid};

use super::broadcast::place;
use super::learner::{Learner, Stage};
use super::{Leading, Phase, send};
use crate::message::{ChannelId, Message};
use crate::server::{Next, Server};
use crate::{Body, Config, Effect, Member, Promise};

impl Leading {
    /// A learner says who it is. A newer channel of the same server takes the place of an older.
    pub(super) fn meet(
        &mut self,
        server: &mut Server,
        channel: ChannelId,
        (member, promise): (Member, Promise),
        uninitialised: bool,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        let older = self.learners.iter().find(|(_, learner)| learner.member.id == member.id);
        if let Some((older, learner)) = older {
            if server.config().counts(learner.member) && !server.config().counts(member) {
                // Another life of a server that is there: a copy, or a mistake.
                out.push(Effect::Close(channel));
                return None;
            }
            self.drop_learner(*older, out);
        }
        let epoch = promise.epoch;
        // It may have been admitted by this leader over an earlier channel, and not yet by the
        // others. What leaders before this one admitted counts, as their whole log does.
        let admitted = server.history.counts_since(member);
        let by_this_leader = self.is_broadcasting() && admitted.epoch() == self.epoch;
        let counts_from = if by_this_leader { admitted } else { Zxid::ZERO };
        self.learners.insert(
            channel,
            Learner {
                member,
                epoch,
                stage: Stage::Known,
                uninitialised,
                heard: server.now,
                ponged: 0,
                joined: Zxid::ZERO,
                counts_from,
            },
        );
        let elsewhere = epoch == self.epoch && promise.to != server.member;
        match self.phase {
            Phase::Gathering if self.forms && epoch > Epoch(0) && promise.to != server.member => {
                // It forms the ensemble with somebody else or not at all.
                server.yields_to = Some(promise.to.id);
                return Some(Next::Look);
            }
            Phase::Gathering => self.gather(server, out),
            _ if epoch > self.epoch || elsewhere => self.outbid = self.outbid.max(Some(epoch)),
            _ if self.own_promise => {
                send(channel, self.proposal(), out);
            }
            // It is told with the others, once this server's own promise is durable.
            Phase::Promising | Phase::Starting | Phase::Broadcasting => {}
        }
        None
    }

    /// First half: a quorum has come; if nothing was ever agreed, everybody, and all say so. Were
    /// less enough, servers that lost their disks could agree on another beginning.
    pub(super) fn gather(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        let fresh =
            |id| id == server.member.id || self.voter(server, id).is_some_and(|l| l.uninitialised);
        let enough = match self.forms {
            true => server.config().everyone().all(fresh),
            false => server.config().is_quorum(|id| self.has(server, id)),
        };
        if enough {
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
        let proposal = self.proposal();
        self.learners.keys().for_each(|channel| send(*channel, proposal.clone(), out));
        self.count_promises(server, out)
    }

    fn proposal(&self) -> Message {
        Message::Propose { epoch: self.epoch, forms: self.forms }
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
        let is_voter = server.config().counts(learner.member);
        if is_voter && *last < server.must_have(learner.member) {
            send(channel, Message::Suspect, out);
            self.drop_learner(channel, out);
            return None;
        }
        let counted = *counts && is_voter;
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
            id == server.member.id || self.voter(server, id).is_some_and(|l| self.counts(l))
        };
        let enough = match self.forms {
            true => server.config().everyone().all(promised),
            false => server.config().is_quorum(promised),
        };
        if !self.own_promise || !enough {
            return None;
        }
        (self.phase, self.forms) = (Phase::Starting, false);
        let config = self.registering(server);
        place(server, self.epoch, Body::EpochStart(config));
        let channels: Vec<_> = self.learners.keys().copied().collect();
        channels.into_iter().for_each(|channel| self.synchronise(server, channel, out));
        None
    }

    /// The config in force, with the life of every voter that is here and of which none counted yet.
    fn registering(&self, server: &Server) -> Config {
        let mut config = server.config().clone();
        let here = self.learners.values().filter(|learner| self.counts(learner));
        for member in here.map(|learner| learner.member).chain([server.member]) {
            if config.is_voter(member.id) {
                config.registered.entry(member.id).or_insert(Some(member.incarnation));
            }
        }
        config
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

//! Broadcast: proposals get their place in the order and go to everybody; what a quorum has made
//! durable is committed.

use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Epoch, ServerId, Zxid};

use super::learner::{Learner, Stage};
use super::{Leading, Phase, send};
use crate::message::{ChannelId, Message};
use crate::server::Server;
use crate::{Body, Effect, Entry};

impl Leading {
    pub(crate) fn propose(&mut self, server: &mut Server, command: Bytes) {
        if self.held.is_empty() && self.takes_proposals(server) {
            place(server, self.epoch, Body::Command(command));
        } else {
            self.held.push_back(command);
        }
    }

    pub(crate) fn flush(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        self.release(server);
        self.admit(server);
        self.prepare_hand_over(server, out);
        self.roll_over(server, out);
        self.next_round(server, out);
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
            if learner.is_synchronised() {
                send(*channel, message.clone(), out);
            }
        }
    }

    pub(super) fn acked(
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
                server.acknowledged.insert(learner.member.id, (learner.member.incarnation, *acked));
                self.commit(server, out);
            }
            _ => self.drop_learner(channel, out),
        }
    }

    pub(super) fn commit(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        let reached = server.config().reached(|id| self.acked_by(server, id));
        // What an earlier epoch left is committed only through the start of this one.
        let start = Zxid::new(self.epoch, 0);
        if self.phase < Phase::Starting || reached < start && self.phase == Phase::Starting {
            return;
        }
        server.history.commit(reached, out);
        if self.phase == Phase::Starting {
            (self.phase, self.leads) = (Phase::Broadcasting, true);
            out.push(Effect::Lead(self.epoch));
        }
        server.answer_syncs(out);
    }

    /// Gives held commands their place, in the order they came.
    fn release(&mut self, server: &mut Server) {
        while self.takes_proposals(server) {
            let Some(command) = self.held.pop_front() else { break };
            place(server, self.epoch, Body::Command(command));
        }
    }

    /// Starts another epoch in place once nothing of this one is under way.
    fn roll_over(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        let due = self.is_broadcasting() && self.handing.is_none() && self.is_full(server);
        if due && server.history.uncommitted() == 0 && server.disk.is_idle() {
            self.open_epoch(server, out);
        }
    }

    pub(super) fn takes_proposals(&self, server: &Server) -> bool {
        self.is_broadcasting() && self.handing.is_none() && !self.is_full(server)
    }

    fn is_full(&self, server: &Server) -> bool {
        self.outbid.is_some() || server.history.last().counter() >= server.settings.rollover_counter
    }

    fn acked_by(&self, server: &Server, id: ServerId) -> Zxid {
        if id == server.member.id {
            return server.history.durable();
        }
        self.voter(server, id).map_or(Zxid::ZERO, Learner::acked)
    }
}

/// Gives an entry its place in the order, and tells which.
pub(super) fn place(server: &mut Server, epoch: Epoch, body: Body) -> Zxid {
    let prev_zxid = server.history.last();
    let zxid = match &body {
        Body::EpochStart(_) => Zxid::new(epoch, 0),
        Body::Command(_) | Body::Config(_) => {
            prev_zxid.next().expect("an epoch ends before its counter")
        }
    };
    assert_eq!(zxid.epoch(), epoch, "an entry of another leader's epoch");
    let time = server.wall.max(server.history.last_time());
    server.history.append(Entry { zxid, prev_zxid, time, body });
    zxid
}

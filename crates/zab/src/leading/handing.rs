//! Handing over: a leader that is asked to stop lets somebody lead who has everything, so that the
//! others need not find out that it is gone.
//!
//! It holds what is proposed, lets everything commit, and begins a round. A voter that answers it
//! is alive, has the whole log, and knows that it is committed. Then this server leaves, and votes
//! for that voter instead of itself.

use alloc::vec::Vec;

use zooid_ids::Instant;

use super::learner::Learner;
use super::{Leading, counts};
use crate::Effect;
use crate::server::{Next, Server};

/// A leader that is about to hand over.
#[derive(Clone, Debug, Hash)]
pub(super) struct Handing {
    /// It goes on leading if nobody could take over by then.
    give_up: Instant,
    /// The round that began when everything was committed.
    round: Option<u64>,
}

impl Leading {
    pub(crate) fn hand_over(&mut self, server: &Server) {
        let somebody = !server.config().is_sole_voter(server.member.id);
        if self.is_broadcasting() && self.handing.is_none() && somebody {
            let give_up = server.now + server.settings.sync_limit;
            self.handing = Some(Handing { give_up, round: None });
        }
    }

    /// Begins the round once nothing is under way.
    pub(super) fn prepare_hand_over(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        let quiet = server.history.uncommitted() == 0 && server.disk.is_idle();
        let waits = self.handing.as_ref().is_some_and(|handing| handing.round.is_none());
        if quiet && waits {
            let round = Some(self.ping(server, out));
            self.handing.iter_mut().for_each(|handing| handing.round = round);
        }
    }

    /// Leaves if all voters could take over.
    pub(super) fn hand_over_to_best(&self, server: &mut Server) -> Option<Next> {
        let voter = |learner: &&Learner| counts(server, learner);
        let all = self.learners.values().filter(voter).all(|l| self.can_take_over(server, l));
        if all { self.hand_over_to_any(server) } else { None }
    }

    /// Leaves if anybody could take over; of several the one that wins among equals.
    pub(super) fn hand_over_to_any(&self, server: &mut Server) -> Option<Next> {
        let able = self.learners.values().filter(|learner| self.can_take_over(server, learner));
        server.yields_to = Some(able.map(|learner| learner.member.id).max()?);
        Some(Next::Look)
    }

    fn can_take_over(&self, server: &Server, learner: &Learner) -> bool {
        let round = self.handing.as_ref().and_then(|handing| handing.round);
        counts(server, learner)
            && learner.acked() == server.history.last()
            && round.is_some_and(|round| learner.ponged >= round)
    }

    /// Nobody could for too long: it goes on.
    pub(super) fn give_up_handing_over(&mut self, server: &Server) {
        self.handing.take_if(|handing| server.now > handing.give_up);
    }
}

//! Admission: a voter that lost its disk comes back in another life, and counts again.
//!
//! What the lost life had promised and acknowledged is gone, so the new one may only count once
//! nobody can count on the old one any more. That takes two entries, each committed before the
//! next: first nobody counts under that number, then the new life does. A quorum of the first is
//! one of every config before it too, and has a server in common with every one of the second; two
//! quorums that follow each other directly, one with the old life and one with the new, would have
//! none. So it needs a quorum among the others, and a quorum that was lost is not made up for.

use zooid_ids::Zxid;

use super::Leading;
use super::broadcast::place;
use super::learner::Learner;
use crate::server::Server;
use crate::{Body, Config};

impl Leading {
    /// Makes the next step for one learner, once it has what was there before.
    pub(super) fn admit(&mut self, server: &mut Server) {
        let pending = server.history.config_since() > server.history.committed();
        if pending || !self.takes_proposals(server) {
            return;
        }
        let Some(learner) = self.learners.values_mut().find(|learner| is_ready(server, learner))
        else {
            return;
        };
        let (id, life) = (learner.member.id, learner.member.incarnation);
        let mut config: Config = server.config().clone();
        let is_replaced = matches!(config.registered.get(&id), Some(Some(_)));
        config.registered.insert(id, (!is_replaced).then_some(life));
        let zxid = place(server, self.epoch, Body::Config(config));
        if !is_replaced {
            // The entry that admits it is committed by the others.
            learner.counts_from = zxid;
        }
    }
}

/// True if it would be a voter but for its life, and has acknowledged all that it was sent when it
/// came, and the last change before it.
fn is_ready(server: &Server, learner: &Learner) -> bool {
    let config = server.config();
    let has: Zxid = learner.acked();
    config.is_voter(learner.member.id)
        && config.registered.get(&learner.member.id) != Some(&Some(learner.member.incarnation))
        && learner.is_synchronised()
        && has >= learner.joined.max(server.history.config_since())
}

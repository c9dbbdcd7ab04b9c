//! Sharing: everybody hears every few seconds what everybody has, so that each can tell of a disk
//! that was rolled back, whoever leads then.

use alloc::vec::Vec;

use zooid_ids::{Millis, Zxid};

use super::{Leading, counts, send};
use crate::message::Message;
use crate::server::Server;
use crate::{Effect, Member};

/// How often.
const SHARE: Millis = Millis(2000);

impl Leading {
    pub(super) fn share_records(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        if !self.is_broadcasting() || server.now.since(self.shared) < SHARE {
            return;
        }
        self.shared = server.now;
        let committed = server.history.committed();
        let voters = self.learners.values().filter(|learner| counts(server, learner));
        let others: Vec<(Member, Zxid)> =
            voters.map(|learner| (learner.member, learner.acked().min(committed))).collect();
        others.iter().for_each(|(member, zxid)| server.records.learn(*member, *zxid));
        let mut had = others;
        had.push((server.member, server.history.durable().min(committed)));
        for (channel, learner) in &self.learners {
            if learner.is_synchronised() {
                send(*channel, Message::Acknowledged { had: had.clone() }, out);
            }
        }
    }
}

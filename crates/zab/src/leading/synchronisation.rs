//! Synchronisation: a learner's log becomes the leader's, from where they part.

use alloc::vec::Vec;

use zooid_ids::Zxid;

use super::learner::Stage;
use super::{Leading, send};
use crate::history::EpochEnds;
use crate::message::{ChannelId, Message, Plan};
use crate::server::Server;
use crate::{Effect, Entry};

impl Leading {
    pub(super) fn synchronise(
        &mut self,
        server: &Server,
        channel: ChannelId,
        out: &mut Vec<Effect>,
    ) {
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
        learner.joined = through;
        send(channel, Message::Sync { plan, through }, out);
        if plan == Plan::Checkpoint {
            learner.stage = Stage::Installing;
            return;
        }
        learner.stage = Stage::Synchronised { acked: after };
        send_history(server, channel, after, out);
        self.join_round(server, channel, out);
    }

    pub(super) fn installed(
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

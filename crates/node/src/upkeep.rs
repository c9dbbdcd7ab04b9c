//! What a leader does by the clock: it ends sessions and collects nodes, both through the log.

use zooid_ids::Millis;
use zooid_model::{Command, Origin};

use crate::Node;

impl Node {
    /// Proposes the end of each session that nothing was heard of for its timeout. It lives until
    /// that is committed, and the order of the log decides if it is taken up meanwhile.
    pub(crate) fn expire_sessions(&mut self) {
        if !self.is_leading() {
            return;
        }
        for session in self.expiry.expire(self.clock.now) {
            self.ending.insert(session);
            self.propose(&Command::CloseSession { session, by: Origin::Expiry });
        }
    }

    /// Proposes to collect empty containers and TTL nodes whose time is over. The tree looks again
    /// when the entry is applied.
    pub(crate) fn collect_nodes(&mut self) {
        if !self.is_leading() || self.clock.now < self.next_collect {
            return;
        }
        let interval = self.settings.collect_interval;
        self.next_collect = self.clock.now + interval;
        let limit = per_interval(self.settings.collect_per_minute, interval);
        let never_used = self.settings.collect_never_used;
        for command in self.tree.collectable(self.clock.wall, never_used, limit) {
            self.propose(&command);
        }
    }
}

fn per_interval(per_minute: usize, interval: Millis) -> usize {
    let minute = 60_000;
    let share = per_minute.saturating_mul(usize::try_from(interval.0).unwrap_or(0)) / minute;
    share.clamp(1, per_minute.max(1))
}

//! Containers and TTL nodes, which the leader collects when nobody uses them any more.

use alloc::vec::Vec;

use zooid_ids::{Millis, Zxid};
use zooid_model::{Command, EphemeralOwner};

use crate::arena::NodeId;
use crate::node::Node;
use crate::outcome::{Applied, Outcome, Stamp};
use crate::tree::Tree;
use crate::write::Report;

/// When a childless node may be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A container that had children: now.
    Now,
    /// A container that never had a child, since its data was last set.
    NeverUsed(Millis),
    /// A TTL node: after this time.
    After(Millis),
}

/// When a node may be collected, if it is one that ever is.
pub(crate) fn due(node: &Node) -> Option<Due> {
    let owner = node.owner();
    if matches!(owner, EphemeralOwner::None | EphemeralOwner::Session(_)) || node.child_count() > 0
    {
        return None;
    }
    let stat = node.persisted();
    match owner {
        EphemeralOwner::Container if stat.creates != 0 => Some(Due::Now),
        EphemeralOwner::Container => Some(Due::NeverUsed(stat.mtime)),
        EphemeralOwner::Ttl(ttl) if ttl.0 > 0 => {
            Some(Due::After(Millis(stat.mtime.0.saturating_add(ttl.0))))
        }
        EphemeralOwner::Ttl(_) | EphemeralOwner::None | EphemeralOwner::Session(_) => None,
    }
}

impl Tree {
    /// The commands that collect what may be collected at `now` (the leader's wall clock), `limit`
    /// at most: containers whose last child is gone; those that never had one and whose data was
    /// not set for longer than `never_used` (0 or less keeps them for ever); TTL nodes without
    /// children whose data was not set for longer than their time to live. What is not due costs
    /// no time.
    #[must_use]
    pub fn collectable(&self, now: Millis, never_used: Millis, limit: usize) -> Vec<Command> {
        let oldest = (Due::NeverUsed(Millis(i64::MIN)), NodeId::ROOT);
        let unused_since = match never_used.0 {
            1.. => Millis(now.0.saturating_sub(never_used.0)),
            _ => Millis(i64::MIN),
        };
        let emptied = self.due.range(..oldest);
        let unused = self.due.range(oldest..(Due::NeverUsed(unused_since), NodeId::ROOT));
        let first = (Due::After(Millis(i64::MIN)), NodeId::ROOT);
        let over = self.due.range(first..(Due::After(now), NodeId::ROOT));
        emptied
            .chain(unused)
            .chain(over)
            .take(limit)
            .map(|(_, id)| {
                let stat = self.nodes.get(*id).persisted();
                let (czxid, mzxid, pzxid) = (stat.czxid, stat.mzxid, stat.pzxid);
                Command::Collect { path: self.path_of(*id), czxid, mzxid, pzxid }
            })
            .collect()
    }

    /// Deletes a container or TTL node if it is as it was seen: `czxid`, `mzxid`, `pzxid`.
    pub(crate) fn collect(&mut self, stamp: Stamp, path: &str, seen: [Zxid; 3]) -> Applied {
        let found = self.locate(path).filter(|id| {
            let node = self.nodes.get(*id);
            let stat = node.persisted();
            [stat.czxid, stat.mzxid, stat.pzxid] == seen
                && node.child_count() == 0
                && matches!(stat.owner(), EphemeralOwner::Container | EphemeralOwner::Ttl(_))
        });
        let Some(id) = found else { return Applied::nothing(Outcome::NotCollected) };
        let mut report = Report::default();
        self.remove_node(stamp, id, path, &mut report);
        report.into_applied(Outcome::Collected)
    }
}

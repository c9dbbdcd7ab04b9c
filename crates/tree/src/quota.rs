//! Quotas: what is used of them, and what would go over them.
//!
//! A node `/zookeeper/quota/PATH/zookeeper_limits` puts limits on the nodes at and below `PATH`;
//! what is used stands in the node `zookeeper_stats` beside it. What is used is always exact, on
//! every server, since it decides what a hard quota refuses: the data of a `zookeeper_stats` with
//! limits beside it is written here, whatever a client puts there, and nested quotas all count.
//! There is no quota on the root, nor on `/zookeeper` and below.

use alloc::format;
use alloc::vec::Vec;

use zooid_model::{ErrorCode, Grants, path};

use crate::arena::NodeId;
use crate::tree::Tree;

const QUOTAS: &str = "/zookeeper/quota";
pub(crate) const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// What is used of a quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Nodes.
    pub(crate) count: i64,
    /// Bytes of their data.
    pub(crate) bytes: i64,
}

/// The limits of one quota; -1 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    count: i64,
    bytes: i64,
    count_hard: i64,
    bytes_hard: i64,
}

impl Limits {
    /// From `count=5,bytes=-1=;byteHardLimit=100;countHardLimit=-1`; what cannot be read limits
    /// nothing.
    fn parse(text: &[u8]) -> Self {
        let mut limits = Self { count: -1, bytes: -1, count_hard: -1, bytes_hard: -1 };
        let text = core::str::from_utf8(text).unwrap_or_default();
        for pair in text.split([',', ';']) {
            let mut parts = pair.split('=');
            let (key, value) = (parts.next(), parts.next());
            let value = value.and_then(|value| value.parse().ok()).unwrap_or(-1);
            match key {
                Some("count") => limits.count = value,
                Some("bytes") => limits.bytes = value,
                Some("countHardLimit") => limits.count_hard = value,
                Some("byteHardLimit") => limits.bytes_hard = value,
                _ => {}
            }
        }
        limits
    }
}

/// True if over the soft limit.
fn check_limit(after: i64, soft: i64, hard: i64) -> Result<bool, ErrorCode> {
    match (soft, hard) {
        (_, hard) if hard > -1 && after > hard => Err(ErrorCode::QuotaExceeded),
        (_, hard) if hard > -1 => Ok(false),
        (soft, _) => Ok(soft > -1 && after > soft),
    }
}

impl Tree {
    /// True if the quota nearest to the path would be over its soft limits; an error if it would
    /// be over its hard ones.
    pub(crate) fn check_quota(
        &self,
        grants: Grants,
        path: &str,
        count: i64,
        bytes: i64,
    ) -> Result<bool, ErrorCode> {
        if !grants.enforce_quota {
            return Ok(false);
        }
        let Some(limits_id) = self.quotas_on(path).pop() else { return Ok(false) };
        let limits_node = self.nodes.get(limits_id);
        if self.child(limits_node.parent, STATS).is_none() {
            return Ok(false);
        }
        let limits = Limits::parse(limits_node.data().unwrap_or_default());
        let used = self.quotas[&limits_id];
        let over_count =
            count != 0 && check_limit(used.count + count, limits.count, limits.count_hard)?;
        let over_bytes =
            bytes != 0 && check_limit(used.bytes + bytes, limits.bytes, limits.bytes_hard)?;
        Ok(over_count || over_bytes)
    }

    /// Counts a node that was created, and begins a quota where the node is one's limits.
    pub(crate) fn account_created(&mut self, id: NodeId, path: &str, bytes: i64) {
        self.account(path, 1, bytes);
        let Some((target, name)) = quota_of(path) else { return };
        match name {
            LIMITS => self.begin_quota(id, target),
            STATS => {
                let parent = self.nodes.get(id).parent;
                let used = match self.limits_in(parent) {
                    Some(limits) => self.quotas[&limits],
                    None => self.measure(target),
                };
                self.write_stats(parent, used);
            }
            _ => {}
        }
    }

    /// Counts data that was set, and sets it right where it says what is used of a quota.
    pub(crate) fn account_set(&mut self, id: NodeId, path: &str, growth: i64) {
        self.account(path, 0, growth);
        if quota_of(path).is_some_and(|(_, name)| name == STATS) {
            let parent = self.nodes.get(id).parent;
            if let Some(limits) = self.limits_in(parent) {
                self.write_stats(parent, self.quotas[&limits]);
            }
        }
    }

    /// Ends a quota whose limits are about to be deleted.
    pub(crate) fn set_usage_gone(&mut self, id: NodeId) {
        if self.quotas.contains_key(&id) {
            self.set_usage(id, None);
        }
    }

    /// Counts nodes and bytes on every quota above a path.
    pub(crate) fn account(&mut self, path: &str, count: i64, bytes: i64) {
        for limits in self.quotas_on(path) {
            let before = self.quotas[&limits];
            let used = Usage { count: before.count + count, bytes: before.bytes + bytes };
            self.set_usage(limits, Some(used));
            self.write_stats(self.nodes.get(limits).parent, used);
        }
    }

    /// Begins every quota whose limits are in the tree.
    pub(crate) fn begin_quotas(&mut self) {
        let root = self.locate(QUOTAS).expect("the system nodes are never deleted");
        let mut waiting = alloc::vec![root];
        while let Some(id) = waiting.pop() {
            let node = self.nodes.get(id);
            waiting.extend(node.children().map(|child| child.id));
            if node.name.as_str() == LIMITS {
                let path = self.path_of(id);
                if let Some((target, LIMITS)) = quota_of(&path) {
                    self.begin_quota(id, target);
                }
            }
        }
    }

    fn begin_quota(&mut self, limits: NodeId, target: &str) {
        let used = self.measure(target);
        self.set_usage(limits, Some(used));
        self.write_stats(self.nodes.get(limits).parent, used);
    }

    /// The nodes with the limits of the quotas at and above a path, the nearest last.
    fn quotas_on(&self, path: &str) -> Vec<NodeId> {
        let mut found = Vec::new();
        if self.quotas.is_empty() {
            return found;
        }
        let mut at = self.locate(QUOTAS).expect("the system nodes are never deleted");
        for name in path::names(path) {
            match self.child(at, name) {
                Some(child) => at = child,
                None => break,
            }
            found.extend(self.limits_in(at));
        }
        found
    }

    /// The limits beside the other children of a node, if they are those of a quota.
    fn limits_in(&self, parent: NodeId) -> Option<NodeId> {
        self.child(parent, LIMITS).filter(|limits| self.quotas.contains_key(limits))
    }

    /// Counts the nodes at and below a path.
    pub(crate) fn measure(&self, target: &str) -> Usage {
        let mut used = Usage::default();
        let mut waiting: Vec<NodeId> = self.locate(target).into_iter().collect();
        while let Some(id) = waiting.pop() {
            let node = self.nodes.get(id);
            used.count += 1;
            used.bytes += node.data_len() as i64;
            waiting.extend(node.children().map(|child| child.id));
        }
        used
    }

    fn write_stats(&mut self, parent: NodeId, used: Usage) {
        let Some(stats) = self.child(parent, STATS) else { return };
        let text = format!("count={},bytes={}", used.count, used.bytes);
        if self.nodes.get(stats).data() != Some(text.as_bytes()) {
            let path = self.path_of(stats);
            self.set_data_of(stats, &path, Some(text.as_bytes()));
        }
    }
}

/// The path that a node's parent is about, if that can have a quota, and the node's name.
pub(crate) fn quota_of(path: &str) -> Option<(&str, &str)> {
    let (target, name) = path.strip_prefix(QUOTAS)?.rsplit_once('/')?;
    let first = path::names(target).next()?;
    (target.starts_with('/') && first != "zookeeper").then_some((target, name))
}

//! What a client that comes back has not seen.

use zooid_ids::Zxid;
use zooid_model::{EventKind, Stat};

use crate::Watch;

/// The event that a watch of an earlier connection would have had since `relative`, the newest zxid
/// that the client has seen; `stat` is the node's now, `None` where there is none. If the answer is
/// `None`, nothing was missed and the watch is to be set; otherwise it has had its one event.
///
/// Persistent watches are always set: what they missed is lost, as in ZooKeeper. These events
/// carry no zxid, and ZooKeeper asks no ACL before it sends them.
#[must_use]
pub fn missed(watch: Watch, relative: Zxid, stat: Option<&Stat>) -> Option<EventKind> {
    match (watch, stat) {
        (Watch::Data | Watch::Child, None) => Some(EventKind::NodeDeleted),
        (Watch::Data, Some(stat)) if stat.mzxid > relative => Some(EventKind::NodeDataChanged),
        (Watch::Child, Some(stat)) if stat.pzxid > relative => Some(EventKind::NodeChildrenChanged),
        (Watch::Exist, Some(_)) => Some(EventKind::NodeCreated),
        _ => None,
    }
}

//! Which watches one connection has, kept in the plainest way.

use std::collections::{BTreeMap, BTreeSet};

use zooid_model::{ChangeKind, WatchKind, path};

/// A kind of watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Watch {
    Data,
    /// Kept as `Data`; the two differ only in what is missed.
    Exist,
    Child,
    Persistent,
    Recursive,
}

/// The watches by path.
#[derive(Default)]
pub(super) struct Table(BTreeMap<String, BTreeSet<Watch>>);

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, path: &str, watch: Watch) {
        let watch = if watch == Watch::Exist { Watch::Data } else { watch };
        self.0.entry(path.to_owned()).or_default().insert(watch);
    }

    /// Whether a change is heard; what it uses up is gone.
    pub(super) fn take(&mut self, kind: ChangeKind, path: &str) -> bool {
        let hears: &[Watch] = match kind {
            ChangeKind::Created | ChangeKind::DataChanged => {
                &[Watch::Data, Watch::Persistent, Watch::Recursive]
            }
            ChangeKind::Deleted => {
                &[Watch::Data, Watch::Child, Watch::Persistent, Watch::Recursive]
            }
            ChangeKind::ChildrenChanged => &[Watch::Child, Watch::Persistent],
        };
        let is_heard = hears.iter().any(|watch| self.holds(path, *watch));
        for watch in hears {
            if matches!(watch, Watch::Data | Watch::Child) {
                self.drop(path, *watch);
            }
        }
        is_heard || kind != ChangeKind::ChildrenChanged && self.is_below_recursive(path)
    }

    fn is_below_recursive(&self, path: &str) -> bool {
        let above = std::iter::successors(path::parent(path), |path| path::parent(path));
        above.into_iter().any(|above| self.holds(above, Watch::Recursive))
    }

    /// What `checkWatches` asks.
    pub(super) fn has(&self, path: &str, kind: WatchKind) -> bool {
        match watch(kind) {
            Some(watch) => self.holds(path, watch),
            None => self.0.contains_key(path),
        }
    }

    /// What `removeWatches` does; true if there was one.
    pub(super) fn remove(&mut self, path: &str, kind: WatchKind) -> bool {
        let had = self.has(path, kind);
        match watch(kind) {
            Some(watch) => self.drop(path, watch),
            None => drop(self.0.remove(path)),
        }
        had
    }

    fn holds(&self, path: &str, watch: Watch) -> bool {
        self.0.get(path).is_some_and(|held| held.contains(&watch))
    }

    fn drop(&mut self, path: &str, watch: Watch) {
        if let Some(held) = self.0.get_mut(path) {
            held.remove(&watch);
            if held.is_empty() {
                self.0.remove(path);
            }
        }
    }
}

/// `None` for any.
fn watch(kind: WatchKind) -> Option<Watch> {
    match kind {
        WatchKind::Children => Some(Watch::Child),
        WatchKind::Data => Some(Watch::Data),
        WatchKind::Any => None,
        WatchKind::Persistent => Some(Watch::Persistent),
        WatchKind::PersistentRecursive => Some(Watch::Recursive),
    }
}

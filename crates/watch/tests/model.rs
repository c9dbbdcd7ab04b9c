//! Compares [`Watches`] with a slow model that keeps ZooKeeper's two tables as they are described:
//! each finds a connection once per event, and a deletion asks the second only for those that the
//! first did not find.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use zooid_ids::ConnectionId;
use zooid_model::{Change, ChangeKind, WatchKind, path};
use zooid_watch::{Watch, Watches};

const PATHS: [&str; 8] = ["/", "/a", "/a/b", "/a/b/c", "/a/c", "/ab", "/b", "/a/b/c/d"];
const LIMIT: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    OneShot,
    Persistent,
    Recursive,
}

/// Who has which watches, path by path.
#[derive(Default)]
struct Table(BTreeMap<(String, ConnectionId), BTreeSet<Mode>>);

impl Table {
    fn add(&mut self, connection: ConnectionId, path: &str, mode: Mode) {
        self.0.entry((path.into(), connection)).or_default().insert(mode);
    }

    fn has(&self, connection: ConnectionId, path: &str, mode: Option<Mode>) -> bool {
        let held = self.0.get(&(path.into(), connection));
        held.is_some_and(|held| mode.is_none_or(|mode| held.contains(&mode)))
    }

    fn remove(&mut self, connection: ConnectionId, path: &str, mode: Option<Mode>) -> bool {
        let had = self.has(connection, path, mode);
        if let Some(held) = self.0.get_mut(&(path.into(), connection)) {
            held.retain(|held| mode.is_some_and(|mode| *held != mode));
        }
        self.0.retain(|_, held| !held.is_empty());
        had
    }

    fn trigger(&mut self, path: &str) -> BTreeSet<ConnectionId> {
        let mut found = BTreeSet::new();
        for ((watched, connection), held) in &mut self.0 {
            if watched == path {
                found.insert(*connection);
                held.remove(&Mode::OneShot);
            } else if is_above(watched, path) && held.contains(&Mode::Recursive) {
                found.insert(*connection);
            }
        }
        self.0.retain(|_, held| !held.is_empty());
        found
    }
}

fn is_above(ancestor: &str, path: &str) -> bool {
    std::iter::successors(path::parent(path), |path| path::parent(path)).any(|up| up == ancestor)
}

#[derive(Default)]
struct Model {
    data: Table,
    child: Table,
}

impl Model {
    fn add(&mut self, connection: ConnectionId, path: &str, watch: Watch) -> bool {
        let mut paths: BTreeSet<String> = BTreeSet::new();
        for (path, holder) in self.data.0.keys().chain(self.child.0.keys()) {
            if *holder == connection {
                paths.insert(path.clone());
            }
        }
        if paths.len() >= LIMIT && !paths.contains(path) {
            return false;
        }
        match watch {
            Watch::Data | Watch::Exist => self.data.add(connection, path, Mode::OneShot),
            Watch::Child => self.child.add(connection, path, Mode::OneShot),
            Watch::Persistent => {
                self.data.add(connection, path, Mode::Persistent);
                self.child.add(connection, path, Mode::Persistent);
            }
            Watch::PersistentRecursive => self.data.add(connection, path, Mode::Recursive),
        }
        true
    }

    fn fire(&mut self, kind: ChangeKind, path: &str) -> Vec<ConnectionId> {
        let mut heard = match kind {
            ChangeKind::ChildrenChanged => BTreeSet::new(),
            _ => self.data.trigger(path),
        };
        if matches!(kind, ChangeKind::ChildrenChanged | ChangeKind::Deleted) {
            heard.extend(self.child.trigger(path));
        }
        heard.into_iter().collect()
    }

    fn contains(&self, connection: ConnectionId, path: &str, kind: WatchKind) -> bool {
        let data = |mode| self.data.has(connection, path, mode);
        match kind {
            WatchKind::Children => self.child.has(connection, path, Some(Mode::OneShot)),
            WatchKind::Data => data(Some(Mode::OneShot)),
            WatchKind::Persistent => data(Some(Mode::Persistent)),
            WatchKind::PersistentRecursive => data(Some(Mode::Recursive)),
            WatchKind::Any => data(None) || self.child.has(connection, path, None),
        }
    }

    fn remove(&mut self, connection: ConnectionId, path: &str, kind: WatchKind) -> bool {
        let (data, child) = match kind {
            WatchKind::Children => (None, Some(Some(Mode::OneShot))),
            WatchKind::Data => (Some(Some(Mode::OneShot)), None),
            WatchKind::Persistent => (Some(Some(Mode::Persistent)), Some(Some(Mode::Persistent))),
            WatchKind::PersistentRecursive => (Some(Some(Mode::Recursive)), None),
            WatchKind::Any => (Some(None), Some(None)),
        };
        let data = data.is_some_and(|mode| self.data.remove(connection, path, mode));
        let child = child.is_some_and(|mode| self.child.remove(connection, path, mode));
        data || child
    }

    fn drop_connection(&mut self, connection: ConnectionId) {
        self.data.0.retain(|(_, holder), _| *holder != connection);
        self.child.0.retain(|(_, holder), _| *holder != connection);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(ConnectionId, &'static str, Watch),
    Fire(ChangeKind, &'static str),
    Remove(ConnectionId, &'static str, WatchKind),
    Drop(ConnectionId),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let connection = || (1..5u64).prop_map(ConnectionId);
    let path = || select(&PATHS[..]);
    let watch = select(vec![
        Watch::Data,
        Watch::Exist,
        Watch::Child,
        Watch::Persistent,
        Watch::PersistentRecursive,
    ]);
    let change = select(vec![
        ChangeKind::Created,
        ChangeKind::Deleted,
        ChangeKind::DataChanged,
        ChangeKind::ChildrenChanged,
    ]);
    let step = prop_oneof![
        8 => (connection(), path(), watch).prop_map(|(c, p, w)| Step::Add(c, p, w)),
        6 => (change, path()).prop_map(|(c, p)| Step::Fire(c, p)),
        3 => (connection(), path(), kind()).prop_map(|(c, p, k)| Step::Remove(c, p, k)),
        1 => connection().prop_map(Step::Drop),
    ];
    proptest::collection::vec(step, 0..120)
}

fn kind() -> impl Strategy<Value = WatchKind> {
    select(KINDS.to_vec())
}

const KINDS: [WatchKind; 5] = [
    WatchKind::Children,
    WatchKind::Data,
    WatchKind::Any,
    WatchKind::Persistent,
    WatchKind::PersistentRecursive,
];

proptest! {
    #[test]
    fn as_the_model(steps in steps(), hash_key: u64) {
        let mut watches = Watches::with_limit(hash_key, LIMIT);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Add(connection, path, watch) => prop_assert_eq!(
                    watches.add(connection, path, watch).is_ok(),
                    model.add(connection, path, watch)
                ),
                Step::Fire(kind, path) => {
                    prop_assert_eq!(fire(&mut watches, kind, path), model.fire(kind, path));
                }
                Step::Remove(connection, path, kind) => prop_assert_eq!(
                    watches.remove(connection, path, kind),
                    model.remove(connection, path, kind)
                ),
                Step::Drop(connection) => {
                    watches.drop_connection(connection);
                    model.drop_connection(connection);
                }
            }
            compare(&watches, &model)?;
        }
    }
}

fn fire(watches: &mut Watches, kind: ChangeKind, path: &str) -> Vec<ConnectionId> {
    let change = Change { kind, path: path.into(), acl: [].into() };
    let mut heard = Vec::new();
    watches.fire(&change, &mut |connection, event| {
        assert_eq!(event, kind.event());
        heard.push(connection);
    });
    heard
}

fn compare(watches: &Watches, model: &Model) -> Result<(), TestCaseError> {
    watches.check_invariants();
    for connection in (1..5).map(ConnectionId) {
        for path in PATHS {
            for kind in KINDS {
                prop_assert_eq!(
                    watches.contains(connection, path, kind),
                    model.contains(connection, path, kind)
                );
            }
        }
    }
    prop_assert_eq!(watches.count(), model.data.0.len() + model.child.0.len());
    let listed: BTreeSet<(String, ConnectionId)> = watches
        .by_path()
        .into_iter()
        .flat_map(|(path, holders)| holders.into_iter().map(move |holder| (path.into(), holder)))
        .collect();
    prop_assert!(listed.iter().eq(model.data.0.keys()));
    Ok(())
}

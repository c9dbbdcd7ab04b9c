//! What operators are told of the watches: the numbers and lists behind `wchs`, `wchc`, `wchp` and
//! `mntr`. ZooKeeper's three words speak of data watches only (persistent ones among them), its
//! count of both tables; so do these.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use zooid_ids::ConnectionId;

use crate::Watches;
use crate::watch::Modes;

/// The numbers of `wchs`, of data watches only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Connections that have any.
    pub connections: usize,
    /// Paths that have any.
    pub paths: usize,
    /// Pairs of a connection and a path.
    pub watches: usize,
}

impl Watches {
    /// `zk_watch_count`: pairs of a connection and a path, counted once as data and once as child
    /// watch.
    #[must_use]
    pub fn count(&self) -> usize {
        let totals = self.table.totals();
        totals.data + totals.child
    }

    /// What `wchs` says.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let totals = self.table.totals();
        Summary {
            connections: totals.data_connections,
            paths: totals.data_paths,
            watches: totals.data,
        }
    }

    /// What `wchc` lists: each connection with data watches, and their paths; both ascending.
    #[must_use]
    pub fn by_connection(&self) -> BTreeMap<ConnectionId, Vec<&str>> {
        grouped(self.data_watches())
    }

    /// What `wchp` lists: each path with data watches, and their connections; both ascending.
    #[must_use]
    pub fn by_path(&self) -> BTreeMap<&str, Vec<ConnectionId>> {
        grouped(self.data_watches().map(|(connection, path)| (path, connection)))
    }

    fn data_watches(&self) -> impl Iterator<Item = (ConnectionId, &str)> {
        let all = self.table.iter();
        let data = all.filter(|(_, _, modes)| modes.has_any(Modes::DATA_TABLE));
        data.map(|(connection, path, _)| (connection, path))
    }
}

fn grouped<K: Ord, V: Ord>(pairs: impl Iterator<Item = (K, V)>) -> BTreeMap<K, Vec<V>> {
    let mut groups: BTreeMap<K, Vec<V>> = BTreeMap::new();
    pairs.for_each(|(key, value)| groups.entry(key).or_default().push(value));
    groups.values_mut().for_each(|group| group.sort_unstable());
    groups
}

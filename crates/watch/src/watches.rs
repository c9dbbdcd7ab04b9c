//! The watches of one server: set, fired, removed.

use alloc::vec::Vec;
use core::mem;

use thiserror::Error;
use zooid_ids::ConnectionId;
use zooid_model::{Change, ChangeKind, EventKind, WatchKind, limits};

use crate::Watch;
use crate::table::Table;
use crate::watch::Modes;

/// A connection watches as many paths as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the connection already watches {limit} paths")]
pub struct TooManyWatches {
    /// How many it may.
    pub limit: usize,
}

/// All watches of all connections of one server.
#[derive(Debug)]
pub struct Watches {
    pub(crate) table: Table,
    limit: usize,
    /// Empty between calls; only its memory is kept.
    hearers: Vec<ConnectionId>,
}

impl Watches {
    /// None yet. `hash_key` is unpredictable for clients, so that they cannot choose paths that
    /// collide; nothing else depends on it.
    #[must_use]
    pub fn new(hash_key: u64) -> Self {
        Self::with_limit(hash_key, limits::WATCHES_PER_CONNECTION)
    }

    /// As [`Watches::new`], with another limit on the paths that one connection watches.
    #[must_use]
    pub fn with_limit(hash_key: u64, limit: usize) -> Self {
        Self { table: Table::new(hash_key), limit, hearers: Vec::new() }
    }

    /// Leaves a watch; one that is there already stays as it is.
    ///
    /// # Errors
    /// If the connection would watch one path too many. Another watch on a path that it watches
    /// already is never too many.
    pub fn add(
        &mut self,
        connection: ConnectionId,
        path: &str,
        watch: Watch,
    ) -> Result<(), TooManyWatches> {
        let added = self.table.add(connection, path, watch.into(), self.limit);
        added.then_some(()).ok_or(TooManyWatches { limit: self.limit })
    }

    /// Gives each connection that waits for this change to `notify`, once, by ascending id, and
    /// takes away the watches that were good for one event. Returns how many connections waited.
    ///
    /// `notify` decides whether the connection may hear of it; the watch is used up in any case.
    pub fn fire(
        &mut self,
        change: &Change,
        notify: &mut impl FnMut(ConnectionId, EventKind),
    ) -> usize {
        let mut hearers = mem::take(&mut self.hearers);
        self.take(change, &mut |connection| hearers.push(connection));
        hearers.sort_unstable();
        hearers.dedup();
        let heard = hearers.len();
        hearers.drain(..).for_each(|connection| notify(connection, change.kind.event()));
        self.hearers = hearers;
        heard
    }

    fn take(&mut self, change: &Change, found: &mut impl FnMut(ConnectionId)) {
        let (hear, used_up) = (Modes::that_hear(change.kind), Modes::used_up_by(change.kind));
        self.table.take(&change.path, hear, used_up, found);
        if change.kind != ChangeKind::ChildrenChanged && self.table.totals().recursive > 0 {
            self.table.above(&change.path, found);
        }
    }

    /// True if the connection has such a watch on this path; [`WatchKind::Any`] means any at all.
    #[must_use]
    pub fn contains(&self, connection: ConnectionId, path: &str, kind: WatchKind) -> bool {
        self.table.modes(connection, path).has_any(Modes::of_kind(kind))
    }

    /// Takes such watches off a path; says whether there was one. The server sends no event of it:
    /// clients make up their own from the answer.
    pub fn remove(&mut self, connection: ConnectionId, path: &str, kind: WatchKind) -> bool {
        self.table.remove(connection, path, Modes::of_kind(kind))
    }

    /// Takes all watches of a connection away, in a time that grows with their number only.
    pub fn drop_connection(&mut self, connection: ConnectionId) {
        self.table.drop_connection(connection);
    }

    /// Panics if what is kept twice does not agree: lists, indexes and counts.
    pub fn check_invariants(&self) {
        assert!(self.hearers.is_empty());
        self.table.check();
    }
}

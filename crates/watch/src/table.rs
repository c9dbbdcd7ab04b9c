//! The registrations, found from either side: by path, and by connection.
//!
//! Each registration stands in two linked lists, that of its path and that of its connection, and
//! in an index of pairs. So everything is done in a time that does not grow with the number of
//! watches, and a watch costs 28 bytes and its share of the index; the text of a path is kept once.
//! Nothing outside can see the order of the lists or of the hash tables.

mod check;

use alloc::boxed::Box;
use core::hash::Hasher;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use zooid_ids::ConnectionId;
use zooid_model::path;

use crate::slab::Slab;
use crate::watch::Modes;

/// No number of any slab: the end of a list.
const NIL: u32 = u32::MAX;

/// All registrations of this server.
#[derive(Debug)]
pub(crate) struct Table {
    hash_key: u64,
    registrations: Slab<Registration>,
    pairs: HashTable<u32>,
    paths: Slab<Path>,
    texts: HashTable<u32>,
    connections: Slab<Connection>,
    ids: HashTable<u32>,
    totals: Totals,
}

/// What is counted as it goes, since to count it when asked would take a walk over everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Registrations in the data table.
    pub(crate) data: usize,
    /// Registrations in the child table.
    pub(crate) child: usize,
    /// Recursive watches.
    pub(crate) recursive: usize,
    /// Paths with a registration in the data table.
    pub(crate) data_paths: usize,
    /// Connections with a registration in the data table.
    pub(crate) data_connections: usize,
}

/// One connection's watches on one path; never without any.
#[derive(Debug, Default)]
pub(crate) struct Registration {
    connection: u32,
    path: u32,
    links: [Links; 2],
    modes: Modes,
}

#[derive(Debug)]
struct Path {
    text: Box<str>,
    first: u32,
    data: u32,
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    first: u32,
    registrations: u32,
    data: u32,
}

impl Default for Path {
    fn default() -> Self {
        Self { text: Box::default(), first: NIL, data: 0 }
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self { id: ConnectionId::default(), first: NIL, registrations: 0, data: 0 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Links {
    previous: u32,
    next: u32,
}

impl Default for Links {
    fn default() -> Self {
        Self { previous: NIL, next: NIL }
    }
}

/// Which of its two lists.
#[derive(Clone, Copy)]
enum List {
    OfPath = 0,
    OfConnection = 1,
}

impl Table {
    /// An empty table; `hash_key` is unpredictable, or clients could choose paths that collide.
    pub(crate) fn new(hash_key: u64) -> Self {
        Self {
            hash_key,
            registrations: Slab::default(),
            pairs: HashTable::new(),
            paths: Slab::default(),
            texts: HashTable::new(),
            connections: Slab::default(),
            ids: HashTable::new(),
            totals: Totals::default(),
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// This connection's watches on this path.
    pub(crate) fn modes(&self, connection: ConnectionId, path: &str) -> Modes {
        self.find(connection, path).map_or(Modes::NONE, |at| self.registrations[at].modes)
    }

    /// Adds to this connection's watches on this path; false if that would be a path more than
    /// `limit`.
    pub(crate) fn add(
        &mut self,
        connection: ConnectionId,
        path: &str,
        modes: Modes,
        limit: usize,
    ) -> bool {
        let at = match self.find(connection, path) {
            Some(at) => at,
            None if self.registrations_of(connection) >= limit => return false,
            None => self.register(connection, path),
        };
        self.set_modes(at, self.registrations[at].modes.with(modes));
        true
    }

    /// Takes from this connection's watches on this path; false if it had none of them.
    pub(crate) fn remove(&mut self, connection: ConnectionId, path: &str, modes: Modes) -> bool {
        let Some(at) = self.find(connection, path) else { return false };
        let held = self.registrations[at].modes;
        self.set_modes(at, held.without(modes));
        held.has_any(modes)
    }

    /// Gives every connection that has any of `modes` on `path` to `found`, and takes away what of
    /// its watches there is in `used_up`.
    pub(crate) fn take(
        &mut self,
        path: &str,
        modes: Modes,
        used_up: Modes,
        found: &mut impl FnMut(ConnectionId),
    ) {
        let Some(path) = self.path(self.hash_text(path), path) else { return };
        let mut at = self.paths[path].first;
        while at != NIL {
            let registration = &self.registrations[at];
            let (held, next) = (registration.modes, registration.next(List::OfPath));
            if held.has_any(modes) {
                found(self.connections[registration.connection].id);
                self.set_modes(at, held.without(used_up));
            }
            at = next;
        }
    }

    /// Gives every connection with a recursive watch on a node above `path` to `found`. Each
    /// ancestor's hash goes on from that of the one above.
    pub(crate) fn above(&self, path: &str, found: &mut impl FnMut(ConnectionId)) {
        if path == path::ROOT {
            return;
        }
        self.recursive(self.hash_text(path::ROOT), path::ROOT, found);
        let mut hasher = self.hasher();
        let mut hashed = 0;
        for (end, _) in path.match_indices('/').skip(1) {
            hasher.write(&path.as_bytes()[hashed..end]);
            hashed = end;
            self.recursive(hasher.finish(), &path[..end], found);
        }
    }

    fn recursive(&self, hash: u64, path: &str, found: &mut impl FnMut(ConnectionId)) {
        let Some(path) = self.path(hash, path) else { return };
        for registration in self.walk(self.paths[path].first, List::OfPath) {
            if registration.modes.has_any(Modes::RECURSIVE) {
                found(self.connections[registration.connection].id);
            }
        }
    }

    /// Takes away all that a connection has.
    pub(crate) fn drop_connection(&mut self, connection: ConnectionId) {
        let Some(connection) = self.connection(connection) else { return };
        let mut at = self.connections[connection].first;
        while at != NIL {
            let next = self.registrations[at].next(List::OfConnection);
            self.set_modes(at, Modes::NONE);
            at = next;
        }
    }

    /// Every registration, connection by connection, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &str, Modes)> {
        self.pairs.iter().map(|at| {
            let registration = &self.registrations[*at];
            let connection = self.connections[registration.connection].id;
            (connection, &*self.paths[registration.path].text, registration.modes)
        })
    }

    /// How many paths this connection watches.
    fn registrations_of(&self, connection: ConnectionId) -> usize {
        self.connection(connection).map_or(0, |at| self.connections[at].registrations as usize)
    }

    fn register(&mut self, connection: ConnectionId, path: &str) -> u32 {
        let connection = self.intern_connection(connection);
        let path = self.intern_path(path);
        let hash = self.hash_pair(connection, path);
        let at = self.registrations.insert(Registration { connection, path, ..Default::default() });
        let (registrations, hash_key) = (&self.registrations, self.hash_key);
        self.pairs.insert_unique(hash, at, |at| {
            let Registration { connection, path, .. } = registrations[*at];
            hash_numbers(hash_key, connection, path)
        });
        self.link(List::OfPath, at);
        self.link(List::OfConnection, at);
        self.connections[connection].registrations += 1;
        at
    }

    fn set_modes(&mut self, at: u32, modes: Modes) {
        let registration = &mut self.registrations[at];
        let old = core::mem::replace(&mut registration.modes, modes);
        let Registration { connection, path, .. } = *registration;
        self.count(connection, path, old, modes);
        if modes == Modes::NONE {
            self.unregister(at, connection, path);
        }
    }

    fn count(&mut self, connection: u32, path: u32, old: Modes, new: Modes) {
        let totals = &mut self.totals;
        recount(&mut totals.child, old, new, Modes::CHILD_TABLE);
        recount(&mut totals.recursive, old, new, Modes::RECURSIVE);
        let path = &mut self.paths[path].data;
        let connection = &mut self.connections[connection].data;
        match recount(&mut totals.data, old, new, Modes::DATA_TABLE) {
            1 => {
                totals.data_paths += usize::from(*path == 0);
                totals.data_connections += usize::from(*connection == 0);
                (*path, *connection) = (*path + 1, *connection + 1);
            }
            -1 => {
                (*path, *connection) = (*path - 1, *connection - 1);
                totals.data_paths -= usize::from(*path == 0);
                totals.data_connections -= usize::from(*connection == 0);
            }
            _ => {}
        }
    }

    fn unregister(&mut self, at: u32, connection: u32, path: u32) {
        self.unlink(List::OfPath, at);
        self.unlink(List::OfConnection, at);
        let hash = self.hash_pair(connection, path);
        remove(&mut self.pairs, hash, at);
        self.registrations.remove(at);
        self.connections[connection].registrations -= 1;
        if self.connections[connection].first == NIL {
            let hash = hash_id(self.hash_key, self.connections.remove(connection).id);
            remove(&mut self.ids, hash, connection);
        }
        if self.paths[path].first == NIL {
            let hash = hash_text(self.hash_key, &self.paths.remove(path).text);
            remove(&mut self.texts, hash, path);
        }
    }

    fn link(&mut self, list: List, at: u32) {
        let first = core::mem::replace(self.first_mut(list, at), at);
        self.registrations[at].links[list as usize] = Links { previous: NIL, next: first };
        if first != NIL {
            self.registrations[first].links[list as usize].previous = at;
        }
    }

    fn unlink(&mut self, list: List, at: u32) {
        let Links { previous, next } = self.registrations[at].links[list as usize];
        match previous {
            NIL => *self.first_mut(list, at) = next,
            _ => self.registrations[previous].links[list as usize].next = next,
        }
        if next != NIL {
            self.registrations[next].links[list as usize].previous = previous;
        }
    }

    fn first_mut(&mut self, list: List, at: u32) -> &mut u32 {
        let registration = &self.registrations[at];
        match list {
            List::OfPath => &mut self.paths[registration.path].first,
            List::OfConnection => &mut self.connections[registration.connection].first,
        }
    }

    fn walk(&self, first: u32, list: List) -> impl Iterator<Item = &Registration> {
        let get = |at: u32| (at != NIL).then(|| &self.registrations[at]);
        core::iter::successors(get(first), move |registration| get(registration.next(list)))
    }

    fn find(&self, connection: ConnectionId, path: &str) -> Option<u32> {
        let connection = self.connection(connection)?;
        let path = self.path(self.hash_text(path), path)?;
        let is_it = |at: &u32| {
            let registration = &self.registrations[*at];
            (registration.connection, registration.path) == (connection, path)
        };
        self.pairs.find(self.hash_pair(connection, path), is_it).copied()
    }

    fn path(&self, hash: u64, path: &str) -> Option<u32> {
        self.texts.find(hash, |at| &*self.paths[*at].text == path).copied()
    }

    fn connection(&self, connection: ConnectionId) -> Option<u32> {
        let hash = hash_id(self.hash_key, connection);
        self.ids.find(hash, |at| self.connections[*at].id == connection).copied()
    }

    fn intern_path(&mut self, text: &str) -> u32 {
        let hash = self.hash_text(text);
        if let Some(at) = self.path(hash, text) {
            return at;
        }
        let at = self.paths.insert(Path { text: text.into(), ..Default::default() });
        let (paths, hash_key) = (&self.paths, self.hash_key);
        self.texts.insert_unique(hash, at, |at| hash_text(hash_key, &paths[*at].text));
        at
    }

    fn intern_connection(&mut self, id: ConnectionId) -> u32 {
        if let Some(at) = self.connection(id) {
            return at;
        }
        let at = self.connections.insert(Connection { id, ..Default::default() });
        let (connections, hash_key) = (&self.connections, self.hash_key);
        let hash = hash_id(hash_key, id);
        self.ids.insert_unique(hash, at, |at| hash_id(hash_key, connections[*at].id));
        at
    }

    fn hasher(&self) -> SipHasher13 {
        hasher(self.hash_key)
    }

    fn hash_text(&self, text: &str) -> u64 {
        hash_text(self.hash_key, text)
    }

    fn hash_pair(&self, connection: u32, path: u32) -> u64 {
        hash_numbers(self.hash_key, connection, path)
    }
}

impl Registration {
    fn next(&self, list: List) -> u32 {
        self.links[list as usize].next
    }
}

/// Counts a registration that enters or leaves `table`; says by how much the total moved.
fn recount(total: &mut usize, old: Modes, new: Modes, table: Modes) -> i8 {
    match (old.has_any(table), new.has_any(table)) {
        (false, true) => {
            *total += 1;
            1
        }
        (true, false) => {
            *total -= 1;
            -1
        }
        _ => 0,
    }
}

fn remove(index: &mut HashTable<u32>, hash: u64, number: u32) {
    let found = index.find_entry(hash, |at| *at == number);
    found.expect("what stands in a slab stands in its index").remove();
    if index.is_empty() {
        *index = HashTable::new();
    }
}

fn hasher(key: u64) -> SipHasher13 {
    SipHasher13::new_with_keys(key, 0)
}

fn hash_text(key: u64, text: &str) -> u64 {
    let mut hasher = hasher(key);
    hasher.write(text.as_bytes());
    hasher.finish()
}

fn hash_numbers(key: u64, connection: u32, path: u32) -> u64 {
    hash_number(key, (u64::from(connection) << 32) | u64::from(path))
}

fn hash_id(key: u64, connection: ConnectionId) -> u64 {
    hash_number(key, connection.0)
}

fn hash_number(key: u64, number: u64) -> u64 {
    let mut hasher = hasher(key);
    hasher.write_u64(number);
    hasher.finish()
}

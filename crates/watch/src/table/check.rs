//! What always holds of a [`Table`].

use super::{List, NIL, Path, Registration, Table, Totals};
use crate::watch::Modes;

impl Table {
    /// Panics if lists, indexes and counts do not tell the same.
    pub(crate) fn check(&self) {
        assert_eq!(self.pairs.len(), self.registrations.len());
        assert_eq!(self.texts.len(), self.paths.len());
        assert_eq!(self.ids.len(), self.connections.len());
        self.pairs.iter().for_each(|at| self.check_registration(*at));
        self.texts.iter().for_each(|at| self.check_path(*at));
        self.ids.iter().for_each(|at| self.check_connection(*at));
        assert_eq!(self.totals, self.counted());
    }

    fn check_registration(&self, at: u32) {
        let registration = &self.registrations[at];
        assert_ne!(registration.modes, Modes::NONE);
        let connection = self.connections[registration.connection].id;
        let path = &*self.paths[registration.path].text;
        assert_eq!(self.find(connection, path), Some(at));
        for links in registration.links {
            assert_ne!(links.next, at);
            assert_ne!(links.previous, at);
        }
    }

    fn check_path(&self, at: u32) {
        let path = &self.paths[at];
        assert_eq!(self.path(self.hash_text(&path.text), &path.text), Some(at));
        let (listed, data) = self.check_list(path.first, List::OfPath, |r| r.path == at);
        assert!(listed > 0 && data == path.data as usize);
    }

    fn check_connection(&self, at: u32) {
        let connection = &self.connections[at];
        assert_eq!(self.connection(connection.id), Some(at));
        let list = List::OfConnection;
        let (listed, data) = self.check_list(connection.first, list, |r| r.connection == at);
        assert!(listed > 0 && listed == connection.registrations as usize);
        assert_eq!(data, connection.data as usize);
    }

    /// Counts a list's registrations, and those in the data table.
    fn check_list(
        &self,
        first: u32,
        list: List,
        belongs: impl Fn(&Registration) -> bool,
    ) -> (usize, usize) {
        let (mut at, mut previous, mut listed, mut data) = (first, NIL, 0, 0);
        while at != NIL {
            let registration = &self.registrations[at];
            assert!(belongs(registration));
            assert_eq!(registration.links[list as usize].previous, previous);
            listed += 1;
            data += usize::from(registration.modes.has_any(Modes::DATA_TABLE));
            (previous, at) = (at, registration.next(list));
        }
        (listed, data)
    }

    fn counted(&self) -> Totals {
        let in_table =
            |modes: Modes| self.iter().filter(|(_, _, held)| held.has_any(modes)).count();
        let paths = self.texts.iter().map(|at| &self.paths[*at]);
        let connections = self.ids.iter().map(|at| &self.connections[*at]);
        Totals {
            data: in_table(Modes::DATA_TABLE),
            child: in_table(Modes::CHILD_TABLE),
            recursive: in_table(Modes::RECURSIVE),
            data_paths: paths.filter(|Path { data, .. }| *data > 0).count(),
            data_connections: connections.filter(|connection| connection.data > 0).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use zooid_ids::ConnectionId;

    use super::*;
    use crate::Watch;

    impl Table {
        fn bytes(&self) -> usize {
            let indexes = [&self.pairs, &self.texts, &self.ids];
            let texts = self.texts.iter().map(|at| self.paths[*at].text.len()).sum::<usize>();
            self.registrations.bytes()
                + self.paths.bytes()
                + self.connections.bytes()
                + indexes.map(hashbrown::HashTable::allocation_size).iter().sum::<usize>()
                + texts
        }
    }

    fn watched(connections: u64, paths: u64) -> Table {
        let mut table = Table::new(1);
        for connection in 1..=connections {
            for path in 0..paths {
                let path = alloc::format!("/app/member-{path}");
                let added =
                    table.add(ConnectionId(connection), &path, Watch::Data.into(), usize::MAX);
                assert!(added);
            }
        }
        table
    }

    #[test]
    fn a_watch_costs_less_than_48_bytes() {
        for (connections, paths) in [(580, 100), (100, 580), (3_000, 20)] {
            let table = watched(connections, paths);
            let watches = (connections * paths) as usize;
            let each = table.bytes() / watches;
            assert!(each <= 48, "{connections} x {paths}: {each} bytes");
        }
    }

    #[test]
    fn a_table_without_watches_holds_no_memory() {
        let mut table = watched(50, 50);
        (1..=50).for_each(|connection| table.drop_connection(ConnectionId(connection)));
        table.check();
        assert_eq!(table.bytes(), 0);
    }
}

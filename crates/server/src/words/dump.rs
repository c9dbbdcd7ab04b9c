//! `dump`: sessions with their deadlines, ephemeral nodes, connections.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::net::SocketAddr;

use zooid_ids::{Millis, SessionId};

use super::java::{Address, Date};

/// What `dump` lists. Times are wall time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// Each session with the time at which it would expire.
    pub sessions: Vec<(Millis, SessionId)>,
    /// The sessions that have ephemeral nodes, with their paths.
    pub ephemerals: Vec<(SessionId, Vec<String>)>,
    /// Each connection with the time at which it would be closed.
    pub connections: Vec<(Millis, DumpedConnection)>,
}

/// A connection, as `dump` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpedConnection {
    /// The other end.
    pub peer: SocketAddr,
    /// Its session; [`SessionId::NONE`] before there is one.
    pub session: SessionId,
}

impl Display for DumpedConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ip: {} sessionId: {}", Address(self.peer), self.session)
    }
}

/// `dump`.
#[must_use]
pub fn dump(dump: &Dump) -> String {
    let mut text = String::from("SessionTracker dump:\nSession ");
    write_all(&mut text, dump).expect("a string takes all");
    text
}

fn write_all(text: &mut String, dump: &Dump) -> std::fmt::Result {
    write_by_time(text, &dump.sessions)?;
    let sessions = dump.ephemerals.len();
    writeln!(text, "ephemeral nodes dump:\nSessions with Ephemerals ({sessions}):")?;
    for (session, paths) in &dump.ephemerals {
        writeln!(text, "{session}:")?;
        paths.iter().try_for_each(|path| writeln!(text, "\t{path}"))?;
    }
    text.push_str("Connections dump:\nConnections ");
    write_by_time(text, &dump.connections)
}

fn write_by_time<T: Display>(text: &mut String, items: &[(Millis, T)]) -> std::fmt::Result {
    let mut sets: BTreeMap<Millis, Vec<&T>> = BTreeMap::new();
    items.iter().for_each(|(time, item)| sets.entry(*time).or_default().push(item));
    writeln!(text, "Sets ({})/({}):", sets.len(), items.len())?;
    for (time, set) in sets {
        writeln!(text, "{} expire at {}:", set.len(), Date::at(time))?;
        set.iter().try_for_each(|item| writeln!(text, "\t{item}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dump_says() {
        let (soon, later) = (Millis(1_795_567_156_000), Millis(1_795_567_163_000));
        let [first, second] = [0x0100_001c_81c2_0000, 0x0100_001c_81c2_0001].map(SessionId);
        let connection =
            |port, session| DumpedConnection { peer: ([127, 0, 0, 1], port).into(), session };
        let listed = Dump {
            sessions: vec![(soon, first), (soon, second)],
            ephemerals: vec![(first, vec!["/a/e".to_string(), "/b".to_string()])],
            connections: vec![
                (later, connection(42108, SessionId::NONE)),
                (soon, connection(42044, first)),
                (soon, connection(42050, second)),
            ],
        };
        assert_eq!(
            dump(&listed),
            "SessionTracker dump:\n\
             Session Sets (1)/(2):\n\
             2 expire at Wed Nov 25 00:39:16 UTC 2026:\n\
             \t0x100001c81c20000\n\
             \t0x100001c81c20001\n\
             ephemeral nodes dump:\n\
             Sessions with Ephemerals (1):\n\
             0x100001c81c20000:\n\
             \t/a/e\n\
             \t/b\n\
             Connections dump:\n\
             Connections Sets (2)/(3):\n\
             2 expire at Wed Nov 25 00:39:16 UTC 2026:\n\
             \tip: /127.0.0.1:42044 sessionId: 0x100001c81c20000\n\
             \tip: /127.0.0.1:42050 sessionId: 0x100001c81c20001\n\
             1 expire at Wed Nov 25 00:39:23 UTC 2026:\n\
             \tip: /127.0.0.1:42108 sessionId: 0x0\n"
        );
    }

    #[test]
    fn nothing_to_dump() {
        assert_eq!(
            dump(&Dump::default()),
            "SessionTracker dump:\n\
             Session Sets (0)/(0):\n\
             ephemeral nodes dump:\n\
             Sessions with Ephemerals (0):\n\
             Connections dump:\n\
             Connections Sets (0)/(0):\n"
        );
    }
}

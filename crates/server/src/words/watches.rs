//! `wchs`, `wchc`, `wchp`.

use std::fmt::Write;

use zooid_ids::SessionId;

/// The numbers of `wchs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchSummary {
    /// Connections that watch anything.
    pub connections: usize,
    /// Paths that are watched.
    pub paths: usize,
    /// Pairs of a connection and a path.
    pub watches: usize,
}

/// `wchs`.
#[must_use]
pub fn wchs(summary: WatchSummary) -> String {
    let WatchSummary { connections, paths, watches } = summary;
    format!("{connections} connections watching {paths} paths\nTotal watches:{watches}\n")
}

/// `wchc`: sessions, and the paths that each watches.
#[must_use]
pub fn wchc<'a>(
    sessions: impl IntoIterator<Item = (SessionId, impl IntoIterator<Item = &'a str>)>,
) -> String {
    let mut text = String::new();
    for (session, paths) in sessions {
        writeln!(text, "{session}").expect("a string takes all");
        paths.into_iter().for_each(|path| text.extend(["\t", path, "\n"]));
    }
    text + "\n"
}

/// `wchp`: paths, and the sessions that watch each.
#[must_use]
pub fn wchp<'a>(
    paths: impl IntoIterator<Item = (&'a str, impl IntoIterator<Item = SessionId>)>,
) -> String {
    let mut text = String::new();
    for (path, sessions) in paths {
        text.extend([path, "\n"]);
        for session in sessions {
            writeln!(text, "\t{session}").expect("a string takes all");
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_are_listed() {
        let summary = WatchSummary { connections: 2, paths: 1, watches: 2 };
        assert_eq!(wchs(summary), "2 connections watching 1 paths\nTotal watches:2\n");
        let sessions = [(SessionId(0x10), vec!["/a", "/b"]), (SessionId(-1), vec!["/a"])];
        assert_eq!(wchc(sessions), "0x10\n\t/a\n\t/b\n0xffffffffffffffff\n\t/a\n\n");
        let paths = [("/a", vec![SessionId(0x10), SessionId(-1)]), ("/b", vec![SessionId(0x10)])];
        assert_eq!(wchp(paths), "/a\n\t0x10\n\t0xffffffffffffffff\n/b\n\t0x10\n\n");
    }

    #[test]
    fn no_watches_are_an_empty_line() {
        assert_eq!(wchc([] as [(SessionId, Vec<&str>); 0]), "\n");
        assert_eq!(wchp([] as [(&str, Vec<SessionId>); 0]), "\n");
    }
}

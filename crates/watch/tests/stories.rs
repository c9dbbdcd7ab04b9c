//! Runs the stories in `testdata/`: a line of input is a step, its answer stands beside it.
//! `REWRITE=1 cargo test` writes what happens now.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::str::FromStr;

use zooid_ids::{ConnectionId, Zxid};
use zooid_model::{Change, ChangeKind, Stat, WatchKind, path};
use zooid_watch::{Watch, Watches, missed};

struct Story {
    watches: Watches,
    /// Connections that may not read anything.
    blind: BTreeSet<ConnectionId>,
}

#[test]
fn stories() {
    datadriven::walk("testdata", |file| {
        let mut story = Story { watches: Watches::new(0), blind: BTreeSet::new() };
        file.run(|case| {
            assert_eq!(case.directive, "do", "the only directive");
            case.input.lines().map(|step| story.line(step)).collect::<String>()
        });
    });
}

impl Story {
    fn line(&mut self, step: &str) -> String {
        format!("{step:<36}| {}\n", self.step(step))
    }

    fn step(&mut self, step: &str) -> String {
        let words: Vec<&str> = step.split_whitespace().collect();
        let answer = match words[..] {
            ["limit", limit] => {
                self.watches = Watches::with_limit(0, number(limit));
                "a new server".into()
            }
            ["create", path] => self.node_and_parent(ChangeKind::Created, path),
            ["delete", path] => self.node_and_parent(ChangeKind::Deleted, path),
            ["set", path] => self.fire(ChangeKind::DataChanged, path).join(", "),
            ["missed", watch, "seen", zxid, "absent"] => {
                told(&missed(kind_of_watch(watch), Zxid(number(zxid)), None))
            }
            ["missed", watch, "seen", zxid, "mzxid", mzxid, "pzxid", pzxid] => {
                let (mzxid, pzxid) = (Zxid(number(mzxid)), Zxid(number(pzxid)));
                let stat = Stat { mzxid, pzxid, ..Stat::default() };
                told(&missed(kind_of_watch(watch), Zxid(number(zxid)), Some(&stat)))
            }
            ["count"] => self.watches.count().to_string(),
            ["summary"] => format!("{:?}", self.watches.summary()),
            ["by", "connection"] => format!("{:?}", self.watches.by_connection()),
            ["by", "path"] => format!("{:?}", self.watches.by_path()),
            [connection, ref words @ ..] => self.client(ConnectionId(number(connection)), words),
            [] => String::new(),
        };
        self.watches.check_invariants();
        answer
    }

    fn client(&mut self, connection: ConnectionId, words: &[&str]) -> String {
        match *words {
            ["may", "not", "read"] => told(&self.blind.insert(connection)),
            ["drop"] => {
                self.watches.drop_connection(connection);
                "gone".into()
            }
            ["remove", kind, path] => {
                told(&self.watches.remove(connection, path, kind_by_name(kind)))
            }
            ["check", kind, path] => {
                told(&self.watches.contains(connection, path, kind_by_name(kind)))
            }
            [watch, path] => match self.watches.add(connection, path, kind_of_watch(watch)) {
                Ok(()) => "watching".into(),
                Err(error) => error.to_string(),
            },
            _ => panic!("no step: {words:?}"),
        }
    }

    fn node_and_parent(&mut self, kind: ChangeKind, path: &str) -> String {
        let mut heard = self.fire(kind, path);
        let parent = path::parent(path).expect("the root neither comes nor goes");
        heard.extend(self.fire(ChangeKind::ChildrenChanged, parent));
        heard.join(", ")
    }

    fn fire(&mut self, kind: ChangeKind, path: &str) -> Vec<String> {
        let change = Change { kind, path: path.into(), acl: [].into() };
        let mut heard = Vec::new();
        let waited = self.watches.fire(&change, &mut |connection, event| {
            let refused = if self.blind.contains(&connection) { " (refused)" } else { "" };
            heard.push(format!("{connection}: {event:?} {path}{refused}"));
        });
        assert_eq!(waited, heard.len());
        heard
    }
}

fn number<T: FromStr<Err: Debug>>(word: &str) -> T {
    word.parse().unwrap_or_else(|error| panic!("{word}: {error:?}"))
}

fn told(answer: &impl Debug) -> String {
    format!("{answer:?}")
}

fn kind_of_watch(name: &str) -> Watch {
    match name {
        "data" => Watch::Data,
        "exist" => Watch::Exist,
        "child" => Watch::Child,
        "persistent" => Watch::Persistent,
        "recursive" => Watch::PersistentRecursive,
        _ => panic!("no watch: {name}"),
    }
}

fn kind_by_name(name: &str) -> WatchKind {
    match name {
        "children" => WatchKind::Children,
        "data" => WatchKind::Data,
        "any" => WatchKind::Any,
        "persistent" => WatchKind::Persistent,
        "recursive" => WatchKind::PersistentRecursive,
        _ => panic!("no kind: {name}"),
    }
}

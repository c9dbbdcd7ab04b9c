//! Random commands, checkpoints and restarts: the tree against the model.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use zooid_ids::{ClusterId, Millis, SessionId, Zxid};
use zooid_model::{
    Acl, Command, Create, CreateKind, CreateMode, Grants, Identity, Origin, Perms, Read, Reply,
    Turn, Write, WriteOp,
};
use zooid_tree::{Outcome, Record, Stamp, Tree};

use crate::model::Model;
use crate::world::{acl, create_with, merge, owner, session};

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// A command as it is.
    Apply(Command),
    /// The next write of a session, in its turn, by its owner.
    Write(i64, Vec<Identity>, Grants, WriteOp),
    /// The leader collects what may be collected.
    Collect,
    /// The start of an epoch.
    Epoch,
    HandOver,
    Harvest(usize),
    Complete,
    Abandon,
    /// The server restarts from its last checkpoint; the commands since then come again.
    Restart,
}

const PATHS: &[&str] = &[
    "/a",
    "/b",
    "/a/b",
    "/a/b/c",
    "/a/",
    "/b/s",
    "/zookeeper/quota/a",
    "/zookeeper/quota/a/b",
    "/zookeeper/quota/a/zookeeper_limits",
    "/zookeeper/quota/a/zookeeper_stats",
    "/zookeeper/quota/a/b/zookeeper_limits",
    "/zookeeper/quota/a/b/zookeeper_stats",
    "/zookeeper/quota/zookeeper_limits",
    "/zookeeper/config",
    "/zookeeper",
    "/",
    "",
    "//a",
    "/a/../b",
    "/b/\0",
    "nonsense",
];

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => select(&PATHS[..4]).prop_map(String::from),
        6 => select(&PATHS[..12]).prop_map(String::from),
        1 => select(PATHS).prop_map(String::from),
        1 => (0..3).prop_map(|n| format!("/b/s{n:010}")),
    ]
}

fn data() -> impl Strategy<Value = Option<Bytes>> {
    const TEXTS: &[&str] = &[
        "",
        "d",
        "12345",
        "a text of some length",
        "countHardLimit=3;byteHardLimit=40",
        "byteHardLimit=12",
        "x=\u{e9}",
    ];
    let text = select(TEXTS).prop_map(|text| Some(Bytes::from_static(text.as_bytes())));
    prop_oneof![6 => text, 1 => Just(None)]
}

fn acls() -> impl Strategy<Value = Vec<Acl>> {
    let lists = vec![
        vec![acl(Perms::READ, "world", "anyone"), acl(Perms::ALL, "digest", "u:h")],
        vec![acl(Perms::ALL, "auth", "")],
        vec![acl(Perms::ALL, "ip", "10.0.0.0/8")],
        vec![acl(Perms::ALL, "nonsense", "x")],
        vec![],
    ];
    prop_oneof![30 => Just(Acl::open()), 2 => select(lists)]
}

fn mode() -> impl Strategy<Value = (CreateMode, CreateKind)> {
    use CreateKind::{Container, Create, Create2, Ttl};
    let kinds = vec![
        (CreateMode::Persistent, Create),
        (CreateMode::Persistent, Create),
        (CreateMode::Persistent, Create2),
        (CreateMode::Ephemeral, Create),
        (CreateMode::Ephemeral, Create2),
        (CreateMode::PersistentSequential, Create),
        (CreateMode::EphemeralSequential, Create2),
        (CreateMode::Container, Container),
        (CreateMode::Container, Create),
        (CreateMode::PersistentSequential, Container),
        (CreateMode::PersistentWithTtl(Millis(30)), Ttl),
        (CreateMode::PersistentSequentialWithTtl(Millis(1)), Ttl),
        (CreateMode::PersistentWithTtl(Millis(0)), Ttl),
        (CreateMode::PersistentWithTtl(Millis(3)), Create),
        (CreateMode::Persistent, Ttl),
        (CreateMode::Unknown(9), Create2),
        (CreateMode::Persistent, Create),
        (CreateMode::Persistent, Create2),
        (CreateMode::PersistentSequential, Create),
        (CreateMode::EphemeralSequential, Create),
    ];
    select(kinds)
}

fn version() -> impl Strategy<Value = i32> {
    prop_oneof![4 => Just(-1), 1 => -2..4]
}

fn simple_op() -> impl Strategy<Value = WriteOp> {
    let create = (path(), data(), acls(), mode()).prop_map(|(path, data, acl, (mode, kind))| {
        WriteOp::Create(Create { path, data, acl, mode, kind })
    });
    prop_oneof![
        5 => create,
        3 => (path(), version()).prop_map(|(path, version)| WriteOp::Delete { path, version }),
        3 => (path(), data(), version())
            .prop_map(|(path, data, version)| WriteOp::SetData { path, data, version }),
        1 => (path(), acls(), version())
            .prop_map(|(path, acl, version)| WriteOp::SetAcl { path, acl, version }),
        1 => (path(), version()).prop_map(|(path, version)| WriteOp::Check { path, version }),
    ]
}

fn op() -> impl Strategy<Value = WriteOp> {
    let multi = || vec(simple_op(), 0..5).prop_map(WriteOp::Multi);
    prop_oneof![
        6 => simple_op(),
        3 => multi(),
        1 => multi().prop_map(|op| WriteOp::Multi(vec![op])),
    ]
}

fn identities() -> impl Strategy<Value = Vec<Identity>> {
    prop_oneof![
        3 => Just(vec![Identity::new("digest", "u:h")]),
        1 => Just(vec![]),
        1 => Just(vec![Identity::super_user()]),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let ids = prop_oneof![
        9 => (1..4_i64).prop_map(session),
        1 => select(vec![SessionId(0), SessionId(i64::MIN), SessionId(-5)]),
    ];
    let timeout = Millis(30_000);
    let turns = (ids.clone(), 1..4_u64, 0..4_u64);
    let by = prop_oneof![
        Just(Origin::Expiry),
        (1..4_u64, 0..9_u64).prop_map(|(n, sequence)| Origin::Client { owner: owner(n), sequence }),
    ];
    prop_oneof![
        5 => (ids.clone(), 1..4_u64).prop_map(move |(session, n)| Command::CreateSession {
            session,
            owner: owner(n),
            timeout,
        }),
        2 => (ids.clone(), 1..4_u64, 1..4_u64).prop_map(move |(session, new, seen)| {
            Command::Attach { session, owner: owner(new), seen: owner(seen), timeout }
        }),
        1 => (ids, by).prop_map(|(session, by)| Command::CloseSession { session, by }),
        1 => (turns, simple_op()).prop_map(|((session, n, sequence), op)| {
            let turn = Turn { session, owner: owner(n), sequence };
            let (identities, grants) = (Vec::new(), Grants::default());
            Command::Write(Write { turn, identities, grants, op })
        }),
        1 => (path(), 0..40_u64).prop_map(|(path, n)| {
            let zxid = Zxid(n);
            Command::Collect { path, czxid: zxid, mzxid: zxid, pzxid: zxid }
        }),
        1 => Just(Command::Form { cluster: ClusterId(1), secret: [3; 32] }),
        1 => (0..3_u8).prop_map(|n| Command::Configure { servers: vec![n; n.into()].into() }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let grants = (any::<bool>(), prop::bool::weighted(0.8))
        .prop_map(|(enforce_quota, extended_types)| Grants { enforce_quota, extended_types });
    prop_oneof![
        20 => (1..4_i64, identities(), grants, op())
            .prop_map(|(n, identities, grants, op)| Step::Write(n, identities, grants, op)),
        5 => command().prop_map(Step::Apply),
        1 => Just(Step::Collect),
        1 => Just(Step::Epoch),
        2 => Just(Step::HandOver),
        6 => (1..9_usize).prop_map(Step::Harvest),
        2 => Just(Step::Complete),
        2 => Just(Step::Abandon),
        1 => Just(Step::Restart),
    ]
}

/// What a command of the log was, to be applied again.
#[derive(Clone)]
enum Entry {
    Command(Stamp, Command),
    Epoch(Zxid),
}

/// A tree, the model, and a disk with runs and a log.
struct Pair {
    tree: Tree,
    model: Model,
    stamp: Stamp,
    /// The runs, merged, and what they should be.
    merged: BTreeMap<String, Record>,
    /// The zxid of the last complete run, and what came after it.
    durable: Zxid,
    log: Vec<Entry>,
    /// The run that is being harvested: the zxid, the model then, the records so far.
    run: Option<(Zxid, Model, Vec<Record>)>,
    /// A failed run may make tombstones of what no run has.
    failed: bool,
    /// The outcomes so far.
    seen: BTreeMap<String, usize>,
}

impl Pair {
    /// With what makes most commands do something.
    fn new() -> Self {
        let mut pair = Self {
            tree: Tree::new(),
            model: Model::new(),
            stamp: Stamp { zxid: Zxid(0), time: Millis(0) },
            merged: BTreeMap::new(),
            durable: Zxid(0),
            log: Vec::new(),
            run: None,
            failed: false,
            seen: BTreeMap::new(),
        };
        for n in 1..4 {
            let (session, owner) = (session(n), owner(n as u64));
            pair.apply(Command::CreateSession { session, owner, timeout: Millis(30_000) });
        }
        for (path, data) in [
            ("/a", "1"),
            ("/a/b", ""),
            ("/b", "2"),
            ("/zookeeper/quota/a", ""),
            ("/zookeeper/quota/a/zookeeper_limits", "countHardLimit=4;byteHardLimit=40"),
            ("/zookeeper/quota/a/zookeeper_stats", ""),
        ] {
            let op = create_with(path, data.as_bytes(), &Acl::open());
            pair.write(1, &[], Grants::default(), &op);
        }
        pair
    }

    fn next_stamp(&mut self) -> Stamp {
        self.stamp =
            Stamp { zxid: Zxid(self.stamp.zxid.0 + 1), time: Millis(self.stamp.time.0 + 10) };
        self.stamp
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Apply(command) => self.apply(command.clone()),
            Step::Write(n, identities, grants, op) => self.write(*n, identities, *grants, op),
            Step::Collect => {
                for command in self.tree.collectable(self.stamp.time, Millis(50), 3) {
                    self.apply(command);
                }
            }
            Step::Epoch => self.epoch(),
            Step::HandOver if !self.tree.is_handing_over() => self.hand_over(),
            Step::Harvest(limit) => drop(self.harvest(*limit)),
            Step::Complete if self.tree.is_handing_over() => self.complete(),
            Step::Abandon if self.tree.is_handing_over() => {
                self.tree.abandon_run();
                self.run = None;
                self.failed = true;
            }
            Step::Restart if self.durable > Zxid(0) => self.restart(),
            Step::HandOver | Step::Complete | Step::Abandon | Step::Restart => {}
        }
    }

    fn apply(&mut self, command: Command) {
        let stamp = self.next_stamp();
        let applied = self.tree.apply(stamp, &command);
        let (outcome, changes) = self.model.apply(stamp, &command);
        *self.seen.entry(label(&outcome)).or_default() += 1;
        assert_eq!((applied.outcome, applied.changes), (outcome, changes), "{command:?}");
        self.log.push(Entry::Command(stamp, command));
    }

    fn write(&mut self, n: i64, identities: &[Identity], grants: Grants, op: &WriteOp) {
        let Some(held) = self.tree.session(session(n)) else {
            let timeout = Millis(30_000);
            let owner = owner(n as u64);
            return self.apply(Command::CreateSession { session: session(n), owner, timeout });
        };
        let turn = Turn { session: session(n), owner: held.owner, sequence: held.sequence + 1 };
        let (identities, op) = (identities.to_vec(), op.clone());
        self.apply(Command::Write(Write { turn, identities, grants, op }));
    }

    fn epoch(&mut self) {
        let zxid = self.next_stamp().zxid;
        self.model.voters = Some(voters(zxid));
        self.tree.set_voters(zxid, voters(zxid));
        self.log.push(Entry::Epoch(zxid));
    }

    fn hand_over(&mut self) {
        let handed = self.tree.hand_over();
        assert_eq!((handed.zxid, handed.digest), (self.stamp.zxid, self.model.digest()));
        assert_eq!(handed.counts, self.model.counts());
        self.run = Some((handed.zxid, self.model.clone(), Vec::new()));
    }

    fn harvest(&mut self, limit: usize) -> bool {
        let records = self.tree.harvest(limit);
        assert!(records.len() <= limit);
        let done = records.len() < limit;
        if let Some((_, _, so_far)) = &mut self.run {
            so_far.extend(records);
        }
        done
    }

    fn complete(&mut self) {
        while !self.harvest(5) {}
        self.tree.complete_run();
        let (zxid, model, records) = self.run.take().unwrap();
        for record in &records {
            if let Record::ZnodeGone { path } = record {
                let known = self.merged.contains_key(&format!("z{path}"));
                assert!(known || self.failed, "{path} was in no run");
            }
        }
        merge(&mut self.merged, records);
        let mut expected = BTreeMap::new();
        merge(&mut expected, model.records());
        assert_eq!(self.merged, expected);
        self.durable = zxid;
        self.log.retain(|entry| match entry {
            Entry::Command(Stamp { zxid: at, .. }, _) | Entry::Epoch(at) => *at > zxid,
        });
    }

    fn restart(&mut self) {
        self.tree = Tree::restore(self.durable, self.merged.values().cloned()).unwrap();
        self.run = None;
        for entry in self.log.clone() {
            match entry {
                Entry::Command(stamp, command) => drop(self.tree.apply(stamp, &command)),
                Entry::Epoch(zxid) => self.tree.set_voters(zxid, voters(zxid)),
            }
        }
    }

    fn compare(&self) {
        self.tree.check_invariants();
        let (tree, model) = (&self.tree, &self.model);
        assert_eq!(tree.zxid(), self.stamp.zxid);
        let mut paths = tree.paths();
        paths.sort();
        assert!(paths.iter().eq(model.nodes.keys()), "{paths:?}");
        let god = [Identity::super_user()];
        for (path, node) in &model.nodes {
            let stat = model.stat(path);
            let data = Read::GetData { path: path.clone(), watch: false };
            let expected = Reply::Data { data: node.data.clone().map(Into::into), stat };
            assert_eq!(tree.read(&data, session(1), &god), Ok(expected), "{path}");
            assert_eq!(tree.acl(path).unwrap()[..], node.acl, "{path}");
            let children = Read::GetChildren { path: path.clone(), watch: false };
            let Ok(Reply::Children(names)) = tree.read(&children, session(1), &god) else {
                panic!()
            };
            let mut names: Vec<&str> = names.iter().collect();
            names.sort_unstable();
            let expected = model.children(path).map(|path| path.rsplit('/').next().unwrap());
            assert!(names.into_iter().eq(expected), "{path}");
        }
        assert!(tree.sessions().map(|(id, session)| (id, *session)).eq(model.sessions.clone()));
        assert_eq!(tree.formation(), model.formation.as_ref());
        assert_eq!(tree.voters(), model.voters.as_ref());
        assert_eq!((tree.digest(), tree.counts()), (model.digest(), model.counts()));
        assert_eq!(tree.node_count(), model.nodes.len() + 1);
    }
}

proptest! {
    #[test]
    fn the_tree_does_what_the_model_does(steps in vec(step(), 1..120)) {
        let mut pair = Pair::new();
        for step in &steps {
            pair.step(step);
            pair.compare();
        }
    }
}

#[test]
fn the_generated_commands_reach_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for _ in 0..100 {
        let steps = vec(step(), 120).new_tree(&mut runner).unwrap().current();
        let mut pair = Pair::new();
        steps.iter().for_each(|step| pair.step(step));
        for (label, times) in pair.seen {
            *seen.entry(label).or_insert(0) += times;
        }
    }
    for label in [
        "NoAuth",
        "BadVersion",
        "NoNode",
        "NodeExists",
        "NotEmpty",
        "BadArguments",
        "InvalidAcl",
        "NoChildrenForEphemerals",
        "QuotaExceeded",
        "Unimplemented",
        "multi done",
        "multi failed",
        "done",
        "Repeat",
        "Gap",
        "NotOwner",
        "NoSession",
        "SessionClosed",
        "Attached",
        "AlreadyOwner",
        "SessionTaken",
        "SessionCreated",
        "Collected",
        "NotCollected",
        "Formed",
        "AlreadyFormed",
    ] {
        assert!(seen.contains_key(label), "never {label}: {seen:?}");
    }
}

fn label(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Decided(Ok(Reply::Multi(results))) => {
            let failed = results.iter().any(|r| matches!(r, zooid_model::OpResult::Error(_)));
            if failed { "multi failed".into() } else { "multi done".into() }
        }
        Outcome::Decided(Ok(_)) => "done".into(),
        Outcome::Decided(Err(error)) => format!("{error:?}"),
        other => {
            let text = format!("{other:?}");
            text.split([' ', '(']).next().unwrap_or_default().into()
        }
    }
}

/// Other voters at every epoch.
fn voters(zxid: Zxid) -> Bytes {
    Bytes::copy_from_slice(&zxid.0.to_be_bytes())
}

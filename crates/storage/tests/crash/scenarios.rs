//! What is done while it is recorded, and what was done before.

use std::fs;
use std::path::Path;

use zooid_storage::{IfSuspect, RunKind};

use crate::actor::{Actor, lead, leader_dir};
use crate::record::Op;
use crate::steps::{Step, World, config, leaders_history};

use Step::{
    Append, Checkpoint, Close, Cluster, Compact, Install, MarkSuspect, Merge, Open, Promise,
    Readmit, Truncate,
};

const BASE: Step = Checkpoint(RunKind::Base);
const DELTA: Step = Checkpoint(RunKind::Delta);

/// The life before, and the one that is recorded.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    before: &'static [Step],
    /// Done to the directories between the two.
    damage: fn(&Path),
    pub(crate) steps: &'static [Step],
    /// From this step on crashes are tried; those of the steps before are other scenarios'.
    pub(crate) from: usize,
    pub(crate) if_suspect: IfSuspect,
    /// The damage is found at the first start.
    is_suspect: bool,
    /// Such calls fail in every run of the tests, the others in a sample.
    pub(crate) always_fails: &'static [Op],
    /// The ledger cannot be read from the start.
    pub(crate) is_ledger_rotten: bool,
}

/// What the recorded process draws as its incarnation.
pub(crate) const DRAWN: u128 = 77;

impl Scenario {
    const fn of(
        name: &'static str,
        before: &'static [Step],
        from: usize,
        steps: &'static [Step],
    ) -> Self {
        Self {
            name,
            before,
            damage: |_| (),
            steps,
            from,
            if_suspect: IfSuspect::Refuse,
            is_suspect: false,
            always_fails: &[],
            is_ledger_rotten: false,
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let all = scenarios().into_iter().chain(RECOVERIES.clone());
        all.into_iter().find(|scenario| scenario.name == name).expect("a known scenario")
    }

    /// The one that opens what a crash of this one left.
    pub(crate) fn recovery(&self) -> &'static Self {
        &RECOVERIES[usize::from(self.if_suspect == IfSuspect::SetAside)]
    }

    /// Makes the directories as they are when the recorded process starts.
    pub(crate) fn prepare(&self, root: &Path) {
        fs::create_dir_all(root).unwrap();
        let before = config(root, 7, IfSuspect::Refuse);
        let mut actor = Actor::new(before, World::unused(), root);
        self.before.iter().for_each(|step| actor.take(*step).unwrap());
        drop(actor);
        (self.damage)(root);
        if self.steps.contains(&Install) {
            let leading = root.with_extension("leading");
            let settings = config(&leading, 9, IfSuspect::Refuse);
            lead(&settings, &leaders_history(), &leader_dir(root)).unwrap();
        }
    }

    /// What must be there at the start, and after each step.
    pub(crate) fn worlds(&self) -> Vec<World> {
        let mut start = World::unused();
        for step in self.before {
            start = start.after(*step, 7);
        }
        if self.is_suspect {
            start = start.after(MarkSuspect, 7);
        }
        let mut worlds = vec![start];
        for step in self.steps {
            worlds.push(worlds[worlds.len() - 1].after(*step, DRAWN));
        }
        worlds
    }
}

/// What a crash left is opened; alone, and as a member.
static RECOVERIES: [Scenario; 2] = [
    Scenario::of("recovery", &[], 0, &[Open]),
    Scenario {
        if_suspect: IfSuspect::SetAside,
        ..Scenario::of("recovery of a member", &[], 0, &[Open])
    },
];

/// The first bytes of a write that was never acknowledged.
fn tear(root: &Path) {
    let newest = files(&root.join("logs/zooid/log"), "raftlog").pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    bytes.extend([0xa7; 700]);
    fs::write(newest, bytes).unwrap();
}

fn lose_witness(root: &Path) {
    fs::remove_file(root.join("data/zooid/witness")).unwrap();
}

fn rot_ledger(root: &Path) {
    let db = root.join("data/zooid/ledger/db");
    let len = fs::metadata(&db).unwrap().len() as usize;
    fs::write(db, vec![0xa5; len]).unwrap();
    fs::write(root.join("data/zooid/ledger/conf"), b"not sled's").unwrap();
}

fn files(dir: &Path, end: &str) -> Vec<std::path::PathBuf> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|e| e == end)).collect();
    files.sort();
    files
}

/// All of them.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [of_starts(), of_the_log(), of_checkpoints(), of_suspects()].into_iter().flatten().collect()
}

const LIVED: &[Step] = &[Open, Append(5, 200), Promise(3), BASE, Append(4, 200), Close];

fn of_starts() -> Vec<Scenario> {
    let restart = Scenario::of("restart", LIVED, 0, &[Open, Append(1, 100), Close]);
    // Whose data would be set aside if it looked suspect.
    let member = Scenario::of("restart of a member", LIVED, 0, &[Open, Append(1, 100), Close]);
    let torn = Scenario::of("torn tail", LIVED, 0, &[Open, Append(1, 100)]);
    let rotten = Scenario::of("ledger anew", LIVED, 0, &[Open, Append(1, 100), DELTA]);
    vec![
        Scenario::of("first boot", &[], 0, &[Open, Promise(1), Append(2, 100), Close]),
        restart,
        Scenario { if_suspect: IfSuspect::SetAside, always_fails: &[Op::Read], ..member },
        Scenario { damage: tear, ..torn },
        Scenario { damage: rot_ledger, is_ledger_rotten: true, ..rotten },
    ]
}

fn of_the_log() -> Vec<Scenario> {
    let appended =
        &[Open, Append(1, 200), Append(3, 3000), Append(40, 300), Append(1, 20), Append(30, 400)];
    let cut = &[
        Open,
        Append(6, 700),
        Truncate(9),
        Append(2, 200),
        Truncate(7),
        Truncate(5),
        Append(1, 90),
    ];
    let before = &[Open, Append(60, 1500), BASE, Compact, Append(60, 1500), DELTA, Compact, Close];
    // Long enough that files are removed, and others written anew.
    let compacted = &[
        Open,
        Append(20, 1500),
        DELTA,
        Compact,
        Append(40, 1500),
        DELTA,
        Compact,
        Append(40, 1500),
        DELTA,
        Compact,
        Append(30, 1500),
        Close,
    ];
    vec![
        Scenario { always_fails: &[Op::Sync], ..Scenario::of("append", LIVED, 1, appended) },
        Scenario::of("truncation", LIVED, 1, cut),
        Scenario::of("promise", LIVED, 1, &[Open, Promise(4), Append(1, 100), Promise(9)]),
        Scenario::of("cluster", LIVED, 1, &[Open, Cluster(5), Append(1, 100), Cluster(6)]),
        Scenario::of("compaction", before, 1, compacted),
    ]
}

fn of_checkpoints() -> Vec<Scenario> {
    let written = &[Open, DELTA, Append(2, 100), BASE, Append(3, 100), DELTA, Append(1, 50)];
    let merged = &[Open, DELTA, Append(2, 100), DELTA, Merge, Append(1, 50), Merge];
    let installed = &[Open, Install, Append(2, 100), DELTA, Close];
    vec![
        Scenario::of("checkpoint", LIVED, 1, written),
        Scenario::of("merge", LIVED, 3, merged),
        Scenario::of("installation", LIVED, 1, installed),
        Scenario::of("installation first", &[], 1, &[Open, Install, Append(2, 100)]),
    ]
}

fn of_suspects() -> Vec<Scenario> {
    let found =
        Scenario::of("set aside", LIVED, 0, &[Open, Append(2, 100), Readmit, Append(1, 100)]);
    let told = &[Open, MarkSuspect, Close, Open, Append(1, 100), Readmit];
    let told = Scenario::of("marked suspect", LIVED, 1, told);
    let if_suspect = IfSuspect::SetAside;
    vec![
        Scenario { damage: lose_witness, if_suspect, is_suspect: true, ..found },
        Scenario { if_suspect, ..told },
    ]
}

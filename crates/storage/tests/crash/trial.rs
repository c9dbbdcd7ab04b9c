//! The place where one scenario is tried: its directories, and what was found wrong.

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::SCENARIO;
use crate::cuts::cuts;
use crate::disk::{Disk, Tree, lay_out, tree_of};
use crate::judge::{self, judge};
use crate::record::{self, OPEN, Op, Recording};
use crate::scenarios::{self, Scenario};
use crate::steps::{Step, World, config};

/// Set to `full` to try every cut and every fault; otherwise of each moment the plain cuts, and a
/// sample.
const EXTENT: &str = "ZOOID_CRASH";
const SAMPLE: usize = 31;
/// Of so many states one is the start of another trial: a crash while it is recovered.
const RECOVERED: usize = 101;

/// What was tried, and what was wrong.
#[derive(Default)]
pub(crate) struct Tally {
    /// Moments at which a crash was tried.
    pub(crate) points: usize,
    /// Runs in which a call failed.
    pub(crate) faults: usize,
    /// Starts from what a crash left, each with crashes of its own.
    pub(crate) recoveries: usize,
    /// What crashes may leave.
    pub(crate) states: usize,
    /// Those of them that were not the same.
    pub(crate) opened: usize,
    pub(crate) failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.points += other.points;
        self.states += other.states;
        self.opened += other.opened;
        self.failures.extend(other.failures);
    }
}

pub(crate) struct Trial<'a> {
    pub(crate) scenario: &'a Scenario,
    worlds: Vec<World>,
    /// The directories as the recorded process finds them.
    start: Tree,
    root: PathBuf,
    dir: TempDir,
    seen: HashSet<u64>,
    is_full: bool,
    offered: usize,
    /// What crashes left, with the worlds that might be there and the one that was.
    left: Vec<(Tree, Vec<World>, World)>,
    tally: Tally,
}

impl<'a> Trial<'a> {
    pub(crate) fn new(scenario: &'a Scenario) -> Self {
        let dir = tempfile::tempdir_in(fast_dir()).unwrap();
        let root = dir.path().join("home");
        {
            let _no_process_starts = OPEN.read().unwrap();
            scenario.prepare(&root);
        }
        let start = tree_of(&root);
        Self::at(scenario, scenario.worlds(), start, dir)
    }

    fn at(scenario: &'a Scenario, worlds: Vec<World>, start: Tree, dir: TempDir) -> Self {
        Self {
            scenario,
            worlds,
            start,
            root: dir.path().join("home"),
            dir,
            seen: HashSet::new(),
            is_full: std::env::var(EXTENT).is_ok_and(|extent| extent == "full"),
            offered: 0,
            left: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Lets `enumerate` try crashes of the recovery from some of what crashes left.
    pub(crate) fn recoveries(&mut self, enumerate: impl Fn(&mut Trial<'_>, usize)) {
        for (start, mut worlds, found) in std::mem::take(&mut self.left) {
            let dir = tempfile::tempdir_in(fast_dir()).unwrap();
            fs::create_dir(dir.path().join("home")).unwrap();
            let before = worlds.len() - 1;
            // Once it was told it stays so.
            worlds.push(found.after(Step::Open, scenarios::DRAWN));
            let mut recovery = Trial::at(self.scenario.recovery(), worlds, start, dir);
            enumerate(&mut recovery, before);
            self.tally.recoveries += 1;
            self.tally.add(recovery.tally);
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn into_tally(self) -> Tally {
        self.tally
    }

    pub(crate) fn wrong(&mut self, what: String) {
        self.tally.failures.push(what);
    }

    /// Whether one more fault is to be tried.
    pub(crate) fn takes_fault(&mut self, op: Op) -> bool {
        self.offered += 1;
        let sampled = self.offered.is_multiple_of(SAMPLE);
        let takes = self.is_full || sampled || self.scenario.always_fails.contains(&op);
        self.tally.faults += usize::from(takes);
        takes
    }

    /// Makes the directories what they were at the start.
    pub(crate) fn lay_out(&self) -> Disk {
        fs::remove_dir_all(&self.root).unwrap();
        lay_out(&self.start, &self.root);
        Disk::of(&self.root)
    }

    /// Lets a process play the scenario.
    pub(crate) fn play(&self, fault: &str) -> Recording {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "every_crash_of_every_scenario", "--nocapture"])
            .env(SCENARIO, self.scenario.name);
        record::record(command, &self.root, fault)
    }

    /// Whether the ledger was not given up, unless it was rotten from the start.
    pub(crate) fn keeps_ledger(&self) -> bool {
        self.scenario.is_ledger_rotten || !self.root.join("data/zooid/ledger.unreadable-1").exists()
    }

    /// What was recorded must add up to what is there.
    pub(crate) fn compare(&mut self, disk: &Disk) {
        if disk.after_death() != tree_of(&self.root) {
            self.wrong("the recorder missed a call".into());
        }
    }

    /// The process dies, or the power is cut; the world after one of `steps` must be there.
    pub(crate) fn crash(&mut self, disk: &Disk, steps: RangeInclusive<usize>, when: &str) {
        self.tally.points += 1;
        self.open(&disk.after_death(), &steps, &|| format!("killed {when}"));
        for (nth, cut) in cuts(disk).into_iter().enumerate() {
            let sampled = (nth + self.tally.points).is_multiple_of(SAMPLE);
            if self.is_full || cut.is_plain || sampled {
                let what = || format!("power cut {when}, left {}", cut.what);
                self.open(&cut.of(disk), &steps, &what);
            }
        }
    }

    fn open(&mut self, tree: &Tree, steps: &RangeInclusive<usize>, what: &dyn Fn() -> String) {
        self.tally.states += 1;
        let mut hasher = DefaultHasher::new();
        let counting = tree.iter().filter(|(path, _)| !path.ends_with("marks"));
        counting.for_each(|file| file.hash(&mut hasher));
        steps.hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        self.tally.opened += 1;
        let left = self.dir.path().join("left");
        lay_out(tree, &left);
        let settings = config(&left, judge::DRAWN, self.scenario.if_suspect);
        let worlds = &self.worlds[steps.clone()];
        match judge(&settings, worlds) {
            Err(why) => self.wrong(format!("{}: {why}", what())),
            Ok(found) if self.tally.opened.is_multiple_of(RECOVERED) => {
                self.left.push((tree.clone(), worlds.to_vec(), found));
            }
            Ok(_) => {}
        }
        fs::remove_dir_all(&left).unwrap();
    }
}

/// On a real disk every open would wait for its fsyncs.
fn fast_dir() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

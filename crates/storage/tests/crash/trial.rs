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
use crate::record::{self, OPEN, Recording};
use crate::scenarios::Scenario;
use crate::steps::{World, config};

/// Set to `full` to try every cut and every fault; otherwise of each moment the first cuts and a
/// sample.
const EXTENT: &str = "ZOOID_CRASH";
const ALWAYS: usize = 2;
const SAMPLE: usize = 31;

/// What was tried, and what was wrong.
#[derive(Default)]
pub(crate) struct Tally {
    /// Moments at which a crash was tried.
    pub(crate) points: usize,
    /// Runs in which a call failed.
    pub(crate) faults: usize,
    /// What crashes may leave.
    pub(crate) states: usize,
    /// Those of them that were not the same.
    pub(crate) opened: usize,
    pub(crate) failures: Vec<String>,
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
        Self {
            scenario,
            worlds: scenario.worlds(),
            start: tree_of(&root),
            root,
            dir,
            seen: HashSet::new(),
            is_full: std::env::var(EXTENT).is_ok_and(|extent| extent == "full"),
            offered: 0,
            tally: Tally::default(),
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
    pub(crate) fn takes_fault(&mut self) -> bool {
        self.offered += 1;
        let takes = self.is_full || self.offered.is_multiple_of(SAMPLE);
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
            if self.is_full || nth < ALWAYS || sampled {
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
        if let Err(why) = judge(&settings, &self.worlds[steps.clone()]) {
            self.wrong(format!("{}: {why}", what()));
        }
        fs::remove_dir_all(&left).unwrap();
    }
}

/// On a real disk every open would wait for its fsyncs.
fn fast_dir() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

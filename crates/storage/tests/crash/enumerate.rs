//! Every crash of every scenario.

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::SCENARIO;
use crate::cuts::cuts;
use crate::disk::{Content, Disk, Tree, lay_out};
use crate::judge::{self, judge};
use crate::record::{self, OPEN, Op, Record, Recording};
use crate::scenarios::{Scenario, scenarios};
use crate::steps::{World, config};

/// Set to `full` to try every cut; otherwise of each moment these and a sample.
const EXTENT: &str = "ZOOID_CRASH";
const ALWAYS: usize = 2;
const SAMPLE: usize = 31;

/// Set to a part of a scenario's name to try only such.
const ONLY: &str = "ZOOID_CRASH_ONLY";

/// What was tried, and what was wrong.
#[derive(Default)]
struct Tally {
    points: usize,
    states: usize,
    opened: usize,
    failures: Vec<String>,
}

/// Tries all scenarios, two at a time; says of each how much was tried, and gives what was wrong.
pub(crate) fn all() -> Vec<String> {
    let only = std::env::var(ONLY).unwrap_or_default();
    let mut chosen = scenarios();
    chosen.retain(|scenario| scenario.name.contains(&only));
    record::recorder();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failures = Vec::new();
        while let Some(scenario) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            failures.extend(one(scenario));
        }
        failures
    };
    std::thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn one(scenario: &Scenario) -> Vec<String> {
    let begun = Instant::now();
    let Tally { points, states, opened, failures } = Enumeration::new(scenario).run();
    let (name, wrong, took) = (scenario.name, failures.len(), begun.elapsed());
    eprintln!(
        "{name:20} {points:4} points {states:6} states {opened:5} opened {wrong:3} wrong {took:.1?}"
    );
    failures.iter().take(10).map(|why| format!("{name}: {why}")).collect()
}

struct Enumeration<'a> {
    scenario: &'a Scenario,
    worlds: Vec<World>,
    dir: tempfile::TempDir,
    seen: HashSet<u64>,
    full: bool,
    tally: Tally,
}

impl<'a> Enumeration<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let dir = tempfile::tempdir_in(fast_dir()).unwrap();
        let worlds = scenario.worlds();
        let full = std::env::var(EXTENT).is_ok_and(|extent| extent == "full");
        Self { scenario, worlds, dir, seen: HashSet::new(), full, tally: Tally::default() }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn run(mut self) -> Tally {
        let root = self.root();
        {
            let _no_process_starts = OPEN.read().unwrap();
            self.scenario.prepare(&root);
        }
        let mut disk = Disk::of(&root);
        let recording = self.play("");
        assert_eq!(recording.code, Some(0), "{}: {}", self.scenario.name, recording.said);
        let mut notes = Notes::default();
        for record in &recording.records {
            if is_point(record, &root) && notes.begun > self.scenario.from {
                self.crash(&disk, &notes, &record.to_string());
            }
            disk.take(record);
            notes.take(record, &root);
        }
        self.crash(&disk, &notes, "the end");
        assert!(
            disk.after_death() == tree_of(&root),
            "{}: the recorder missed a call",
            self.scenario.name
        );
        self.tally
    }

    fn play(&self, fault: &str) -> Recording {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "every_crash_of_every_scenario", "--nocapture"])
            .env(SCENARIO, self.scenario.name);
        record::record(command, &self.root(), fault)
    }

    /// Before the call `next`.
    fn crash(&mut self, disk: &Disk, notes: &Notes, next: &str) {
        self.tally.points += 1;
        let steps = notes.done..=notes.begun;
        self.open(&disk.after_death(), &steps, &|| format!("killed before {next}"));
        for (nth, cut) in cuts(disk).into_iter().enumerate() {
            if !self.full && nth >= ALWAYS && !(nth + self.tally.points).is_multiple_of(SAMPLE) {
                continue;
            }
            let what = || format!("power cut before {next}, left {}", cut.what);
            self.open(&cut.of(disk), &steps, &what);
        }
    }

    /// The world after one of `steps` must be there.
    fn open(&mut self, tree: &Tree, steps: &RangeInclusive<usize>, what: &dyn Fn() -> String) {
        self.tally.states += 1;
        let mut hasher = DefaultHasher::new();
        tree.iter()
            .filter(|(path, _)| !path.ends_with("marks"))
            .for_each(|at| at.hash(&mut hasher));
        steps.hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        self.tally.opened += 1;
        let left = self.dir.path().join("left");
        lay_out(tree, &left);
        let settings = config(&left, judge::DRAWN, self.scenario.if_suspect);
        if let Err(why) = judge(&settings, &self.worlds[steps.clone()]) {
            self.tally.failures.push(format!("{}: {why}", what()));
        }
        fs::remove_dir_all(&left).unwrap();
    }
}

/// How far the recorded process came, by its own notes.
#[derive(Default)]
struct Notes {
    begun: usize,
    done: usize,
    file: u64,
}

impl Notes {
    fn take(&mut self, record: &Record, root: &Path) {
        if record.path == root.join("marks") {
            self.file = record.file;
        }
        if record.op == Op::Write && record.file == self.file {
            match &record.data[..] {
                b"try\n" => self.begun += 1,
                _ => self.done += 1,
            }
        }
    }
}

/// Whether a crash before this call leaves something new.
fn is_point(record: &Record, root: &Path) -> bool {
    record.changes() && record.path != root.join("marks")
}

/// On a real disk every open would wait for its fsyncs.
fn fast_dir() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn tree_of(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let below = path.strip_prefix(root).unwrap().to_path_buf();
            if path.is_dir() {
                tree.insert(below, None);
                dirs.push(path);
            } else {
                tree.insert(below, Some(Content::new(fs::read(&path).unwrap())));
            }
        }
    }
    tree
}

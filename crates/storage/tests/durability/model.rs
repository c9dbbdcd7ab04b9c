//! Any order of operations, against a list and a map.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zooid_ids::{Epoch, LogIndex, Millis, Zxid};
use zooid_storage::{LogEntry, Opened, RunKind, install};

use crate::home::{Home, entry, last, loaded, replayed};
use crate::received::receive;

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    /// Cut to this part of what may be cut, in percent.
    Truncate(u64),
    Change(u8, Option<u8>),
    Checkpoint {
        base: bool,
        compact: bool,
    },
    Merge,
    /// The checkpoint of a member that has so many entries more.
    Install(usize),
    Reopen {
        killed: bool,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..60_usize).prop_map(Step::Append),
        2 => (0..=100_u64).prop_map(Step::Truncate),
        4 => (0..6_u8, any::<Option<u8>>()).prop_map(|(key, value)| Step::Change(key, value)),
        2 => (any::<bool>(), any::<bool>())
            .prop_map(|(base, compact)| Step::Checkpoint { base, compact }),
        1 => Just(Step::Merge),
        1 => (1..40_usize).prop_map(Step::Install),
        2 => any::<bool>().prop_map(|killed| Step::Reopen { killed }),
    ]
}

/// What must be true of the storage.
#[derive(Default)]
struct Model {
    /// The entry at each index, from 1.
    history: Vec<LogEntry>,
    checkpoint: u64,
    state: BTreeMap<String, String>,
    at_checkpoint: BTreeMap<String, String>,
    changed: BTreeMap<String, Option<String>>,
    epoch: u32,
}

impl Model {
    fn take(&mut self, opened: &mut Opened, step: &Step) {
        match step {
            Step::Append(count) => self.append(opened, *count),
            Step::Truncate(percent) => self.truncate(opened, *percent),
            Step::Change(key, value) => self.change(*key, *value),
            Step::Checkpoint { base, compact } => self.checkpoint(opened, *base, *compact),
            Step::Merge => {
                opened.checkpoints.merge(Millis(0), |_| true).unwrap();
            }
            Step::Install(more) => self.install(opened, *more),
            Step::Reopen { .. } => unreachable!("the caller's"),
        }
    }

    fn append(&mut self, opened: &mut Opened, count: usize) {
        let mut prev_zxid = self.history.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        let mut batch = Vec::new();
        for counter in 1..=count {
            let n = self.history.len() + counter;
            let zxid = Zxid::new(Epoch(self.epoch + 1), n as u32);
            batch.push(LogEntry { zxid, prev_zxid, ..entry(n as u64 + 1) });
            prev_zxid = zxid;
        }
        opened.log.append(&batch).unwrap();
        self.history.extend(batch);
    }

    fn truncate(&mut self, opened: &mut Opened, percent: u64) {
        let cuttable = self.history.len() as u64 - self.checkpoint;
        let to = self.checkpoint + cuttable * percent / 100;
        let before = |index: u64| self.history.get(index as usize - 1).map(|entry| entry.zxid);
        let zxid = if to == 0 { Zxid::ZERO } else { before(to).unwrap() };
        opened.log.truncate(zxid).unwrap();
        self.history.truncate(to as usize);
        self.epoch += 1;
    }

    fn change(&mut self, key: u8, value: Option<u8>) {
        let (key, value) = (format!("/{key}"), value.map(|value| value.to_string()));
        self.changed.insert(key.clone(), value.clone());
        match value {
            Some(value) => drop(self.state.insert(key, value)),
            None => drop(self.state.remove(&key)),
        }
    }

    fn checkpoint(&mut self, opened: &mut Opened, base: bool, compact: bool) {
        let position = opened.log.last();
        if position.zxid <= opened.checkpoints.manifest().position().zxid {
            return;
        }
        let base = base || self.checkpoint == 0;
        let kind = if base { RunKind::Base } else { RunKind::Delta };
        let mut run = opened.checkpoints.begin(kind, position, 1, Millis(0)).unwrap();
        let whole: BTreeMap<_, _> =
            self.state.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        for (key, value) in if base { &whole } else { &self.changed } {
            run.push(key.as_bytes(), value.as_deref().map(str::as_bytes)).unwrap();
        }
        let run = run.finish().unwrap();
        opened.checkpoints.publish(&run).unwrap();
        if compact {
            opened.log.compact(position).unwrap();
        }
        self.changed.clear();
        self.checkpoint = position.index.0;
        self.at_checkpoint = self.state.clone();
    }

    /// Another member's history, which is longer and of newer epochs, with its checkpoint.
    fn install(&mut self, opened: &mut Opened, more: usize) {
        let home = Home::new();
        let mut leader = home.open();
        let mut leading = Self { epoch: self.epoch + 1, ..Self::default() };
        leading.append(&mut leader, self.history.len().max(1));
        leading.epoch += 1;
        leading.append(&mut leader, more);
        leading.change(1, Some(more as u8));
        leading.checkpoint(&mut leader, true, false);
        receive(&leader, opened);
        let staged = opened.checkpoint_files.stage(None).unwrap();
        install(&mut opened.log, &mut opened.checkpoints, staged).unwrap();
        *self = leading;
    }

    fn check(&self, opened: &mut Opened) {
        assert_eq!(last(&opened.recovery), self.history.len() as u64);
        assert_eq!(replayed(opened), self.history[self.checkpoint as usize..]);
        let held = if self.checkpoint > 0 { loaded(opened) } else { Vec::new() };
        assert_eq!(held.into_iter().collect::<BTreeMap<_, _>>(), self.at_checkpoint);
        let first = opened.log.first().map_or(self.checkpoint + 1, |index| index.0);
        assert!(first <= self.checkpoint + 1);
        let kept = opened.log.entries(LogIndex(first), opened.log.last().index);
        let kept: Vec<_> = kept.collect::<Result<_, _>>().unwrap();
        assert_eq!(kept, self.history[first as usize - 1..]);
        self.check_reader(opened, &kept);
    }

    fn check_reader(&self, opened: &Opened, kept: &[LogEntry]) {
        let last = opened.log.last().zxid;
        assert_eq!(opened.first, kept.first().map_or(last, |entry| entry.prev_zxid));
        let ends: Vec<_> = kept
            .chunk_by(|one, other| one.zxid.epoch() == other.zxid.epoch())
            .filter_map(|epoch| epoch.last().map(|entry| entry.zxid))
            .collect();
        assert_eq!(opened.ends, ends);
        let read = opened.reader.entries(opened.first, last).unwrap();
        assert_eq!(read.collect::<Result<Vec<_>, _>>().unwrap(), kept);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_order_of_operations(steps in prop::collection::vec(any_step(), 1..40)) {
        // raft-engine keeps for each thread what it read last, of whichever directory.
        let taken = std::thread::spawn(move || take_all(&steps)).join();
        prop_assert!(taken.is_ok());
    }
}

fn take_all(steps: &[Step]) {
    let mut home = Home::new();
    let mut model = Model::default();
    let mut opened = home.open();
    for step in steps.iter().chain([&Step::Reopen { killed: true }]) {
        match step {
            Step::Reopen { killed: true } => {
                home = home.killed();
                opened = home.open();
                model.check(&mut opened);
            }
            Step::Reopen { killed: false } => {
                drop(opened);
                opened = home.open();
                model.check(&mut opened);
            }
            step => model.take(&mut opened, step),
        }
    }
}

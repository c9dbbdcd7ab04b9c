//! One server's log, as far as agreement needs to know it.
//!
//! ```text
//!            checkpoint       committed          durable            last
//!   ─────────────┼────────────────┼─────────────────┼─────────────────┤
//!                 in the log       may still be cut   in memory only
//! ```
//!
//! `committed` may run ahead of `durable`: a quorum elsewhere is enough.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use zooid_ids::{Epoch, Millis, Zxid};

use crate::config::Configs;
use crate::{Body, Config, Effect, Entry, Member, Recovered};

/// The last entry of each epoch that a log holds, ascending; the position from which on it holds
/// entries comes first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EpochEnds(Vec<Zxid>);

impl EpochEnds {
    /// Of a log that begins behind `first`, and these ends of epochs.
    ///
    /// # Panics
    /// If they do not ascend.
    #[must_use]
    pub fn new(first: Zxid, ends: impl IntoIterator<Item = Zxid>) -> Self {
        let mut list = Self(alloc::vec![first]);
        ends.into_iter().for_each(|end| list.extend(end));
        list
    }

    /// Behind this the log holds entries.
    #[must_use]
    pub fn first(&self) -> Zxid {
        self.0[0]
    }

    /// The ends, the position before the first entry included.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Zxid> {
        self.0.iter().copied()
    }

    /// The last position that two logs share. The same zxid is the same entry with the same log
    /// before it, so it lies in the newest epoch that both know, where the shorter one ends. `None`
    /// if they know none together.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<Zxid> {
        let in_epoch = |epoch: Epoch| other.iter().rev().find(|end| end.epoch() == epoch);
        self.iter().rev().find_map(|mine| Some(mine.min(in_epoch(mine.epoch())?)))
    }

    fn extend(&mut self, zxid: Zxid) {
        let at = self.0.len() - 1;
        assert!(zxid > self.0[at], "{zxid} behind {}", self.0[at]);
        if at > 0 && zxid.epoch() == self.0[at].epoch() {
            self.0[at] = zxid;
        } else {
            self.0.push(zxid);
        }
    }

    fn truncate(&mut self, to: Zxid) {
        let first = self.first();
        assert!(to >= first, "a cut at {to}, before the log begins at {first}");
        let cut = self.0.iter().any(|end| *end > to);
        self.0.retain(|end| *end <= to);
        if cut && *self.0.last().expect("there is a first") < to {
            self.0.push(to);
        }
    }
}

impl Default for EpochEnds {
    /// Of a log that holds nothing.
    fn default() -> Self {
        Self::new(Zxid::ZERO, [])
    }
}

/// See the picture above.
#[derive(Clone, Debug, Hash)]
pub(crate) struct History {
    committed: Zxid,
    /// Entries of the log in `(committed, recovered]` that this process has never seen: applied
    /// from there.
    recovered: Option<Zxid>,
    durable: Zxid,
    last: Zxid,
    last_time: Millis,
    /// Entries of this process that are not both committed and durable, oldest first.
    window: VecDeque<Entry>,
    /// The newest ones, which were not handed to the disk yet.
    batch: Vec<Entry>,
    ends: EpochEnds,
    configs: Configs,
}

impl History {
    /// What recovery found; `told` decides as long as no entry says who does.
    pub(crate) fn new(recovered: &Recovered, told: Config) -> Self {
        assert!(recovered.committed <= recovered.last, "a checkpoint beyond the log");
        Self {
            committed: recovered.committed,
            recovered: (recovered.last > recovered.committed).then_some(recovered.last),
            durable: recovered.last,
            last: recovered.last,
            last_time: recovered.last_time,
            window: VecDeque::new(),
            batch: Vec::new(),
            ends: recovered.ends.clone(),
            configs: Configs::new(told, &recovered.configs),
        }
    }

    pub(crate) fn committed(&self) -> Zxid {
        self.committed
    }

    pub(crate) fn durable(&self) -> Zxid {
        self.durable
    }

    pub(crate) fn last(&self) -> Zxid {
        self.last
    }

    pub(crate) fn last_time(&self) -> Millis {
        self.last_time
    }

    /// True until the first entry: nobody has ever led this server.
    pub(crate) fn is_empty(&self) -> bool {
        self.last == Zxid::ZERO
    }

    /// Who decides.
    pub(crate) fn config(&self) -> &Config {
        self.configs.in_force()
    }

    /// The entry from which on this member counts; the very beginning if it does not.
    pub(crate) fn counts_since(&self, member: Member) -> Zxid {
        self.configs.counts_since(member)
    }

    /// The entry that says who decides.
    pub(crate) fn config_since(&self) -> Zxid {
        self.configs.since()
    }

    pub(crate) fn ends(&self) -> &EpochEnds {
        &self.ends
    }

    /// Entries that are not committed.
    pub(crate) fn uncommitted(&self) -> usize {
        self.window.len() - self.window.partition_point(|entry| entry.zxid <= self.committed)
    }

    /// Entries that the disk is at, oldest first: those of this turn are not among them.
    pub(crate) fn being_written(&self) -> impl Iterator<Item = &Entry> {
        let written = self.window.len() - self.batch.len().min(self.window.len());
        self.window.range(..written).filter(|entry| entry.zxid > self.durable)
    }

    /// Puts an entry behind the last one.
    pub(crate) fn append(&mut self, entry: Entry) {
        assert_eq!(entry.prev_zxid, self.last, "a gap in the log");
        self.ends.extend(entry.zxid);
        if let Body::EpochStart(config) | Body::Config(config) = &entry.body {
            self.configs.push(entry.zxid, config);
        }
        (self.last, self.last_time) = (entry.zxid, entry.time.max(self.last_time));
        self.batch.push(entry.clone());
        self.window.push_back(entry);
    }

    /// What goes to the disk now.
    pub(crate) fn take_batch(&mut self) -> Vec<Entry> {
        core::mem::take(&mut self.batch)
    }

    pub(crate) fn synced(&mut self, through: Zxid) {
        assert!(through > self.durable && through <= self.last, "{through} was not being written");
        self.durable = through;
        self.forget();
    }

    /// Everything up to `through` is committed; what is new is to be applied.
    pub(crate) fn commit(&mut self, through: Zxid, out: &mut Vec<Effect>) {
        if through <= self.committed {
            return;
        }
        assert!(through <= self.last, "{through} is committed, but the log ends at {}", self.last);
        if let Some(recovered) = self.recovered {
            let replay = recovered.min(through);
            out.push(Effect::Replay { after: self.committed, through: replay });
            self.committed = replay;
            self.recovered = (recovered > replay).then_some(recovered);
        }
        let new = self.window.partition_point(|entry| entry.zxid <= self.committed);
        for entry in self.window.range(new..).take_while(|entry| entry.zxid <= through) {
            assert_eq!(entry.prev_zxid, self.committed, "a gap in what is delivered");
            self.committed = entry.zxid;
            out.push(Effect::Deliver(entry.clone()));
        }
        self.configs.settle(self.committed);
        self.forget();
    }

    /// Cuts everything behind `to` off; nothing may be under way to the disk.
    pub(crate) fn truncate(&mut self, to: Zxid) {
        // Whoever would cut what is known to be committed has lost an acknowledged write, or
        // somebody else has: nobody may go on from there.
        assert!(to >= self.committed, "cut at {to}, but {} is committed", self.committed);
        assert!(self.durable == self.last, "a cut while the disk is at work");
        self.window.retain(|entry| entry.zxid <= to);
        self.recovered = self.recovered.map(|recovered| recovered.min(to));
        self.recovered = self.recovered.filter(|recovered| *recovered > self.committed);
        self.ends.truncate(to);
        self.configs.truncate(to);
        (self.durable, self.last) = (to, to);
    }

    /// A checkpoint took the place of everything; this config counted there.
    pub(crate) fn install(&mut self, zxid: Zxid, config: Config) {
        assert!(zxid >= self.committed, "a checkpoint at {zxid}, {} is committed", self.committed);
        self.window.clear();
        self.batch.clear();
        self.recovered = None;
        (self.committed, self.durable, self.last) = (zxid, zxid, zxid);
        self.ends = EpochEnds::new(zxid, []);
        self.configs = Configs::new(config, &[]);
    }

    /// The log was compacted: it holds nothing up to `first` any more.
    pub(crate) fn compacted(&mut self, first: Zxid) {
        let later: Vec<Zxid> = self.ends.iter().skip(1).filter(|end| *end > first).collect();
        self.ends = EpochEnds::new(first, later);
    }

    fn forget(&mut self) {
        let done = self.committed.min(self.durable);
        while self.window.front().is_some_and(|entry| entry.zxid <= done) {
            self.window.pop_front();
        }
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.committed <= self.last && self.durable <= self.last);
        assert_eq!(self.ends.iter().next_back(), Some(self.last.max(self.ends.first())));
        for (before, after) in self.window.iter().zip(self.window.iter().skip(1)) {
            assert_eq!(after.prev_zxid, before.zxid);
        }
        assert!(self.window.back().is_none_or(|entry| entry.zxid == self.last));
        assert!(self.batch.iter().rev().zip(self.window.iter().rev()).all(|(a, b)| a == b));
        assert!(self.recovered.is_none_or(|recovered| recovered > self.committed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn z(epoch: u32, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    /// Two logs by the ends of their epochs: where do they part?
    #[test]
    fn logs_part_where_the_shorter_one_of_their_newest_common_epoch_ends() {
        let cases: [(&[Zxid], &[Zxid], Option<Zxid>); 6] = [
            (&[z(1, 5)], &[z(1, 5)], Some(z(1, 5))),
            (&[z(1, 7)], &[z(1, 5)], Some(z(1, 5))),
            (&[z(1, 5), z(3, 2)], &[z(1, 9), z(2, 4)], Some(z(1, 5))),
            (&[z(1, 5), z(3, 2)], &[], Some(Zxid::ZERO)),
            (&[z(1, 5), z(2, 0), z(4, 1)], &[z(1, 5), z(2, 3), z(3, 0)], Some(z(2, 0))),
            (&[], &[], Some(Zxid::ZERO)),
        ];
        for (mine, other, common) in cases {
            let ends = |ends: &[Zxid]| EpochEnds::new(Zxid::ZERO, ends.iter().copied());
            assert_eq!(ends(mine).common(&ends(other)), common, "{mine:?} {other:?}");
            assert_eq!(ends(other).common(&ends(mine)), common, "{other:?} {mine:?}");
        }
        let compacted = EpochEnds::new(z(4, 9), [z(5, 3)]);
        assert_eq!(compacted.common(&EpochEnds::new(Zxid::ZERO, [z(3, 3)])), None);
    }

    #[test]
    fn a_cut_leaves_the_ends_before_it() {
        let mut ends = EpochEnds::new(z(1, 2), [z(1, 5), z(2, 4)]);
        ends.truncate(z(2, 1));
        assert_eq!(ends, EpochEnds::new(z(1, 2), [z(1, 5), z(2, 1)]));
        ends.truncate(z(1, 5));
        assert_eq!(ends, EpochEnds::new(z(1, 2), [z(1, 5)]));
        ends.truncate(z(1, 2));
        assert_eq!(ends, EpochEnds::new(z(1, 2), []));
    }
}

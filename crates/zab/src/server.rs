//! What every role of a server works with.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use zooid_ids::{Epoch, Incarnation, Instant, Millis, ServerId, Zxid};

use crate::disk::{Disk, Written};
use crate::history::History;
use crate::message::{Notification, Standing, Vote};
use crate::records::Records;
use crate::{Config, Effect, Member, Promise, Settings, SyncTicket};

/// A server without its role.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) member: Member,
    pub(crate) settings: Settings,
    pub(crate) history: History,
    pub(crate) disk: Disk,
    /// The config of the checkpoint that the disk puts in place.
    pub(crate) replacing: Option<Config>,
    /// The newest promise, durable or on its way to the disk.
    pub(crate) promise: Promise,
    pub(crate) now: Instant,
    pub(crate) wall: Millis,
    /// The election it took part in last.
    pub(crate) round: u64,
    /// It had a vote in a life that is lost.
    pub(crate) suspect: bool,
    /// What others have acknowledged to this process while it led, and in which life.
    pub(crate) acknowledged: BTreeMap<ServerId, (Incarnation, Zxid)>,
    /// What others certainly had, also to other leaders and before this process began.
    pub(crate) records: Records,
    /// In the next election it proposes not itself but this one, to whom it handed over.
    pub(crate) yields_to: Option<ServerId>,
    /// Syncs that the leader has answered, and what has to be applied first.
    pub(crate) syncs: Vec<(Zxid, SyncTicket)>,
}

/// What comes after a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Next {
    /// The election: after the disk has spoken of everything.
    Look,
    Lead,
    Follow(ServerId),
    /// Nothing: this life of the server must not be counted any more.
    Retire,
}

impl Server {
    /// The highest epoch that it promised or knows of.
    pub(crate) fn highest_epoch(&self) -> Epoch {
        self.promise.epoch.max(self.history.last().epoch())
    }

    /// Who decides.
    pub(crate) fn config(&self) -> &Config {
        self.history.config()
    }

    /// True if it may propose itself as a leader.
    pub(crate) fn has_vote(&self) -> bool {
        let lost = self.suspect && self.history.is_empty();
        self.config().counts(self.member) && !lost
    }

    /// True if nobody else is needed to decide.
    pub(crate) fn is_alone(&self) -> bool {
        self.config().is_quorum(|id| id == self.member.id)
    }

    /// True if nothing was ever agreed, as far as this server can know.
    pub(crate) fn is_uninitialised(&self) -> bool {
        self.history.is_empty() && !self.suspect
    }

    /// The only one with whom it forms an ensemble: it promised that when nothing was agreed yet.
    pub(crate) fn bound_to(&self) -> Option<Member> {
        let bound = self.history.is_empty() && self.promise.epoch > Epoch(0);
        bound.then_some(self.promise.to)
    }

    /// What this server knows to be committed and that the other has acknowledged.
    pub(crate) fn must_have(&self, member: Member) -> Zxid {
        let acknowledged = match self.acknowledged.get(&member.id) {
            Some((life, zxid)) if *life == member.incarnation => {
                (*zxid).min(self.history.committed())
            }
            _ => Zxid::ZERO,
        };
        acknowledged.max(self.records.of(member))
    }

    /// Hands a promise to the disk.
    pub(crate) fn promise(&mut self, promise: Promise, out: &mut Vec<Effect>) {
        assert!(promise.epoch > self.promise.epoch, "a promise given twice");
        self.promise = promise;
        let ticket = self.disk.give(Written::Promise(promise), self.now);
        out.push(Effect::Promise { ticket, promise });
    }

    /// Hands what was appended in this turn to the disk; gives it, for those who follow.
    pub(crate) fn append_batch(&mut self, out: &mut Vec<Effect>) -> Vec<crate::Entry> {
        let entries = self.history.take_batch();
        if let Some(last) = entries.last() {
            let ticket = self.disk.give(Written::Entries(last.zxid), self.now);
            out.push(Effect::Append { ticket, entries: entries.clone() });
        }
        entries
    }

    /// True if the disk has been at one thing for longer than followers wait for anything.
    pub(crate) fn is_disk_stuck(&self) -> bool {
        let limit = Millis(self.settings.sync_limit.0 / 2);
        self.disk.busy_since().is_some_and(|since| self.now.since(since) > limit)
    }

    /// The leader says that everything is here once `zxid` is applied.
    pub(crate) fn synced(&mut self, ticket: SyncTicket, zxid: Zxid, out: &mut Vec<Effect>) {
        self.syncs.push((zxid, ticket));
        self.answer_syncs(out);
    }

    /// Answers the syncs that waited for what is applied by now.
    pub(crate) fn answer_syncs(&mut self, out: &mut Vec<Effect>) {
        let committed = self.history.committed();
        let answered = self.syncs.extract_if(.., |(zxid, _)| *zxid <= committed);
        out.extend(answered.map(|(_, ticket)| Effect::Synced(ticket)));
    }

    pub(crate) fn notification(&self, standing: Standing, vote: Option<Vote>) -> Notification {
        Notification { from: self.member, standing, round: self.round, vote }
    }
}

/// Without what it was told at its start, its clocks, and the number of its election.
impl Hash for Server {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { settings: _, now: _, wall: _, round: _, .. } = self;
        (self.member, &self.history, &self.disk, &self.replacing, self.promise).hash(state);
        (self.suspect, &self.acknowledged, self.yields_to, &self.syncs).hash(state);
    }
}

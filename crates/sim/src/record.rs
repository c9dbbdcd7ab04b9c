//! What was seen of all servers, checked as it happens where that needs no hindsight, and judged at
//! the end with all that clients were told.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use zooid_ids::{Epoch, Incarnation, ServerId, SessionId, Zxid};
use zooid_model::{Command, ErrorCode, Origin};
use zooid_node::ToClient;
use zooid_node::contract::entry::read_command;
use zooid_oracle::{Committed, Logged, Moment, ServerLog};
use zooid_storage::Identity;
use zooid_zab::{Body, Config, Entry, Member};

use crate::disk::Stored;

/// An entry that some server appended, committed or not.
struct Archived {
    entry: Entry,
    proposed: Moment,
    /// Who decides on it.
    config: Rc<Config>,
    /// Whose disk ever held it, in which life.
    holders: BTreeMap<ServerId, BTreeSet<Incarnation>>,
    /// When a quorum's did first.
    held: Option<Moment>,
}

/// All that was seen.
pub(crate) struct Record {
    /// Who decides as long as no entry says so.
    first_config: Rc<Config>,
    archive: BTreeMap<Zxid, Archived>,
    leaders: BTreeMap<Epoch, ServerId>,
    /// The tree's digest at each zxid at which somebody's turn ended.
    digests: BTreeMap<Zxid, (ServerId, u64)>,
    /// When a session's client was told something last.
    told: BTreeMap<SessionId, Moment>,
    now: u64,
    pub(crate) lost_disks: u64,
}

impl Record {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            first_config: Rc::new(config),
            archive: BTreeMap::new(),
            leaders: BTreeMap::new(),
            digests: BTreeMap::new(),
            told: BTreeMap::new(),
            now: 0,
            lost_disks: 0,
        }
    }

    pub(crate) fn set_time(&mut self, now: u64) {
        self.now = now;
    }

    pub(crate) fn lost(&mut self, _id: ServerId) {
        self.lost_disks += 1;
    }

    /// All disks were replaced by copies of before: what came after this entry never was.
    #[cfg(test)]
    pub(crate) fn restored(&mut self, last: Zxid) {
        self.archive.retain(|zxid, _| *zxid <= last);
        self.digests.retain(|zxid, _| *zxid <= last);
        self.leaders.retain(|epoch, _| *epoch <= last.epoch());
    }

    /// *Leadership*: one server at most leads an epoch.
    pub(crate) fn leads(&mut self, id: ServerId, epoch: Epoch) {
        let leader = *self.leaders.entry(epoch).or_insert(id);
        assert_eq!(leader, id, "two servers lead epoch {epoch}");
    }

    pub(crate) fn elections(&self) -> usize {
        self.leaders.len()
    }

    /// *Integrity*: a zxid names one entry. Gives those that nobody had appended before.
    pub(crate) fn proposed(&mut self, entries: &[Entry], now: u64) -> Vec<String> {
        let mut new = Vec::new();
        for entry in entries {
            if !self.archive.contains_key(&entry.zxid) {
                new.push(told(entry));
            }
            let config = self.config_behind(entry.prev_zxid);
            let archived = self.archive.entry(entry.zxid).or_insert_with(|| Archived {
                entry: entry.clone(),
                proposed: Moment(now),
                config,
                holders: BTreeMap::new(),
                held: None,
            });
            assert_eq!(archived.entry, *entry, "two entries have one zxid");
        }
        new
    }

    /// Who decides on what follows this entry.
    fn config_behind(&self, zxid: Zxid) -> Rc<Config> {
        let Some(archived) = self.archive.get(&zxid) else { return self.first_config.clone() };
        match &archived.entry.body {
            Body::EpochStart(config) | Body::Config(config) => Rc::new(config.clone()),
            Body::Command(_) => archived.config.clone(),
        }
    }

    /// This is on a server's disk now.
    pub(crate) fn stored(&mut self, id: ServerId, stored: &Stored, now: u64) {
        let Some(Identity { incarnation, .. }) = stored.identity else { return };
        for entry in stored.entries().rev() {
            let archived = self.archive.get_mut(&entry.zxid).expect("somebody proposed it");
            if !archived.holders.entry(id).or_default().insert(incarnation) {
                break;
            }
            archived.note_quorum(Moment(now));
        }
    }

    /// The voters whose lives count, as long as the log ends with this entry: by the last config that
    /// is certain to survive, and by the last one if that is another.
    pub(crate) fn counts(&self, last: Zxid, member: Member) -> bool {
        let mut zxid = last;
        let newest = self.config_behind(last);
        while let Some(archived) = self.archive.get(&zxid).filter(|entry| entry.held.is_none()) {
            zxid = archived.entry.prev_zxid;
        }
        newest.counts(member) && self.config_behind(zxid).counts(member)
    }

    /// True if something is certain to survive.
    pub(crate) fn is_formed(&self) -> bool {
        self.archive.first_key_value().is_some_and(|(_, first)| first.held.is_some())
    }

    /// *Durability*: what is applied is on a quorum's disks. *Agreement*: all trees are the same.
    pub(crate) fn applied(&mut self, id: ServerId, zxid: Zxid, digest: u64) {
        if zxid == Zxid::ZERO {
            return;
        }
        let archived = self.archive.get(&zxid).expect("what is applied was proposed");
        let is_held = self.archive.range(zxid..).any(|(_, archived)| archived.held.is_some());
        assert!(
            is_held,
            "server {id} applied {zxid}, which no quorum holds: {:?} do, {:?} decide",
            archived.holders, archived.config
        );
        let (first, before) = *self.digests.entry(zxid).or_insert((id, digest));
        assert_eq!(before, digest, "servers {first} and {id} hold different trees at {zxid}");
    }

    /// A server speaks to the client of a session.
    pub(crate) fn tells(&mut self, session: SessionId, what: &ToClient) {
        let needs_lease = match what {
            ToClient::Reply { result, .. } => {
                !matches!(result, Err(ErrorCode::SessionExpired | ErrorCode::SessionMoved))
            }
            ToClient::Event(_) => true,
            ToClient::Connected(_) | ToClient::Close => false,
        };
        if needs_lease && session != SessionId::NONE {
            self.told.insert(session, Moment(self.now));
        }
    }

    /// The log up to this entry, from its beginning. An entry is certain to survive once it or one
    /// behind it is on a quorum's disks.
    pub(crate) fn committed(&self, last: Zxid) -> Vec<Committed> {
        let (mut log, mut held) = (Vec::new(), None::<Moment>);
        let mut next = last;
        while next > Zxid::ZERO {
            let archived = self.archive.get(&next).expect("what is committed was proposed");
            held = held.into_iter().chain(archived.held).min();
            log.push(Committed { committed: held, ..archived.committed() });
            next = archived.entry.prev_zxid;
        }
        log.reverse();
        log
    }

    /// What is wrong with hindsight, beside what clients saw.
    pub(crate) fn check(&self, log: &[Committed]) {
        let committed: BTreeSet<Zxid> = log.iter().map(|entry| entry.zxid).collect();
        for (zxid, (id, _)) in &self.digests {
            assert!(committed.contains(zxid), "server {id} applied {zxid}, which is not committed");
        }
        for entry in log {
            let Logged::Command(Command::CloseSession { session, by: Origin::Expiry }) =
                &entry.what
            else {
                continue;
            };
            let told = self.told.get(session).copied().unwrap_or_default();
            let ended = entry.committed.expect("what is committed was held");
            assert!(
                told <= ended,
                "the client of session {session} was told something at {} though it was ended by \
                 {} at {}",
                told.0,
                entry.zxid,
                ended.0,
            );
        }
    }

    /// A server's log, for the judge.
    pub(crate) fn log_of(&self, id: ServerId, stored: &Stored, applied: Zxid) -> ServerLog {
        let entries = stored.entries().filter(|entry| entry.zxid <= applied);
        let entries = entries.map(|entry| self.archive[&entry.zxid].committed()).collect();
        let digests = self.digests.iter().filter(|(_, (first, _))| *first == id);
        let digests = digests.map(|(zxid, (_, digest))| (*zxid, *digest)).collect();
        ServerLog { server: id, entries, digests }
    }
}

/// An entry in a few words.
fn told(entry: &Entry) -> String {
    let zxid = entry.zxid;
    match &entry.body {
        Body::EpochStart(_) => format!("{zxid}: the epoch starts"),
        Body::Config(config) => format!("{zxid}: {:?} count", config.registered),
        Body::Command(bytes) => format!("{zxid}: {:?}", read_command(bytes.clone())),
    }
}

impl Archived {
    fn note_quorum(&mut self, now: Moment) {
        let holds = |id: ServerId| {
            let lives = self.holders.get(&id).into_iter().flatten();
            lives.copied().any(|incarnation| self.config.counts(Member { id, incarnation }))
        };
        if self.held.is_none() && self.config.is_quorum(holds) {
            self.held = Some(now);
        }
    }

    fn committed(&self) -> Committed {
        let what = match &self.entry.body {
            Body::EpochStart(_) | Body::Config(_) => Logged::EpochStart,
            Body::Command(bytes) => {
                Logged::Command(read_command(bytes.clone()).expect("a command of a node"))
            }
        };
        let Entry { zxid, time, .. } = self.entry;
        Committed { zxid, time, what, proposed: Some(self.proposed), committed: self.held }
    }
}

//! A world of servers that agree: their disks, their network, the time. Everything that happens is
//! drawn from one seed, so that a failure is told again by its number.
//!
//! What must hold is checked as it happens: see [`Judge`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use zooid_ids::{Epoch, Incarnation, Instant, Millis, ServerId, Zxid};
use zooid_zab::message::{ChannelId, Message, Notification};
use zooid_zab::{
    Body, Config, Effect, Entry, EpochEnds, Member, Promise, Recovered, Settings, SyncTicket,
    Ticket, Zab,
};

/// A small generator of numbers (SplitMix64): good enough to choose faults, and the same for ever.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// What is on a server's disk.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) log: Vec<Entry>,
    pub(crate) promise: Promise,
    /// The checkpoint: everything up to here was applied, and what, and who decided.
    pub(crate) checkpoint: Zxid,
    pub(crate) applied: Vec<(Zxid, Bytes)>,
    config: Option<Config>,
    /// The life of this disk, and whether one before it was lost.
    incarnation: Incarnation,
    suspect: bool,
    /// What others had acknowledged when it was last recorded.
    acknowledged: Vec<(Member, Zxid)>,
    /// It is a copy of an older one.
    is_old: bool,
}

enum Job {
    Promise(Promise),
    Append(Vec<Entry>),
    Truncate(Zxid),
    Replace(Fetched),
}

/// A checkpoint that came from a leader.
pub(crate) struct Fetched {
    checkpoint: Zxid,
    applied: Vec<(Zxid, Bytes)>,
    config: Option<Config>,
}

pub(crate) struct Server {
    pub(crate) id: ServerId,
    pub(crate) zab: Option<Zab>,
    pub(crate) stored: Stored,
    disk: VecDeque<(u64, Ticket, Job)>,
    /// What was applied since the checkpoint at its start, with the checkpoint's.
    pub(crate) applied: Vec<(Zxid, Bytes)>,
    pub(crate) paused: bool,
    /// Its disk is slower than those of the others.
    pub(crate) disk_delay: Option<u64>,
    pub(crate) synced: Vec<SyncTicket>,
    pub(crate) confirmed: Vec<Bytes>,
    /// It waits for a checkpoint; one that comes later than that is thrown away.
    installing: bool,
    fetched: Option<Fetched>,
}

enum Mail {
    Notification(Notification),
    Dialed { channel: ChannelId, from: ServerId },
    Connected { channel: ChannelId, leader: Member },
    Refused { leader: ServerId },
    Said { channel: ChannelId, message: Message },
    Closed { channel: ChannelId },
    Fetch { learner: ServerId },
    Fetched(Fetched),
}

struct Channel {
    learner: ServerId,
    leader: ServerId,
    open: bool,
    /// Nothing arrives before what was sent before.
    last_arrival: [u64; 2],
}

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) now: u64,
    pub(crate) servers: Vec<Server>,
    voters: Vec<ServerId>,
    settings: Settings,
    mail: BTreeMap<(u64, u64), (ServerId, Mail)>,
    posted: u64,
    channels: BTreeMap<ChannelId, Channel>,
    next_channel: u64,
    /// Messages from the first to the second do not arrive.
    pub(crate) cut: BTreeSet<(ServerId, ServerId)>,
    pub(crate) disk_delay: u64,
    pub(crate) judge: Judge,
    pub(crate) trace: Vec<String>,
    next_command: u64,
    next_sync: u64,
    next_touch: u64,
    /// Disks that were replaced by empty ones.
    pub(crate) lives: u128,
    /// A copy of a disk, for later.
    pub(crate) copy: Option<Stored>,
    /// The next entries from the first to the second vanish, and the channel goes on: no network
    /// may do that.
    pub(crate) vanish: Option<(ServerId, ServerId)>,
}

impl World {
    pub(crate) fn new(seed: u64, voters: u64, observers: u64, settings: Settings) -> Self {
        let ids: Vec<_> = (1..=voters + observers).map(ServerId).collect();
        let voters: Vec<_> = ids[..voters as usize].to_vec();
        let servers = ids.iter().map(|id| Server::new(*id)).collect();
        let mut world = Self {
            dice: Dice(seed),
            now: 1_000_000,
            servers,
            voters,
            settings,
            mail: BTreeMap::new(),
            posted: 0,
            channels: BTreeMap::new(),
            next_channel: 0,
            cut: BTreeSet::new(),
            disk_delay: 5,
            judge: Judge::default(),
            trace: Vec::new(),
            next_command: 0,
            next_sync: 0,
            next_touch: 0,
            lives: 0,
            copy: None,
            vanish: None,
        };
        for id in ids {
            world.boot(id);
        }
        world
    }

    pub(crate) fn server(&mut self, id: ServerId) -> &mut Server {
        self.servers.iter_mut().find(|server| server.id == id).expect("a server of this world")
    }

    pub(crate) fn boot(&mut self, id: ServerId) {
        let config = Config::of(self.voters.iter().copied());
        let (settings, now) = (self.settings, self.now);
        let server = self.server(id);
        if server.zab.is_some() {
            return;
        }
        let stored = &server.stored;
        let ends = stored.log.iter().map(|entry| entry.zxid);
        let first = stored.log.first().map_or(stored.checkpoint, |entry| entry.prev_zxid);
        let recovered = Recovered {
            last: stored.last(),
            last_time: stored.log.last().map_or(Millis(0), |entry| entry.time),
            committed: stored.checkpoint,
            promise: stored.promise,
            ends: EpochEnds::new(first, ends),
            configs: stored.configs(),
            suspect: stored.suspect,
        };
        server.applied = stored.applied.clone();
        let member = server.member();
        let mut out = Vec::new();
        let clock = (Instant(now), Millis(now as i64));
        let mut zab = Zab::start(member, config, settings, &recovered, clock, &mut out);
        zab.recall(server.stored.acknowledged.iter().copied());
        server.zab = Some(zab);
        (server.paused, server.installing, server.fetched) = (false, false, None);
        self.tell(id, "boots");
        self.act(id, out);
    }

    /// Power off: what is not synced is gone, all of it or a beginning.
    pub(crate) fn crash(&mut self, id: ServerId) {
        let running = self.servers.iter_mut().find(|server| server.id == id);
        if running.and_then(|server| server.zab.take()).is_none() {
            return;
        }
        let survives = self.dice.below(3);
        let server = self.server(id);
        for (_, _, job) in std::mem::take(&mut server.disk).into_iter().take(survives as usize) {
            server.stored.write(job);
        }
        self.tell(id, "crashes");
        let broken = self.channels.iter().filter(|(_, c)| c.open && c.has(id));
        let broken: Vec<_> = broken.map(|(channel, _)| *channel).collect();
        broken.into_iter().for_each(|channel| self.break_channel(channel, id));
    }

    /// Power off, and the disk is replaced by an empty one.
    pub(crate) fn wipe(&mut self, id: ServerId) {
        self.crash(id);
        self.lives += 1;
        let life = Incarnation(self.lives << 32 | u128::from(id.0));
        self.server(id).stored = Stored::fresh(life);
        self.tell(id, "has an empty disk");
    }

    /// Power off, and the disk is replaced by a copy that was made before.
    pub(crate) fn restore(&mut self, id: ServerId, copy: Stored) {
        self.crash(id);
        self.server(id).stored = Stored { is_old: true, ..copy };
        self.tell(id, "has an old disk");
    }

    /// Its data is set aside, and it starts over in another life.
    fn suspected(&mut self, id: ServerId) {
        assert!(self.server(id).stored.is_old, "server {id} has all that it ever acknowledged");
        self.wipe(id);
        self.server(id).stored.suspect = true;
        self.boot(id);
    }

    pub(crate) fn propose(&mut self, id: ServerId) {
        self.next_command += 1;
        let command = Bytes::from(format!("c{}", self.next_command));
        self.with(id, |zab, out| zab.propose(command, out));
    }

    pub(crate) fn sync(&mut self, id: ServerId) {
        self.next_sync += 1;
        let ticket = SyncTicket(self.next_sync);
        self.judge.syncs.insert(ticket, self.judge.order.len());
        self.with(id, |zab, out| zab.sync(ticket, out));
    }

    /// Clients of this server were heard.
    pub(crate) fn touch(&mut self, id: ServerId, urgent: bool) {
        self.next_touch += 1;
        let hurry = if urgent { "!" } else { "" };
        let payload = Bytes::from(format!("t{}{hurry}", self.next_touch));
        self.with(id, |zab, out| zab.touch(payload, out));
    }

    pub(crate) fn hand_over(&mut self, id: ServerId) {
        self.with(id, |zab, _| zab.hand_over());
    }

    /// A checkpoint of what is applied and durable, and the log before it compacted, but for a few.
    pub(crate) fn checkpoint(&mut self, id: ServerId, keep: usize) {
        let server = self.server(id);
        let durable = server.stored.last();
        let at = server.applied.iter().rposition(|(zxid, _)| *zxid <= durable);
        let (Some(at), Some(zab)) = (at, server.zab.as_mut()) else { return };
        if server.disk.iter().any(|(_, _, job)| matches!(job, Job::Truncate(_))) {
            return;
        }
        let zxid = server.applied[at].0;
        if zxid <= server.stored.checkpoint {
            return;
        }
        server.stored.config = server.stored.config_at(zxid);
        server.stored.checkpoint = zxid;
        server.stored.applied = server.applied[..=at].to_vec();
        let held = server.stored.log.iter().filter(|entry| entry.zxid <= zxid).count();
        server.stored.log.drain(..held.saturating_sub(keep));
        let first = server.stored.log.first().map_or(zxid, |entry| entry.prev_zxid);
        zab.compacted(first);
    }

    pub(crate) fn isolate(&mut self, one: ServerId) {
        let others: Vec<_> = self.servers.iter().map(|server| server.id).collect();
        for other in others.into_iter().filter(|other| *other != one) {
            self.cut.insert((one, other));
            self.cut.insert((other, one));
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while self.now < end {
            self.now += 1;
            while self.mail.first_key_value().is_some_and(|((at, _), _)| *at <= self.now) {
                let (_, (to, mail)) = self.mail.pop_first().expect("there is one");
                self.deliver(to, mail);
            }
            let ids: Vec<_> = self.servers.iter().map(|server| server.id).collect();
            for id in ids {
                self.work_disk(id);
                if self.now % 1000 == id.0 {
                    self.server(id).record_acknowledged();
                }
                if self.now % 20 == id.0 {
                    self.with(id, |zab, out| zab.tick(out));
                }
            }
        }
    }

    pub(crate) fn leaders(&self) -> Vec<ServerId> {
        let leads = |server: &&Server| server.zab.as_ref().is_some_and(Zab::is_broadcasting);
        self.servers.iter().filter(leads).map(|server| server.id).collect()
    }

    /// True if another voter's disk shows that something was agreed, or none does. If all disks are
    /// lost, one after the other, nobody can know that it is not the first start.
    pub(crate) fn somebody_remembers_without(&self, id: ServerId) -> bool {
        let others = self.servers.iter().filter(|s| s.id != id && self.voters.contains(&s.id));
        others.clone().any(|server| server.stored.last() > Zxid::ZERO)
            || self.servers.iter().all(|server| server.stored.last() == Zxid::ZERO)
                && others.count() > 0
    }

    /// True if enough disks are left: of the server that has most, and of those that count with it.
    fn is_recoverable(&self) -> bool {
        let has_vote = |server: &&Server| self.voters.contains(&server.id);
        let best = self.servers.iter().filter(has_vote).max_by_key(|server| server.stored.last());
        let Some(config) = best.and_then(|server| server.stored.config_at(server.stored.last()))
        else {
            // Nothing was agreed. Somebody may have promised a life that is lost.
            return self.lives == 0;
        };
        let counts = |id| self.servers.iter().any(|s| s.id == id && config.counts(s.member()));
        config.is_quorum(counts)
    }

    /// Everybody runs and hears everybody: the ensemble must come together and accept a command.
    pub(crate) fn heal_and_check(&mut self) {
        self.cut.clear();
        self.disk_delay = 5;
        let ids: Vec<_> = self.servers.iter().map(|server| server.id).collect();
        for id in &ids {
            self.server(*id).paused = false;
            self.boot(*id);
        }
        let patience = 30 * self.settings.tick.0 as u64;
        if !self.is_recoverable() {
            return self.run(patience);
        }
        self.run(patience.max(10_000));
        let leaders = self.leaders();
        assert_eq!(leaders.len(), 1, "one leader after healing, not {leaders:?}");
        let before = self.judge.order.len();
        for id in &ids {
            self.propose(*id);
            self.sync(*id);
            self.touch(*id, false);
        }
        self.run(5_000);
        assert_eq!(self.judge.order.len(), before + ids.len(), "everybody's command is committed");
        let all = self.judge.order.clone();
        for server in &self.servers {
            assert!(
                server.synced.last().is_some_and(|t| t.0 + (ids.len() as u64) > self.next_sync)
            );
            let recent = (0..ids.len() as u64).map(|back| format!("t{}", self.next_touch - back));
            assert!(server.confirmed.last().is_some_and(|t| recent.into_iter().any(|r| r == *t)));
            assert_eq!(server.applied, all, "server {} has everything", server.id);
        }
    }

    fn with(&mut self, id: ServerId, run: impl FnOnce(&mut Zab, &mut Vec<Effect>)) {
        let now = self.now;
        let server = self.server(id);
        let Some(zab) = server.zab.as_mut().filter(|_| !server.paused) else { return };
        let mut out = Vec::new();
        zab.turn(Instant(now), Millis(now as i64));
        run(zab, &mut out);
        zab.flush(&mut out);
        zab.check_invariants();
        self.act(id, out);
    }

    fn act(&mut self, id: ServerId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Promise { ticket, promise } => self.give(id, ticket, Job::Promise(promise)),
                Effect::Append { ticket, entries } => self.give(id, ticket, Job::Append(entries)),
                Effect::Truncate { ticket, to } => self.give(id, ticket, Job::Truncate(to)),
                Effect::Replace { ticket, zxid } => {
                    let fetched = self.server(id).fetched.take().expect("it was just fetched");
                    assert_eq!(fetched.checkpoint, zxid);
                    self.give(id, ticket, Job::Replace(fetched));
                }
                Effect::Replaced(zxid) => {
                    let server = self.server(id);
                    assert_eq!(server.stored.checkpoint, zxid);
                    server.applied.clone_from(&server.stored.applied);
                }
                Effect::Replay { after, through } => self.replay(id, after, through),
                Effect::Deliver(entry) => self.apply(id, &entry),
                Effect::Lead(epoch) => {
                    self.tell(id, &format!("leads epoch {epoch}"));
                    self.judge.leads(id, epoch);
                }
                Effect::Follow { leader, epoch } => {
                    self.tell(id, &format!("follows {leader} in epoch {epoch}"));
                }
                Effect::Lost => {
                    self.server(id).installing = false;
                    self.tell(id, "has no leader");
                }
                Effect::Synced(ticket) => self.synced(id, ticket),
                Effect::Touched { channel, payload } => self.touched(id, channel, payload),
                Effect::Confirmed { payload } => self.confirmed(id, payload),
                Effect::Notify { to, notification } => {
                    self.post(id, to, Mail::Notification(notification));
                }
                Effect::Dial(leader) => self.dial(id, leader),
                Effect::Send { channel, message } => self.send(id, channel, message),
                Effect::SendLog { channel, after, through } => {
                    let log = &self.server(id).stored.log;
                    let wanted = |entry: &&Entry| entry.zxid > after && entry.zxid <= through;
                    let entries: Vec<_> = log.iter().filter(wanted).cloned().collect();
                    assert_eq!(entries.first().map(|e| e.prev_zxid), Some(after), "not in the log");
                    let message = Message::Entries { entries, commit: Zxid::ZERO };
                    self.send(id, channel, message);
                }
                Effect::Install { from } => {
                    self.server(id).installing = true;
                    self.post(id, from, Mail::Fetch { learner: id });
                }
                Effect::Close(channel) => self.break_channel(channel, id),
                Effect::Suspect => return self.suspected(id),
            }
        }
    }

    fn give(&mut self, id: ServerId, ticket: Ticket, job: Job) {
        let delay = self.server(id).disk_delay.unwrap_or(self.disk_delay);
        let at = self.now + 1 + self.dice.below(delay.max(1));
        let server = self.server(id);
        let at = server.disk.back().map_or(at, |(before, _, _)| at.max(*before));
        server.disk.push_back((at, ticket, job));
    }

    fn work_disk(&mut self, id: ServerId) {
        let now = self.now;
        loop {
            let server = self.server(id);
            let done = server.disk.front().is_some_and(|(at, _, _)| *at <= now);
            if !done || server.paused || server.zab.is_none() {
                return;
            }
            let (_, ticket, job) = server.disk.pop_front().expect("there is one");
            server.stored.write(job);
            self.with(id, |zab, out| zab.durable(ticket, out));
        }
    }

    fn replay(&mut self, id: ServerId, after: Zxid, through: Zxid) {
        let log = self.server(id).stored.log.clone();
        let mut last = after;
        for entry in log.iter().filter(|e| e.zxid > after && e.zxid <= through) {
            assert_eq!(entry.prev_zxid, last, "a gap in the log of {id}");
            last = entry.zxid;
            self.apply(id, entry);
        }
        assert_eq!(last, through, "the log of {id} ends before what is committed");
    }

    fn apply(&mut self, id: ServerId, entry: &Entry) {
        let Body::Command(command) = &entry.body else { return };
        let at = self.server(id).applied.len();
        self.judge.applied(id, at, entry.zxid, command);
        self.server(id).applied.push((entry.zxid, command.clone()));
    }

    fn synced(&mut self, id: ServerId, ticket: SyncTicket) {
        let needed = self.judge.syncs[&ticket];
        let server = self.server(id);
        assert!(server.applied.len() >= needed, "sync at {id} answered too early");
        server.synced.push(ticket);
        self.tell(id, "has all that there was when it was asked");
    }

    fn touched(&mut self, id: ServerId, channel: Option<ChannelId>, payload: Bytes) {
        self.judge.touched(id, &payload);
        let urgent = payload.ends_with(b"!");
        self.with(id, |zab, out| zab.confirm(channel, payload, urgent, out));
    }

    fn confirmed(&mut self, id: ServerId, payload: Bytes) {
        assert!(self.judge.touches[&payload], "{payload:?} is confirmed by a deposed leader");
        self.tell(id, &format!("knows that {} was in time", String::from_utf8_lossy(&payload)));
        self.server(id).confirmed.push(payload);
    }

    fn post(&mut self, from: ServerId, to: ServerId, mail: Mail) {
        if self.cut.contains(&(from, to)) {
            return;
        }
        let at = self.now + 1 + self.dice.below(10);
        self.post_at(at, to, mail);
    }

    fn post_at(&mut self, at: u64, to: ServerId, mail: Mail) {
        self.posted += 1;
        self.mail.insert((at, self.posted), (to, mail));
    }

    fn dial(&mut self, from: ServerId, leader: ServerId) {
        self.next_channel += 1;
        let channel = ChannelId(self.next_channel);
        let reachable = !self.cut.contains(&(from, leader)) && !self.cut.contains(&(leader, from));
        if !reachable || self.server(leader).zab.is_none() {
            return self.post_at(self.now + 20, from, Mail::Refused { leader });
        }
        let state = Channel { learner: from, leader, open: true, last_arrival: [0; 2] };
        self.channels.insert(channel, state);
        self.post(from, leader, Mail::Dialed { channel, from });
    }

    fn send(&mut self, from: ServerId, channel: ChannelId, message: Message) {
        if let (Message::Sync { plan, .. }, Some(state)) = (&message, self.channels.get(&channel)) {
            let learner = state.learner;
            self.tell(from, &format!("synchronises {learner}: {plan:?}"));
        }
        let (now, delay) = (self.now, 1 + self.dice.below(10));
        let Some(state) = self.channels.get_mut(&channel).filter(|state| state.open) else {
            return;
        };
        let (to, way) = if state.leader == from { (state.learner, 0) } else { (state.leader, 1) };
        if self.cut.contains(&(from, to)) {
            // It loses nothing but its end: what cannot arrive ends it, later.
            return self.break_channel(channel, from);
        }
        let carries = matches!(message, Message::Entries { .. });
        if carries && self.vanish.take_if(|lost| *lost == (from, to)).is_some() {
            return self.tell(to, "misses a message");
        }
        let at = (now + delay).max(state.last_arrival[way]);
        state.last_arrival[way] = at;
        self.post_at(at, to, Mail::Said { channel, message });
    }

    fn break_channel(&mut self, channel: ChannelId, by: ServerId) {
        let Some(state) = self.channels.get_mut(&channel).filter(|state| state.open) else {
            return;
        };
        state.open = false;
        let (to, way) = if state.leader == by { (state.learner, 0) } else { (state.leader, 1) };
        let at = (self.now + 1).max(state.last_arrival[way]);
        self.post_at(at, to, Mail::Closed { channel });
        if self.cut.contains(&(by, to)) || self.cut.contains(&(to, by)) {
            self.post_at(self.now + 1, by, Mail::Closed { channel });
        }
    }

    fn ship(&mut self, leader: ServerId, learner: ServerId) {
        let stored = &self.server(leader).stored;
        let (checkpoint, applied) = (stored.checkpoint, stored.applied.clone());
        let config = stored.config.clone();
        self.post(leader, learner, Mail::Fetched(Fetched { checkpoint, applied, config }));
    }

    fn deliver(&mut self, to: ServerId, mail: Mail) {
        if self.server(to).zab.is_none() {
            return;
        }
        if self.server(to).paused {
            return self.post_at(self.now + 10, to, mail);
        }
        match mail {
            Mail::Notification(said) => self.with(to, |zab, out| zab.notified(&said, out)),
            Mail::Dialed { channel, from } => {
                let leader = self.server(to).member();
                self.post(to, from, Mail::Connected { channel, leader });
            }
            Mail::Connected { channel, leader } => {
                self.with(to, |zab, out| zab.connected(channel, leader, out));
            }
            Mail::Refused { leader } => self.with(to, |zab, out| zab.unreachable(leader, out)),
            Mail::Said { channel, message } => {
                self.with(to, |zab, out| zab.receive(channel, message, out));
            }
            Mail::Closed { channel } => self.with(to, |zab, out| zab.closed(channel, out)),
            Mail::Fetch { learner } => self.ship(to, learner),
            Mail::Fetched(fetched) => self.fetched(to, fetched),
        }
    }

    fn fetched(&mut self, to: ServerId, fetched: Fetched) {
        let server = self.server(to);
        if !std::mem::take(&mut server.installing) {
            return;
        }
        let (checkpoint, config) = (fetched.checkpoint, fetched.config.clone());
        server.fetched = Some(fetched);
        self.tell(to, &format!("installs the checkpoint {checkpoint}"));
        self.with(to, |zab, out| zab.fetched(checkpoint, config, out));
    }

    fn tell(&mut self, id: ServerId, what: &str) {
        self.trace.push(format!("{:>8} server {id} {what}", self.now - 1_000_000));
    }
}

impl Channel {
    fn has(&self, id: ServerId) -> bool {
        self.learner == id || self.leader == id
    }
}

impl Server {
    fn new(id: ServerId) -> Self {
        let stored = Stored::fresh(Incarnation(u128::from(id.0)));
        let (disk, applied) = (VecDeque::new(), Vec::new());
        let (synced, confirmed) = (Vec::new(), Vec::new());
        Self {
            id,
            zab: None,
            stored,
            disk,
            applied,
            paused: false,
            disk_delay: None,
            synced,
            confirmed,
            installing: false,
            fetched: None,
        }
    }
}

impl Server {
    fn member(&self) -> Member {
        Member { id: self.id, incarnation: self.stored.incarnation }
    }

    fn record_acknowledged(&mut self) {
        if let Some(zab) = self.zab.as_ref().filter(|_| !self.paused) {
            self.stored.acknowledged = zab.acknowledged().collect();
        }
    }
}

impl Stored {
    fn fresh(incarnation: Incarnation) -> Self {
        Self {
            log: Vec::new(),
            promise: Promise::default(),
            checkpoint: Zxid::ZERO,
            applied: Vec::new(),
            config: None,
            incarnation,
            suspect: false,
            acknowledged: Vec::new(),
            is_old: false,
        }
    }

    fn last(&self) -> Zxid {
        self.log.last().map_or(self.checkpoint, |entry| entry.zxid)
    }

    fn configs(&self) -> Vec<(Zxid, Config)> {
        let behind = self.log.iter().filter(|entry| entry.zxid > self.checkpoint);
        let held = behind.filter_map(|entry| Some((entry.zxid, config_of(entry)?.clone())));
        self.config.iter().map(|config| (self.checkpoint, config.clone())).chain(held).collect()
    }

    fn config_at(&self, zxid: Zxid) -> Option<Config> {
        let mut until = self.log.iter().rev().filter(|entry| entry.zxid <= zxid);
        until.find_map(config_of).or(self.config.as_ref()).cloned()
    }

    fn write(&mut self, job: Job) {
        match job {
            Job::Promise(promise) => self.promise = promise,
            Job::Append(entries) => self.log.extend(entries),
            Job::Truncate(to) => self.log.retain(|entry| entry.zxid <= to),
            Job::Replace(Fetched { checkpoint, applied, config }) => {
                self.log.clear();
                (self.checkpoint, self.applied, self.config) = (checkpoint, applied, config);
            }
        }
        let prev = self.log.iter().map(|entry| entry.zxid);
        let ordered =
            self.log.iter().skip(1).zip(prev).all(|(entry, prev)| entry.prev_zxid == prev);
        assert!(ordered, "a log with a gap");
    }
}

fn config_of(entry: &Entry) -> Option<&Config> {
    match &entry.body {
        Body::EpochStart(config) | Body::Config(config) => Some(config),
        Body::Command(_) => None,
    }
}

/// What must hold, whatever happens.
#[derive(Default)]
pub(crate) struct Judge {
    /// *Total order*: what is applied anywhere is applied everywhere, in this order.
    pub(crate) order: Vec<(Zxid, Bytes)>,
    /// *Leadership*: one server at most leads an epoch.
    leaders: BTreeMap<Epoch, ServerId>,
    /// *Sync*: how much was applied anywhere when it was asked.
    pub(crate) syncs: BTreeMap<SyncTicket, usize>,
    /// *Lease*: whether the leader that took this touch was still the newest one then.
    touches: BTreeMap<Bytes, bool>,
}

impl Judge {
    fn applied(&mut self, id: ServerId, at: usize, zxid: Zxid, command: &Bytes) {
        let what = (zxid, command.clone());
        match self.order.get(at) {
            Some(before) => assert_eq!(*before, what, "server {id} applies another history"),
            None => {
                assert_eq!(at, self.order.len(), "server {id} leaves something out");
                assert!(self.order.last().is_none_or(|(last, _)| *last < zxid));
                assert!(self.order.iter().all(|(_, c)| c != command), "{command:?} twice");
                self.order.push(what);
            }
        }
    }

    fn touched(&mut self, leader: ServerId, payload: &Bytes) {
        let newest = self.leaders.last_key_value().map(|(_, leader)| *leader);
        self.touches.insert(payload.clone(), newest == Some(leader));
    }

    fn leads(&mut self, id: ServerId, epoch: Epoch) {
        let leader = *self.leaders.entry(epoch).or_insert(id);
        assert_eq!(leader, id, "two leaders of epoch {epoch}");
    }
}

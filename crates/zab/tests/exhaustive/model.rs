//! The small world: what can happen next, and what must hold afterwards.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use bytes::Bytes;
use zooid_ids::{Epoch, Incarnation, Instant, Millis, ServerId, Zxid};
use zooid_zab::message::{ChannelId, Message, Notification, Standing, Vote};
use zooid_zab::{
    Body, Config, Effect, Entry, EpochEnds, Member, Promise, Recovered, Settings, SyncTicket,
    Ticket, Zab,
};

/// How many servers there are; all have a vote.
const SERVERS: u64 = 3;
/// Nothing is as late as this.
const TOO_LATE: Instant = Instant(1 << 40);

/// How much may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Somebody begins to lead.
    pub(crate) leads: u8,
    /// Somebody begins to follow.
    pub(crate) follows: u8,
    pub(crate) proposals: u8,
    pub(crate) syncs: u8,
    pub(crate) touches: u8,
    /// Power off and on, what was not synced lost or not.
    pub(crate) crashes: u8,
    /// Power off, and an empty disk.
    pub(crate) wipes: u8,
    /// A connection breaks.
    pub(crate) breaks: u8,
    /// A leader finds that it heard nobody for too long.
    pub(crate) silences: u8,
}

impl Budget {
    /// Each letter is one: `L`eads, `F`ollows, `P`roposals, `S`yncs, `T`ouches, `C`rashes, `W`ipes,
    /// `B`reaks, `Q` for silences.
    pub(crate) fn of(letters: &str) -> Self {
        let mut budget = Self::default();
        for letter in letters.chars() {
            *match letter {
                'L' => &mut budget.leads,
                'F' => &mut budget.follows,
                'P' => &mut budget.proposals,
                'S' => &mut budget.syncs,
                'T' => &mut budget.touches,
                'C' => &mut budget.crashes,
                'W' => &mut budget.wipes,
                'B' => &mut budget.breaks,
                'Q' => &mut budget.silences,
                _ => panic!("nothing is called {letter}"),
            } += 1;
        }
        budget
    }
}

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Lead(ServerId),
    Follow(ServerId, ServerId),
    Propose(ServerId),
    Sync(ServerId),
    Touch(ServerId),
    /// The disk finishes the oldest thing it was given.
    Synced(ServerId),
    /// The next message of this channel arrives, at its leader or at its learner.
    Arrives(ChannelId, End),
    /// An end of a channel that is broken finds out.
    Ends(ChannelId, End),
    Break(ChannelId),
    /// So many of the things that the disk was at are done nevertheless.
    Crash(ServerId, usize),
    Wipe(ServerId),
    Silence(ServerId),
}

/// An end of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum End {
    Leader,
    Learner,
}

#[derive(Clone, Debug, Hash)]
enum Job {
    Promise(Promise),
    Append(Vec<Entry>),
    Truncate(Zxid),
}

#[derive(Clone, Debug)]
struct Server {
    member: Member,
    /// None only until it starts: whoever loses its power gets it back at once. Nobody can tell a
    /// server that is down from one that looks for a leader and is not chosen.
    zab: Option<Zab>,
    log: Vec<Entry>,
    promise: Promise,
    disk: VecDeque<(Ticket, Job)>,
    applied: Vec<Zxid>,
    /// What it said last when it began to look for a leader.
    looking: Option<Notification>,
    leads: bool,
    lives: u8,
}

#[derive(Clone, Debug, Hash)]
struct Channel {
    leader: ServerId,
    learner: ServerId,
    /// Nothing more is sent.
    broken: bool,
    to_leader: Option<VecDeque<Message>>,
    to_learner: Option<VecDeque<Message>>,
}

/// The whole state.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Model {
    // Shared with the states before this one until it changes.
    servers: BTreeMap<ServerId, Rc<Server>>,
    channels: BTreeMap<ChannelId, Rc<Channel>>,
    left: Budget,
    /// Somebody has followed, or lost its disk: from then on it matters who does what.
    differ: bool,
    /// What was applied anywhere, in its order.
    order: Vec<Zxid>,
    leaders: BTreeMap<Epoch, ServerId>,
    /// Who has promised which epoch to whom.
    promises: BTreeMap<(ServerId, Incarnation, Epoch), Member>,
    /// How much was applied anywhere when the sync was asked.
    asked: Option<usize>,
    /// Whether a later epoch had started when the leader took the touch.
    too_late: Option<bool>,
}

impl Model {
    /// An ensemble that has formed, and then all lost power.
    pub(crate) fn formed(left: Budget) -> Self {
        let start = start(1);
        let promise = Promise { epoch: Epoch(1), to: member(3) };
        let server = |id| Server::new(member(id), vec![start.clone()], promise);
        let mut model = Self::of((1..=SERVERS).map(server), left);
        model.order = vec![start.zxid];
        model
    }

    /// The same, after servers 1 and then 3 have begun to lead, each with the promise of 2, and lost
    /// power when the start of their epoch was on no other disk than theirs.
    pub(crate) fn torn(left: Budget) -> Self {
        let mut model = Self::formed(left);
        for (leader, epoch) in [(1, 2), (3, 3)] {
            let promise = Promise { epoch: Epoch(epoch), to: member(leader) };
            [2, leader].into_iter().for_each(|id| model.server(ServerId(id)).promise = promise);
            let server = model.server(ServerId(leader));
            server.log.push(Entry { prev_zxid: server.last(), ..start(epoch) });
        }
        model.servers.keys().copied().collect::<Vec<_>>().into_iter().for_each(|id| model.boot(id));
        model.differ = true;
        model
    }

    /// Servers with empty disks.
    pub(crate) fn fresh(left: Budget) -> Self {
        let server = |id| Server::new(member(id), Vec::new(), Promise::default());
        Self::of((1..=SERVERS).map(server), left)
    }

    fn of(servers: impl Iterator<Item = Server>, left: Budget) -> Self {
        let servers: BTreeMap<_, _> = servers.map(|s| (s.member.id, Rc::new(s))).collect();
        let ids: Vec<_> = servers.keys().copied().collect();
        let mut model = Self {
            servers,
            channels: BTreeMap::new(),
            left,
            differ: false,
            order: Vec::new(),
            leaders: BTreeMap::new(),
            promises: BTreeMap::new(),
            asked: None,
            too_late: None,
        };
        ids.into_iter().for_each(|id| model.boot(id));
        model
    }

    /// What can happen now.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        self.of_channels(&mut actions);
        for (id, server) in &self.servers {
            let zab = server.zab.as_ref().unwrap();
            if !server.disk.is_empty() {
                actions.push(Action::Synced(*id));
            }
            if server.looking.is_some() {
                self.elections(*id, &mut actions);
            }
            self.of_clients(*id, zab, &mut actions);
            if self.left.silences > 0 && server.leads {
                actions.push(Action::Silence(*id));
            }
            // Whoever looks for a leader has nothing on its way to its disk, and nothing to lose.
            if self.left.crashes > 0 && server.looking.is_none() {
                actions.extend((0..=server.disk.len()).map(|done| Action::Crash(*id, done)));
            }
            if self.left.wipes > 0 {
                actions.push(Action::Wipe(*id));
            }
        }
        actions
    }

    fn of_channels(&self, actions: &mut Vec<Action>) {
        for (id, channel) in &self.channels {
            for end in [End::Leader, End::Learner] {
                let Some(queue) = channel.queue(end) else { continue };
                if !queue.is_empty() {
                    actions.push(Action::Arrives(*id, end));
                }
                if channel.broken {
                    actions.push(Action::Ends(*id, end));
                }
            }
            if self.left.breaks > 0 && !channel.broken {
                actions.push(Action::Break(*id));
            }
        }
    }

    fn elections(&self, id: ServerId, actions: &mut Vec<Action>) {
        let has_vote = self.servers[&id].looking.is_some_and(|said| said.vote.is_some());
        // Until somebody follows, all who look are the same: the first stands for each of them.
        let first = self.servers.values().find(|server| server.looking.is_some());
        if !self.differ && first.is_some_and(|first| first.member.id != id) {
            return;
        }
        if self.left.leads > 0 && has_vote {
            actions.push(Action::Lead(id));
        }
        let leads = |(other, server): &(&ServerId, &Rc<Server>)| **other != id && server.leads;
        if self.left.follows > 0 {
            let leaders = self.servers.iter().filter(leads);
            actions.extend(leaders.map(|(leader, _)| Action::Follow(id, *leader)));
        }
    }

    fn of_clients(&self, id: ServerId, zab: &Zab, actions: &mut Vec<Action>) {
        if self.left.proposals > 0 && zab.is_broadcasting() {
            actions.push(Action::Propose(id));
        }
        if zab.is_broadcasting() || zab.is_following() {
            if self.left.syncs > 0 {
                actions.push(Action::Sync(id));
            }
            if self.left.touches > 0 {
                actions.push(Action::Touch(id));
            }
        }
    }

    /// Lets it happen.
    ///
    /// # Panics
    /// If something does not hold then.
    pub(crate) fn apply(&mut self, action: Action) {
        match action {
            Action::Lead(id) => self.elect_itself(id),
            Action::Follow(id, leader) => self.elect_other(id, leader),
            Action::Propose(id) => {
                self.left.proposals -= 1;
                let command = Bytes::from(vec![self.left.proposals]);
                self.with(id, |zab, out| zab.propose(command, out));
            }
            Action::Sync(id) => {
                self.left.syncs -= 1;
                self.asked = Some(self.order.len());
                self.with(id, |zab, out| zab.sync(SyncTicket(1), out));
            }
            Action::Touch(id) => {
                self.left.touches -= 1;
                self.with(id, |zab, out| zab.touch(Bytes::new(), out));
            }
            Action::Synced(id) => {
                let server = self.server(id);
                let (ticket, job) = server.disk.pop_front().unwrap();
                server.write(job);
                self.with(id, |zab, out| zab.durable(ticket, out));
            }
            Action::Arrives(channel, end) => self.arrives(channel, end),
            Action::Ends(channel, end) => self.ends(channel, end),
            Action::Break(channel) => {
                self.left.breaks -= 1;
                self.channel(channel).unwrap().broken = true;
            }
            Action::Crash(id, done) => self.crash(id, done),
            Action::Wipe(id) => self.wipe(id),
            Action::Silence(id) => {
                self.left.silences -= 1;
                self.with(id, |zab, out| {
                    zab.turn(TOO_LATE, Millis(0));
                    zab.tick(out);
                    zab.turn(Instant(0), Millis(0));
                });
            }
        }
        self.check();
    }

    /// Tells it what it would hear if it had won.
    fn elect_itself(&mut self, id: ServerId) {
        self.left.leads -= 1;
        let said = self.server(id).looking.take().unwrap();
        self.server(id).leads = true;
        let others: Vec<_> = self.servers.values().map(|server| server.member).collect();
        for from in others.into_iter().filter(|member| member.id != id) {
            self.with(id, |zab, out| zab.notified(&Notification { from, ..said }, out));
        }
    }

    /// Tells it what it would hear if the other had won, and leads.
    fn elect_other(&mut self, id: ServerId, leader: ServerId) {
        self.left.follows -= 1;
        self.differ = true;
        let said = self.server(id).looking.take().unwrap();
        let vote = Some(Vote { zxid: Zxid::new(Epoch(1000), 0), leader });
        let from = self.server(leader).member;
        let (round, epoch) = (said.round, Epoch(0));
        let voted = Notification { from, standing: Standing::Looking, round, vote };
        self.with(id, |zab, out| zab.notified(&voted, out));
        let leads = Notification { standing: Standing::Leading(epoch), ..voted };
        self.with(id, |zab, out| zab.notified(&leads, out));
    }

    fn boot(&mut self, id: ServerId) {
        let server = self.server(id);
        let zxids = server.log.iter().map(|entry| entry.zxid);
        let configs = server.log.iter().filter_map(|entry| match &entry.body {
            Body::EpochStart(config) | Body::Config(config) => Some((entry.zxid, config.clone())),
            Body::Command(_) => None,
        });
        let recovered = Recovered {
            last: server.last(),
            promise: server.promise,
            ends: EpochEnds::new(Zxid::ZERO, zxids),
            configs: configs.collect(),
            ..Recovered::default()
        };
        let settings = Settings { election_wait: Millis(0), ..Settings::default() };
        let config = Config::of((1..=SERVERS).map(ServerId));
        let mut out = Vec::new();
        let clock = (Instant(0), Millis(0));
        server.zab = Some(Zab::start(server.member, config, settings, &recovered, clock, &mut out));
        self.act(id, out);
    }

    fn crash(&mut self, id: ServerId, done: usize) {
        self.left.crashes -= 1;
        self.lose_power(id, done);
        self.boot(id);
    }

    fn lose_power(&mut self, id: ServerId, done: usize) {
        let server = self.server(id);
        let jobs: Vec<_> = server.disk.drain(..).take(done).collect();
        jobs.into_iter().for_each(|(_, job)| server.write(job));
        (server.zab, server.looking, server.leads) = (None, None, false);
        server.applied.clear();
        for channel in self.channels.values_mut().filter(|channel| channel.has(id)) {
            Rc::make_mut(channel).leave(id);
        }
        self.forget_channels();
    }

    fn wipe(&mut self, id: ServerId) {
        self.left.wipes -= 1;
        self.differ = true;
        self.lose_power(id, 0);
        let server = self.server(id);
        server.lives += 1;
        server.member.incarnation = Incarnation(u128::from(server.lives) << 8 | u128::from(id.0));
        (server.log, server.promise) = (Vec::new(), Promise::default());
        self.boot(id);
    }

    fn arrives(&mut self, id: ChannelId, end: End) {
        let channel = self.channel(id).unwrap();
        let to = channel.server(end);
        let message = channel.queue_mut(end).as_mut().unwrap().pop_front().unwrap();
        self.with(to, |zab, out| zab.receive(id, message, out));
    }

    fn ends(&mut self, id: ChannelId, end: End) {
        let channel = self.channel(id).unwrap();
        let to = channel.server(end);
        *channel.queue_mut(end) = None;
        self.forget_channels();
        self.with(to, |zab, out| zab.closed(id, out));
    }

    fn forget_channels(&mut self) {
        self.channels
            .retain(|_, channel| channel.to_leader.is_some() || channel.to_learner.is_some());
    }

    fn server(&mut self, id: ServerId) -> &mut Server {
        Rc::make_mut(self.servers.get_mut(&id).unwrap())
    }

    fn channel(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.channels.get_mut(&id).map(Rc::make_mut)
    }

    fn with(&mut self, id: ServerId, run: impl FnOnce(&mut Zab, &mut Vec<Effect>)) {
        let Some(zab) = self.server(id).zab.as_mut() else { return };
        let mut out = Vec::new();
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
                Effect::Replay { after, through } => {
                    let within = |entry: &&Entry| entry.zxid > after && entry.zxid <= through;
                    let log = self.server(id).log.clone();
                    log.iter().filter(within).for_each(|entry| self.deliver(id, entry.zxid));
                }
                Effect::Deliver(entry) => self.deliver(id, entry.zxid),
                Effect::Lead(epoch) => {
                    let leader = *self.leaders.entry(epoch).or_insert(id);
                    assert_eq!(leader, id, "two leaders of epoch {epoch}");
                }
                Effect::Follow { epoch, .. } => {
                    let has_start = |zxid: &Zxid| zxid.epoch() == epoch;
                    let applied = &self.servers[&id].applied;
                    assert!(applied.iter().any(has_start), "{id} serves what is old");
                }
                Effect::Lost => self.server(id).leads = false,
                Effect::Notify { notification, .. } => self.notified(id, notification),
                Effect::Dial(leader) => self.dial(id, leader),
                Effect::Send { channel, message } => self.send(id, channel, message),
                Effect::SendLog { channel, after, through } => {
                    let within = |entry: &&Entry| entry.zxid > after && entry.zxid <= through;
                    let log = &self.servers[&id].log;
                    let entries = log.iter().filter(within).cloned().collect();
                    self.send(id, channel, Message::Entries { entries, commit: Zxid::ZERO });
                }
                Effect::Close(channel) => {
                    if let Some(channel) = self.channel(channel) {
                        channel.leave(id);
                    }
                    self.forget_channels();
                }
                Effect::Synced(_) => {
                    let applied = self.servers[&id].applied.len();
                    let asked = self.asked.take().unwrap();
                    assert!(asked <= applied, "a sync was answered too early");
                }
                Effect::Touched { channel, payload } => {
                    self.too_late = Some(self.is_deposed(id));
                    self.with(id, |zab, out| zab.confirm(channel, payload, true, out));
                }
                Effect::Confirmed { .. } => {
                    let too_late = self.too_late.take();
                    assert_eq!(too_late, Some(false), "confirmed by a deposed leader");
                }
                Effect::Install { .. } | Effect::Replace { .. } | Effect::Replaced(_) => {
                    panic!("no log was compacted")
                }
                Effect::Suspect => panic!("nobody has an old disk"),
            }
        }
    }

    fn give(&mut self, id: ServerId, ticket: Ticket, job: Job) {
        self.server(id).disk.push_back((ticket, job));
    }

    fn deliver(&mut self, id: ServerId, zxid: Zxid) {
        let at = self.servers[&id].applied.len();
        match self.order.get(at) {
            Some(before) => assert_eq!(*before, zxid, "{id} applies another history"),
            None => {
                assert_eq!(at, self.order.len(), "{id} leaves something out");
                self.order.push(zxid);
            }
        }
        self.server(id).applied.push(zxid);
    }

    fn notified(&mut self, id: ServerId, said: Notification) {
        if said.standing == Standing::Looking {
            self.server(id).looking = Some(said);
        }
    }

    fn dial(&mut self, id: ServerId, leader: ServerId) {
        self.server(id).looking = None;
        // A number that nobody knows any more is as good as a new one.
        let mut free = (100 * id.0..).map(ChannelId);
        let channel = free.find(|id| !self.channels.contains_key(id)).unwrap();
        let queue = || Some(VecDeque::new());
        let (to_leader, to_learner) = (queue(), queue());
        let open = Channel { leader, learner: id, broken: false, to_leader, to_learner };
        self.channels.insert(channel, Rc::new(open));
        let member = self.servers[&leader].member;
        self.with(id, |zab, out| zab.connected(channel, member, out));
        // What it says first comes at once: until the leader has it, this is as if it had not yet
        // chosen whom to follow.
        if self.channels.contains_key(&channel) {
            self.arrives(channel, End::Leader);
        }
    }

    fn send(&mut self, from: ServerId, id: ChannelId, message: Message) {
        if let Message::Promised { epoch, counts: true, .. } = message {
            self.promised(from, id, epoch);
        }
        let open = self.channel(id).filter(|channel| !channel.broken);
        let Some(channel) = open else { return };
        let end = if channel.leader == from { End::Learner } else { End::Leader };
        if let Some(queue) = channel.queue_mut(end) {
            queue.push_back(message);
        }
    }

    /// A promise counts for one leader only.
    fn promised(&mut self, from: ServerId, id: ChannelId, epoch: Epoch) {
        let Some(channel) = self.channels.get(&id) else { return };
        let member = |id: ServerId| self.servers[&id].member;
        let (from, to) = (member(from), member(channel.leader));
        let who = (from.id, from.incarnation, epoch);
        let before = *self.promises.entry(who).or_insert(to);
        assert_eq!(before, to, "epoch {epoch} is promised to two leaders");
    }

    /// True if a quorum's disks hold the start of a later epoch than this server leads.
    fn is_deposed(&self, id: ServerId) -> bool {
        let mine =
            self.leaders.iter().filter(|(_, leader)| **leader == id).map(|(epoch, _)| *epoch);
        let mine = mine.max().unwrap_or_default();
        let started = |server: &&Rc<Server>| server.last().epoch() > mine;
        2 * self.servers.values().filter(started).count() as u64 > SERVERS
    }

    /// What holds in every state.
    fn check(&self) {
        let holding =
            |zxid: Zxid| self.servers.values().filter(move |server| server.holds(zxid)).count();
        for zxid in &self.order {
            let (disks, lives) = (holding(*zxid) as u64, self.servers.values().map(|s| s.lives));
            let lost = u64::from(lives.max().unwrap_or_default());
            assert!(2 * (disks + lost) > SERVERS, "{zxid} was applied, and is on {disks} disks");
        }
        for one in self.servers.values() {
            for other in self.servers.values().filter(|other| other.member.id > one.member.id) {
                one.check_same_history(other);
            }
        }
    }
}

/// Without what its tickets are called, and the number of its election.
impl Hash for Server {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.member, &self.zab, &self.log, self.promise, &self.applied).hash(state);
        (self.disk.len(), self.looking.is_some(), self.leads, self.lives).hash(state);
        self.disk.iter().for_each(|(_, job)| job.hash(state));
    }
}

fn member(id: u64) -> Member {
    Member { id: ServerId(id), incarnation: Incarnation(u128::from(id)) }
}

/// The start of an epoch, in a log that holds nothing else.
fn start(epoch: u32) -> Entry {
    let registered = (1..=SERVERS).map(member).map(|m| (m.id, Some(m.incarnation))).collect();
    let config = Config { registered, ..Config::of((1..=SERVERS).map(ServerId)) };
    let (zxid, prev_zxid) = (Zxid::new(Epoch(epoch), 0), Zxid::ZERO);
    Entry { zxid, prev_zxid, time: Millis(0), body: Body::EpochStart(config) }
}

impl Server {
    fn new(member: Member, log: Vec<Entry>, promise: Promise) -> Self {
        Self {
            member,
            zab: None,
            log,
            promise,
            disk: VecDeque::new(),
            applied: Vec::new(),
            looking: None,
            leads: false,
            lives: 0,
        }
    }

    fn last(&self) -> Zxid {
        self.log.last().map_or(Zxid::ZERO, |entry| entry.zxid)
    }

    fn holds(&self, zxid: Zxid) -> bool {
        self.log.iter().any(|entry| entry.zxid == zxid)
    }

    fn write(&mut self, job: Job) {
        match job {
            Job::Promise(promise) => self.promise = promise,
            Job::Append(entries) => {
                for entry in entries {
                    assert_eq!(entry.prev_zxid, self.last(), "a gap in the log");
                    self.log.push(entry);
                }
            }
            Job::Truncate(to) => self.log.retain(|entry| entry.zxid <= to),
        }
    }

    /// The same zxid is the same entry with the same history before it.
    fn check_same_history(&self, other: &Self) {
        let both = self.log.iter().rposition(|entry| other.holds(entry.zxid));
        let common = both.map_or(0, |last| last + 1);
        let same = self.log[..common] == other.log[..common.min(other.log.len())];
        assert!(same, "{} and {} have different histories", self.member.id, other.member.id);
    }
}

impl Channel {
    fn has(&self, id: ServerId) -> bool {
        self.leader == id || self.learner == id
    }

    fn server(&self, end: End) -> ServerId {
        match end {
            End::Leader => self.leader,
            End::Learner => self.learner,
        }
    }

    fn queue(&self, end: End) -> Option<&VecDeque<Message>> {
        match end {
            End::Leader => self.to_leader.as_ref(),
            End::Learner => self.to_learner.as_ref(),
        }
    }

    fn queue_mut(&mut self, end: End) -> &mut Option<VecDeque<Message>> {
        match end {
            End::Leader => &mut self.to_leader,
            End::Learner => &mut self.to_learner,
        }
    }

    /// This server is not there any more; what it said may still arrive.
    fn leave(&mut self, id: ServerId) {
        self.broken = true;
        match self.leader == id {
            true => self.to_leader = None,
            false => self.to_learner = None,
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lead(id) => write!(f, "{id} is elected"),
            Self::Follow(id, leader) => write!(f, "{id} follows {leader}"),
            Self::Propose(id) => write!(f, "a client of {id} writes"),
            Self::Sync(id) => write!(f, "a client of {id} asks to see everything"),
            Self::Touch(id) => write!(f, "a client of {id} is heard"),
            Self::Synced(id) => write!(f, "the disk of {id} finishes one thing"),
            Self::Arrives(channel, end) => {
                write!(f, "a message of {} arrives at its {end:?}", channel.0)
            }
            Self::Ends(channel, end) => {
                write!(f, "the {end:?} of {} sees that it ended", channel.0)
            }
            Self::Break(channel) => write!(f, "{} breaks", channel.0),
            Self::Crash(id, done) => write!(f, "{id} crashes, with {done} more things on its disk"),
            Self::Wipe(id) => write!(f, "{id} crashes and gets an empty disk"),
            Self::Silence(id) => write!(f, "{id} heard nobody for too long"),
        }
    }
}

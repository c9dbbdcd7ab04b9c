//! A server: the real node, and around it what the real server does with its effects.
//!
//! Inputs gather and are handled as one turn of its loop. A turn may end in the middle of its
//! effects, where a crash comes.

use std::collections::VecDeque;

use zooid_ids::{
    BootNonce, ClusterId, ConnectionId, Incarnation, Instant, Millis, ServerId, Xid, Zxid,
};
use zooid_model::{ConnectRequest, Grants, Request};
use zooid_node::{Clock, Effect, Node, Settings};
use zooid_session::auth::Authentication;
use zooid_session::handshake::Timeouts;
use zooid_storage::{Identity, LogPosition};
use zooid_tree::{HandOver, Record};
use zooid_zab::message::{ChannelId, Message, Notification};
use zooid_zab::{Effect as Agreed, Member};

use crate::client::ADDRESS;
use crate::dice::Dice;
use crate::disk::{Disk, Done, End, Job, RunFile, Start, Stored, restore};
use crate::world::{Event, World};

const WALL: i64 = 1_700_000_000_000;

/// The loop asks for the time so often, in microseconds.
const TICK: u64 = 50_000;

/// How often the witness is synced.
const SYNC_WITNESS: u64 = 1_000_000;

/// A server, running or not.
pub(crate) struct Server {
    pub(crate) id: ServerId,
    pub(crate) disk: Disk,
    pub(crate) process: Option<Process>,
    /// How often it was started.
    boots: u64,
    /// What its own clock shows at the beginning of the world, and how wrong its wall clock is.
    uptime: u64,
    pub(crate) skew: i64,
    /// A copy of its disk, and whether it runs on one that was put back.
    pub(crate) copy: Option<Stored>,
    pub(crate) is_rolled_back: bool,
    /// How long a sync takes, if it is not as long as others' take.
    pub(crate) slow_disk: u64,
}

/// One run of a server.
pub(crate) struct Process {
    pub(crate) node: Node,
    pub(crate) boot: u64,
    pub(crate) paused: bool,
    inbox: VecDeque<Input>,
    /// A turn is to come.
    woken: bool,
    /// It ends when it has done so many more things.
    pub(crate) ends_after: Option<(u64, End)>,
    checkpoint: Option<Harvest>,
    /// The fetch of a checkpoint that is wanted, and what came of it.
    fetching: Option<u64>,
    fetched: Option<Vec<RunFile>>,
    staged: Option<Vec<RunFile>>,
    /// What the disk knows.
    cluster: Option<ClusterId>,
    suspect: bool,
}

/// A checkpoint that is being taken.
struct Harvest {
    hand_over: HandOver,
    zxid: Zxid,
    records: Vec<Record>,
    harvested: bool,
}

/// What happens to a server.
pub(crate) enum Input {
    Disk(Done),
    Harvest,
    Publish(Box<RunFile>),
    Notified(Notification),
    Dialed { channel: ChannelId },
    Connected { channel: ChannelId, leader: Member },
    Unreachable { leader: ServerId },
    Said { channel: ChannelId, message: Message },
    Closed { channel: ChannelId },
    Fetch { learner: ServerId, number: u64 },
    Fetched { number: u64, runs: Option<Vec<RunFile>> },
    HandOver,
    Tick,
    Open { connection: ConnectionId, request: ConnectRequest },
    Request { connection: ConnectionId, xid: Xid, request: Request },
    Gone { connection: ConnectionId },
}

impl Input {
    fn is_of_clients(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Request { .. } | Self::Gone { .. })
    }
}

impl Server {
    pub(crate) fn new(id: ServerId, keep: u64, uptime: u64) -> Self {
        Self {
            id,
            disk: Disk::new(keep),
            process: None,
            boots: 0,
            uptime,
            skew: 0,
            copy: None,
            is_rolled_back: false,
            slow_disk: 0,
        }
    }

    fn clock(&self, now: u64) -> Clock {
        let wall = Millis(WALL + self.skew + (now / 1000) as i64);
        Clock { now: Instant(self.uptime + now / 1000), wall }
    }

    pub(crate) fn node(&self) -> Option<&Node> {
        self.process.as_ref().map(|process| &process.node)
    }
}

impl World {
    pub(crate) fn server(&mut self, id: ServerId) -> &mut Server {
        self.servers.get_mut(&id).expect("a server of this world")
    }

    /// The run of a server's process, if it runs.
    pub(crate) fn boot_of(&self, id: ServerId) -> Option<u64> {
        self.servers[&id].process.as_ref().map(|process| process.boot)
    }

    fn process(&mut self, id: ServerId) -> Option<&mut Process> {
        self.server(id).process.as_mut()
    }

    /// A server starts, if it does not run.
    pub(crate) fn boot(&mut self, id: ServerId) {
        if self.servers[&id].process.is_some() {
            return;
        }
        let key = self.dice.bytes();
        let fresh = Identity {
            cluster: ClusterId(u128::from(self.dice.next())),
            server: id,
            incarnation: Incarnation(u128::from(self.dice.next())),
            created: Millis(0),
        };
        let now = self.now;
        let server = self.servers.get_mut(&id).expect("a server of this world");
        let (start, suspicion) = server.disk.start(fresh);
        if let Some(why) = suspicion {
            self.record.lost(id);
            self.trace.tell(now, format_args!("server {id} sets its data aside: {why}"));
        }
        server.boots += 1;
        let boot = server.boots;
        let Start { tree, recovered, member, cluster } = start;
        let settings = settings(&self.setup, member, boot, cluster, key);
        let clock = server.clock(now);
        self.trace.tell(now, format_args!("server {id} starts, {}", recovered.last));
        let voters = self.setup.config();
        let suspect = recovered.suspect;
        let mut node = Node::start(settings, clock, tree, voters, &recovered);
        node.recall_acknowledged(self.servers[&id].disk.stored.acknowledged.iter().copied());
        self.server(id).process = Some(Process::new(node, boot, suspect));
        self.copy(id);
        self.wake(id);
        self.post(now + TICK, Event::Tick(id, boot));
        self.post(now + SYNC_WITNESS, Event::SyncWitness(id, boot));
    }

    /// A server ends, if it runs.
    pub(crate) fn end(&mut self, id: ServerId, how: End) {
        let Some(process) = self.server(id).process.take() else { return };
        self.trace.tell(self.now, format_args!("server {id} ends: {how:?}"));
        let mut dice = Dice::new(self.dice.next());
        self.server(id).disk.end(how, &mut dice);
        self.record.stored(id, &self.servers[&id].disk.stored, self.now);
        self.break_lines(id, process.boot);
        self.break_channels(id, process.boot);
    }

    /// Something happens to a server; `boot`: only if that run of it is still there.
    pub(crate) fn reach(&mut self, id: ServerId, boot: Option<u64>, input: Input) {
        let Some(process) = self.process(id) else { return };
        if boot.is_none_or(|boot| boot == process.boot) {
            process.inbox.push_back(input);
            self.wake(id);
        }
    }

    /// There is something to do: a turn begins soon.
    fn wake(&mut self, id: ServerId) {
        let at = self.now + self.dice.between(self.setup.gather);
        let Some(process) = self.process(id) else { return };
        if !process.paused && !std::mem::replace(&mut process.woken, true) {
            let boot = process.boot;
            self.post(at, Event::Turn(id, boot));
        }
    }

    pub(crate) fn resume(&mut self, id: ServerId) {
        let Some(process) = self.process(id) else { return };
        if std::mem::take(&mut process.paused) {
            process.woken = false;
            self.trace.tell(self.now, format_args!("server {id} goes on"));
            self.wake(id);
            self.begin_disk(id);
        }
    }

    pub(crate) fn tick(&mut self, id: ServerId, boot: u64) {
        if self.boot_of(id) == Some(boot) {
            self.post(self.now + TICK, Event::Tick(id, boot));
            let process = self.process(id).expect("it runs");
            if !process.inbox.iter().any(|input| matches!(input, Input::Tick)) {
                self.reach(id, Some(boot), Input::Tick);
            }
        }
    }

    pub(crate) fn sync_witness(&mut self, id: ServerId, boot: u64) {
        if self.boot_of(id) == Some(boot) {
            let server = self.server(id);
            server.disk.sync_witness();
            // That others had acknowledged is recorded on a thread of its own, too.
            let process = server.process.as_ref().expect("it runs");
            server.disk.stored.acknowledged = process.node.acknowledged().collect();
            self.post(self.now + SYNC_WITNESS, Event::SyncWitness(id, boot));
        }
    }

    /// All that waits is handled, what is of the disk and of peers first.
    pub(crate) fn turn(&mut self, id: ServerId, boot: u64) {
        let clock = self.servers[&id].clock(self.now);
        let Some(process) = self.process(id).filter(|process| process.boot == boot) else { return };
        process.woken = false;
        if process.paused {
            return;
        }
        let inbox = std::mem::take(&mut process.inbox);
        let (of_clients, control): (Vec<_>, Vec<_>) =
            inbox.into_iter().partition(Input::is_of_clients);
        process.node.turn(clock);
        for input in control.into_iter().chain(of_clients) {
            self.take(id, input);
        }
        self.finish_turn(id, boot);
    }

    fn finish_turn(&mut self, id: ServerId, boot: u64) {
        loop {
            let Some(process) = self.process(id).filter(|process| process.boot == boot) else {
                return;
            };
            let effects = process.node.flush();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                if self.boot_of(id) != Some(boot) {
                    return;
                }
                self.execute(id, effect);
                self.maybe_end(id);
            }
        }
        self.look_after(id);
    }

    /// A crash comes after so many effects.
    fn maybe_end(&mut self, id: ServerId) {
        let Some(process) = self.process(id) else { return };
        match &mut process.ends_after {
            Some((0, how)) => {
                let how = *how;
                self.end(id, how);
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
    }

    fn take(&mut self, id: ServerId, input: Input) {
        let now = self.now;
        match input {
            Input::Disk(done) => self.disk_has_done(id, done),
            Input::Harvest => self.harvest(id),
            Input::Publish(run) => self.publish(id, *run),
            Input::Dialed { channel } => self.accept(id, channel),
            Input::Fetch { learner, number } => self.ship(id, learner, number),
            Input::Fetched { number, runs } => self.fetched(id, number, runs),
            Input::Connected { channel, leader } => {
                if self.has_connected(channel) {
                    self.node(id).connected(channel, leader);
                }
            }
            Input::Said { channel, message } => {
                let received = self.node(id).receive(channel, message);
                received.expect("servers understand each other");
            }
            Input::Closed { channel } => self.node(id).closed(channel),
            Input::Notified(said) => self.node(id).notified(&said),
            Input::Unreachable { leader } => self.node(id).unreachable(leader),
            Input::HandOver => self.node(id).hand_over(),
            Input::Tick => {
                self.node(id).tick();
                if now / TICK % 16 == id.0 % 16 {
                    self.node(id).check_invariants();
                }
            }
            Input::Open { connection, request } => {
                self.node(id).open(connection, ADDRESS, &request)
            }
            Input::Request { connection, xid, request } => {
                self.node(id).request(connection, xid, request);
            }
            Input::Gone { connection } => self.node(id).gone(connection),
        }
    }

    fn node(&mut self, id: ServerId) -> &mut Node {
        &mut self.process(id).expect("only who runs has turns").node
    }

    fn disk_has_done(&mut self, id: ServerId, done: Done) {
        match done {
            Done::Durable(ticket) => self.node(id).durable(ticket),
            Done::Compacted(first) => self.node(id).compacted(first),
        }
    }

    fn execute(&mut self, id: ServerId, effect: Effect) {
        match effect {
            Effect::Agree(agreed) => self.agree(id, agreed),
            Effect::Tell(connection, what) => {
                let session = self.session_of(id, connection);
                self.record.tells(session, &what);
                self.tell_client(connection, what);
            }
            // Here nobody sleeps between what is decided and what is written.
            Effect::Allow(..) => {}
        }
    }

    fn session_of(&mut self, id: ServerId, connection: ConnectionId) -> zooid_ids::SessionId {
        let mut connections = self.node(id).connections();
        let view = connections.find(|view| view.connection == connection);
        view.map(|view| view.session).unwrap_or_default()
    }

    fn agree(&mut self, id: ServerId, agreed: Agreed) {
        match agreed {
            Agreed::Promise { ticket, promise } => self.give(id, Job::Promise(ticket, promise)),
            Agreed::Append { ticket, entries } => {
                for what in self.record.proposed(&entries, self.now) {
                    self.trace.tell(self.now, format_args!("server {id} proposes {what}"));
                }
                self.give(id, Job::Append(ticket, entries));
            }
            Agreed::Truncate { ticket, to } => {
                self.trace.tell(self.now, format_args!("server {id} cuts its log to {to}"));
                self.give(id, Job::Truncate(ticket, to));
            }
            Agreed::Replay { after, through } => {
                let entries = self.servers[&id].disk.stored.within(after, through);
                for entry in entries.expect("what is to be replayed is in the log") {
                    self.node(id).replay(entry);
                }
            }
            Agreed::Lead(epoch) => {
                self.trace.tell(self.now, format_args!("server {id} leads epoch {epoch}"));
                self.record.leads(id, epoch);
            }
            Agreed::Follow { leader, epoch } => self
                .trace
                .tell(self.now, format_args!("server {id} follows {leader} in epoch {epoch}")),
            Agreed::Replace { ticket, .. } => self.replace(id, ticket),
            Agreed::Replaced(zxid) => {
                self.trace.tell(self.now, format_args!("server {id} installed {zxid}"));
            }
            Agreed::Lost => {
                let process = self.process(id).expect("it runs");
                (process.fetching, process.fetched) = (None, None);
                self.trace.tell(self.now, format_args!("server {id} has no leader"));
            }
            Agreed::Suspect => self.set_aside(id),
            other => self.say(id, other),
        }
    }

    /// Its disk is an older one than it should be: its data goes aside.
    fn set_aside(&mut self, id: ServerId) {
        self.end(id, End::Killed);
        self.record.lost(id);
        self.server(id).is_rolled_back = false;
        self.server(id).disk.stored = Stored::set_aside();
        self.boot(id);
    }

    pub(crate) fn give(&mut self, id: ServerId, job: Job) {
        self.server(id).disk.give(job);
        self.begin_disk(id);
    }

    fn begin_disk(&mut self, id: ServerId) {
        let sync = self.dice.between(self.setup.sync);
        let now = self.now;
        let server = self.server(id);
        let Some(process) = server.process.as_ref().filter(|process| !process.paused) else {
            return;
        };
        let boot = process.boot;
        if server.disk.begin() {
            let length = if server.slow_disk > 0 { server.slow_disk } else { sync };
            self.post(now + length, Event::DiskDone(id, boot));
        }
    }

    /// A sync is done; a process that stands still hears of it later.
    pub(crate) fn disk_done(&mut self, id: ServerId, boot: u64) {
        if self.boot_of(id) != Some(boot) {
            return;
        }
        let done = self.server(id).disk.finish();
        self.record.stored(id, &self.servers[&id].disk.stored, self.now);
        done.into_iter().for_each(|done| self.reach(id, Some(boot), Input::Disk(done)));
        self.begin_disk(id);
    }

    /// What the real loop does at the end of each turn.
    fn look_after(&mut self, id: ServerId) {
        let process = self.server(id).process.as_mut().expect("it runs");
        let node = &process.node;
        let (zxid, digest) = (node.tree().zxid(), node.tree().digest());
        let mut jobs = Vec::new();
        if let Some(formation) = node.tree().formation()
            && process.cluster.replace(formation.cluster) != Some(formation.cluster)
        {
            jobs.push(Job::Cluster(formation.cluster));
        }
        if process.suspect && node.has_vote() {
            process.suspect = false;
            jobs.push(Job::Readmitted);
        }
        let begins = node.wants_checkpoint() && process.checkpoint.is_none();
        if begins {
            let hand_over = process.node.begin_checkpoint();
            let (records, harvested) = (Vec::new(), false);
            process.checkpoint = Some(Harvest { hand_over, zxid, records, harvested });
        }
        self.record.applied(id, zxid, digest);
        jobs.into_iter().for_each(|job| self.give(id, job));
        if begins {
            self.harvest_later(id);
        }
    }

    fn harvest_later(&mut self, id: ServerId) {
        let Some(boot) = self.boot_of(id) else { return };
        let at = self.now + self.dice.between(self.setup.sync);
        self.post(at, Event::Reach(id, Some(boot), Box::new(Input::Harvest)));
    }

    /// The checkpoint's next records; then it waits until the log is durable so far.
    fn harvest(&mut self, id: ServerId) {
        let server = self.server(id);
        let process = server.process.as_mut().expect("it runs");
        let Some(harvest) = &mut process.checkpoint else { return };
        if !harvest.harvested {
            let records = process.node.harvest(7);
            harvest.harvested = records.len() < 7;
            harvest.records.extend(records);
            return self.harvest_later(id);
        }
        let stored = &server.disk.stored;
        let knows_ensemble = stored.identity.map(|own| own.cluster) == process.cluster;
        let position = stored.position(harvest.zxid).filter(|_| knows_ensemble);
        let Some(position) = position else { return self.harvest_later(id) };
        let run = finished(process.checkpoint.take().expect("it is there"), position, stored);
        let Some(boot) = self.boot_of(id) else { return };
        let at = self.now + self.dice.between(self.setup.sync);
        self.post(at, Event::Reach(id, Some(boot), Box::new(Input::Publish(Box::new(run)))));
    }

    /// The run is written, or could not be.
    fn publish(&mut self, id: ServerId, run: RunFile) {
        let failed = self.dice.once_in(10);
        let position = run.position();
        self.node(id).end_checkpoint(!failed);
        if !failed {
            self.trace.tell(self.now, format_args!("server {id} has a checkpoint at {position}"));
            self.server(id).disk.stored.publish(run);
            self.give(id, Job::Compact(position));
        }
        self.offer_fetched(id);
    }

    fn fetched(&mut self, id: ServerId, number: u64, runs: Option<Vec<RunFile>>) {
        let process = self.process(id).expect("it runs");
        if process.fetching != Some(number) {
            return;
        }
        process.fetching = None;
        if runs.is_none() {
            process.node.not_fetched();
        }
        process.fetched = runs;
        self.offer_fetched(id);
    }

    /// An own checkpoint that is being written ends first.
    fn offer_fetched(&mut self, id: ServerId) {
        let process = self.process(id).expect("it runs");
        if process.node.tree().is_handing_over() {
            return;
        }
        if let Some(runs) = process.fetched.take() {
            let tree = restore(&runs.iter().collect::<Vec<_>>());
            process.staged = Some(runs);
            process.node.fetched(tree);
        }
    }

    fn replace(&mut self, id: ServerId, ticket: zooid_zab::Ticket) {
        let process = self.process(id).expect("it runs");
        let runs = process.staged.take().expect("it was just offered");
        let cluster = process.node.fetched_cluster();
        self.give(id, Job::Replace(ticket, runs, cluster));
    }

    /// Remembers which fetch of a checkpoint is wanted.
    pub(crate) fn wants_fetch(&mut self, id: ServerId, number: u64) {
        self.process(id).expect("it runs").fetching = Some(number);
    }
}

impl Process {
    fn new(node: Node, boot: u64, suspect: bool) -> Self {
        Self {
            node,
            boot,
            paused: false,
            inbox: VecDeque::new(),
            woken: false,
            ends_after: None,
            checkpoint: None,
            fetching: None,
            fetched: None,
            staged: None,
            cluster: None,
            suspect,
        }
    }
}

fn finished(harvest: Harvest, position: LogPosition, stored: &Stored) -> RunFile {
    let parent = stored.manifest.runs.last().map(|run| run.position.zxid);
    let of = (position, harvest.hand_over);
    RunFile::new(harvest.records, of, parent, stored.author())
}

fn settings(
    setup: &crate::Setup,
    member: Member,
    boot: u64,
    cluster: ClusterId,
    key: [u8; 32],
) -> Settings {
    Settings {
        member,
        boot: BootNonce(boot),
        formation: (cluster, key),
        session_id_key: key,
        hash_key: boot,
        timeouts: Timeouts::of_tick(setup.tick),
        tick: setup.tick,
        agreement: setup.agreement(),
        servers: Some("server.1=h:1:2:participant\nversion=0".into()),
        grants: Grants { enforce_quota: false, extended_types: true },
        authentication: Authentication::default(),
        collect_interval: setup.tick,
        collect_per_minute: 10_000,
        collect_never_used: Millis(500),
        checkpoint_entries: setup.checkpoint_entries,
        checkpoint_bytes: 1 << 26,
    }
}

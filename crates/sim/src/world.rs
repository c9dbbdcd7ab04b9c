//! The world: its time, and what happens in it, one thing after the other.

use std::collections::{BTreeMap, BTreeSet};

use zooid_ids::ServerId;
use zooid_node::ToClient;
use zooid_oracle::Conversation;
use zooid_zab::message::ChannelId;

use crate::Setup;
use crate::client::{Client, Line};
use crate::dice::Dice;
use crate::network::Network;
use crate::record::Record;
use crate::schedule::{Action, Step};
use crate::server::{Input, Server};
use crate::trace::Trace;

/// Something that happens at a time.
pub(crate) enum Event {
    Act(Box<Step>),
    Reach(ServerId, Option<u64>, Box<Input>),
    Turn(ServerId, u64),
    Tick(ServerId, u64),
    DiskDone(ServerId, u64),
    SyncWitness(ServerId, u64),
    DialEnds(ChannelId),
    ChannelBreaks(ChannelId),
    ChannelEnds(ChannelId),
    ToClient(u64, Box<ToClient>),
    ClientWakes(usize),
}

/// Servers, clients, and all that is between them.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) dice: Dice,
    /// In microseconds from the beginning.
    pub(crate) now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    posted: u64,
    pub(crate) servers: BTreeMap<ServerId, Server>,
    pub(crate) network: Network,
    pub(crate) clients: Vec<Client>,
    pub(crate) lines: BTreeMap<u64, Line>,
    pub(crate) ended: Vec<Conversation>,
    pub(crate) connections: u64,
    /// Clients and servers that do not reach each other.
    pub(crate) cut_off: BTreeSet<(usize, ServerId)>,
    pub(crate) record: Record,
    pub(crate) trace: Trace,
    pub(crate) happened: u64,
}

impl World {
    /// A world in which all servers have just started and nobody has connected.
    pub(crate) fn new(setup: Setup, seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let ids = (1..=setup.voters + setup.observers).map(ServerId);
        let mut server = |id| Server::new(id, setup.keep_entries, dice.roll(1 << 30));
        let servers = ids.clone().map(|id| (id, server(id))).collect();
        let mut world = Self {
            dice,
            now: 0,
            queue: BTreeMap::new(),
            posted: 0,
            servers,
            network: Network::default(),
            clients: (0..setup.clients).map(|_| Client::default()).collect(),
            lines: BTreeMap::new(),
            ended: Vec::new(),
            connections: 0,
            cut_off: BTreeSet::new(),
            record: Record::new(setup.config()),
            trace: Trace { lines: traced.then(Vec::new) },
            happened: 0,
            setup,
        };
        world.trace.tell(0, format_args!("{:?}", world.setup));
        ids.for_each(|id| world.boot(id));
        for client in 0..world.clients.len() {
            world.post(1000 * client as u64, Event::ClientWakes(client));
        }
        world
    }

    pub(crate) fn post(&mut self, at: u64, event: Event) {
        self.posted += 1;
        self.queue.insert((at, self.posted), event);
    }

    /// Lets time pass up to then.
    pub(crate) fn run_until(&mut self, end: u64) {
        while let Some(first) = self.queue.first_entry().filter(|first| first.key().0 <= end) {
            let ((at, _), event) = first.remove_entry();
            self.now = at.max(self.now + 1);
            self.record.set_time(self.now);
            self.happened += 1;
            self.happen(event);
        }
        self.now = self.now.max(end);
    }

    pub(crate) fn run(&mut self, microseconds: u64) {
        self.run_until(self.now + microseconds);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(step) => {
                self.trace.tell(self.now, format_args!("{step}"));
                self.act(step.action, &mut Dice::new(step.number ^ 0xac7));
            }
            Event::Reach(id, boot, input) => self.reach(id, boot, *input),
            Event::Turn(id, boot) => self.turn(id, boot),
            Event::Tick(id, boot) => self.tick(id, boot),
            Event::DiskDone(id, boot) => self.disk_done(id, boot),
            Event::SyncWitness(id, boot) => self.sync_witness(id, boot),
            Event::DialEnds(channel) => self.dial_ends(channel),
            Event::ChannelBreaks(channel) => self.channel_breaks(channel),
            Event::ChannelEnds(channel) => self.channel_ends(channel),
            Event::ToClient(connection, what) => self.arrives(connection, *what),
            Event::ClientWakes(client) => self.client_wakes(client),
        }
    }

    /// Does what a step says, as far as it can be done.
    pub(crate) fn act(&mut self, action: Action, dice: &mut Dice) {
        match action {
            Action::Ask(client) => self.ask_anything(client, dice),
            Action::Burst(client, count) => {
                (0..count).for_each(|_| self.ask_anything(client, dice));
            }
            Action::HangUp(client) => self.hang_up(client),
            Action::Sleep(client, length) => self.sleep(client, length),
            Action::CutOff(client, server) => self.cut_off(client, server),
            Action::End(id, how) => self.end(id, how),
            Action::EndAfter(id, effects, how) => {
                if let Some(process) = &mut self.server(id).process {
                    process.ends_after = Some((effects, how));
                }
            }
            Action::EndAll(how) => {
                let ids: Vec<ServerId> = self.servers.keys().copied().collect();
                ids.into_iter().for_each(|id| self.end(id, how));
            }
            Action::Boot(id) => self.boot(id),
            Action::Pause(id) => {
                if let Some(process) = &mut self.server(id).process {
                    process.paused = true;
                }
            }
            Action::Resume(id) => self.resume(id),
            Action::HandOver(id) => self.reach(id, None, Input::HandOver),
            Action::Wipe(id) => self.wipe(id),
            Action::Copy(id) => self.copy(id),
            Action::Restore(id) => self.restore(id),
            Action::Damage(id, entries) => self.damage(id, entries),
            Action::SlowDisk(id, length) => self.server(id).slow_disk = length,
            Action::Cut(from, to) => self.cut(from, to),
            Action::Isolate(id) => self.isolate(id),
            Action::Split(set) => self.split(|id| set >> id.0 & 1 == 1),
            Action::Heal => self.heal(),
            Action::Break(one, other) => self.break_between(one, other),
            Action::SetClock(id, milliseconds) => self.server(id).skew += milliseconds,
        }
    }
}

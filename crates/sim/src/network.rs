//! What servers say to each other, and what becomes of it on the way.
//!
//! Election messages may be lost. A channel is ordered and loses nothing but its end: what is sent
//! where nothing arrives is stuck, goes on when the way is free again, and breaks the channel if
//! that takes too long.

use std::collections::{BTreeMap, BTreeSet};

use zooid_ids::{ServerId, Zxid};
use zooid_zab::message::{ChannelId, Message, Notification, Vote};
use zooid_zab::{Effect as Agreed, Entry};

use crate::disk::RunFile;
use crate::server::Input;
use crate::world::{Event, World};

/// A dial that is not answered fails after so long, in microseconds.
const DIAL_PATIENCE: u64 = 500_000;

/// Entries of the log are sent in batches of so many.
const BATCH: usize = 10;

/// One run of a server.
type Run = (ServerId, u64);

struct Channel {
    learner: Run,
    leader: Run,
    connected: bool,
    /// One end has closed it, and says nothing more.
    closed: bool,
    /// Nothing arrives before what was sent before: at the learner, at the leader.
    arrivals: [u64; 2],
    /// Nor do forwards before forwards.
    forwarded: u64,
    /// What does not get through, in order.
    stuck: Vec<(ServerId, Input)>,
}

impl Channel {
    /// The other end, and which way that is.
    fn other(&self, from: ServerId) -> (Run, usize) {
        if self.leader.0 == from { (self.learner, 0) } else { (self.leader, 1) }
    }

    /// When something arrives that was sent now and is on its way until `at`; a forward may wait
    /// before it is sent, and what comes after it overtakes it then. An end overtakes nothing.
    fn arrival(&mut self, input: &Input, way: usize, at: u64, wait: u64) -> u64 {
        match input {
            Input::Said { message: Message::Forward { .. }, .. } => {
                self.forwarded = (at + wait).max(self.last_arrival(way));
                self.forwarded
            }
            Input::Closed { .. } => at.max(self.last_arrival(way)),
            _ => {
                self.arrivals[way] = at.max(self.arrivals[way]);
                self.arrivals[way]
            }
        }
    }

    /// When the last thing arrives that was sent this way.
    fn last_arrival(&self, way: usize) -> u64 {
        let forwarded = if way == 1 { self.forwarded } else { 0 };
        self.arrivals[way].max(forwarded)
    }

    fn has(&self, run: Run) -> bool {
        self.learner == run || self.leader == run
    }
}

/// Channels, and ways on which nothing arrives.
#[derive(Default)]
pub(crate) struct Network {
    channels: BTreeMap<ChannelId, Channel>,
    opened: u64,
    fetches: u64,
    cut: BTreeSet<(ServerId, ServerId)>,
}

impl World {
    fn is_cut(&self, from: ServerId, to: ServerId) -> bool {
        self.network.cut.contains(&(from, to))
    }

    /// Does what the agreement wants of other servers.
    pub(crate) fn say(&mut self, from: ServerId, agreed: Agreed) {
        match agreed {
            Agreed::Notify { to, notification } => self.notify(from, to, notification),
            Agreed::Dial(leader) => self.dial(from, leader),
            Agreed::Send { channel, message } => self.send(from, channel, message),
            Agreed::SendLog { channel, after, through } => {
                self.send_log(from, channel, after, through);
            }
            Agreed::Install { from: leader } => self.fetch(from, leader),
            Agreed::Close(channel) => self.close(from, channel),
            other => unreachable!("this is not said to other servers: {other:?}"),
        }
    }

    fn notify(&mut self, from: ServerId, to: ServerId, said: Notification) {
        let Notification { standing, round, vote, .. } = said;
        let vote = vote.map(|Vote { zxid, leader }| (leader.0, zxid.0));
        self.trace.tell(
            self.now,
            format_args!("server {from} tells {to}: {standing:?} in round {round}, for {vote:x?}"),
        );
        let is_lost = self.setup.loss > 0 && self.dice.once_in(self.setup.loss);
        if !is_lost && !self.is_cut(from, to) {
            let at = self.now + self.dice.between(self.setup.latency);
            self.post(at, Event::Reach(to, None, Box::new(Input::Notified(said))));
        }
    }

    fn dial(&mut self, learner: ServerId, leader: ServerId) {
        let Some(boot) = self.boot_of(learner) else { return };
        let there = self.boot_of(leader);
        let reachable = !self.is_cut(learner, leader) && !self.is_cut(leader, learner);
        let Some(there) = there.filter(|_| reachable) else {
            let at = self.now + self.dice.between((100, DIAL_PATIENCE));
            let input = Input::Unreachable { leader };
            return self.post(at, Event::Reach(learner, Some(boot), Box::new(input)));
        };
        self.network.opened += 1;
        let channel = ChannelId(self.network.opened);
        let (learner, leader) = ((learner, boot), (leader, there));
        let (connected, closed, arrivals, forwarded, stuck) = (false, false, [0; 2], 0, Vec::new());
        let state = Channel { learner, leader, connected, closed, arrivals, forwarded, stuck };
        self.network.channels.insert(channel, state);
        self.pass(learner.0, channel, Input::Dialed { channel });
        self.post(self.now + DIAL_PATIENCE, Event::DialEnds(channel));
    }

    /// The process that was dialled takes the connection.
    pub(crate) fn accept(&mut self, leader: ServerId, channel: ChannelId) {
        let member = self.servers[&leader].disk.member(leader).expect("who runs has an identity");
        self.pass(leader, channel, Input::Connected { channel, leader: member });
    }

    /// True if this answer to a dial still counts.
    pub(crate) fn has_connected(&mut self, channel: ChannelId) -> bool {
        let channel = self.network.channels.get_mut(&channel);
        channel.is_some_and(|channel| !std::mem::replace(&mut channel.connected, true))
    }

    pub(crate) fn dial_ends(&mut self, channel: ChannelId) {
        if self.network.channels.get(&channel).is_some_and(|channel| !channel.connected) {
            let state = self.network.channels.remove(&channel).expect("it is there");
            let input = Box::new(Input::Unreachable { leader: state.leader.0 });
            let (learner, boot) = state.learner;
            self.post(self.now, Event::Reach(learner, Some(boot), input));
        }
    }

    fn send(&mut self, from: ServerId, channel: ChannelId, message: Message) {
        if let Message::Sync { plan, through } = &message {
            let learner = self.network.channels.get(&channel).map(|state| state.learner.0);
            self.trace.tell(
                self.now,
                format_args!("server {from} synchronises {learner:?}: {plan:?} up to {through}"),
            );
        }
        self.pass(from, channel, Input::Said { channel, message });
    }

    /// What was compacted meanwhile cannot be sent: the channel ends, and the learner comes again.
    fn send_log(&mut self, from: ServerId, channel: ChannelId, after: Zxid, through: Zxid) {
        let Some(entries) = self.servers[&from].disk.stored.within(after, through) else {
            self.close(from, channel);
            let closed = Box::new(Input::Closed { channel });
            return self.post(self.now, Event::Reach(from, self.boot_of(from), closed));
        };
        for batch in entries.chunks(BATCH) {
            let entries: Vec<Entry> = batch.to_vec();
            self.send(from, channel, Message::Entries { entries, commit: Zxid::ZERO });
        }
    }

    /// Passes something on to the other end of a channel, in order.
    fn pass(&mut self, from: ServerId, channel: ChannelId, input: Input) {
        let delay = self.dice.between(self.setup.latency);
        let patience = self.dice.between((50_000, 5_000_000));
        let wait = self.dice.clone().between(self.setup.forward_wait);
        let now = self.now;
        let open = self.network.channels.get_mut(&channel).filter(|state| !state.closed);
        let Some(state) = open else { return };
        let ((to, boot), way) = state.other(from);
        let is_stuck = self.network.cut.contains(&(from, to))
            || state.stuck.iter().any(|(stuck, _)| *stuck == from);
        if is_stuck {
            let is_first = state.stuck.is_empty();
            state.stuck.push((from, input));
            if is_first {
                self.post(now + patience, Event::ChannelBreaks(channel));
            }
            return;
        }
        let at = state.arrival(&input, way, now + delay, wait);
        self.post(at, Event::Reach(to, Some(boot), Box::new(input)));
    }

    /// One end closes a channel: the other hears of it behind what was said before.
    fn close(&mut self, from: ServerId, channel: ChannelId) {
        self.pass(from, channel, Input::Closed { channel });
        if let Some(state) = self.network.channels.get_mut(&channel) {
            state.closed = true;
        }
    }

    /// Something was stuck for too long.
    pub(crate) fn channel_breaks(&mut self, channel: ChannelId) {
        let stuck = self.network.channels.get(&channel);
        if stuck.is_some_and(|state| !state.stuck.is_empty()) {
            self.break_channel(channel);
        }
    }

    fn break_channel(&mut self, channel: ChannelId) {
        let Some(state) = self.network.channels.remove(&channel) else { return };
        for (way, (server, boot)) in [state.learner, state.leader].into_iter().enumerate() {
            let at = (self.now + 1).max(state.last_arrival(way));
            let input = if state.connected || way == 1 {
                Input::Closed { channel }
            } else {
                Input::Unreachable { leader: state.leader.0 }
            };
            self.post(at, Event::Reach(server, Some(boot), Box::new(input)));
        }
    }

    /// All channels between two servers break.
    pub(crate) fn break_between(&mut self, one: ServerId, other: ServerId) {
        let between = |state: &Channel| {
            let ends = (state.learner.0, state.leader.0);
            ends == (one, other) || ends == (other, one)
        };
        let channels = self.network.channels.iter().filter(|(_, state)| between(state));
        let channels: Vec<ChannelId> = channels.map(|(channel, _)| *channel).collect();
        channels.into_iter().for_each(|channel| self.break_channel(channel));
    }

    /// A process has ended, and with it its channels: where nothing arrives nobody hears of it yet.
    pub(crate) fn break_channels(&mut self, server: ServerId, boot: u64) {
        let channels = self.network.channels.iter();
        let of_run = channels.filter(|(_, state)| state.has((server, boot)));
        let of_run: Vec<ChannelId> = of_run.map(|(channel, _)| *channel).collect();
        for channel in of_run {
            let ((other, _), _) = self.network.channels[&channel].other(server);
            if self.is_cut(server, other) {
                let at = self.now + self.dice.between((50_000, 5_000_000));
                self.post(at, Event::ChannelEnds(channel));
            } else {
                self.break_channel(channel);
            }
        }
    }

    pub(crate) fn channel_ends(&mut self, channel: ChannelId) {
        self.break_channel(channel);
    }

    /// The leader's newest checkpoint is wanted.
    fn fetch(&mut self, learner: ServerId, leader: ServerId) {
        self.network.fetches += 1;
        let number = self.network.fetches;
        self.wants_fetch(learner, number);
        if !self.is_cut(learner, leader) && !self.is_cut(leader, learner) {
            let at = self.now + self.dice.between(self.setup.latency);
            let input = Box::new(Input::Fetch { learner, number });
            self.post(at, Event::Reach(leader, None, input));
        }
        let Some(boot) = self.boot_of(learner) else { return };
        let given_up = Box::new(Input::Fetched { number, runs: None });
        self.post(self.now + 3_000_000, Event::Reach(learner, Some(boot), given_up));
    }

    /// Sends the newest checkpoint to a learner.
    pub(crate) fn ship(&mut self, leader: ServerId, learner: ServerId, number: u64) {
        let runs = self.servers[&leader].disk.stored.checkpoint();
        let runs: Vec<RunFile> = runs.into_iter().cloned().collect();
        if self.is_cut(leader, learner) || self.dice.once_in(10) {
            return;
        }
        let runs = Some(runs).filter(|runs| !runs.is_empty());
        let at = self.now + 10 * self.dice.between(self.setup.latency);
        self.post(at, Event::Reach(learner, None, Box::new(Input::Fetched { number, runs })));
    }

    /// Messages from one server do not arrive at the other.
    pub(crate) fn cut(&mut self, from: ServerId, to: ServerId) {
        if from != to {
            self.network.cut.insert((from, to));
        }
    }

    /// Nobody and this server reach each other.
    pub(crate) fn isolate(&mut self, one: ServerId) {
        self.split(|id| id == one);
    }

    /// These servers and the others do not reach each other.
    pub(crate) fn split(&mut self, is_here: impl Fn(ServerId) -> bool) {
        let ids: Vec<ServerId> = self.servers.keys().copied().collect();
        for one in &ids {
            let others = ids.iter().filter(|other| is_here(*one) != is_here(**other));
            others.for_each(|other| self.cut(*one, *other));
        }
    }

    /// Everybody reaches everybody, and what was stuck goes on.
    pub(crate) fn heal(&mut self) {
        self.network.cut.clear();
        self.cut_off.clear();
        let channels: Vec<ChannelId> = self.network.channels.keys().copied().collect();
        for channel in channels {
            let state = self.network.channels.get_mut(&channel).expect("nobody removed it");
            let stuck = std::mem::take(&mut state.stuck);
            let was_closed = std::mem::take(&mut state.closed);
            stuck.into_iter().for_each(|(from, input)| self.pass(from, channel, input));
            self.network.channels.get_mut(&channel).expect("it stayed").closed = was_closed;
        }
    }
}

//! The loop: takes all that happened, lets the node handle it, then does what the node says.
//!
//! It never waits but for something to happen: the disk, the sockets and the checkpoints are other
//! threads, told through queues.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zooid_ids::{ConnectionId, Instant, Zxid};
use zooid_node::contract::entry::read_body;
use zooid_node::{Effect, Node, ToClient};
use zooid_storage::{Appended, LogEntry, LogReader, Staged};
use zooid_transport::peers::FromPeer;
use zooid_transport::{FromClient, Mailbox, Outgoing, Outlet};
use zooid_zab::{Body, Effect as Agreed, Entry};

use crate::checkpointer::Checkpointer;
use crate::disk::{Disk, Job};
use crate::fetch::Fetched;
use crate::measure::Measures;
use crate::member::Member;
use crate::recorder::Recorder;
use crate::room::RoomWatch;
use crate::{Event, clock, guard};

/// The node asks the clock this often; sessions expire by whole ticks, which are longer.
const TICK: Duration = Duration::from_millis(50);

/// A turn that takes longer is reported: everybody waits for it.
const LONG_TURN_MS: i64 = 100;

/// What the loop owns.
pub(crate) struct Loop {
    pub(crate) node: Node,
    mailbox: Arc<Mailbox<Event>>,
    disk: Disk,
    checkpointer: Checkpointer,
    recorder: Recorder,
    /// The way to the other servers, where there are any.
    member: Option<Member>,
    log: LogReader,
    clients: BTreeMap<ConnectionId, Client>,
    /// Those that are told something in this turn.
    told: Vec<ConnectionId>,
    next_tick: Instant,
    /// A checkpoint of the leader that waits for an own one to end, and what of it the disk gets.
    fetched: Option<Box<Fetched>>,
    staged: Option<Staged>,
    pub(crate) measures: Measures,
    /// Lives as long as the loop.
    _room: RoomWatch,
    on_ready: Option<Box<dyn FnOnce() + Send>>,
}

struct Client {
    outlet: Outlet,
    waiting: Vec<Outgoing>,
}

impl Loop {
    /// A loop around a node that was just started. `on_ready` is called once clients can be served.
    #[must_use]
    pub(crate) fn new(
        node: Node,
        mailbox: Arc<Mailbox<Event>>,
        (disk, checkpointer, recorder, room): (Disk, Checkpointer, Recorder, RoomWatch),
        log: LogReader,
        member: Option<Member>,
        on_ready: Box<dyn FnOnce() + Send>,
    ) -> Self {
        Self {
            node,
            mailbox,
            disk,
            checkpointer,
            recorder,
            member,
            log,
            clients: BTreeMap::new(),
            told: Vec::new(),
            next_tick: Instant::default(),
            fetched: None,
            staged: None,
            measures: Measures::default(),
            _room: room,
            on_ready: Some(on_ready),
        }
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut events = Vec::new();
        self.finish_turn();
        loop {
            self.mailbox.drain(&mut events, TICK);
            let clock = clock::read();
            self.node.turn(clock);
            let control: Vec<Event> = events.extract_if(.., |event| event.is_control()).collect();
            let stop = control.iter().any(|event| matches!(event, Event::Stop));
            control.into_iter().for_each(|event| self.take_control(event));
            events.drain(..).for_each(|event| self.take(event));
            if clock.now >= self.next_tick {
                self.next_tick = Instant(clock.now.0 + TICK.as_millis() as u64);
                self.node.tick();
                self.recorder.record(clock.now, self.node.acknowledged());
            }
            self.finish_turn();
            self.watch_time(clock.now);
            if stop {
                return;
            }
        }
    }

    fn take_control(&mut self, event: Event) {
        match event {
            Event::Durable(ticket, appended) => {
                if let Some(appended) = appended {
                    self.appended(&appended);
                }
                self.node.durable(ticket);
            }
            Event::Harvest(limit) => self.checkpointer.give(self.node.harvest(limit)),
            Event::CheckpointEnded(position) => {
                self.node.end_checkpoint(position.is_some());
                self.offer_fetched();
                if let Some(position) = position {
                    self.disk.give(Job::Compact(position));
                }
            }
            Event::Compacted(first) => self.node.compacted(first),
            Event::Fetched(fetched) => self.take_fetched(fetched),
            Event::Peer(said) => self.take_from_peer(said),
            Event::HandOver => self.node.hand_over(),
            Event::Room { free, is_short } => self.see_room(free, is_short),
            Event::Look(look) => look(self),
            Event::Stop | Event::Client(_) => {}
        }
    }

    /// A leader that runs out of room lets another one lead, once: if that one is short too, both
    /// refuse what grows.
    fn see_room(&mut self, free: Option<u64>, is_short: bool) {
        self.measures.free = free;
        let is_news = is_short && !self.node.is_short_of_room();
        self.node.set_short_of_room(is_short);
        if is_news && self.member.is_some() {
            self.node.hand_over();
        }
    }

    fn take_fetched(&mut self, fetched: Option<Box<Fetched>>) {
        if fetched.is_none() {
            self.node.not_fetched();
        }
        self.fetched = fetched;
        self.offer_fetched();
    }

    /// The state changes under a checkpoint that is being written: it has to end first.
    fn offer_fetched(&mut self) {
        if self.node.tree().is_handing_over() {
            return;
        }
        if let Some(fetched) = self.fetched.take() {
            let Fetched { staged, tree } = *fetched;
            self.staged = Some(staged);
            self.node.fetched(tree);
        }
    }

    fn take_from_peer(&mut self, said: FromPeer) {
        match said {
            FromPeer::Notified(notification) => self.node.notified(&notification),
            // The agreement hears of a learner when it says who it is.
            FromPeer::Dialed { .. } => {}
            FromPeer::Connected { channel, leader } => self.node.connected(channel, leader),
            FromPeer::Said { channel, message, held } => {
                let received = self.node.receive(channel, message);
                drop(held);
                if let (Err(why), Some(member)) = (received, &self.member) {
                    member.refuse(channel, &why);
                }
            }
            FromPeer::Closed { channel } => {
                if let Some(member) = &self.member {
                    member.forget(channel);
                }
                self.node.closed(channel);
            }
            FromPeer::Unreachable { leader } => self.node.unreachable(leader),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Client(FromClient::Opened { connection, peer, connect, outlet }) => {
                self.clients.insert(connection, Client { outlet, waiting: Vec::new() });
                self.node.open(connection, &peer.ip().to_string(), &connect);
            }
            Event::Client(FromClient::Requests { connection, requests }) => {
                for (xid, request) in requests {
                    self.node.request(connection, xid, request);
                }
            }
            Event::Client(FromClient::Gone { connection }) => {
                self.node.gone(connection);
                self.clients.remove(&connection);
            }
            control => self.take_control(control),
        }
    }

    fn appended(&mut self, appended: &Appended) {
        self.measures.fsync(appended.fsync);
    }

    fn finish_turn(&mut self) {
        let mut effects = self.node.flush();
        while !effects.is_empty() {
            effects.into_iter().for_each(|effect| self.execute(effect));
            effects = self.node.flush();
        }
        self.tell_clients();
        self.belong_to_ensemble();
        if self.node.wants_checkpoint() {
            let tree = self.node.tree();
            let (zxid, formation) = (tree.zxid(), tree.formation());
            let cluster = formation.expect("who serves is of an ensemble").cluster;
            self.checkpointer.write(self.node.begin_checkpoint(), zxid, cluster);
        }
        if self.node.is_serving()
            && let Some(ready) = self.on_ready.take()
        {
            ready();
        }
    }

    /// Once the log says which ensemble this is, everybody here is to know.
    fn belong_to_ensemble(&mut self) {
        let Some(member) = &mut self.member else { return };
        if let Some(formation) = self.node.tree().formation()
            && member.belong_to(formation.cluster)
        {
            self.disk.give(Job::Cluster(formation.cluster));
        }
        if member.readmitted(|| self.node.has_vote()) {
            tracing::info!("this server was taken in again and has a vote");
            self.disk.give(Job::Readmitted);
        }
    }

    fn execute(&mut self, effect: Effect) {
        match effect {
            Effect::Agree(agreed) => self.agree(agreed),
            Effect::Tell(connection, what) => self.tell(connection, what),
            Effect::Allow(connection, until) => {
                if let Some(client) = self.clients.get(&connection) {
                    client.outlet.allow(until);
                }
            }
        }
    }

    fn agree(&mut self, agreed: Agreed) {
        match agreed {
            Agreed::Promise { ticket, promise } => self.disk.give(Job::Promise(ticket, promise)),
            Agreed::Append { ticket, entries } => {
                self.measure_proposals(&entries);
                self.disk.give(Job::Append(ticket, entries));
            }
            Agreed::Truncate { ticket, to } => self.disk.give(Job::Truncate(ticket, to)),
            Agreed::Replay { after, through } => {
                if let Err(why) = self.replay(after, through) {
                    guard::die("loop", &why);
                }
            }
            Agreed::Lead(epoch) => {
                tracing::info!(%epoch, "leading");
                self.measures.leads_since.get_or_insert_with(std::time::Instant::now);
            }
            Agreed::Follow { leader, epoch } => tracing::info!(%leader, %epoch, "following"),
            Agreed::Replace { ticket, .. } => {
                let staged = self.staged.take().expect("it was just offered");
                let cluster = self.node.fetched_cluster();
                self.disk.give(Job::Replace(ticket, Box::new(staged), cluster));
            }
            Agreed::Replaced(zxid) => tracing::info!(%zxid, "installed the leader's checkpoint"),
            Agreed::Lost => {
                if let Some(member) = &mut self.member {
                    member.stop_fetching();
                }
                self.fetched = None;
                tracing::info!("without a leader");
                self.measures.leads_since = None;
            }
            other => {
                let member = self.member.as_mut();
                member.expect("whoever is alone has nothing to say to others").say(other);
            }
        }
    }

    fn measure_proposals(&mut self, entries: &[Entry]) {
        if self.measures.leads_since.is_some() {
            for entry in entries {
                if let Body::Command(command) = &entry.body {
                    self.measures.proposals.add(command.len());
                }
            }
        }
    }

    fn replay(&mut self, after: Zxid, through: Zxid) -> Result<(), String> {
        let entries = self.log.entries(after, through).map_err(|error| error.to_string())?;
        tracing::info!(entries = entries.remaining(), %after, %through, "replaying the log");
        for entry in entries {
            let entry = entry.map_err(|error| error.to_string()).and_then(read_entry)?;
            self.node.replay(entry);
        }
        Ok(())
    }

    fn tell(&mut self, connection: ConnectionId, what: ToClient) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        if client.waiting.is_empty() {
            self.told.push(connection);
        }
        client.waiting.push(match what {
            ToClient::Connected(reply) => Outgoing::Connect(reply),
            ToClient::Reply { xid, zxid, result } => Outgoing::Reply { xid, zxid, result },
            ToClient::Event(frame) => Outgoing::Event(frame),
            ToClient::Close => Outgoing::CloseAfterFlush,
        });
    }

    fn tell_clients(&mut self) {
        for connection in self.told.drain(..) {
            if let Some(client) = self.clients.get_mut(&connection) {
                client.outlet.send(client.waiting.drain(..));
            }
        }
    }

    fn watch_time(&mut self, started: Instant) {
        let milliseconds = clock::now().since(started).0;
        if milliseconds > LONG_TURN_MS {
            tracing::warn!(milliseconds, "a long turn of the loop: all clients waited for it");
        }
    }
}

/// An entry as the agreement has it, from its record in the log.
pub(crate) fn read_entry(record: LogEntry) -> Result<Entry, String> {
    let LogEntry { zxid, prev_zxid, time, kind, payload } = record;
    let body = read_body(kind, payload)
        .map_err(|error| format!("entry {zxid} of the log cannot be read: {error}"))?;
    Ok(Entry { zxid, prev_zxid, time, body })
}

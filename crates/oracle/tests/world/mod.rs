//! One real node with its disk and its clients in memory; a seed decides what they do. Everything
//! that a client asks and is told is written down.

pub(crate) mod dice;

use std::collections::{BTreeMap, VecDeque};

use zooid_ids::{
    BootNonce, ClusterId, ConnectionId, Epoch, Incarnation, Instant, Millis, ServerId, SessionId,
    Xid, Zxid,
};
use zooid_model::{ConnectReply, ConnectRequest, Grants, Identity, Owner, Password, Request};
use zooid_node::contract::entry::read_command;
use zooid_node::{Clock, Effect, Node, Settings, ToClient};
use zooid_oracle::{
    Asked, Committed, Conversation, Greeting, History, Logged, Moment, ServerLog, Told,
};
use zooid_session::auth::Authentication;
use zooid_session::handshake::Timeouts;
use zooid_tree::Tree;
use zooid_wire::client::decode_event;
use zooid_zab::{
    Body, Config, Effect as Agreed, Entry, EpochEnds, Member, Promise, Recovered, Ticket,
};

use dice::Dice;

const MEMBER: Member = Member { id: ServerId(1), incarnation: Incarnation(1) };
const ADDRESS: &str = "127.0.0.1";
const CLIENTS: usize = 4;
const STEPS: usize = 300;
const WALL: i64 = 1_700_000_000_000;

/// A client: at most one connection that it uses, and what it needs to come back.
#[derive(Default)]
struct Client {
    connection: Option<u64>,
    session: SessionId,
    password: Password,
    seen: Zxid,
}

/// A connection and what is on its way to the client.
struct Line {
    client: usize,
    conversation: Conversation,
    on_its_way: VecDeque<ToClient>,
}

pub(crate) struct World {
    dice: Dice,
    node: Node,
    boot: u64,
    /// Milliseconds.
    now: u64,
    /// Tells moments within a millisecond apart.
    ticks: u64,
    disk: Vec<Entry>,
    committed: Vec<Committed>,
    writing: VecDeque<(Ticket, Vec<Committed>, Vec<Entry>)>,
    clients: Vec<Client>,
    lines: BTreeMap<u64, Line>,
    ended: Vec<Conversation>,
    connections: u64,
}

/// Plays a whole history.
pub(crate) fn play(seed: u64) -> History {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.end()
}

fn settings(boot: u64) -> Settings {
    Settings {
        member: MEMBER,
        boot: BootNonce(boot),
        formation: (ClusterId(9), [3; 32]),
        session_id_key: [boot as u8; 32],
        hash_key: boot,
        timeouts: Timeouts::of_tick(Millis(1000)),
        tick: Millis(1000),
        agreement: zooid_zab::Settings { tick: Millis(1000), ..Default::default() },
        servers: None,
        grants: Grants { enforce_quota: false, extended_types: true },
        authentication: Authentication::default(),
        collect_interval: Millis(1000),
        collect_per_minute: 10_000,
        collect_never_used: Millis(500),
        checkpoint_entries: 100_000,
        checkpoint_bytes: 1 << 26,
    }
}

fn start(boot: u64, now: u64, log: &[Entry]) -> Node {
    let last = log.last().map_or((Zxid::ZERO, Millis(0)), |entry| (entry.zxid, entry.time));
    let recovered = Recovered {
        last: last.0,
        last_time: last.1,
        committed: Zxid::ZERO,
        promise: Promise { epoch: Epoch(0), to: MEMBER },
        ends: EpochEnds::new(Zxid::ZERO, log.iter().map(|entry| entry.zxid)),
        ..Recovered::default()
    };
    let config = Config::of([MEMBER.id]);
    Node::start(settings(boot), clock(now), Tree::new(), config, &recovered)
}

fn clock(now: u64) -> Clock {
    Clock { now: Instant(now), wall: Millis(WALL + now as i64) }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            dice: Dice::new(seed),
            node: start(1, 0, &[]),
            boot: 1,
            now: 0,
            ticks: 0,
            disk: Vec::new(),
            committed: Vec::new(),
            writing: VecDeque::new(),
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            lines: BTreeMap::new(),
            ended: Vec::new(),
            connections: 0,
        };
        world.settle();
        world
    }

    fn moment(&mut self) -> Moment {
        self.ticks += 1;
        Moment(self.now * 1000 + self.ticks)
    }

    fn step(&mut self) {
        let client = self.dice.roll(CLIENTS as u64) as usize;
        match self.dice.roll(100) {
            0..=49 => self.ask(client),
            50..=69 => self.sync(),
            70..=85 => self.deliver_some(),
            86..=91 => {
                let length = 50 + self.dice.roll(900);
                self.wait(length);
            }
            92..=95 => self.connect(client),
            96..=97 => self.hang_up(client),
            98 if self.dice.once_in(2) => self.restart(),
            98 => {
                // Long enough for whoever is silent to be expired.
                for _ in 0..4 {
                    self.wait(900);
                    (1..CLIENTS).for_each(|client| self.send(client, Request::Ping));
                }
            }
            _ => self.settle(),
        }
        self.node.check_invariants();
    }

    fn ask(&mut self, client: usize) {
        if self.clients[client].connection.is_none() {
            return self.connect(client);
        }
        let request = self.dice.request(self.clients[client].seen);
        self.send(client, request);
    }

    fn send(&mut self, client: usize, request: Request) {
        let Some(connection) = self.clients[client].connection else { return };
        let at = self.moment();
        let line = self.lines.get_mut(&connection).expect("a client's connection has a line");
        let xid = match &request {
            Request::Ping => Xid::PING,
            Request::Auth { .. } => Xid::AUTH,
            _ => Xid(line.conversation.asked.len() as i32 + 1),
        };
        let proves = match &request {
            Request::Auth { scheme, proof } => {
                Authentication::default().prove(scheme, &proof.0).unwrap()
            }
            _ => Vec::new(),
        };
        line.conversation.asked.push(Asked { xid, request: request.clone(), at, proves });
        self.node.request(ConnectionId(connection), xid, request);
    }

    /// Connects, for the session of before if there is one; an older connection may still be there.
    fn connect(&mut self, client: usize) {
        self.connections += 1;
        let number = self.connections;
        let at = self.moment();
        let wrong = self.dice.once_in(10);
        let Client { session, password, seen, .. } = self.clients[client];
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: seen,
            timeout: Millis(2000),
            session,
            password: Some(if wrong { Password([7; 16]) } else { password }),
            read_only: Some(false),
        };
        let wished = if wrong { SessionId::NONE } else { session };
        let greeting = Greeting { wished, last_zxid_seen: seen, at, given: None };
        let connection = ConnectionId(number);
        let conversation = Conversation {
            server: MEMBER.id,
            owner: Some(Owner { server: MEMBER.id, boot: BootNonce(self.boot), connection }),
            identities: vec![Identity::new("ip", ADDRESS)],
            greeting,
            ..Conversation::default()
        };
        let on_its_way = VecDeque::new();
        self.lines.insert(number, Line { client, conversation, on_its_way });
        self.clients[client].connection = Some(number);
        self.node.open(connection, ADDRESS, &request);
        self.flush();
    }

    /// The connection breaks: what is on its way is lost.
    fn hang_up(&mut self, client: usize) {
        if let Some(connection) = self.clients[client].connection.take() {
            self.end_line(connection);
        }
    }

    fn end_line(&mut self, connection: u64) {
        if let Some(line) = self.lines.remove(&connection) {
            self.ended.push(line.conversation);
        }
        self.node.gone(ConnectionId(connection));
    }

    fn flush(&mut self) {
        for effect in self.node.flush() {
            match effect {
                Effect::Agree(agreed) => self.agree(agreed),
                Effect::Tell(connection, what) => {
                    if let Some(line) = self.lines.get_mut(&connection.0) {
                        line.on_its_way.push_back(what);
                    }
                }
            }
        }
    }

    fn agree(&mut self, agreed: Agreed) {
        match agreed {
            Agreed::Promise { ticket, .. } => {
                self.writing.push_back((ticket, Vec::new(), Vec::new()));
            }
            Agreed::Append { ticket, entries } => {
                let proposed = entries.iter().map(|entry| self.logged(entry)).collect();
                self.writing.push_back((ticket, proposed, entries));
            }
            Agreed::Replay { after, through } => {
                let replayed = |entry: &&Entry| entry.zxid > after && entry.zxid <= through;
                let entries: Vec<_> = self.disk.iter().filter(replayed).cloned().collect();
                entries.into_iter().for_each(|entry| self.node.replay(entry));
            }
            Agreed::Lead(_) => {}
            other => panic!("a server that is alone says this to nobody: {other:?}"),
        }
    }

    fn logged(&mut self, entry: &Entry) -> Committed {
        let what = match &entry.body {
            Body::EpochStart(_) | Body::Config(_) => Logged::EpochStart,
            Body::Command(bytes) => Logged::Command(read_command(bytes.clone()).unwrap()),
        };
        let proposed = Some(self.moment());
        Committed { zxid: entry.zxid, time: entry.time, what, proposed, committed: None }
    }

    /// The disk finishes one thing.
    fn sync(&mut self) {
        self.flush();
        if let Some((ticket, proposed, entries)) = self.writing.pop_front() {
            self.store(proposed, entries);
            self.node.durable(ticket);
            self.flush();
        }
    }

    fn store(&mut self, proposed: Vec<Committed>, entries: Vec<Entry>) {
        let committed = Some(self.moment());
        self.committed.extend(proposed.into_iter().map(|entry| Committed { committed, ..entry }));
        self.disk.extend(entries);
    }

    fn settle(&mut self) {
        self.flush();
        while !self.writing.is_empty() {
            self.sync();
        }
    }

    fn wait(&mut self, length: u64) {
        self.flush();
        self.now += length;
        self.ticks = 0;
        self.node.turn(clock(self.now));
        self.node.tick();
        self.flush();
    }

    fn deliver_some(&mut self) {
        self.flush();
        let lines: Vec<u64> = self.lines.keys().copied().collect();
        for connection in lines {
            for _ in 0..self.dice.roll(8) {
                self.deliver(connection);
            }
        }
    }

    /// One thing arrives at the client; false if there was none.
    fn deliver(&mut self, connection: u64) -> bool {
        let at = self.moment();
        let Some(line) = self.lines.get_mut(&connection) else { return false };
        let Some(what) = line.on_its_way.pop_front() else { return false };
        let client = &mut self.clients[line.client];
        match what {
            ToClient::Connected(reply) => {
                line.conversation.greeting.given = Some((reply.session, reply.timeout, at));
                client.welcomed(connection, &reply);
            }
            ToClient::Reply { xid, zxid, result } => {
                let zxid = Zxid::from_wire(zxid.wire());
                client.sees(zxid);
                line.conversation.told.push(Told::Reply { xid, zxid, result, at });
            }
            ToClient::Event(frame) => {
                let event = decode_event(frame.slice(4..)).unwrap();
                client.sees(event.zxid);
                line.conversation.told.push(Told::Event { event, at });
            }
            ToClient::Close => {
                if client.connection == Some(connection) {
                    client.connection = None;
                }
                self.end_line(connection);
            }
        }
        true
    }

    /// The power fails: of what the disk was given some is there afterwards, in order.
    fn restart(&mut self) {
        self.flush();
        for _ in 0..self.dice.roll(self.writing.len() as u64 + 1) {
            if let Some((_, proposed, entries)) = self.writing.pop_front() {
                self.store(proposed, entries);
            }
        }
        self.writing.clear();
        self.clients.iter_mut().for_each(|client| client.connection = None);
        let lines = std::mem::take(&mut self.lines);
        self.ended.extend(lines.into_values().map(|line| line.conversation));
        self.boot += 1;
        self.node = start(self.boot, self.now, &self.disk);
        self.settle();
    }

    fn end(mut self) -> History {
        self.settle();
        let lines: Vec<u64> = self.lines.keys().copied().collect();
        for connection in lines {
            while self.deliver(connection) {}
        }
        let tree = self.node.tree();
        let server = ServerLog {
            server: MEMBER.id,
            entries: self.committed.clone(),
            digests: vec![(tree.zxid(), tree.digest())],
        };
        self.ended.extend(self.lines.into_values().map(|line| line.conversation));
        History { log: self.committed, conversations: self.ended, servers: vec![server] }
    }
}

impl Client {
    fn sees(&mut self, zxid: Option<Zxid>) {
        self.seen = self.seen.max(zxid.unwrap_or_default());
    }

    fn welcomed(&mut self, connection: u64, reply: &ConnectReply) {
        if self.connection == Some(connection) {
            (self.session, self.password) = (reply.session, reply.password);
        }
    }
}

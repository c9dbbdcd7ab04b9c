//! Clients, and the connections over which they speak to servers.
//!
//! A client behaves as real ones do: it connects to any server, pings when it is idle, leaves a
//! connection on which it hears nothing for two thirds of its session's timeout, and takes its
//! session up elsewhere. All that it asks and hears is written down.

use std::collections::VecDeque;

use zooid_ids::{BootNonce, ConnectionId, Millis, ServerId, SessionId, Xid, Zxid};
use zooid_model::{ConnectReply, ConnectRequest, Identity, Owner, Password, Request};
use zooid_node::ToClient;
use zooid_oracle::{Asked, Conversation, Greeting, Moment, Told};
use zooid_session::auth::Authentication;
use zooid_wire::client::decode_event;

use crate::dice::Dice;
use crate::server::Input;
use crate::world::{Event, World};

pub(crate) const ADDRESS: &str = "127.0.0.1";

/// A client: at most one connection that it uses, and what it needs to come back.
#[derive(Default)]
pub(crate) struct Client {
    connection: Option<u64>,
    pub(crate) session: SessionId,
    password: Password,
    pub(crate) seen: Zxid,
    timeout: Millis,
    /// When it heard something last, and when it said something last.
    heard: u64,
    spoke: u64,
    /// It does nothing before.
    sleeps_until: u64,
    /// It connects to no other server.
    pub(crate) faithful_to: Option<ServerId>,
}

/// A connection of a client with the process of a server.
pub(crate) struct Line {
    client: usize,
    server: ServerId,
    boot: u64,
    pub(crate) conversation: Conversation,
    /// Nothing arrives before what was sent before: at the server, at the client.
    arrivals: [u64; 2],
    /// The server has closed it.
    closed: bool,
    /// The two do not reach each other any more.
    broken: bool,
    /// What came while the client slept.
    unread: VecDeque<ToClient>,
}

impl World {
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.now)
    }

    /// A client looks after itself.
    pub(crate) fn client_wakes(&mut self, client: usize) {
        let now = self.now;
        let timeout = self.timeout_of(client);
        let next = now + timeout / 8 + self.dice.roll(timeout / 8);
        self.post(next, Event::ClientWakes(client));
        if now < self.clients[client].sleeps_until {
            return;
        }
        self.reads_on(client);
        let state = &self.clients[client];
        match state.connection {
            None => self.connect(client, None),
            Some(_) if now > state.heard + timeout * 2 / 3 => {
                self.hang_up(client);
                self.connect(client, None);
            }
            Some(_) if self.is_connected(client) && now > state.spoke + timeout / 4 => {
                self.ask(client, Request::Ping);
            }
            Some(_) => {}
        }
    }

    /// In microseconds; what it wishes as long as it was given none.
    fn timeout_of(&self, client: usize) -> u64 {
        let given = self.clients[client].timeout;
        let timeout = if given > Millis(0) { given } else { self.setup.session_timeout };
        timeout.0 as u64 * 1000
    }

    /// True if its session is given on the connection that it has.
    pub(crate) fn is_connected(&self, client: usize) -> bool {
        let connection = self.clients[client].connection;
        let line = connection.and_then(|connection| self.lines.get(&connection));
        line.is_some_and(|line| line.conversation.greeting.given.is_some())
    }

    pub(crate) fn sleep(&mut self, client: usize, length: u64) {
        self.clients[client].sleeps_until = self.now + length;
    }

    pub(crate) fn ask_anything(&mut self, client: usize, dice: &mut Dice) {
        let request = dice.request(self.clients[client].seen);
        self.ask(client, request);
    }

    /// Asks something, if it has a session; a client that is closing asks no more.
    pub(crate) fn ask(&mut self, client: usize, request: Request) {
        if !self.is_connected(client) || self.now < self.clients[client].sleeps_until {
            return;
        }
        let connection = self.clients[client].connection.expect("it is connected");
        let at = self.moment();
        self.clients[client].spoke = self.now;
        let line = self.lines.get_mut(&connection).expect("its connection has a line");
        let xid = match &request {
            Request::Ping => Xid::PING,
            Request::Auth { .. } => Xid::AUTH,
            _ => Xid(line.conversation.asked.len() as i32 + 1),
        };
        let proves = match &request {
            Request::Auth { scheme, proof } => {
                Authentication::default().prove(scheme, &proof.0).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        self.trace.tell(self.now, format_args!("client {client} asks {}: {request:?}", xid.0));
        line.conversation.asked.push(Asked { xid, request: request.clone(), at, proves });
        let connection = ConnectionId(connection);
        self.send_to_server(connection.0, Input::Request { connection, xid, request });
    }

    /// Connects, for the session of before if there is one.
    pub(crate) fn connect(&mut self, client: usize, server: Option<ServerId>) {
        let drawn = ServerId(1 + self.dice.roll(self.servers.len() as u64));
        let server = server.or(self.clients[client].faithful_to).unwrap_or(drawn);
        let wrong = self.dice.once_in(50);
        let Client { session, password, seen, .. } = self.clients[client];
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: seen,
            timeout: self.setup.session_timeout,
            session,
            password: Some(if wrong { Password([7; 16]) } else { password }),
            read_only: Some(false),
        };
        let Some(boot) = self.boot_of(server) else { return };
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let greeting = Greeting {
            wished: if wrong { SessionId::NONE } else { session },
            last_zxid_seen: seen,
            at: self.moment(),
            given: None,
        };
        let conversation = Conversation {
            server,
            owner: Some(Owner { server, boot: BootNonce(boot), connection }),
            identities: vec![Identity::new("ip", ADDRESS)],
            greeting,
            ..Conversation::default()
        };
        let line = Line {
            client,
            server,
            boot,
            conversation,
            arrivals: [0; 2],
            closed: false,
            broken: self.cut_off.contains(&(client, server)),
            unread: VecDeque::new(),
        };
        self.trace.tell(
            self.now,
            format_args!(
                "client {client} connects to server {server} as {connection} for {session}"
            ),
        );
        self.lines.insert(connection.0, line);
        let state = &mut self.clients[client];
        (state.connection, state.heard, state.spoke) = (Some(connection.0), self.now, self.now);
        self.send_to_server(connection.0, Input::Open { connection, request });
    }

    /// The client leaves its connection: what is on its way to it is lost.
    pub(crate) fn hang_up(&mut self, client: usize) {
        let Some(connection) = self.clients[client].connection.take() else { return };
        self.trace.tell(self.now, format_args!("client {client} leaves its connection"));
        let gone = Input::Gone { connection: ConnectionId(connection) };
        self.send_to_server(connection, gone);
        self.end_line(connection);
    }

    fn end_line(&mut self, connection: u64) {
        if let Some(line) = self.lines.remove(&connection) {
            self.ended.push(line.conversation);
        }
    }

    fn send_to_server(&mut self, connection: u64, input: Input) {
        let delay = self.dice.between(self.setup.latency);
        let line = self.lines.get_mut(&connection).expect("a line that is used");
        if line.broken {
            return;
        }
        let at = (self.now + delay).max(line.arrivals[0]);
        line.arrivals[0] = at;
        let (server, boot) = (line.server, line.boot);
        self.post(at, Event::Reach(server, Some(boot), Box::new(input)));
    }

    /// A server tells a client something.
    pub(crate) fn tell_client(&mut self, connection: ConnectionId, what: ToClient) {
        let delay = self.dice.between(self.setup.latency);
        let now = self.now;
        let Some(line) = self.lines.get_mut(&connection.0).filter(|line| !line.closed) else {
            return;
        };
        line.closed = what == ToClient::Close;
        if line.closed {
            // The listener tells the loop that it is over.
            let gone = Input::Gone { connection };
            let (server, boot) = (line.server, line.boot);
            self.post(now + 1, Event::Reach(server, Some(boot), Box::new(gone)));
        }
        let line = self.lines.get_mut(&connection.0).expect("it was just there");
        if !line.broken {
            let at = (now + delay).max(line.arrivals[1]);
            line.arrivals[1] = at;
            self.post(at, Event::ToClient(connection.0, Box::new(what)));
        }
    }

    /// The process of a server has ended: its connections have, once the clients hear of it.
    pub(crate) fn break_lines(&mut self, server: ServerId, boot: u64) {
        let delay = self.dice.between(self.setup.latency);
        let lines = self.lines.iter_mut();
        let of_process = lines.filter(|(_, line)| line.server == server && line.boot == boot);
        let mut broken = Vec::new();
        for (connection, line) in of_process {
            line.closed = true;
            if !line.broken {
                broken.push((*connection, (self.now + delay).max(line.arrivals[1])));
            }
        }
        for (connection, at) in broken {
            self.post(at, Event::ToClient(connection, Box::new(ToClient::Close)));
        }
    }

    /// A client and a server do not reach each other: neither hears of it.
    pub(crate) fn cut_off(&mut self, client: usize, server: ServerId) {
        self.cut_off.insert((client, server));
        let between = |line: &&mut Line| line.client == client && line.server == server;
        self.lines.values_mut().filter(between).for_each(|line| line.broken = true);
    }

    /// Something arrives at a client.
    pub(crate) fn arrives(&mut self, connection: u64, what: ToClient) {
        let Some(line) = self.lines.get_mut(&connection) else { return };
        if line.broken {
            return;
        }
        let client = &self.clients[line.client];
        if self.now < client.sleeps_until || !line.unread.is_empty() {
            return line.unread.push_back(what);
        }
        self.hears(connection, what);
    }

    /// What came while a client slept.
    fn reads_on(&mut self, client: usize) {
        let lines = self.lines.iter().filter(|(_, line)| line.client == client);
        let lines: Vec<u64> = lines.map(|(connection, _)| *connection).collect();
        for connection in lines {
            let line = self.lines.get_mut(&connection).expect("nobody ended it");
            let unread = std::mem::take(&mut line.unread);
            unread.into_iter().for_each(|what| self.hears(connection, what));
        }
    }

    fn hears(&mut self, connection: u64, what: ToClient) {
        let at = self.moment();
        let Some(line) = self.lines.get_mut(&connection) else { return };
        let (number, client) = (line.client, &mut self.clients[line.client]);
        self.trace.tell(self.now, format_args!("client {number} hears {what:?}"));
        client.heard = self.now;
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
                let event = decode_event(frame.slice(4..)).expect("an event of a server");
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
    }
}

impl Client {
    fn sees(&mut self, zxid: Option<Zxid>) {
        self.seen = self.seen.max(zxid.unwrap_or_default());
    }

    fn welcomed(&mut self, connection: u64, reply: &ConnectReply) {
        if self.connection == Some(connection) {
            (self.session, self.password) = (reply.session, reply.password);
            self.timeout = reply.timeout;
        }
    }
}

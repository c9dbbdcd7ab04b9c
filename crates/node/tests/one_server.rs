//! One node with clients and a log in memory: who is told what, and in which order.
#![expect(clippy::unwrap_used, reason = "a client that hears nothing is a failed test")]

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use zooid_ids::{
    BootNonce, ClusterId, ConnectionId, Epoch, Incarnation, Instant, Millis, ServerId, SessionId,
    Xid, Zxid,
};
use zooid_model::{
    Acl, ConnectReply, ConnectRequest, Create, CreateKind, CreateMode, ErrorCode, Grants, Identity,
    Password, Perms, Read, Reply, Request, Secret, SetWatches, WatchEvent, WriteOp,
};
use zooid_node::{Clock, Effect, Node, Settings, ToClient};
use zooid_session::auth::Authentication;
use zooid_session::handshake::Timeouts;
use zooid_tree::Tree;
use zooid_wire::client::decode_event;
use zooid_zab::message::{ChannelId, Message};
use zooid_zab::{Config, Effect as Agreed, Entry, EpochEnds, Member, Promise, Recovered, Ticket};

const MEMBER: Member = Member { id: ServerId(1), incarnation: Incarnation(1) };
const ANY: i32 = -1;

/// A node, its disk and the time.
struct World {
    node: Node,
    clock: Clock,
    log: Vec<Entry>,
    /// Handed to the disk, not durable yet.
    writing: VecDeque<(Ticket, Vec<Entry>)>,
    told: Vec<(u64, ToClient)>,
    /// Until when each client may be written to.
    allowed: BTreeMap<u64, Option<Instant>>,
}

fn settings(boot: u64) -> Settings {
    Settings {
        member: MEMBER,
        boot: BootNonce(boot),
        formation: (ClusterId(9), [3; 32]),
        session_id_key: [boot as u8; 32],
        hash_key: 1,
        timeouts: Timeouts::of_tick(Millis(1000)),
        tick: Millis(1000),
        agreement: zooid_zab::Settings { tick: Millis(1000), ..Default::default() },
        servers: None,
        grants: Grants::default(),
        authentication: Authentication::default(),
        collect_interval: Millis(60_000),
        collect_per_minute: 10_000,
        collect_never_used: Millis(0),
        checkpoint_entries: 100_000,
        checkpoint_bytes: 1 << 26,
    }
}

impl World {
    fn new() -> Self {
        Self::with_log(1, Vec::new())
    }

    /// A server that starts with this log and no checkpoint.
    fn with_log(boot: u64, log: Vec<Entry>) -> Self {
        let clock = Clock { now: Instant(1_000_000 * boot), wall: Millis(1_700_000_000_000) };
        let last = log.last().map_or((Zxid::ZERO, Millis(0)), |entry| (entry.zxid, entry.time));
        let recovered = Recovered {
            last: last.0,
            last_time: last.1,
            committed: Zxid::ZERO,
            promise: Promise { epoch: Epoch(0), to: MEMBER },
            ends: EpochEnds::new(Zxid::ZERO, log.iter().map(|entry| entry.zxid)),
            ..Recovered::default()
        };
        let node =
            Node::start(settings(boot), clock, Tree::new(), Config::of([MEMBER.id]), &recovered);
        let (writing, told, allowed) = (VecDeque::new(), Vec::new(), BTreeMap::new());
        let mut world = Self { node, clock, log, writing, told, allowed };
        world.settle();
        assert!(world.node.is_serving());
        world
    }

    /// Ends the turn; what is told is kept for the clients.
    fn flush(&mut self) {
        for effect in self.node.flush() {
            match effect {
                Effect::Agree(agreed) => self.agree(agreed),
                Effect::Tell(connection, what) => self.told.push((connection.0, what)),
                Effect::Allow(connection, until) => drop(self.allowed.insert(connection.0, until)),
            }
        }
        self.node.check_invariants();
    }

    fn agree(&mut self, agreed: Agreed) {
        match agreed {
            Agreed::Promise { ticket, .. } => self.writing.push_back((ticket, Vec::new())),
            Agreed::Append { ticket, entries } => self.writing.push_back((ticket, entries)),
            Agreed::Replay { after, through } => {
                let replayed = |entry: &&Entry| entry.zxid > after && entry.zxid <= through;
                let entries: Vec<_> = self.log.iter().filter(replayed).cloned().collect();
                entries.into_iter().for_each(|entry| self.node.replay(entry));
            }
            Agreed::Lead(_) => {}
            other => panic!("a server that is alone says this to nobody: {other:?}"),
        }
    }

    /// The disk finishes one thing.
    fn sync(&mut self) {
        self.flush();
        if let Some((ticket, entries)) = self.writing.pop_front() {
            self.log.extend(entries);
            self.node.durable(ticket);
            self.flush();
        }
    }

    /// Until nothing is under way.
    fn settle(&mut self) {
        self.flush();
        while !self.writing.is_empty() {
            self.sync();
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds / 500 {
            self.clock.now.0 += 500;
            self.clock.wall.0 += 500;
            self.node.turn(self.clock);
            self.node.tick();
            self.settle();
        }
    }

    fn open(&mut self, connection: u64, session: SessionId, password: Password) {
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout: Millis(4000),
            session,
            password: Some(password),
            read_only: Some(false),
        };
        self.node.open(ConnectionId(connection), "127.0.0.1", &request);
    }

    fn connect(&mut self, connection: u64) -> ConnectReply {
        self.open(connection, SessionId::NONE, Password::default());
        self.settle();
        self.connected(connection)
    }

    fn connected(&mut self, connection: u64) -> ConnectReply {
        match self.heard(connection).remove(0) {
            ToClient::Connected(reply) => reply,
            other => panic!("not connected: {other:?}"),
        }
    }

    fn ask(&mut self, connection: u64, xid: i32, request: Request) {
        self.node.request(ConnectionId(connection), Xid(xid), request);
    }

    /// Everything a client was told since it was last asked.
    fn heard(&mut self, connection: u64) -> Vec<ToClient> {
        self.flush();
        let mine = self.told.extract_if(.., |(to, _)| *to == connection);
        mine.map(|(_, what)| what).collect()
    }

    /// The same, as a person would write it.
    fn story(&mut self, connection: u64) -> Vec<String> {
        self.heard(connection).into_iter().map(tell).collect()
    }

    fn result(&mut self, connection: u64, request: Request) -> Result<Reply, ErrorCode> {
        self.ask(connection, 99, request);
        self.settle();
        match self.heard(connection).pop().unwrap() {
            ToClient::Reply { result, .. } => result,
            other => panic!("not a reply: {other:?}"),
        }
    }
}

fn tell(what: ToClient) -> String {
    match what {
        ToClient::Connected(reply) => format!("connected for {}", reply.timeout),
        ToClient::Reply { xid, result: Ok(_), .. } => format!("{}: ok", xid.0),
        ToClient::Reply { xid, result: Err(error), .. } => format!("{}: {error:?}", xid.0),
        ToClient::Event(frame) => {
            let WatchEvent { kind, path, .. } = decode_event(frame.slice(4..)).unwrap();
            format!("{kind:?} {path}")
        }
        ToClient::Close => "closed".into(),
    }
}

fn create(path: &str, mode: CreateMode) -> Request {
    let data = Some(Bytes::from_static(b"x"));
    let kind = CreateKind::Create;
    Request::Write(WriteOp::Create(Create {
        path: path.into(),
        data,
        acl: Acl::open(),
        mode,
        kind,
    }))
}

fn set(path: &str) -> Request {
    Request::Write(WriteOp::SetData { path: path.into(), data: None, version: ANY })
}

fn get(path: &str, watch: bool) -> Request {
    Request::Read(Read::GetData { path: path.into(), watch })
}

fn exists(path: &str, watch: bool) -> Request {
    Request::Read(Read::Exists { path: path.into(), watch })
}

#[test]
fn a_write_is_answered_when_it_is_durable_and_a_read_behind_it_sees_it() {
    let mut world = World::new();
    world.connect(1);
    world.ask(1, 1, create("/a", CreateMode::Persistent));
    world.ask(1, 2, get("/a", false));
    world.ask(1, 3, Request::Ping);
    assert_eq!(world.story(1), ["-2: ok"], "a ping waits for nothing");
    world.sync();
    assert_eq!(world.story(1), ["1: ok", "2: ok"]);
}

#[test]
fn reads_of_others_do_not_wait() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    world.ask(1, 1, create("/a", CreateMode::Persistent));
    world.ask(2, 1, exists("/a", false));
    assert_eq!(world.story(2), ["1: NoNode"]);
}

#[test]
fn a_reply_carries_the_zxid_it_was_evaluated_at() {
    let mut world = World::new();
    world.connect(1);
    world.ask(1, 1, create("/a", CreateMode::Persistent));
    world.ask(1, 2, create("/b", CreateMode::Persistent));
    world.ask(1, 3, get("/a", false));
    world.ask(1, 4, create("/a", CreateMode::Persistent));
    world.settle();
    let zxid_of = |what| match what {
        ToClient::Reply { zxid, .. } => zxid.counter(),
        other => panic!("not a reply: {other:?}"),
    };
    let zxids: Vec<_> = world.heard(1).into_iter().map(zxid_of).collect();
    let first = zxids[0];
    assert_eq!(zxids, [first, first + 1, first + 1, first + 2], "a refused write has its own");
}

#[test]
fn an_event_stands_before_the_reply_to_the_write_that_caused_it() {
    let mut world = World::new();
    world.connect(1);
    world.ask(1, 1, exists("/a", true));
    world.ask(1, 2, create("/a", CreateMode::Persistent));
    world.ask(1, 3, get("/a", true));
    world.ask(1, 4, set("/a"));
    world.settle();
    let story = ["1: NoNode", "NodeCreated /a", "2: ok", "3: ok", "NodeDataChanged /a", "4: ok"];
    assert_eq!(world.story(1), story);
}

#[test]
fn who_may_not_read_a_node_is_not_told_of_it() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    let watch = Request::AddWatch {
        path: "/".into(),
        mode: Some(zooid_model::AddWatchMode::PersistentRecursive),
    };
    world.ask(2, 1, watch);
    let acl = vec![Acl { perms: Perms::ALL, id: Identity::new("digest", "u:h") }];
    let (path, data, mode) = ("/secret".into(), None, CreateMode::Persistent);
    let secret = Create { path, data, acl, mode, kind: CreateKind::Create };
    world.ask(1, 1, Request::Write(WriteOp::Create(secret)));
    world.ask(1, 2, create("/open", CreateMode::Persistent));
    world.settle();
    assert_eq!(world.story(2), ["1: ok", "NodeCreated /open"]);
}

#[test]
fn a_session_is_taken_up_and_the_old_connection_closed() {
    let mut world = World::new();
    let ConnectReply { session, password, .. } = world.connect(1);
    world.ask(1, 1, create("/e", CreateMode::Ephemeral));
    world.settle();
    world.heard(1);
    world.open(2, session, password);
    world.settle();
    assert_eq!(world.story(1), ["closed"]);
    assert_eq!(world.story(2), ["connected for 4000 ms"]);
    world.ask(1, 2, set("/e"));
    assert_eq!(world.story(1), [""; 0], "nobody listens to the old connection");
    assert!(world.result(2, get("/e", false)).is_ok());
    assert!(world.result(2, set("/e")).is_ok(), "the new owner counts its commands anew");
}

#[test]
fn a_command_under_way_when_its_session_moves_is_not_answered_as_done() {
    let mut world = World::new();
    let ConnectReply { session, password, .. } = world.connect(1);
    world.open(2, session, password);
    world.ask(1, 1, create("/late", CreateMode::Persistent));
    world.settle();
    assert_eq!(world.story(1), ["closed"]);
    assert_eq!(world.story(2), ["connected for 4000 ms"]);
    assert_eq!(world.result(2, get("/late", false)), Err(ErrorCode::NoNode));
}

#[test]
fn a_wrong_password_and_a_session_that_never_was_are_answered_alike() {
    let mut world = World::new();
    let ConnectReply { session, .. } = world.connect(1);
    world.open(2, session, Password([1; 16]));
    world.open(3, SessionId(77), Password::default());
    for connection in [2, 3] {
        assert_eq!(world.story(connection), ["connected for 0 ms", "closed"]);
    }
    assert_eq!(world.story(1), [""; 0], "the rightful owner notices nothing");
}

#[test]
fn a_client_that_saw_more_is_sent_away_without_an_answer() {
    let mut world = World::new();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(u64::MAX >> 1),
        timeout: Millis(4000),
        session: SessionId::NONE,
        password: None,
        read_only: None,
    };
    world.node.open(ConnectionId(1), "127.0.0.1", &request);
    assert_eq!(world.story(1), ["closed"]);
}

#[test]
fn a_session_that_is_silent_ends_with_its_ephemerals() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    world.ask(1, 1, create("/e", CreateMode::Ephemeral));
    world.settle();
    world.ask(2, 1, exists("/e", true));
    for _ in 0..3 {
        world.wait(2000);
        world.ask(2, -2, Request::Ping);
    }
    assert_eq!(world.story(1), ["1: ok", "closed"]);
    assert_eq!(world.story(2), ["1: ok", "-2: ok", "-2: ok", "NodeDeleted /e", "-2: ok"]);
}

#[test]
fn who_speaks_when_the_end_of_its_session_is_in_the_log_is_told_nothing() {
    let mut world = World::new();
    world.connect(1);
    // The disk does not answer from here on, so that the end is proposed and not decided.
    for _ in 0..12 {
        world.clock.now.0 += 500;
        world.node.turn(world.clock);
        world.node.tick();
        world.flush();
    }
    assert!(!world.writing.is_empty(), "its end is proposed");
    world.ask(1, -2, Request::Ping);
    assert_eq!(world.story(1), [""; 0], "it might have ended already, elsewhere");
    world.settle();
    assert_eq!(world.story(1), ["closed"]);
}

/// Whoever writes what was decided may have slept meanwhile.
#[test]
fn what_is_told_may_be_written_for_a_third_of_the_timeout() {
    let mut world = World::new();
    world.connect(1);
    let third_from_now = |world: &World| Some(world.clock.now + Millis(4000 / 3));
    assert_eq!(world.allowed[&1], third_from_now(&world));
    let before = world.allowed[&1];
    world.wait(1000);
    assert_eq!(world.allowed[&1], before, "nothing was heard of it");
    world.ask(1, 1, exists("/a", false));
    world.settle();
    assert_eq!(world.allowed[&1], third_from_now(&world));
    world.ask(1, 2, Request::CloseSession);
    world.settle();
    assert_eq!(world.story(1), ["1: NoNode", "2: ok", "closed"]);
    assert_eq!(world.allowed[&1], None, "its end is no secret");
}

/// An entry that nobody can read would end every server, again and again.
#[test]
fn what_a_peer_says_that_cannot_be_read_is_refused() {
    let mut world = World::new();
    let bytes = Bytes::from_static(&[0xff; 9]);
    for message in [
        Message::Forward { command: bytes.clone() },
        Message::Forward { command: Bytes::new() },
        Message::Touch { payload: bytes.clone() },
        Message::Confirmed { payload: bytes },
    ] {
        assert!(world.node.receive(ChannelId(1), message.clone()).is_err(), "{message:?}");
    }
    world.settle();
    world.connect(1);
    assert_eq!(world.result(1, get("/nothing", false)), Err(ErrorCode::NoNode));
}

/// What frees room is taken, and nothing else that a client wants written; sessions go on.
#[test]
fn a_server_without_room_refuses_what_grows() {
    let mut world = World::new();
    world.connect(1);
    for path in ["/a", "/b", "/c"] {
        assert!(world.result(1, create(path, CreateMode::Persistent)).is_ok());
    }
    world.node.set_short_of_room(true);
    let delete = |path: &str| WriteOp::Delete { path: path.into(), version: ANY };
    let set = |path: &str| WriteOp::SetData { path: path.into(), data: None, version: ANY };
    let refused = Err(ErrorCode::OperationTimeout);
    assert_eq!(world.result(1, create("/d", CreateMode::Ephemeral)), refused);
    assert_eq!(world.result(1, Request::Write(set("/a"))), refused);
    let mixed = WriteOp::Multi(vec![delete("/a"), set("/b")]);
    assert_eq!(world.result(1, Request::Write(mixed)), refused);
    assert!(world.result(1, get("/a", false)).is_ok());
    assert!(world.result(1, Request::Write(delete("/a"))).is_ok());
    let only_deletes = WriteOp::Multi(vec![delete("/b"), delete("/c")]);
    assert!(world.result(1, Request::Write(only_deletes)).is_ok());
    world.connect(2);
    world.ask(1, 9, Request::CloseSession);
    world.settle();
    assert_eq!(world.story(1), ["9: ok", "closed"]);
    assert_eq!(world.node.counters().refused_for_room, 3);
    world.node.set_short_of_room(false);
    assert!(world.result(2, create("/d", CreateMode::Ephemeral)).is_ok());
}

#[test]
fn who_slept_does_not_end_the_sessions_of_others() {
    let mut world = World::new();
    world.connect(1);
    world.clock.now.0 += 3_600_000;
    world.node.turn(world.clock);
    world.node.tick();
    world.settle();
    assert_eq!(world.story(1), [""; 0]);
    world.wait(6000);
    assert_eq!(world.story(1), ["closed"]);
}

#[test]
fn closing_answers_then_closes() {
    let mut world = World::new();
    world.connect(1);
    world.ask(1, 1, create("/e", CreateMode::Ephemeral));
    world.ask(1, 2, Request::CloseSession);
    world.ask(1, 3, create("/after", CreateMode::Persistent));
    world.settle();
    assert_eq!(world.story(1), ["1: ok", "2: ok", "closed"]);
    world.connect(2);
    assert_eq!(world.result(2, get("/e", false)), Err(ErrorCode::NoNode));
    assert_eq!(world.result(2, get("/after", false)), Err(ErrorCode::NoNode));
}

#[test]
fn nothing_behind_the_end_of_a_session_is_answered() {
    let mut world = World::new();
    world.connect(1);
    world.ask(1, 1, Request::CloseSession);
    world.ask(1, 2, exists("/a", true));
    let set_watches = SetWatches { data: vec!["/gone".into()], ..SetWatches::default() };
    world.ask(1, 3, Request::SetWatches(Box::new(set_watches)));
    world.settle();
    assert_eq!(world.story(1), ["1: ok", "closed"]);
    assert_eq!(world.node.watches().count(), 0);
}

#[test]
fn everything_is_there_after_a_restart_and_the_session_goes_on() {
    let mut world = World::new();
    let ConnectReply { session, password, .. } = world.connect(1);
    world.ask(1, 1, create("/e", CreateMode::EphemeralSequential));
    world.settle();
    let digest = world.node.tree().digest();
    let mut world = World::with_log(2, world.log);
    assert_eq!(world.node.tree().digest(), digest);
    world.open(1, session, password);
    world.settle();
    assert_eq!(world.story(1), ["connected for 4000 ms"]);
    assert!(world.result(1, get("/e0000000000", false)).is_ok());
    world.node.gone(ConnectionId(1));
    world.wait(6000);
    world.connect(2);
    assert_eq!(world.result(2, get("/e0000000000", false)), Err(ErrorCode::NoNode));
}

#[test]
fn watches_set_anew_tell_what_was_missed() {
    let mut world = World::new();
    world.connect(1);
    world.ask(1, 1, create("/a", CreateMode::Persistent));
    world.settle();
    let relative_zxid = world.node.tree().zxid();
    world.ask(1, 2, set("/a"));
    world.settle();
    world.heard(1);
    let set_watches = SetWatches {
        relative_zxid,
        data: vec!["/a".into(), "/gone".into()],
        exist: vec!["/new".into()],
        child: vec!["/a".into()],
        ..SetWatches::default()
    };
    world.ask(1, 3, Request::SetWatches(Box::new(set_watches)));
    world.ask(1, 4, create("/new", CreateMode::Persistent));
    world.settle();
    let missed = ["NodeDataChanged /a", "NodeDeleted /gone", "3: ok", "NodeCreated /new", "4: ok"];
    assert_eq!(world.story(1), missed);
}

#[test]
fn refusals_before_the_log_keep_their_place() {
    let mut world = World::new();
    world.connect(1);
    world.ask(1, 1, create("/a", CreateMode::Persistent));
    world.ask(1, 2, create(&"/a".repeat(5000), CreateMode::Persistent));
    world.ask(1, 3, Request::Malformed { opcode: 1 });
    world.ask(1, 4, Request::Sync { path: "/".into() });
    world.ask(1, 5, Request::Unknown { opcode: 4711 });
    assert_eq!(world.story(1), [""; 0]);
    let end = ["1: ok", "2: BadArguments", "3: MarshallingError", "4: ok", "5: Unimplemented"];
    world.settle();
    let story = world.story(1);
    assert_eq!(story[..5], end);
    assert_eq!(story[5..], ["closed"]);
}

#[test]
fn proving_an_identity_counts_at_once_and_failing_ends_the_connection() {
    let mut world = World::new();
    world.connect(1);
    let proof = Secret(Bytes::from_static(b"user:secret"));
    world.ask(1, -4, Request::Auth { scheme: "digest".into(), proof: proof.clone() });
    assert_eq!(world.story(1), ["-4: ok"]);
    let who = vec![Identity::new("ip", "127.0.0.1"), Identity::new("digest", "user")];
    assert_eq!(world.result(1, Request::WhoAmI), Ok(Reply::Identities(who)));
    world.ask(1, -4, Request::Auth { scheme: "nonsense".into(), proof });
    assert_eq!(world.story(1), ["-4: AuthFailed", "closed"]);
}

#[test]
fn an_empty_container_is_collected_and_a_fresh_one_is_not() {
    let mut world = World::new();
    world.connect(1);
    for path in ["/used", "/fresh"] {
        let (path, data, mode) = (path.into(), None, CreateMode::Container);
        let kind = CreateKind::Container;
        let container = Create { path, data, acl: Acl::open(), mode, kind };
        world.ask(1, 1, Request::Write(WriteOp::Create(container)));
    }
    world.ask(1, 2, create("/used/child", CreateMode::Persistent));
    let delete = WriteOp::Delete { path: "/used/child".into(), version: ANY };
    world.ask(1, 3, Request::Write(delete));
    world.settle();
    for _ in 0..31 {
        world.wait(2000);
        world.ask(1, -2, Request::Ping);
    }
    assert_eq!(world.result(1, get("/used", false)), Err(ErrorCode::NoNode));
    assert!(world.result(1, get("/fresh", false)).is_ok());
    assert_eq!(world.node.counters().nodes_collected, 1);
}

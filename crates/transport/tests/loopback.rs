//! Connections over real sockets, against a loop that answers like a parrot.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::runtime::Runtime;
use zooid_ids::{ConnectionId, Millis, SessionId, Xid, Zxid};
use zooid_model::{
    ConnectReply, ConnectRequest, Password, Read as ReadOp, Reply, Request, Stat, limits,
};
use zooid_transport::{
    Clients, FromClient, Listener, Mailbox, Outgoing, Outlet, Settings, Word, Words,
};
use zooid_wire::client::{
    Answer, decode_connect_reply, decode_reply, encode_connect, encode_request,
};
use zooid_wire::{opcode, take_frame};

const PATIENCE: Duration = Duration::from_secs(20);

/// What the parrot has seen, and what it was told to do.
#[derive(Default)]
struct Parrot {
    outlets: Mutex<BTreeMap<ConnectionId, Outlet>>,
    seen: Mutex<Vec<(ConnectionId, Seen)>>,
    /// Requests that were handed over while `holds`, to be answered by `release`.
    held: Mutex<Vec<(ConnectionId, Outgoing)>>,
    holds: AtomicBool,
    holds_connects: AtomicBool,
    /// How long the data of its answers is at least.
    answer_bytes: AtomicUsize,
}

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Opened,
    Request(Xid),
    Gone,
}

impl Parrot {
    fn run(&self, mailbox: &Mailbox<FromClient>, stop: &AtomicBool) {
        let mut items = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            mailbox.drain(&mut items, Duration::from_millis(20));
            items.drain(..).for_each(|item| self.hear(item));
        }
    }

    fn hear(&self, item: FromClient) {
        match item {
            FromClient::Opened { connection, outlet, connect, .. } => {
                self.note(connection, Seen::Opened);
                self.outlets.lock().unwrap().insert(connection, outlet);
                self.say(connection, vec![connected(&connect)], &self.holds_connects);
            }
            FromClient::Requests { connection, requests } => {
                let answers = requests.into_iter().map(|(xid, request)| {
                    self.note(connection, Seen::Request(xid));
                    answer(xid, request, self.answer_bytes.load(Ordering::Relaxed))
                });
                self.say(connection, answers.collect(), &self.holds);
            }
            FromClient::Gone { connection } => {
                self.note(connection, Seen::Gone);
                self.outlets.lock().unwrap().remove(&connection);
            }
        }
    }

    fn note(&self, connection: ConnectionId, seen: Seen) {
        self.seen.lock().unwrap().push((connection, seen));
    }

    fn say(&self, connection: ConnectionId, answers: Vec<Outgoing>, holds: &AtomicBool) {
        // Locked to the end, so that nothing overtakes what is being released.
        let mut held = self.held.lock().unwrap();
        if holds.load(Ordering::Relaxed) {
            held.extend(answers.into_iter().map(|answer| (connection, answer)));
        } else if let Some(outlet) = self.outlets.lock().unwrap().get(&connection) {
            outlet.send(answers);
        }
    }

    /// Answers all that was held, and from now on at once.
    fn release(&self) {
        let mut held = self.held.lock().unwrap();
        self.holds.store(false, Ordering::Relaxed);
        self.holds_connects.store(false, Ordering::Relaxed);
        for (connection, answer) in held.drain(..) {
            if let Some(outlet) = self.outlets.lock().unwrap().get(&connection) {
                outlet.send([answer]);
            }
        }
    }

    fn of(&self, connection: u64) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        let of = seen.iter().filter(|(from, _)| from.0 == connection);
        of.map(|(_, seen)| seen.clone()).collect()
    }
}

fn connected(request: &ConnectRequest) -> Outgoing {
    Outgoing::Connect(ConnectReply {
        protocol_version: 0,
        timeout: request.timeout,
        session: SessionId(0x1234),
        password: Password([7; 16]),
        read_only: request.read_only,
    })
}

fn answer(xid: Xid, request: Request, at_least: usize) -> Outgoing {
    let request_is_ping = matches!(request, Request::Ping);
    let reply = match request {
        Request::Read(ReadOp::GetData { path, .. }) => {
            let mut data = path.into_bytes();
            data.resize(data.len().max(at_least), b'.');
            Reply::Data { data: Some(Bytes::from(data)), stat: Stat::default() }
        }
        _ => Reply::Empty,
    };
    let xid = if request_is_ping { Xid::PING } else { xid };
    Outgoing::Reply { xid, zxid: Zxid(9), result: Ok(reply) }
}

struct Parlour;

impl Words for Parlour {
    fn is_word(&self, name: [u8; 4]) -> bool {
        [*b"ruok", *b"stmk"].contains(&name)
    }

    fn answer(&self, word: Word) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async move { format!("{word} {:?}", word.argument) })
    }
}

/// A listener, the parrot's thread, and the runtime they need.
struct Server {
    clients: Arc<Clients>,
    parrot: Arc<Parrot>,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    runtime: Option<Runtime>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn start(settings: Settings) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
        let clients = Clients::new(settings, mailbox.clone());
        let (parrot, stop) = (Arc::new(Parrot::default()), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (parrot, stop) = (parrot.clone(), stop.clone());
            thread::spawn(move || parrot.run(&mailbox, &stop))
        };
        let listener = {
            let _context = runtime.enter();
            Listener::bind("127.0.0.1:0".parse().unwrap(), 128).unwrap()
        };
        let address = listener.local_address().unwrap();
        runtime.spawn(listener.serve(clients.clone(), Arc::new(Parlour)));
        Self { clients, parrot, address, stop, runtime: Some(runtime), thread: Some(thread) }
    }

    fn dial(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client { stream, buffer: BytesMut::new() }
    }

    /// A client that has connected.
    fn connect(&self) -> Client {
        let mut client = self.dial();
        client.send(&connect_frame());
        let reply = decode_connect_reply(client.frame().unwrap()).unwrap();
        assert_eq!(reply.session, SessionId(0x1234));
        client
    }

    fn count(&self, which: impl Fn(&zooid_transport::Counters) -> &AtomicU64) -> u64 {
        which(self.clients.counters()).load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// A client's end of a connection.
struct Client {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next frame; `None` where the server closed.
    fn frame(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = take_frame(&mut self.buffer, 64 << 20).unwrap() {
                return Some(frame);
            }
            let mut bytes = [0; 65536];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                read => self.buffer.extend_from_slice(&bytes[..read.unwrap()]),
            }
        }
    }

    fn answer(&mut self) -> Option<Answer> {
        self.frame().map(|frame| decode_reply(opcode::GET_DATA, frame).unwrap())
    }

    fn is_closed(&mut self) -> bool {
        self.frame().is_none()
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        self.stream.read_to_string(&mut text).unwrap();
        text
    }
}

fn connect_frame() -> Vec<u8> {
    let mut frame = BytesMut::new();
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout: Millis(30_000),
        session: SessionId::NONE,
        password: Some(Password::default()),
        read_only: Some(false),
    };
    encode_connect(&mut frame, &request);
    frame.to_vec()
}

fn get_data(xid: i32, path: &str) -> Vec<u8> {
    let mut frame = BytesMut::new();
    let request = Request::Read(ReadOp::GetData { path: path.to_string(), watch: false });
    encode_request(&mut frame, Xid(xid), &request);
    frame.to_vec()
}

fn eventually(what: &str, is_true: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Long enough for something that must not happen to happen.
fn a_while() {
    thread::sleep(Duration::from_millis(300));
}

#[test]
fn frames_may_come_in_single_bytes() {
    let server = Server::start(Settings::default());
    let mut client = server.dial();
    client.stream.set_nodelay(true).unwrap();
    let bytes = [connect_frame(), get_data(1, "/a"), get_data(2, "/b")].concat();
    bytes.iter().for_each(|byte| client.send(&[*byte]));
    decode_connect_reply(client.frame().unwrap()).unwrap();
    for (xid, path) in [(1, "/a"), (2, "/b")] {
        let answer = client.answer().unwrap();
        assert_eq!((answer.xid, answer.zxid), (Xid(xid), Some(Zxid(9))));
        let data = Some(Bytes::from(path));
        assert_eq!(answer.result, Ok(Reply::Data { data, stat: Stat::default() }));
    }
    drop(client);
    eventually("gone", || server.parrot.of(1).last() == Some(&Seen::Gone));
    let seen = [Seen::Opened, Seen::Request(Xid(1)), Seen::Request(Xid(2)), Seen::Gone];
    assert_eq!(server.parrot.of(1), seen);
    eventually("counted", || server.count(|counters| &counters.received) == 3);
    eventually("counted", || server.count(|counters| &counters.sent) == 3);
    eventually("counted", || server.count(|counters| &counters.dropped) == 1);
    eventually("none waits", || server.clients.outstanding_requests() == 0);
}

#[test]
fn thousands_of_requests_in_a_row_are_answered_in_order() {
    let server = Server::start(Settings::default());
    let mut client = server.connect();
    let mut sender = client.stream.try_clone().unwrap();
    let bytes: Vec<u8> = (1..=20_000).flat_map(|xid| get_data(xid, "/some/path")).collect();
    let sending = thread::spawn(move || sender.write_all(&bytes).unwrap());
    for xid in 1..=20_000 {
        assert_eq!(client.answer().unwrap().xid, Xid(xid));
    }
    sending.join().unwrap();
    eventually("counted", || server.clients.reports()[0].sent == 20_001);
    let report = &server.clients.reports()[0];
    assert_eq!((report.received, report.sent, report.queued), (20_001, 20_001, 0));
    assert_eq!(report.session, SessionId(0x1234));
    let last = report.last.unwrap();
    assert_eq!((last.operation, last.xid, last.zxid), ("GETD", Some(Xid(20_000)), Zxid(9)));
}

#[test]
fn nothing_is_handed_over_before_the_connect_reply() {
    let server = Server::start(Settings::default());
    server.parrot.holds_connects.store(true, Ordering::Relaxed);
    let mut client = server.dial();
    client.send(&[connect_frame(), get_data(1, "/a")].concat());
    a_while();
    assert_eq!(server.parrot.of(1), [Seen::Opened]);
    server.parrot.release();
    decode_connect_reply(client.frame().unwrap()).unwrap();
    assert_eq!(client.answer().unwrap().xid, Xid(1));
}

#[test]
fn what_is_no_connect_request_closes_the_connection() {
    type Counter = fn(&zooid_transport::Counters) -> &AtomicU64;
    let oversized: Counter = |counters| &counters.oversized_frames;
    let malformed: Counter = |counters| &counters.malformed_frames;
    let http: Counter = |counters| &counters.http_on_client_port;
    let tls: Counter = |counters| &counters.tls_on_plain_port;
    let cases: [(&str, Vec<u8>, Counter); 9] = [
        ("a length of -1", (-1i32).to_be_bytes().to_vec(), oversized),
        ("the least length", i32::MIN.to_be_bytes().to_vec(), oversized),
        ("the largest length", i32::MAX.to_be_bytes().to_vec(), oversized),
        ("one byte over the limit", 4097i32.to_be_bytes().to_vec(), oversized),
        ("telnet's farewell", vec![0xff, 0xf4, 0xff, 0xfd], oversized),
        ("a word that is none", b"abcd".to_vec(), oversized),
        ("an empty frame", vec![0; 4], malformed),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), http),
        ("a TLS hello", vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01], tls),
    ];
    let server = Server::start(Settings::default());
    for (what, bytes, counter) in cases {
        let before = server.count(counter);
        let mut client = server.dial();
        client.send(&bytes);
        assert!(client.is_closed(), "{what}");
        eventually(what, || server.count(counter) == before + 1);
    }
    assert!(server.parrot.seen.lock().unwrap().is_empty());
}

#[test]
fn a_request_that_is_too_long_or_has_no_header_closes_the_connection() {
    let server = Server::start(Settings { frame_bytes: 5000, ..Settings::default() });
    let mut client = server.connect();
    client.send(&get_data(1, &"x".repeat(5000 - 8 - 4 - 1)));
    assert_eq!(client.answer().unwrap().xid, Xid(1));
    client.send(&[get_data(2, "/a"), 5001i32.to_be_bytes().to_vec()].concat());
    let mut left = Vec::new();
    while let Some(answer) = client.answer() {
        left.push(answer.xid);
    }
    assert!(left.is_empty() || left == [Xid(2)], "{left:?}");
    eventually("counted", || server.count(|counters| &counters.oversized_frames) == 1);

    let mut client = server.connect();
    client.send(&[0, 0, 0, 3, 1, 2, 3]);
    assert!(client.is_closed());
    eventually("counted", || server.count(|counters| &counters.malformed_frames) == 1);
    eventually("gone", || server.parrot.of(2).last() == Some(&Seen::Gone));
    assert_eq!(server.parrot.of(1).last(), Some(&Seen::Gone));
    eventually("none waits", || server.clients.outstanding_requests() == 0);
}

#[test]
fn words_are_answered_and_the_connection_closed() {
    let server = Server::start(Settings::default());
    for bytes in [&b"ruok"[..], b"ruok\n", b"ruok and more that nobody reads"] {
        let mut client = server.dial();
        client.send(bytes);
        assert_eq!(client.text(), "ruok None");
    }
    let mut client = server.dial();
    client.send(b"stmk");
    client.send(&7i64.to_be_bytes());
    assert_eq!(client.text(), "stmk Some(7)");
    eventually("counted", || server.count(|counters| &counters.received) == 4);
}

#[test]
fn a_word_behind_the_connect_request_is_a_length() {
    let server = Server::start(Settings::default());
    let mut client = server.connect();
    client.send(b"ruok");
    assert!(client.is_closed());
    eventually("counted", || server.count(|counters| &counters.oversized_frames) == 1);
}

#[test]
fn who_does_not_connect_in_time_is_closed() {
    let sessionless_timeout = Duration::from_millis(200);
    let server = Server::start(Settings { sessionless_timeout, ..Settings::default() });
    let mut patient = server.connect();
    let (mut silent, mut half) = (server.dial(), server.dial());
    half.send(&connect_frame()[..20]);
    assert!(silent.is_closed() && half.is_closed());
    eventually("counted", || server.count(|counters| &counters.sessionless_expired) == 2);
    patient.send(&get_data(1, "/a"));
    assert_eq!(patient.answer().unwrap().xid, Xid(1));
}

#[test]
fn connections_from_one_address_are_limited() {
    let server =
        Server::start(Settings { connections_per_address: Some(2), ..Settings::default() });
    let (first, mut second) = (server.connect(), server.connect());
    assert!(server.dial().is_closed());
    eventually("counted", || server.count(|counters| &counters.rejected) == 1);
    drop(first);
    eventually("room", || server.clients.open_connections() == 1);
    server.connect();
    second.send(&get_data(1, "/a"));
    assert_eq!(second.answer().unwrap().xid, Xid(1));
}

/// The clock of the test below, which stands where it is put.
static CLOCK: AtomicU64 = AtomicU64::new(0);

#[test]
fn nothing_is_written_after_its_time() {
    let now = || zooid_ids::Instant(CLOCK.load(Ordering::SeqCst));
    let server = Server::start(Settings { now, ..Settings::default() });
    let mut client = server.connect();
    let allow = |until| {
        let outlets = server.parrot.outlets.lock().unwrap();
        outlets.values().next().unwrap().allow(until);
    };
    allow(Some(zooid_ids::Instant(10)));
    CLOCK.store(10, Ordering::SeqCst);
    client.send(&get_data(1, "/a"));
    assert_eq!(client.answer().unwrap().xid, Xid(1));
    CLOCK.store(11, Ordering::SeqCst);
    client.send(&get_data(2, "/a"));
    eventually("answered", || server.parrot.of(1).contains(&Seen::Request(Xid(2))));
    client.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let silence = client.stream.read(&mut [0]).unwrap_err();
    assert_eq!(silence.kind(), ErrorKind::WouldBlock);
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for until in [Some(zooid_ids::Instant(11)), None] {
        allow(until);
        assert_eq!(client.answer().unwrap().xid, Xid(2));
        client.send(&get_data(2, "/a"));
        CLOCK.store(12, Ordering::SeqCst);
    }
    assert_eq!(client.answer().unwrap().xid, Xid(2));
}

#[test]
fn a_connection_s_unanswered_requests_are_limited() {
    let server = Server::start(Settings { outstanding_per_connection: 10, ..Settings::default() });
    let mut client = server.connect();
    server.parrot.holds.store(true, Ordering::Relaxed);
    (1..=100).for_each(|xid| client.send(&get_data(xid, "/a")));
    eventually("ten", || server.parrot.held.lock().unwrap().len() == 10);
    a_while();
    assert_eq!(server.parrot.held.lock().unwrap().len(), 10);
    assert_eq!(server.clients.outstanding_requests(), 10);
    assert!(!server.clients.reports()[0].reading);
    server.parrot.release();
    (1..=100).for_each(|xid| assert_eq!(client.answer().unwrap().xid, Xid(xid)));
    eventually("none", || server.clients.outstanding_requests() == 0);
}

#[test]
fn the_bytes_of_a_connection_s_unanswered_requests_are_limited() {
    let settings = Settings { outstanding_bytes_per_connection: 1 << 20, ..Settings::default() };
    let server = Server::start(settings);
    let mut client = server.connect();
    server.parrot.holds.store(true, Ordering::Relaxed);
    let mut sender = client.stream.try_clone().unwrap();
    let path = "x".repeat(300_000);
    let sending = thread::spawn(move || {
        (1..=50).for_each(|xid| sender.write_all(&get_data(xid, &path)).unwrap());
    });
    eventually("some", || server.clients.outstanding_requests() >= 4);
    a_while();
    let unanswered = server.clients.outstanding_requests();
    assert!(unanswered < 12, "{unanswered} were read");
    server.parrot.release();
    (1..=50).for_each(|xid| assert_eq!(client.answer().unwrap().xid, Xid(xid)));
    sending.join().unwrap();
}

#[test]
fn a_ping_is_answered_whatever_its_number() {
    let server = Server::start(Settings { outstanding_per_connection: 5, ..Settings::default() });
    let mut client = server.connect();
    for xid in 1..=20 {
        let mut ping = BytesMut::new();
        encode_request(&mut ping, Xid(xid), &Request::Ping);
        client.send(&ping);
        assert_eq!(client.frame().unwrap()[..4], Xid::PING.0.to_be_bytes());
    }
    eventually("none waits", || server.clients.outstanding_requests() == 0);
}

#[test]
fn at_the_global_limit_each_connection_still_has_one() {
    let server = Server::start(Settings { outstanding: 5, ..Settings::default() });
    let mut greedy = server.connect();
    let mut others: Vec<_> = (0..8).map(|_| server.connect()).collect();
    server.parrot.holds.store(true, Ordering::Relaxed);
    (1..=50).for_each(|xid| greedy.send(&get_data(xid, "/a")));
    eventually("five", || server.clients.outstanding_requests() == 5);
    for client in &mut others {
        (1..=20).for_each(|xid| client.send(&get_data(xid, "/a")));
    }
    eventually("one each", || server.clients.outstanding_requests() == 5 + 8);
    a_while();
    assert_eq!(server.clients.outstanding_requests(), 5 + 8);
    server.parrot.release();
    (1..=50).for_each(|xid| assert_eq!(greedy.answer().unwrap().xid, Xid(xid)));
    for client in &mut others {
        (1..=20).for_each(|xid| assert_eq!(client.answer().unwrap().xid, Xid(xid)));
    }
    eventually("none waits", || server.clients.outstanding_requests() == 0);
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let server = Server::start(Settings { outbox_bytes: 8 << 20, ..Settings::default() });
    let (mut deaf, mut other) = (server.connect(), server.connect());
    let outlet = server.parrot.outlets.lock().unwrap()[&ConnectionId(1)].clone();
    let event = Bytes::from(vec![0; 1 << 20]);
    server.parrot.holds.store(true, Ordering::Relaxed);
    deaf.send(&[get_data(1, "/a"), get_data(2, "/b")].concat());
    eventually("held", || server.clients.outstanding_requests() == 2);
    for _ in 0..100 {
        outlet.send([Outgoing::Event(event.clone())]);
    }
    eventually("gone", || server.parrot.of(1).last() == Some(&Seen::Gone));
    eventually("counted", || server.count(|counters| &counters.slow_clients) == 1);
    deaf.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = vec![0; 1 << 20];
    let mut read = 0;
    while let Ok(1..) = deaf.stream.read(&mut bytes).inspect(|count| read += count) {}
    assert!(read < 60 << 20, "{read} bytes came through");
    eventually("none waits", || server.clients.outstanding_requests() == 0);
    server.parrot.release();
    other.send(&get_data(1, "/a"));
    assert_eq!(other.answer().unwrap().xid, Xid(1));
}

#[test]
fn requests_are_not_read_while_much_waits_to_be_written() {
    let settings = Settings {
        outbox_bytes: 64 << 20,
        outstanding_per_connection: 5,
        frame_bytes: limits::FRAME_BYTES_DEFAULT,
        ..Settings::default()
    };
    let server = Server::start(settings);
    let mut client = server.connect();
    let path = "x".repeat(900_000);
    let mut sender = client.stream.try_clone().unwrap();
    let sending = thread::spawn(move || {
        (1..=60).for_each(|xid| sender.write_all(&get_data(xid, &path)).unwrap());
    });
    let handed_over = || server.parrot.of(1).len() - 1;
    eventually("some", || handed_over() >= 16);
    a_while();
    assert!(handed_over() < 40, "{} were read", handed_over());
    (1..=60).for_each(|xid| assert_eq!(client.answer().unwrap().xid, Xid(xid)));
    sending.join().unwrap();
    assert_eq!(server.count(|counters| &counters.slow_clients), 0);
}

#[test]
fn a_client_that_reads_may_ask_for_much_at_once() {
    let settings = Settings { outbox_bytes: 8 << 20, ..Settings::default() };
    let server = Server::start(settings);
    server.parrot.answer_bytes.store(100_000, Ordering::Relaxed);
    let mut client = server.connect();
    let requests: Vec<u8> = (1..=300).flat_map(|xid| get_data(xid, "/a")).collect();
    client.send(&requests);
    (1..=300).for_each(|xid| assert_eq!(client.answer().unwrap().xid, Xid(xid)));
    assert_eq!(server.count(|counters| &counters.slow_clients), 0);
}

#[test]
fn close_writes_what_waits_first() {
    let server = Server::start(Settings::default());
    let mut client = server.connect();
    let outlet = server.parrot.outlets.lock().unwrap()[&ConnectionId(1)].clone();
    let event = Outgoing::Event(Bytes::from_static(&[0, 0, 0, 1, 42]));
    outlet.send([event.clone(), event.clone(), Outgoing::CloseAfterFlush, event.clone()]);
    outlet.send([event]);
    assert_eq!(client.frame().unwrap()[..], [42]);
    assert_eq!(client.frame().unwrap()[..], [42]);
    assert!(client.is_closed());
    eventually("gone", || server.parrot.of(1) == [Seen::Opened, Seen::Gone]);
}

#[test]
fn a_graceful_stop_answers_first_and_takes_nothing_new() {
    let server = Server::start(Settings::default());
    let (mut idle, mut busy, mut sessionless) = (server.connect(), server.connect(), server.dial());
    server.parrot.holds.store(true, Ordering::Relaxed);
    busy.send(&get_data(1, "/a"));
    eventually("held", || server.parrot.held.lock().unwrap().len() == 1);
    let clients = server.clients.clone();
    let stopping =
        server.runtime.as_ref().unwrap().spawn(async move { clients.stop(PATIENCE).await });
    assert!(idle.is_closed() && sessionless.is_closed());
    busy.send(&get_data(2, "/late"));
    server.parrot.release();
    assert_eq!(busy.answer().unwrap().xid, Xid(1));
    assert!(busy.is_closed());
    drop((idle, busy, sessionless));
    let cut_off = server.runtime.as_ref().unwrap().block_on(stopping).unwrap();
    assert_eq!((cut_off, server.clients.open_connections()), (0, 0));
    assert!(TcpStream::connect(server.address).is_err());
    let whole_life = [Seen::Opened, Seen::Request(Xid(1)), Seen::Gone];
    eventually("gone", || server.parrot.of(2) == whole_life);
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let server = Server::start(Settings::default());
    let mut client = server.connect();
    server.parrot.holds.store(true, Ordering::Relaxed);
    client.send(&get_data(1, "/a"));
    eventually("held", || server.parrot.held.lock().unwrap().len() == 1);
    let clients = server.clients.clone();
    let stop = async move { clients.stop(Duration::from_millis(100)).await };
    assert_eq!(server.runtime.as_ref().unwrap().block_on(stop), 1);
    assert!(client.is_closed());
}

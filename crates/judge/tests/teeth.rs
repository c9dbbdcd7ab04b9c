//! A small log on disk and a recording that goes with it: nothing is wrong. Then one of the two is
//! falsified, and the judge says which promise was broken.
#![expect(
    clippy::unwrap_used,
    reason = "a log or a recording that cannot be written is a failed test"
)]

use std::collections::BTreeMap;
use std::path::Path;

use bytes::BytesMut;
use zooid_ids::{
    BootNonce, ClusterId, ConnectionId, Epoch, Incarnation, Millis, ServerId, SessionId, Xid, Zxid,
};
use zooid_judge::{RecordingError, conversations, server_log};
use zooid_model::{
    Acl, Command, ConnectReply, ConnectRequest, Create, CreateKind, CreateMode, ErrorCode, Grants,
    Owner, Password, Read, Reply, Request, Turn, Write, WriteOp,
};
use zooid_node::contract::entry::{write_body, write_command};
use zooid_oracle::{Conversation, Guarantee, History, Terms, judge};
use zooid_storage::{Config, Identity, LogEntry, Storage};
use zooid_wire::client::{encode_connect, encode_request};
use zooid_wire::{encode_connect_reply, encode_reply};
use zooid_zab::{Body, Config as Voters};

const SERVER: ServerId = ServerId(1);
const PORT: u16 = 2181;
const SESSION: SessionId = SessionId(0x1_0001);
const TIMEOUT: Millis = Millis(6000);

fn zxid(counter: u32) -> Zxid {
    Zxid::new(Epoch(1), counter)
}

fn create(path: &str) -> WriteOp {
    WriteOp::Create(Create {
        path: path.into(),
        data: None,
        acl: Acl::open(),
        mode: CreateMode::Persistent,
        kind: CreateKind::Create,
    })
}

/// What was agreed: an epoch, a session, its `/a` and its `/b`, in this order.
fn agreed() -> Vec<Body> {
    let owner = Owner { server: SERVER, boot: BootNonce(5), connection: ConnectionId(7) };
    let write = |sequence, path| {
        let turn = Turn { session: SESSION, owner, sequence };
        let (identities, grants) = (Vec::new(), Grants::default());
        Command::Write(Write { turn, identities, grants, op: create(path) })
    };
    let session = Command::CreateSession { session: SESSION, owner, timeout: TIMEOUT };
    let commands = [session, write(1, "/a"), write(2, "/b")];
    let mut bodies = vec![Body::EpochStart(Voters::of([SERVER]))];
    bodies.extend(commands.iter().map(|command| Body::Command(write_command(command))));
    bodies
}

fn write_log(dir: &Path, bodies: &[Body]) {
    let identity = Identity {
        cluster: ClusterId(1),
        server: SERVER,
        incarnation: Incarnation(1),
        created: Millis(0),
    };
    let mut opened = Storage::open(&Config::new(dir.into(), dir.into(), identity)).unwrap();
    let mut prev_zxid = Zxid::ZERO;
    for (counter, body) in (0..).zip(bodies) {
        let (kind, payload) = write_body(body);
        let (zxid, time) = (zxid(counter), Millis(1000));
        let entry = LogEntry { zxid, prev_zxid, time, kind: kind as u8, payload };
        opened.log.append(&[entry]).unwrap();
        prev_zxid = zxid;
    }
}

/// Whether the client sent it, and the frame with its length.
type Frame = (bool, BytesMut);

fn frame(is_sent: bool, encode: impl FnOnce(&mut BytesMut)) -> Frame {
    let mut frame = BytesMut::new();
    encode(&mut frame);
    (is_sent, frame)
}

fn asks(xid: i32, request: &Request) -> Frame {
    frame(true, |out| encode_request(out, Xid(xid), request))
}

fn answers(xid: i32, counter: u32, result: Result<&Reply, ErrorCode>) -> Frame {
    frame(false, |out| encode_reply(out, Xid(xid), zxid(counter), result))
}

fn greetings() -> [Frame; 2] {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout: TIMEOUT,
        session: SessionId::NONE,
        password: Some(Password([0; 16])),
        read_only: Some(false),
    };
    let reply = ConnectReply {
        protocol_version: 0,
        timeout: TIMEOUT,
        session: SESSION,
        password: Password([9; 16]),
        read_only: Some(false),
    };
    [
        frame(true, |out| encode_connect(out, &request)),
        frame(false, |out| encode_connect_reply(out, &reply)),
    ]
}

/// What the client saw of it, and that there is no `/c`.
fn seen() -> Vec<Frame> {
    let mut frames = greetings().to_vec();
    frames.extend([
        asks(1, &Request::Write(create("/a"))),
        answers(1, 2, Ok(&Reply::Path { path: "/a".into() })),
        asks(2, &Request::Write(create("/b"))),
        answers(2, 3, Ok(&Reply::Path { path: "/b".into() })),
        asks(3, &exists("/c")),
        answers(3, 3, Err(ErrorCode::NoNode)),
    ]);
    frames
}

fn exists(path: &str) -> Request {
    Request::Read(Read::Exists { path: path.into(), watch: false })
}

fn line(port: u16, sent: bool, at: usize, digits: &str) -> String {
    let of = format!(r#""client": 1, "connection": 1, "port": {port}, "sent": {sent}, "at": {at}"#);
    format!("{{{of}, \"frame\": \"{digits}\"}}\n")
}

/// As a harness writes it down: without the lengths of the frames.
fn recorded(frames: &[Frame]) -> String {
    let digits = |frame: &[u8]| frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines = frames.iter().enumerate();
    lines.map(|(at, (sent, frame))| line(PORT, *sent, at, &digits(&frame[4..]))).collect()
}

fn read(recording: &str) -> Result<Vec<Conversation>, RecordingError> {
    conversations(recording.as_bytes(), &BTreeMap::from([(PORT, SERVER)]))
}

/// The promises that were broken.
fn broken(bodies: &[Body], frames: &[Frame]) -> Vec<Guarantee> {
    let dir = tempfile::tempdir().unwrap();
    write_log(dir.path(), bodies);
    let (server, is_whole) = server_log(SERVER, dir.path()).unwrap();
    assert!(is_whole && server.entries.len() == bodies.len());
    let conversations = read(&recorded(frames)).unwrap();
    let history = History { log: server.entries.clone(), conversations, servers: vec![server] };
    let violations = judge(&history, &Terms { relay: u64::MAX });
    violations.iter().map(|violation| violation.guarantee).collect()
}

#[track_caller]
fn assert_broken(bodies: &[Body], frames: &[Frame], guarantee: Guarantee) {
    let broken = broken(bodies, frames);
    assert!(broken.contains(&guarantee), "{broken:?}");
}

#[test]
fn what_was_seen_goes_with_what_was_agreed() {
    assert_eq!(broken(&agreed(), &seen()), []);
}

#[test]
fn a_log_without_an_acknowledged_write_is_found() {
    assert_broken(&agreed()[..3], &seen(), Guarantee::Writes);
}

#[test]
fn a_log_without_the_session_is_found() {
    assert_broken(&agreed()[..1], &seen()[..2], Guarantee::Sessions);
}

#[test]
fn a_write_that_was_told_another_result_is_found() {
    let mut frames = seen();
    frames[3] = answers(1, 2, Ok(&Reply::Path { path: "/x".into() }));
    assert_broken(&agreed(), &frames, Guarantee::Writes);
}

#[test]
fn a_read_that_misses_a_write_is_found() {
    let mut frames = seen();
    frames[6] = asks(3, &exists("/b"));
    assert_broken(&agreed(), &frames, Guarantee::Reads);
}

#[test]
fn answers_in_another_order_are_found() {
    let mut frames = seen();
    frames.swap(3, 4);
    frames.swap(4, 5);
    assert_broken(&agreed(), &frames, Guarantee::Fifo);
}

#[test]
fn recordings_that_make_no_sense_are_refused() {
    let error = |text: &str| read(text).unwrap_err().to_string();
    assert!(error("{}").starts_with("line 1: missing field"));
    assert_eq!(error(&line(9, true, 0, "00")), "line 1: no member has the port 9");
    for digits in ["0", "0g", "+1", "ää"] {
        let no_digits = "line 1: the frame is not in hexadecimal digits";
        assert_eq!(error(&line(PORT, true, 0, digits)), no_digits, "{digits}");
    }
    assert!(error(&line(PORT, true, 0, "00")).starts_with("line 1: "));
    let mut unasked = greetings().to_vec();
    unasked.push(answers(8, 1, Ok(&Reply::Empty)));
    assert!(error(&recorded(&unasked)).starts_with("line 3: an answer to "));
    let unbidden = recorded(&greetings()[1..]);
    assert_eq!(error(&unbidden), "line 1: the server speaks first");
}

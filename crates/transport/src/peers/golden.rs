//! Golden vectors: what a server says to another must mean the same in neighbouring versions.
//!
//! If a line of the file changes, servers of before no longer understand it. New lines may be added.

use bytes::Bytes;
use zooid_ids::{ClusterId, Epoch, Incarnation, Millis, ServerId, Zxid};
use zooid_zab::message::{Message, Notification, Plan, Standing, Vote};
use zooid_zab::{Body, Config, Entry, EpochEnds, Member, Promise, Seat, SyncTicket, Voters};

use super::contract::{Frame, write_notification};
use super::generated::{
    Chunk, FetchRequest, FromLeader, FromLearner, Manifest, ManifestFile, chunk,
};
use super::hello::hello;

const ONE: Member = Member { id: ServerId(1), incarnation: Incarnation(0x1111) };
const TWO: Member = Member { id: ServerId(2), incarnation: Incarnation(0x2222) };
const ZXID: Zxid = Zxid(0x3_0000_0007);

fn config() -> Config {
    let seat = |weight| Seat { group: 1, weight };
    let seats = [(ONE.id, seat(1)), (TWO.id, seat(2))];
    Config {
        voters: Voters::seated(seats).unwrap(),
        next: Some(Voters::majority([ONE.id])),
        registered: [(ONE.id, Some(ONE.incarnation)), (TWO.id, None)].into(),
    }
}

fn from_learner() -> Vec<(&'static str, Message)> {
    let (epoch, payload) = (Epoch(3), Bytes::from_static(b"payload"));
    let ends = EpochEnds::new(Zxid(5), [Zxid(0x1_0000_0002), ZXID]);
    let promise = Promise { epoch, to: TWO };
    vec![
        ("info", Message::Info { member: ONE, promise, uninitialised: true }),
        ("promised", Message::Promised { epoch, counts: true, last: ZXID, ends }),
        ("installed", Message::Installed { zxid: ZXID }),
        ("ack", Message::Ack { zxid: ZXID }),
        ("pong", Message::Pong { sequence: 300 }),
        ("forward", Message::Forward { command: payload.clone() }),
        ("ask_sync", Message::AskSync { ticket: SyncTicket(9) }),
        ("touch", Message::Touch { payload }),
    ]
}

fn from_leader() -> Vec<(&'static str, Message)> {
    let payload = Bytes::from_static(b"payload");
    let bodies =
        [Body::EpochStart(config()), Body::Command(payload.clone()), Body::Config(config())];
    let entries = bodies.into_iter().zip(1..).map(|(body, at)| Entry {
        zxid: Zxid(ZXID.0 + at),
        prev_zxid: Zxid(ZXID.0 + at - 1),
        time: Millis(1_700_000_000_000),
        body,
    });
    let sync = |plan| Message::Sync { plan, through: ZXID };
    vec![
        ("propose", Message::Propose { epoch: Epoch(3), forms: true }),
        ("sync_diff", sync(Plan::Diff)),
        ("sync_truncate", sync(Plan::Truncate(Zxid(0x2_0000_0001)))),
        ("sync_checkpoint", sync(Plan::Checkpoint)),
        ("entries", Message::Entries { entries: entries.collect(), commit: ZXID }),
        ("commit", Message::Commit { zxid: ZXID }),
        ("ping", Message::Ping { sequence: 300, commit: ZXID }),
        ("synced", Message::Synced { ticket: SyncTicket(9), zxid: ZXID }),
        ("confirmed", Message::Confirmed { payload }),
        ("suspect", Message::Suspect),
        ("acknowledged", Message::Acknowledged { had: vec![(ONE, ZXID), (TWO, Zxid::ZERO)] }),
    ]
}

fn notifications() -> Vec<(&'static str, Notification)> {
    let vote = Some(Vote { zxid: ZXID, leader: TWO.id });
    let said = |standing, vote| Notification { from: ONE, standing, round: 4, vote };
    vec![
        ("looking", said(Standing::Looking, vote)),
        ("looking_for_nobody", said(Standing::Looking, None)),
        ("following", said(Standing::Following(Epoch(3)), vote)),
        ("leading", said(Standing::Leading(Epoch(3)), vote)),
    ]
}

fn line(name: &str, message: &impl prost::Message) -> String {
    let bytes = message.encode_to_vec();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {digits}\n")
}

#[test]
fn peers_speak_as_ever() {
    let said = hello(ONE, Some(ClusterId(0xabc)), TWO.id, 1 << 20);
    let mut written = line("hello", &said);
    written += &line("hello_of_nobody", &hello(ONE, None, TWO.id, 0));
    for (name, message) in from_learner() {
        written += &line(name, &FromLearner::write(&message).unwrap());
    }
    for (name, message) in from_leader() {
        written += &line(name, &FromLeader::write(&message).unwrap());
    }
    for (name, said) in notifications() {
        written += &line(name, &write_notification(&said));
    }
    written += &line("granted", &FromLeader::granted(1 << 21));
    written += &line("fetch_request", &FetchRequest { hello: Some(said.clone()) });
    let file = ManifestFile { name: "1-7.base".into(), bytes: 300 };
    let manifest = Manifest { zxid: ZXID.0, files: vec![file] };
    for (name, chunk) in [
        ("chunk_hello", chunk::Chunk::Hello(said)),
        ("chunk_manifest", chunk::Chunk::Manifest(manifest)),
        ("chunk_data", chunk::Chunk::Data(Bytes::from_static(b"data"))),
    ] {
        written += &line(name, &Chunk { chunk: Some(chunk) });
    }
    expect_test::expect_file!["../../testdata/peer_golden.txt"].assert_eq(&written);
}

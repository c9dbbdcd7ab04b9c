//! Servers of an ensemble over loopback, each with a runtime of its own, so that one can die.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;
use zooid_ids::{ClusterId, Epoch, Incarnation, Millis, ServerId, Zxid};
use zooid_transport::Mailbox;
use zooid_transport::peers::{
    Checkpoint, CheckpointFile, Checkpoints, FromPeer, PeerAddress, PeerSettings, Peers,
};
use zooid_zab::message::{ChannelId, Message, Notification, Plan, Standing, Vote};
use zooid_zab::{Body, Config, Entry, EpochEnds, Member, Promise, SyncTicket};

const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    me: Member,
    peers: Arc<Peers>,
    mailbox: Arc<Mailbox<FromPeer>>,
    heard: VecDeque<FromPeer>,
    runtime: Option<Runtime>,
}

fn settings() -> PeerSettings {
    PeerSettings { connect_timeout: PATIENCE, keep_alive: PATIENCE, ..PeerSettings::default() }
}

/// Free ports for servers 1 to `n`.
fn addresses(n: u64) -> BTreeMap<ServerId, Vec<PeerAddress>> {
    let sockets: Vec<_> = (0..2 * n).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let port = |at: u64| sockets[at as usize].local_addr().unwrap().port();
    let address = |at: u64| PeerAddress {
        host: "localhost".into(),
        quorum_port: port(at),
        election_port: port(at + 1),
    };
    (1..=n).map(|id| (ServerId(id), vec![address(2 * (id - 1))])).collect()
}

impl Server {
    fn start(
        id: u64,
        members: &BTreeMap<ServerId, Vec<PeerAddress>>,
        settings: PeerSettings,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let me = Member { id: ServerId(id), incarnation: Incarnation(100 + u128::from(id)) };
        let mailbox = Arc::new(Mailbox::default());
        let inbox = Arc::clone(&mailbox);
        let peers = runtime.block_on(async { Peers::new(me, settings, inbox) });
        peers.set_members(members.clone());
        let at = members[&me.id][0].clone();
        let serving = Arc::clone(&peers);
        runtime.block_on(async move {
            let quorum = bind(at.quorum_port).await;
            let election = bind(at.election_port).await;
            tokio::spawn(serving.serve(quorum, election));
        });
        Self { me, peers, mailbox, heard: VecDeque::new(), runtime: Some(runtime) }
    }

    /// The next thing that it is told.
    fn next(&mut self) -> FromPeer {
        let until = Instant::now() + PATIENCE;
        while self.heard.is_empty() {
            assert!(Instant::now() < until, "server {} hears nothing", self.me.id);
            let mut items = Vec::new();
            self.mailbox.drain(&mut items, Duration::from_millis(100));
            self.heard.extend(items);
        }
        self.heard.pop_front().unwrap()
    }

    fn is_silent(&mut self) -> bool {
        let mut items = Vec::new();
        self.mailbox.drain(&mut items, Duration::from_millis(100));
        self.heard.extend(items);
        self.heard.is_empty()
    }

    fn message(&mut self, from: ChannelId) -> Message {
        match self.next() {
            FromPeer::Said { channel, message, .. } if channel == from => message,
            other => panic!("server {}: {other:?}", self.me.id),
        }
    }

    fn closed(&mut self) -> ChannelId {
        match self.next() {
            FromPeer::Closed { channel } => channel,
            other => panic!("server {}: {other:?}", self.me.id),
        }
    }

    fn notification(&self, round: u64) -> Notification {
        let vote = Vote { zxid: z(1, 1), leader: self.me.id };
        Notification { from: self.me, standing: Standing::Looking, round, vote: Some(vote) }
    }

    /// As a process that was killed.
    fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A server that was killed may still hold its port for a moment.
async fn bind(port: u16) -> tokio::net::TcpListener {
    let until = Instant::now() + PATIENCE;
    loop {
        match tokio::net::TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

fn entry(counter: u32, bytes: usize) -> Entry {
    let body = Body::Command(vec![counter as u8; bytes].into());
    Entry { zxid: z(1, counter), prev_zxid: z(1, counter - 1), time: Millis(5), body }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

/// A channel from `learner` to `leader`: its number at each end.
fn connect(learner: &mut Server, leader: &mut Server) -> (ChannelId, ChannelId) {
    learner.peers.dial(leader.me.id);
    let at_learner = match learner.next() {
        FromPeer::Connected { channel, leader: who } => {
            assert_eq!(who, leader.me);
            channel
        }
        other => panic!("{other:?}"),
    };
    match leader.next() {
        FromPeer::Dialed { channel, learner: who } => {
            assert_eq!(who, learner.me);
            (at_learner, channel)
        }
        other => panic!("{other:?}"),
    }
}

fn two(settings: [PeerSettings; 2]) -> (Server, Server) {
    let members = addresses(2);
    let [one, two] = settings;
    (Server::start(1, &members, one), Server::start(2, &members, two))
}

#[test]
fn every_kind_of_message_arrives_in_order() {
    let (mut leader, mut learner) = two([settings(), settings()]);
    let (at_learner, at_leader) = connect(&mut learner, &mut leader);
    let promise = Promise { epoch: Epoch(3), to: leader.me };
    let from_learner = [
        Message::Info { member: learner.me, promise, uninitialised: true },
        Message::Promised {
            epoch: Epoch(4),
            counts: true,
            last: z(3, 7),
            ends: EpochEnds::new(z(1, 4), [z(2, 2), z(3, 7)]),
        },
        Message::Installed { zxid: z(3, 9) },
        Message::Ack { zxid: z(4, 0) },
        Message::Pong { sequence: 3 },
        Message::Forward { command: Bytes::from_static(b"create") },
        Message::AskSync { ticket: SyncTicket(8) },
    ];
    let start = Entry {
        zxid: z(1, 0),
        prev_zxid: Zxid::ZERO,
        time: Millis(-1),
        body: Body::EpochStart(Config::of([ServerId(1), ServerId(2)])),
    };
    let from_leader = [
        Message::Propose { epoch: Epoch(4), forms: false },
        Message::Sync { plan: Plan::Truncate(z(3, 1)), through: z(3, 9) },
        Message::Sync { plan: Plan::Diff, through: z(3, 9) },
        Message::Sync { plan: Plan::Checkpoint, through: z(3, 9) },
        Message::Entries { entries: vec![start, entry(1, 10), entry(2, 0)], commit: z(1, 0) },
        Message::Commit { zxid: z(1, 2) },
        Message::Ping { sequence: 3, commit: z(1, 2) },
        Message::Synced { ticket: SyncTicket(8), zxid: z(1, 2) },
    ];
    for _ in 0..50 {
        from_learner.iter().for_each(|said| learner.peers.send(at_learner, said.clone()));
        from_leader.iter().for_each(|said| leader.peers.send(at_leader, said.clone()));
    }
    for _ in 0..50 {
        from_learner.iter().for_each(|said| assert_eq!(leader.message(at_leader), *said));
        from_leader.iter().for_each(|said| assert_eq!(learner.message(at_learner), *said));
    }
    assert_eq!(read(&leader.peers.counters().messages_sent), 50 * 8);
    assert_eq!(read(&leader.peers.counters().messages_received), 50 * 7);
}

#[test]
fn many_entries_arrive_as_batches() {
    let (mut leader, mut learner) = two([settings(), settings()]);
    let (at_learner, at_leader) = connect(&mut learner, &mut leader);
    let entries: Vec<_> = (1..=100).map(|counter| entry(counter, 100_000)).collect();
    leader.peers.send(at_leader, Message::Entries { entries: entries.clone(), commit: z(1, 9) });
    let mut arrived = Vec::new();
    while arrived.len() < 100 {
        let Message::Entries { entries, commit } = learner.message(at_learner) else { panic!() };
        assert!(entries.len() <= 10 && commit == z(1, 9));
        arrived.extend(entries);
    }
    assert_eq!(arrived, entries);
}

#[test]
fn a_closed_channel_is_never_taken_up_again() {
    let (mut leader, mut learner) = two([settings(), settings()]);
    let before = connect(&mut learner, &mut leader);
    learner.peers.close(before.0);
    assert_eq!(leader.closed(), before.1);
    let after = connect(&mut learner, &mut leader);
    assert_ne!(before.0, after.0);
    assert_ne!(before.1, after.1);
    leader.peers.send(before.1, Message::Propose { epoch: Epoch(1), forms: false });
    leader.peers.send(after.1, Message::Propose { epoch: Epoch(2), forms: false });
    assert_eq!(learner.message(after.0), Message::Propose { epoch: Epoch(2), forms: false });
    leader.peers.close(after.1);
    assert_eq!(learner.closed(), after.0);
    assert!(leader.is_silent() && learner.is_silent(), "who closes is not told");
}

#[test]
fn a_server_that_died_is_missed_and_found_again() {
    let members = addresses(3);
    let mut one = Server::start(1, &members, settings());
    let mut two = Server::start(2, &members, settings());
    let three = Server::start(3, &members, settings());
    let (at_two, _) = connect(&mut two, &mut one);
    for (round, server) in [(7, &two), (8, &three)] {
        server.peers.notify(one.me.id, server.notification(round));
        let heard = one.next();
        assert!(matches!(heard, FromPeer::Notified(said) if said == server.notification(round)));
    }
    one.kill();
    assert_eq!(two.closed(), at_two);
    two.peers.dial(ServerId(1));
    assert!(matches!(two.next(), FromPeer::Unreachable { leader: ServerId(1) }));
    // Until it is there again, and only the newest counts.
    two.peers.notify(ServerId(1), two.notification(8));
    two.peers.notify(ServerId(1), two.notification(9));
    let mut one = Server::start(1, &members, settings());
    let mut heard = one.next();
    // What server 3 said last may have been lost with its connection, so it says it again.
    while matches!(heard, FromPeer::Notified(said) if said == three.notification(8)) {
        heard = one.next();
    }
    assert!(matches!(heard, FromPeer::Notified(said) if said == two.notification(9)), "{heard:?}");
    drop(three);
    while !one.is_silent() {
        one.next();
    }
    connect(&mut two, &mut one);
}

#[test]
fn another_ensemble_is_refused() {
    let (mut leader, mut learner) = two([settings(), settings()]);
    leader.peers.set_cluster(ClusterId(1));
    connect(&mut learner, &mut leader);
    learner.peers.set_cluster(ClusterId(2));
    learner.peers.dial(leader.me.id);
    assert!(matches!(learner.next(), FromPeer::Unreachable { .. }));
    let refused = read(&leader.peers.counters().wrong_cluster);
    assert!(refused > 0);
    learner.peers.notify(leader.me.id, learner.notification(1));
    let until = Instant::now() + PATIENCE;
    while read(&leader.peers.counters().wrong_cluster) == refused {
        assert!(Instant::now() < until, "the notification is not refused");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(leader.is_silent());
}

#[test]
fn who_is_not_who_was_dialled_is_refused() {
    let members = addresses(2);
    let mut learner = Server::start(2, &members, settings());
    // Server 3 stands where server 1 should be, and does not know server 2.
    let other = [(ServerId(3), members[&ServerId(1)].clone())].into();
    let mut other = Server::start(3, &other, settings());
    learner.peers.dial(ServerId(1));
    assert!(matches!(learner.next(), FromPeer::Unreachable { leader: ServerId(1) }));
    assert!(read(&other.peers.counters().wrong_member) > 0);
    learner.peers.dial(ServerId(9));
    assert!(matches!(learner.next(), FromPeer::Unreachable { leader: ServerId(9) }));
    assert!(read(&learner.peers.counters().wrong_member) > 0);
    assert!(other.is_silent());
}

#[test]
fn a_message_that_is_too_long_closes_its_channel() {
    let short = PeerSettings { message_bytes: 10_000, ..settings() };
    let (mut leader, mut learner) = two([short.clone(), settings()]);
    let (at_learner, at_leader) = connect(&mut learner, &mut leader);
    // The receiver's limit.
    learner.peers.send(at_learner, Message::Forward { command: vec![0; 20_000].into() });
    assert_eq!(leader.closed(), at_leader);
    assert_eq!(learner.closed(), at_learner);
    assert_eq!(read(&leader.peers.counters().oversized_messages), 1);
    // The sender's.
    let (at_learner, at_leader) = connect(&mut learner, &mut leader);
    let entries = vec![entry(1, 20_000)];
    leader.peers.send(at_leader, Message::Entries { entries, commit: Zxid::ZERO });
    assert_eq!(leader.closed(), at_leader);
    assert_eq!(learner.closed(), at_learner);
    assert_eq!(read(&leader.peers.counters().oversized_messages), 2);
}

#[test]
fn who_does_not_read_is_waited_for_and_then_cut_off() {
    let sender = PeerSettings { outbox_bytes: 8 << 20, ..settings() };
    let receiver = PeerSettings { inbox_bytes: 1 << 20, ..settings() };
    let (mut leader, mut learner) = two([sender, receiver]);
    let (at_learner, at_leader) = connect(&mut learner, &mut leader);
    let say = |counter| {
        let entries = vec![entry(counter, 500_000)];
        leader.peers.send(at_leader, Message::Entries { entries, commit: Zxid::ZERO });
    };
    // As much as waits at the leader is allowed, and comes once the learner reads.
    (1..=10).for_each(say);
    let held = [learner.next(), learner.next()];
    assert!(held.iter().all(|said| matches!(said, FromPeer::Said { .. })), "{held:?}");
    assert!(learner.is_silent(), "the rest waits until these are dropped");
    drop(held);
    (3..=10).for_each(|_| drop(learner.message(at_learner)));
    // More than that is not.
    (1..=100).for_each(say);
    assert_eq!(leader.closed(), at_leader);
    assert_eq!(read(&leader.peers.counters().slow_peers), 1);
    let last = loop {
        match learner.next() {
            FromPeer::Said { .. } => {}
            other => break other,
        }
    };
    assert!(matches!(last, FromPeer::Closed { channel } if channel == at_learner), "{last:?}");
}

#[test]
fn a_server_that_stops_leaves_its_ports() {
    let members = addresses(2);
    let mut leader = Server::start(1, &members, settings());
    let mut learner = Server::start(2, &members, settings());
    let (at_learner, _) = connect(&mut learner, &mut leader);
    learner.peers.notify(leader.me.id, learner.notification(1));
    assert!(matches!(leader.next(), FromPeer::Notified(_)));
    learner.peers.notify(leader.me.id, learner.notification(2));
    assert!(matches!(leader.next(), FromPeer::Notified(_)));
    leader.peers.stop();
    assert_eq!(learner.closed(), at_learner);
    let mut again = Server::start(1, &members, settings());
    connect(&mut learner, &mut again);
}

#[test]
fn a_server_that_stops_says_nothing_more() {
    let (mut one, two) = two([settings(), settings()]);
    two.peers.notify(one.me.id, two.notification(1));
    assert!(matches!(one.next(), FromPeer::Notified(_)));
    two.peers.stop();
    std::thread::sleep(Duration::from_millis(200));
    assert!(one.is_silent());
}

/// A directory with these files; the manifest says of the last one that it is longer.
struct Directory {
    path: PathBuf,
    files: Vec<(&'static str, Vec<u8>)>,
    exaggerates: u64,
}

impl Checkpoints for Directory {
    fn newest(&self) -> io::Result<Checkpoint> {
        let mut files = Vec::new();
        for (name, data) in &self.files {
            let path = self.path.join(name);
            fs::write(&path, data)?;
            let (name, bytes) = ((*name).to_owned(), data.len() as u64);
            files.push(CheckpointFile { name, bytes, file: File::open(&path)? });
            fs::remove_file(path)?;
        }
        if let Some(last) = files.last_mut() {
            last.bytes += self.exaggerates;
        }
        Ok(Checkpoint { zxid: z(2, 9), files })
    }
}

fn offer(server: &Server, path: &Path, exaggerates: u64) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |count: usize| (0..count).map(|at| (at % 251) as u8).collect::<Vec<u8>>();
    let files = vec![("run-1", bytes(3_500_000)), ("empty", bytes(0)), ("run-2.sst", bytes(10))];
    let directory = Directory { path: path.to_owned(), files: files.clone(), exaggerates };
    server.peers.set_checkpoints(Arc::new(directory));
    files
}

fn fetch(server: &Server, from: u64, into: &Path) -> Result<Zxid, String> {
    let fetching = server.peers.fetch(ServerId(from), into);
    let fetched = server.runtime.as_ref().unwrap().block_on(fetching);
    fetched.map_err(|error| error.to_string())
}

#[test]
fn a_checkpoint_is_fetched_while_a_channel_goes_on() {
    let paced = PeerSettings { checkpoint_bytes_per_second: 10_000_000, ..settings() };
    let (mut leader, mut learner) = two([paced, settings()]);
    let (at_learner, at_leader) = connect(&mut learner, &mut leader);
    let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = offer(&leader, from.path(), 0);
    let began = Instant::now();
    assert_eq!(fetch(&learner, 1, into.path()), Ok(z(2, 9)));
    assert!(began.elapsed() >= Duration::from_millis(350), "3.5 MB at 10 MB a second");
    for (name, data) in files {
        assert!(fs::read(into.path().join(name)).unwrap() == data, "{name} differs");
    }
    leader.peers.send(at_leader, Message::Commit { zxid: z(2, 9) });
    assert_eq!(learner.message(at_learner), Message::Commit { zxid: z(2, 9) });
    assert!(fetch(&learner, 1, into.path()).is_err(), "the files are there already");
}

#[test]
fn a_checkpoint_that_cannot_be_had_is_an_error() {
    let (leader, learner) = two([settings(), settings()]);
    let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let error = fetch(&learner, 1, into.path()).unwrap_err();
    assert!(error.contains("no checkpoints"), "{error}");
    fetch(&learner, 7, into.path()).unwrap_err();
    offer(&leader, from.path(), 1);
    fetch(&learner, 1, into.path()).unwrap_err();
    leader.peers.set_cluster(ClusterId(1));
    learner.peers.set_cluster(ClusterId(2));
    let error = fetch(&learner, 1, into.path()).unwrap_err();
    assert!(error.contains("ensemble"), "{error}");
    assert_eq!(read(&leader.peers.counters().wrong_cluster), 1);
}

#[test]
fn what_the_loop_cannot_read_closes_its_channel() {
    let (mut leader, mut learner) = two([settings(), settings()]);
    let (at_learner, at_leader) = connect(&mut learner, &mut leader);
    learner.peers.send(at_learner, Message::Forward { command: Bytes::from_static(b"nonsense") });
    leader.message(at_leader);
    leader.peers.refuse(at_leader, "not a command".into());
    assert_eq!(leader.closed(), at_leader);
    assert_eq!(learner.closed(), at_learner);
    assert_eq!(read(&leader.peers.counters().malformed_messages), 1);
    leader.peers.refuse(at_leader, "not a command".into());
    assert!(leader.is_silent());
}

/// Signs of life do not wait behind commands that the leader has not taken.
#[test]
fn forwards_wait_until_they_are_granted_and_nothing_else_does() {
    let few = PeerSettings { forward_bytes: 1 << 20, message_bytes: 1 << 20, ..settings() };
    let (mut leader, mut learner) = two([few.clone(), few]);
    let (at_learner, at_leader) = connect(&mut learner, &mut leader);
    let command = |number: u8| Bytes::from(vec![number; 400_000]);
    for number in 0..10 {
        learner.peers.send(at_learner, Message::Forward { command: command(number) });
        learner.peers.send(at_learner, Message::Pong { sequence: number.into() });
    }
    let (mut held, mut pongs) = (VecDeque::new(), 0);
    while pongs < 10 {
        match leader.next() {
            FromPeer::Said { message: Message::Pong { sequence }, .. } => {
                assert_eq!(sequence, pongs);
                pongs += 1;
            }
            forward => held.push_back(forward),
        }
    }
    assert!(leader.is_silent(), "the rest waits until these are taken");
    assert_eq!(held.len(), 2, "{held:?}");
    for number in 0..10 {
        let next = held.pop_front().unwrap_or_else(|| leader.next());
        let FromPeer::Said { channel, message, .. } = next else { panic!("{next:?}") };
        assert_eq!((channel, message), (at_leader, Message::Forward { command: command(number) }));
    }
    assert!(leader.is_silent() && learner.is_silent());
}

/// Passes bytes on between two ends until it is frozen: nothing arrives any more, nothing is closed.
fn passage(to: u16, frozen: &Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let frozen = Arc::clone(frozen);
    std::thread::spawn(move || {
        for here in listener.incoming().map_while(Result::ok) {
            let there = TcpStream::connect(("127.0.0.1", to)).unwrap();
            for (from, to) in [(&here, &there), (&there, &here)] {
                let ends = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let frozen = Arc::clone(&frozen);
                std::thread::spawn(move || pass(ends, &frozen));
            }
        }
    });
    port
}

fn pass((mut from, mut to): (TcpStream, TcpStream), frozen: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        while frozen.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

/// A peer that hangs, or a network that swallows everything, is found out without a word of the
/// loop.
#[test]
fn a_connection_on_which_nothing_comes_back_is_closed() {
    let members = addresses(2);
    let brief = PeerSettings { keep_alive: Duration::from_millis(300), ..settings() };
    let mut leader = Server::start(1, &members, brief.clone());
    let frozen = Arc::new(AtomicBool::new(false));
    let mut seen_by_learner = members.clone();
    let behind = &mut seen_by_learner.get_mut(&ServerId(1)).unwrap()[0];
    behind.quorum_port = passage(behind.quorum_port, &frozen);
    let mut learner = Server::start(2, &seen_by_learner, brief);
    let (at_learner, at_leader) = connect(&mut learner, &mut leader);
    std::thread::sleep(Duration::from_secs(1));
    learner.peers.send(at_learner, Message::Pong { sequence: 1 });
    assert_eq!(leader.message(at_leader), Message::Pong { sequence: 1 }, "idle, but alive");
    frozen.store(true, Relaxed);
    assert_eq!(learner.closed(), at_learner);
    assert_eq!(leader.closed(), at_leader);
    frozen.store(false, Relaxed);
    connect(&mut learner, &mut leader);
}

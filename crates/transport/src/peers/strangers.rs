//! Peers, and others, that do not keep to the contract.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zooid_ids::Incarnation;
use zooid_zab::message::{Standing, Vote};

use super::contract::{Frame, write_notification};
use super::generated::election_client::ElectionClient;
use super::generated::quorum_client::QuorumClient;
use super::generated::{Ack, FromElector, FromLearner, Info, from_elector, from_learner};
use super::*;
use crate::Mailbox;

/// Server 1, which knows server 2 as a member that is not there.
struct Victim {
    peers: Arc<Peers>,
    mailbox: Arc<Mailbox<FromPeer>>,
    quorum: String,
    election: String,
}

const VICTIM: Member = Member { id: ServerId(1), incarnation: Incarnation(1) };
const STRANGE: Member = Member { id: ServerId(2), incarnation: Incarnation(2) };

fn settings() -> PeerSettings {
    PeerSettings {
        message_bytes: 1000,
        connect_timeout: Duration::from_millis(500),
        ..PeerSettings::default()
    }
}

async fn victim() -> Victim {
    victim_with(settings()).await
}

async fn victim_with(settings: PeerSettings) -> Victim {
    let mailbox = Arc::new(Mailbox::default());
    let peers = Peers::new(VICTIM, settings, Arc::clone(&mailbox) as Arc<dyn Inbox<FromPeer>>);
    let nowhere = PeerAddress { host: "127.0.0.1".into(), quorum_port: 1, election_port: 1 };
    peers.set_members([(STRANGE.id, vec![nowhere])].into());
    let quorum = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let election = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
    let (at_quorum, at_election) = (address(&quorum), address(&election));
    tokio::spawn(Arc::clone(&peers).serve(quorum, election));
    Victim { peers, mailbox, quorum: at_quorum, election: at_election }
}

impl Victim {
    /// Sends frames and waits for the end of the answer: how many came before it.
    async fn follow(&self, frames: Vec<FromLearner>) -> Result<usize, tonic::Status> {
        let mut client = QuorumClient::connect(format!("http://{}", self.quorum)).await.unwrap();
        let (outbox, outflow) = outbox::outbox(1 << 20);
        frames.into_iter().for_each(|frame| outbox.put(frame).unwrap());
        let mut answers = client.follow(outflow).await?.into_inner();
        let mut count = 0;
        while answers.message().await?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// What it hears until it has heard so many things.
    async fn hears(&self, count: usize) -> Vec<FromPeer> {
        let until = Instant::now() + Duration::from_secs(10);
        let mut heard = Vec::new();
        while heard.len() < count {
            assert!(Instant::now() < until, "{heard:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
            let mut news = Vec::new();
            self.mailbox.drain(&mut news, Duration::ZERO);
            heard.append(&mut news);
        }
        heard
    }
}

fn hello_of(member: Member) -> FromLearner {
    FromLearner::open(said_by(member))
}

fn said_by(member: Member) -> generated::Hello {
    hello::hello(member, None, VICTIM.id, 0)
}

fn learner_says(message: from_learner::Message) -> FromLearner {
    FromLearner { message: Some(message) }
}

fn read_count(counter: &std::sync::atomic::AtomicU64) -> u64 {
    counter.load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_learner_without_a_proper_hello_is_refused() {
    let victim = victim().await;
    let stranger = Member { id: ServerId(3), ..STRANGE };
    victim.peers.set_cluster(ClusterId(1));
    let said = said_by(STRANGE);
    let elsewhere = FromLearner::open(generated::Hello { receiver: 9, ..said.clone() });
    let newer = generated::Hello { oldest_version: 2, newest_version: 3, ..said.clone() };
    let cluster = ClusterId(2).0.to_be_bytes().to_vec().into();
    let other = generated::Hello { cluster, ..said };
    for first in [
        learner_says(from_learner::Message::Ack(Ack { zxid: 1 })),
        FromLearner { message: None },
        hello_of(stranger),
        elsewhere,
        FromLearner::open(newer),
        FromLearner::open(other),
    ] {
        for _ in 0..2 {
            let refused = victim.follow(vec![first.clone()]).await.unwrap_err();
            assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
        }
    }
    let silent = victim.follow(vec![]).await.unwrap_err();
    assert!(silent.message().contains("no hello"), "{silent}");
    let counters = victim.peers.counters();
    assert_eq!(read_count(&counters.malformed_messages), 4);
    assert_eq!(read_count(&counters.wrong_member), 4);
    assert_eq!(read_count(&counters.wrong_version), 2);
    assert_eq!(read_count(&counters.wrong_cluster), 2);
    assert_eq!(read_count(&counters.silent_peers), 1);
    assert_eq!(victim.peers.complaints.kinds(), 6, "each is logged once");
    assert_eq!(read_count(&counters.channels), 0);
}

#[tokio::test]
async fn a_learner_that_says_what_it_may_not_is_cut_off() {
    let victim = victim().await;
    let impostor = Info {
        member: Some(contract::write_member(VICTIM)),
        promised_epoch: 1,
        promised_to: Some(contract::write_member(VICTIM)),
        uninitialised: false,
    };
    let long = generated::Forward { command: vec![0; 2000].into() };
    let beyond = Ack { zxid: u64::MAX };
    let wrong = [
        from_learner::Message::Info(impostor),
        from_learner::Message::Forward(long),
        from_learner::Message::Ack(beyond),
        from_learner::Message::Hello(said_by(STRANGE)),
    ];
    for (turn, wrong) in wrong.into_iter().enumerate() {
        let good = learner_says(from_learner::Message::Ack(Ack { zxid: 1 }));
        let frames = vec![hello_of(STRANGE), good.clone(), learner_says(wrong), good];
        assert_eq!(victim.follow(frames).await.unwrap(), 1, "only the hello is answered");
        let heard = victim.hears(3).await;
        let at = ChannelId(turn as u64 + 1);
        assert!(
            matches!(
                &heard[..],
                [
                    FromPeer::Dialed { channel, learner: STRANGE },
                    FromPeer::Said { .. },
                    FromPeer::Closed { channel: closed },
                ] if *channel == at && *closed == at
            ),
            "{heard:?}"
        );
    }
    let counters = victim.peers.counters();
    assert_eq!(read_count(&counters.wrong_member), 1);
    assert_eq!(read_count(&counters.oversized_messages), 1);
    assert_eq!(read_count(&counters.malformed_messages), 2);
}

/// The window is that of the longest message here, 1064 bytes; nobody takes anything.
#[tokio::test]
async fn a_learner_that_forwards_more_than_it_was_granted_is_cut_off() {
    let victim = victim_with(PeerSettings { forward_bytes: 0, ..settings() }).await;
    let forward = |bytes| {
        let command = vec![0; bytes].into();
        learner_says(from_learner::Message::Forward(generated::Forward { command }))
    };
    let frames = vec![hello_of(STRANGE), forward(900), forward(36), forward(1)];
    assert_eq!(victim.follow(frames).await.unwrap(), 1, "only the hello is answered");
    let heard = victim.hears(4).await;
    assert!(
        matches!(
            &heard[..],
            [
                FromPeer::Dialed { .. },
                FromPeer::Said { .. },
                FromPeer::Said { .. },
                FromPeer::Closed { .. }
            ]
        ),
        "{heard:?}"
    );
    assert_eq!(read_count(&victim.peers.counters().malformed_messages), 1);
    assert_eq!(victim.peers.complaints.kinds(), 1);
}

#[tokio::test]
async fn an_elector_speaks_for_itself_only() {
    let victim = victim().await;
    let said = |from| Notification {
        from,
        standing: Standing::Looking,
        round: 1,
        vote: Some(Vote { zxid: Zxid(1), leader: ServerId(2) }),
    };
    let notification = |from| from_elector::Message::Notification(write_notification(&said(from)));
    let hello = from_elector::Message::Hello(said_by(STRANGE));
    let mut client = ElectionClient::connect(format!("http://{}", victim.election)).await.unwrap();
    let (outbox, outflow) = outbox::outbox(1 << 20);
    for message in [hello, notification(STRANGE), notification(VICTIM), notification(STRANGE)] {
        outbox.put(FromElector { message: Some(message) }).unwrap();
    }
    let mut answers = client.elect(outflow).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());
    assert!(answers.message().await.unwrap().is_none());
    let heard = victim.hears(1).await;
    assert!(
        matches!(&heard[..], [FromPeer::Notified(heard)] if *heard == said(STRANGE)),
        "{heard:?}"
    );
    assert_eq!(read_count(&victim.peers.counters().wrong_member), 1);
}

/// How an HTTP/2 connection begins, as far as this server can tell without an answer.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Sends some bytes and waits until the other end closes.
async fn intrude(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all is written.
    let _ = stream.write_all(bytes).await;
    stream
}

async fn closed(mut stream: TcpStream) {
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    let _ = closed.await.expect("the connection is closed");
}

/// Waits until a counter stands there.
async fn counted(counter: &std::sync::atomic::AtomicU64, count: u64) {
    let until = Instant::now() + Duration::from_secs(10);
    while read_count(counter) != count {
        assert!(Instant::now() < until, "{} instead of {count}", read_count(counter));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A port that is spoken to in another language goes on to serve.
#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let victim = victim().await;
    let garbage = [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 5000],
        b"ruok",
        &[0, 0, 0, 45, 0, 0],
        &[HTTP2, &[0xff; 100]].concat(),
        &[0x16, 3, 1, 0, 5],
        b"",
    ];
    for bytes in garbage {
        for address in [&victim.quorum, &victim.election] {
            let mut stream = intrude(address, bytes).await;
            let _ = stream.shutdown().await;
            closed(stream).await;
        }
    }
    let counters = victim.peers.counters();
    counted(&counters.connections_without_hello, 14).await;
    assert_eq!(read_count(&counters.foreign_connections), 8);
    assert_eq!(read_count(&counters.tls_on_plain_port), 2);
    let kinds = "HTTP, ZooKeeper, a word, a client, and TLS";
    assert_eq!(victim.peers.complaints.kinds(), 5, "each is logged once: {kinds}");
    let good = learner_says(from_learner::Message::Ack(Ack { zxid: 1 }));
    let frames = vec![hello_of(STRANGE), good, FromLearner { message: None }];
    assert_eq!(victim.follow(frames).await.unwrap(), 1);
}

/// Whoever says nothing is closed, and meanwhile stands in nobody's way who was let in.
#[tokio::test]
async fn strangers_are_few_and_do_not_stay() {
    let victim = victim_with(PeerSettings {
        strangers: 3,
        strangers_per_address: 3,
        hello_timeout: Duration::from_millis(600),
        ..settings()
    })
    .await;
    let counters = victim.peers.counters();
    // A peer with a hello is no stranger, however long it stays.
    let mut client = QuorumClient::connect(format!("http://{}", victim.quorum)).await.unwrap();
    let (outbox, outflow) = outbox::outbox(1 << 20);
    outbox.put(hello_of(STRANGE)).unwrap();
    let mut answers = client.follow(outflow).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());
    let strangers = [
        intrude(&victim.quorum, b"").await,
        intrude(&victim.quorum, b"PRI *").await,
        intrude(&victim.quorum, HTTP2).await,
    ];
    let began = Instant::now();
    while read_count(&counters.refused_connections) == 0 {
        closed(intrude(&victim.quorum, b"?").await).await;
    }
    assert!(began.elapsed() < Duration::from_millis(300), "refused at once");
    for stranger in strangers {
        closed(stranger).await;
    }
    assert!(began.elapsed() > Duration::from_millis(300), "closed as their time was over");
    counted(&counters.silent_peers, 3).await;
    closed(intrude(&victim.quorum, b"again?").await).await;
    outbox.put(learner_says(from_learner::Message::Ack(Ack { zxid: 1 }))).unwrap();
    let heard = victim.hears(2).await;
    assert!(matches!(heard[..], [FromPeer::Dialed { .. }, FromPeer::Said { .. }]), "{heard:?}");
}

/// A connection that has no stream any more is closed too.
#[tokio::test]
async fn who_has_nothing_to_say_any_more_is_closed() {
    let limit = Duration::from_millis(200);
    let victim = victim_with(PeerSettings { hello_timeout: limit, ..settings() }).await;
    let door = Arc::new(guest::Door::new(&victim.peers.settings));
    let visit = Visit::begin(&victim.peers, &door, [127, 0, 0, 1].into()).unwrap();
    let (here, _there) = tokio::io::duplex(100);
    let mut guest = guest::Guest::new(here, Arc::clone(&visit));
    let stay = visit.greet();
    let patient = tokio::time::timeout(3 * limit, guest.read_u8()).await;
    patient.expect_err("somebody has said hello");
    let began = Instant::now();
    drop(stay);
    let error = guest.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(began.elapsed() < 3 * limit);
}

/// Of several addresses one is enough, and what worked is tried first the next time.
#[tokio::test]
async fn addresses_are_tried_in_turn() {
    let victim = victim().await;
    let nowhere = |host: &str| PeerAddress { host: host.into(), quorum_port: 1, election_port: 1 };
    let port = |address: &str| address.rsplit_once(':').unwrap().1.parse().unwrap();
    let there = PeerAddress {
        host: "127.0.0.1".into(),
        quorum_port: port(&victim.quorum),
        election_port: port(&victim.election),
    };
    let mailbox = Arc::new(Mailbox::default());
    let peers = Peers::new(STRANGE, settings(), Arc::clone(&mailbox) as Arc<dyn Inbox<FromPeer>>);
    let places = vec![nowhere("no.such.host.invalid"), nowhere("127.0.0.1"), there.clone()];
    peers.set_members([(VICTIM.id, places)].into());
    for _ in 0..2 {
        peers.dial(VICTIM.id);
        let mut heard = Vec::new();
        while heard.is_empty() {
            mailbox.drain(&mut heard, Duration::ZERO);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(matches!(heard[..], [FromPeer::Connected { leader: VICTIM, .. }]), "{heard:?}");
        assert_eq!(peers.addresses(VICTIM.id)[0], there);
    }
}

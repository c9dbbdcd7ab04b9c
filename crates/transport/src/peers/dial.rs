//! A learner's way to its leader.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::time::{sleep, timeout};
use tonic::Streaming;
use tonic::transport::Channel;
use zooid_ids::ServerId;

use super::channels::{End, read};
use super::connect::{Pauses, Port, reach};
use super::contract::Frame;
use super::forwards::Waiting;
use super::generated::quorum_client::QuorumClient;
use super::generated::{FromLeader, FromLearner};
use super::hello::{Ending, Greeting};
use super::outbox::{Outbox, outbox};
use super::{FromPeer, Peers};

/// A stream whose other end has said hello.
struct Opened {
    greeting: Greeting,
    outbox: Outbox<FromLearner>,
    stream: Streaming<FromLeader>,
    /// The stream lives on it.
    connection: Channel,
}

/// Dials until it succeeds or the time for it is over. The channel is served by a task of its own:
/// this one is dropped when somebody else is dialled.
pub(crate) async fn dial(peers: Arc<Peers>, leader: ServerId) {
    let until = Instant::now() + peers.settings.dial_patience;
    let mut pauses = Pauses::up_to(peers.settings.retry_pause);
    loop {
        let open = |connection| open(&peers, leader, connection);
        match reach(&peers, leader, Port::Quorum, open).await {
            Ok(opened) => return serve(peers, opened),
            Err(ending) => peers.note(leader.into(), &ending),
        }
        let pause = pauses.draw();
        if Instant::now() + pause >= until {
            return peers.inbox.push(FromPeer::Unreachable { leader });
        }
        sleep(pause).await;
    }
}

async fn open(peers: &Peers, leader: ServerId, connection: Channel) -> Result<Opened, Ending> {
    let limit = peers.settings.message_bytes;
    let mut client = QuorumClient::new(connection.clone())
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit);
    let (outbox, outflow) = outbox(peers.settings.outbox_bytes);
    // It cannot be full yet.
    let _ = outbox.put(FromLearner::open(peers.hello(leader)));
    let opening = async {
        let mut stream = client.follow(outflow).await?.into_inner();
        let hello = stream.message().await?.ok_or(Ending::Ended)?.opening()?;
        Ok::<_, Ending>((stream, hello))
    };
    let opened = timeout(peers.settings.connect_timeout, opening).await;
    let (stream, hello) = opened.map_err(|_| Ending::Silent)??;
    let greeting = peers.expect(leader, &hello)?;
    Ok(Opened { greeting, outbox, stream, connection })
}

fn serve(peers: Arc<Peers>, opened: Opened) {
    let Opened { greeting, outbox, stream, connection } = opened;
    let waiting = Mutex::new(Waiting::new(greeting.credit));
    let link = peers.open(greeting, End::Learner(outbox, waiting));
    peers.inbox.push(FromPeer::Connected { channel: link.id, leader: link.peer });
    tokio::spawn(async move {
        let ending = read(&peers, &link, stream).await;
        peers.ended(&link, &ending);
        drop(connection);
    });
}

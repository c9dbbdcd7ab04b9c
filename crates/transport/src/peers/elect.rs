//! What this server tells another one about the election.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::Streaming;
use tonic::transport::Channel;
use zooid_ids::ServerId;
use zooid_zab::message::Notification;

use super::Peers;
use super::connect::{Pauses, Port, reach};
use super::contract::write_notification;
use super::generated::election_client::ElectionClient;
use super::generated::{FromElector, Hello, from_elector};
use super::hello::Ending;
use super::outbox::{Outbox, outbox};
use crate::counters::count;

/// The newest notification, and since when it waits.
pub(crate) type Latest = Option<(Notification, Instant)>;

/// A stream whose other end has said hello.
struct Opened {
    outbox: Outbox<FromElector>,
    stream: Streaming<Hello>,
    /// The stream lives on it.
    _connection: Channel,
}

/// Sends the newest notification whenever there is one, over a connection that is made when it is
/// needed and kept. Ends when the other end of `latest` is dropped.
pub(crate) async fn speak(peers: Arc<Peers>, to: ServerId, mut latest: watch::Receiver<Latest>) {
    let mut pauses = Pauses::up_to(peers.settings.retry_pause);
    // What was marked as changed here would be found even if nobody is left to change it.
    while latest.changed().await.is_ok() && latest.has_changed().is_ok() {
        if !is_fresh(&peers, &latest.borrow()) {
            continue;
        }
        // It may have been lost with the connection before this one, or not been sent at all.
        latest.mark_changed();
        let open = |connection| open(&peers, to, connection);
        let ending = match reach(&peers, to, Port::Election, open).await {
            Ok(opened) => {
                pauses.reset();
                converse(&peers, opened, &mut latest).await
            }
            Err(ending) => ending,
        };
        peers.note(to.into(), &ending);
        latest.mark_changed();
        sleep(pauses.draw()).await;
    }
}

fn is_fresh(peers: &Peers, latest: &Latest) -> bool {
    latest.is_some_and(|(_, since)| since.elapsed() < peers.settings.notification_age)
}

async fn open(peers: &Peers, to: ServerId, connection: Channel) -> Result<Opened, Ending> {
    let limit = peers.settings.message_bytes;
    let mut client = ElectionClient::new(connection.clone()).max_decoding_message_size(limit);
    let (outbox, outflow) = outbox(peers.settings.outbox_bytes);
    // It cannot be full yet.
    let _ =
        outbox.put(FromElector { message: Some(from_elector::Message::Hello(peers.hello(to))) });
    let opening = async {
        let mut stream = client.elect(outflow).await?.into_inner();
        let hello = stream.message().await?.ok_or(Ending::Ended)?;
        Ok::<_, Ending>((stream, hello))
    };
    let opened = timeout(peers.settings.connect_timeout, opening).await;
    let (stream, hello) = opened.map_err(|_| Ending::Silent)??;
    peers.expect(to, &hello)?;
    Ok(Opened { outbox, stream, _connection: connection })
}

/// Until the connection ends, or nobody has anything to say any more.
async fn converse(
    peers: &Peers,
    mut opened: Opened,
    latest: &mut watch::Receiver<Latest>,
) -> Ending {
    loop {
        tokio::select! {
            changed = latest.changed() => if changed.is_err() {
                return Ending::Here;
            },
            said = opened.stream.message() => return match said {
                Ok(None) => Ending::Ended,
                Ok(Some(_)) => Ending::Malformed("a second hello".to_owned()),
                Err(status) => status.into(),
            },
        }
        let Some((notification, _)) = *latest.borrow_and_update() else { continue };
        let message = from_elector::Message::Notification(write_notification(&notification));
        if let Err(stuck) = opened.outbox.put(FromElector { message: Some(message) }) {
            return Ending::Broken(stuck.to_string());
        }
        count(&peers.counters.notifications_sent);
    }
}

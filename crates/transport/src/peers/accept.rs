//! Takes connections to a port on, as far as there is room and they are what they should be.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;

use super::Peers;
use super::begun::{Begun, Speech};
use super::guest::{Door, Guest, Visit};
use super::hello::Ending;
use crate::counters::count;

/// How long nothing is accepted after an error, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// In plaintext, or with TLS.
pub(crate) type Opened = Either<Begun, TlsStream<Begun>>;

/// What tonic is given.
type Guests = mpsc::Sender<io::Result<Guest<Opened>>>;

/// Accepts connections by itself, since tonic would give up for good at an error such as too many
/// open files, and leave delays on.
pub(crate) fn accept(
    peers: &Arc<Peers>,
    listener: TcpListener,
) -> ReceiverStream<io::Result<Guest<Opened>>> {
    let (guests, receiver) = mpsc::channel(1);
    tokio::spawn(accept_all(Arc::clone(peers), listener, guests));
    ReceiverStream::new(receiver)
}

async fn accept_all(peers: Arc<Peers>, listener: TcpListener, guests: Guests) {
    let door = Arc::new(Door::new(&peers.settings));
    let mut stopping = std::pin::pin!(peers.stopping());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopping => return,
        };
        match accepted {
            Ok((stream, address)) => {
                match Visit::begin(&peers, &door, address.ip().to_canonical()) {
                    Ok(visit) => drop(tokio::spawn(admit(stream, visit, guests.clone()))),
                    Err(ending) => peers.note(address.ip().to_canonical().into(), &ending),
                }
            }
            Err(error) => {
                count(&peers.counters.accept_errors);
                tracing::warn!(%error, "cannot accept a peer's connection");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Hands a connection over once it has begun as it should.
async fn admit(stream: TcpStream, visit: Arc<Visit>, guests: Guests) {
    // It fails only if the peer is gone already: reading will tell.
    let _ = stream.set_nodelay(true);
    let opened = tokio::select! {
        opened = timeout_at(visit.deadline().into(), open(stream, &visit)) => opened,
        () = visit.stopping() => return,
    };
    match opened {
        // Nobody takes it if this server stops.
        Ok(Ok(stream)) => drop(guests.send(Ok(Guest::new(stream, visit))).await),
        Ok(Err(ending)) => visit.refuse(&ending),
        Err(_) => visit.give_up(),
    }
}

async fn open(stream: TcpStream, visit: &Visit) -> Result<Opened, Ending> {
    let (speech, stream) = Begun::recognise(stream).await?;
    match (speech, visit.tls()) {
        (Speech::Plain, None) => Ok(Either::Left(stream)),
        (Speech::Plain, Some(tls)) if tls.takes_plaintext() => Ok(Either::Left(stream)),
        (Speech::Plain, Some(_)) => Err(Ending::UnwantedPlaintext),
        (Speech::Tls, None) => Err(Ending::UnwantedTls),
        (Speech::Tls, Some(tls)) => {
            let stream = tls.accept(stream).await?;
            if let Some([certificate, ..]) = stream.get_ref().1.peer_certificates() {
                visit.shows(certificate.clone());
            }
            Ok(Either::Right(stream))
        }
    }
}

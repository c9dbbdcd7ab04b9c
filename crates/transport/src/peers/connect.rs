//! Connections that this server opens to others.

use std::io;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use zooid_ids::ServerId;

use super::hello::Ending;
use super::{PeerSettings, Peers};

/// HTTP/2 frames: big ones halve the work for big messages.
pub(crate) const HTTP_FRAME_BYTES: u32 = 1024 * 1024;

/// One of the two ports of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Quorum,
    Election,
}

/// Tries the addresses of a member in turn until something can be opened there. The one that worked
/// last comes first.
pub(crate) async fn reach<T, F: Future<Output = Result<T, Ending>>>(
    peers: &Peers,
    to: ServerId,
    port: Port,
    open: impl Fn(Channel) -> F,
) -> Result<T, Ending> {
    let mut ending = Ending::NotAMember(to);
    for address in peers.addresses(to) {
        let port = match port {
            Port::Quorum => address.quorum_port,
            Port::Election => address.election_port,
        };
        let opened = match connect(&address.host, port, &peers.settings).await {
            Ok(connection) => open(connection).await,
            Err(ending) => Err(ending),
        };
        match opened {
            Ok(opened) => return Ok(opened),
            Err(here) => ending = here,
        }
        peers.avoid(to, &address);
    }
    Err(ending)
}

/// Connects; the name is resolved anew. The connection lives as long as what is returned and the
/// streams that were opened on it.
async fn connect(host: &str, port: u16, settings: &PeerSettings) -> Result<Channel, Ending> {
    let in_uri = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let endpoint = Endpoint::from_shared(format!("http://{in_uri}:{port}"))?
        .max_frame_size(HTTP_FRAME_BYTES)
        .http2_keep_alive_interval(settings.keep_alive)
        .keep_alive_timeout(settings.keep_alive)
        .keep_alive_while_idle(true);
    let connected = timeout(settings.connect_timeout, async {
        let mut stream = Some(TokioIo::new(open(host, endpoint.uri().clone(), settings).await?));
        // Asked once more after the connection has ended, it has none: a channel is one connection.
        let once = service_fn(move |_| {
            let stream = stream.take();
            async { stream.ok_or(io::Error::from(io::ErrorKind::NotConnected)) }
        });
        Ok(endpoint.connect_with_connector(once).await?)
    });
    connected.await.map_err(|_| Ending::Broken("it cannot be made in time".to_owned()))?
}

type Opened = Either<TcpStream, TlsStream<TcpStream>>;

async fn open(host: &str, uri: Uri, settings: &PeerSettings) -> Result<Opened, Ending> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let connected = connector.call(uri).await.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Ending::Broken(format!("{error}{}", cause.unwrap_or_default()))
    });
    let stream = connected?.into_inner();
    match settings.tls.as_deref().filter(|tls| tls.dials()) {
        Some(tls) => tls.connect(host, stream).await.map(Either::Right),
        None => Ok(Either::Left(stream)),
    }
}

/// The pauses between attempts to connect: doubled each time up to a limit, and of random length,
/// so that peers that lost each other do not come back all at once.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
    longest: Duration,
}

const SHORTEST: Duration = Duration::from_millis(20);

impl Pauses {
    pub(crate) fn up_to(longest: Duration) -> Self {
        Self { next: SHORTEST.min(longest), longest }
    }

    /// The next one: between half of it and all.
    pub(crate) fn draw(&mut self) -> Duration {
        let pause = self.next;
        self.next = (2 * pause).min(self.longest);
        let random = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        pause.mul_f64(0.5 + random / 2.0)
    }

    /// An attempt was successful.
    pub(crate) fn reset(&mut self) {
        *self = Self::up_to(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest() {
        let longest = Duration::from_millis(300);
        let mut pauses = Pauses::up_to(longest);
        assert!(pauses.draw() <= SHORTEST);
        let drawn: Vec<_> = (0..10).map(|_| pauses.draw()).collect();
        assert!(drawn.iter().all(|pause| *pause >= SHORTEST && *pause <= longest), "{drawn:?}");
        assert!(drawn[9] >= longest / 2);
        pauses.reset();
        assert!(pauses.draw() <= SHORTEST);
    }
}

//! A connection that somebody has opened to this server: counted, and closed if nobody says hello.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};
use tonic::transport::server::Connected;

use super::complaints::Source;
use super::hello::Ending;
use super::{PeerSettings, PeerTls, Peers};
use crate::admission::{Admission, Refusal};
use crate::counters::count;

/// How many may stand at one port.
#[derive(Debug)]
pub(crate) struct Door {
    all: Admission,
    strangers: Admission,
}

impl Door {
    pub(crate) fn new(settings: &PeerSettings) -> Self {
        Self {
            all: Admission::new(Some(settings.connections), None),
            strangers: Admission::new(
                Some(settings.strangers),
                Some(settings.strangers_per_address),
            ),
        }
    }
}

/// One connection, as long as it or one of its streams lives.
pub(crate) struct Visit {
    peers: Arc<Peers>,
    door: Arc<Door>,
    address: IpAddr,
    certificate: OnceLock<CertificateDer<'static>>,
    state: Mutex<State>,
}

struct State {
    /// Somebody has said hello.
    greeted: bool,
    /// Streams on which somebody has said hello and that have not ended.
    stays: usize,
    /// Since when there are none.
    since: Instant,
    /// It was closed as there were none for too long.
    late: bool,
}

/// A stream on which somebody has said hello.
pub(crate) struct Stay(Arc<Visit>);

impl Visit {
    /// A new connection, unless there are enough.
    pub(crate) fn begin(
        peers: &Arc<Peers>,
        door: &Arc<Door>,
        address: IpAddr,
    ) -> Result<Arc<Self>, Ending> {
        let crowded = |refusal| match refusal {
            Refusal::TooMany(limit) | Refusal::TooManyFromThere(limit) => Ending::Crowded(limit),
        };
        door.all.enter(address).map_err(crowded)?;
        let entered = door.strangers.enter(address).map_err(crowded);
        entered.inspect_err(|_| door.all.leave(address))?;
        let state = State { greeted: false, stays: 0, since: Instant::now(), late: false };
        let (peers, door) = (Arc::clone(peers), Arc::clone(door));
        let certificate = OnceLock::new();
        Ok(Arc::new(Self { peers, door, address, certificate, state: Mutex::new(state) }))
    }

    /// Who it is, as far as that can be known before a hello.
    pub(crate) fn source(&self) -> Source {
        self.address.into()
    }

    /// How it may speak TLS, if at all.
    pub(crate) fn tls(&self) -> Option<&PeerTls> {
        self.peers.settings.tls.as_deref()
    }

    /// It has shown this certificate, of an authority that is trusted.
    pub(crate) fn shows(&self, certificate: CertificateDer<'static>) {
        let shown_before = self.certificate.set(certificate);
        assert!(shown_before.is_ok(), "a connection has one handshake");
    }

    /// The certificate that it has shown.
    pub(crate) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.certificate.get()
    }

    /// Somebody has said hello on a stream of this connection.
    pub(crate) fn greet(self: &Arc<Self>) -> Stay {
        let mut state = self.state();
        state.stays += 1;
        if !std::mem::replace(&mut state.greeted, true) {
            self.door.strangers.leave(self.address);
        }
        Stay(Arc::clone(self))
    }

    /// It is not what it should be.
    pub(crate) fn refuse(&self, ending: &Ending) {
        self.peers.note(self.source(), ending);
    }

    /// Ends when this server stops.
    pub(crate) async fn stopping(&self) {
        self.peers.stopping().await;
    }

    /// The time for a hello is over.
    pub(crate) fn give_up(&self) {
        self.state().late = true;
    }

    /// Until when somebody has to say hello.
    pub(crate) fn deadline(&self) -> Instant {
        let state = self.state();
        let since = if state.stays == 0 { state.since } else { Instant::now() };
        since + self.peers.settings.hello_timeout
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.stays -= 1;
        state.since = Instant::now();
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.door.all.leave(self.address);
        let state = self.state();
        if state.greeted {
            return;
        }
        self.door.strangers.leave(self.address);
        count(&self.peers.counters.connections_without_hello);
        if state.late {
            self.peers.note(self.source(), &Ending::Silent);
        }
    }
}

/// The bytes of a connection, which end if nobody says hello in time.
pub(crate) struct Guest<S> {
    stream: S,
    visit: Arc<Visit>,
    timer: Pin<Box<Sleep>>,
}

impl<S> Guest<S> {
    pub(crate) fn new(stream: S, visit: Arc<Visit>) -> Self {
        let timer = Box::pin(sleep_until(visit.deadline().into()));
        Self { stream, visit, timer }
    }

    /// An error once the time is over; otherwise this wakes the task when it is.
    fn check_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while self.timer.as_mut().poll(context).is_ready() {
            let deadline = self.visit.deadline();
            if deadline <= Instant::now() {
                self.visit.give_up();
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(deadline.into());
        }
        Ok(())
    }
}

impl<S> Connected for Guest<S> {
    type ConnectInfo = Arc<Visit>;

    fn connect_info(&self) -> Self::ConnectInfo {
        Arc::clone(&self.visit)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guest<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_time(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guest<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_time(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_time(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

//! Connections that others open to this server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tonic::codegen::tokio_stream::StreamExt;
use tonic::codegen::tokio_stream::adapters::Map;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming, async_trait};
use zooid_zab::Member;

use super::channels::{End, read};
use super::checkpoint::offering;
use super::connect::HTTP_FRAME_BYTES;
use super::contract::{ContractError, Frame, read_notification};
use super::generated::election_server::{Election, ElectionServer};
use super::generated::quorum_server::{Quorum, QuorumServer};
use super::generated::{
    Chunk, FetchRequest, FromElector, FromLeader, FromLearner, Hello, from_elector,
};
use super::hello::Ending;
use super::outbox::{Outbox, Outflow, outbox};
use super::{FromPeer, Peers, lock};
use crate::counters::count;

/// Streams of one connection; a peer needs one.
const STREAMS: u32 = 16;

/// How long nothing is accepted after an error, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// What is answered: frames as they are put into an outbox.
type Answers<T> = Map<Outflow<T>, fn(T) -> Result<T, Status>>;

fn answers<T>(limit: usize) -> (Outbox<T>, Answers<T>)
where
    T: prost::Message,
{
    let (outbox, outflow) = outbox(limit);
    (outbox, outflow.map(Ok))
}

/// Serves learners until `peers` stops.
pub(crate) async fn serve_quorum(peers: Arc<Peers>, listener: TcpListener) {
    let limit = peers.settings.message_bytes;
    let service = QuorumServer::from_arc(Arc::new(Port(Arc::clone(&peers))))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit);
    let router = server(&peers).add_service(service);
    let stopping = Arc::clone(&peers);
    let served = router.serve_with_incoming_shutdown(accept(&peers, listener), async move {
        stopping.stopping().await;
    });
    note(served.await);
}

/// Serves electors until `peers` stops.
pub(crate) async fn serve_election(peers: Arc<Peers>, listener: TcpListener) {
    let service = ElectionServer::from_arc(Arc::new(Port(Arc::clone(&peers))))
        .max_decoding_message_size(peers.settings.message_bytes);
    let router = server(&peers).add_service(service);
    let stopping = Arc::clone(&peers);
    let served = router.serve_with_incoming_shutdown(accept(&peers, listener), async move {
        stopping.stopping().await;
    });
    note(served.await);
}

fn server(peers: &Peers) -> Server {
    let keep_alive = peers.settings.keep_alive;
    Server::builder()
        .max_frame_size(HTTP_FRAME_BYTES)
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(keep_alive))
        .http2_keepalive_timeout(Some(keep_alive))
}

fn note(served: Result<(), tonic::transport::Error>) {
    if let Err(error) = served {
        tracing::error!(%error, "peers are not served any more");
    }
}

/// Accepts connections by itself, since tonic would give up for good at an error such as too many
/// open files, and leave delays on.
fn accept(peers: &Arc<Peers>, listener: TcpListener) -> ReceiverStream<io::Result<TcpStream>> {
    let (sender, receiver) = mpsc::channel(1);
    let peers = Arc::clone(peers);
    tokio::spawn(async move {
        let mut stopping = std::pin::pin!(peers.stopping());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stopping => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    // It fails only if the peer is gone already: reading will tell.
                    let _ = stream.set_nodelay(true);
                    if sender.send(Ok(stream)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a peer's connection");
                    sleep(PAUSE).await;
                }
            }
        }
    });
    ReceiverStream::new(receiver)
}

/// What the services are.
struct Port(Arc<Peers>);

#[async_trait]
impl Quorum for Port {
    type FollowStream = Answers<FromLeader>;

    async fn follow(
        &self,
        request: Request<Streaming<FromLearner>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let peers = Arc::clone(&self.0);
        let mut stream = request.into_inner();
        let opening = first(&peers, &mut stream).await.and_then(|first| Ok(first.opening()?));
        let learner = peers.admit(opening)?;
        let (outbox, answers) = answers(peers.settings.outbox_bytes);
        // It cannot be full yet.
        let _ = outbox.put(FromLeader::open(peers.hello(learner.id)));
        count(&peers.counters.channels);
        let link = peers.channels.open(learner, End::Leader(outbox));
        peers.inbox.push(FromPeer::Dialed { channel: link.id, learner });
        tokio::spawn(async move {
            let ending = read(&peers, &link, stream).await;
            peers.ended(&link, &ending);
        });
        Ok(Response::new(answers))
    }

    type FetchStream = ReceiverStream<Result<Chunk, Status>>;

    async fn fetch(
        &self,
        request: Request<FetchRequest>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let hello = request.into_inner().hello.ok_or(ContractError::Unknown("the hello").into());
        let learner = self.0.admit(hello)?;
        let checkpoints = lock(&self.0.checkpoints).clone();
        let checkpoints = checkpoints.ok_or(Status::unavailable("there are no checkpoints"))?;
        let chunks = offering(&self.0, checkpoints, learner.id);
        Ok(Response::new(ReceiverStream::new(chunks)))
    }
}

#[async_trait]
impl Election for Port {
    type ElectStream = Answers<Hello>;

    async fn elect(
        &self,
        request: Request<Streaming<FromElector>>,
    ) -> Result<Response<Self::ElectStream>, Status> {
        let peers = Arc::clone(&self.0);
        let mut stream = request.into_inner();
        let opening = first(&peers, &mut stream).await.and_then(|first| match first.message {
            Some(from_elector::Message::Hello(hello)) => Ok(hello),
            _ => Err(ContractError::Unknown("the hello").into()),
        });
        let elector = peers.admit(opening)?;
        let (outbox, answers) = answers(peers.settings.outbox_bytes);
        // It cannot be full yet.
        let _ = outbox.put(peers.hello(elector.id));
        tokio::spawn(async move {
            let ending = tokio::select! {
                ending = listen(&peers, elector, stream) => ending,
                () = peers.stopping() => Ending::Here,
            };
            peers.note(Some(elector.id), &ending);
            outbox.end();
        });
        Ok(Response::new(answers))
    }
}

async fn first<T>(peers: &Peers, stream: &mut Streaming<T>) -> Result<T, Ending> {
    let first = timeout(peers.settings.connect_timeout, stream.message()).await;
    first.map_err(|_| Ending::Silent)??.ok_or(Ending::Ended)
}

/// Hands over what an elector says, to its end.
async fn listen(peers: &Peers, elector: Member, mut stream: Streaming<FromElector>) -> Ending {
    loop {
        let said = match stream.message().await {
            Ok(Some(said)) => said.message,
            Ok(None) => return Ending::Ended,
            Err(status) => return status.into(),
        };
        let notification = match said {
            Some(from_elector::Message::Notification(said)) => read_notification(said),
            _ => Err(ContractError::Unknown("the notification")),
        };
        match notification {
            Ok(notification) if notification.from == elector => {
                count(&peers.counters.notifications_received);
                peers.inbox.push(FromPeer::Notified(notification));
            }
            Ok(_) => return Ending::Impostor(elector.id),
            Err(error) => return error.into(),
        }
    }
}

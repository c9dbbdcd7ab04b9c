//! Connections that others open to this server.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::codegen::tokio_stream::StreamExt;
use tonic::codegen::tokio_stream::adapters::Map;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming, async_trait};
use zooid_zab::Member;

use super::accept::accept;
use super::channels::{End, read};
use super::checkpoint::offering;
use super::connect::HTTP_FRAME_BYTES;
use super::contract::{ContractError, Frame, read_notification};
use super::forwards::Granting;
use super::generated::election_server::{Election, ElectionServer};
use super::generated::quorum_server::{Quorum, QuorumServer};
use super::generated::{
    Chunk, FetchRequest, FromElector, FromLeader, FromLearner, Hello, from_elector,
};
use super::guest::Visit;
use super::hello::{Ending, Greeting};
use super::outbox::{Outbox, Outflow, outbox};
use super::{FromPeer, Peers, lock};
use crate::counters::count;

/// Streams of one connection; a peer needs one.
const STREAMS: u32 = 16;

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
        let visit = visit(&request)?;
        let mut stream = request.into_inner();
        let opening = first(&peers, &mut stream).await.and_then(|first| Ok(first.opening()?));
        let (greeting, stay) = peers.admit(opening, &visit)?;
        let learner = greeting.sender;
        let (outbox, answers) = answers(peers.settings.outbox_bytes);
        // It cannot be full yet.
        let _ = outbox.put(FromLeader::open(peers.hello(learner.id)));
        let granting = greeting.asks_for_credit().then(|| Granting::new(peers.settings.window()));
        let link = peers.open(greeting, End::Leader(outbox, granting));
        peers.inbox.push(FromPeer::Dialed { channel: link.id, learner });
        tokio::spawn(async move {
            let ending = read(&peers, &link, stream).await;
            peers.ended(&link, &ending);
            drop(stay);
        });
        Ok(Response::new(answers))
    }

    type FetchStream = ReceiverStream<Result<Chunk, Status>>;

    async fn fetch(
        &self,
        request: Request<FetchRequest>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let visit = visit(&request)?;
        let hello = request.into_inner().hello.ok_or(ContractError::Unknown("the hello").into());
        let (Greeting { sender: learner, .. }, stay) = self.0.admit(hello, &visit)?;
        let checkpoints = lock(&self.0.checkpoints).clone();
        let checkpoints = checkpoints.ok_or(Status::unavailable("there are no checkpoints"))?;
        let chunks = offering(&self.0, checkpoints, learner.id, stay);
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
        let visit = visit(&request)?;
        let mut stream = request.into_inner();
        let opening = first(&peers, &mut stream).await.and_then(|first| match first.message {
            Some(from_elector::Message::Hello(hello)) => Ok(hello),
            _ => Err(ContractError::Unknown("the hello").into()),
        });
        let (Greeting { sender: elector, .. }, stay) = peers.admit(opening, &visit)?;
        let (outbox, answers) = answers(peers.settings.outbox_bytes);
        // It cannot be full yet.
        let _ = outbox.put(peers.hello(elector.id));
        tokio::spawn(async move {
            let ending = tokio::select! {
                ending = listen(&peers, elector, stream) => ending,
                () = peers.stopping() => Ending::Here,
            };
            peers.note(elector.id.into(), &ending);
            outbox.end();
            drop(stay);
        });
        Ok(Response::new(answers))
    }
}

/// The connection that a request came through.
fn visit<T>(request: &Request<T>) -> Result<Arc<Visit>, Status> {
    let visit = request.extensions().get::<Arc<Visit>>();
    visit.cloned().ok_or_else(|| Status::internal("the connection is unknown"))
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

//! The life of one connection, from its first byte to its end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use zooid_model::ConnectRequest;
use zooid_wire::{FrameError, WireError};

use crate::counters::count;
use crate::opening::{self, Opening};
use crate::outlet::Link;
use crate::{Counters, FromClient, Outlet, Word, Words, reader, writer};

/// How long an answer to a four-letter word may take, and its writing.
const WORD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection that this server has closed may go on sending.
const LINGER: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, Error)]
pub(crate) enum Ending {
    #[error("the client closed it")]
    ClientClosed,
    #[error("it broke: {0}")]
    Broken(io::Error),
    #[error("this server closed it")]
    Server,
    #[error("no complete connect request arrived in time")]
    Sessionless,
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("a frame could not be read: {0}")]
    Malformed(#[from] WireError),
    #[error("the client speaks TLS, and this port does not")]
    Tls,
    #[error("the client speaks HTTP; this is a ZooKeeper client port")]
    Http,
}

impl Ending {
    /// Counts it; says whether it is worth a line in the log.
    fn note(&self, counters: &Counters) -> bool {
        let counter = match self {
            Self::Server => return false,
            Self::ClientClosed | Self::Broken(_) => {
                count(&counters.dropped);
                return false;
            }
            Self::Sessionless => &counters.sessionless_expired,
            Self::Frame(_) => &counters.oversized_frames,
            Self::Malformed(_) => &counters.malformed_frames,
            Self::Tls => &counters.tls_on_plain_port,
            Self::Http => &counters.http_on_client_port,
        };
        count(counter);
        true
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(link: Arc<Link>, stream: TcpStream, words: Arc<dyn Words>) {
    let (mut input, output) = stream.into_split();
    let mut buffer = BytesMut::new();
    let opening = opening::open(&mut input, &mut buffer, &*words);
    let ending = tokio::select! {
        opening = timeout(link.clients.settings.sessionless_timeout, opening) => match opening {
            Ok(Ok(Opening::Connect(connect, bytes))) => {
                link.received(1, bytes);
                converse(&link, connect, buffer, &mut input, output).await
            }
            Ok(Ok(Opening::Word(word))) => {
                link.received(1, word.name.len());
                answer(&link, word, &*words, output).await
            }
            Ok(Err(ending)) => ending,
            Err(_) => Ending::Sessionless,
        },
        // Before there is a request, only the server's stop wakes the reader.
        () = link.for_reader.notified() => Ending::Server,
    };
    link.end();
    if ending.note(&link.clients.counters) {
        tracing::info!(connection = %link.id, peer = %link.peer, "closed a connection: {ending}");
    } else {
        tracing::debug!(connection = %link.id, peer = %link.peer, "closed a connection: {ending}");
    }
    if matches!(ending, Ending::Server) {
        linger(&mut input).await;
    }
}

/// From the connect request on.
async fn converse(
    link: &Arc<Link>,
    connect: ConnectRequest,
    buffer: BytesMut,
    input: &mut OwnedReadHalf,
    output: OwnedWriteHalf,
) -> Ending {
    count(&link.clients.counters.connect_requests);
    link.connecting(Instant::now());
    let writer = tokio::spawn(writer::write(Arc::clone(link), output));
    let inbox = &link.clients.inbox;
    let outlet = Outlet::new(Arc::clone(link));
    inbox.push(FromClient::Opened { connection: link.id, peer: link.peer, connect, outlet });
    let ending = reader::read(link, input, buffer).await;
    if !matches!(ending, Ending::Server) {
        link.end();
    }
    if let Err(error) = writer.await {
        tracing::error!(connection = %link.id, %error, "the task that writes has failed");
    }
    inbox.push(FromClient::Gone { connection: link.id });
    ending
}

async fn answer(link: &Link, word: Word, words: &dyn Words, mut output: OwnedWriteHalf) -> Ending {
    tracing::debug!(peer = %link.peer, %word, "answering a four-letter word");
    let answered = timeout(WORD_TIMEOUT, async {
        let text = words.answer(word).await;
        output.write_all(text.as_bytes()).await?;
        output.shutdown().await
    });
    match answered.await {
        Ok(Ok(())) => Ending::Server,
        Ok(Err(error)) => Ending::Broken(error),
        Err(_) => Ending::Broken(io::ErrorKind::TimedOut.into()),
    }
}

/// Reads away what a client still sends after this server has closed its side, for a while: bytes
/// that nobody has read would make the kernel throw away what the client has not read yet.
async fn linger(input: &mut OwnedReadHalf) {
    let mut scrap = [0; 1024];
    let until_closed = async { while matches!(input.read(&mut scrap).await, Ok(1..)) {} };
    // Whether the client closed or the time is over makes no difference.
    let _ = timeout(LINGER, until_closed).await;
}

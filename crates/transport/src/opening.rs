//! What a connection begins with: a connect request, a four-letter word, or neither.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use zooid_model::{ConnectRequest, limits};
use zooid_wire::{Opening as FirstBytes, decode_connect, reserve_hint, take_frame};

use crate::connection::Ending;

/// A four-letter word: one of ZooKeeper's commands that are sent instead of a connect request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its letters.
    pub name: [u8; 4],
    /// The number that follows `stmk`.
    pub argument: Option<i64>,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name.escape_ascii())
    }
}

/// Answers four-letter words.
pub trait Words: Send + Sync + 'static {
    /// Whether these four bytes are a word rather than the length of a frame.
    fn is_word(&self, name: [u8; 4]) -> bool;

    /// What is sent back, whole, before the connection is closed.
    fn answer(&self, word: Word) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;
}

/// How a connection began.
#[derive(Debug)]
pub(crate) enum Opening {
    /// With a word.
    Word(Word),
    /// With a connect request, of so many bytes; the buffer holds what came behind it.
    Connect(ConnectRequest, usize),
}

const STMK: [u8; 4] = *b"stmk";

/// Reads from `stream` until it is clear what the other end wants.
pub(crate) async fn open(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    words: &dyn Words,
) -> Result<Opening, Ending> {
    let first = first_four(stream, buffer).await?;
    match FirstBytes::of(first) {
        FirstBytes::FourLetterWord(name) if words.is_word(name) => {
            buffer.advance(name.len());
            let argument = if name == STMK { Some(mask(stream, buffer).await?) } else { None };
            return Ok(Opening::Word(Word { name, argument }));
        }
        FirstBytes::Tls => return Err(Ending::Tls),
        _ if is_http(first) => return Err(Ending::Http),
        FirstBytes::FourLetterWord(_) | FirstBytes::Frame { .. } => {}
    }
    connect_request(stream, buffer).await
}

async fn connect_request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<Opening, Ending> {
    loop {
        let before = buffer.len();
        if let Some(frame) = take_frame(buffer, limits::CONNECT_FRAME_BYTES)? {
            return Ok(Opening::Connect(decode_connect(frame)?, before - buffer.len()));
        }
        fill(stream, buffer).await?;
    }
}

/// Whether a connection begins as those of browsers and probes do; as a length it cannot be.
fn is_http(first: [u8; 4]) -> bool {
    [b"GET ", b"HEAD", b"POST", b"PUT ", b"OPTI", b"PRI "].contains(&&first)
}

async fn first_four(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<[u8; 4], Ending> {
    loop {
        if let Some(first) = buffer.first_chunk() {
            return Ok(*first);
        }
        fill(stream, buffer).await?;
    }
}

async fn mask(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Result<i64, Ending> {
    while buffer.len() < 8 {
        fill(stream, buffer).await?;
    }
    Ok(buffer.get_i64())
}

/// Reads some bytes; the buffer grows with what has arrived, never with what was announced.
pub(crate) async fn fill(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<usize, Ending> {
    buffer.reserve(reserve_hint(buffer));
    match stream.read_buf(buffer).await {
        Ok(0) => Err(Ending::ClientClosed),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(Ending::Broken(error)),
    }
}

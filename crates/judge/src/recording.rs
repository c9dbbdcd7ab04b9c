//! What clients and servers said to each other, from the frames that were recorded.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use bytes::Bytes;
use serde::Deserialize;
use zooid_ids::{ServerId, Xid, Zxid};
use zooid_oracle::{Asked, Conversation, Greeting, Moment, Told};
use zooid_wire::client::{decode_connect_reply, decode_event, decode_reply, xid_of};
use zooid_wire::{WireError, decode_connect, decode_request, opcode};

/// Why a recording cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file.
    #[error("line {line}: {source}")]
    Io {
        /// Which, from 1.
        line: usize,
        /// What the system says.
        source: io::Error,
    },
    /// A line that is no frame.
    #[error("line {line}: {source}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A frame that nobody can have meant.
    #[error("line {line}: {source}")]
    Frame {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        source: WireError,
    },
    /// Bytes that are not written in hexadecimal digits.
    #[error("line {line}: the frame is not in hexadecimal digits")]
    Digits {
        /// Which, from 1.
        line: usize,
    },
    /// A server that was not named.
    #[error("line {line}: no member has the port {port}")]
    Port {
        /// Which, from 1.
        line: usize,
        /// The port.
        port: u16,
    },
    /// A connection that does not begin with what its client sent.
    #[error("line {line}: the server speaks first")]
    Unbidden {
        /// Which, from 1.
        line: usize,
    },
    /// An answer to nothing.
    #[error("line {line}: an answer to {xid:?}, which was not asked")]
    Unasked {
        /// Which, from 1.
        line: usize,
        /// What it says that it answers.
        xid: Xid,
    },
}

/// One line: a frame of one connection of one client.
#[derive(Deserialize)]
struct Line {
    /// The session, and which of its connections.
    client: u64,
    connection: u64,
    /// Of the server.
    port: u16,
    /// By the client, not by the server.
    sent: bool,
    /// Microseconds of the recorder's clock.
    at: u64,
    /// In hexadecimal digits, without its length.
    frame: String,
}

/// Reads a recording; `ports` names the servers.
///
/// # Errors
/// See [`RecordingError`].
pub fn conversations(
    recording: impl BufRead,
    ports: &BTreeMap<u16, ServerId>,
) -> Result<Vec<Conversation>, RecordingError> {
    let mut all: BTreeMap<(u64, u64), Conversation> = BTreeMap::new();
    for (at, text) in recording.lines().enumerate() {
        let line = at + 1;
        let text = text.map_err(|source| RecordingError::Io { line, source })?;
        let said: Line =
            serde_json::from_str(&text).map_err(|source| RecordingError::Line { line, source })?;
        let frame = from_hex(&said.frame).ok_or(RecordingError::Digits { line })?;
        let server = ports.get(&said.port);
        let server = *server.ok_or(RecordingError::Port { line, port: said.port })?;
        let begins = Conversation { server, ..Conversation::default() };
        let key = (said.client, said.connection);
        let is_new = !all.contains_key(&key);
        let conversation = all.entry(key).or_insert(begins);
        let (at, wrong) = (Moment(said.at), |source| RecordingError::Frame { line, source });
        match (said.sent, is_new) {
            (true, true) => conversation.greeting = greeting(frame, at).map_err(wrong)?,
            (true, false) => conversation.asked.push(asked(frame, at).map_err(wrong)?),
            (false, true) => return Err(RecordingError::Unbidden { line }),
            (false, false) => hear(conversation, frame, at, line)?,
        }
    }
    Ok(all.into_values().collect())
}

fn greeting(frame: Bytes, at: Moment) -> Result<Greeting, WireError> {
    let request = decode_connect(frame)?;
    Ok(Greeting {
        wished: request.session,
        last_zxid_seen: request.last_zxid_seen,
        at,
        given: None,
    })
}

fn asked(frame: Bytes, at: Moment) -> Result<Asked, WireError> {
    let (xid, request) = decode_request(frame)?;
    Ok(Asked { xid, request, at, proves: Vec::new() })
}

/// Something came from the server: first the answer to the greeting.
fn hear(
    conversation: &mut Conversation,
    frame: Bytes,
    at: Moment,
    line: usize,
) -> Result<(), RecordingError> {
    let wrong = |source| RecordingError::Frame { line, source };
    if conversation.greeting.given.is_none() {
        let reply = decode_connect_reply(frame).map_err(wrong)?;
        conversation.greeting.given = Some((reply.session, reply.timeout, at));
        return Ok(());
    }
    let xid = xid_of(&frame).map_err(wrong)?;
    if xid == Xid::NOTIFICATION {
        let event = decode_event(frame).map_err(wrong)?;
        conversation.told.push(Told::Event { event, at });
        return Ok(());
    }
    let asked = conversation.asked.iter().rev().find(|asked| asked.xid == xid);
    let asked = asked.ok_or(RecordingError::Unasked { line, xid })?;
    let answer = decode_reply(opcode::of(&asked.request), frame).map_err(wrong)?;
    let zxid = answer.zxid.filter(|zxid| *zxid > Zxid::ZERO);
    conversation.told.push(Told::Reply { xid, zxid, result: answer.result, at });
    Ok(())
}

fn from_hex(digits: &str) -> Option<Bytes> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| Some(from_digit(pair[0])? << 4 | from_digit(*pair.get(1)?)?);
    pairs.map(byte).collect::<Option<Vec<u8>>>().map(Bytes::from)
}

fn from_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16)?.try_into().ok()
}

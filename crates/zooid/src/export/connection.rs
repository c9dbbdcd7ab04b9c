//! A client that asks many things at once and waits for the answers.
//!
//! Answers come in the order of the requests. Events come between them, each before any answer that
//! shows what it tells of.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use zooid_ids::{Millis, SessionId, Xid, Zxid};
use zooid_model::{ConnectRequest, ErrorCode, Reply, Request, Secret, WatchEvent};
use zooid_server::config::HostPort;
use zooid_wire::client::{
    decode_connect_reply, decode_event, decode_reply, encode_connect, encode_request, xid_of,
};
use zooid_wire::{FrameError, opcode, take_frame};

/// A server that says nothing for so long is taken for gone.
const SILENCE: Duration = Duration::from_secs(30);
const SESSION_TIMEOUT: Millis = Millis(30_000);
/// No answer is longer; room is made as it comes.
const FRAME_MAX: usize = 1 << 30;
const READ_BYTES: usize = 1 << 16;

/// Why a server was not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// It is not there, or went away.
    #[error("cannot talk to {server}: {source}")]
    Lost { server: HostPort, source: io::Error },
    /// It speaks something else.
    #[error("{server} does not speak as a ZooKeeper: {why}")]
    Strange { server: HostPort, why: String },
    /// It takes no clients, or this identity.
    #[error("{server} refuses {what}: {why}")]
    Refused { server: HostPort, what: &'static str, why: String },
}

/// A connection with a session of its own.
pub(crate) struct Connection {
    server: HostPort,
    stream: TcpStream,
    received: BytesMut,
    next_xid: i32,
    /// Events that came and were not taken.
    events: Vec<WatchEvent>,
}

/// What was answered, and which state it shows.
pub(crate) type Answered = (Zxid, Result<Reply, ErrorCode>);

impl Connection {
    pub(crate) fn open(server: &HostPort) -> Result<Self, ConnectionError> {
        let lost = |source| ConnectionError::Lost { server: server.clone(), source };
        let stream = TcpStream::connect(server.to_string()).map_err(lost)?;
        let set = stream.set_read_timeout(Some(SILENCE));
        set.and_then(|()| stream.set_nodelay(true)).map_err(lost)?;
        let (received, events) = (BytesMut::new(), Vec::new());
        let mut connection = Self { server: server.clone(), stream, received, next_xid: 1, events };
        connection.begin_session()?;
        Ok(connection)
    }

    fn begin_session(&mut self) -> Result<(), ConnectionError> {
        let mut out = BytesMut::new();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout: SESSION_TIMEOUT,
            session: SessionId::NONE,
            password: None,
            read_only: Some(false),
        };
        encode_connect(&mut out, &request);
        self.send_bytes(&out)?;
        let frame = self.frame()?;
        let reply = decode_connect_reply(frame).map_err(|error| self.strange(error))?;
        if reply.session == SessionId::NONE {
            return Err(self.refused("a session", "it gives none"));
        }
        Ok(())
    }

    /// Proves an identity.
    pub(crate) fn authenticate(
        &mut self,
        scheme: &str,
        proof: &str,
    ) -> Result<(), ConnectionError> {
        let proof = Secret(Bytes::copy_from_slice(proof.as_bytes()));
        let request = Request::Auth { scheme: scheme.into(), proof };
        match self.ask(&[request])?.pop() {
            Some((_, Ok(_))) => Ok(()),
            _ => Err(self.refused("the identity", "check the scheme of --auth")),
        }
    }

    /// Sends all requests, then waits for all answers.
    pub(crate) fn ask(&mut self, requests: &[Request]) -> Result<Vec<Answered>, ConnectionError> {
        let (mut out, first) = (BytesMut::new(), self.next_xid);
        for request in requests {
            encode_request(&mut out, Xid(self.next_xid), request);
            self.next_xid += 1;
        }
        self.send_bytes(&out)?;
        let mut answers = Vec::with_capacity(requests.len());
        for (xid, request) in (first..).zip(requests) {
            let frame = self.answer(Xid(xid))?;
            let answer = decode_reply(opcode::of(request), frame);
            let answer = answer.map_err(|error| self.strange(error))?;
            answers.push((answer.zxid.unwrap_or_default(), answer.result));
        }
        Ok(answers)
    }

    /// What happened that is watched, since this was asked last.
    pub(crate) fn take_events(&mut self) -> Vec<WatchEvent> {
        std::mem::take(&mut self.events)
    }

    /// Ends the session, so that the server need not wait for it.
    pub(crate) fn close(mut self) -> Result<(), ConnectionError> {
        self.ask(&[Request::CloseSession]).map(|_| ())
    }

    /// The frame that answers `expected`; events before it are kept.
    fn answer(&mut self, expected: Xid) -> Result<Bytes, ConnectionError> {
        loop {
            let frame = self.frame()?;
            match xid_of(&frame) {
                Ok(Xid::NOTIFICATION) => {
                    let event = decode_event(frame).map_err(|error| self.strange(error))?;
                    self.events.push(event);
                }
                Ok(xid) if xid == expected => return Ok(frame),
                Ok(xid) => return Err(self.strange(format!("answer {} to {}", xid.0, expected.0))),
                Err(error) => return Err(self.strange(error)),
            }
        }
    }

    fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), ConnectionError> {
        self.stream.write_all(bytes).map_err(|source| self.lost(source))
    }

    fn frame(&mut self) -> Result<Bytes, ConnectionError> {
        loop {
            let taken = take_frame(&mut self.received, FRAME_MAX);
            if let Some(frame) = taken.map_err(|error: FrameError| self.strange(error))? {
                return Ok(frame);
            }
            let mut bytes = [0; READ_BYTES];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(self.lost(io::ErrorKind::ConnectionReset.into())),
                Ok(read) => self.received.extend_from_slice(&bytes[..read]),
                Err(source) => return Err(self.lost(source)),
            }
        }
    }

    fn lost(&self, source: io::Error) -> ConnectionError {
        ConnectionError::Lost { server: self.server.clone(), source }
    }

    fn strange(&self, why: impl ToString) -> ConnectionError {
        ConnectionError::Strange { server: self.server.clone(), why: why.to_string() }
    }

    fn refused(&self, what: &'static str, why: &str) -> ConnectionError {
        ConnectionError::Refused { server: self.server.clone(), what, why: why.into() }
    }
}

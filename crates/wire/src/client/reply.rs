//! Replies and events, off the wire.

use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Millis, SessionId, Xid, Zxid};
use zooid_model::{
    ConnectReply, ErrorCode, EventKind, Names, OpResult, ReadResult, Reply, WatchEvent,
};

use crate::connect::{read_password, read_read_only};
use crate::event::SYNC_CONNECTED;
use crate::jute::{Reader, STRING_BYTES_MIN};
use crate::records::{IDENTITY_BYTES_MIN, MultiHeader, read_acl, read_identity, read_stat};
use crate::{WireError, opcode};

/// One reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Of the request that it answers.
    pub xid: Xid,
    /// The newest transaction that the server had applied; `None` where the header has -1.
    pub zxid: Option<Zxid>,
    /// What came of it.
    pub result: Result<Reply, ErrorCode>,
}

/// The xid of a reply, for finding the request that says how to read the rest;
/// [`Xid::NOTIFICATION`] is an event.
///
/// # Errors
///
/// [`WireError::Short`].
pub fn xid_of(frame: &Bytes) -> Result<Xid, WireError> {
    Reader::new(frame.clone()).i32().map(Xid)
}

/// Reads the answer to a connect request.
///
/// # Errors
///
/// A field that is not there; [`WireError::Missing`] for a password that is none.
pub fn decode_connect_reply(frame: Bytes) -> Result<ConnectReply, WireError> {
    let mut reader = Reader::new(frame);
    Ok(ConnectReply {
        protocol_version: reader.i32()?,
        timeout: Millis(reader.i32()?.into()),
        session: SessionId(reader.i64()?),
        password: read_password(&mut reader)?.ok_or(WireError::Missing)?,
        read_only: read_read_only(&mut reader)?,
    })
}

/// Reads an event.
///
/// # Errors
///
/// A frame that is not one.
pub fn decode_event(frame: Bytes) -> Result<WatchEvent, WireError> {
    let mut reader = Reader::new(frame);
    let (xid, zxid, code) = (reader.i32()?, reader.i64()?, reader.i32()?);
    expect(xid, Xid::NOTIFICATION.0)?;
    expect(code, 0)?;
    let kind = event_kind(reader.i32()?)?;
    expect(reader.i32()?, SYNC_CONNECTED)?;
    Ok(WatchEvent { kind, path: reader.string()?.into(), zxid: Zxid::from_wire(zxid) })
}

/// Reads a reply to an operation with this number.
///
/// # Errors
///
/// A body that is not of this operation, or an error code that has no name.
pub fn decode_reply(opcode: i32, frame: Bytes) -> Result<Answer, WireError> {
    let mut reader = Reader::new(frame);
    let xid = Xid(reader.i32()?);
    let zxid = Zxid::from_wire(reader.i64()?);
    let result = match read_code(&mut reader)? {
        Ok(()) => Ok(read_body(opcode, &mut reader)?),
        Err(error) => Err(error),
    };
    Ok(Answer { xid, zxid, result })
}

fn read_body(opcode: i32, reader: &mut Reader) -> Result<Reply, WireError> {
    Ok(match opcode {
        opcode::CREATE => Reply::Path { path: reader.string()? },
        opcode::CREATE2 | opcode::CREATE_CONTAINER | opcode::CREATE_TTL => {
            Reply::PathStat { path: reader.string()?, stat: read_stat(reader)? }
        }
        opcode::EXISTS | opcode::SET_DATA | opcode::SET_ACL => Reply::Stat(read_stat(reader)?),
        opcode::GET_DATA => Reply::Data { data: reader.buffer()?, stat: read_stat(reader)? },
        opcode::GET_ACL => Reply::Acl { acl: read_acl(reader)?.into(), stat: read_stat(reader)? },
        opcode::GET_CHILDREN => Reply::Children(read_names(reader)?),
        opcode::GET_CHILDREN2 => {
            Reply::ChildrenStat { children: read_names(reader)?, stat: read_stat(reader)? }
        }
        opcode::SYNC => Reply::Sync { path: reader.string()? },
        opcode::MULTI => Reply::Multi(read_results(reader, read_op_result)?),
        opcode::MULTI_READ => Reply::MultiRead(read_results(reader, read_read_result)?),
        opcode::GET_EPHEMERALS => Reply::Ephemerals(read_names(reader)?),
        opcode::GET_ALL_CHILDREN_NUMBER => Reply::AllChildrenNumber(reader.i32()?),
        opcode::ADD_WATCH => {
            expect(reader.i32()?, 0)?;
            Reply::WatchAdded
        }
        opcode::WHO_AM_I => {
            let identities = reader.list(IDENTITY_BYTES_MIN, usize::MAX, read_identity)?;
            Reply::Identities(identities.ok_or(WireError::Missing)?)
        }
        _ => Reply::Empty,
    })
}

fn read_results<T>(
    reader: &mut Reader,
    mut read: impl FnMut(MultiHeader, &mut Reader) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let mut results = Vec::new();
    loop {
        let header = MultiHeader::read(reader)?;
        if header.done {
            return Ok(results);
        }
        results.push(read(header, reader)?);
    }
}

fn read_op_result(header: MultiHeader, reader: &mut Reader) -> Result<OpResult, WireError> {
    Ok(match header.opcode {
        opcode::CREATE => OpResult::Path { path: reader.string()? },
        opcode::CREATE2 => OpResult::PathStat { path: reader.string()?, stat: read_stat(reader)? },
        opcode::SET_DATA => OpResult::Stat(read_stat(reader)?),
        opcode::DELETE => OpResult::Deleted,
        opcode::CHECK => OpResult::Checked,
        opcode::ERROR => OpResult::Error(read_failure(header, reader)?),
        other => return Err(WireError::Number(other)),
    })
}

fn read_read_result(header: MultiHeader, reader: &mut Reader) -> Result<ReadResult, WireError> {
    Ok(match header.opcode {
        opcode::GET_DATA => ReadResult::Data { data: reader.buffer()?, stat: read_stat(reader)? },
        opcode::GET_CHILDREN => ReadResult::Children(read_names(reader)?),
        opcode::ERROR => match read_failure(header, reader)? {
            Err(error) => ReadResult::Error(error),
            Ok(()) => return Err(WireError::Number(0)),
        },
        other => return Err(WireError::Number(other)),
    })
}

/// The code stands in the operation's header and again as its body.
fn read_failure(
    header: MultiHeader,
    reader: &mut Reader,
) -> Result<Result<(), ErrorCode>, WireError> {
    let code = read_code(reader)?;
    expect(header.code, code.err().map_or(0, ErrorCode::code))?;
    Ok(code)
}

fn read_code(reader: &mut Reader) -> Result<Result<(), ErrorCode>, WireError> {
    match reader.i32()? {
        0 => Ok(Ok(())),
        code => ErrorCode::from_code(code).map(Err).ok_or(WireError::Number(code)),
    }
}

fn read_names(reader: &mut Reader) -> Result<Names, WireError> {
    let mut names = Names::default();
    let mut read_name = |reader: &mut Reader| {
        reader.text(|name| name.map(|name| names.push(name)))?.ok_or(WireError::Missing)
    };
    reader.list(STRING_BYTES_MIN, 0, &mut read_name)?.ok_or(WireError::Missing)?;
    Ok(names)
}

fn event_kind(number: i32) -> Result<EventKind, WireError> {
    Ok(match number {
        1 => EventKind::NodeCreated,
        2 => EventKind::NodeDeleted,
        3 => EventKind::NodeDataChanged,
        4 => EventKind::NodeChildrenChanged,
        5 => EventKind::DataWatchRemoved,
        6 => EventKind::ChildWatchRemoved,
        7 => EventKind::PersistentWatchRemoved,
        other => return Err(WireError::Number(other)),
    })
}

fn expect(number: i32, expected: i32) -> Result<(), WireError> {
    if number == expected { Ok(()) } else { Err(WireError::Number(number)) }
}

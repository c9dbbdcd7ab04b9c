//! What clients ask, off the wire.
//!
//! Rules that ZooKeeper 3.9 has and that show in the answers:
//! - bytes behind the last field are not looked at;
//! - a flag is true unless it is 0; data may be missing (-1), an ACL too, which is then empty;
//! - `check` alone is no operation (`Unimplemented`), and neither are the numbers that only
//!   servers use;
//! - `setWatches` goes by its number, whatever its xid.
//!
//! Stricter than ZooKeeper: text that is not UTF-8 (which Java would silently mend to another path),
//! counts below -1 and a `sync` without a path make a body [`Request::Malformed`], and
//! `deleteContainer`, by which any client may delete any node there, is no operation.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Millis, Xid, Zxid};
use zooid_model::limits::WATCHES_PER_CONNECTION;
use zooid_model::{
    AddWatchMode, Create, CreateKind, CreateMode, Read, Request, Secret, SetWatches, WatchKind,
    WriteOp,
};

use crate::jute::{Reader, STRING_BYTES_MIN};
use crate::records::read_acl;
use crate::{WireError, multi, opcode};

/// The time to live of a create whose form has none.
pub(crate) const NO_TTL: Millis = Millis(-1);

/// Reads a client's request.
///
/// Lists of operations, of ACL entries and of watches longer than their [limits] come out cut off
/// one entry behind the limit: enough to see that it was passed and to refuse the request, which
/// has to happen before anything else is done with it.
///
/// # Errors
///
/// The header of eight bytes is not there: the connection is closed. Everything else that is wrong
/// is [`Request::Malformed`] or [`Request::Unknown`], and is answered.
///
/// [limits]: zooid_model::limits
pub fn decode_request(frame: Bytes) -> Result<(Xid, Request), WireError> {
    let mut reader = Reader::new(frame);
    let xid = Xid(reader.i32()?);
    let opcode = reader.i32()?;
    let request = read_request(opcode, &mut reader).unwrap_or(Request::Malformed { opcode });
    Ok((xid, request))
}

fn read_request(opcode: i32, reader: &mut Reader) -> Result<Request, WireError> {
    Ok(match opcode {
        opcode::MULTI => Request::Write(WriteOp::Multi(multi::read_writes(reader)?)),
        opcode::MULTI_READ => Request::Read(Read::MultiRead(multi::read_reads(reader)?)),
        opcode::SYNC => Request::Sync { path: reader.string()? },
        opcode::PING => Request::Ping,
        opcode::AUTH => read_auth(reader)?,
        opcode::SET_WATCHES => Request::SetWatches(read_set_watches(reader, false)?),
        opcode::SET_WATCHES2 => Request::SetWatches(read_set_watches(reader, true)?),
        opcode::ADD_WATCH => {
            Request::AddWatch { path: reader.string()?, mode: add_watch_mode(reader.i32()?) }
        }
        opcode::CHECK_WATCHES => {
            Request::CheckWatches { path: reader.string()?, kind: watch_kind(reader.i32()?) }
        }
        opcode::REMOVE_WATCHES => {
            Request::RemoveWatches { path: reader.string()?, kind: watch_kind(reader.i32()?) }
        }
        opcode::WHO_AM_I => Request::WhoAmI,
        opcode::CLOSE_SESSION => Request::CloseSession,
        opcode::CHECK => Request::Unknown { opcode },
        _ => match read_write(opcode, reader)? {
            Some(op) => Request::Write(op),
            None => read_read(opcode, reader)?.map_or(Request::Unknown { opcode }, Request::Read),
        },
    })
}

/// An operation that writes, from where it stands alone or within a multi; `None` if this is not
/// the number of one.
pub(crate) fn read_write(opcode: i32, reader: &mut Reader) -> Result<Option<WriteOp>, WireError> {
    if let Some(kind) = opcode::create_kind(opcode) {
        return Ok(Some(WriteOp::Create(read_create(kind, reader)?)));
    }
    Ok(Some(match opcode {
        opcode::DELETE => WriteOp::Delete { path: reader.string()?, version: reader.i32()? },
        opcode::SET_DATA => WriteOp::SetData {
            path: reader.string()?,
            data: reader.buffer()?,
            version: reader.i32()?,
        },
        opcode::SET_ACL => WriteOp::SetAcl {
            path: reader.string()?,
            acl: read_acl(reader)?,
            version: reader.i32()?,
        },
        opcode::CHECK => WriteOp::Check { path: reader.string()?, version: reader.i32()? },
        _ => return Ok(None),
    }))
}

fn read_create(kind: CreateKind, reader: &mut Reader) -> Result<Create, WireError> {
    let (path, data, acl) = (reader.string()?, reader.buffer()?, read_acl(reader)?);
    let flags = reader.i32()?;
    let mode = if kind == CreateKind::Ttl {
        ttl_mode(flags, Millis(reader.i64()?))
    } else {
        CreateMode::from_flags(flags, NO_TTL)
    };
    Ok(Create { path, data, acl, mode, kind })
}

/// A time to live for a node without one is `BadArguments`, like a mode that is none.
fn ttl_mode(flags: i32, ttl: Millis) -> CreateMode {
    let mode = CreateMode::from_flags(flags, ttl);
    if mode.ttl().is_some() { mode } else { CreateMode::Unknown(flags) }
}

/// An operation that reads, from where it stands alone or within a multiRead; `None` if this is
/// not the number of one.
pub(crate) fn read_read(opcode: i32, reader: &mut Reader) -> Result<Option<Read>, WireError> {
    Ok(Some(match opcode {
        opcode::EXISTS => Read::Exists { path: reader.string()?, watch: reader.bool()? },
        opcode::GET_DATA => Read::GetData { path: reader.string()?, watch: reader.bool()? },
        opcode::GET_ACL => Read::GetAcl { path: reader.string()? },
        opcode::GET_CHILDREN => Read::GetChildren { path: reader.string()?, watch: reader.bool()? },
        opcode::GET_CHILDREN2 => {
            Read::GetChildren2 { path: reader.string()?, watch: reader.bool()? }
        }
        opcode::GET_EPHEMERALS => Read::GetEphemerals { prefix: string_or_empty(reader)? },
        opcode::GET_ALL_CHILDREN_NUMBER => Read::GetAllChildrenNumber { path: reader.string()? },
        _ => return Ok(None),
    }))
}

fn read_auth(reader: &mut Reader) -> Result<Request, WireError> {
    let _always_0 = reader.i32()?;
    let scheme = string_or_empty(reader)?;
    Ok(Request::Auth { scheme, proof: Secret(reader.buffer()?.unwrap_or_default()) })
}

fn read_set_watches(reader: &mut Reader, all: bool) -> Result<Box<SetWatches>, WireError> {
    let mut watches = Box::<SetWatches>::default();
    watches.relative_zxid = Zxid::from_wire(reader.i64()?).unwrap_or(Zxid::ZERO);
    watches.data = read_paths(reader)?;
    watches.exist = read_paths(reader)?;
    watches.child = read_paths(reader)?;
    if all {
        watches.persistent = read_paths(reader)?;
        watches.persistent_recursive = read_paths(reader)?;
    }
    Ok(watches)
}

fn read_paths(reader: &mut Reader) -> Result<Vec<String>, WireError> {
    let paths = reader.list(STRING_BYTES_MIN, WATCHES_PER_CONNECTION + 1, Reader::string)?;
    paths.ok_or(WireError::Missing)
}

fn string_or_empty(reader: &mut Reader) -> Result<String, WireError> {
    reader.text(|text| text.unwrap_or_default().into())
}

const fn add_watch_mode(number: i32) -> Option<AddWatchMode> {
    match number {
        0 => Some(AddWatchMode::Persistent),
        1 => Some(AddWatchMode::PersistentRecursive),
        _ => None,
    }
}

const fn watch_kind(number: i32) -> Option<WatchKind> {
    match number {
        1 => Some(WatchKind::Children),
        2 => Some(WatchKind::Data),
        3 => Some(WatchKind::Any),
        4 => Some(WatchKind::Persistent),
        5 => Some(WatchKind::PersistentRecursive),
        _ => None,
    }
}

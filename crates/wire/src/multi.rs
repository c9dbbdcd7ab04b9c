//! The operations of a multi and of a multiRead: each behind a header, up to a header that says
//! the end. None of them holds others, so reading them never goes deeper.

use alloc::vec::Vec;

use zooid_model::limits::MULTI_OPS;
use zooid_model::{Create, CreateKind, CreateMode, Read, WriteOp};

use crate::jute::Reader;
use crate::records::MultiHeader;
use crate::request::{read_read, read_write};
use crate::{WireError, opcode};

pub(crate) fn read_writes(reader: &mut Reader) -> Result<Vec<WriteOp>, WireError> {
    read_operations(reader, |opcode, reader| match read_write(opcode, reader)? {
        Some(WriteOp::Create(create)) => within_multi(create).map(WriteOp::Create),
        Some(WriteOp::SetAcl { .. }) | None => Err(WireError::Number(opcode)),
        Some(op) => Ok(op),
    })
}

pub(crate) fn read_reads(reader: &mut Reader) -> Result<Vec<Read>, WireError> {
    read_operations(reader, |opcode, reader| match opcode {
        opcode::GET_DATA | opcode::GET_CHILDREN => {
            read_read(opcode, reader)?.map(unwatched).ok_or(WireError::Number(opcode))
        }
        _ => Err(WireError::Number(opcode)),
    })
}

fn read_operations<T>(
    reader: &mut Reader,
    mut read: impl FnMut(i32, &mut Reader) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let mut operations = Vec::new();
    loop {
        let header = MultiHeader::read(reader)?;
        if header.done {
            return Ok(operations);
        }
        let operation = read(header.opcode, reader)?;
        if operations.len() <= MULTI_OPS {
            operations.push(operation);
        }
    }
}

/// Within a multi ZooKeeper goes by the mode and not by the operation's number: containers and
/// TTL nodes are what their modes say, and a `createTTL` with another mode is a `create`. A mode
/// that is none makes the whole multi unreadable, except in `createTTL`.
fn within_multi(mut create: Create) -> Result<Create, WireError> {
    if let CreateMode::Unknown(flags) = create.mode {
        if create.kind != CreateKind::Ttl {
            return Err(WireError::Number(flags));
        }
        create.mode = CreateMode::from_flags(flags, crate::request::NO_TTL);
        create.kind = CreateKind::Create;
    }
    match create.mode {
        CreateMode::Container => create.kind = CreateKind::Container,
        mode if mode.ttl().is_some() && create.kind != CreateKind::Ttl => {
            return Err(WireError::Number(mode.flags()));
        }
        _ => {}
    }
    Ok(create)
}

/// A multiRead leaves no watches, whatever its flags say.
fn unwatched(mut read: Read) -> Read {
    if let Read::GetData { watch, .. } | Read::GetChildren { watch, .. } = &mut read {
        *watch = false;
    }
    read
}

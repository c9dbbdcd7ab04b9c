//! The transactions of ZooKeeper's log, of every type.

use bytes::Bytes;
use zooid_ids::{Millis, SessionId, Zxid};
use zooid_model::{Acl, EphemeralOwner, Identity, Perms};

use crate::Fault;
use crate::archive::Archive;
use crate::snapshot::TreeDigest;

/// What stands before every transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Who asked.
    pub(crate) session: SessionId,
    pub(crate) zxid: Zxid,
    pub(crate) time: Millis,
    pub(crate) opcode: i32,
}

/// A znode comes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Create {
    pub(crate) path: String,
    pub(crate) data: Option<Bytes>,
    pub(crate) acl: Vec<Acl>,
    /// Who owns it.
    pub(crate) owner: EphemeralOwner,
    /// The parent's `cversion` behind it; -1 in very old logs: one more.
    pub(crate) parent_cversion: i32,
    /// It was asked for by the oldest of the operations that create.
    pub(crate) plain: bool,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Txn {
    CreateSession {
        timeout: Millis,
    },
    CloseSession {
        paths: Vec<String>,
    },
    Create(Create),
    Delete {
        path: String,
    },
    SetData {
        path: String,
        data: Option<Bytes>,
        version: i32,
    },
    SetAcl {
        path: String,
        acl: Vec<Acl>,
        version: i32,
    },
    /// A version was compared, or an operation was refused.
    Nothing,
    Multi(Vec<(i32, Txn)>),
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) txn: Txn,
    /// Of the tree behind it.
    pub(crate) digest: Option<TreeDigest>,
}

/// ZooKeeper's numbers of what stands in its log.
pub(crate) mod opcode {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const SET_ACL: i32 = 7;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const CREATE2: i32 = 15;
    pub(crate) const RECONFIG: i32 = 16;
    pub(crate) const CREATE_CONTAINER: i32 = 19;
    pub(crate) const DELETE_CONTAINER: i32 = 20;
    pub(crate) const CREATE_TTL: i32 = 21;
    pub(crate) const ERROR: i32 = -1;
    pub(crate) const CREATE_SESSION: i32 = -10;
    pub(crate) const CLOSE_SESSION: i32 = -11;
}

type In<'a> = Archive<&'a [u8]>;

/// Bytes of a digest behind a transaction.
const DIGEST_LEN: usize = 12;

impl Record {
    /// The record that these bytes are.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut archive = Archive::new(bytes);
        let header = read_header(&mut archive)?;
        let body = &bytes[archive.offset() as usize..];
        let (txn, rest) = read_txn(&header, body)?;
        Ok(Self { header, txn, digest: read_digest(rest)? })
    }
}

fn read_header(archive: &mut In<'_>) -> Result<Header, Fault> {
    let session = SessionId(archive.i64()?);
    let _cxid = archive.i32()?;
    let zxid = archive.i64()?;
    let time = Millis(archive.i64()?);
    let zxid = Zxid::from_wire(zxid).ok_or(Fault::Zxid(zxid))?;
    Ok(Header { session, zxid, time, opcode: archive.i32()? })
}

fn read_digest(rest: &[u8]) -> Result<Option<TreeDigest>, Fault> {
    if rest.len() < DIGEST_LEN {
        return Ok(None);
    }
    let mut archive = Archive::new(rest);
    let version = archive.i32()?;
    Ok(Some(TreeDigest { version, digest: archive.i64()? as u64 }))
}

/// The transaction, and what stands behind it.
fn read_txn<'a>(header: &Header, body: &'a [u8]) -> Result<(Txn, &'a [u8]), Fault> {
    let mut archive = Archive::new(body);
    let read = read_body(header, header.opcode, &mut archive);
    let end = archive.offset() as usize;
    match (read, header.opcode) {
        (Ok(txn), _) => Ok((txn, &body[end..])),
        // Before 3.5 nothing said what the parent's cversion becomes.
        (Err(Fault::Ends), opcode::CREATE) => {
            let mut archive = Archive::new(body);
            let create = read_old_create(header, &mut archive)?;
            Ok((create, &body[archive.offset() as usize..]))
        }
        // Before 3.6 nothing said which znodes go with a session.
        (Err(_), opcode::CLOSE_SESSION) if body.len() <= DIGEST_LEN => {
            Ok((Txn::CloseSession { paths: Vec::new() }, body))
        }
        (Err(fault), _) => Err(fault),
    }
}

fn read_body(header: &Header, opcode: i32, archive: &mut In<'_>) -> Result<Txn, Fault> {
    match opcode {
        opcode::CREATE_SESSION => Ok(Txn::CreateSession { timeout: Millis(archive.i32()?.into()) }),
        opcode::CLOSE_SESSION => {
            let paths = archive.list("list of paths", |archive| archive.text("path"))?;
            Ok(Txn::CloseSession { paths })
        }
        opcode::CREATE | opcode::CREATE2 => read_create(header, opcode, archive),
        opcode::CREATE_CONTAINER | opcode::CREATE_TTL => read_create_special(opcode, archive),
        opcode::DELETE | opcode::DELETE_CONTAINER => {
            Ok(Txn::Delete { path: archive.text("path")? })
        }
        opcode::SET_DATA | opcode::RECONFIG => Ok(Txn::SetData {
            path: archive.text("path")?,
            data: archive.buffer()?.map(Bytes::from),
            version: archive.i32()?,
        }),
        opcode::SET_ACL => Ok(Txn::SetAcl {
            path: archive.text("path")?,
            acl: read_acl(archive)?,
            version: archive.i32()?,
        }),
        opcode::CHECK => {
            archive.text("path")?;
            archive.i32().map(|_| Txn::Nothing)
        }
        opcode::ERROR => archive.i32().map(|_| Txn::Nothing),
        opcode::MULTI => read_multi(header, archive),
        unknown => Err(Fault::Type(unknown)),
    }
}

fn read_create(header: &Header, opcode: i32, archive: &mut In<'_>) -> Result<Txn, Fault> {
    let create = read_old_create(header, archive)?;
    let Txn::Create(mut create) = create else { return Ok(create) };
    create.parent_cversion = archive.i32()?;
    create.plain = opcode == opcode::CREATE;
    Ok(Txn::Create(create))
}

/// Without the parent's cversion.
fn read_old_create(header: &Header, archive: &mut In<'_>) -> Result<Txn, Fault> {
    Ok(Txn::Create(Create {
        path: archive.text("path")?,
        data: archive.buffer()?.map(Bytes::from),
        acl: read_acl(archive)?,
        owner: match archive.bool()? {
            true => EphemeralOwner::from_wire(header.session.0),
            false => EphemeralOwner::None,
        },
        parent_cversion: -1,
        plain: true,
    }))
}

fn read_create_special(opcode: i32, archive: &mut In<'_>) -> Result<Txn, Fault> {
    Ok(Txn::Create(Create {
        path: archive.text("path")?,
        data: archive.buffer()?.map(Bytes::from),
        acl: read_acl(archive)?,
        parent_cversion: archive.i32()?,
        owner: match opcode {
            opcode::CREATE_TTL => EphemeralOwner::Ttl(Millis(archive.i64()?)),
            _ => EphemeralOwner::Container,
        },
        plain: false,
    }))
}

/// An ACL that must be there; a null one is an empty one.
pub(crate) fn read_acl<R: std::io::Read>(archive: &mut Archive<R>) -> Result<Vec<Acl>, Fault> {
    archive.list("ACL", |archive| {
        let perms = Perms::from_bits(archive.i32()?);
        let scheme = archive.text("scheme")?;
        Ok(Acl { perms, id: Identity::new(&scheme, &archive.text("id")?) })
    })
}

/// Each operation stands in a buffer of its own. If one of them was refused, all were.
fn read_multi(header: &Header, archive: &mut In<'_>) -> Result<Txn, Fault> {
    let parts = archive.list("list of operations", |archive| {
        Ok((archive.i32()?, archive.buffer()?.ok_or(Fault::Missing("operation"))?))
    })?;
    if parts.iter().any(|(opcode, _)| *opcode == opcode::ERROR) {
        return Ok(Txn::Nothing);
    }
    let read = |(opcode, bytes): (i32, Vec<u8>)| {
        let allowed = !matches!(
            opcode,
            opcode::MULTI | opcode::CREATE_SESSION | opcode::CLOSE_SESSION | opcode::RECONFIG
        );
        let opcode_known = if allowed { Ok(opcode) } else { Err(Fault::Type(opcode)) };
        Ok((opcode, read_body(header, opcode_known?, &mut Archive::new(&bytes))?))
    };
    parts.into_iter().map(read).collect::<Result<_, Fault>>().map(Txn::Multi)
}

#[cfg(test)]
mod tests;

//! The records that several messages share.

use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};
use zooid_ids::{Millis, Zxid};
use zooid_model::limits::ACL_ENTRIES;
use zooid_model::{Acl, Identity, Names, Perms, Stat};

use crate::WireError;
use crate::jute::{Reader, STRING_BYTES_MIN, Writer};

/// Bytes of a stat.
pub(crate) const STAT_BYTES: usize = 68;

/// The fewest bytes of an ACL entry: permissions and two empty strings.
const ACL_BYTES_MIN: usize = 4 + IDENTITY_BYTES_MIN;
/// The fewest bytes of an identity: two empty strings.
pub(crate) const IDENTITY_BYTES_MIN: usize = 2 * STRING_BYTES_MIN;

pub(crate) fn put_stat(out: &mut BytesMut, stat: &Stat) {
    out.put_i64(stat.czxid.wire());
    out.put_i64(stat.mzxid.wire());
    out.put_i64(stat.ctime.0);
    out.put_i64(stat.mtime.0);
    out.put_i32(stat.version);
    out.put_i32(stat.cversion);
    out.put_i32(stat.aversion);
    out.put_i64(stat.ephemeral_owner);
    out.put_i32(stat.data_length);
    out.put_i32(stat.num_children);
    out.put_i64(stat.pzxid.wire());
}

pub(crate) fn read_stat(reader: &mut Reader) -> Result<Stat, WireError> {
    Ok(Stat {
        czxid: Zxid(reader.i64()? as u64),
        mzxid: Zxid(reader.i64()? as u64),
        ctime: Millis(reader.i64()?),
        mtime: Millis(reader.i64()?),
        version: reader.i32()?,
        cversion: reader.i32()?,
        aversion: reader.i32()?,
        ephemeral_owner: reader.i64()?,
        data_length: reader.i32()?,
        num_children: reader.i32()?,
        pzxid: Zxid(reader.i64()? as u64),
    })
}

pub(crate) fn put_acl(out: &mut BytesMut, acl: &[Acl]) {
    out.put_length(acl.len());
    for entry in acl {
        out.put_i32(entry.perms.bits());
        put_identity(out, &entry.id);
    }
}

/// One that is missing is empty. One entry more than the limit is kept, so that who checks the limit
/// sees that it was passed.
pub(crate) fn read_acl(reader: &mut Reader) -> Result<Vec<Acl>, WireError> {
    let acl = reader.list(ACL_BYTES_MIN, ACL_ENTRIES + 1, |reader| {
        Ok(Acl { perms: Perms::from_bits(reader.i32()?), id: read_identity(reader)? })
    })?;
    Ok(acl.unwrap_or_default())
}

pub(crate) fn acl_bytes(acl: &[Acl]) -> usize {
    4 + acl.iter().map(|entry| 4 + identity_bytes(&entry.id)).sum::<usize>()
}

pub(crate) fn put_identity(out: &mut BytesMut, identity: &Identity) {
    out.put_string(&identity.scheme);
    out.put_string(&identity.id);
}

/// A part that is missing counts as empty, which is no valid scheme and no id that needs one.
pub(crate) fn read_identity(reader: &mut Reader) -> Result<Identity, WireError> {
    Ok(Identity {
        scheme: reader.text(|scheme| scheme.unwrap_or_default().into())?,
        id: reader.text(|id| id.unwrap_or_default().into())?,
    })
}

pub(crate) fn identity_bytes(identity: &Identity) -> usize {
    8 + identity.scheme.len() + identity.id.len()
}

pub(crate) fn put_names(out: &mut BytesMut, names: &Names) {
    out.put_length(names.len());
    names.iter().for_each(|name| out.put_string(name));
}

pub(crate) fn names_bytes(names: &Names) -> usize {
    4 + 4 * names.len() + names.text_len()
}

/// The header of one operation within a multi, its answer or the end of either.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MultiHeader {
    /// The operation's number; of no meaning at the end.
    pub(crate) opcode: i32,
    /// Whether this is the end.
    pub(crate) done: bool,
    /// Only in answers: the operation's error code.
    pub(crate) code: i32,
}

impl MultiHeader {
    /// Bytes of one.
    pub(crate) const BYTES: usize = 9;
    /// What stands behind the last operation.
    pub(crate) const END: Self = Self { opcode: -1, done: true, code: -1 };

    pub(crate) fn put(self, out: &mut BytesMut) {
        out.put_i32(self.opcode);
        out.put_bool(self.done);
        out.put_i32(self.code);
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, WireError> {
        Ok(Self { opcode: reader.i32()?, done: reader.bool()?, code: reader.i32()? })
    }
}

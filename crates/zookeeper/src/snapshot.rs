//! Reading a snapshot.
//!
//! ```text
//! "ZKSN", version 2 (4 bytes), -1 (8)
//! count (4), for each session: id (8), timeout in ms (4)
//! count (4), for each ACL: number (8), the list
//! for each znode: path, data, number of its ACL (8; -1: open to all), stat
//! "/" in place of a path: the end
//! seal: Adler-32 of all before it (8), "/"
//! since 3.6: zxid (8), version of the digest (4), digest (8), another seal
//! since 3.9: the last zxid (8), another seal
//! ```
//!
//! The root's path is empty. Checksums are those of the content, not of what compression makes of
//! it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use zooid_ids::{Millis, SessionId, Zxid};
use zooid_model::{Acl, EphemeralOwner, path};
use zooid_tree::PersistedStat;

use crate::archive::Archive;
use crate::compression::Compression;
use crate::state::{State, Znode};
use crate::txn::read_acl;
use crate::{Fault, FileError, Step};

pub(crate) const MAGIC: i32 = 0x5a4b_534e;
pub(crate) const VERSION: i32 = 2;
/// The digest that this crate computes.
pub(crate) const DIGEST_VERSION: i32 = 2;
/// Longer is nothing that stands behind the first seal.
const FOOTER_MAX: u64 = 256;
/// Length of the last zxid with its seal.
const LAST_LEN: usize = 21;
/// What a znode's ACL number says if anyone may do anything.
pub(crate) const OPEN_ACL: i64 = -1;
/// So many znodes between two reports.
const REPORT: u64 = 10_000;

/// The digest of a tree, and which kind of digest it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeDigest {
    /// Only version 2 can be compared.
    pub version: i32,
    /// The sum over all znodes.
    pub digest: u64,
}

impl TreeDigest {
    /// True if it is of a kind that can be compared.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.version == DIGEST_VERSION
    }
}

/// What stands behind the znodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// The digest, and after which transaction the tree had it.
    pub digest: Option<(Zxid, TreeDigest)>,
    /// The last transaction when the snapshot was done.
    pub last: Option<Zxid>,
}

/// Reads a snapshot whose name says that it was begun at `zxid`.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn read(
    file: &Path,
    zxid: Zxid,
    progress: &mut dyn FnMut(Step),
) -> Result<(State, Footer), FileError> {
    let opened = File::open(file).map_err(|error| FileError::new(file, 0, error))?;
    let mut archive = Archive::new(Compression::of(file).reader(opened));
    let read = read_content(&mut archive, zxid, progress);
    read.map_err(|fault| FileError::new(file, archive.field(), fault))
}

pub(crate) fn read_content<R: Read>(
    archive: &mut Archive<R>,
    zxid: Zxid,
    progress: &mut dyn FnMut(Step),
) -> Result<(State, Footer), Fault> {
    read_head(archive, "snapshot", MAGIC)?;
    let mut state = State::new(zxid);
    read_sessions(archive, &mut state)?;
    let acls = read_acls(archive)?;
    read_znodes(archive, &acls, &mut state, progress)?;
    read_seal(archive)?;
    let footer = read_footer(archive)?;
    Ok((state, footer))
}

/// The first bytes of a snapshot or log.
pub(crate) fn read_head<R: Read>(
    archive: &mut Archive<R>,
    kind: &'static str,
    expected: i32,
) -> Result<(), Fault> {
    let found = archive.i32()?;
    if found != expected {
        return Err(Fault::Magic { kind, expected, found });
    }
    let version = archive.i32()?;
    if version != VERSION {
        return Err(Fault::Version { kind, version });
    }
    archive.i64().map(|_| ())
}

fn count<R: Read>(archive: &mut Archive<R>, what: &'static str) -> Result<usize, Fault> {
    archive.length()?.ok_or(Fault::Missing(what))
}

fn read_sessions<R: Read>(archive: &mut Archive<R>, state: &mut State) -> Result<(), Fault> {
    for _ in 0..count(archive, "count of sessions")? {
        let id = SessionId(archive.i64()?);
        if EphemeralOwner::from_wire(id.0) != EphemeralOwner::Session(id) {
            return Err(Fault::Session(id));
        }
        state.put_session(id, Millis(archive.i32()?.into()));
    }
    Ok(())
}

type Acls = BTreeMap<i64, Arc<[Acl]>>;

fn read_acls<R: Read>(archive: &mut Archive<R>) -> Result<Acls, Fault> {
    let mut acls = Acls::from([(OPEN_ACL, Acl::open().into())]);
    for _ in 0..count(archive, "count of ACLs")? {
        let number = archive.i64()?;
        acls.insert(number, read_acl(archive)?.into());
    }
    Ok(acls)
}

fn read_znodes<R: Read>(
    archive: &mut Archive<R>,
    acls: &Acls,
    state: &mut State,
    progress: &mut dyn FnMut(Step),
) -> Result<(), Fault> {
    let mut znodes = 0;
    loop {
        let path = match archive.text("path")? {
            end if end == "/" => return Ok(()),
            root if root.is_empty() => "/".into(),
            path => path,
        };
        path::validate(&path).map_err(|reason| Fault::NoPath { path: (&*path).into(), reason })?;
        if path::parent(&path).is_some_and(|parent| state.znode(parent).is_none()) {
            return Err(Fault::NoParent(path.into()));
        }
        let znode = read_znode(archive, acls, &path)?;
        state.put(&path, znode);
        znodes += 1;
        if u64::is_multiple_of(znodes, REPORT) {
            progress(Step::Znodes(znodes));
        }
    }
}

fn read_znode<R: Read>(archive: &mut Archive<R>, acls: &Acls, path: &str) -> Result<Znode, Fault> {
    let data = archive.buffer()?.map(Bytes::from);
    let number = archive.i64()?;
    let acl = acls.get(&number).ok_or_else(|| Fault::NoAcl { path: path.into(), number })?.clone();
    let (czxid, mzxid) = (Zxid(archive.i64()? as u64), Zxid(archive.i64()? as u64));
    let stat = PersistedStat {
        czxid,
        mzxid,
        ctime: Millis(archive.i64()?),
        mtime: Millis(archive.i64()?),
        version: archive.i32()?,
        creates: archive.i32()?,
        aversion: archive.i32()?,
        ephemeral_owner: archive.i64()?,
        pzxid: Zxid(archive.i64()? as u64),
    };
    Ok(Znode { data, acl, stat })
}

/// The checksum of everything before it.
fn read_seal<R: Read>(archive: &mut Archive<R>) -> Result<(), Fault> {
    let computed = archive.checksum();
    let stored = archive.i64()?;
    if stored != i64::from(computed) {
        return Err(Fault::Checksum { stored, computed });
    }
    archive.text("mark of the end").map(|_| ())
}

fn read_footer<R: Read>(archive: &mut Archive<R>) -> Result<Footer, Fault> {
    let rest = archive.rest(FOOTER_MAX)?;
    let mut rest_archive = Archive::behind(&rest[..], archive);
    let mut footer = Footer::default();
    let left = |archive: &Archive<_>| rest.len() - (archive.offset() - archive.begin()) as usize;
    if left(&rest_archive) > 0 && left(&rest_archive) != LAST_LEN {
        footer.digest = read_digest(&mut rest_archive)?;
        read_seal(&mut rest_archive)?;
    }
    if left(&rest_archive) > 0 {
        let last = rest_archive.i64()?;
        footer.last = Some(Zxid::from_wire(last).ok_or(Fault::Zxid(last))?);
        read_seal(&mut rest_archive)?;
    }
    Ok(footer)
}

/// ZooKeeper says zxid 0 where it has no digest yet.
fn read_digest<R: Read>(archive: &mut Archive<R>) -> Result<Option<(Zxid, TreeDigest)>, Fault> {
    let zxid = archive.i64()?;
    let zxid = Zxid::from_wire(zxid).ok_or(Fault::Zxid(zxid))?;
    let version = archive.i32()?;
    let digest = if version < DIGEST_VERSION {
        // Another sum, as text: nothing to compare.
        archive.text("digest")?;
        0
    } else {
        archive.i64()? as u64
    };
    Ok((zxid > Zxid::ZERO).then_some((zxid, TreeDigest { version, digest })))
}

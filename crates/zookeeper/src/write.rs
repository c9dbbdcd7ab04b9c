//! Writing a snapshot that ZooKeeper starts from.

use std::collections::BTreeMap;
use std::io::{self, Write};

use simd_adler32::Adler32;
use zooid_ids::Zxid;
use zooid_model::Acl;

use crate::compression::Compression;
use crate::snapshot::{DIGEST_VERSION, MAGIC, OPEN_ACL, VERSION};
use crate::state::{State, Znode};

/// The name that a snapshot at `zxid` must have.
#[must_use]
pub fn snapshot_name(zxid: Zxid, compression: Compression) -> String {
    format!("snapshot.{:x}{compression}", zxid.0)
}

/// Writes the state as ZooKeeper 3.6 and later write it, its digest included; older versions read
/// as far as they understand it. `out` takes the bytes before they are compressed.
///
/// # Errors
/// What `out` says; nothing that was written counts then.
pub fn write_snapshot(state: &State, out: impl Write) -> io::Result<()> {
    let mut jute = Jute { out, adler: Adler32::new() };
    jute.i32(MAGIC)?;
    jute.i32(VERSION)?;
    jute.i64(-1)?;
    jute.length(state.sessions().len())?;
    for (id, timeout) in state.sessions() {
        jute.i64(id.0)?;
        jute.i32(i32::try_from(timeout.0).unwrap_or(i32::MAX))?;
    }
    let acls = numbered(state);
    jute.acls(&acls)?;
    for (path, znode) in state.znodes() {
        jute.text(if path == "/" { "" } else { path })?;
        jute.znode(znode, acls.get(&*znode.acl).copied().unwrap_or(OPEN_ACL))?;
    }
    jute.text("/")?;
    jute.seal()?;
    jute.i64(state.zxid.wire())?;
    jute.i32(DIGEST_VERSION)?;
    jute.i64(state.digest() as i64)?;
    jute.seal()?;
    jute.out.flush()
}

/// A number for each ACL that is not open to all.
fn numbered(state: &State) -> BTreeMap<&[Acl], i64> {
    let mut acls = BTreeMap::new();
    for (_, znode) in state.znodes() {
        let next = acls.len() as i64 + 1;
        if !Acl::is_open(&znode.acl) {
            acls.entry(&*znode.acl).or_insert(next);
        }
    }
    acls
}

/// Jute's primitives into a file, with the checksum of what was written.
struct Jute<W> {
    out: W,
    adler: Adler32,
}

impl<W: Write> Jute<W> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.adler.write(bytes);
        self.out.write_all(bytes)
    }

    fn i32(&mut self, number: i32) -> io::Result<()> {
        self.bytes(&number.to_be_bytes())
    }

    fn i64(&mut self, number: i64) -> io::Result<()> {
        self.bytes(&number.to_be_bytes())
    }

    fn length(&mut self, length: usize) -> io::Result<()> {
        let length = i32::try_from(length);
        self.i32(length.map_err(|_| io::Error::other("more than ZooKeeper can count"))?)
    }

    fn buffer(&mut self, buffer: Option<&[u8]>) -> io::Result<()> {
        let Some(buffer) = buffer else { return self.i32(-1) };
        self.length(buffer.len())?;
        self.bytes(buffer)
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        self.buffer(Some(text.as_bytes()))
    }

    fn acls(&mut self, acls: &BTreeMap<&[Acl], i64>) -> io::Result<()> {
        self.length(acls.len())?;
        for (list, number) in acls {
            self.i64(*number)?;
            self.length(list.len())?;
            for acl in *list {
                self.i32(acl.perms.bits())?;
                self.text(&acl.id.scheme)?;
                self.text(&acl.id.id)?;
            }
        }
        Ok(())
    }

    fn znode(&mut self, znode: &Znode, acl: i64) -> io::Result<()> {
        let stat = &znode.stat;
        self.buffer(znode.data.as_deref())?;
        self.i64(acl)?;
        self.i64(stat.czxid.wire())?;
        self.i64(stat.mzxid.wire())?;
        self.i64(stat.ctime.0)?;
        self.i64(stat.mtime.0)?;
        self.i32(stat.version)?;
        self.i32(stat.creates)?;
        self.i32(stat.aversion)?;
        self.i64(stat.ephemeral_owner)?;
        self.i64(stat.pzxid.wire())
    }

    fn seal(&mut self) -> io::Result<()> {
        self.i64(self.adler.finish().into())?;
        self.text("/")
    }
}

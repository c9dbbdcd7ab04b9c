//! Transactions change the state as they change ZooKeeper's own when it reads its log.
//!
//! A snapshot is written while transactions come in, so it may hold what stands in the log behind
//! it: each has to be able to come once more. What is there already is not created again, what is
//! not there any more is not changed, and a parent's numbers do not go back.

use std::sync::Arc;

use zooid_ids::{SessionId, Zxid};
use zooid_model::{Acl, path};
use zooid_tree::PersistedStat;

use crate::state::{State, Znode};
use crate::txn::{Create, Header, Txn};

impl State {
    /// Applies one transaction of the log.
    pub(crate) fn apply(&mut self, header: &Header, txn: Txn) {
        self.change(header, txn);
        self.zxid = self.zxid.max(header.zxid);
    }

    fn change(&mut self, header: &Header, txn: Txn) {
        match txn {
            Txn::CreateSession { timeout } => self.put_session(header.session, timeout),
            Txn::CloseSession { paths } => {
                self.remove_session(header.session);
                self.end_session(header.session, header.zxid, &paths);
            }
            Txn::Create(create) => self.create(header, create),
            Txn::Delete { path } => self.delete(&path, header.zxid),
            Txn::SetData { path, data, version } => {
                self.edit(&path, |znode| {
                    znode.data = data;
                    let (mzxid, mtime) = (header.zxid, header.time);
                    znode.stat = PersistedStat { version, mzxid, mtime, ..znode.stat };
                });
            }
            Txn::SetAcl { path, acl, version } => {
                self.edit(&path, |znode| {
                    znode.acl = acl.into();
                    znode.stat.aversion = version;
                });
            }
            Txn::Nothing => {}
            Txn::Multi(parts) => parts.into_iter().for_each(|(_, txn)| self.change(header, txn)),
        }
    }

    fn create(&mut self, header: &Header, create: Create) {
        let zxid = header.zxid;
        let Some(parent) = path::parent(&create.path).map(str::to_string) else { return };
        if self.znode(&parent).is_none() {
            return;
        }
        let acl: Arc<[Acl]> = create.acl.into();
        if self.edit(&create.path, |znode| znode.acl = acl.clone()) {
            if create.plain {
                self.raise(&parent, create.parent_cversion, zxid);
            }
            return;
        }
        self.raise(&parent, create.parent_cversion, zxid);
        let stat = PersistedStat {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: header.time,
            mtime: header.time,
            ephemeral_owner: create.owner.to_wire(),
            ..PersistedStat::default()
        };
        self.put(&create.path, Znode { data: create.data, acl, stat });
    }

    /// A parent's cversion only grows; -1 is one more.
    fn raise(&mut self, parent: &str, cversion: i32, zxid: Zxid) {
        self.edit(parent, |znode| {
            let cversion =
                if cversion == -1 { znode.stat.creates.wrapping_add(1) } else { cversion };
            if cversion > znode.stat.creates {
                (znode.stat.creates, znode.stat.pzxid) = (cversion, zxid);
            }
        });
    }

    fn delete(&mut self, path: &str, zxid: Zxid) {
        let Some(parent) = path::parent(path) else { return };
        let there = self.edit(parent, |znode| znode.stat.pzxid = znode.stat.pzxid.max(zxid));
        if there {
            self.remove(path);
        }
    }

    /// The ephemeral znodes of a session go: those that the transaction names, and what else there
    /// is.
    pub(crate) fn end_session(&mut self, session: SessionId, zxid: Zxid, paths: &[String]) {
        paths.iter().for_each(|path| self.delete(path, zxid));
        self.ephemerals(session).iter().for_each(|path| self.delete(path, zxid));
    }
}

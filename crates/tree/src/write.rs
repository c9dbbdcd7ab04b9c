//! May it be done? Every check of an operation that changes the tree, in ZooKeeper's order.
//!
//! The order of the checks decides which error a client sees; it is that of ZooKeeper 3.9.5's
//! `PrepRequestProcessor`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::SessionId;
use zooid_model::{
    Acl, Change, ChangeKind, Create, CreateKind, EphemeralOwner, ErrorCode, Grants, Identity,
    OpResult, Perms, Reply, WriteOp, acl, path,
};

use crate::arena::NodeId;
use crate::node::PersistedStat;
use crate::outcome::{Applied, Outcome, Stamp};
use crate::tree::{SYSTEM_NODES, Tree};

/// Who asks for an operation, and when.
pub(crate) struct Caller<'a> {
    pub(crate) stamp: Stamp,
    pub(crate) session: SessionId,
    pub(crate) identities: &'a [Identity],
    pub(crate) grants: Grants,
}

/// What is to be told of a command beside its result.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) changes: Vec<Change>,
    pub(crate) over_soft_quota: bool,
}

impl Report {
    pub(crate) fn into_applied(self, outcome: Outcome) -> Applied {
        Applied { outcome, changes: self.changes, over_soft_quota: self.over_soft_quota }
    }
}

/// The result of one operation; in a multi it stands as it is.
type Done = Result<OpResult, ErrorCode>;

impl Tree {
    /// Does what a client asks, or nothing.
    pub(crate) fn write(
        &mut self,
        caller: &Caller<'_>,
        op: &WriteOp,
        report: &mut Report,
    ) -> Result<Reply, ErrorCode> {
        match op {
            WriteOp::Multi(ops) => Ok(Reply::Multi(self.multi(caller, ops, report))),
            op => self.operation(caller, op, report).map(reply_of),
        }
    }

    fn multi(
        &mut self,
        caller: &Caller<'_>,
        ops: &[WriteOp],
        report: &mut Report,
    ) -> Vec<OpResult> {
        let mut results = Vec::with_capacity(ops.len());
        for op in ops {
            let done = match op {
                WriteOp::Multi(_) | WriteOp::SetAcl { .. } => Err(ErrorCode::Unimplemented),
                op => self.operation(caller, op, report),
            };
            match done {
                Ok(result) => results.push(result),
                Err(error) => {
                    self.undo();
                    *report = Report::default();
                    return failed_multi(ops.len(), results.len(), error);
                }
            }
        }
        results
    }

    fn operation(&mut self, caller: &Caller<'_>, op: &WriteOp, report: &mut Report) -> Done {
        match op {
            WriteOp::Create(create) => self.create(caller, create, report),
            WriteOp::Delete { path, version } => self.delete(caller, path, *version, report),
            WriteOp::SetData { path, data, version } => {
                self.set_data(caller, path, data.as_ref(), *version, report)
            }
            WriteOp::SetAcl { path, acl, version } => self.set_acl(caller, path, acl, *version),
            WriteOp::Check { path, version } => self.check(caller, path, *version),
            WriteOp::Multi(_) => Err(ErrorCode::Unimplemented),
        }
    }

    fn create(&mut self, caller: &Caller<'_>, op: &Create, report: &mut Report) -> Done {
        let owner = owner_of(op, caller)?;
        let (parent_path, _) = split(&op.path)?;
        let acl = self.resolve(&op.acl, caller.identities)?;
        let parent = self.locate(parent_path).ok_or(ErrorCode::NoNode)?;
        self.allow(caller, parent, Perms::CREATE)?;
        let above = self.nodes.get(parent).persisted();
        let path = numbered(op, above.creates);
        self.check_free(parent, &path)?;
        if self.nodes.get(parent).session().is_some() {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        let len = op.data.as_ref().map_or(0, Bytes::len);
        report.over_soft_quota |= self.check_quota(caller.grants, &path, 1, len as i64)?;

        let Stamp { zxid, time } = caller.stamp;
        let stat = PersistedStat::new(zxid, time, owner);
        let node = self.new_node(parent, &path, op.data.as_deref(), &acl, stat);
        let id = self.insert(node, &path);
        let creates = above.creates.wrapping_add(1);
        self.set_stat_of(parent, PersistedStat { creates, pzxid: zxid, ..above });
        let stat = self.nodes.get(id).stat();
        self.account_created(id, &path, len as i64);
        self.tell(report, ChangeKind::Created, id, &path);
        self.tell(report, ChangeKind::ChildrenChanged, parent, parent_path);
        let path = path.into_owned();
        Ok(match op.kind {
            CreateKind::Create => OpResult::Path { path },
            CreateKind::Create2 | CreateKind::Container | CreateKind::Ttl => {
                OpResult::PathStat { path, stat }
            }
        })
    }

    fn check_free(&self, parent: NodeId, path: &str) -> Result<(), ErrorCode> {
        path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
        let (_, name) = path::split(path).ok_or(ErrorCode::NodeExists)?;
        self.child(parent, name).map_or(Ok(()), |_| Err(ErrorCode::NodeExists))
    }

    fn delete(
        &mut self,
        caller: &Caller<'_>,
        path: &str,
        version: i32,
        report: &mut Report,
    ) -> Done {
        let (parent_path, _) = split(path)?;
        if SYSTEM_NODES.contains(&path) {
            return Err(ErrorCode::BadArguments);
        }
        let parent = self.locate(parent_path).ok_or(ErrorCode::NoNode)?;
        self.allow(caller, parent, Perms::DELETE)?;
        let id = self.locate(path).ok_or(ErrorCode::NoNode)?;
        expect_version(self.nodes.get(id).persisted().version, version)?;
        if self.nodes.get(id).child_count() > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        self.remove_node(caller.stamp, id, path, report);
        Ok(OpResult::Deleted)
    }

    /// Removes a node without children, with all that this means for others.
    pub(crate) fn remove_node(
        &mut self,
        stamp: Stamp,
        id: NodeId,
        path: &str,
        report: &mut Report,
    ) {
        let node = self.nodes.get(id);
        let (parent, len) = (node.parent, node.data_len());
        let above = self.nodes.get(parent).persisted();
        self.tell(report, ChangeKind::Deleted, id, path);
        self.tell(report, ChangeKind::ChildrenChanged, parent, path::parent(path).unwrap_or("/"));
        self.set_usage_gone(id);
        self.remove(id, path);
        self.set_stat_of(parent, PersistedStat { pzxid: stamp.zxid, ..above });
        self.account(path, -1, -(len as i64));
    }

    fn set_data(
        &mut self,
        caller: &Caller<'_>,
        path: &str,
        data: Option<&Bytes>,
        version: i32,
        report: &mut Report,
    ) -> Done {
        path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
        let id = self.locate(path).ok_or(ErrorCode::NoNode)?;
        self.allow(caller, id, Perms::WRITE)?;
        let before = self.nodes.get(id);
        let growth = data.map_or(0, Bytes::len) as i64 - before.data_len() as i64;
        let kept = before.persisted();
        report.over_soft_quota |= self.check_quota(caller.grants, path, 0, growth)?;
        expect_version(kept.version, version)?;

        let Stamp { zxid, time } = caller.stamp;
        self.set_data_of(id, path, data.map(|data| &data[..]));
        let version = next_version(kept.version);
        self.set_stat_of(id, PersistedStat { version, mzxid: zxid, mtime: time, ..kept });
        let stat = self.nodes.get(id).stat();
        self.account_set(id, path, growth);
        self.tell(report, ChangeKind::DataChanged, id, path);
        Ok(OpResult::Stat(stat))
    }

    fn set_acl(&mut self, caller: &Caller<'_>, path: &str, sent: &[Acl], aversion: i32) -> Done {
        path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
        let acl = self.resolve(sent, caller.identities)?;
        let id = self.locate(path).ok_or(ErrorCode::NoNode)?;
        self.allow(caller, id, Perms::ADMIN)?;
        let kept = self.nodes.get(id).persisted();
        expect_version(kept.aversion, aversion)?;

        self.set_acl_of(id, &acl);
        let aversion = next_version(kept.aversion);
        self.set_stat_of(id, PersistedStat { aversion, ..kept });
        Ok(OpResult::Stat(self.nodes.get(id).stat()))
    }

    fn check(&self, caller: &Caller<'_>, path: &str, version: i32) -> Done {
        path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
        let id = self.locate(path).ok_or(ErrorCode::NoNode)?;
        self.allow(caller, id, Perms::READ)?;
        expect_version(self.nodes.get(id).persisted().version, version)?;
        Ok(OpResult::Checked)
    }

    fn allow(&self, caller: &Caller<'_>, id: NodeId, wanted: Perms) -> Result<(), ErrorCode> {
        let acl = self.acls.get(self.nodes.get(id).acl);
        acl::allows(acl, caller.identities, wanted).then_some(()).ok_or(ErrorCode::NoAuth)
    }

    /// The list that a node gets; nothing is copied where the list sent is in use already.
    fn resolve<'a>(
        &self,
        sent: &'a [Acl],
        identities: &[Identity],
    ) -> Result<Cow<'a, [Acl]>, ErrorCode> {
        if self.acls.is_known_resolved(sent) {
            return Ok(Cow::Borrowed(sent));
        }
        acl::resolve(sent, identities).map(Cow::Owned).ok_or(ErrorCode::InvalidAcl)
    }

    fn tell(&self, report: &mut Report, kind: ChangeKind, id: NodeId, path: &str) {
        let path: Arc<str> = if path.is_empty() { path::ROOT } else { path }.into();
        let acl = self.acls.get(self.nodes.get(id).acl).clone();
        report.changes.push(Change { kind, path, acl });
    }
}

/// What kind of node a create makes. The opcode decides, not the mode: `create` with the
/// container's flag makes an ordinary node, `createContainer` always a container.
fn owner_of(op: &Create, caller: &Caller<'_>) -> Result<EphemeralOwner, ErrorCode> {
    if let zooid_model::CreateMode::Unknown(_) = op.mode {
        return Err(ErrorCode::BadArguments);
    }
    if op.mode.ttl().is_some() && !caller.grants.extended_types {
        return Err(ErrorCode::Unimplemented);
    }
    match (op.kind, op.mode.ttl()) {
        (CreateKind::Ttl, Some(ttl)) if ttl.0 >= 1 && ttl <= EphemeralOwner::TTL_MAX => {
            Ok(EphemeralOwner::Ttl(ttl))
        }
        (CreateKind::Ttl, _) | (_, Some(_)) => Err(ErrorCode::BadArguments),
        (CreateKind::Container, None) => Ok(EphemeralOwner::Container),
        (_, None) if op.mode.is_ephemeral() => Ok(EphemeralOwner::Session(caller.session)),
        (_, None) => Ok(EphemeralOwner::None),
    }
}

/// The path of the node to be created; a negative number has its sign among the ten digits.
fn numbered(op: &Create, creates: i32) -> Cow<'_, str> {
    if op.mode.is_sequential() {
        Cow::Owned(format!("{}{creates:010}", op.path))
    } else {
        Cow::Borrowed(op.path.as_str())
    }
}

/// What stands before and behind the last slash. Whether that is a path is asked later.
fn split(path: &str) -> Result<(&str, &str), ErrorCode> {
    if path.contains('\0') {
        return Err(ErrorCode::BadArguments);
    }
    path.rsplit_once('/').ok_or(ErrorCode::BadArguments)
}

fn expect_version(is: i32, expected: i32) -> Result<(), ErrorCode> {
    (expected == -1 || expected == is).then_some(()).ok_or(ErrorCode::BadVersion)
}

/// Never -1, which stands for any version.
fn next_version(version: i32) -> i32 {
    match version.wrapping_add(1) {
        -1 => 0,
        next => next,
    }
}

fn failed_multi(ops: usize, done: usize, error: ErrorCode) -> Vec<OpResult> {
    (0..ops)
        .map(|at| match at.cmp(&done) {
            core::cmp::Ordering::Less => OpResult::Error(Ok(())),
            core::cmp::Ordering::Equal => OpResult::Error(Err(error)),
            core::cmp::Ordering::Greater => OpResult::Error(Err(ErrorCode::RuntimeInconsistency)),
        })
        .collect()
}

fn reply_of(done: OpResult) -> Reply {
    match done {
        OpResult::Path { path } => Reply::Path { path },
        OpResult::PathStat { path, stat } => Reply::PathStat { path, stat },
        OpResult::Stat(stat) => Reply::Stat(stat),
        OpResult::Deleted | OpResult::Checked | OpResult::Error(_) => Reply::Empty,
    }
}

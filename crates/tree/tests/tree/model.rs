//! The tree again, slow and obviously right: a map of paths, and everything found by looking at
//! all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use zooid_ids::{SessionId, Zxid};
use zooid_model::{
    Acl, Change, ChangeKind, Command, Create, CreateKind, CreateMode, EphemeralOwner, ErrorCode,
    OpResult, Origin, PasswordScheme, Perms, Reply, Stat, Turn, Write, WriteOp, acl, path,
};
use zooid_tree::{Counts, Formation, Outcome, PersistedStat, Record, Session, Stamp};

type Done = Result<OpResult, ErrorCode>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelNode {
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) acl: Vec<Acl>,
    pub(crate) stat: PersistedStat,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) nodes: BTreeMap<String, ModelNode>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) formation: Option<Formation>,
    pub(crate) voters: Option<Bytes>,
}

fn parent_of(path: &str) -> Option<&str> {
    let (parent, _) = path.rsplit_once('/')?;
    Some(if parent.is_empty() { "/" } else { parent })
}

impl Model {
    pub(crate) fn new() -> Self {
        let mut nodes = BTreeMap::new();
        for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            let mut acl = Acl::open();
            let mut stat = PersistedStat::default();
            if path.ends_with("config") {
                acl[0].perms = Perms::READ;
                stat.aversion = -1;
            }
            nodes.insert(path.into(), ModelNode { data: Some(Vec::new()), acl, stat });
        }
        Self { nodes, ..Self::default() }
    }

    pub(crate) fn children<'a>(&'a self, of: &'a str) -> impl Iterator<Item = &'a str> {
        let paths = self.nodes.keys().filter(|path| *path != "/");
        paths.map(String::as_str).filter(move |path| parent_of(path) == Some(of))
    }

    pub(crate) fn stat(&self, path: &str) -> Stat {
        let (node, children) = (&self.nodes[path], self.children(path).count() as i32);
        let kept = node.stat;
        let owner = match kept.owner() {
            EphemeralOwner::Session(session) => session.0,
            _ => 0,
        };
        Stat {
            czxid: kept.czxid,
            mzxid: kept.mzxid,
            ctime: kept.ctime,
            mtime: kept.mtime,
            version: kept.version,
            cversion: kept.creates.wrapping_mul(2).wrapping_sub(children),
            aversion: kept.aversion,
            ephemeral_owner: owner,
            data_length: node.data.as_ref().map_or(0, Vec::len) as i32,
            num_children: children,
            pzxid: kept.pzxid,
        }
    }

    /// What the records of a whole checkpoint are.
    pub(crate) fn records(&self) -> Vec<Record> {
        let znodes = self.nodes.iter().map(|(path, node)| Record::Znode {
            path: path.as_str().into(),
            data: node.data.clone().map(Into::into),
            acl: node.acl.as_slice().into(),
            stat: node.stat,
        });
        let sessions = self
            .sessions
            .iter()
            .map(|(id, session)| Record::Session { id: *id, session: *session });
        let voters = self.voters.clone().map(Record::Voters);
        let formation = self.formation.map(Record::Formation);
        znodes.chain(sessions).chain(formation).chain(voters).collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts { znodes: self.nodes.len() as u64, sessions: self.sessions.len() as u64 }
    }

    pub(crate) fn digest(&self) -> u64 {
        let counted = self.nodes.iter().filter(|(path, _)| !path.starts_with("/zookeeper/"));
        counted.fold(0, |sum, (path, node)| sum.wrapping_add(digest_of(path, node)))
    }

    pub(crate) fn apply(&mut self, stamp: Stamp, command: &Command) -> (Outcome, Vec<Change>) {
        let mut changes = Vec::new();
        let outcome = match command {
            Command::Form { cluster, secret } => match self.formation {
                Some(_) => Outcome::AlreadyFormed,
                None => {
                    self.formation = Some(Formation { cluster: *cluster, secret: *secret });
                    Outcome::Formed
                }
            },
            Command::Configure { servers } => {
                let node = self.nodes.get_mut("/zookeeper/config").unwrap();
                if node.data.as_deref() != Some(servers) {
                    node.data = Some(servers.to_vec());
                    (node.stat.version, node.stat.mzxid, node.stat.mtime) =
                        (-1, stamp.zxid, stamp.time);
                    let (kind, path) = (ChangeKind::DataChanged, "/zookeeper/config".into());
                    changes.push(Change { kind, path, acl: node.acl.clone().into() });
                }
                Outcome::Configured
            }
            Command::CreateSession { session, owner, timeout } => {
                match self.sessions.get(session) {
                    Some(held) if held.owner == *owner => Outcome::AlreadyOwner,
                    Some(_) => Outcome::SessionTaken,
                    None if session.0 == 0 || session.0 >> 56 == -1 || session.0 == i64::MIN => {
                        Outcome::SessionTaken
                    }
                    None => {
                        let scheme = PasswordScheme::Keyed;
                        let new = Session { owner: *owner, sequence: 0, timeout: *timeout, scheme };
                        self.sessions.insert(*session, new);
                        Outcome::SessionCreated
                    }
                }
            }
            Command::Attach { session, owner, seen, timeout } => {
                match self.sessions.get_mut(session) {
                    None => Outcome::NoSession,
                    Some(held) if held.owner == *owner => Outcome::AlreadyOwner,
                    Some(held) if held.owner == *seen => {
                        *held = Session { owner: *owner, sequence: 0, timeout: *timeout, ..*held };
                        Outcome::Attached { previous: *seen }
                    }
                    Some(held) => Outcome::NotOwner { owner: held.owner },
                }
            }
            Command::CloseSession { session, by } => self.close(stamp, *session, *by, &mut changes),
            Command::Write(write) => match self.turn(write.turn) {
                Some(refused) => refused,
                None => Outcome::Decided(self.write(stamp, write, &mut changes)),
            },
            Command::Collect { path, czxid, mzxid, pzxid } => {
                self.collect(stamp, path, [*czxid, *mzxid, *pzxid], &mut changes)
            }
        };
        (outcome, changes)
    }

    fn turn(&mut self, turn: Turn) -> Option<Outcome> {
        let Some(held) = self.sessions.get_mut(&turn.session) else {
            return Some(Outcome::NoSession);
        };
        if held.owner != turn.owner {
            Some(Outcome::NotOwner { owner: held.owner })
        } else if turn.sequence <= held.sequence {
            Some(Outcome::Repeat)
        } else if turn.sequence > held.sequence + 1 {
            Some(Outcome::Gap { expected: held.sequence + 1 })
        } else {
            held.sequence += 1;
            None
        }
    }

    fn close(
        &mut self,
        stamp: Stamp,
        session: SessionId,
        by: Origin,
        changes: &mut Vec<Change>,
    ) -> Outcome {
        if let Origin::Client { owner, sequence } = by
            && let Some(refused) = self.turn(Turn { session, owner, sequence })
        {
            return refused;
        }
        let Some(held) = self.sessions.remove(&session) else { return Outcome::NoSession };
        let of_session = EphemeralOwner::Session(session);
        let nodes = self.nodes.iter().filter(|(_, node)| node.stat.owner() == of_session);
        let paths: Vec<String> = nodes.map(|(path, _)| path.clone()).collect();
        paths.iter().for_each(|path| self.remove(stamp, path, changes));
        Outcome::SessionClosed { owner: held.owner, ephemerals: paths.len() }
    }

    fn collect(
        &mut self,
        stamp: Stamp,
        path: &str,
        seen: [Zxid; 3],
        changes: &mut Vec<Change>,
    ) -> Outcome {
        let fits = self.nodes.get(path).is_some_and(|node| {
            let owner = node.stat.owner();
            [node.stat.czxid, node.stat.mzxid, node.stat.pzxid] == seen
                && matches!(owner, EphemeralOwner::Container | EphemeralOwner::Ttl(_))
        });
        if !fits || self.children(path).next().is_some() {
            return Outcome::NotCollected;
        }
        self.remove(stamp, path, changes);
        Outcome::Collected
    }

    fn write(
        &mut self,
        stamp: Stamp,
        write: &Write,
        changes: &mut Vec<Change>,
    ) -> Result<Reply, ErrorCode> {
        let WriteOp::Multi(ops) = &write.op else {
            return Ok(match self.op(stamp, write, &write.op, changes)? {
                OpResult::Path { path } => Reply::Path { path },
                OpResult::PathStat { path, stat } => Reply::PathStat { path, stat },
                OpResult::Stat(stat) => Reply::Stat(stat),
                _ => Reply::Empty,
            });
        };
        let before = self.clone();
        let mut results = Vec::new();
        for op in ops {
            let done = match op {
                WriteOp::SetAcl { .. } | WriteOp::Multi(_) => Err(ErrorCode::Unimplemented),
                op => self.op(stamp, write, op, changes),
            };
            match done {
                Ok(result) => results.push(result),
                Err(error) => {
                    *self = before;
                    changes.clear();
                    let mut errors = vec![Err(ErrorCode::RuntimeInconsistency); ops.len()];
                    errors[..results.len()].fill(Ok(()));
                    errors[results.len()] = Err(error);
                    results = errors.into_iter().map(OpResult::Error).collect();
                    break;
                }
            }
        }
        Ok(Reply::Multi(results))
    }

    fn op(&mut self, stamp: Stamp, write: &Write, op: &WriteOp, changes: &mut Vec<Change>) -> Done {
        match op {
            WriteOp::Create(create) => self.create(stamp, write, create, changes),
            WriteOp::Delete { path, version } => {
                let parent = parent_of(path).ok_or(ErrorCode::BadArguments)?;
                let system = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];
                if path.contains('\0') || system.contains(&path.as_str()) {
                    return Err(ErrorCode::BadArguments);
                }
                self.allowed(write, parent, Perms::DELETE)?;
                let stat = self.nodes.get(path).ok_or(ErrorCode::NoNode)?.stat;
                versions_match(stat.version, *version)?;
                if self.children(path).next().is_some() {
                    return Err(ErrorCode::NotEmpty);
                }
                self.remove(stamp, path, changes);
                Ok(OpResult::Deleted)
            }
            WriteOp::SetData { path, data, version } => {
                path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
                self.allowed(write, path, Perms::WRITE)?;
                let growth = len(data.as_deref()) - len(self.nodes[path].data.as_deref());
                self.quota_allows(write, path, 0, growth)?;
                let node = self.nodes.get_mut(path).expect("it was just seen");
                versions_match(node.stat.version, *version)?;
                node.data = data.as_ref().map(|data| data.to_vec());
                node.stat.version = next_version(node.stat.version);
                (node.stat.mzxid, node.stat.mtime) = (stamp.zxid, stamp.time);
                let stat = self.stat(path);
                self.write_stats();
                self.told(changes, ChangeKind::DataChanged, path);
                Ok(OpResult::Stat(stat))
            }
            WriteOp::SetAcl { path, acl, version } => {
                path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
                let list = acl::resolve(acl, &write.identities).ok_or(ErrorCode::InvalidAcl)?;
                self.allowed(write, path, Perms::ADMIN)?;
                let node = self.nodes.get_mut(path).expect("it was just seen");
                versions_match(node.stat.aversion, *version)?;
                node.acl = list;
                node.stat.aversion = next_version(node.stat.aversion);
                Ok(OpResult::Stat(self.stat(path)))
            }
            WriteOp::Check { path, version } => {
                path::validate(path).map_err(|_| ErrorCode::BadArguments)?;
                self.allowed(write, path, Perms::READ)?;
                versions_match(self.nodes[path].stat.version, *version)?;
                Ok(OpResult::Checked)
            }
            WriteOp::Multi(_) => Err(ErrorCode::Unimplemented),
        }
    }

    fn create(
        &mut self,
        stamp: Stamp,
        write: &Write,
        op: &Create,
        changes: &mut Vec<Change>,
    ) -> Done {
        let owner = kind_of(write, op)?;
        let parent = parent_of(&op.path).ok_or(ErrorCode::BadArguments)?;
        if op.path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let acl = acl::resolve(&op.acl, &write.identities).ok_or(ErrorCode::InvalidAcl)?;
        self.allowed(write, parent, Perms::CREATE)?;
        let creates = self.nodes[parent].stat.creates;
        let number = if op.mode.is_sequential() { format!("{creates:010}") } else { String::new() };
        let path = format!("{}{number}", op.path);
        path::validate(&path).map_err(|_| ErrorCode::BadArguments)?;
        if self.nodes.contains_key(&path) {
            return Err(ErrorCode::NodeExists);
        }
        if matches!(self.nodes[parent].stat.owner(), EphemeralOwner::Session(_)) {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        self.quota_allows(write, &path, 1, len(op.data.as_deref()))?;
        let stat = PersistedStat {
            czxid: stamp.zxid,
            mzxid: stamp.zxid,
            pzxid: stamp.zxid,
            ctime: stamp.time,
            mtime: stamp.time,
            ephemeral_owner: owner.to_wire(),
            ..PersistedStat::default()
        };
        let data = op.data.as_ref().map(|data| data.to_vec());
        self.nodes.insert(path.clone(), ModelNode { data, acl, stat });
        let above = &mut self.nodes.get_mut(parent).expect("it was just seen").stat;
        (above.creates, above.pzxid) = (creates.wrapping_add(1), stamp.zxid);
        let stat = self.stat(&path);
        if path.starts_with("/zookeeper/quota/") && path.ends_with("/zookeeper_stats") {
            self.write_stats_at(&path);
        }
        self.write_stats();
        self.told(changes, ChangeKind::Created, &path);
        self.told(changes, ChangeKind::ChildrenChanged, parent);
        Ok(match op.kind {
            CreateKind::Create => OpResult::Path { path },
            _ => OpResult::PathStat { path, stat },
        })
    }

    fn remove(&mut self, stamp: Stamp, path: &str, changes: &mut Vec<Change>) {
        let parent = parent_of(path).expect("the root stays");
        self.told(changes, ChangeKind::Deleted, path);
        self.told(changes, ChangeKind::ChildrenChanged, parent);
        self.nodes.remove(path);
        self.nodes.get_mut(parent).expect("a parent is there").stat.pzxid = stamp.zxid;
        self.write_stats();
    }

    fn told(&self, changes: &mut Vec<Change>, kind: ChangeKind, path: &str) {
        let acl: Arc<[Acl]> = self.nodes[path].acl.as_slice().into();
        changes.push(Change { kind, path: path.into(), acl });
    }

    fn allowed(&self, write: &Write, path: &str, perms: Perms) -> Result<(), ErrorCode> {
        let node = self.nodes.get(path).ok_or(ErrorCode::NoNode)?;
        let allowed = acl::allows(&node.acl, &write.identities, perms);
        if allowed { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }

    /// The paths that quotas are on: those with limits.
    fn quotas(&self) -> Vec<String> {
        let limits = self.nodes.keys().filter_map(|path| {
            path.strip_prefix("/zookeeper/quota")?.strip_suffix("/zookeeper_limits")
        });
        let real = |path: &&str| {
            !path.is_empty() && *path != "/zookeeper" && !path.starts_with("/zookeeper/")
        };
        limits.filter(real).map(String::from).collect()
    }

    fn used(&self, quota: &str) -> (i64, i64) {
        let below = format!("{quota}/");
        let nodes =
            self.nodes.iter().filter(|(path, _)| *path == quota || path.starts_with(&below));
        nodes.fold((0, 0), |(count, bytes), (_, node)| {
            (count + 1, bytes + len(node.data.as_deref()))
        })
    }

    fn write_stats(&mut self) {
        for quota in self.quotas() {
            self.write_stats_at(&format!("/zookeeper/quota{quota}/zookeeper_stats"));
        }
    }

    fn write_stats_at(&mut self, path: &str) {
        let quota = &path["/zookeeper/quota".len()..path.len() - "/zookeeper_stats".len()];
        let (count, bytes) = self.used(quota);
        if let Some(node) = self.nodes.get_mut(path) {
            node.data = Some(format!("count={count},bytes={bytes}").into_bytes());
        }
    }

    /// Knows hard limits only, as the generated limits are.
    fn quota_allows(
        &self,
        write: &Write,
        path: &str,
        count: i64,
        bytes: i64,
    ) -> Result<(), ErrorCode> {
        let on_path = |quota: &String| path == quota || path.starts_with(&format!("{quota}/"));
        let nearest = self.quotas().into_iter().filter(on_path).max_by_key(String::len);
        let (Some(quota), true) = (nearest, write.grants.enforce_quota) else { return Ok(()) };
        if !self.nodes.contains_key(&format!("/zookeeper/quota{quota}/zookeeper_stats")) {
            return Ok(());
        }
        let limits = &self.nodes[&format!("/zookeeper/quota{quota}/zookeeper_limits")].data;
        let text = String::from_utf8(limits.clone().unwrap_or_default()).unwrap();
        let limit = |key: &str| {
            let value = text.split(';').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
            value.and_then(|value| value.parse().ok()).unwrap_or(i64::MAX)
        };
        let used = self.used(&quota);
        let over_count = count != 0 && used.0 + count > limit("countHardLimit");
        let over_bytes = bytes != 0 && used.1 + bytes > limit("byteHardLimit");
        if over_count || over_bytes { Err(ErrorCode::QuotaExceeded) } else { Ok(()) }
    }
}

fn kind_of(write: &Write, op: &Create) -> Result<EphemeralOwner, ErrorCode> {
    match (op.kind, op.mode) {
        (_, CreateMode::Unknown(_)) => Err(ErrorCode::BadArguments),
        (_, mode) if mode.ttl().is_some() && !write.grants.extended_types => {
            Err(ErrorCode::Unimplemented)
        }
        (CreateKind::Ttl, mode) => match mode.ttl() {
            Some(ttl) if (1..=0xff_ffff_ffff).contains(&ttl.0) => Ok(EphemeralOwner::Ttl(ttl)),
            _ => Err(ErrorCode::BadArguments),
        },
        (_, mode) if mode.ttl().is_some() => Err(ErrorCode::BadArguments),
        (CreateKind::Container, _) => Ok(EphemeralOwner::Container),
        (_, CreateMode::Ephemeral | CreateMode::EphemeralSequential) => {
            Ok(EphemeralOwner::Session(write.turn.session))
        }
        _ => Ok(EphemeralOwner::None),
    }
}

fn len(data: Option<&[u8]>) -> i64 {
    data.map_or(0, |data| data.len() as i64)
}

fn versions_match(is: i32, expected: i32) -> Result<(), ErrorCode> {
    if expected == -1 || is == expected { Ok(()) } else { Err(ErrorCode::BadVersion) }
}

fn next_version(version: i32) -> i32 {
    if version == -2 { 0 } else { version.wrapping_add(1) }
}

/// The CRC-32 of path, data and stat, bit by bit.
fn digest_of(path: &str, node: &ModelNode) -> u64 {
    let stat = node.stat;
    let mut bytes = if path == "/" { Vec::new() } else { path.as_bytes().to_vec() };
    bytes.extend(node.data.iter().flatten());
    for long in
        [stat.czxid.wire(), stat.mzxid.wire(), stat.pzxid.wire(), stat.ctime.0, stat.mtime.0]
    {
        bytes.extend(long.to_be_bytes());
    }
    for int in [stat.version, stat.creates, stat.aversion] {
        bytes.extend(int.to_be_bytes());
    }
    bytes.extend(stat.ephemeral_owner.to_be_bytes());
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    u64::from(!crc)
}

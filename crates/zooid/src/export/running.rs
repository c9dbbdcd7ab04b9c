//! The state of a running server, as a client sees it, at exactly one zxid.
//!
//! A recursive watch on the root tells of every change, before any answer that shows it. So what
//! changed is read again, and once everything was read and no event had come by the last answer,
//! all of it is the state that this answer shows, however many others wrote meanwhile.
//!
//! What a client is not told cannot be kept: sessions with their timeouts (so their ephemerals are
//! left out), and which znodes are containers or have a time to live. A change of an ACL alone
//! makes no event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zooid_ids::Zxid;
use zooid_model::{
    Acl, AddWatchMode, ErrorCode, EventKind, Read, Reply, Request, Stat, WatchEvent, path,
};
use zooid_server::config::HostPort;
use zooid_tree::PersistedStat;
use zooid_zookeeper::{State, Znode};

use super::Exported;
use super::connection::{Answered, Connection, ConnectionError};
use crate::progress::Progress;

/// Znodes that are asked for at a time.
const BATCH: usize = 256;
/// So often what changed meanwhile is read again before it is given up.
const ROUNDS: u32 = 5_000;
/// What others are shown of a digest.
const MASKED: &str = ":x";

/// Why the state cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunningError {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// This client may not read it.
    #[error(
        "{path} cannot be read: {why:?}; say --auth digest:USER:PASSWORD of somebody who may, like the super user"
    )]
    Refused { path: String, why: ErrorCode },
    /// This client is not shown the whole ACL.
    #[error(
        "the ACL of {path} is shown in part only: say --auth digest:USER:PASSWORD of somebody who may set it, like the super user"
    )]
    Masked { path: String },
    /// The server answers what was not asked.
    #[error("the server gives another kind of answer for {path} than was asked")]
    Answer { path: String },
    /// It never stood still.
    #[error(
        "the tree changes faster than it can be read: let its clients pause for a moment, or export the dataDir of a server that is stopped"
    )]
    Restless,
}

/// Reads everything, with these identities: scheme and proof.
pub(crate) fn read(
    server: &HostPort,
    auth: &[(String, String)],
    progress: &mut Progress,
) -> Result<Exported, RunningError> {
    let mut connection = Connection::open(server)?;
    for (scheme, proof) in auth {
        connection.authenticate(scheme, proof)?;
    }
    let mut walk = Walk { dirty: BTreeSet::from(["/".to_string()]), ..Walk::default() };
    watch(&mut connection)?;
    let mut rounds = 0;
    while !walk.dirty.is_empty() {
        let first_time = walk.read_some(&mut connection)?;
        progress.is_at(walk.found.len() as u64, "znodes read");
        rounds = if first_time { 0 } else { rounds + 1 };
        if rounds > ROUNDS {
            return Err(RunningError::Restless);
        }
    }
    connection.close()?;
    Ok(walk.finish())
}

fn watch(connection: &mut Connection) -> Result<(), RunningError> {
    let (path, mode) = ("/".to_string(), Some(AddWatchMode::PersistentRecursive));
    match connection.ask(&[Request::AddWatch { path, mode }])?.pop() {
        Some((_, Ok(_))) => Ok(()),
        Some((_, Err(why))) => Err(RunningError::Refused { path: "/".into(), why }),
        None => Err(RunningError::Answer { path: "/".into() }),
    }
}

#[derive(Default)]
struct Walk {
    /// What has to be read, for the first time or again.
    dirty: BTreeSet<String>,
    found: BTreeMap<String, Found>,
    /// Of the last answer.
    zxid: Zxid,
}

/// A znode as it was read last.
struct Found {
    data: Option<bytes::Bytes>,
    acl: Arc<[Acl]>,
    stat: Stat,
}

impl Walk {
    /// Reads some of what has to be read; true if a part of it was never seen before.
    fn read_some(&mut self, connection: &mut Connection) -> Result<bool, RunningError> {
        let batch: Vec<String> = self.dirty.iter().take(BATCH).cloned().collect();
        let first_time = batch.iter().any(|path| !self.found.contains_key(path));
        let requests: Vec<Request> = batch.iter().flat_map(|path| requests(path)).collect();
        let answers = connection.ask(&requests)?;
        for (path, answers) in batch.into_iter().zip(answers.chunks_exact(REQUESTS)) {
            self.dirty.remove(&path);
            self.take(path, answers)?;
        }
        connection.take_events().iter().for_each(|event| self.changed(event));
        Ok(first_time)
    }

    /// What was answered for one znode. If it changed between two of the answers there was an event.
    fn take(&mut self, path: String, answers: &[Answered]) -> Result<(), RunningError> {
        for (zxid, result) in answers {
            self.zxid = self.zxid.max(*zxid);
            match result {
                Ok(_) => {}
                Err(ErrorCode::NoNode) => {
                    self.found.remove(&path);
                    return Ok(());
                }
                Err(why) => return Err(RunningError::Refused { path, why: *why }),
            }
        }
        let [
            (_, Ok(Reply::Data { data, stat })),
            (_, Ok(Reply::Acl { acl, .. })),
            (_, Ok(Reply::Children(children))),
        ] = answers
        else {
            return Err(RunningError::Answer { path });
        };
        if acl.iter().any(|entry| &*entry.id.scheme == "digest" && entry.id.id.ends_with(MASKED)) {
            return Err(RunningError::Masked { path });
        }
        let below = if path == "/" { "" } else { &path };
        let children = children.iter().map(|name| format!("{below}/{name}"));
        self.dirty.extend(children.filter(|child| !self.found.contains_key(child)));
        let found = Found { data: data.clone(), acl: acl.clone(), stat: *stat };
        self.found.insert(path, found);
        Ok(())
    }

    fn changed(&mut self, event: &WatchEvent) {
        self.dirty.insert(event.path.to_string());
        if event.kind != EventKind::NodeDataChanged
            && let Some(parent) = path::parent(&event.path)
        {
            self.dirty.insert(parent.to_string());
        }
    }

    fn finish(self) -> Exported {
        let mut state = State::new(self.zxid);
        let mut ephemerals = 0_usize;
        for (path, Found { data, acl, stat }) in self.found {
            match stat.ephemeral_owner {
                0 => state.put(&path, Znode { data, acl, stat: persisted(&stat) }),
                _ => ephemerals += 1,
            }
        }
        let note = format!(
            "as a client sees it: all sessions and their {ephemerals} ephemeral znodes are left out, \
             and containers and znodes with a time to live are ordinary ones"
        );
        Exported { state, notes: vec![note] }
    }
}

/// Requests for each znode.
const REQUESTS: usize = 3;

fn requests(path: &str) -> [Request; REQUESTS] {
    let (path, watch) = (path.to_string(), false);
    [
        Request::Read(Read::GetData { path: path.clone(), watch }),
        Request::Read(Read::GetAcl { path: path.clone() }),
        Request::Read(Read::GetChildren { path, watch }),
    ]
}

/// A client is told twice the creates without the children that there are.
fn persisted(stat: &Stat) -> PersistedStat {
    PersistedStat {
        czxid: stat.czxid,
        mzxid: stat.mzxid,
        pzxid: stat.pzxid,
        ctime: stat.ctime,
        mtime: stat.mtime,
        version: stat.version,
        creates: (stat.cversion.wrapping_add(stat.num_children) as u32 >> 1) as i32,
        aversion: stat.aversion,
        ephemeral_owner: 0,
    }
}

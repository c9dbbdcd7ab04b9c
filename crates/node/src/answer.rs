//! Requests that this server answers from its own state: reads, watches, identities.

use alloc::vec::Vec;

use zooid_ids::{ConnectionId, SessionId, Xid, Zxid};
use zooid_model::{
    ErrorCode, EventKind, Identity, Read, Reply, Request, SetWatches, WatchEvent, WatchKind,
};
use zooid_watch::{Watch, missed};
use zooid_wire::{encode_event, opcode};

use crate::connection::Waiting;
use crate::{Node, ToClient};

/// What ZooKeeper writes in a header where it has no zxid: -1.
const NO_ZXID: Zxid = Zxid(u64::MAX);

impl Node {
    /// Answers a request whose turn it is.
    pub(crate) fn answer(&mut self, id: ConnectionId, waiting: Waiting) {
        match waiting {
            Waiting::Refused(xid, refusal) => self.reply(id, xid, self.tree.zxid(), Err(refusal)),
            Waiting::Request(xid, request) => self.answer_request(id, xid, request),
            Waiting::Answer { xid, zxid, result } => self.reply(id, xid, zxid, result),
        }
    }

    fn answer_request(&mut self, id: ConnectionId, xid: Xid, request: Request) {
        let result = match request {
            Request::Read(read) => self.answer_read(id, &read),
            Request::SetWatches(set) => self.set_watches(id, &set),
            Request::AddWatch { path, mode } => match mode {
                Some(mode) => self.watch(id, &path, mode.into()).map(|()| Reply::WatchAdded),
                None => Err(ErrorCode::MarshallingError),
            },
            Request::CheckWatches { path, kind } => {
                with_kind(kind, |kind| self.watches.contains(id, &path, kind))
            }
            Request::RemoveWatches { path, kind } => {
                with_kind(kind, |kind| self.watches.remove(id, &path, kind))
            }
            Request::WhoAmI => Ok(Reply::Identities(self.who(id))),
            Request::Sync { path } => Ok(Reply::Sync { path }),
            Request::Unknown { opcode: opcode::RECONFIG } => Err(ErrorCode::ReconfigDisabled),
            Request::Unknown { .. } => return self.answer_unknown(id, xid),
            Request::Malformed { opcode } => {
                self.counters.malformed_requests += 1;
                if opcode == opcode::AUTH {
                    return self.close(id);
                }
                Err(ErrorCode::MarshallingError)
            }
            Request::Write(_) | Request::Ping | Request::Auth { .. } | Request::CloseSession => {
                unreachable!("these are taken another way")
            }
        };
        self.reply(id, xid, self.tree.zxid(), result);
    }

    /// As ZooKeeper does, which then knows nothing of what such a client means.
    fn answer_unknown(&mut self, id: ConnectionId, xid: Xid) {
        self.counters.unknown_requests += 1;
        self.reply(id, xid, NO_ZXID, Err(ErrorCode::Unimplemented));
        self.close(id);
    }

    fn answer_read(&mut self, id: ConnectionId, read: &Read) -> Result<Reply, ErrorCode> {
        let (session, identities) = self.asker(id);
        let result = self.tree.read(read, session, identities);
        if let Some((path, watch)) = watch_of(read, &result) {
            self.watch(id, path, watch)?;
        }
        result
    }

    fn asker(&self, id: ConnectionId) -> (SessionId, &[Identity]) {
        self.connections
            .get(&id)
            .map_or((SessionId::NONE, &[]), |asker| (asker.session, &asker.identities))
    }

    fn watch(&mut self, id: ConnectionId, path: &str, watch: Watch) -> Result<(), ErrorCode> {
        self.watches.add(id, path, watch).map_err(|_| {
            self.counters.refused_over_limit += 1;
            ErrorCode::ThrottledOp
        })
    }

    /// Sets the watches of an earlier connection anew; what they missed is told first.
    fn set_watches(&mut self, id: ConnectionId, set: &SetWatches) -> Result<Reply, ErrorCode> {
        for (paths, watch) in [
            (&set.data, Watch::Data),
            (&set.exist, Watch::Exist),
            (&set.child, Watch::Child),
            (&set.persistent, Watch::Persistent),
            (&set.persistent_recursive, Watch::PersistentRecursive),
        ] {
            for path in paths {
                match missed(watch, set.relative_zxid, self.tree.stat(path).as_ref()) {
                    Some(kind) => self.tell_missed(id, path, kind),
                    None => self.watch(id, path, watch)?,
                }
            }
        }
        Ok(Reply::Empty)
    }

    fn tell_missed(&mut self, id: ConnectionId, path: &str, kind: EventKind) {
        self.counters.events_sent += 1;
        let event = WatchEvent { kind, path: path.into(), zxid: None::<Zxid> };
        self.tell(id, ToClient::Event(encode_event(&event)));
    }

    /// A client's identities, without what would give a password away.
    fn who(&self, id: ConnectionId) -> Vec<Identity> {
        let (_, identities) = self.asker(id);
        let visible = identities.iter().map(|identity| match &*identity.scheme {
            "digest" => {
                let user = identity.id.split(':').next().unwrap_or_default();
                Identity::new("digest", user)
            }
            _ => identity.clone(),
        });
        let mut shown = Vec::with_capacity(identities.len());
        visible.for_each(|identity| {
            if !shown.contains(&identity) {
                shown.push(identity);
            }
        });
        shown
    }
}

fn with_kind(
    kind: Option<WatchKind>,
    mut found: impl FnMut(WatchKind) -> bool,
) -> Result<Reply, ErrorCode> {
    let kind = kind.ok_or(ErrorCode::MarshallingError)?;
    if found(kind) { Ok(Reply::Empty) } else { Err(ErrorCode::NoWatcher) }
}

/// The watch that a read leaves: on what it found, or with `exists` on what is not there yet.
fn watch_of<'a>(read: &'a Read, result: &Result<Reply, ErrorCode>) -> Option<(&'a str, Watch)> {
    let (path, watch) = match (read, result) {
        (Read::Exists { path, watch: true }, Ok(_)) => (path, Watch::Data),
        (Read::Exists { path, watch: true }, Err(ErrorCode::NoNode)) => (path, Watch::Exist),
        (Read::GetData { path, watch: true }, Ok(_)) => (path, Watch::Data),
        (
            Read::GetChildren { path, watch: true } | Read::GetChildren2 { path, watch: true },
            Ok(_),
        ) => (path, Watch::Child),
        _ => return None,
    };
    Some((path, watch))
}

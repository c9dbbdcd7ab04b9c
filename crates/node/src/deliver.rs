//! What is agreed on is applied: the tree decides, watchers are told, then the one who asked.

use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{ConnectionId, Zxid};
use zooid_model::{Change, Command, ErrorCode, Origin, Owner, Perms, Reply, WatchEvent, acl};
use zooid_tree::{Outcome, Stamp};
use zooid_wire::encode_event;
use zooid_zab::{Body, Effect as Agreed, Entry, SyncTicket};

use crate::connection::{Commanded, Waiting};
use crate::contract::entry::{read_command, write_config};
use crate::node::unreadable;
use crate::{Effect, Node, ToClient};

impl Node {
    /// Acts on what the agreement says, in its order; while the log is replayed, later.
    pub(crate) fn act(&mut self, agreed: Vec<Agreed>) {
        self.agreed.extend(agreed);
        while self.replay_through.is_none() {
            let Some(next) = self.agreed.pop_front() else { break };
            match next {
                Agreed::Deliver(entry) => self.deliver(entry),
                Agreed::Synced(ticket) => self.synced(ticket),
                Agreed::Touched { channel, payload } => self.take_touches(channel, payload),
                Agreed::Confirmed { payload } => self.confirm_touches(payload),
                other => {
                    self.follow_role(&other);
                    self.effects.push(Effect::Agree(other));
                }
            }
        }
    }

    pub(crate) fn replay_entry(&mut self, entry: Entry) {
        let through = self.replay_through.expect("nobody asked for the log");
        assert!(entry.zxid <= through, "an entry beyond the replay");
        let done = entry.zxid == through;
        self.deliver(entry);
        if done {
            self.replay_through = None;
            self.act(Vec::new());
        }
    }

    fn deliver(&mut self, entry: Entry) {
        self.counters.entries_applied += 1;
        self.since_checkpoint += 1;
        match entry.body {
            Body::EpochStart(config) | Body::Config(config) => {
                self.tree.set_voters(entry.zxid, write_config(&config));
            }
            Body::Command(bytes) => {
                let stamp = Stamp { zxid: entry.zxid, time: entry.time };
                self.apply(stamp, bytes);
            }
        }
    }

    fn apply(&mut self, stamp: Stamp, bytes: Bytes) {
        // Whoever cannot read the log must not go on as if the entry were not there.
        let command = read_command(bytes)
            .unwrap_or_else(|error| panic!("{}", unreadable(stamp.zxid, &error)));
        let applied = self.tree.apply(stamp, &command);
        self.counters.over_soft_quota += u64::from(applied.over_soft_quota);
        self.fire(stamp.zxid, &applied.changes);
        match command {
            Command::Form { .. } | Command::Configure { .. } => {}
            Command::CreateSession { session, owner, timeout }
            | Command::Attach { session, owner, timeout, .. } => {
                let lives = self.tree.session(session).is_some_and(|s| s.owner == owner);
                // One whose end is in the log already is not taken for alive again.
                if lives && self.is_leading() && !self.ending.contains(&session) {
                    self.expiry.track(session, self.clock.now, timeout);
                }
                self.session_opened(owner, applied.outcome);
            }
            Command::CloseSession { session, by } => {
                if self.tree.session(session).is_none() {
                    self.expiry.remove(session);
                    self.ending.remove(&session);
                }
                self.session_closed(stamp.zxid, &by, applied.outcome);
            }
            Command::Write(write) => {
                let turn = write.turn;
                self.written(stamp.zxid, &turn.owner, turn.sequence, applied.outcome);
            }
            Command::Collect { .. } => {
                self.counters.nodes_collected += u64::from(applied.outcome == Outcome::Collected);
            }
        }
    }

    /// Tells everybody who watches, and may read what they watch, before anybody is answered.
    fn fire(&mut self, zxid: Zxid, changes: &[Change]) {
        for change in changes {
            let connections = &self.connections;
            let mut encoded: Option<Bytes> = None;
            let mut told = Vec::new();
            self.watches.fire(change, &mut |id, kind| {
                let identities = connections.get(&id).map_or(&[][..], |c| &c.identities);
                if !acl::allows(&change.acl, identities, Perms::READ) {
                    return;
                }
                let event = encoded.get_or_insert_with(|| {
                    let path = change.path.clone();
                    encode_event(&WatchEvent { kind, path, zxid: Some(zxid) })
                });
                told.push((id, event.clone()));
            });
            self.counters.events_sent += told.len() as u64;
            told.into_iter().for_each(|(id, event)| self.tell(id, ToClient::Event(event)));
        }
    }

    fn session_opened(&mut self, owner: Owner, outcome: Outcome) {
        if let Outcome::Attached { previous } = outcome {
            self.counters.sessions_reattached += 1;
            if let Some(old) = self.own(&previous) {
                self.close(old);
            }
        }
        let Some(id) = self.own(&owner) else { return };
        match outcome {
            Outcome::SessionCreated | Outcome::Attached { .. } | Outcome::AlreadyOwner => {
                self.welcome(id);
            }
            Outcome::NoSession => self.refuse_session(id),
            // The id was taken, or the session moved on while this connection asked for it: the
            // client comes again.
            _ => self.close(id),
        }
    }

    fn session_closed(&mut self, zxid: Zxid, by: &Origin, outcome: Outcome) {
        let asked = match by {
            Origin::Client { owner, sequence } => self.own(owner).map(|id| (id, *sequence)),
            Origin::Expiry => None,
        };
        if let Outcome::SessionClosed { owner, .. } = outcome {
            self.counters.sessions_expired += u64::from(*by == Origin::Expiry);
            if let Some((id, sequence)) = asked {
                self.finish_last(id, zxid, sequence, Ok(Reply::Empty));
            }
            if let Some(id) = self.own(&owner) {
                self.close(id);
            }
        } else if let Some((id, _)) = asked {
            self.close(id);
        }
    }

    fn written(&mut self, zxid: Zxid, owner: &Owner, sequence: u64, outcome: Outcome) {
        let Some(id) = self.own(owner) else { return };
        match outcome {
            Outcome::Decided(result) => {
                let over_quota = matches!(result, Err(ErrorCode::QuotaExceeded));
                self.counters.over_hard_quota += u64::from(over_quota);
                self.finish(id, zxid, sequence, result);
            }
            Outcome::NotOwner { .. } => {
                self.finish_last(id, zxid, sequence, Err(ErrorCode::SessionMoved));
            }
            Outcome::NoSession => {
                self.finish_last(id, zxid, sequence, Err(ErrorCode::SessionExpired));
            }
            // The order of this connection is broken; the client must not be told a result.
            _ => self.close(id),
        }
    }

    /// Answers the oldest command of a connection, and all that waited for nothing else.
    fn finish(
        &mut self,
        id: ConnectionId,
        zxid: Zxid,
        sequence: u64,
        result: Result<Reply, ErrorCode>,
    ) {
        let Some(connection) = self.connections.get_mut(&id).filter(|c| !c.closing) else { return };
        let mut confirmed = self.clock.now;
        connection.queue.resolve(sequence, |Commanded { xid, heard }| {
            confirmed = heard;
            Waiting::Answer { xid, zxid, result }
        });
        self.confirm(id, confirmed);
        self.answer_waiting(id);
    }

    /// Answers the oldest command of a connection, nothing behind it, and ends the connection: its
    /// session is not its own any more, so that no other server has to agree.
    fn finish_last(
        &mut self,
        id: ConnectionId,
        zxid: Zxid,
        sequence: u64,
        result: Result<Reply, ErrorCode>,
    ) {
        let Some(connection) = self.connections.get_mut(&id).filter(|c| !c.closing) else { return };
        let answer = |Commanded { xid, .. }| Waiting::Answer { xid, zxid, result };
        connection.queue.resolve_last(sequence, answer);
        self.exempt(id);
        self.answer_waiting(id);
        self.close(id);
    }

    fn synced(&mut self, ticket: SyncTicket) {
        let Some(id) = self.syncs.remove(&ticket) else { return };
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.in_doubt {
            return self.resolve_doubt(id);
        }
        connection.queue.confirm(ticket.0);
        self.answer_waiting(id);
    }

    fn answer_waiting(&mut self, id: ConnectionId) {
        while let Some(waiting) =
            self.connections.get_mut(&id).filter(|c| !c.closing).and_then(|c| c.queue.release())
        {
            self.answer(id, waiting);
        }
    }
}

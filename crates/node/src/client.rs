//! A request becomes a command of the log, or is answered from this server's own state.

use alloc::string::String;

use zooid_ids::{ConnectionId, Xid, Zxid};
use zooid_model::{Command, ErrorCode, Origin, Reply, Request, Turn, Write, WriteOp};
use zooid_session::auth;
use zooid_zab::SyncTicket;

use crate::connection::{Commanded, Waiting};
use crate::request_limits::{check, grows};
use crate::{Node, ToClient};

impl Node {
    pub(crate) fn take_request(&mut self, id: ConnectionId, xid: Xid, request: Request) {
        if self.connections.get(&id).is_none_or(|connection| connection.closing) {
            return;
        }
        self.hear(id);
        match request {
            // Answered at once, whatever waits: a stalled write must not look like a dead server.
            Request::Ping => self.reply(id, Xid::PING, self.tree.zxid(), Ok(Reply::Empty)),
            Request::Auth { scheme, proof } => self.authenticate(id, xid, &scheme, &proof.0),
            Request::Write(op) => self.take_write(id, xid, op),
            Request::Sync { path } => self.take_sync(id, xid, path),
            Request::CloseSession => self.take_close(id, xid),
            other => self.take_local(id, Waiting::Request(xid, other)),
        }
    }

    fn take_write(&mut self, id: ConnectionId, xid: Xid, op: WriteOp) {
        if let Err(refusal) = self.admit(&op) {
            return self.take_local(id, Waiting::Refused(xid, refusal));
        }
        let (owner, heard) = (self.owner(id), self.touch_ahead(id));
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let sequence = connection.queue.command(Commanded { xid, heard });
        let write = Write {
            turn: Turn { session: connection.session, owner, sequence },
            identities: connection.identities.clone(),
            grants: self.settings.grants,
            op,
        };
        self.propose(&Command::Write(write));
    }

    /// Whether it may get a place in the log. Clients try again what timed out, and there may be room
    /// by then.
    fn admit(&mut self, op: &WriteOp) -> Result<(), ErrorCode> {
        if self.short_of_room && grows(op) {
            self.counters.refused_for_room += 1;
            return Err(ErrorCode::OperationTimeout);
        }
        check(op).inspect_err(|_| self.counters.refused_over_limit += 1)
    }

    fn take_close(&mut self, id: ConnectionId, xid: Xid) {
        let (owner, heard) = (self.owner(id), self.touch_ahead(id));
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let sequence = connection.queue.command(Commanded { xid, heard });
        let session = connection.session;
        self.propose(&Command::CloseSession { session, by: Origin::Client { owner, sequence } });
    }

    fn take_sync(&mut self, id: ConnectionId, xid: Xid, path: String) {
        let ticket = self.next_sync();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.queue.sync(ticket.0, Waiting::Request(xid, Request::Sync { path }));
        self.ask_sync(ticket, id);
    }

    pub(crate) fn next_sync(&mut self) -> SyncTicket {
        self.last_sync = SyncTicket(self.last_sync.0 + 1);
        self.last_sync
    }

    /// Asks for the moment at which everything is here that any server has committed until now.
    pub(crate) fn ask_sync(&mut self, ticket: SyncTicket, id: ConnectionId) {
        self.syncs.insert(ticket, id);
        self.agree(|zab, out| zab.sync(ticket, out));
    }

    /// Answers at once if nothing of the same client waits, otherwise in its turn.
    fn take_local(&mut self, id: ConnectionId, waiting: Waiting) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.queue.is_clear() {
            self.answer(id, waiting);
        } else {
            connection.queue.wait(waiting);
        }
    }

    /// Identities count for every request that is taken after this one.
    fn authenticate(&mut self, id: ConnectionId, xid: Xid, scheme: &str, proof: &[u8]) {
        let proved = self.settings.authentication.prove(scheme, proof);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let admitted = proved.and_then(|proved| auth::admit(&mut connection.identities, proved));
        // ZooKeeper's answers to this request carry no zxid.
        if admitted.is_ok() {
            self.reply(id, xid, Zxid::ZERO, Ok(Reply::Empty));
        } else {
            self.counters.auth_failures += 1;
            self.reply(id, xid, Zxid::ZERO, Err(ErrorCode::AuthFailed));
            self.close(id);
        }
    }

    pub(crate) fn reply(
        &mut self,
        id: ConnectionId,
        xid: Xid,
        zxid: Zxid,
        result: Result<Reply, ErrorCode>,
    ) {
        self.tell(id, ToClient::Reply { xid, zxid, result });
    }
}

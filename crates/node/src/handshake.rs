//! A connect request becomes a new session, an old one taken up again, or a refusal.

use zooid_ids::{ConnectionId, Millis, SessionId};
use zooid_model::{Command, ConnectRequest};
use zooid_session::Passwords;
use zooid_session::handshake::{Decision, accepted, decide, expired};

use crate::connection::Connection;
use crate::{Node, ToClient};

impl Node {
    pub(crate) fn shake_hands(
        &mut self,
        id: ConnectionId,
        address: &str,
        request: &ConnectRequest,
    ) {
        let now = self.clock.now;
        self.connect(id, Connection::new(SessionId::NONE, Millis(0), address, request, now));
        // As ZooKeeper, which has no answer for that either.
        if !self.is_serving() {
            return self.close(id);
        }
        match self.decide(request) {
            Decision::Create { timeout } => {
                let (session, owner) = (self.session_ids.draw(), self.owner(id));
                self.begin(id, session, timeout);
                self.propose(&Command::CreateSession { session, owner, timeout });
            }
            Decision::Attach { timeout } => self.attach(id, request.session, timeout),
            Decision::Expired => self.doubt(id),
            Decision::ClientAhead { .. } => {
                self.counters.clients_ahead += 1;
                self.close(id);
            }
        }
    }

    /// Takes up a session that is known here.
    fn attach(&mut self, id: ConnectionId, session: SessionId, timeout: Millis) {
        let owner = self.owner(id);
        let seen = self.tree.session(session).map(|known| known.owner);
        let seen = seen.expect("only a session that is known is attached");
        self.begin(id, session, timeout);
        self.touch_ahead_of_attach(id);
        self.propose(&Command::Attach { session, owner, seen, timeout });
    }

    fn begin(&mut self, id: ConnectionId, session: SessionId, timeout: Millis) {
        let connection = self.connections.get_mut(&id).expect("it was just opened");
        (connection.session, connection.timeout) = (session, timeout);
    }

    /// A session that is not known here may have begun at another server, or this one may be no
    /// part of the ensemble any more: it is looked for again once everything is here that was
    /// committed when the client came.
    fn doubt(&mut self, id: ConnectionId) {
        let connection = self.connections.get_mut(&id).expect("it was just opened");
        connection.in_doubt = true;
        let ticket = self.next_sync();
        self.ask_sync(ticket, id);
    }

    pub(crate) fn resolve_doubt(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.in_doubt = false;
        let Some(request) = connection.handshake.clone() else { return };
        match self.decide(&request) {
            Decision::Attach { timeout } => self.attach(id, request.session, timeout),
            _ => self.refuse_session(id),
        }
    }

    fn decide(&self, request: &ConnectRequest) -> Decision {
        let known = self.tree.session(request.session).map(|session| session.scheme);
        let timeouts = self.settings.timeouts;
        decide(request, known, self.tree.zxid(), timeouts, &self.passwords())
    }

    fn passwords(&self) -> Passwords {
        let formation = self.tree.formation().expect("clients are served by a formed ensemble");
        Passwords::new(formation.secret)
    }

    fn connect(&mut self, id: ConnectionId, connection: Connection) {
        let taken = self.connections.insert(id, connection);
        assert!(taken.is_none(), "connection {id} was used before");
    }

    /// The session's entry is applied and this connection owns it.
    pub(crate) fn welcome(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (session, timeout) = (connection.session, connection.timeout);
        let Some(request) = connection.handshake.take() else { return };
        let scheme = self.tree.session(session).map(|held| held.scheme).unwrap_or_default();
        let password = self.passwords().of(session, scheme);
        self.confirm_opening(id);
        self.tell(id, ToClient::Connected(accepted(&request, session, timeout, password)));
    }

    /// The session is gone, was never, or is somebody else's.
    pub(crate) fn refuse_session(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let Some(request) = connection.handshake.take() {
            self.exempt(id);
            self.tell(id, ToClient::Connected(expired(&request)));
        }
        self.close(id);
    }
}

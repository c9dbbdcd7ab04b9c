//! A connect request becomes a new session, an old one taken up again, or a refusal.

use zooid_ids::{ConnectionId, Millis, SessionId};
use zooid_model::{Command, ConnectRequest};
use zooid_session::handshake::{Decision, accepted, decide, expired};
use zooid_session::{PasswordScheme, Passwords};

use crate::connection::Connection;
use crate::{Node, ToClient};

impl Node {
    pub(crate) fn shake_hands(
        &mut self,
        id: ConnectionId,
        address: &str,
        request: &ConnectRequest,
    ) {
        match self.decide(request) {
            Decision::Create { timeout } => {
                let session = self.session_ids.draw();
                self.connect(id, Connection::new(session, timeout, address, request));
                let owner = self.owner(id);
                self.propose(&Command::CreateSession { session, owner, timeout });
            }
            Decision::Attach { timeout } => {
                let (session, owner) = (request.session, self.owner(id));
                let seen = self.tree.session(session).map(|known| known.owner);
                let seen = seen.expect("only a session that is known is attached");
                self.connect(id, Connection::new(session, timeout, address, request));
                self.expiry.touch(session, self.clock.now);
                self.propose(&Command::Attach { session, owner, seen, timeout });
            }
            Decision::Expired => {
                self.connect(id, Connection::new(SessionId::NONE, Millis(0), address, request));
                self.refuse_session(id);
            }
            Decision::ClientAhead { .. } => {
                self.counters.clients_ahead += 1;
                self.connect(id, Connection::new(SessionId::NONE, Millis(0), address, request));
                self.close(id);
            }
        }
    }

    fn decide(&self, request: &ConnectRequest) -> Decision {
        let known = self.tree.session(request.session).map(|_| PasswordScheme::Keyed);
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
        let passwords = self.passwords();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (session, timeout) = (connection.session, connection.timeout);
        let Some(request) = connection.handshake.take() else { return };
        let password = passwords.of(session, PasswordScheme::Keyed);
        self.tell(id, ToClient::Connected(accepted(&request, session, timeout, password)));
    }

    /// The session is gone, was never, or is somebody else's.
    pub(crate) fn refuse_session(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let Some(request) = connection.handshake.take() {
            self.tell(id, ToClient::Connected(expired(&request)));
        }
        self.close(id);
    }
}

//! Sessions: who owns one, whose turn it is, and what goes when it ends.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use zooid_ids::{ClusterId, Millis, SessionId};
use zooid_model::{EphemeralOwner, Origin, Owner, PasswordScheme, Turn};

use crate::arena::NodeId;
use crate::changes::Mark;
use crate::outcome::{Applied, Outcome, Stamp};
use crate::tree::Tree;
use crate::write::Report;

/// What the ensemble was formed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Formation {
    /// The ensemble's name.
    pub cluster: ClusterId,
    /// What session passwords are made from.
    pub secret: [u8; 32],
}

impl core::fmt::Debug for Formation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Formation").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// A session that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The connection it belongs to.
    pub owner: Owner,
    /// The number of the owner's last command that was applied; 0 for none yet.
    pub sequence: u64,
    /// The negotiated timeout.
    pub timeout: Millis,
    /// How its password is made, as long as it lives.
    pub scheme: PasswordScheme,
}

impl Session {
    /// One that an owner just got.
    pub(crate) fn new(owner: Owner, timeout: Millis) -> Self {
        Self { owner, sequence: 0, timeout, scheme: PasswordScheme::Keyed }
    }
}

/// A session with what the tree keeps about it.
pub(crate) struct HeldSession {
    pub(crate) session: Session,
    pub(crate) ephemerals: BTreeSet<NodeId>,
    pub(crate) mark: Mark,
}

impl Tree {
    /// A session that has not ended.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id).map(|held| &held.session)
    }

    /// All sessions that have not ended, by their ids.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = (SessionId, &Session)> {
        self.sessions.iter().map(|(id, held)| (*id, &held.session))
    }

    /// The paths of a session's ephemeral nodes, in their order.
    #[must_use]
    pub fn ephemerals(&self, session: SessionId) -> Vec<String> {
        let ids = self.sessions.get(&session).into_iter().flat_map(|held| &held.ephemerals);
        let mut paths: Vec<String> = ids.map(|id| self.path_of(*id)).collect();
        paths.sort_unstable();
        paths
    }

    pub(crate) fn create_session(&mut self, id: SessionId, session: Session) -> Applied {
        let outcome = match self.sessions.get(&id) {
            Some(held) if held.session.owner == session.owner => Outcome::AlreadyOwner,
            Some(_) => Outcome::SessionTaken,
            None if !is_usable(id) => Outcome::SessionTaken,
            None => {
                self.add_session(id, session);
                Outcome::SessionCreated
            }
        };
        Applied::nothing(outcome)
    }

    pub(crate) fn attach(&mut self, id: SessionId, seen: Owner, session: Session) -> Applied {
        let Some(held) = self.session(id) else { return Applied::nothing(Outcome::NoSession) };
        let (owner, scheme) = (held.owner, held.scheme);
        Applied::nothing(if owner == session.owner {
            Outcome::AlreadyOwner
        } else if owner == seen {
            self.update_session(id, Session { scheme, ..session });
            Outcome::Attached { previous: owner }
        } else {
            Outcome::NotOwner { owner }
        })
    }

    /// Uses up the number of a command; otherwise the command is not to be applied.
    pub(crate) fn take_turn(&mut self, turn: Turn) -> Result<(), Outcome> {
        let Some(session) = self.session(turn.session).copied() else {
            return Err(Outcome::NoSession);
        };
        if session.owner != turn.owner {
            return Err(Outcome::NotOwner { owner: session.owner });
        }
        match turn.sequence.checked_sub(session.sequence) {
            None | Some(0) => Err(Outcome::Repeat),
            Some(1) => {
                self.update_session(turn.session, Session { sequence: turn.sequence, ..session });
                Ok(())
            }
            Some(_) => Err(Outcome::Gap { expected: session.sequence + 1 }),
        }
    }

    pub(crate) fn close_session(&mut self, stamp: Stamp, id: SessionId, by: Origin) -> Applied {
        if let Origin::Client { owner, sequence } = by
            && let Err(refused) = self.take_turn(Turn { session: id, owner, sequence })
        {
            return Applied::nothing(refused);
        }
        let Some(session) = self.session(id).copied() else {
            return Applied::nothing(Outcome::NoSession);
        };
        let paths = self.ephemerals(id);
        let mut report = Report::default();
        for path in &paths {
            let node = self.locate(path).expect("a session's ephemerals are in the tree");
            self.remove_node(stamp, node, path, &mut report);
        }
        self.drop_session(id);
        report
            .into_applied(Outcome::SessionClosed { owner: session.owner, ephemerals: paths.len() })
    }
}

/// True if an `ephemeralOwner` of this number means a session.
pub(crate) fn is_usable(id: SessionId) -> bool {
    EphemeralOwner::from_wire(id.0) == EphemeralOwner::Session(id)
}

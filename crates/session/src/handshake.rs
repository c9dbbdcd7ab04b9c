//! What is answered to the first thing a client says.
//!
//! The decision needs only what stands in the arguments; that two connections may claim a session
//! at once is settled by the log, to which both [`Decision::Create`] and [`Decision::Attach`] go.

use zooid_ids::{Millis, SessionId, Zxid};
use zooid_model::{ConnectReply, ConnectRequest, Password, PasswordScheme};

use crate::Passwords;

/// The session timeouts that clients can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `minSessionTimeout`.
    pub min: Millis,
    /// `maxSessionTimeout`.
    pub max: Millis,
}

impl Timeouts {
    /// The limits where none are configured: 2 and 20 ticks.
    #[must_use]
    pub const fn of_tick(tick: Millis) -> Self {
        Self { min: Millis(tick.0.saturating_mul(2)), max: Millis(tick.0.saturating_mul(20)) }
    }

    /// The timeout that a client gets who wishes this one: any number is answered. If the limits
    /// contradict each other the upper one counts, as in ZooKeeper.
    #[must_use]
    pub fn negotiate(self, wished: Millis) -> Millis {
        wished.max(self.min).min(self.max)
    }
}

/// What becomes of a connect request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A new session is to be created.
    Create {
        /// Its timeout.
        timeout: Millis,
    },
    /// The session is the client's and is to be attached to its connection.
    Attach {
        /// The timeout, negotiated anew.
        timeout: Millis,
    },
    /// Answered with [`expired`], then the connection is closed: the session is gone, or never
    /// was, or the password is not its. Clients are not told which.
    Expired,
    /// The connection is closed without an answer, so that the client tries another server: it has
    /// seen what this one has not yet applied.
    ClientAhead {
        /// The newest zxid that the client has seen.
        seen: Zxid,
        /// The newest that this server has applied.
        applied: Zxid,
    },
}

/// Decides on a connect request. `known` says how the password of the session that it names is
/// made, `None` if there is no such session; `applied` is the newest zxid that this server's tree
/// has applied.
#[must_use]
pub fn decide(
    request: &ConnectRequest,
    known: Option<PasswordScheme>,
    applied: Zxid,
    timeouts: Timeouts,
    passwords: &Passwords,
) -> Decision {
    let timeout = timeouts.negotiate(request.timeout);
    if request.last_zxid_seen > applied {
        return Decision::ClientAhead { seen: request.last_zxid_seen, applied };
    }
    if request.session == SessionId::NONE {
        return Decision::Create { timeout };
    }
    match (known, &request.password) {
        (Some(scheme), Some(password)) if passwords.check(request.session, scheme, password) => {
            Decision::Attach { timeout }
        }
        _ => Decision::Expired,
    }
}

/// The answer to a client whose session was created or attached. The byte about read-only servers
/// is there if the client sent it.
#[must_use]
pub fn accepted(
    request: &ConnectRequest,
    session: SessionId,
    timeout: Millis,
    password: Password,
) -> ConnectReply {
    let read_only = request.read_only.map(|_| false);
    ConnectReply { protocol_version: 0, timeout, session, password, read_only }
}

/// The answer to a client that does not get its session.
#[must_use]
pub fn expired(request: &ConnectRequest) -> ConnectReply {
    ConnectReply::expired(request.read_only.map(|_| false))
}

#[cfg(test)]
mod tests {
    use zooid_model::PASSWORD_LEN;

    use super::*;

    const TIMEOUTS: Timeouts = Timeouts::of_tick(Millis(2000));
    const SESSION: SessionId = SessionId(0x0100_0000_0000_0001);
    const APPLIED: Zxid = Zxid(7);

    fn passwords() -> Passwords {
        Passwords::new([7; 32])
    }

    fn request() -> ConnectRequest {
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout: Millis(30_000),
            session: SessionId::NONE,
            password: Some(Password::default()),
            read_only: Some(false),
        }
    }

    fn claim() -> ConnectRequest {
        let password = Some(passwords().of(SESSION, PasswordScheme::Keyed));
        ConnectRequest { session: SESSION, password, ..request() }
    }

    fn decide_on(request: &ConnectRequest, known: Option<PasswordScheme>) -> Decision {
        decide(request, known, APPLIED, TIMEOUTS, &passwords())
    }

    #[test]
    fn timeouts_are_clamped() {
        for (wished, given) in [
            (30_000, 30_000),
            (0, 4000),
            (-1, 4000),
            (i64::from(i32::MIN), 4000),
            (i64::from(i32::MAX), 40_000),
        ] {
            assert_eq!(TIMEOUTS.negotiate(Millis(wished)), Millis(given));
        }
        let contradiction = Timeouts { min: Millis(9), max: Millis(5) };
        assert_eq!(contradiction.negotiate(Millis(7)), Millis(5));
    }

    #[test]
    fn who_names_no_session_gets_a_new_one() {
        assert_eq!(decide_on(&request(), None), Decision::Create { timeout: Millis(30_000) });
        let nothing = ConnectRequest { password: None, ..request() };
        assert_eq!(decide_on(&nothing, None), Decision::Create { timeout: Millis(30_000) });
    }

    #[test]
    fn the_password_proves_the_session() {
        let known = Some(PasswordScheme::Keyed);
        let attach = Decision::Attach { timeout: Millis(30_000) };
        assert_eq!(decide_on(&claim(), known), attach);
        assert_eq!(decide_on(&claim(), Some(PasswordScheme::ZooKeeper)), Decision::Expired);
        assert_eq!(decide_on(&claim(), None), Decision::Expired);
        for password in [None, Some(Password([1; PASSWORD_LEN]))] {
            let wrong = ConnectRequest { password, ..claim() };
            assert_eq!(decide_on(&wrong, known), Decision::Expired);
        }
        let another = ConnectRequest { session: SessionId(2), ..claim() };
        assert_eq!(decide_on(&another, known), Decision::Expired);
    }

    #[test]
    fn who_has_seen_more_is_sent_away_whatever_it_asks() {
        let seen = Zxid(8);
        for request in [request(), claim()] {
            let ahead = ConnectRequest { last_zxid_seen: seen, ..request.clone() };
            let refused = Decision::ClientAhead { seen, applied: APPLIED };
            assert_eq!(decide_on(&ahead, Some(PasswordScheme::Keyed)), refused);
            let level = ConnectRequest { last_zxid_seen: APPLIED, ..request };
            assert_ne!(decide_on(&level, Some(PasswordScheme::Keyed)), refused);
        }
    }

    #[test]
    fn old_clients_are_answered_without_the_last_byte() {
        let old = ConnectRequest { read_only: None, ..request() };
        let willing = ConnectRequest { read_only: Some(true), ..request() };
        let password = Password([1; PASSWORD_LEN]);
        assert_eq!(accepted(&old, SESSION, Millis(1), password).read_only, None);
        assert_eq!(accepted(&willing, SESSION, Millis(1), password).read_only, Some(false));
        assert_eq!(expired(&old).read_only, None);
        assert_eq!(expired(&willing).session, SessionId::NONE);
    }
}

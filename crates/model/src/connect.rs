//! The first thing said on a connection, both ways.

use core::fmt;

use bytes::Bytes;
use zooid_ids::{Millis, SessionId, Zxid};

/// Bytes of a session's password.
pub const PASSWORD_LEN: usize = 16;

/// What proves that a client may take a session up again. Not shown in logs.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Password(pub [u8; PASSWORD_LEN]);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// How a session's password is made from its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PasswordScheme {
    /// With the ensemble's secret: unpredictable.
    #[default]
    Keyed,
    /// As ZooKeeper makes it, which anyone can: for sessions that were taken over from there.
    ZooKeeper,
}

/// Bytes that prove who a client is. Not shown in logs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub Bytes);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a client opens a connection with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// Always 0 so far.
    pub protocol_version: i32,
    /// The newest zxid that the client has seen, from any server. Negative numbers count as 0.
    pub last_zxid_seen: Zxid,
    /// The session timeout it wishes, as sent: any number.
    pub timeout: Millis,
    /// The session to take up again; [`SessionId::NONE`] for a new one.
    pub session: SessionId,
    /// That session's password; `None` where its length is not [`PASSWORD_LEN`].
    pub password: Option<Password>,
    /// The byte that clients before 3.4 do not send; `None` is answered without the byte.
    pub read_only: Option<bool>,
}

/// How the server answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectReply {
    /// Always 0 so far.
    pub protocol_version: i32,
    /// The negotiated timeout; 0 where the session has expired.
    pub timeout: Millis,
    /// The session; [`SessionId::NONE`] where it has expired.
    pub session: SessionId,
    /// What takes it up again.
    pub password: Password,
    /// Whether this server takes no writes; `None` leaves the byte out.
    pub read_only: Option<bool>,
}

impl ConnectReply {
    /// The answer to a client whose session is gone (or was never, or is somebody else's).
    #[must_use]
    pub fn expired(read_only: Option<bool>) -> Self {
        Self {
            protocol_version: 0,
            timeout: Millis(0),
            session: SessionId::NONE,
            password: Password::default(),
            read_only,
        }
    }
}

//! Clients: session, request and connection numbers.

use core::fmt;

/// A client's session. It is never 0, and never one of the values that an `ephemeralOwner` uses to
/// mark containers (`0x8000000000000000`) and TTL nodes (top byte `0xff`).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

impl SessionId {
    /// No session.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number a client gives a request; it comes back in the reply's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid(pub i32);

impl Xid {
    /// The header of a watch event.
    pub const NOTIFICATION: Self = Self(-1);
    /// A ping and its answer.
    pub const PING: Self = Self(-2);
    /// `addAuthInfo` and its answer.
    pub const AUTH: Self = Self(-4);
    /// What the Java client gives `setWatches`; other clients use an ordinary number.
    pub const SET_WATCHES: Self = Self(-8);
}

/// One TCP connection of one server process; counted up from 1, never used again in that process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

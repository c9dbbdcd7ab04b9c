//! What is judged: the committed log, and each conversation of a client with a server.
//!
//! A harness that cannot know something leaves it out (`None`); then what rests on it is not
//! checked. Times are of one clock, that of whoever observed all the clients.

use zooid_ids::{Millis, ServerId, SessionId, Xid, Zxid};
use zooid_model::{Command, ErrorCode, Identity, Owner, Reply, Request, WatchEvent};

/// A point on the observer's clock, in microseconds. Two things at the same moment have no order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// One entry of the committed log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its place.
    pub zxid: Zxid,
    /// The leader's time in it.
    pub time: Millis,
    /// What it holds.
    pub what: Logged,
    /// When its leader gave it its place.
    pub proposed: Option<Moment>,
    /// When it was first certain to survive: nobody may have been told of it before.
    pub committed: Option<Moment>,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logged {
    /// The start of an epoch.
    EpochStart,
    /// A command.
    Command(Command),
}

/// One server's committed log, and what its tree was.
#[derive(Clone, Debug)]
pub struct ServerLog {
    /// Whose.
    pub server: ServerId,
    /// Its entries, as far as it still has them, in its order.
    pub entries: Vec<Committed>,
    /// The digest of its tree at some zxids.
    pub digests: Vec<(Zxid, u64)>,
}

/// A request, as the client sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Its number.
    pub xid: Xid,
    /// What was asked.
    pub request: Request,
    /// When it was sent.
    pub at: Moment,
    /// Of an `Auth` request: the identities that it proves if it is answered well.
    pub proves: Vec<Identity>,
}

/// Something that the client heard, beside the answer to its connect request.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// An answer.
    Reply {
        /// The request's number.
        xid: Xid,
        /// The header's zxid; `None` where it is negative.
        zxid: Option<Zxid>,
        /// What came of it.
        result: Result<Reply, ErrorCode>,
        /// When it was received.
        at: Moment,
    },
    /// A watch event.
    Event {
        /// What happened.
        event: WatchEvent,
        /// When it was received.
        at: Moment,
    },
}

impl Told {
    /// The header's zxid.
    #[must_use]
    pub fn zxid(&self) -> Option<Zxid> {
        match self {
            Self::Reply { zxid, .. } => *zxid,
            Self::Event { event, .. } => event.zxid,
        }
    }

    /// When it was received.
    #[must_use]
    pub fn at(&self) -> Moment {
        match self {
            Self::Reply { at, .. } | Self::Event { at, .. } => *at,
        }
    }
}

/// How a connection began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// The session the client wished to take up again, with its right password; `NONE` for a new
    /// one, and where the password was a wrong one.
    pub wished: SessionId,
    /// The newest zxid that the client said to have seen.
    pub last_zxid_seen: Zxid,
    /// When it connected.
    pub at: Moment,
    /// The session it was given (`NONE`: it was told that the one it wished has expired), its
    /// timeout, and when; `None` if there was no answer.
    pub given: Option<(SessionId, Millis, Moment)>,
}

/// All that was said on one connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The server.
    pub server: ServerId,
    /// The connection's name in the log. Where it is not known, that of its first answered write
    /// is taken.
    pub owner: Option<Owner>,
    /// Who the client is by its address; not known: whose writes a log entry says they are is not
    /// checked.
    pub identities: Vec<Identity>,
    /// How it began.
    pub greeting: Greeting,
    /// The requests, in order.
    pub asked: Vec<Asked>,
    /// What was heard, in order.
    pub told: Vec<Told>,
}

impl Conversation {
    /// Its session; `NONE` where it has none or the client has not heard of it yet.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.greeting.given.map_or(self.greeting.wished, |(session, _, _)| session)
    }

    /// True if it may be of this session, as far as the client can know: a new one that it has not
    /// heard of may be any.
    pub(crate) fn may_be_of(&self, session: SessionId) -> bool {
        let is_unheard = self.greeting.given.is_none() && self.greeting.wished == SessionId::NONE;
        is_unheard || self.session() == session
    }
}

/// All that is judged together.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The committed log from its beginning, ascending.
    pub log: Vec<Committed>,
    /// The conversations of all clients that were observed, in any order.
    pub conversations: Vec<Conversation>,
    /// What each server has of the log; may be empty.
    pub servers: Vec<ServerLog>,
}

//! A broken guarantee, told so that a person sees it at once.

use std::fmt;

use crate::history::{Committed, Conversation, Told};
use crate::operation::Operation;

/// The promises that are checked; each is a module of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guarantee {
    /// Servers agree on the log and on what it comes to.
    Agreement,
    /// A write is in the log once, with the result that was told.
    Writes,
    /// The order of the log is one that clients could have seen happen.
    RealTime,
    /// A reply shows the version that it names.
    Reads,
    /// After a sync everything is visible that was finished before it.
    Sync,
    /// One client's requests are done and answered in its order.
    Fifo,
    /// Who watches hears of every change once, before newer data.
    Watches,
    /// An ephemeral node is there exactly as long as its session.
    Ephemerals,
    /// A session ends by the log only, and not early.
    Sessions,
    /// Numbers of sequential nodes go up.
    Names,
    /// Versions go up with each change.
    Versions,
}

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Of what.
    pub guarantee: Guarantee,
    /// What is wrong, in one sentence.
    pub what: String,
    /// The operations, events and entries that show it, as few as there can be.
    pub involved: Vec<String>,
}

impl Violation {
    pub(crate) fn new(guarantee: Guarantee, what: impl Into<String>) -> Self {
        Self { guarantee, what: what.into(), involved: Vec::new() }
    }

    pub(crate) fn with(mut self, involved: impl ToString) -> Self {
        self.involved.push(involved.to_string());
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.guarantee, self.what)?;
        self.involved.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.asked;
        write!(f, "{} xid {} asks at {}: ", self.conversation, asked.xid.0, asked.at.0)?;
        write!(f, "{:?}", asked.request)?;
        let Some(answer) = self.answer else { return f.write_str("; no answer") };
        let zxid = answer.zxid.map_or("-1".to_owned(), |zxid| zxid.to_string());
        write!(f, "; at {} zxid {zxid}: {:?}", answer.at.0, answer.result)
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {} on server {}", self.session(), self.server)?;
        let owner = self.owner.iter();
        owner.into_iter().try_for_each(|owner| write!(f, " connection {}", owner.connection))
    }
}

impl fmt::Display for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log {}: {:?}", self.zxid, self.what)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply { xid, zxid, result, at } => {
                write!(f, "told at {}: reply to xid {} at {zxid:?}: {result:?}", at.0, xid.0)
            }
            Self::Event { event, at } => {
                write!(f, "told at {}: {:?} {} at {:?}", at.0, event.kind, event.path, event.zxid)
            }
        }
    }
}

//! What the loop is told, through its one mailbox.

use zooid_ids::Zxid;
use zooid_storage::{Appended, LogPosition};
use zooid_transport::FromClient;
use zooid_transport::peers::FromPeer;
use zooid_zab::Ticket;

use crate::fetch::Fetched;
use crate::turn::Loop;

/// One thing that happened.
pub(crate) enum Event {
    /// A client did something.
    Client(FromClient),
    /// Another server of the ensemble did something.
    Peer(FromPeer),
    /// The disk has synced what was handed out under this ticket.
    Durable(Ticket, Option<Appended>),
    /// A checkpoint of the leader; none where it could not be fetched.
    Fetched(Option<Box<Fetched>>),
    /// The log holds nothing up to this entry any more.
    Compacted(Zxid),
    /// The thread that writes a checkpoint has room for so many records.
    Harvest(usize),
    /// The checkpoint at this position is durable; none where it failed.
    CheckpointEnded(Option<LogPosition>),
    /// So many bytes are free, if that can be found out, and whether that is too little.
    Room {
        /// On the fuller disk.
        free: Option<u64>,
        /// Less than is to stay free.
        is_short: bool,
    },
    /// Somebody wants to look at the state.
    Look(Box<dyn FnOnce(&Loop) + Send>),
    /// This server is about to stop: another one shall lead.
    HandOver,
    /// The loop ends, with what was told to it before.
    Stop,
}

impl Event {
    /// Goes before what clients want: it makes room, and never waits for more than itself.
    #[must_use]
    pub(crate) fn is_control(&self) -> bool {
        !matches!(self, Self::Client(_))
    }
}

impl From<FromPeer> for Event {
    fn from(message: FromPeer) -> Self {
        Self::Peer(message)
    }
}

impl From<FromClient> for Event {
    fn from(message: FromClient) -> Self {
        Self::Client(message)
    }
}

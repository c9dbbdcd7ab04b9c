//! What the agreement asks its surroundings to do.

use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Epoch, ServerId, Zxid};

use crate::message::{ChannelId, Message, Notification};
use crate::{Entry, Promise};

/// Names one thing handed to the disk; they come back in the order they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Names one question "is everything here?".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncTicket(pub u64);

/// One thing to do. Each may be done as soon as it is out; those of the disk in their order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Make a promise durable, then say so.
    Promise {
        /// To say so with.
        ticket: Ticket,
        /// What to write.
        promise: Promise,
    },
    /// Append entries to the log with one sync, then say so.
    Append {
        /// To say so with.
        ticket: Ticket,
        /// The entries, each following the one before it.
        entries: Vec<Entry>,
    },
    /// The entries of the log in `(after, through]` are committed: apply them in order before
    /// anything else.
    Replay {
        /// The last entry that is applied already.
        after: Zxid,
        /// The last entry to apply.
        through: Zxid,
    },
    /// This entry is committed: apply it. Entries come in order, each once.
    Deliver(Entry),
    /// This server leads a new epoch and everything before it is delivered.
    Lead(Epoch),
    /// This server follows a leader, and everything that the leader had when it began is delivered.
    Follow {
        /// Whom.
        leader: ServerId,
        /// In which epoch.
        epoch: Epoch,
    },
    /// This server neither leads nor follows any more.
    Lost,
    /// Cut everything behind this entry off the log, durably, then say so.
    Truncate {
        /// To say so with.
        ticket: Ticket,
        /// The last entry that stays.
        to: Zxid,
    },
    /// Tell a server something about the election; it may be lost.
    Notify {
        /// Whom.
        to: ServerId,
        /// What.
        notification: Notification,
    },
    /// Connect to the leader. Either it succeeds once, or the time for it runs out.
    Dial(ServerId),
    /// Say something through a channel, behind what was said before.
    Send {
        /// Through which.
        channel: ChannelId,
        /// What.
        message: Message,
    },
    /// Send the entries of the log in `(after, through]` through a channel, as `Entries`, behind
    /// what was said before.
    SendLog {
        /// Through which.
        channel: ChannelId,
        /// The entry before the first.
        after: Zxid,
        /// The last one.
        through: Zxid,
    },
    /// Put the checkpoint that was fetched in the place of the log and of the own checkpoint,
    /// durably, then say so.
    Replace {
        /// To say so with.
        ticket: Ticket,
        /// The checkpoint's.
        zxid: Zxid,
    },
    /// The checkpoint is in place: it is the state from which entries are applied now.
    Replaced(Zxid),
    /// Fetch the leader's newest checkpoint, on a connection of its own, then call
    /// [`Zab::fetched`](crate::Zab::fetched). Not wanted any more once [`Effect::Lost`] came.
    Install {
        /// The leader.
        from: ServerId,
    },
    /// This server lacks what it had acknowledged: its disk is an older one. Its data is not to be
    /// trusted, and its life is over; it says no more. Start it anew with a suspect directory.
    Suspect,
    /// Close a channel; nothing that comes through it counts any more.
    Close(ChannelId),
    /// The answer to a sync.
    Synced(SyncTicket),
    /// At the leader: a server's clients were heard. To be answered with [`crate::Zab::confirm`].
    Touched {
        /// The learner's; none if it was this server.
        channel: Option<ChannelId>,
        /// What [`crate::Zab::touch`] was given there.
        payload: Bytes,
    },
    /// No later epoch had started when the leader took this touch of this server.
    Confirmed {
        /// What the leader gave to [`crate::Zab::confirm`].
        payload: Bytes,
    },
}

//! What the loop is told of peers.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use zooid_ids::ServerId;
use zooid_zab::Member;
use zooid_zab::message::{ChannelId, Message, Notification};

use super::channels::Link;

/// What peers tell the loop.
#[derive(Debug)]
pub enum FromPeer {
    /// Something about the election.
    Notified(Notification),
    /// A learner has opened a channel to this server.
    Dialed {
        /// Its number, never used again by this process.
        channel: ChannelId,
        /// Who it says to be.
        learner: Member,
    },
    /// The leader that was dialled is at the other end of a new channel.
    Connected {
        /// Its number, never used again by this process.
        channel: ChannelId,
        /// Who it says to be; the number is the one that was dialled.
        leader: Member,
    },
    /// A message came through a channel, behind those that came before.
    Said {
        /// Which channel.
        channel: ChannelId,
        /// What.
        message: Message,
        /// Its share of what the channel may have under way here.
        held: Held,
    },
    /// A channel has ended, and not by [`Peers::close`](super::Peers::close). Nothing more comes
    /// from it.
    Closed {
        /// Which channel.
        channel: ChannelId,
    },
    /// The leader that was dialled could not be reached.
    Unreachable {
        /// Whom.
        leader: ServerId,
    },
}

/// The bytes of a message that was received; the channel reads on as these are dropped. Keep it as
/// long as the message takes memory.
#[derive(Debug)]
pub struct Held(Share);

#[derive(Debug)]
enum Share {
    /// Of the room of the channel.
    Room(#[expect(dead_code, reason = "given back when dropped")] OwnedSemaphorePermit),
    /// Of what the learner at the other end was granted for forwards.
    Granted { link: Arc<Link>, cost: u64 },
}

impl Held {
    pub(crate) const fn room(permit: OwnedSemaphorePermit) -> Self {
        Self(Share::Room(permit))
    }

    pub(crate) fn granted(link: &Arc<Link>, cost: u64) -> Self {
        Self(Share::Granted { link: Arc::clone(link), cost })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Share::Granted { link, cost } = &self.0 {
            link.give_back(*cost);
        }
    }
}

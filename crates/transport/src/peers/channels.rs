//! The channels that are open, and what is read from them.

use std::collections::BTreeMap;
use std::iter::once;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use tonic::Streaming;
use zooid_zab::message::{ChannelId, Message};
use zooid_zab::{Body, Entry, Member, Voters};

use super::contract::Frame;
use super::generated::{FromLeader, FromLearner};
use super::hello::Ending;
use super::message::Held;
use super::outbox::{Outbox, Stuck};
use super::{FromPeer, Peers};
use crate::counters::count;

/// All channels of this process.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    open: Mutex<BTreeMap<ChannelId, Arc<Link>>>,
    last: AtomicU64,
}

/// This server's end of one channel.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: ChannelId,
    /// Who is at the other end.
    pub(crate) peer: Member,
    end: End,
    ended: Notify,
}

/// Which end, and where what is said goes.
#[derive(Debug)]
pub(crate) enum End {
    /// This server is the learner.
    Learner(Outbox<FromLearner>),
    /// This server is the leader.
    Leader(Outbox<FromLeader>),
}

impl Channels {
    pub(crate) fn open(&self, peer: Member, end: End) -> Arc<Link> {
        let id = ChannelId(self.last.fetch_add(1, Relaxed) + 1);
        let link = Arc::new(Link { id, peer, end, ended: Notify::new() });
        self.lock().insert(id, Arc::clone(&link));
        link
    }

    pub(crate) fn get(&self, channel: ChannelId) -> Option<Arc<Link>> {
        self.lock().get(&channel).cloned()
    }

    /// Ends a channel; false if it had ended before.
    pub(crate) fn end(&self, channel: ChannelId) -> bool {
        let link = self.lock().remove(&channel);
        link.inspect(|link| link.end()).is_some()
    }

    pub(crate) fn end_all(&self) {
        std::mem::take(&mut *self.lock()).values().for_each(|link| link.end());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ChannelId, Arc<Link>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn end(&self) {
        match &self.end {
            End::Learner(outbox) => outbox.end(),
            End::Leader(outbox) => outbox.end(),
        }
        self.ended.notify_one();
    }

    /// Bytes that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        match &self.end {
            End::Learner(outbox) => outbox.waiting(),
            End::Leader(outbox) => outbox.waiting(),
        }
    }

    /// Puts a message behind those that wait.
    pub(crate) fn say(&self, message: &Message, limit: usize) -> Result<(), Ending> {
        match &self.end {
            End::Learner(outbox) => self.put(outbox, message, limit),
            End::Leader(outbox) => self.put(outbox, message, limit),
        }
    }

    fn put<F: Frame>(
        &self,
        outbox: &Outbox<F>,
        message: &Message,
        limit: usize,
    ) -> Result<(), Ending> {
        let frame = F::write(message)?;
        let bytes = frame.encoded_len();
        if bytes > limit {
            // The other end would only see the stream end.
            return Err(Ending::Oversized(format!("{bytes} bytes, and {limit} are allowed")));
        }
        outbox.put(frame).map_err(|stuck| match stuck {
            Stuck::Full(waiting) => Ending::Slow(waiting),
            Stuck::Ended => Ending::Ended,
        })
    }
}

/// Hands over what comes through a channel, to its end.
pub(crate) async fn read<F: Frame>(peers: &Peers, link: &Link, mut stream: Streaming<F>) -> Ending {
    let limit = peers.settings.inbox_bytes;
    let room = Arc::new(Semaphore::new(limit as usize));
    loop {
        let frame = tokio::select! {
            frame = stream.message() => match frame {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ending::Ended,
                Err(status) => return status.into(),
            },
            () = link.ended.notified() => return Ending::Here,
        };
        // A message that is longer than all the room takes all of it.
        let bytes = u32::try_from(frame.encoded_len()).unwrap_or(limit).min(limit);
        let message = match read_message(frame, link.peer) {
            Ok(message) => message,
            Err(ending) => return ending,
        };
        let permit = tokio::select! {
            permit = Arc::clone(&room).acquire_many_owned(bytes) => permit,
            () = link.ended.notified() => return Ending::Here,
        };
        let held = Held::new(permit.expect("nobody closes it"));
        count(&peers.counters.messages_received);
        peers.inbox.push(FromPeer::Said { channel: link.id, message, held });
    }
}

fn read_message<F: Frame>(frame: F, peer: Member) -> Result<Message, Ending> {
    let message = frame.read()?;
    match message {
        Message::Info { member, .. } if member != peer => Err(Ending::Impostor(peer.id)),
        message => Ok(message),
    }
}

/// A message as it is sent: entries in batches of about `limit` bytes.
pub(crate) fn batches(message: Message, limit: usize) -> Vec<Message> {
    let Message::Entries { entries, commit } = message else { return vec![message] };
    let mut batches: Vec<Vec<Entry>> = vec![Vec::new()];
    let mut room = limit;
    for entry in entries {
        let (bytes, batch) = (size(&entry), batches.len() - 1);
        if bytes > room && !batches[batch].is_empty() {
            batches.push(vec![entry]);
            room = limit.saturating_sub(bytes);
        } else {
            batches[batch].push(entry);
            room = room.saturating_sub(bytes);
        }
    }
    batches.into_iter().map(|entries| Message::Entries { entries, commit }).collect()
}

/// About what an entry takes in a message.
fn size(entry: &Entry) -> usize {
    const FRAME: usize = 48;
    match &entry.body {
        Body::EpochStart(config) | Body::Config(config) => {
            let seats = once(&config.voters).chain(&config.next).flat_map(Voters::seats);
            FRAME + 44 * seats.count() + 34 * config.registered.len()
        }
        Body::Command(command) => FRAME + command.len(),
    }
}

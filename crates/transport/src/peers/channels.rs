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
use super::forwards::{Granting, Waiting, cost};
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
    /// This server is the learner; its forwards may have to wait.
    Learner(Outbox<FromLearner>, Mutex<Waiting>),
    /// This server is the leader; it grants forwards, if the learner knows how to ask.
    Leader(Outbox<FromLeader>, Option<Granting>),
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
        lock(&self.open)
    }
}

impl Link {
    fn end(&self) {
        match &self.end {
            End::Learner(outbox, _) => outbox.end(),
            End::Leader(outbox, _) => outbox.end(),
        }
        self.ended.notify_one();
    }

    /// Bytes that wait to be sent, but for forwards that have to be granted.
    pub(crate) fn waiting(&self) -> usize {
        match &self.end {
            End::Learner(outbox, _) => outbox.waiting(),
            End::Leader(outbox, _) => outbox.waiting(),
        }
    }

    /// Puts a message behind those that wait; a forward behind forwards only.
    pub(crate) fn say(&self, message: &Message, limit: usize) -> Result<(), Ending> {
        match (&self.end, cost(message)) {
            (End::Learner(outbox, waiting), Some(cost)) => {
                let mut waiting = lock(waiting);
                waiting.push(cost, frame(message, limit)?);
                forward(outbox, &mut waiting)
            }
            (End::Learner(outbox, _), None) => put(outbox, frame(message, limit)?),
            (End::Leader(outbox, _), _) => put(outbox, frame(message, limit)?),
        }
    }

    /// The leader has granted forwards of so many bytes in all.
    fn granted(&self, total: u64) -> Result<(), Ending> {
        let End::Learner(outbox, waiting) = &self.end else { return Ok(()) };
        let mut waiting = lock(waiting);
        waiting.grant(total);
        forward(outbox, &mut waiting)
    }

    /// Counts a message of the learner that has to be granted: what it costs.
    fn charge(&self, message: &Message) -> Result<Option<u64>, Ending> {
        let End::Leader(_, Some(granting)) = &self.end else { return Ok(None) };
        let cost = cost(message);
        cost.map_or(Ok(()), |cost| granting.receive(cost)).map(|()| cost)
    }

    /// A forward takes no room here any more.
    pub(crate) fn give_back(&self, cost: u64) {
        let End::Leader(outbox, Some(granting)) = &self.end else { return };
        if let Some(granted) = granting.take(cost) {
            // If there is no room for it the channel is about to be closed by what has none either.
            let _ = outbox.put(FromLeader::granted(granted));
        }
    }
}

/// Sends the forwards that are granted.
fn forward(outbox: &Outbox<FromLearner>, waiting: &mut Waiting) -> Result<(), Ending> {
    while let Some(frame) = waiting.pop() {
        put(outbox, frame)?;
    }
    Ok(())
}

fn frame<F: Frame>(message: &Message, limit: usize) -> Result<F, Ending> {
    let frame = F::write(message)?;
    let bytes = frame.encoded_len();
    if bytes > limit {
        // The other end would only see the stream end.
        return Err(Ending::Oversized(format!("{bytes} bytes, and {limit} are allowed")));
    }
    Ok(frame)
}

fn put<F: Frame>(outbox: &Outbox<F>, frame: F) -> Result<(), Ending> {
    outbox.put(frame).map_err(|stuck| match stuck {
        Stuck::Full(waiting) => Ending::Slow(waiting),
        Stuck::Ended => Ending::Ended,
    })
}

/// Hands over what comes through a channel, to its end.
pub(crate) async fn read<F: Frame>(
    peers: &Peers,
    link: &Arc<Link>,
    mut stream: Streaming<F>,
) -> Ending {
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
        let (message, cost) = match take(frame, link) {
            Ok(Some(taken)) => taken,
            Ok(None) => continue,
            Err(ending) => return ending,
        };
        let held = match cost {
            Some(cost) => Held::granted(link, cost),
            None => tokio::select! {
                permit = Arc::clone(&room).acquire_many_owned(bytes) => {
                    Held::room(permit.expect("nobody closes it"))
                }
                () = link.ended.notified() => return Ending::Here,
            },
        };
        count(&peers.counters.messages_received);
        peers.inbox.push(FromPeer::Said { channel: link.id, message, held });
    }
}

/// The message for the loop, if there is one, and what it costs if it had to be granted.
fn take<F: Frame>(frame: F, link: &Link) -> Result<Option<(Message, Option<u64>)>, Ending> {
    if let Some(total) = frame.grants() {
        return link.granted(total).map(|()| None);
    }
    let message = frame.read()?;
    match message {
        Message::Info { member, .. } if member != link.peer => Err(Ending::Impostor(link.peer.id)),
        message => link.charge(&message).map(|cost| Some((message, cost))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

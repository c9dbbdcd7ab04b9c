//! Sends learners what they lack of the log, without the loop waiting for it.
//!
//! While a channel is sent entries from the log, whatever else is to be said through it waits here,
//! in order. Reading and sending are done by a thread of tokio's for blocking work, not quicker
//! than the channel takes it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use zooid_ids::Zxid;
use zooid_storage::LogReader;
use zooid_transport::Mailbox;
use zooid_transport::peers::{FromPeer, Peers};
use zooid_zab::message::{ChannelId, Message};
use zooid_zab::{Body, Entry};

use crate::Event;
use crate::turn::read_entry;

/// Entries are read and sent in batches of about so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// So much may wait in a channel's outbox before more is read.
const AHEAD_BYTES: usize = 8 << 20;
/// How often a full channel is looked at again.
const PAUSE: Duration = Duration::from_millis(2);
/// More than this may not wait behind the log: such a learner is too slow, and begins anew.
const BEHIND_BYTES: usize = 64 << 20;

/// The channels whose other end is being sent the log.
pub(crate) struct CatchingUp {
    peers: Arc<Peers>,
    reader: LogReader,
    mailbox: Arc<Mailbox<Event>>,
    runtime: Handle,
    channels: Arc<Mutex<BTreeMap<ChannelId, Behind>>>,
}

/// What waits to be said through a channel.
#[derive(Default)]
struct Behind {
    items: VecDeque<Item>,
    bytes: usize,
}

enum Item {
    Log { after: Zxid, through: Zxid },
    Message(Message),
}

impl CatchingUp {
    /// Nobody is behind yet. Needs tokio's context.
    pub(crate) fn new(peers: Arc<Peers>, reader: LogReader, mailbox: Arc<Mailbox<Event>>) -> Self {
        let (runtime, channels) = (Handle::current(), Arc::default());
        Self { peers, reader, mailbox, runtime, channels }
    }

    /// Says something through a channel, behind all that was to be said before.
    pub(crate) fn send(&self, channel: ChannelId, message: Message) {
        let mut channels = lock(&self.channels);
        let Some(behind) = channels.get_mut(&channel) else {
            drop(channels);
            return self.peers.send(channel, message);
        };
        behind.bytes += weight(&message);
        behind.items.push_back(Item::Message(message));
        if behind.bytes > BEHIND_BYTES {
            tracing::warn!(channel = channel.0, "a learner is too slow for what it lacks");
            channels.remove(&channel);
            self.end(channel);
        }
    }

    /// Sends the entries of the log in `(after, through]` through a channel.
    pub(crate) fn send_log(&self, channel: ChannelId, after: Zxid, through: Zxid) {
        let mut channels = lock(&self.channels);
        let is_new = !channels.contains_key(&channel);
        channels.entry(channel).or_default().items.push_back(Item::Log { after, through });
        if is_new {
            let sender = self.sender(channel);
            self.runtime.spawn_blocking(move || sender.run());
        }
    }

    /// A channel has ended: nothing more is read for it.
    pub(crate) fn forget(&self, channel: ChannelId) {
        lock(&self.channels).remove(&channel);
    }

    fn end(&self, channel: ChannelId) {
        end(&self.peers, &self.mailbox, channel);
    }

    fn sender(&self, channel: ChannelId) -> Sender {
        Sender {
            channel,
            peers: self.peers.clone(),
            reader: self.reader.clone(),
            mailbox: self.mailbox.clone(),
            channels: self.channels.clone(),
        }
    }
}

/// Brings one channel up to the present.
struct Sender {
    channel: ChannelId,
    peers: Arc<Peers>,
    reader: LogReader,
    mailbox: Arc<Mailbox<Event>>,
    channels: Arc<Mutex<BTreeMap<ChannelId, Behind>>>,
}

impl Sender {
    fn run(&self) {
        while let Some(item) = self.next() {
            let sent = match item {
                Item::Message(message) => self.send(message),
                Item::Log { after, through } => self.send_log(after, through),
            };
            if let Err(why) = sent {
                tracing::warn!(
                    channel = self.channel.0,
                    why,
                    "cannot send a learner what it lacks"
                );
                lock(&self.channels).remove(&self.channel);
                return end(&self.peers, &self.mailbox, self.channel);
            }
        }
    }

    /// What is to be said next; once nothing waits the loop speaks to the channel itself again.
    fn next(&self) -> Option<Item> {
        let mut channels = lock(&self.channels);
        let behind = channels.get_mut(&self.channel)?;
        let item = behind.items.pop_front();
        match &item {
            Some(Item::Message(message)) => behind.bytes -= weight(message),
            Some(Item::Log { .. }) => {}
            None => drop(channels.remove(&self.channel)),
        }
        item
    }

    fn send_log(&self, after: Zxid, through: Zxid) -> Result<(), String> {
        let entries = self.reader.entries(after, through).map_err(|error| error.to_string())?;
        tracing::info!(
            channel = self.channel.0, %after, %through, entries = entries.remaining(),
            "sending a learner what it lacks",
        );
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            let entry = entry.map_err(|error| error.to_string()).and_then(read_entry)?;
            bytes += entry_weight(&entry);
            batch.push(entry);
            if bytes >= BATCH_BYTES {
                self.send_entries(std::mem::take(&mut batch))?;
                bytes = 0;
            }
        }
        if batch.is_empty() { Ok(()) } else { self.send_entries(batch) }
    }

    fn send_entries(&self, entries: Vec<Entry>) -> Result<(), String> {
        self.send(Message::Entries { entries, commit: Zxid::ZERO })
    }

    fn send(&self, message: Message) -> Result<(), String> {
        while self.peers.waiting(self.channel).ok_or("the channel has ended")? > AHEAD_BYTES {
            std::thread::sleep(PAUSE);
        }
        self.peers.send(self.channel, message);
        Ok(())
    }
}

/// Closes a channel, as if its other end had.
fn end(peers: &Peers, mailbox: &Mailbox<Event>, channel: ChannelId) {
    peers.close(channel);
    mailbox.put(Event::Peer(FromPeer::Closed { channel }));
}

fn weight(message: &Message) -> usize {
    match message {
        Message::Entries { entries, .. } => entries.iter().map(entry_weight).sum(),
        _ => 64,
    }
}

fn entry_weight(entry: &Entry) -> usize {
    64 + match &entry.body {
        Body::Command(command) => command.len(),
        _ => 0,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! One connection as the loop and its two tasks share it: what waits to be written, which requests
//! wait for an answer, and how far its life has come.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use zooid_ids::{ConnectionId, Xid, Zxid};
use zooid_model::{ConnectReply, OpResult, ReadResult, Reply, Request};

use crate::counters::count;
use crate::traffic::{self, LastReply, Traffic};
use crate::{Clients, ConnectionReport, Outgoing};

/// Where the loop puts what one client is told. Nothing here blocks.
#[derive(Clone)]
pub struct Outlet(Arc<Link>);

impl Outlet {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self(link)
    }

    /// Puts messages behind those that wait already. Ignored once the connection is closing.
    pub fn send(&self, messages: impl IntoIterator<Item = Outgoing>) {
        self.0.send(messages);
    }

    /// What was sent and will be may be written until then, or for ever; afterwards it waits until
    /// this is said again. At first it is for ever.
    pub fn allow(&self, until: Option<zooid_ids::Instant>) {
        self.0.until.store(until.map_or(u64::MAX, |until| until.0), SeqCst);
        if self.0.is_held_up.swap(false, SeqCst) {
            self.0.for_writer.notify_one();
        }
    }

    /// Ends the connection once what waits is written, or after [`Settings::flush_timeout`].
    ///
    /// [`Settings::flush_timeout`]: crate::Settings::flush_timeout
    pub fn close(&self) {
        self.0.send([Outgoing::CloseAfterFlush]);
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outlet({})", self.0.id)
    }
}

/// The part of [`Settings::outbox_bytes`](crate::Settings::outbox_bytes) at which requests are no
/// longer read.
const PAUSE_SHARE: usize = 4;

/// So many requests are read before it is known how heavy replies are: even if each reply is as
/// long as a znode may be, a client that reads them is not taken for a slow one.
const FIRST_REQUESTS: usize = 32;

/// How slowly heavy replies are forgotten: by this part with each lighter one.
const FORGETTING: usize = 64;

/// How far a connection's life has come; it only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The connect request is not answered: nothing else is read.
    Connecting,
    Open,
    /// Nothing more is read; it closes once all is answered.
    Draining,
    /// Nothing more is read or accepted from the loop; it closes once all is written.
    Flushing,
    /// It is closed, or as good as.
    Dead,
}

/// What the loop and the two tasks of one connection share.
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    pub(crate) peer: SocketAddr,
    pub(crate) clients: Arc<Clients>,
    state: Mutex<State>,
    /// Wakes the reader: it may read on, or has to end.
    pub(crate) for_reader: Notify,
    /// Wakes the writer: there is something to write, or it has to end.
    pub(crate) for_writer: Notify,
    /// Nothing is written after this.
    until: AtomicU64,
    /// The writer waits until that is put off.
    is_held_up: AtomicBool,
}

struct State {
    phase: Phase,
    queue: Vec<Outgoing>,
    /// Estimated bytes of what is queued or being written.
    weight: usize,
    /// What a reply may well weigh, going by the heavy ones of late.
    expected_weight: usize,
    unanswered: VecDeque<Unanswered>,
    unanswered_bytes: usize,
    reader_waits: bool,
    writer_waits: bool,
    traffic: Traffic,
}

struct Unanswered {
    /// That of the reply.
    xid: Xid,
    operation: &'static str,
    /// Whether it goes through the log.
    is_update: bool,
    bytes: usize,
    since: Instant,
}

/// What the writer has to do next.
pub(crate) enum Next {
    /// Write the messages.
    Write,
    /// Wait for the writer's wake-up.
    Wait,
    /// Everything is written: close.
    Finish,
    /// The connection is dead.
    Stop,
}

impl Link {
    pub(crate) fn new(clients: Arc<Clients>, id: ConnectionId, peer: SocketAddr) -> Self {
        let state = State {
            phase: Phase::Connecting,
            queue: Vec::new(),
            weight: 0,
            expected_weight: clients.settings.outbox_bytes / PAUSE_SHARE / FIRST_REQUESTS,
            unanswered: VecDeque::new(),
            unanswered_bytes: 0,
            reader_waits: false,
            writer_waits: false,
            traffic: Traffic::new(),
        };
        let (for_reader, for_writer) = (Notify::new(), Notify::new());
        let (until, is_held_up) = (AtomicU64::new(u64::MAX), AtomicBool::new(false));
        let state = Mutex::new(state);
        Self { id, peer, clients, state, for_reader, for_writer, until, is_held_up }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, messages: impl IntoIterator<Item = Outgoing>) {
        let mut state = self.state();
        let unanswered_before = state.unanswered.len();
        let kept_up = self.queue(&mut state, messages);
        let answered = unanswered_before - state.unanswered.len();
        if !kept_up {
            self.give_up_on_slow_client(&mut state);
        }
        if state.phase == Phase::Draining && state.unanswered.is_empty() {
            state.phase = Phase::Flushing;
        }
        self.wake(state);
        self.clients.outstanding.free(answered);
    }

    /// Queues messages; false once too much waits already. One message more than the limit is let
    /// through, so that no single answer is too long.
    fn queue(&self, state: &mut State, messages: impl IntoIterator<Item = Outgoing>) -> bool {
        let now = Instant::now();
        for message in messages {
            if state.phase >= Phase::Flushing {
                return true;
            }
            if state.weight > self.clients.settings.outbox_bytes {
                return false;
            }
            self.accept(state, &message, now);
            state.queue.push(message);
        }
        true
    }

    /// Notes what a message means for the connection.
    fn accept(&self, state: &mut State, message: &Outgoing, now: Instant) {
        let weight = weight(message);
        state.weight += weight;
        match message {
            Outgoing::Connect(reply) => self.connected(state, reply, now),
            Outgoing::Reply { xid, zxid, .. } => {
                let faded = state.expected_weight - state.expected_weight / FORGETTING;
                state.expected_weight = faded.max(weight);
                self.answered(state, *xid, *zxid, now);
            }
            Outgoing::Event(_) => {}
            Outgoing::CloseAfterFlush => state.phase = Phase::Flushing,
        }
    }

    fn connected(&self, state: &mut State, reply: &ConnectReply, now: Instant) {
        state.phase = state.phase.max(Phase::Open);
        state.traffic.session = reply.session;
        state.traffic.timeout = reply.timeout;
        self.answered(state, Xid(0), Zxid::ZERO, now);
    }

    /// Takes the request that is answered off the list. Replies come in the order of the requests,
    /// except those to pings.
    fn answered(&self, state: &mut State, xid: Xid, zxid: Zxid, now: Instant) {
        let Some(at) = state.unanswered.iter().position(|waiting| waiting.xid == xid) else {
            return;
        };
        let Some(Unanswered { operation, is_update, bytes, since, .. }) =
            state.unanswered.remove(at)
        else {
            return;
        };
        state.unanswered_bytes -= bytes;
        let latency = now.saturating_duration_since(since);
        let counters = &self.clients.counters;
        counters.latency.add(latency);
        if is_update { &counters.update_latency } else { &counters.read_latency }.add(latency);
        state.traffic.answered(LastReply { operation, xid: Some(xid), zxid, at: now, latency });
    }

    fn give_up_on_slow_client(&self, state: &mut State) {
        count(&self.clients.counters.slow_clients);
        tracing::warn!(
            connection = %self.id, peer = %self.peer, session = %state.traffic.session,
            bytes = state.weight,
            "closing the connection: the client does not read what it is sent",
        );
        self.kill(state);
    }

    /// Wakes the tasks that have something to do after a change.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let closing = state.phase >= Phase::Draining;
        let writer =
            (closing || !state.queue.is_empty()) && std::mem::take(&mut state.writer_waits);
        let reader = closing || (state.reader_waits && self.room(&state) != Some(0));
        state.reader_waits &= !reader;
        drop(state);
        if writer || closing {
            self.for_writer.notify_one();
        }
        if reader {
            self.for_reader.notify_one();
        }
    }

    /// How many requests may be read just now; `None` if none will be any more.
    fn room(&self, state: &State) -> Option<usize> {
        let settings = &self.clients.settings;
        let own = state.unanswered.len();
        let pause = settings.outbox_bytes / PAUSE_SHARE;
        match state.phase {
            Phase::Draining | Phase::Flushing | Phase::Dead => None,
            Phase::Connecting => Some(0),
            Phase::Open if state.weight > pause => Some(0),
            Phase::Open if state.unanswered_bytes >= settings.outstanding_bytes_per_connection => {
                Some(0)
            }
            Phase::Open => {
                let in_all = self.clients.outstanding.room();
                let replies_held = (pause - state.weight) / state.expected_weight.max(1);
                let own_limit = settings.outstanding_per_connection.min(replies_held);
                Some(in_all.min(own_limit.saturating_sub(own)).max(usize::from(own == 0)))
            }
        }
    }

    /// For the reader: how many requests it may read now. Where it is 0, the reader is woken when
    /// that changes.
    pub(crate) fn room_for_reader(&self) -> Option<usize> {
        let mut state = self.state();
        let room = self.room(&state);
        state.reader_waits = room == Some(0);
        room
    }

    /// For the reader: notes that the connect request was read.
    pub(crate) fn connecting(&self, since: Instant) {
        let mut state = self.state();
        let (xid, operation) = (Xid(0), "SESS");
        let connect = Unanswered { xid, operation, is_update: true, bytes: 0, since };
        state.unanswered.push_back(connect);
        self.clients.outstanding.take(1);
    }

    /// For the reader: notes requests, of so many bytes together, that it is about to hand over.
    /// False if the connection is closing: they count for nothing.
    pub(crate) fn take(&self, requests: &[(Xid, Request)], bytes: usize, since: Instant) -> bool {
        let mut state = self.state();
        if state.phase != Phase::Open {
            return false;
        }
        // Where the bytes lie among requests that came together makes no difference.
        let each = bytes / requests.len().max(1);
        state.unanswered_bytes += each * requests.len();
        state.unanswered.extend(requests.iter().map(|(xid, request)| Unanswered {
            xid: xid_of_reply(*xid, request),
            operation: traffic::operation(request),
            is_update: matches!(request, Request::Write(_) | Request::CloseSession),
            bytes: each,
            since,
        }));
        self.clients.outstanding.take(requests.len());
        true
    }

    /// Counts frames (or words) that were received.
    pub(crate) fn received(&self, frames: usize, bytes: usize) {
        self.state().traffic.received += frames as u64;
        self.clients.counters.received.fetch_add(frames as u64, Relaxed);
        self.clients.counters.bytes_received.fetch_add(bytes as u64, Relaxed);
    }

    /// For the writer: moves what waits into `batch`, which must be empty.
    pub(crate) fn next(&self, batch: &mut Vec<Outgoing>) -> Next {
        let mut state = self.state();
        if state.phase == Phase::Dead {
            return Next::Stop;
        }
        if !state.queue.is_empty() {
            std::mem::swap(&mut state.queue, batch);
            return Next::Write;
        }
        if state.phase == Phase::Flushing {
            return Next::Finish;
        }
        state.writer_waits = true;
        Next::Wait
    }

    /// For the writer: so many frames, of so much [`weight`], are written.
    pub(crate) fn written(&self, frames: usize, weight: usize) {
        self.clients.counters.sent.fetch_add(frames as u64, Relaxed);
        let mut state = self.state();
        state.traffic.sent += frames as u64;
        state.weight = state.weight.saturating_sub(weight);
        if state.reader_waits {
            self.wake(state);
        }
    }

    /// For the writer: whether it may write now. Where it may not, it is woken when that changes.
    pub(crate) fn may_write(&self) -> bool {
        let may_write = || (self.clients.settings.now)().0 <= self.until.load(SeqCst);
        if may_write() {
            return true;
        }
        self.is_held_up.store(true, SeqCst);
        // It may have been put off in between.
        may_write()
    }

    /// For the writer while it waits for the socket: whether it may still wait, and if so, whether
    /// only until the flush's time is over.
    pub(crate) fn is_closing(&self) -> Option<bool> {
        match self.state().phase {
            Phase::Dead => None,
            phase => Some(phase == Phase::Flushing),
        }
    }

    /// Stops reading; the connection closes once every request is answered and every answer
    /// written.
    pub(crate) fn drain(&self) {
        let mut state = self.state();
        let idle = state.unanswered.is_empty();
        state.phase = state.phase.max(if idle { Phase::Flushing } else { Phase::Draining });
        self.wake(state);
    }

    /// The connection is over: nothing is read or written any more.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        self.kill(&mut state);
        self.wake(state);
    }

    fn kill(&self, state: &mut State) {
        state.phase = Phase::Dead;
        state.queue = Vec::new();
        self.clients.outstanding.free(state.unanswered.len());
        state.unanswered = VecDeque::new();
        state.unanswered_bytes = 0;
    }

    /// What `cons` says of it.
    pub(crate) fn report(&self) -> ConnectionReport {
        let state = self.state();
        ConnectionReport {
            reading: self.room(&state).is_some_and(|room| room > 0),
            writing: state.weight > 0,
            queued: state.unanswered.len(),
            ..state.traffic.report(self.id, self.peer)
        }
    }

    pub(crate) fn reset_report(&self) {
        self.state().traffic.reset();
    }
}

/// The number that the reply to a request carries: to a ping always the same, whatever the client
/// has put there.
fn xid_of_reply(xid: Xid, request: &Request) -> Xid {
    if matches!(request, Request::Ping) { Xid::PING } else { xid }
}

/// About how many bytes a message takes while it waits; never far less than it takes encoded.
pub(crate) fn weight(message: &Outgoing) -> usize {
    const FRAME: usize = 96;
    match message {
        Outgoing::Connect(_) | Outgoing::CloseAfterFlush => FRAME,
        Outgoing::Event(frame) => FRAME + frame.len(),
        Outgoing::Reply { result: Ok(reply), .. } => FRAME + reply_weight(reply),
        Outgoing::Reply { result: Err(_), .. } => FRAME,
    }
}

fn reply_weight(reply: &Reply) -> usize {
    const NAME: usize = 8;
    const STAT: usize = 80;
    match reply {
        Reply::Path { path } | Reply::PathStat { path, .. } | Reply::Sync { path } => path.len(),
        Reply::Data { data, .. } => data.as_ref().map_or(0, |data| data.len()),
        Reply::Acl { acl, .. } => {
            acl.iter().map(|acl| acl.id.scheme.len() + acl.id.id.len() + STAT).sum()
        }
        Reply::Children(names) | Reply::Ephemerals(names) => names.text_len() + NAME * names.len(),
        Reply::ChildrenStat { children, .. } => children.text_len() + NAME * children.len(),
        Reply::Multi(results) => results.iter().map(|result| STAT + op_weight(result)).sum(),
        Reply::MultiRead(results) => results.iter().map(|result| STAT + read_weight(result)).sum(),
        Reply::Identities(identities) => {
            identities.iter().map(|who| who.scheme.len() + who.id.len() + STAT).sum()
        }
        Reply::Empty | Reply::Stat(_) | Reply::AllChildrenNumber(_) | Reply::WatchAdded => 0,
    }
}

fn op_weight(result: &OpResult) -> usize {
    match result {
        OpResult::Path { path } | OpResult::PathStat { path, .. } => path.len(),
        OpResult::Stat(_) | OpResult::Deleted | OpResult::Checked | OpResult::Error(_) => 0,
    }
}

fn read_weight(result: &ReadResult) -> usize {
    match result {
        ReadResult::Data { data, .. } => data.as_ref().map_or(0, |data| data.len()),
        ReadResult::Children(names) => names.text_len() + 8 * names.len(),
        ReadResult::Error(_) => 0,
    }
}

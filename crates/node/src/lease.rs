//! How long a client may be told anything without asking anybody.
//!
//! A client trusts what it hears for two thirds of its session's timeout T; the leader ends the
//! session when it heard nothing of it for T. So that nobody is told something after its session
//! may have ended elsewhere, whatever a client says is a *touch*, passed on to the leader with the
//! moment at which it was heard here. The touch is *confirmed* once the leader took it and then a
//! quorum still followed that leader. What is to be told to a client is told only within T/3 of a
//! confirmed moment, and waits for the next confirmation otherwise. It is decided a little before
//! that is over, and whoever writes it is told when it is ([`Effect::Allow`]).
//!
//! At most one touch in T/6 leaves for the leader, unless something waits for it; none is
//! forgotten. One that is due leaves ahead of the client's next command; then a command that is
//! committed confirms that moment too, without a round.

use alloc::vec::Vec;

use zooid_ids::{ConnectionId, Instant, Millis};
use zooid_zab::message::ChannelId;

use crate::connection::Connection;
use crate::contract::touches::{Touch, read_touches, write_touches};
use crate::{Effect, Node, ToClient};

/// One connection's moments.
#[derive(Debug)]
pub(crate) struct Lease {
    /// When its client was heard last.
    heard: Instant,
    /// The newest moment that was passed on.
    relayed: Instant,
    /// When that was done, since when no confirmation came.
    outstanding: Option<Instant>,
    /// The newest moment that is confirmed; none yet for a connection that is not attached.
    confirmed: Option<Instant>,
    /// When the next touch is to be passed on.
    due: Option<Instant>,
    /// What waits to be told.
    held: Vec<ToClient>,
    /// Until when what was told may be written, as far as that was said.
    allowed: Option<Instant>,
}

impl Lease {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            heard: now,
            relayed: now,
            outstanding: None,
            confirmed: None,
            due: None,
            held: Vec::new(),
            allowed: None,
        }
    }

    /// What waits is not told any more.
    pub(crate) fn drop_held(&mut self) {
        self.held.clear();
    }

    fn allows(&self, now: Instant, timeout: Millis) -> bool {
        // Time enough for it to be written.
        self.until(timeout).is_none_or(|until| now + Millis(timeout.0 / 30) <= until)
    }

    /// Until when something may be told. Whoever has no session yet can have lost none.
    fn until(&self, timeout: Millis) -> Option<Instant> {
        self.confirmed.map(|confirmed| confirmed + third(timeout))
    }
}

fn third(timeout: Millis) -> Millis {
    Millis(timeout.0 / 3)
}

fn sixth(timeout: Millis) -> Millis {
    Millis(timeout.0 / 6)
}

impl Node {
    /// A client was heard.
    pub(crate) fn hear(&mut self, id: ConnectionId) {
        let now = self.clock.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let lease = &mut connection.lease;
        lease.heard = now;
        let waits = !lease.held.is_empty();
        let due = if waits { now } else { lease.relayed + sixth(connection.timeout) };
        self.touch_at(id, due);
    }

    /// Something is to be passed on at this time, or earlier if that was said before.
    fn touch_at(&mut self, id: ConnectionId, due: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let lease = &mut connection.lease;
        if lease.due.is_none_or(|before| due < before) {
            if let Some(before) = lease.due.replace(due) {
                self.touching.remove(&(before, id));
            }
            self.touching.insert((due, id));
        }
    }

    /// Forgets what a connection that is gone had to pass on.
    pub(crate) fn forget_touch(&mut self, id: ConnectionId, lease: &Lease) {
        if let Some(due) = lease.due {
            self.touching.remove(&(due, id));
        }
        self.holding.remove(&id);
    }

    /// Passes on what is due.
    pub(crate) fn relay_touches(&mut self) {
        let now = self.clock.now;
        let mut touches = Vec::new();
        while self.is_serving()
            && let Some((due, id)) = self.touching.first().copied()
            && due <= now
        {
            self.touching.pop_first();
            touches.extend(self.touch_of(id));
        }
        self.relay(&touches);
    }

    /// To be called before a command of this client leaves: the leader hears of the client first, if
    /// that is due. So no session ends for silence behind a command of its client, but for silence
    /// that began before what is given here: the newest moment of which the leader was told, which
    /// is confirmed once the command is committed.
    pub(crate) fn touch_ahead(&mut self, id: ConnectionId) -> Instant {
        let now = self.clock.now;
        let lease =
            |node: &Self| node.connections.get(&id).map(|one| (one.lease.due, one.lease.relayed));
        if let Some((Some(due), _)) = lease(self)
            && due <= now
            && self.is_serving()
        {
            let touch = self.touch_of(id);
            self.relay(touch.as_slice());
        }
        lease(self).map_or(now, |(_, relayed)| relayed)
    }

    /// The same before a client takes up a session that it had elsewhere.
    pub(crate) fn touch_ahead_of_attach(&mut self, id: ConnectionId) {
        self.touch_at(id, self.clock.now);
        self.touch_ahead(id);
    }

    /// What is to be passed on of one client.
    fn touch_of(&mut self, id: ConnectionId) -> Option<Touch> {
        let now = self.clock.now;
        let connection = self.connections.get_mut(&id)?;
        let lease = &mut connection.lease;
        if let Some(due) = lease.due.take() {
            self.touching.remove(&(due, id));
        }
        lease.relayed = lease.heard;
        lease.outstanding.get_or_insert(now);
        Some(Touch { session: connection.session, connection: id, heard: lease.heard })
    }

    fn relay(&mut self, touches: &[Touch]) {
        if !touches.is_empty() {
            let payload = write_touches(touches);
            self.agree(|zab, out| zab.touch(payload, out));
        }
    }

    /// This server leads, and these touches came to it: those of sessions that live count. A
    /// session that is about to end is not confirmed, since nobody may be told otherwise then.
    pub(crate) fn take_touches(&mut self, channel: Option<ChannelId>, payload: bytes::Bytes) {
        let mut touches = read_touches(payload).expect("it was read when it came");
        let now = self.clock.now;
        touches.retain(|touch| self.expiry.touch(touch.session, now));
        let payload = write_touches(&touches);
        self.agree(|zab, out| zab.confirm(channel, payload, false, out));
    }

    /// The leader took these touches, and was followed by a quorum afterwards.
    pub(crate) fn confirm_touches(&mut self, payload: bytes::Bytes) {
        for touch in read_touches(payload).expect("it was read when it came") {
            self.confirm(touch.connection, touch.heard);
        }
    }

    /// What was heard of a client at this moment still found its session alive.
    pub(crate) fn confirm(&mut self, id: ConnectionId, heard: Instant) {
        let now = self.clock.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let lease = &mut connection.lease;
        lease.confirmed = lease.confirmed.max(Some(heard));
        if heard >= lease.relayed {
            lease.outstanding = None;
        }
        self.allow(id);
        let Some(Connection { lease, timeout, .. }) = self.connections.get_mut(&id) else { return };
        if !lease.held.is_empty() && lease.allows(now, *timeout) {
            let held = core::mem::take(&mut lease.held);
            self.holding.remove(&id);
            self.effects.extend(held.into_iter().map(|what| Effect::Tell(id, what)));
        }
    }

    /// Says until when may be written what a client was told, if that is news.
    fn allow(&mut self, id: ConnectionId) {
        let Some(Connection { lease, timeout, .. }) = self.connections.get_mut(&id) else { return };
        let until = lease.until(*timeout);
        if lease.allowed != until {
            lease.allowed = until;
            self.effects.push(Effect::Allow(id, until));
        }
    }

    /// The entry that makes the session this connection's is committed.
    pub(crate) fn confirm_opening(&mut self, id: ConnectionId) {
        if let Some(told) = self.connections.get(&id).map(|connection| connection.lease.relayed) {
            self.confirm(id, told);
        }
    }

    /// Tells a client something, at once or once it is known that its session lives.
    pub(crate) fn tell(&mut self, id: ConnectionId, what: ToClient) {
        let now = self.clock.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.lease.held.is_empty() && connection.lease.allows(now, connection.timeout) {
            return self.effects.push(Effect::Tell(id, what));
        }
        connection.lease.held.push(what);
        self.holding.insert(id);
        self.touch_at(id, now);
    }

    /// Nothing of this connection's session is at stake any more: what is told tells no state.
    pub(crate) fn exempt(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.lease.confirmed = None;
            self.allow(id);
        }
    }

    /// Ends connections for which the leader has not answered in time: what waits for them must
    /// not come so late that it surprises.
    pub(crate) fn give_up_on_leader(&mut self) {
        let now = self.clock.now;
        let is_late = |id: &ConnectionId| {
            let Some(connection) = self.connections.get(id) else { return false };
            let timeout = connection.timeout;
            let patience = sixth(timeout).max(Millis(timeout.0 / 3 - 500));
            connection.lease.outstanding.is_some_and(|since| now.since(since) > patience)
        };
        let late: Vec<ConnectionId> = self.holding.iter().copied().filter(is_late).collect();
        late.into_iter().for_each(|id| self.close(id));
    }
}

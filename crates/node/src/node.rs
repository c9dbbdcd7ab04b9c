//! The node's inputs, one function each, and the state they act on.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use zooid_ids::{ClusterId, ConnectionId, Instant, Millis, ServerId, SessionId, Xid, Zxid};
use zooid_model::{Command, ConnectRequest, Owner, Request};
use zooid_session::{Expiry, SessionIds};
use zooid_tree::{HandOver, Record, Tree};
use zooid_watch::Watches;
use zooid_zab::message::{ChannelId, Message, Notification};
use zooid_zab::{Entry, LearnerView, Member, Recovered, SyncTicket, Ticket, Zab};

use crate::connection::Connection;
use crate::contract::ContractError;
use crate::contract::entry::{read_command, read_config, write_command};
use crate::contract::touches::read_touches;
use crate::role::Role;
use crate::{ConnectionView, Effect, Settings, ToClient};

/// What time it is, for everything that happens until the next [`Node::turn`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// This server's own clock.
    pub now: Instant,
    /// The wall clock.
    pub wall: Millis,
}

/// What happened so far, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each counts what its name says")]
pub struct Counters {
    pub entries_applied: u64,
    pub events_sent: u64,
    pub sessions_expired: u64,
    pub sessions_reattached: u64,
    pub nodes_collected: u64,
    pub auth_failures: u64,
    pub over_soft_quota: u64,
    pub over_hard_quota: u64,
    pub unknown_requests: u64,
    pub malformed_requests: u64,
    pub refused_over_limit: u64,
    pub clients_ahead: u64,
    pub refused_for_room: u64,
}

/// One server.
pub struct Node {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) zab: Zab,
    pub(crate) role: Role,
    /// What the agreement said and is not acted on: not empty only while the log is replayed.
    pub(crate) agreed: VecDeque<zooid_zab::Effect>,
    /// The last entry of the log that is being replayed.
    pub(crate) replay_through: Option<Zxid>,
    pub(crate) tree: Tree,
    /// What takes the place of the tree once it is durable.
    pub(crate) fetched: Option<Tree>,
    pub(crate) watches: Watches,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) session_ids: SessionIds,
    pub(crate) expiry: Expiry,
    /// Sessions whose end this leader has proposed, until it is applied.
    pub(crate) ending: BTreeSet<SessionId>,
    /// Who asked for a sync.
    pub(crate) syncs: BTreeMap<SyncTicket, ConnectionId>,
    pub(crate) last_sync: SyncTicket,
    /// Connections of which the leader is to hear, by the time for it.
    pub(crate) touching: BTreeSet<(Instant, ConnectionId)>,
    /// Connections for which something waits until it is known that their session lives.
    pub(crate) holding: BTreeSet<ConnectionId>,
    pub(crate) next_collect: Instant,
    /// Entries applied since the last checkpoint was begun.
    pub(crate) since_checkpoint: u64,
    /// The disk has no room for what grows.
    pub(crate) short_of_room: bool,
    pub(crate) counters: Counters,
    pub(crate) effects: Vec<Effect>,
}

impl Node {
    /// A node with the state of the newest checkpoint, and what recovery found beyond it.
    #[must_use]
    pub fn start(
        settings: Settings,
        clock: Clock,
        tree: Tree,
        config: zooid_zab::Config,
        recovered: &Recovered,
    ) -> Self {
        let mut agreed = Vec::new();
        let time = (clock.now, clock.wall);
        let zab =
            Zab::start(settings.member, config, settings.agreement, recovered, time, &mut agreed);
        let mut node = Self {
            zab,
            role: Role::Looking,
            agreed: VecDeque::new(),
            replay_through: None,
            tree,
            fetched: None,
            watches: Watches::new(settings.hash_key),
            connections: BTreeMap::new(),
            session_ids: SessionIds::new(settings.member.id, settings.session_id_key),
            expiry: Expiry::new(settings.tick),
            ending: BTreeSet::new(),
            syncs: BTreeMap::new(),
            last_sync: SyncTicket::default(),
            touching: BTreeSet::new(),
            holding: BTreeSet::new(),
            next_collect: clock.now + settings.collect_interval,
            since_checkpoint: 0,
            short_of_room: false,
            counters: Counters::default(),
            effects: Vec::new(),
            settings,
            clock,
        };
        node.act(agreed);
        node
    }

    /// Begins a turn: all that follows happens at this time.
    pub fn turn(&mut self, clock: Clock) {
        // Who slept (stopped, or a machine that was paused) heard nobody: that is nobody's fault.
        let gap = clock.now.since(self.clock.now);
        if gap > self.settings.tick {
            self.expiry.shift(gap);
        }
        self.clock = clock;
        self.zab.turn(clock.now, clock.wall);
    }

    /// A client has connected from `address` (as the scheme `ip` writes it).
    pub fn open(&mut self, connection: ConnectionId, address: &str, request: &ConnectRequest) {
        self.shake_hands(connection, address, request);
    }

    /// A client asks something.
    pub fn request(&mut self, connection: ConnectionId, xid: Xid, request: Request) {
        self.take_request(connection, xid, request);
    }

    /// A connection has ended; its session has not.
    pub fn gone(&mut self, connection: ConnectionId) {
        if let Some(gone) = self.connections.remove(&connection) {
            self.forget_touch(connection, &gone.lease);
        }
        self.watches.drop_connection(connection);
        self.syncs.retain(|_, asker| *asker != connection);
    }

    /// The disk has synced what was handed out under this ticket.
    pub fn durable(&mut self, ticket: Ticket) {
        self.agree(|zab, out| zab.durable(ticket, out));
    }

    /// Another server says something about the election.
    pub fn notified(&mut self, said: &Notification) {
        self.agree(|zab, out| zab.notified(said, out));
    }

    /// The leader that was dialled is at the other end of this channel.
    pub fn connected(&mut self, channel: ChannelId, leader: Member) {
        self.agree(|zab, out| zab.connected(channel, leader, out));
    }

    /// The leader could not be reached.
    pub fn unreachable(&mut self, leader: ServerId) {
        self.agree(|zab, out| zab.unreachable(leader, out));
    }

    /// A channel to another server has ended.
    pub fn closed(&mut self, channel: ChannelId) {
        self.agree(|zab, out| zab.closed(channel, out));
    }

    /// Another server says something through a channel.
    ///
    /// # Errors
    /// If it cannot be read: it is as if it had not been said, and the channel is to be closed. In
    /// the log it would be the end of every server.
    pub fn receive(&mut self, channel: ChannelId, message: Message) -> Result<(), ContractError> {
        match &message {
            Message::Forward { command } => drop(read_command(command.clone())?),
            Message::Touch { payload } | Message::Confirmed { payload } => {
                drop(read_touches(payload.clone())?);
            }
            _ => {}
        }
        self.agree(|zab, out| zab.receive(channel, message, out));
        Ok(())
    }

    /// The leader's checkpoint was fetched, and this is its state: it takes the place of this
    /// server's if it is still wanted.
    ///
    /// # Panics
    /// If the state does not say who votes in words that are known here.
    pub fn fetched(&mut self, tree: Tree) {
        let config = tree.voters().map(|voters| {
            read_config(voters.clone())
                .unwrap_or_else(|error| panic!("{}", unreadable(tree.zxid(), &error)))
        });
        let mut agreed = Vec::new();
        self.zab.fetched(tree.zxid(), config, &mut agreed);
        if !agreed.is_empty() {
            self.fetched = Some(tree);
        }
        self.act(agreed);
    }

    /// The leader's checkpoint could not be fetched.
    pub fn not_fetched(&mut self) {
        self.agree(Zab::not_fetched);
    }

    /// Before anything else: what [`acknowledged`](Self::acknowledged) said in an earlier process.
    pub fn recall_acknowledged(&mut self, acknowledged: impl Iterator<Item = (Member, Zxid)>) {
        self.zab.recall(acknowledged);
    }

    /// What other voters certainly have, in which life: to be recorded every few seconds.
    pub fn acknowledged(&self) -> impl Iterator<Item = (Member, Zxid)> {
        self.zab.acknowledged()
    }

    /// True if the state that is applied here counts this life of this server among the voters.
    #[must_use]
    pub fn has_vote(&self) -> bool {
        let config = self.tree.voters().and_then(|voters| read_config(voters.clone()).ok());
        config.is_some_and(|config| {
            let Member { id, incarnation } = self.settings.member;
            config.registered.get(&id) == Some(&Some(incarnation))
        })
    }

    /// The ensemble of the state that is being put in place.
    #[must_use]
    pub fn fetched_cluster(&self) -> Option<ClusterId> {
        Some(self.fetched.as_ref()?.formation()?.cluster)
    }

    /// If this server leads others, one of them shall lead soon.
    pub fn hand_over(&mut self) {
        self.zab.hand_over();
    }

    /// Whether this server's disk has too little room: then clients' writes are refused unless they
    /// only delete. Everything else goes on, and so does what was taken before.
    pub fn set_short_of_room(&mut self, is_short: bool) {
        self.short_of_room = is_short;
    }

    /// What was said last about the disk.
    #[must_use]
    pub fn is_short_of_room(&self) -> bool {
        self.short_of_room
    }

    /// The log holds nothing up to `first` any more.
    pub fn compacted(&mut self, first: Zxid) {
        self.zab.compacted(first);
    }

    /// An entry of the log that [`zooid_zab::Effect::Replay`] asked for; in order, each once.
    pub fn replay(&mut self, entry: Entry) {
        self.replay_entry(entry);
    }

    /// Time has passed: sessions may have expired, nodes may have to be collected.
    pub fn tick(&mut self) {
        self.agree(Zab::tick);
        self.give_up_on_leader();
        // What was heard here must not be overlooked only since it was not due to be passed on.
        self.relay_touches();
        self.expire_sessions();
        self.collect_nodes();
    }

    /// Ends a turn: what was proposed in it goes to the disk. Gives everything that is to be done.
    pub fn flush(&mut self) -> Vec<Effect> {
        self.relay_touches();
        self.agree(Zab::flush);
        core::mem::take(&mut self.effects)
    }

    /// True once clients can be served.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.role != Role::Looking && self.tree.formation().is_some()
    }

    /// Which part this server plays in its ensemble.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// True when it is time for a checkpoint and none is being taken.
    #[must_use]
    pub fn wants_checkpoint(&self) -> bool {
        let due = self.since_checkpoint >= self.settings.checkpoint_entries
            || self.tree.changed_bytes() >= self.settings.checkpoint_bytes;
        due && self.is_serving() && !self.tree.is_handing_over()
    }

    /// Begins a checkpoint of the state as it is now.
    pub fn begin_checkpoint(&mut self) -> HandOver {
        self.since_checkpoint = 0;
        self.tree.hand_over()
    }

    /// The next records of the checkpoint that was begun; fewer than `limit` only at its end.
    pub fn harvest(&mut self, limit: usize) -> Vec<Record> {
        self.tree.harvest(limit)
    }

    /// The checkpoint is durable, or has failed and its changes join the next.
    pub fn end_checkpoint(&mut self, durable: bool) {
        if durable { self.tree.complete_run() } else { self.tree.abandon_run() }
    }

    /// The replicated state, for those who look.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The watches, for those who look.
    #[must_use]
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Of a leader: who learns from it.
    #[must_use]
    pub fn learners(&self) -> Vec<LearnerView> {
        self.zab.learners()
    }

    /// How many clients wait until everything is here that was committed when they asked.
    #[must_use]
    pub fn pending_syncs(&self) -> usize {
        self.syncs.len()
    }

    /// Entries that are proposed and not committed.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.zab.outstanding()
    }

    /// The connections, by their numbers.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionView> {
        self.connections.iter().map(|(id, connection)| ConnectionView {
            connection: *id,
            session: connection.session,
            timeout: connection.timeout,
        })
    }

    /// When each session would expire, in order: what `dump` lists.
    pub fn expiries(&self) -> impl Iterator<Item = (Instant, SessionId)> {
        self.expiry.iter()
    }

    /// Stops the process if the state contradicts itself; slow, for tests.
    ///
    /// # Panics
    /// On a contradiction.
    pub fn check_invariants(&self) {
        self.zab.check_invariants();
        self.tree.check_invariants();
        self.watches.check_invariants();
        self.expiry.check_invariants();
        assert!(self.agreed.is_empty() || self.replay_through.is_some());
    }

    pub(crate) fn owner(&self, connection: ConnectionId) -> Owner {
        Owner { server: self.settings.member.id, boot: self.settings.boot, connection }
    }

    /// The connection of this process that an owner names.
    pub(crate) fn own(&self, owner: &Owner) -> Option<ConnectionId> {
        (*owner == self.owner(owner.connection)).then_some(owner.connection)
    }

    pub(crate) fn propose(&mut self, command: &Command) {
        let command = write_command(command);
        self.agree(|zab, out| zab.propose(command, out));
    }

    pub(crate) fn agree(&mut self, input: impl FnOnce(&mut Zab, &mut Vec<zooid_zab::Effect>)) {
        let mut agreed = Vec::new();
        input(&mut self.zab, &mut agreed);
        self.act(agreed);
    }

    /// Ends a connection: it is told nothing more and hears of no change.
    pub(crate) fn close(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !core::mem::replace(&mut connection.closing, true) {
            connection.lease.drop_held();
            self.watches.drop_connection(id);
            self.effects.push(Effect::Tell(id, ToClient::Close));
        }
    }
}

/// What a log that cannot be applied is: the end of this process, with a sentence.
pub(crate) fn unreadable(zxid: Zxid, why: &dyn core::fmt::Display) -> String {
    alloc::format!("entry {zxid} of the log cannot be read: {why}")
}

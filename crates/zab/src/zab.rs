//! The inputs of one server's agreement, and the change from role to role.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Instant, Millis, ServerId, Zxid};

use crate::disk::{Disk, Written};
use crate::following::Following;
use crate::history::History;
use crate::leading::{Leading, LearnerView};
use crate::looking::Looking;
use crate::message::{ChannelId, Message, Notification, Standing, Vote};
use crate::records::Records;
use crate::server::{Next, Server};
use crate::{Config, Effect, Member, Recovered, Settings, SyncTicket, Ticket};

/// One server's part in the agreement.
///
/// Its hash leaves out clocks and numbers that only grow (tickets, elections): a search through
/// states knows one again that differs in nothing else.
#[derive(Clone, Debug, Hash)]
pub struct Zab {
    server: Server,
    role: Role,
    /// Learners that elected this server before it knew itself that it is elected.
    early: Vec<(ChannelId, Message)>,
}

#[derive(Clone, Debug, Hash)]
enum Role {
    /// It has left a role and waits for the disk to speak of everything it was given: a vote must
    /// not name what may still be lost, and a late completion must not count in the next role.
    Draining,
    Looking(Looking),
    Leading(Leading),
    Following(Following),
    /// Its life is over: whatever it says could be wrong.
    Retired,
}

impl Zab {
    /// A server that looks for a leader, or, as the only voter, begins at once to lead. `config`
    /// decides as long as no entry of the log says who does. It starts at this time: its own clock,
    /// and the wall clock.
    #[must_use]
    pub fn start(
        member: Member,
        config: Config,
        settings: Settings,
        recovered: &Recovered,
        (now, wall): (Instant, Millis),
        out: &mut Vec<Effect>,
    ) -> Self {
        let server = Server {
            member,
            settings,
            history: History::new(recovered, config),
            replacing: None,
            disk: Disk::default(),
            promise: recovered.promise,
            now,
            wall,
            round: 0,
            suspect: recovered.suspect,
            acknowledged: BTreeMap::new(),
            records: Records::default(),
            yields_to: None,
            syncs: Vec::new(),
        };
        let mut zab = Self { server, role: Role::Draining, early: Vec::new() };
        zab.look_when_drained(out);
        zab
    }

    /// Before anything else: what [`acknowledged`](Self::acknowledged) said in an earlier process.
    /// What is not given back here is only help that is missing.
    pub fn recall(&mut self, acknowledged: impl IntoIterator<Item = (Member, Zxid)>) {
        acknowledged.into_iter().for_each(|(member, zxid)| self.server.records.learn(member, zxid));
    }

    /// Begins a turn: what follows happens at this time.
    pub fn turn(&mut self, now: Instant, wall: Millis) {
        (self.server.now, self.server.wall) = (now, wall);
    }

    /// Time has passed. To be called several times in a tick.
    pub fn tick(&mut self, out: &mut Vec<Effect>) {
        let next = match &mut self.role {
            Role::Draining | Role::Retired => None,
            Role::Looking(looking) => looking.tick(&mut self.server, out),
            Role::Leading(leading) => leading.tick(&mut self.server, out),
            Role::Following(following) => following.tick(&self.server),
        };
        self.go(next, out);
    }

    /// Another server says something about the election.
    pub fn notified(&mut self, said: &Notification, out: &mut Vec<Effect>) {
        let next = match &mut self.role {
            Role::Draining | Role::Retired => None,
            Role::Looking(looking) => looking.notified(&mut self.server, said, out),
            Role::Leading(leading) => {
                let (standing, leader) = leading.standing(&self.server);
                self.answer(said, standing, leader, out)
            }
            Role::Following(following) => {
                let (standing, leader) = following.standing(&self.server);
                self.answer(said, standing, leader, out)
            }
        };
        self.go(next, out);
    }

    /// The leader that was dialled is at the other end of this channel.
    pub fn connected(&mut self, channel: ChannelId, leader: Member, out: &mut Vec<Effect>) {
        match &mut self.role {
            Role::Following(following) => following.connected(&self.server, channel, leader, out),
            _ => out.push(Effect::Close(channel)),
        }
    }

    /// The leader could not be reached.
    pub fn unreachable(&mut self, leader: ServerId, out: &mut Vec<Effect>) {
        let next = match &self.role {
            Role::Following(following) => following.unreachable(leader),
            _ => None,
        };
        self.go(next, out);
    }

    /// A channel has ended.
    pub fn closed(&mut self, channel: ChannelId, out: &mut Vec<Effect>) {
        let next = match &mut self.role {
            Role::Leading(leading) => {
                leading.closed(channel);
                None
            }
            Role::Following(following) => following.closed(channel),
            Role::Draining | Role::Looking(_) | Role::Retired => {
                self.early.retain(|(early, _)| *early != channel);
                None
            }
        };
        self.go(next, out);
    }

    /// A message came through a channel: from a learner, or from the leader.
    pub fn receive(&mut self, channel: ChannelId, message: Message, out: &mut Vec<Effect>) {
        let next = match &mut self.role {
            Role::Leading(leading) => leading.receive(&mut self.server, channel, message, out),
            Role::Following(following) => {
                following.receive(&mut self.server, channel, message, out)
            }
            Role::Looking(_)
                if matches!(message, Message::Info { .. }) && self.server.has_vote() =>
            {
                self.early.push((channel, message));
                None
            }
            Role::Draining | Role::Looking(_) | Role::Retired => {
                out.push(Effect::Close(channel));
                None
            }
        };
        self.go(next, out);
    }

    /// The leader's checkpoint at `zxid` was fetched. It takes the place of everything here if it is
    /// still wanted. Where it holds no config, the one that is in force here stays.
    pub fn fetched(&mut self, zxid: Zxid, config: Option<Config>, out: &mut Vec<Effect>) {
        let wanted = matches!(&self.role, Role::Following(following) if following.is_installing());
        if wanted && self.server.replacing.is_none() {
            let config = config.unwrap_or_else(|| self.server.config().clone());
            self.server.replacing = Some(config);
            let ticket = self.server.disk.give(Written::Replaced(zxid), self.server.now);
            out.push(Effect::Replace { ticket, zxid });
        }
    }

    /// The leader's checkpoint could not be fetched: perhaps another leader has one.
    pub fn not_fetched(&mut self, out: &mut Vec<Effect>) {
        if matches!(&self.role, Role::Following(following) if following.is_installing()) {
            self.go(Some(Next::Look), out);
        }
    }

    /// The log holds nothing up to `first` any more.
    pub fn compacted(&mut self, first: Zxid) {
        self.server.history.compacted(first);
    }

    /// The disk has synced what was handed out under this ticket, and everything before it.
    ///
    /// # Panics
    /// If tickets come back out of order, or one that was never given.
    pub fn durable(&mut self, ticket: Ticket, out: &mut Vec<Effect>) {
        let written = self.server.disk.done(ticket);
        match written {
            Written::Entries(through) => self.server.history.synced(through),
            // Whatever role this server has by now: its disk holds nothing else any more.
            Written::Replaced(zxid) => {
                let config = self.server.replacing.take().expect("it was given with a config");
                self.server.history.install(zxid, config);
                out.push(Effect::Replaced(zxid));
            }
            Written::Promise(_) | Written::Cut(_) => {}
        }
        let next = match &mut self.role {
            Role::Draining => {
                self.look_when_drained(out);
                None
            }
            Role::Looking(_) | Role::Retired => None,
            Role::Leading(leading) => leading.written(&mut self.server, written, out),
            Role::Following(following) => {
                following.written(&mut self.server, written, out);
                None
            }
        };
        self.go(next, out);
    }

    /// Puts `command` after all that was proposed here before; it comes back as
    /// [`Effect::Deliver`]. Without a leader it is dropped.
    pub fn propose(&mut self, command: Bytes, out: &mut Vec<Effect>) {
        match &mut self.role {
            Role::Leading(leading) => leading.propose(&mut self.server, command),
            Role::Following(following) if following.is_serving() => following.propose(command, out),
            Role::Following(_) | Role::Draining | Role::Looking(_) | Role::Retired => {}
        }
    }

    /// Asks to be told when all that any server had committed before now is delivered here. Without
    /// a leader nobody answers.
    pub fn sync(&mut self, ticket: SyncTicket, out: &mut Vec<Effect>) {
        match &mut self.role {
            Role::Leading(leading) => leading.sync(&mut self.server, None, ticket, out),
            Role::Following(following) => following.sync(ticket, out),
            Role::Draining | Role::Looking(_) | Role::Retired => {}
        }
    }

    /// Tells the leader that clients of this server were heard, in words that only those who
    /// understand sessions know: it comes out there as [`Effect::Touched`]. Without a leader that is
    /// followed it is dropped.
    pub fn touch(&mut self, payload: Bytes, out: &mut Vec<Effect>) {
        match &self.role {
            Role::Leading(leading) if leading.leads() => {
                out.push(Effect::Touched { channel: None, payload });
            }
            Role::Following(following) if following.is_serving() => following.touch(payload, out),
            Role::Leading(_)
            | Role::Following(_)
            | Role::Draining
            | Role::Looking(_)
            | Role::Retired => {}
        }
    }

    /// The touch that came out with `channel` was taken: once it is known that no later epoch had
    /// started before now, `payload` comes out where it was made, as [`Effect::Confirmed`]. That
    /// takes a round of pings, which begins within some ten milliseconds, or at once if it is
    /// `urgent`. If the channel has ended or this server does not lead any more, nothing comes.
    pub fn confirm(
        &mut self,
        channel: Option<ChannelId>,
        payload: Bytes,
        urgent: bool,
        out: &mut Vec<Effect>,
    ) {
        if let Role::Leading(leading) = &mut self.role {
            leading.confirm(&mut self.server, channel, payload, urgent, out);
        }
    }

    /// If this server leads, somebody else shall: it holds what is proposed from here on, and
    /// leaves as soon as another voter has everything. What it holds then is lost with
    /// [`Effect::Lost`]. If nobody can take over within `syncLimit` it leads on, and whatever it
    /// holds gets its place. Saying it again changes nothing, nor does it for a lone voter.
    pub fn hand_over(&mut self) {
        if let Role::Leading(leading) = &mut self.role {
            leading.hand_over(&self.server);
        }
    }

    /// Ends a turn: what was appended in it goes to the disk as one batch, and to the learners.
    pub fn flush(&mut self, out: &mut Vec<Effect>) {
        match &mut self.role {
            Role::Leading(leading) => leading.flush(&mut self.server, out),
            Role::Following(following) => following.flush(&mut self.server, out),
            Role::Draining | Role::Looking(_) | Role::Retired => {}
        }
    }

    /// True while this server leads and proposals go to the log at once.
    #[must_use]
    pub fn is_broadcasting(&self) -> bool {
        matches!(&self.role, Role::Leading(leading) if leading.is_broadcasting())
    }

    /// True while this server follows a leader and has what the leader had.
    #[must_use]
    pub fn is_following(&self) -> bool {
        matches!(&self.role, Role::Following(following) if following.is_serving())
    }

    /// Who decides, as the log of this server says.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.server.config()
    }

    /// The last entry that is committed, as far as known here.
    #[must_use]
    pub fn committed(&self) -> Zxid {
        self.server.history.committed()
    }

    /// The last entry of the log, durable or not.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.server.history.last()
    }

    /// What each other voter had acknowledged that was committed, in which life: to be made durable
    /// every few seconds, so that a disk that is rolled back is noticed after everybody has started
    /// anew.
    pub fn acknowledged(&self) -> impl Iterator<Item = (Member, Zxid)> {
        self.server.records.all()
    }

    /// Of a leader: who learns from it.
    #[must_use]
    pub fn learners(&self) -> Vec<LearnerView> {
        match &self.role {
            Role::Leading(leading) => leading.learner_views(&self.server),
            _ => Vec::new(),
        }
    }

    /// Proposals that are not committed yet, held ones included.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        let held = if let Role::Leading(leading) = &self.role { leading.held() } else { 0 };
        self.server.history.uncommitted() + held
    }

    /// Stops the process if the state contradicts itself.
    ///
    /// # Panics
    /// On a contradiction.
    pub fn check_invariants(&self) {
        self.server.history.check_invariants();
        match &self.role {
            Role::Draining | Role::Retired => {}
            Role::Looking(_) => assert!(self.server.disk.is_idle()),
            Role::Leading(leading) => leading.check_invariants(&self.server),
            Role::Following(following) => following.check_invariants(&self.server),
        }
    }

    /// Tells a server that looks for a leader how things stand here.
    fn answer(
        &self,
        said: &Notification,
        standing: Standing,
        leader: ServerId,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        if said.standing == Standing::Looking {
            let vote = Some(Vote { zxid: self.server.history.durable(), leader });
            let notification = self.server.notification(standing, vote);
            out.push(Effect::Notify { to: said.from.id, notification });
        }
        None
    }

    fn go(&mut self, next: Option<Next>, out: &mut Vec<Effect>) {
        match next {
            None => {}
            Some(Next::Look) => {
                self.leave(out);
                self.look_when_drained(out);
            }
            Some(Next::Retire) => {
                self.leave(out);
                self.role = Role::Retired;
                out.push(Effect::Suspect);
            }
            Some(Next::Lead) => {
                self.role = Role::Leading(Leading::begin(&mut self.server, out));
                for (channel, message) in core::mem::take(&mut self.early) {
                    self.receive(channel, message, out);
                }
            }
            Some(Next::Follow(leader)) => {
                out.extend(self.early.drain(..).map(|(channel, _)| Effect::Close(channel)));
                self.role = Role::Following(Following::begin(&self.server, leader, out));
            }
        }
    }

    /// Leaves a role, in this order: nobody counts on it, nothing more is appended, the disk
    /// finishes; only then a vote.
    fn leave(&mut self, out: &mut Vec<Effect>) {
        match &self.role {
            Role::Leading(leading) => leading.end(out),
            Role::Following(following) => following.end(out),
            Role::Draining | Role::Looking(_) | Role::Retired => {}
        }
        out.push(Effect::Lost);
        self.server.syncs.clear();
        self.server.append_batch(out);
        self.role = Role::Draining;
    }

    fn look_when_drained(&mut self, out: &mut Vec<Effect>) {
        if matches!(self.role, Role::Draining) && self.server.disk.is_idle() {
            let (looking, next) = Looking::begin(&mut self.server, out);
            self.role = Role::Looking(looking);
            self.go(next, out);
        }
    }
}

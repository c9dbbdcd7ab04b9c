//! A learner: a follower, or an observer that is not counted. It makes its log the leader's, then
//! appends and applies what the leader says.
//!
//! ```text
//!   Dialing ──channel──▶ Discovery ──plan──▶ Following
//! ```
//!
//! Whatever does not fit ends the channel, and the election finds who leads.

use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Epoch, Instant, ServerId, Zxid};

use crate::disk::Written;
use crate::message::{ChannelId, Message, Plan, Standing};
use crate::server::{Next, Server};
use crate::{Effect, Entry, Member, Promise, SyncTicket};

/// A learner's state.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Following {
    leader: ServerId,
    /// The channel, and who is at its other end.
    channel: Option<(ChannelId, Member)>,
    phase: Phase,
    /// When the leader was last heard, or dialled.
    heard: Instant,
    /// What the leader said is committed.
    commit: Zxid,
    /// A promise that is on its way to the disk, to be answered when it is there.
    promising: Option<Epoch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Dialing,
    Discovery,
    /// The leader's checkpoint is being fetched.
    Installing,
    /// The log is the leader's; clients are served once this is committed.
    Synchronising {
        through: Zxid,
    },
    Serving,
}

/// The leader said what it must not say, or what cannot be followed.
type Breach = Next;

impl Following {
    pub(crate) fn begin(server: &Server, leader: ServerId, out: &mut Vec<Effect>) -> Self {
        out.push(Effect::Dial(leader));
        Self {
            leader,
            channel: None,
            phase: Phase::Dialing,
            heard: server.now,
            commit: Zxid::ZERO,
            promising: None,
        }
    }

    pub(crate) fn standing(&self, server: &Server) -> (Standing, ServerId) {
        (Standing::Following(server.promise.epoch), self.leader)
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    pub(crate) fn connected(
        &mut self,
        server: &Server,
        channel: ChannelId,
        leader: Member,
        out: &mut Vec<Effect>,
    ) {
        if self.phase != Phase::Dialing || leader.id != self.leader {
            return out.push(Effect::Close(channel));
        }
        self.channel = Some((channel, leader));
        (self.phase, self.heard) = (Phase::Discovery, server.now);
        let (member, promise) = (server.member, server.promise);
        let info = Message::Info { member, promise, uninitialised: server.is_uninitialised() };
        self.send(info, out);
    }

    pub(crate) fn unreachable(&self, leader: ServerId) -> Option<Next> {
        (self.phase == Phase::Dialing && self.leader == leader).then_some(Next::Look)
    }

    pub(crate) fn closed(&self, channel: ChannelId) -> Option<Next> {
        self.is(channel).then_some(Next::Look)
    }

    pub(crate) fn tick(&self, server: &Server) -> Option<Next> {
        let waiting = matches!(self.phase, Phase::Dialing | Phase::Discovery | Phase::Installing);
        let limit = if waiting { server.settings.init_limit } else { server.settings.sync_limit };
        (server.now.since(self.heard) > limit).then_some(Next::Look)
    }

    pub(crate) fn receive(
        &mut self,
        server: &mut Server,
        channel: ChannelId,
        message: Message,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        if !self.is(channel) {
            return None;
        }
        self.heard = server.now;
        self.take(server, message, out).err()
    }

    fn take(
        &mut self,
        server: &mut Server,
        message: Message,
        out: &mut Vec<Effect>,
    ) -> Result<(), Breach> {
        match message {
            Message::Propose { epoch, forms } => self.promise(server, epoch, forms, out)?,
            Message::Sync { plan, through } => self.synchronise(server, plan, through, out)?,
            Message::Entries { entries, commit } => {
                entries.into_iter().try_for_each(|entry| self.append(server, entry))?;
                self.learn_commit(server, commit, out);
            }
            Message::Commit { zxid } => self.learn_commit(server, zxid, out),
            Message::Ping { sequence, commit } => {
                self.send(Message::Pong { sequence }, out);
                self.learn_commit(server, commit, out);
            }
            Message::Synced { ticket, zxid } => server.synced(ticket, zxid, out),
            Message::Confirmed { payload } => out.push(Effect::Confirmed { payload }),
            Message::Suspect => return Err(Next::Retire),
            Message::Acknowledged { had } => {
                let others = had.into_iter().filter(|(member, _)| member.id != server.member.id);
                others.for_each(|(member, zxid)| server.records.learn(member, zxid));
            }
            _ => return Err(Next::Look),
        }
        Ok(())
    }

    /// Discovery: the leader wants to be the only one to lead this epoch.
    fn promise(
        &mut self,
        server: &mut Server,
        epoch: Epoch,
        forms: bool,
        out: &mut Vec<Effect>,
    ) -> Result<(), Breach> {
        let (_, to) = self.channel.expect("it came through the channel");
        let bound_elsewhere = server.bound_to().is_some_and(|bound| bound != to);
        if forms && (!server.is_uninitialised() || bound_elsewhere) {
            return Err(Next::Look);
        }
        if epoch > server.promise.epoch {
            self.promising = Some(epoch);
            server.promise(Promise { epoch, to }, out);
            return Ok(());
        }
        // What was promised before does not count again, but the log may still be synchronised.
        if epoch == server.promise.epoch && to == server.promise.to {
            self.answer_promise(server, epoch, false, out);
            return Ok(());
        }
        Err(Next::Look)
    }

    fn answer_promise(&self, server: &Server, epoch: Epoch, counts: bool, out: &mut Vec<Effect>) {
        let (last, ends) = (server.history.durable(), server.history.ends().clone());
        self.send(Message::Promised { epoch, counts, last, ends }, out);
    }

    fn synchronise(
        &mut self,
        server: &mut Server,
        plan: Plan,
        through: Zxid,
        out: &mut Vec<Effect>,
    ) -> Result<(), Breach> {
        if !matches!(self.phase, Phase::Discovery | Phase::Installing) {
            return Err(Next::Look);
        }
        self.phase = Phase::Synchronising { through };
        match plan {
            Plan::Diff => self.serve_if_synchronised(server, out),
            Plan::Truncate(to) => {
                server.history.truncate(to);
                let ticket = server.disk.give(Written::Cut(to), server.now);
                out.push(Effect::Truncate { ticket, to });
            }
            Plan::Checkpoint => {
                self.phase = Phase::Installing;
                out.push(Effect::Install { from: self.leader });
            }
        }
        Ok(())
    }

    pub(crate) fn is_installing(&self) -> bool {
        self.phase == Phase::Installing
    }

    fn append(&mut self, server: &mut Server, entry: Entry) -> Result<(), Breach> {
        let (last, promised) = (server.history.last(), server.promise.epoch);
        let synchronised = matches!(self.phase, Phase::Synchronising { .. } | Phase::Serving);
        // A gap would be lost data; an entry of an epoch that was not promised, another leader's.
        if !synchronised || entry.prev_zxid != last || entry.zxid <= last {
            return Err(Next::Look);
        }
        if entry.zxid.epoch() > promised {
            return Err(Next::Look);
        }
        server.history.append(entry);
        Ok(())
    }

    fn learn_commit(&mut self, server: &mut Server, commit: Zxid, out: &mut Vec<Effect>) {
        self.commit = self.commit.max(commit);
        if matches!(self.phase, Phase::Synchronising { .. } | Phase::Serving) {
            self.apply(server, out);
            self.serve_if_synchronised(server, out);
        }
    }

    fn serve_if_synchronised(&mut self, server: &Server, out: &mut Vec<Effect>) {
        let Phase::Synchronising { through } = self.phase else { return };
        if server.history.committed() >= through {
            self.phase = Phase::Serving;
            out.push(Effect::Follow { leader: self.leader, epoch: server.promise.epoch });
        }
    }

    fn apply(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        server.history.commit(self.commit.min(server.history.last()), out);
        server.answer_syncs(out);
    }

    pub(crate) fn written(&mut self, server: &mut Server, written: Written, out: &mut Vec<Effect>) {
        match written {
            Written::Promise(promise) => {
                if self.promising.take_if(|epoch| *epoch == promise.epoch).is_some() {
                    self.answer_promise(server, promise.epoch, true, out);
                }
            }
            Written::Entries(zxid) => self.send(Message::Ack { zxid }, out),
            Written::Replaced(zxid) if self.is_installing() => {
                self.send(Message::Installed { zxid }, out);
            }
            Written::Replaced(_) | Written::Cut(_) => {}
        }
    }

    pub(crate) fn flush(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        server.append_batch(out);
    }

    /// The leader puts it in order; it comes back as an entry.
    pub(crate) fn propose(&self, command: Bytes, out: &mut Vec<Effect>) {
        self.send(Message::Forward { command }, out);
    }

    pub(crate) fn sync(&self, ticket: SyncTicket, out: &mut Vec<Effect>) {
        self.send(Message::AskSync { ticket }, out);
    }

    pub(crate) fn touch(&self, payload: Bytes, out: &mut Vec<Effect>) {
        self.send(Message::Touch { payload }, out);
    }

    fn is(&self, channel: ChannelId) -> bool {
        self.channel.is_some_and(|(mine, _)| mine == channel)
    }

    /// Gives the channel back, to be closed.
    pub(crate) fn end(&self, out: &mut Vec<Effect>) {
        out.extend(self.channel.map(|(channel, _)| Effect::Close(channel)));
    }

    fn send(&self, message: Message, out: &mut Vec<Effect>) {
        out.extend(self.channel.map(|(channel, _)| Effect::Send { channel, message }));
    }

    pub(crate) fn check_invariants(&self, server: &Server) {
        assert_eq!(self.channel.is_none(), self.phase == Phase::Dialing);
        assert!(self.promising.is_none_or(|epoch| epoch <= server.promise.epoch));
        if let Phase::Synchronising { through } = self.phase {
            assert!(through > server.history.committed());
        }
    }
}

//! Fast leader election. It decides nothing that matters for safety: whoever is elected has still
//! to be promised an epoch by a quorum. It only makes it likely that one server tries, and one that
//! has everything.
//!
//! Who decides is what this server's own log says, and that may be outdated. So it also takes up
//! votes of servers that do not count here, and follows whom it votes for as soon as that one leads;
//! it counts only those that count.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use zooid_ids::{Epoch, Instant, Millis, ServerId};

use crate::message::{Notification, Standing, Vote};
use crate::server::{Next, Server};
use crate::{Effect, Member};

/// Notifications are repeated after this, then after twice as long, up to [`RESEND_MAX`].
const RESEND: Millis = Millis(100);
const RESEND_MAX: Millis = Millis(2000);

/// A server that looks for a leader.
#[derive(Clone, Debug)]
pub(crate) struct Looking {
    /// What it proposes of its own: itself, or whom it handed over to, or whom it forms the ensemble
    /// with. None for a server without a vote: it waits to hear of a candidate or a leader.
    own: Option<Vote>,
    /// The best that it heard of.
    vote: Option<Vote>,
    /// The votes of this round that count.
    votes: BTreeMap<ServerId, Vote>,
    /// Servers that follow or lead already.
    settled: BTreeMap<ServerId, Settled>,
    /// A quorum agrees; a better vote may still come until then.
    decide_at: Option<Instant>,
    resend_at: Instant,
    resend: Millis,
}

/// What a server said that has elected somebody.
#[derive(Clone, Copy, Debug, Hash)]
struct Settled {
    leader: ServerId,
    epoch: Epoch,
    /// It is the leader itself.
    leads: bool,
    /// It has a vote, as far as this server's log says.
    counts: bool,
}

impl Looking {
    pub(crate) fn begin(server: &mut Server, out: &mut Vec<Effect>) -> (Self, Option<Next>) {
        server.round += 1;
        let bound = server.bound_to().map(|bound| bound.id);
        let leader = server.yields_to.take().or(bound).unwrap_or(server.member.id);
        let own = server.has_vote().then_some(Vote { zxid: server.history.durable(), leader });
        let mut looking = Self {
            own,
            vote: own,
            votes: BTreeMap::new(),
            settled: BTreeMap::new(),
            decide_at: None,
            resend_at: server.now + RESEND,
            resend: RESEND,
        };
        looking.record(server, server.member, own);
        looking.tell_all(server, out);
        let next = looking.decide(server);
        (looking, next)
    }

    pub(crate) fn notified(
        &mut self,
        server: &mut Server,
        said: &Notification,
        out: &mut Vec<Effect>,
    ) -> Option<Next> {
        match said.standing {
            Standing::Looking => self.compare(server, said, out),
            Standing::Following(epoch) | Standing::Leading(epoch) => {
                let leads = said.standing == Standing::Leading(epoch);
                let follows = said.vote.map(|vote| vote.leader).filter(|_| !leads);
                let leader = follows.unwrap_or(said.from.id);
                let counts = server.config().counts(said.from);
                self.settled.insert(said.from.id, Settled { leader, epoch, leads, counts });
            }
        }
        self.join(server, said).or_else(|| self.decide(server))
    }

    pub(crate) fn tick(&mut self, server: &mut Server, out: &mut Vec<Effect>) -> Option<Next> {
        if server.now >= self.resend_at {
            self.resend = Millis((2 * self.resend.0).min(RESEND_MAX.0));
            self.resend_at = server.now + self.resend;
            self.tell_all(server, out);
        }
        self.decide(server)
    }

    /// Takes a vote of another server that looks: newer rounds and better votes win. An observer
    /// takes none.
    fn compare(&mut self, server: &mut Server, said: &Notification, out: &mut Vec<Effect>) {
        self.settled.remove(&said.from.id);
        let takes_part = |id| server.config().is_voter(id);
        if !takes_part(server.member.id) || said.vote.is_some_and(|vote| !takes_part(vote.leader)) {
            return;
        }
        if said.vote.is_some_and(|vote| vote.zxid < server.records.of_candidate(vote.leader)) {
            // The candidate lacks what it had: its disk was rolled back, and it must not lead.
            return;
        }
        if said.round < server.round {
            // It has not heard of this round.
            return self.tell(server, said.from.id, out);
        }
        let newer = said.round > server.round;
        if newer {
            server.round = said.round;
            self.votes.clear();
            // Whoever is elected in it may be one of whom this server only hears by asking.
            (self.resend, self.resend_at) = (RESEND, server.now + RESEND);
        }
        let mine = if newer { self.own } else { self.vote };
        self.vote = mine.max(said.vote);
        self.record(server, said.from, said.vote);
        self.record(server, server.member, self.vote);
        if newer || said.vote > mine {
            self.decide_at = None;
            self.tell_all(server, out);
        } else if said.vote < mine {
            self.tell(server, said.from.id, out);
        }
    }

    fn record(&mut self, server: &Server, from: Member, vote: Option<Vote>) {
        if let Some(vote) = vote.filter(|_| server.config().counts(from)) {
            self.votes.insert(from.id, vote);
        }
    }

    /// Joins a leader that says itself that it leads, and that a quorum follows already or that has
    /// this server's vote.
    fn join(&self, server: &Server, said: &Notification) -> Option<Next> {
        let Settled { leader, epoch, .. } = *self.settled.get(&said.from.id)?;
        let of_epoch = |id| self.settled.get(&id).filter(|settled| settled.epoch == epoch);
        let follows = |id| of_epoch(id).is_some_and(|settled| settled.leader == leader);
        let confirmed = of_epoch(leader).is_some_and(|settled| settled.leads);
        let elected = self.vote.is_some_and(|vote| vote.leader == leader);
        let joins = confirmed && (elected || server.config().is_quorum(follows));
        (joins && leader != server.member.id).then_some(Next::Follow(leader))
    }

    /// A quorum has my vote: after a moment for better ones, or at once if nobody else can vote.
    /// Whoever follows this server already has elected it, in whichever round: it waits.
    fn decide(&mut self, server: &Server) -> Option<Next> {
        let (vote, me) = (self.vote?, server.member.id);
        let follows_me = |id| {
            let settled = self.settled.get(&id);
            settled.is_some_and(|settled| settled.counts && settled.leader == me)
        };
        let agrees = |id| self.votes.get(&id) == Some(&vote);
        let elects = |id| agrees(id) || (vote.leader == me && follows_me(id));
        if !server.config().is_quorum(elects) {
            self.decide_at = None;
            return None;
        }
        let at = *self.decide_at.get_or_insert(server.now + server.settings.election_wait);
        if server.now < at && !server.config().everyone().all(agrees) {
            return None;
        }
        match vote.leader == me {
            false => Some(Next::Follow(vote.leader)),
            // Somebody may still mean the life that was lost.
            true => server.has_vote().then_some(Next::Lead),
        }
    }

    fn tell_all(&self, server: &Server, out: &mut Vec<Effect>) {
        for id in server.config().everyone().filter(|id| *id != server.member.id) {
            self.tell(server, id, out);
        }
    }

    fn tell(&self, server: &Server, to: ServerId, out: &mut Vec<Effect>) {
        let notification = server.notification(Standing::Looking, self.vote);
        out.push(Effect::Notify { to, notification });
    }
}

/// Without its clocks.
impl Hash for Looking {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { decide_at: _, resend_at: _, resend: _, .. } = self;
        (self.own, self.vote, &self.votes, &self.settled).hash(state);
    }
}

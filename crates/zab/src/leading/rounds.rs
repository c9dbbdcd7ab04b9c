//! Rounds: what only a leader may answer waits until a quorum says that it is still led.
//!
//! A round is one ping to every learner. A learner that answers has promised no later epoch to
//! anybody, or it would have left this channel; so when a quorum has answered, no later epoch had
//! started when the round began. That is what a sync has to know (nothing was committed elsewhere),
//! and a touch (nobody else counted the silence of a session yet).
//!
//! A round serves everything that was asked before it began, and one is under way at a time; so
//! many questions cost few pings. The next one begins [`GAP`] after the last, or at once if
//! somebody is in a hurry. A lone voter asks nobody.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;
use zooid_ids::{Instant, Millis, Zxid};

use super::{Leading, send};
use crate::message::{ChannelId, Message};
use crate::server::Server;
use crate::{Effect, SyncTicket};

/// Rounds begin no quicker than this, one after another.
const GAP: Millis = Millis(10);

/// The rounds of one leader, and the questions that wait for them.
#[derive(Clone, Debug, Hash)]
pub(super) struct Rounds {
    /// The round that began last.
    newest: u64,
    began: Instant,
    /// In the order they were asked.
    asked: VecDeque<Asked>,
    /// One of those who wait for a round that has not begun is in a hurry.
    urgent: bool,
}

/// A question that waits for a round.
#[derive(Clone, Debug, Hash)]
struct Asked {
    /// The learner that asks; none for this server itself.
    by: Option<ChannelId>,
    /// The first round that began afterwards.
    round: u64,
    question: Question,
}

/// What is asked.
#[derive(Clone, Debug, Hash)]
pub(super) enum Question {
    /// Is everything up to here all that was committed?
    Sync { ticket: SyncTicket, zxid: Zxid },
    /// Was this touch in time?
    Touch { payload: Bytes },
}

impl Rounds {
    pub(super) fn new(now: Instant) -> Self {
        Self { newest: 0, began: now, asked: VecDeque::new(), urgent: false }
    }

    /// Nobody waits at the other end of this channel any more.
    pub(super) fn forget(&mut self, channel: ChannelId) {
        self.asked.retain(|asked| asked.by != Some(channel));
    }

    /// True if somebody waits for a round that has not begun.
    fn is_wanted(&self) -> bool {
        self.asked.back().is_some_and(|asked| asked.round > self.newest)
    }

    fn begin(&mut self, now: Instant) {
        self.newest += 1;
        (self.began, self.urgent) = (now, false);
    }

    pub(super) fn check_invariants(&self) {
        let ordered = self.asked.iter().zip(self.asked.iter().skip(1));
        assert!(ordered.into_iter().all(|(one, next)| one.round <= next.round));
        assert!(self.asked.back().is_none_or(|asked| asked.round <= self.newest + 1));
    }
}

impl Leading {
    pub(super) fn ask(
        &mut self,
        server: &mut Server,
        by: Option<ChannelId>,
        question: Question,
        urgent: bool,
        out: &mut Vec<Effect>,
    ) {
        let asked = Asked { by, round: self.rounds.newest + 1, question };
        if server.is_alone() {
            return answer_one(server, asked, out);
        }
        self.rounds.asked.push_back(asked);
        self.rounds.urgent |= urgent;
        self.next_round(server, out);
    }

    /// Begins a round if one is wanted and none is under way.
    pub(super) fn next_round(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        let rested = server.now.since(self.rounds.began) >= GAP;
        if self.rounds.is_wanted()
            && (self.rounds.urgent || rested)
            && self.is_answered(server, self.rounds.newest)
        {
            self.ping(server, out);
        }
    }

    /// Pings everybody when nothing was asked for a while: a learner follows only a leader that
    /// speaks.
    pub(super) fn keep_in_touch(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        if server.now.since(self.rounds.began) >= Millis(server.settings.tick.0 / 2) {
            self.ping(server, out);
        }
    }

    /// A learner that was just synchronised takes part in the round that is under way.
    pub(super) fn join_round(&self, server: &Server, channel: ChannelId, out: &mut Vec<Effect>) {
        if !self.is_answered(server, self.rounds.newest) {
            send(channel, self.round(server), out);
        }
    }

    pub(super) fn ponged(
        &mut self,
        server: &mut Server,
        channel: ChannelId,
        round: u64,
        out: &mut Vec<Effect>,
    ) {
        let learner = self.learners.get_mut(&channel).expect("it was just heard");
        // Before it is synchronised it may have promised whatever to whomever.
        if learner.is_synchronised() {
            learner.ponged = learner.ponged.max(round);
            self.answer(server, out);
            self.next_round(server, out);
        }
    }

    /// Begins a round; gives its number.
    pub(super) fn ping(&mut self, server: &mut Server, out: &mut Vec<Effect>) -> u64 {
        self.rounds.begin(server.now);
        let ping = self.round(server);
        self.learners.keys().for_each(|channel| send(*channel, ping.clone(), out));
        self.answer(server, out);
        self.rounds.newest
    }

    fn round(&self, server: &Server) -> Message {
        Message::Ping { sequence: self.rounds.newest, commit: server.history.committed() }
    }

    fn answer(&mut self, server: &mut Server, out: &mut Vec<Effect>) {
        while let Some(asked) = self.rounds.asked.front() {
            if asked.round > self.rounds.newest || !self.is_answered(server, asked.round) {
                break;
            }
            let asked = self.rounds.asked.pop_front().expect("there is a first");
            answer_one(server, asked, out);
        }
    }

    fn is_answered(&self, server: &Server, round: u64) -> bool {
        server.config().is_quorum(|id| {
            id == server.member.id || self.voter(server, id).is_some_and(|l| l.ponged >= round)
        })
    }
}

fn answer_one(server: &mut Server, asked: Asked, out: &mut Vec<Effect>) {
    match (asked.by, asked.question) {
        (Some(channel), Question::Sync { ticket, zxid }) => {
            send(channel, Message::Synced { ticket, zxid }, out);
        }
        (None, Question::Sync { ticket, zxid }) => server.synced(ticket, zxid, out),
        (Some(channel), Question::Touch { payload }) => {
            send(channel, Message::Confirmed { payload }, out);
        }
        (None, Question::Touch { payload }) => out.push(Effect::Confirmed { payload }),
    }
}

//! **Sessions.** A session begins with a committed `CreateSession`, ends with a committed
//! `CloseSession` and never otherwise: a client is told "expired" only of a session that the log has
//! closed, and is given one only that lives. The leader ends one no earlier than its timeout after
//! the last thing that a server is sure to have heard of it. Nothing is told on a connection after the
//! answer to its `closeSession`.
//!
//! Source: session expiry and re-attachment.

use std::collections::BTreeMap;

use zooid_ids::{Millis, SessionId};
use zooid_model::{Command, Origin, Owner, Request};
use zooid_tree::Outcome;

use crate::history::{Committed, Greeting, Logged, Moment};
use crate::judge::Terms;
use crate::operation::Observed;
use crate::replay::Replayed;
use crate::violation::{Guarantee, Violation};

const MICROS_PER_MILLI: u64 = 1000;

pub(crate) fn check(
    observed: &[Observed<'_>],
    replayed: &Replayed<'_>,
    terms: &Terms,
) -> Vec<Violation> {
    let lives = Lives::of(replayed);
    let mut violations: Vec<_> = observed.iter().filter_map(|one| lives.check(one)).collect();
    violations.extend(observed.iter().filter_map(check_silence));
    violations.extend(lives.check_expiries(&last_signs(observed, terms)));
    violations
}

/// When sessions begin and end, and who was given them.
#[derive(Default)]
struct Lives<'a> {
    born: BTreeMap<SessionId, &'a Committed>,
    closed: BTreeMap<SessionId, &'a Committed>,
    given: BTreeMap<Owner, SessionId>,
    /// Each expiry, with the timeout that counted then.
    expiries: Vec<(SessionId, Millis, &'a Committed)>,
}

impl<'a> Lives<'a> {
    fn of(replayed: &Replayed<'a>) -> Self {
        let mut lives = Self::default();
        let mut timeouts = BTreeMap::new();
        for done in &replayed.entries {
            let Logged::Command(command) = &done.entry.what else { continue };
            match (command, &done.outcome) {
                (
                    Command::CreateSession { session, owner, timeout }
                    | Command::Attach { session, owner, timeout, .. },
                    Some(Outcome::SessionCreated | Outcome::Attached { .. }),
                ) => {
                    lives.born.entry(*session).or_insert(done.entry);
                    lives.given.insert(*owner, *session);
                    timeouts.insert(*session, *timeout);
                }
                (Command::CloseSession { session, by }, Some(Outcome::SessionClosed { .. })) => {
                    lives.closed.insert(*session, done.entry);
                    if let (Origin::Expiry, Some(timeout)) = (by, timeouts.get(session)) {
                        lives.expiries.push((*session, *timeout, done.entry));
                    }
                }
                _ => {}
            }
        }
        lives
    }

    fn check(&self, one: &Observed<'_>) -> Option<Violation> {
        let conversation = one.conversation;
        let greeting = &conversation.greeting;
        let (session, _, told) = greeting.given?;
        let problem = if session == SessionId::NONE {
            self.check_refusal(greeting, told)
        } else {
            self.check_gift(greeting, session, conversation.owner)
        };
        problem.map(|(what, entry)| {
            let violation = Violation::new(Guarantee::Sessions, what);
            let violation = violation.with(conversation).with(format!("{greeting:?}"));
            entry.map_or(violation.clone(), |entry| violation.with(entry))
        })
    }

    /// "Expired" is true only of a session that is closed, or never was.
    fn check_refusal(&self, greeting: &Greeting, told: Moment) -> Option<Problem<'a>> {
        let born = self.born.get(&greeting.wished)?;
        let Some(closed) = self.closed.get(&greeting.wished) else {
            return Some(("a session that lives was called expired", Some(born)));
        };
        let is_early = closed.committed.is_some_and(|committed| committed > told);
        is_early.then_some(("a session was called expired before it was closed", Some(closed)))
    }

    fn check_gift(
        &self,
        greeting: &Greeting,
        session: SessionId,
        owner: Option<Owner>,
    ) -> Option<Problem<'a>> {
        if !self.born.contains_key(&session) {
            return Some(("a session was given that is not in the log", None));
        }
        if owner.is_some_and(|owner| self.given.get(&owner) != Some(&session)) {
            return Some(("a session was given that the log gives to somebody else", None));
        }
        let closed = self.closed.get(&session)?;
        let is_late = closed.committed.is_some_and(|committed| committed < greeting.at);
        is_late.then_some(("a session was given that was closed before", Some(closed)))
    }

    /// What the leader closed for silence was silent.
    fn check_expiries(&self, signs: &BTreeMap<SessionId, Vec<Sign>>) -> Vec<Violation> {
        let early = self.expiries.iter().filter_map(|(session, timeout, entry)| {
            let proposed = entry.proposed?;
            let signs = signs.get(session)?;
            let known = signs.iter().filter(|sign| sign.known <= proposed);
            let sent = known.map(|sign| sign.sent).max()?;
            let length = u64::try_from(timeout.0).unwrap_or(0) * MICROS_PER_MILLI;
            let is_early = proposed.0 < sent.0.saturating_add(length);
            is_early.then(|| {
                Violation::new(Guarantee::Sessions, "a session was ended that was not silent")
                    .with(entry)
                    .with(format!("proposed at {}, timeout {timeout}", proposed.0))
                    .with(format!("answered what it sent at {}", sent.0))
            })
        });
        early.collect()
    }
}

/// A sentence, and the entry that shows it.
type Problem<'a> = (&'static str, Option<&'a Committed>);

/// A sign of life: sent at one time, certainly known to the leader at another.
struct Sign {
    sent: Moment,
    known: Moment,
}

/// A request that was answered was heard between the two.
fn last_signs(observed: &[Observed<'_>], terms: &Terms) -> BTreeMap<SessionId, Vec<Sign>> {
    let mut signs: BTreeMap<SessionId, Vec<Sign>> = BTreeMap::new();
    for one in observed {
        let of_session = signs.entry(one.conversation.session()).or_default();
        for operation in &one.operations {
            if let Some(answer) = operation.answer {
                let known = Moment(answer.at.0.saturating_add(terms.relay));
                of_session.push(Sign { sent: operation.asked.at, known });
            }
        }
    }
    signs
}

/// Behind the answer to a `closeSession` nothing is told.
fn check_silence(one: &Observed<'_>) -> Option<Violation> {
    let mut closes = one.operations.iter().filter(|op| op.asked.request == Request::CloseSession);
    let close = closes.find(|operation| operation.success().is_some())?;
    let behind = one.conversation.told.get(close.answer?.position + 1)?;
    let what = "something is told after the session was closed";
    Some(Violation::new(Guarantee::Sessions, what).with(close).with(behind))
}

#[cfg(test)]
mod tests {
    use zooid_model::EventKind;

    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};
    use crate::history::History;

    /// Connection 1 goes silent and is expired; connection 2 asks for its session and is refused;
    /// connection 3 closes its own.
    fn story() -> History {
        let mut story = Story::new();
        story.connect(1);
        story.connect(3);
        story.write(1, Story::create("/a"));
        story.wait(Story::TIMEOUT);
        story.expire(1);
        story.refuse_session(2, 1);
        story.close(3);
        story.history()
    }

    #[test]
    fn sessions_that_end_by_the_log() {
        assert_kept(&story());
    }

    #[test]
    fn a_session_that_is_ended_early() {
        let mut history = story();
        let expiry = history.log.iter_mut().rev().nth(1).unwrap();
        expiry.proposed.as_mut().unwrap().0 -= 10_000;
        assert_broken(&history, Guarantee::Sessions);
    }

    #[test]
    fn a_session_that_lives_is_called_expired() {
        let mut history = story();
        history.log.remove(history.log.len() - 2);
        assert_broken(&history, Guarantee::Sessions);
    }

    #[test]
    fn a_session_that_nobody_made() {
        let mut history = story();
        history.conversations[0].greeting.given.as_mut().unwrap().0.0 += 1;
        assert_broken(&history, Guarantee::Sessions);
    }

    #[test]
    fn a_session_that_is_given_after_its_end() {
        let mut history = story();
        let of_first = history.conversations[0].session();
        let late =
            history.conversations.iter_mut().find(|c| c.greeting.wished == of_first).unwrap();
        late.owner = None;
        late.greeting.given.as_mut().unwrap().0 = of_first;
        assert_broken(&history, Guarantee::Sessions);
    }

    #[test]
    fn an_event_after_the_end() {
        let mut story = Story::new();
        story.connect(1);
        story.close(1);
        story.event(1, EventKind::NodeDeleted, "/e");
        assert_broken(&story.history(), Guarantee::Sessions);
    }
}

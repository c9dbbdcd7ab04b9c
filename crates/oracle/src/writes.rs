//! **Acknowledged writes.** Each write that was answered is in the log exactly once, at the zxid of
//! its reply, said by its session and its client's identities, and comes to exactly the result that
//! was told (paths, stats, errors; a multi with all its parts). A write refused for its size is not
//! in the log, one without an answer at most once.
//!
//! Source: linearizable writes, durability, atomic multi. That no entry stands beside those asked
//! for, which makes it "exactly once", is counted per connection in [`fifo`](crate::fifo).

use std::collections::BTreeMap;

use zooid_ids::Zxid;
use zooid_model::{Command, ErrorCode, Identity, Reply, Request};
use zooid_tree::Outcome;

use crate::history::Logged;
use crate::operation::{Answer, Observed, Operation, is_command_of, refusal};
use crate::replay::{Done, Replayed};
use crate::violation::{Guarantee, Violation};

pub(crate) fn check(observed: &[Observed<'_>], replayed: &Replayed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut acknowledged: BTreeMap<Zxid, &Operation<'_>> = BTreeMap::new();
    for one in observed {
        for (at, operation) in one.operations.iter().enumerate() {
            let Some(answer) = operation.answer else { continue };
            violations.extend(check_refusal(operation, answer));
            if !operation.goes_through_the_log() {
                continue;
            }
            violations.extend(check_write(
                operation,
                answer,
                &one.identities_when_asked(at),
                replayed,
            ));
            let twin = answer.zxid.and_then(|zxid| acknowledged.insert(zxid, operation));
            violations.extend(
                twin.map(|twin| {
                    violation("two writes were told the same zxid", operation).with(twin)
                }),
            );
        }
    }
    violations
}

/// A write that is too big has one answer only.
fn check_refusal(operation: &Operation<'_>, answer: Answer<'_>) -> Option<Violation> {
    let Request::Write(op) = &operation.asked.request else { return None };
    let is_wrong = refusal(op).is_some_and(|refusal| *answer.result != Err(refusal));
    is_wrong.then(|| violation("a write beyond the limits was not refused so", operation))
}

fn check_write(
    operation: &Operation<'_>,
    answer: Answer<'_>,
    identities: &[Identity],
    replayed: &Replayed<'_>,
) -> Option<Violation> {
    let Some(done) = answer.zxid.and_then(|zxid| replayed.at(zxid)) else {
        return Some(violation("an answered write is not in the log", operation));
    };
    if !is_command_of(done.entry, operation) {
        let what = "another command stands at the zxid of an answered write";
        return Some(violation(what, operation).with(done.entry));
    }
    if !is_by(done, identities) {
        let what = "the log says that somebody else asked";
        return Some(violation(what, operation).with(done.entry));
    }
    let expected = result_of(done);
    (expected.as_ref() != Some(answer.result)).then(|| {
        violation("a write was told another result than the log gives", operation)
            .with(done.entry)
            .with(format!("gives {:?}", done.outcome))
    })
}

/// What the client is told of an outcome; `None` where it is not told anything.
fn result_of(done: &Done<'_>) -> Option<Result<Reply, ErrorCode>> {
    match done.outcome.as_ref()? {
        Outcome::Decided(result) => Some(result.clone()),
        Outcome::SessionClosed { .. } => Some(Ok(Reply::Empty)),
        Outcome::NotOwner { .. } => Some(Err(ErrorCode::SessionMoved)),
        Outcome::NoSession => Some(Err(ErrorCode::SessionExpired)),
        _ => None,
    }
}

fn is_by(done: &Done<'_>, identities: &[Identity]) -> bool {
    let Logged::Command(Command::Write(write)) = &done.entry.what else { return true };
    let is_within = |a: &[Identity], b: &[Identity]| a.iter().all(|identity| b.contains(identity));
    identities.is_empty()
        || is_within(identities, &write.identities) && is_within(&write.identities, identities)
}

fn violation(what: &str, operation: &Operation<'_>) -> Violation {
    Violation::new(Guarantee::Writes, what).with(operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};
    use crate::history::{History, Told};

    fn story() -> History {
        let mut story = Story::new();
        story.connect(1);
        story.write(1, Story::create("/a"));
        story.write(1, Story::create("/a"));
        story.write(1, Story::set("/a", "x"));
        story.ask(1, Request::Write(Story::create(&"/a".repeat(5000))));
        story.refuse(1, ErrorCode::BadArguments);
        story.lose(1, Story::set("/a", "lost"));
        story.history()
    }

    #[test]
    fn writes_that_are_in_the_log() {
        assert_kept(&story());
    }

    #[test]
    fn an_answered_write_that_is_lost() {
        let mut history = story();
        history.log.pop();
        assert_broken(&history, Guarantee::Writes);
    }

    #[test]
    fn another_result() {
        let mut history = story();
        if let Told::Reply { result, .. } = &mut history.conversations[0].told[1] {
            assert_eq!(*result, Err(ErrorCode::NodeExists));
            *result = Err(ErrorCode::NoNode);
        }
        assert_broken(&history, Guarantee::Writes);
    }

    #[test]
    fn a_write_in_somebody_elses_name() {
        let mut history = story();
        history.conversations[0].identities = vec![Identity::new("ip", "10.0.0.9")];
        assert_broken(&history, Guarantee::Writes);
    }

    #[test]
    fn two_writes_at_one_place() {
        let mut history = story();
        let first = history.conversations[0].told[0].zxid();
        if let Told::Reply { zxid, .. } = &mut history.conversations[0].told[2] {
            *zxid = first;
        }
        assert_broken(&history, Guarantee::Writes);
    }

    #[test]
    fn a_refusal_that_says_done() {
        let mut history = story();
        if let Told::Reply { result, .. } = &mut history.conversations[0].told[3] {
            *result = Ok(Reply::Empty);
        }
        assert_broken(&history, Guarantee::Writes);
    }
}

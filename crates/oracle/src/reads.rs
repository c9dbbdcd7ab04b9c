//! **Exact reads.** The zxid in the header of a reply is the version that a read was evaluated at:
//! the result is that of the replayed tree at this zxid, byte for byte (names of children in any
//! order). Versions do not go back on one connection, start no earlier than what the client said it
//! had seen, show the client's own writes, and were committed when the reply was received.
//!
//! Source: read-your-writes, monotonic reads; ACL decisions at the read's zxid.

use zooid_ids::Zxid;
use zooid_model::{ErrorCode, Names, Read, ReadResult, Reply, Request};

use crate::operation::{Answer, Observed, Operation};
use crate::replay::{Follow, Replayed, Step};
use crate::violation::{Guarantee, Violation};

/// Evaluates every read while the log is replayed.
pub(crate) struct Exact<'a> {
    observed: &'a [Observed<'a>],
    /// Version, conversation and operation, by version, the last first.
    waiting: Vec<(Zxid, usize, usize)>,
    violations: Vec<Violation>,
}

impl<'a> Exact<'a> {
    pub(crate) fn new(observed: &'a [Observed<'a>]) -> Self {
        let mut waiting = Vec::new();
        for (by, one) in observed.iter().enumerate() {
            for (at, operation) in one.operations.iter().enumerate() {
                let zxid = operation.answer.and_then(|answer| answer.zxid);
                if let (Request::Read(_), Some(zxid)) = (&operation.asked.request, zxid) {
                    waiting.push((zxid, by, at));
                }
            }
        }
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        Self { observed, waiting, violations: Vec::new() }
    }

    /// What was found; a read that is left over names a version that never was, which
    /// [`check`] tells.
    pub(crate) fn finish(self) -> Vec<Violation> {
        self.violations
    }

    fn evaluate(&self, step: &Step<'_>, by: usize, at: usize) -> Option<Violation> {
        let (one, operation) = (&self.observed[by], &self.observed[by].operations[at]);
        let (Request::Read(read), Some(answer)) = (&operation.asked.request, operation.answer)
        else {
            return None;
        };
        let identities = one.identities_at(answer.position);
        let expected = step.tree.read(read, one.conversation.session(), &identities);
        if is_same(&expected, answer.result) || is_throttled(read, answer) {
            return None;
        }
        let violation = violation("a read shows something else than the version it names");
        Some(violation.with(operation).with(format!("there it gives {expected:?}")))
    }
}

impl Follow for Exact<'_> {
    fn step(&mut self, step: &Step<'_>) {
        while let Some((zxid, by, at)) = self.waiting.pop_if(|(zxid, ..)| *zxid <= step.zxid) {
            if zxid == step.zxid {
                let found = self.evaluate(step, by, at);
                self.violations.extend(found);
            }
        }
    }
}

/// A read that would leave a watch too many is not answered.
fn is_throttled(read: &Read, answer: Answer<'_>) -> bool {
    let leaves_watch = matches!(
        read,
        Read::Exists { watch: true, .. }
            | Read::GetData { watch: true, .. }
            | Read::GetChildren { watch: true, .. }
            | Read::GetChildren2 { watch: true, .. }
    );
    leaves_watch && *answer.result == Err(ErrorCode::ThrottledOp)
}

fn is_same(a: &Result<Reply, ErrorCode>, b: &Result<Reply, ErrorCode>) -> bool {
    match (a, b) {
        (Ok(Reply::Children(a)), Ok(Reply::Children(b))) => sorted(a) == sorted(b),
        (
            Ok(Reply::ChildrenStat { children: a, stat: x }),
            Ok(Reply::ChildrenStat { children: b, stat: y }),
        ) => sorted(a) == sorted(b) && x == y,
        (Ok(Reply::MultiRead(a)), Ok(Reply::MultiRead(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same_part(a, b))
        }
        _ => a == b,
    }
}

fn is_same_part(a: &ReadResult, b: &ReadResult) -> bool {
    match (a, b) {
        (ReadResult::Children(a), ReadResult::Children(b)) => sorted(a) == sorted(b),
        _ => a == b,
    }
}

fn sorted(names: &Names) -> Vec<&str> {
    let mut sorted: Vec<_> = names.iter().collect();
    sorted.sort_unstable();
    sorted
}

/// Judges the versions themselves.
pub(crate) fn check(observed: &[Observed<'_>], replayed: &Replayed<'_>) -> Vec<Violation> {
    observed.iter().flat_map(|one| check_versions(one, replayed)).collect()
}

fn check_versions(one: &Observed<'_>, replayed: &Replayed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut newest = (one.conversation.greeting.last_zxid_seen, None);
    for (position, told) in one.conversation.told.iter().enumerate() {
        let Some(zxid) = told.zxid() else { continue };
        let operation = one.answers[position].map(|at| &one.operations[at]);
        if operation.is_some_and(Operation::is_evaluation) {
            if zxid < newest.0 {
                let violation = violation(format!("{zxid} was read after {} was seen", newest.0));
                let seen = newest.1.map_or("seen before it connected".to_owned(), |seen| {
                    format!("{}", &one.conversation.told[seen])
                });
                violations.extend(operation.map(|operation| violation.with(seen).with(operation)));
            } else if replayed.at(zxid).is_none() {
                let violation = violation(format!("{zxid} is no version that ever was"));
                violations.extend(operation.map(|operation| violation.with(operation)));
            }
        }
        let committed = replayed.at(zxid).and_then(|done| done.entry.committed);
        if committed.is_some_and(|committed| committed > told.at()) {
            let violation = violation(format!("{zxid} was told before it was committed"));
            violations.push(violation.with(one.conversation).with(told));
        }
        if zxid > newest.0 {
            newest = (zxid, Some(position));
        }
    }
    violations
}

fn violation(what: impl Into<String>) -> Violation {
    Violation::new(Guarantee::Reads, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};
    use crate::history::{History, Moment, Told};

    fn story() -> History {
        let mut story = Story::new();
        story.connect(1);
        story.connect(2);
        story.write(1, Story::create("/a"));
        story.write(1, Story::create("/b"));
        story.read(1, Story::get("/a", false));
        story.read(2, Read::GetChildren { path: "/".into(), watch: false });
        story.write(1, Story::set("/a", "x"));
        story.read(2, Story::get("/a", false));
        story.read(2, Read::Exists { path: "/c".into(), watch: false });
        story.history()
    }

    fn reply(history: &mut History, by: usize, at: usize) -> &mut Told {
        &mut history.conversations[by].told[at]
    }

    #[test]
    fn reads_of_the_version_they_name() {
        assert_kept(&story());
    }

    #[test]
    fn other_data() {
        let mut history = story();
        if let Told::Reply { result: Ok(Reply::Data { data, .. }), .. } = reply(&mut history, 1, 1)
        {
            *data = Some("y".into());
        }
        assert_broken(&history, Guarantee::Reads);
    }

    #[test]
    fn another_version_than_it_shows() {
        let mut history = story();
        if let Told::Reply { zxid: Some(zxid), .. } = reply(&mut history, 1, 1) {
            zxid.0 -= 1;
        }
        assert_broken(&history, Guarantee::Reads);
    }

    #[test]
    fn a_version_that_never_was() {
        let mut history = story();
        if let Told::Reply { zxid: Some(zxid), .. } = reply(&mut history, 1, 2) {
            zxid.0 += 100;
        }
        assert_broken(&history, Guarantee::Reads);
    }

    #[test]
    fn time_that_goes_back() {
        let mut story = Story::new();
        story.connect(1);
        let old = story.zxid();
        story.write(1, Story::create("/a"));
        story.read_at(old, 1, Story::get("/a", false));
        assert_broken(&story.history(), Guarantee::Reads);
    }

    #[test]
    fn older_than_what_the_client_has_seen_elsewhere() {
        let mut history = story();
        history.conversations[1].greeting.last_zxid_seen = Zxid(u64::MAX >> 1);
        assert_broken(&history, Guarantee::Reads);
    }

    #[test]
    fn told_before_it_was_committed() {
        let mut history = story();
        history.log.last_mut().unwrap().committed = Some(Moment(u64::MAX));
        assert_broken(&history, Guarantee::Reads);
    }
}

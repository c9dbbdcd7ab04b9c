//! **Sync.** What is read behind a `sync` shows every write, of any client, that was answered before
//! the sync was sent.
//!
//! Source: ZooKeeper's `sync`, confirmed by a quorum, so that a leader that was deposed without
//! knowing it cannot answer.

use zooid_ids::Zxid;
use zooid_model::Request;

use crate::history::Moment;
use crate::operation::{Observed, Operation};
use crate::violation::{Guarantee, Violation};

pub(crate) fn check(observed: &[Observed<'_>]) -> Vec<Violation> {
    let finished = finished_writes(observed);
    observed.iter().flat_map(|one| check_connection(one, &finished)).collect()
}

/// The newest write that was answered up to a moment.
struct Finished<'a> {
    at: Moment,
    zxid: Zxid,
    write: &'a Operation<'a>,
}

fn finished_writes<'a>(observed: &'a [Observed<'a>]) -> Vec<Finished<'a>> {
    let operations = observed.iter().flat_map(|one| &one.operations);
    let writes = operations.filter(|operation| operation.goes_through_the_log());
    let answered = writes.filter_map(|write| {
        let answer = write.answer?;
        Some(Finished { at: answer.at, zxid: answer.zxid?, write })
    });
    let mut finished: Vec<_> = answered.collect();
    finished.sort_by_key(|finished| finished.at);
    for at in 1..finished.len() {
        if finished[at - 1].zxid > finished[at].zxid {
            let (zxid, write) = (finished[at - 1].zxid, finished[at - 1].write);
            (finished[at].zxid, finished[at].write) = (zxid, write);
        }
    }
    finished
}

fn check_connection(one: &Observed<'_>, finished: &[Finished<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut required: Option<(&Operation<'_>, &Finished<'_>)> = None;
    let in_order = one.operations.iter().filter(|op| !matches!(op.asked.request, Request::Ping));
    for operation in in_order.filter(|operation| operation.is_evaluation()) {
        let Some(answer) = operation.answer else { continue };
        if matches!(operation.asked.request, Request::Sync { .. }) && answer.result.is_ok() {
            let before = finished.partition_point(|write| write.at < operation.asked.at);
            let newest = before.checked_sub(1).map(|at| &finished[at]);
            required = newest.map(|newest| (operation, newest)).or(required);
        }
        let Some((sync, newest)) = required else { continue };
        if answer.zxid.is_some_and(|zxid| zxid < newest.zxid) {
            let what = "a read behind a sync does not show a write that was finished before it";
            let violation = Violation::new(Guarantee::Sync, what);
            violations.push(violation.with(newest.write).with(sync).with(operation));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};

    fn story() -> (Story, Zxid) {
        let mut story = Story::new();
        story.connect(1);
        story.connect(2);
        let old = story.zxid();
        story.write(1, Story::create("/a"));
        (story, old)
    }

    #[test]
    fn a_sync_that_does() {
        let (mut story, old) = story();
        story.read_at(old, 2, Story::get("/a", false));
        story.sync_at(story.zxid(), 2);
        story.read(2, Story::get("/a", false));
        assert_kept(&story.history());
    }

    #[test]
    fn a_sync_that_comes_too_early() {
        let (mut story, old) = story();
        story.sync_at(old, 2);
        assert_broken(&story.history(), Guarantee::Sync);
    }

    #[test]
    fn a_read_behind_a_sync_that_is_old() {
        let (mut story, old) = story();
        story.sync_at(story.zxid(), 2);
        story.read_at(old, 2, Story::get("/a", false));
        assert_broken(&story.history(), Guarantee::Sync);
    }
}

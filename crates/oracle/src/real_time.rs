//! **Real time.** What a client was told before a write was sent (by anybody) comes before that
//! write: if a returned before b was invoked, then zxid(a) < zxid(b). With the log as the one order
//! this is the linearizability of writes. For a all replies and events count, since the version
//! that they show existed; for b also a write without an answer that the log took.
//!
//! Source: linearizable writes. By sorting, O(n log n).

use zooid_ids::Zxid;

use crate::history::{Conversation, Moment, Told};
use crate::operation::Observed;
use crate::violation::{Guarantee, Violation};

pub(crate) fn check(observed: &[Observed<'_>]) -> Vec<Violation> {
    let newest = newest_told(observed);
    let mut violations = Vec::new();
    for operation in observed.iter().flat_map(|one| &one.operations) {
        if !operation.goes_through_the_log() {
            continue;
        }
        let zxid = operation.entry.or_else(|| operation.answer.and_then(|answer| answer.zxid));
        let before = newest.partition_point(|seen| seen.at < operation.asked.at);
        let (Some(zxid), Some(before)) = (zxid, before.checked_sub(1)) else { continue };
        let seen = &newest[before];
        if seen.zxid >= zxid {
            let what = format!("a write at {zxid} was sent after {} was seen", seen.zxid);
            let violation = Violation::new(Guarantee::RealTime, what);
            violations.push(violation.with(seen.by).with(seen.told).with(operation));
        }
    }
    violations
}

/// The newest version that anybody was told of, up to a moment.
struct Seen<'a> {
    at: Moment,
    zxid: Zxid,
    told: &'a Told,
    by: &'a Conversation,
}

/// By time; the zxid and what shows it is the greatest up to there.
fn newest_told<'a>(observed: &[Observed<'a>]) -> Vec<Seen<'a>> {
    let all = observed.iter().map(|one| one.conversation).flat_map(|by| {
        let told = by.told.iter();
        told.filter_map(move |told| Some(Seen { at: told.at(), zxid: told.zxid()?, told, by }))
    });
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|seen| seen.at);
    for at in 1..all.len() {
        let (before, rest) = all.split_at_mut(at);
        if let Some(newest) = before.last().filter(|newest| newest.zxid > rest[0].zxid) {
            (rest[0].zxid, rest[0].told, rest[0].by) = (newest.zxid, newest.told, newest.by);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};
    use crate::history::History;

    fn story() -> History {
        let mut story = Story::new();
        story.connect(1);
        story.connect(2);
        story.write(1, Story::create("/a"));
        story.read(2, Story::get("/a", false));
        story.write(2, Story::set("/a", "x"));
        story.do_unanswered(1, Story::set("/a", "y"));
        story.history()
    }

    #[test]
    fn an_order_that_could_be() {
        let mut history = story();
        assert_kept(&history);
        // Two writes at the same time can come in any order.
        history.conversations[1].asked[1].at = history.conversations[0].asked[0].at;
        assert_kept(&history);
    }

    #[test]
    fn a_write_that_comes_before_what_was_seen_before_it() {
        let mut history = story();
        let late = Moment(history.conversations[1].told[1].at().0 + 1);
        history.conversations[0].asked[0].at = late;
        assert_broken(&history, Guarantee::RealTime);
    }

    #[test]
    fn an_unanswered_write_that_was_done_before_it_was_sent() {
        let mut story = Story::new();
        story.connect(1);
        story.connect(2);
        story.write(1, Story::create("/a"));
        story.do_unanswered(2, Story::set("/a", "x"));
        story.write(1, Story::set("/a", "y"));
        let mut history = story.history();
        history.conversations[1].asked[0].at = Moment(u64::MAX);
        assert_broken(&history, Guarantee::RealTime);
    }

    #[test]
    fn a_write_that_comes_before_a_version_read_before_it() {
        let mut history = story();
        if let Told::Reply { zxid, .. } = &mut history.conversations[1].told[0] {
            zxid.as_mut().unwrap().0 += 1;
        }
        assert_broken(&history, Guarantee::RealTime);
    }
}

//! **FIFO client order.** The requests of one connection are answered in the order in which they
//! were sent (pings and `addAuthInfo` each in an order of their own), and its writes take effect in
//! that order: a later one never without all that were sent before it, none twice, and nothing that
//! was not asked for.
//!
//! Source: ZooKeeper's FIFO client order, for pipelined requests and across a lost connection.

use crate::operation::{Observed, Operation, is_command_of};
use crate::replay::Replayed;
use crate::violation::{Guarantee, Violation};

pub(crate) fn check(observed: &[Observed<'_>], replayed: &Replayed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for one in observed {
        violations.extend(check_answers(one));
        violations.extend(check_effects(one, replayed));
    }
    violations
}

fn check_answers(one: &Observed<'_>) -> Vec<Violation> {
    let overtakes = one.overtakes.iter().map(|(later, earlier)| {
        violation("a request was answered before one that was sent earlier")
            .with(one.operations[*later])
            .with(one.operations[*earlier])
    });
    let strays = one.strays.iter().map(|position| {
        let reply = &one.conversation.told[*position];
        violation("a reply to nothing that was asked").with(one.conversation).with(reply)
    });
    overtakes.chain(strays).collect()
}

/// The entries of a connection are what it asked, one by one.
fn check_effects(one: &Observed<'_>, replayed: &Replayed<'_>) -> Option<Violation> {
    let mut asked = one.operations.iter().filter(|operation| operation.goes_through_the_log());
    for zxid in &one.taken {
        let entry = replayed.at(*zxid)?.entry;
        let Some(operation) = asked.next() else {
            let what = "the log has a command that the client did not send, or twice";
            return Some(violation(what).with(one.conversation).with(entry));
        };
        if !is_command_of(entry, operation) || is_told_elsewhere(operation) {
            let what = "the log has a client's commands in another order than they were sent";
            return Some(violation(what).with(operation).with(entry));
        }
    }
    None
}

fn is_told_elsewhere(operation: &Operation<'_>) -> bool {
    let told = operation.answer.and_then(|answer| answer.zxid);
    told.is_some_and(|told| Some(told) != operation.entry)
}

fn violation(what: &str) -> Violation {
    Violation::new(Guarantee::Fifo, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};
    use crate::history::History;

    fn story() -> Story {
        let mut story = Story::new();
        story.connect(1);
        story.write(1, Story::create("/a"));
        story.read(1, Story::get("/a", false));
        story.write(1, Story::set("/a", "x"));
        story
    }

    #[test]
    fn requests_in_order() {
        let mut story = story();
        story.lose(1, Story::set("/a", "never done"));
        story.lose(1, Story::set("/a", "never done either"));
        assert_kept(&story.history());
    }

    #[test]
    fn a_lost_write_that_was_done() {
        let mut story = story();
        story.do_unanswered(1, Story::set("/a", "y"));
        story.lose(1, Story::set("/a", "z"));
        assert_kept(&story.history());
    }

    #[test]
    fn a_later_write_without_an_earlier_one() {
        let mut story = story();
        story.lose(1, Story::set("/a", "y"));
        story.do_unanswered(1, Story::set("/a", "z"));
        assert_broken(&story.history(), Guarantee::Fifo);
    }

    #[test]
    fn a_lost_write_that_was_done_twice() {
        let mut story = story();
        story.do_unanswered(1, Story::set("/a", "y"));
        story.log_only(1, Story::set("/a", "y"));
        assert_broken(&story.history(), Guarantee::Fifo);
    }

    #[test]
    fn replies_that_are_swapped() {
        let mut history = story().history();
        history.conversations[0].told.swap(0, 1);
        assert_broken(&history, Guarantee::Fifo);
    }

    #[test]
    fn a_reply_to_nothing() {
        let mut history: History = story().history();
        history.conversations[0].asked.pop();
        assert_broken(&history, Guarantee::Fifo);
    }
}

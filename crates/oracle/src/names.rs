//! **Sequential nodes.** The name is the one asked for and ten digits of its parent's counter; under
//! one parent (as long as it is the same node) the counter goes up with the zxid, so no name is given
//! twice, be nodes deleted, leaders changed or multis failed meanwhile. After the largest number it
//! goes on with the smallest.
//!
//! Source: sequential nodes; judged by what clients were told.

use std::collections::BTreeMap;

use zooid_ids::Zxid;
use zooid_model::{Create, OpResult, Reply, Request, WriteOp, path};

use crate::operation::{Observed, Operation};
use crate::replay::{Follow, Step};
use crate::violation::{Guarantee, Violation};

/// The counters, while the log is replayed.
pub(crate) struct Numbers<'a> {
    /// Answered creates by zxid, the last first.
    waiting: Vec<(Zxid, &'a Operation<'a>)>,
    /// The newest number under each parent: its path and its `czxid`.
    newest: BTreeMap<(String, Zxid), (i32, &'a Operation<'a>)>,
    pub(crate) violations: Vec<Violation>,
}

impl<'a> Numbers<'a> {
    pub(crate) fn new(observed: &'a [Observed<'a>]) -> Self {
        let operations = observed.iter().flat_map(|one| &one.operations);
        let mut waiting: Vec<_> = operations
            .filter_map(|operation| {
                let (zxid, _) = operation.success()?;
                (!numbered_in(operation).is_empty()).then_some((zxid, operation))
            })
            .collect();
        waiting.sort_by_key(|(zxid, _)| std::cmp::Reverse(*zxid));
        Self { waiting, newest: BTreeMap::new(), violations: Vec::new() }
    }

    fn count(&mut self, step: &Step<'_>, operation: &'a Operation<'a>) {
        for (asked, given) in numbered_in(operation) {
            let Some(number) = number_of(asked, given) else {
                let what = format!("{given} is not {asked} and a number");
                self.violations.push(violation(what).with(operation));
                continue;
            };
            let parent = path::parent(given).unwrap_or(path::ROOT);
            let Some(stat) = step.tree.stat(parent) else { continue };
            let of_parent = (parent.to_owned(), stat.czxid);
            let before = self.newest.insert(of_parent, (number, operation));
            if let Some((before, earlier)) = before.filter(|(before, _)| !is_after(number, *before))
            {
                let what = format!("number {number} was given under {parent} after {before}");
                self.violations.push(violation(what).with(earlier).with(operation));
            }
        }
    }
}

impl Follow for Numbers<'_> {
    fn step(&mut self, step: &Step<'_>) {
        while let Some((zxid, operation)) = self.waiting.pop_if(|(zxid, _)| *zxid <= step.zxid) {
            if zxid == step.zxid {
                self.count(step, operation);
            }
        }
    }
}

/// The counter goes round once, so later means less than half a round ahead.
fn is_after(number: i32, before: i32) -> bool {
    number.wrapping_sub(before) > 0
}

fn number_of(asked: &str, given: &str) -> Option<i32> {
    let digits = given.strip_prefix(asked)?;
    let number = digits.parse().ok()?;
    (format!("{number:010}") == digits).then_some(number)
}

/// The sequential creates of an answered operation: path asked, path given. Those of a multi that
/// deletes something are left out: it may have replaced the parent.
fn numbered_in<'a>(operation: &Operation<'a>) -> Vec<(&'a str, &'a str)> {
    let (Request::Write(op), Some(answer)) = (&operation.asked.request, operation.answer) else {
        return Vec::new();
    };
    match (op, answer.result) {
        (WriteOp::Create(create), Ok(Reply::Path { path } | Reply::PathStat { path, .. })) => {
            numbered(create, path).into_iter().collect()
        }
        (WriteOp::Multi(ops), Ok(Reply::Multi(results))) => {
            if ops.iter().any(|op| matches!(op, WriteOp::Delete { .. })) {
                return Vec::new();
            }
            ops.iter().zip(results).filter_map(numbered_part).collect()
        }
        _ => Vec::new(),
    }
}

fn numbered_part<'a>((op, result): (&'a WriteOp, &'a OpResult)) -> Option<(&'a str, &'a str)> {
    match (op, result) {
        (WriteOp::Create(create), OpResult::Path { path } | OpResult::PathStat { path, .. }) => {
            numbered(create, path)
        }
        _ => None,
    }
}

fn numbered<'a>(create: &'a Create, given: &'a str) -> Option<(&'a str, &'a str)> {
    create.mode.is_sequential().then_some((create.path.as_str(), given))
}

fn violation(what: impl Into<String>) -> Violation {
    Violation::new(Guarantee::Names, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};
    use crate::history::{History, Told};

    fn story() -> History {
        let mut story = Story::new();
        story.connect(1);
        story.write(1, Story::create("/q"));
        story.write(1, Story::create_sequential("/q/n-"));
        story.write(1, Story::delete("/q/n-0000000000"));
        story.write(1, Story::create_sequential("/q/n-"));
        story.write(1, WriteOp::Multi(vec![Story::create_sequential("/q/n-"); 2]));
        story.history()
    }

    fn rename(history: &mut History, at: usize, name: &str) {
        let Told::Reply { result: Ok(Reply::Path { path }), .. } =
            &mut history.conversations[0].told[at]
        else {
            panic!("a path")
        };
        *path = name.into();
    }

    #[test]
    fn numbers_that_go_up() {
        assert_kept(&story());
    }

    #[test]
    fn a_number_twice() {
        let mut history = story();
        rename(&mut history, 3, "/q/n-0000000000");
        assert_broken(&history, Guarantee::Names);
    }

    #[test]
    fn numbers_that_go_down() {
        let mut history = story();
        rename(&mut history, 1, "/q/n-0000000009");
        assert_broken(&history, Guarantee::Names);
    }

    #[test]
    fn a_name_of_another_form() {
        let mut history = story();
        rename(&mut history, 3, "/q/n-1");
        assert_broken(&history, Guarantee::Names);
    }

    #[test]
    fn the_counter_goes_round() {
        assert!(is_after(i32::MIN, i32::MAX));
        assert!(!is_after(i32::MAX, i32::MIN));
        assert_eq!(number_of("/n", "/n-2147483648"), Some(i32::MIN));
    }
}

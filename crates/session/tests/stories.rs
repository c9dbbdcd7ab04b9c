//! Runs the stories in `testdata/`: a line of input is a step, its answer stands beside it.
//! `REWRITE=1 cargo test` writes what happens now.

use std::fmt::Debug;
use std::str::FromStr;

use zooid_ids::{Instant, Millis, SessionId};
use zooid_session::{Expiry, Queue};

struct Story {
    queue: Queue<String, String>,
    expiry: Expiry,
}

#[test]
fn stories() {
    datadriven::walk("testdata", |file| {
        let mut story = Story { queue: Queue::new(), expiry: Expiry::new(Millis(1000)) };
        file.run(|case| -> String {
            let step: fn(&mut Story, &[&str]) -> String = match &*case.directive {
                "queue" => Story::queue,
                "expiry" => Story::expiry,
                other => panic!("no directive: {other}"),
            };
            let line = |line: &str| {
                let words: Vec<&str> = line.split_whitespace().collect();
                format!("{line:<32}| {}\n", step(&mut story, &words))
            };
            case.input.lines().map(line).collect()
        });
    });
}

impl Story {
    fn queue(&mut self, words: &[&str]) -> String {
        let queue = &mut self.queue;
        let mut said = Vec::new();
        match *words {
            ["a", "new", "connection"] => *queue = Queue::new(),
            ["write", name] => said.push(format!("sequence {}", queue.command(name.into()))),
            ["read", name] if queue.is_clear() => said.push(format!("answer {name} at once")),
            ["read" | "refuse", name] => queue.wait(name.into()),
            ["sync", name, "at", at] => queue.sync(number(at), name.into()),
            ["confirm", at] => queue.confirm(number(at)),
            ["result", sequence] => {
                queue.resolve(number(sequence), |name| format!("{name} with its result"));
            }
            ["outstanding"] => said.push(queue.outstanding().to_string()),
            ["forward", "again"] => said.push(told(&queue.commands().collect::<Vec<_>>())),
            _ => panic!("no step: {words:?}"),
        }
        let released = std::iter::from_fn(|| queue.release());
        said.extend(released.map(|name| format!("answer {name}")));
        said.join(", ")
    }

    fn expiry(&mut self, words: &[&str]) -> String {
        let expiry = &mut self.expiry;
        let answer = match *words {
            [at, "track", session, "timeout", timeout] => {
                expiry.track(named(session), instant(at), Millis(number(timeout)));
                next(expiry)
            }
            [at, "touch", session] if expiry.touch(named(session), instant(at)) => next(expiry),
            [_, "touch", _] => "not here".into(),
            ["remove", session] => told(&expiry.remove(named(session))),
            [at, "expire"] => told(&expiry.expire(instant(at))),
            [at, "re-arm"] => {
                expiry.re_arm_all(instant(at));
                next(expiry)
            }
            ["shift", by] => {
                expiry.shift(Millis(number(by)));
                next(expiry)
            }
            ["all"] => told(&expiry.iter().map(|(at, id)| (at.0, id)).collect::<Vec<_>>()),
            _ => panic!("no step: {words:?}"),
        };
        expiry.check_invariants();
        answer
    }
}

fn next(expiry: &Expiry) -> String {
    format!("next deadline {:?}", expiry.next_deadline().map(|at| at.0))
}

fn named(session: &str) -> SessionId {
    SessionId(number(session))
}

fn instant(at: &str) -> Instant {
    Instant(number(at))
}

fn number<T: FromStr<Err: Debug>>(word: &str) -> T {
    word.parse().unwrap_or_else(|error| panic!("{word}: {error:?}"))
}

fn told(answer: &impl Debug) -> String {
    format!("{answer:?}")
}

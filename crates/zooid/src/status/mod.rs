//! `zooid status`: what every server of an ensemble says of itself, one line each.
//!
//! It knows nothing but the four-letter word `srvr`, which ZooKeeper answers as well, in its default
//! configuration. Start with [`run`]; `probe` asks, `report` reads the answers, `table` shows them.

mod address;
mod probe;
mod report;
mod table;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;

pub(crate) use address::Addresses;
pub(crate) use probe::{Answer, ask_all};
pub(crate) use report::{Report, Role};
pub(crate) use table::text;

/// What can be said on the command line.
#[derive(Args)]
pub(crate) struct Options {
    /// The servers' client ports, like 127.0.0.1:2181,127.0.0.1:2182; 2181 where no port is said
    #[arg(value_name = "HOST:PORT,...", default_value = "127.0.0.1:2181")]
    servers: Addresses,
    /// Go on, once a second, until it is interrupted
    #[arg(long)]
    watch: bool,
    /// An object for machines
    #[arg(long)]
    json: bool,
}

const REFRESH: Duration = Duration::from_secs(1);
/// Clears a terminal: the cursor to its upper left, then everything behind it.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Asks and shows. Succeeds if every server serves and they agree on who leads.
pub(crate) fn run(options: &Options) -> ExitCode {
    let clear = if io::stdout().is_terminal() && !options.json { CLEAR } else { "" };
    loop {
        let answers = ask_all(&options.servers);
        let text = if options.json { table::json(&answers) } else { table::text(&answers) };
        let prefix = if options.watch { clear } else { "" };
        let mut out = io::stdout();
        let written = write!(out, "{prefix}{text}").and_then(|()| out.flush());
        // Whoever read it has heard enough, like `head`.
        if written.is_err() || !options.watch {
            return if is_well(&answers) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        thread::sleep(REFRESH);
    }
}

/// True if all serve: as one ensemble with one leader among them, or each for itself.
fn is_well(answers: &[Answer]) -> bool {
    let serving: Vec<_> = answers.iter().filter_map(Answer::report).collect();
    let alone = serving.iter().filter(|report| report.role == Role::Standalone).count();
    serving.len() == answers.len()
        && (alone == serving.len() || (alone == 0 && leaders(answers).count() == 1))
}

/// Who says that it leads.
fn leaders(answers: &[Answer]) -> impl Iterator<Item = &Answer> {
    answers
        .iter()
        .filter(|answer| answer.report().is_some_and(|report| report.role == Role::Leader))
}

#[cfg(test)]
mod tests {
    use super::report::tests::report;
    use super::*;

    fn answer(role: Option<Role>) -> Answer {
        let says = role.map(report).ok_or_else(|| "connection refused".to_string());
        Answer { server: "a:1".to_string(), says }
    }

    #[test]
    fn an_ensemble_is_well_with_one_leader() {
        use Role::{Follower, Leader, Observer, Standalone};
        let cases: [(&[Option<Role>], bool); 9] = [
            (&[Some(Standalone)], true),
            (&[Some(Standalone), Some(Standalone)], true),
            (&[Some(Leader), Some(Follower), Some(Observer)], true),
            (&[Some(Leader)], true),
            (&[Some(Follower), Some(Follower)], false),
            (&[Some(Leader), Some(Leader)], false),
            (&[Some(Leader), Some(Standalone)], false),
            (&[Some(Leader), Some(Follower), None], false),
            (&[None], false),
        ];
        for (roles, expected) in cases {
            let answers: Vec<_> = roles.iter().cloned().map(answer).collect();
            assert_eq!(is_well(&answers), expected, "{roles:?}");
        }
    }
}

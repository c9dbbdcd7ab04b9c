//! `cargo xtask verify`: the steps, in the order in which they run, and their summary.
//!
//! Cheap steps come first, so that a wrong arrow between crates is reported before minutes of
//! compiling. A failed step does not stop the others: one run shows everything that is wrong.
//! All steps use one target directory and the same features, and `--locked`, so nothing is built
//! twice without need and no file of the repository is written.

use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::cargo::{Cargo, is_installed};
use crate::workspace::Workspace;
use crate::{dependencies, floors, pure, tidy};

/// What is wrong, one sentence each; a step that found nothing passed.
pub(crate) type Findings = Vec<String>;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run only these steps, separated by commas, for example `--only fmt,clippy`.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STEPS")]
    only: Vec<Step>,
}

/// One step of `verify`; the order of the variants is the order in which they run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Formatting, by rustfmt.
    Fmt,
    /// Dependencies between crates go down only.
    Floors,
    /// House rules that no lint knows: module docs, file lengths, reasons.
    Tidy,
    /// External dependencies: each explained and used; licences, sources, duplicates.
    Deps,
    /// The pure crates compile with nothing but their own features.
    Pure,
    /// Clippy on every target, warnings denied.
    Clippy,
    /// Documentation, warnings denied.
    Docs,
    /// Unit and integration tests.
    Tests,
    /// Examples in documentation.
    Doctests,
}

/// Runs the chosen steps and prints a summary; true if all passed.
pub(crate) fn run(options: &Options) -> bool {
    let outcomes: Vec<Outcome> =
        Step::value_variants().iter().filter(|step| options.selects(**step)).map(perform).collect();
    summarise(&outcomes);
    outcomes.iter().all(|outcome| outcome.findings == 0)
}

impl Options {
    fn selects(&self, step: Step) -> bool {
        self.only.is_empty() || self.only.contains(&step)
    }
}

struct Outcome {
    name: String,
    took: Duration,
    findings: usize,
}

fn perform(step: &Step) -> Outcome {
    let name = step.name();
    eprintln!("── {name}");
    let begun = Instant::now();
    let findings = step.check().unwrap_or_else(|error| vec![error]);
    for finding in &findings {
        eprintln!("{name}: {finding}");
    }
    Outcome { name, took: begun.elapsed(), findings: findings.len() }
}

fn summarise(outcomes: &[Outcome]) {
    eprintln!("── summary");
    for Outcome { name, took, findings } in outcomes {
        let verdict =
            if *findings == 0 { "ok".to_owned() } else { format!("FAILED ({findings} found)") };
        eprintln!("{name:<10} {:>7.1} s  {verdict}", took.as_secs_f64());
    }
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What this step finds wrong; `Err` if it could not be carried out.
    fn check(self) -> Result<Findings, String> {
        match self {
            Step::Fmt => Cargo::new(&["fmt", "--all", "--check"]).findings(),
            Step::Floors => floors::check(&Workspace::load()?),
            Step::Tidy => tidy::check(&Workspace::load()?),
            Step::Deps => dependencies::check(&Workspace::load()?),
            Step::Pure => pure::check(&Workspace::load()?),
            Step::Clippy => {
                let clippy = ["clippy", "--locked", "--workspace", "--all-targets"];
                Cargo::new(&clippy).and(&["--", "-D", "warnings"]).findings()
            }
            Step::Docs => Cargo::new(&["doc", "--locked", "--workspace", "--no-deps"])
                .environment("RUSTDOCFLAGS", "-D warnings")
                .findings(),
            Step::Tests => tests().findings(),
            Step::Doctests => Cargo::new(&["test", "--locked", "--workspace", "--doc"]).findings(),
        }
    }
}

/// nextest where it is installed: it runs the tests of all crates at once and names slow ones.
fn tests() -> Cargo {
    if is_installed("nextest") {
        return Cargo::new(&["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]);
    }
    Cargo::new(&["test", "--locked", "--workspace", "--all-targets", "--no-fail-fast"])
}

//! Build tasks, called as `cargo xtask <task>`.
//!
//! `verify` is everything that has to hold before a commit reaches others, and changes nothing;
//! `fix` mends what a machine can mend; `mutations` shows that the tests notice known bugs. This
//! crate knows no other crate of the workspace: it reads their manifests and sources as text and
//! runs `cargo`.
//!
//! Start with [`verify`], whose list of steps is the table of contents.

mod mutations;
mod verify;

mod cargo;
mod dependencies;
mod fix;
mod floors;
mod policy;
mod pure;
mod sources;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build tasks of the Zooid workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check everything that CI checks; change nothing.
    Verify(verify::Options),
    /// Mend what a machine can mend: formatting, and lints that carry a suggestion.
    Fix(fix::Options),
    /// Put known bugs back into a copy, one at a time, and tell what catches each.
    Mutations(mutations::Options),
}

fn main() -> ExitCode {
    let passed = match Arguments::parse().task {
        Task::Verify(options) => verify::run(&options),
        Task::Fix(options) => fix::run(&options),
        Task::Mutations(options) => mutations::run(&options),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! `cargo xtask fix`: what a machine can mend.

use crate::cargo::{Cargo, is_installed};
use crate::verify::Findings;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also rewrite the expected output of script and snapshot tests; read the difference before
    /// you commit it.
    #[arg(long)]
    rewrite: bool,
}

/// Mends lints and formatting, and expected output where asked; true if all of it succeeded.
pub(crate) fn run(options: &Options) -> bool {
    let mended = mend(options);
    for finding in &mended {
        eprintln!("fix: {finding}");
    }
    mended.is_empty()
}

/// Clippy goes first, since what it writes is not formatted.
fn mend(options: &Options) -> Findings {
    let clippy = ["clippy", "--fix", "--allow-dirty", "--allow-staged"];
    let mut calls = vec![
        Cargo::new(&clippy).and(&["--workspace", "--all-targets"]),
        Cargo::new(&["fmt", "--all"]),
    ];
    if options.rewrite {
        calls.push(rewriting_tests());
    }
    calls.into_iter().flat_map(|call| call.findings().unwrap_or_else(|error| vec![error])).collect()
}

/// datadriven and expect-test each read a variable of their own.
fn rewriting_tests() -> Cargo {
    let run: &[&str] = if is_installed("nextest") { &["nextest", "run"] } else { &["test"] };
    Cargo::new(run)
        .and(&["--workspace", "--no-fail-fast"])
        .environment("REWRITE", "1")
        .environment("UPDATE_EXPECT", "1")
}

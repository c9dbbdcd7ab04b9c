//! Running `cargo` from inside `cargo xtask`.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::verify::Findings;

/// One call of cargo, in the workspace root.
pub(crate) struct Cargo {
    command: Command,
    words: String,
}

impl Cargo {
    /// `cargo` with these arguments.
    pub(crate) fn new(arguments: &[&str]) -> Cargo {
        let mut command = Command::new(program());
        // `cargo run` describes this package in the environment; a build script that watches one
        // of these variables would otherwise be run again for every call from here.
        for (name, _) in env::vars_os() {
            if describes_a_package(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null());
        Cargo { command, words: "cargo".to_owned() }.and(arguments)
    }

    /// The same call with more arguments.
    pub(crate) fn and(mut self, arguments: &[&str]) -> Cargo {
        for argument in arguments {
            self.command.arg(argument);
            self.words.push(' ');
            self.words.push_str(argument);
        }
        self
    }

    /// The same call in another folder.
    pub(crate) fn folder(mut self, folder: &Path) -> Cargo {
        self.command.current_dir(folder);
        self
    }

    /// The same call with one more environment variable.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Cargo {
        self.command.env(name, value);
        self
    }

    /// Runs it with its output shown; a failure is one finding.
    pub(crate) fn findings(mut self) -> Result<Findings, String> {
        let status = self.command.status().map_err(|error| self.cannot_run(&error))?;
        if status.success() {
            return Ok(Findings::new());
        }
        Ok(vec![format!("`{}` failed, {status}", self.words)])
    }

    /// Runs it and returns what it wrote to standard output.
    pub(crate) fn output(mut self) -> Result<Vec<u8>, String> {
        let output = self
            .command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| self.cannot_run(&error))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(format!("`{}` failed, {}", self.words, output.status))
    }

    fn cannot_run(&self, error: &std::io::Error) -> String {
        format!("cannot run `{}`: {error}", self.words)
    }
}

/// Whether the cargo subcommand `name` is installed.
pub(crate) fn is_installed(name: &str) -> bool {
    let mut command = Command::new(program());
    command.args([name, "--version"]).stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn describes_a_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

//! The nets: what is built and run to catch a bug, cheapest first.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::copy::Copy;
use crate::cargo::Cargo;

/// A net that has not ended by then has caught something: without a bug each takes a minute at most.
const PATIENCE: Duration = Duration::from_secs(400);

/// One net.
pub(super) struct Net {
    /// What the table calls it.
    pub(super) name: &'static str,
    /// The folders whose code it runs.
    pub(super) sees: &'static [&'static str],
    /// How cargo builds it, and the package in whose folder it runs.
    build: &'static [&'static str],
    folder: &'static str,
    /// With what it is run.
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

/// What a net said of a bug.
pub(super) struct Caught {
    pub(super) net: &'static str,
    /// From its start, without building it.
    pub(super) took: Duration,
    /// The line that says it.
    pub(super) why: String,
}

const ZAB: &[&str] = &["crates/zab/"];

/// All of them.
pub(super) const NETS: [Net; 9] = [
    Net {
        name: "tables",
        sees: ZAB,
        build: &["test", "--no-run", "-p", "zooid-zab", "--lib"],
        folder: "crates/zab",
        arguments: &[],
        environment: &[],
    },
    Net {
        name: "alone",
        sees: ZAB,
        build: &["test", "--no-run", "-p", "zooid-zab", "--test", "scripts"],
        folder: "crates/zab",
        arguments: &[],
        environment: &[],
    },
    Net {
        name: "stories",
        sees: ZAB,
        build: &["test", "--no-run", "-p", "zooid-zab", "--test", "ensemble"],
        folder: "crates/zab",
        arguments: &["stories"],
        environment: &[],
    },
    Net {
        name: "seeds",
        sees: ZAB,
        build: &["test", "--no-run", "-p", "zooid-zab", "--test", "ensemble"],
        folder: "crates/zab",
        arguments: &["faults"],
        environment: &[("ZAB_SEEDS", "300")],
    },
    Net {
        name: "search",
        sees: ZAB,
        build: &["test", "--no-run", "-p", "zooid-zab", "--test", "exhaustive"],
        folder: "crates/zab",
        arguments: &[],
        environment: &[],
    },
    Net {
        name: "tree",
        sees: &["crates/tree/"],
        build: &["test", "--no-run", "-p", "zooid-tree", "--test", "tree"],
        folder: "crates/tree",
        arguments: &[],
        environment: &[],
    },
    Net {
        name: "node",
        sees: &["crates/node/", "crates/tree/"],
        build: &["test", "--no-run", "-p", "zooid-node", "--test", "one_server"],
        folder: "crates/node",
        arguments: &[],
        environment: &[],
    },
    Net {
        name: "scenes",
        sees: &["crates/"],
        build: &["test", "--no-run", "-p", "zooid-sim", "--lib"],
        folder: "crates/sim",
        arguments: &[],
        environment: &[],
    },
    Net {
        name: "simulator",
        sees: &["crates/"],
        build: &["build", "-p", "zooid-sim"],
        folder: "crates/sim",
        arguments: &["--seeds", "2000", "--failures", "1", "--no-shrink"],
        environment: &[],
    },
];

impl Net {
    /// Builds it in the copy and runs it; tells what it caught.
    pub(super) fn cast(&self, copy: &Copy, bug: &str) -> Result<Option<Caught>, String> {
        let program = self.program(copy)?;
        let path = copy.told.join(format!("{bug}.{}.txt", self.name));
        let cannot = |error: std::io::Error| format!("{}: {error}", path.display());
        let told = File::create(&path).map_err(cannot)?;
        let began = Instant::now();
        let mut run = Command::new(&program);
        run.args(self.arguments).envs(self.environment.iter().copied());
        run.current_dir(copy.sources.join(self.folder)).stdin(Stdio::null());
        run.stdout(told.try_clone().map_err(cannot)?).stderr(told);
        let passed = passes(run.spawn().map_err(cannot)?).map_err(cannot)?;
        let (net, took) = (self.name, began.elapsed());
        Ok(match passed {
            Some(true) => None,
            Some(false) => {
                Some(Caught { net, took, why: reason(&fs::read(&path).map_err(cannot)?) })
            }
            None => Some(Caught { net, took, why: "it does not end".to_owned() }),
        })
    }

    /// Builds it. A bug that does not compile is none.
    fn program(&self, copy: &Copy) -> Result<PathBuf, String> {
        let target = copy.target.to_string_lossy();
        let messages = Cargo::new(self.build)
            .and(&["--locked", "--quiet", "--message-format", "json-render-diagnostics"])
            .folder(&copy.sources)
            .environment("CARGO_TARGET_DIR", &target)
            .environment("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .environment("RUSTFLAGS", "--cap-lints allow")
            .output()?;
        let lines = messages.split(|byte| *byte == b'\n');
        let parsed = lines.filter_map(|line| serde_json::from_slice(line).ok());
        let mut programs = parsed.filter_map(|message: serde_json::Value| {
            message.get("executable")?.as_str().map(PathBuf::from)
        });
        programs.next_back().ok_or_else(|| format!("cargo built no program of {}", self.name))
    }
}

/// Whether it ends well; none if it does not end.
fn passes(mut child: Child) -> std::io::Result<Option<bool>> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// The line of its output that says most: what a panic said, or what a seed came to.
fn reason(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let mut lines = text.lines();
    let found = lines.find_map(|line| {
        let failed = line.contains("FAILED at").then_some(line);
        failed.or_else(|| line.contains("panicked at").then(|| lines_after(&text, line)))
    });
    let line = found.unwrap_or("it failed");
    line.chars().take(120).collect()
}

fn lines_after<'t>(text: &'t str, line: &str) -> &'t str {
    let after = text.split_once(line).map_or("", |(_, after)| after);
    after.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

//! `cargo xtask mutations`: puts known bugs back in, one at a time, and tells which net catches each.
//!
//! A net that catches nothing looks like one that has nothing to catch. So each bug of the [`list`]
//! is put into a copy of the sources, and the [`nets`] are cast until one fails; a bug that none
//! finds is a hole in them. Without a bug all of them must pass, which is tried first.
//!
//! A bug is an exact text and what it becomes. When the code has moved on and the text is not there
//! any more, the list has to follow: that is an error, not a bug that was caught.

mod list;
mod nets;

mod copy;

use std::path::Path;

use crate::sources::read;
use crate::workspace::Workspace;
use copy::Copy;
use list::{MUTATIONS, Mutation};
use nets::{Caught, NETS};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Put in only bugs whose names contain one of these words, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    only: Vec<String>,
    /// Cast every net at each bug, not only until one has caught it.
    #[arg(long)]
    every_net: bool,
    /// Say what the bugs are, and that their places are still there; put none in.
    #[arg(long)]
    list: bool,
}

/// Puts the chosen bugs in and prints a table; true if all were caught.
pub(crate) fn run(options: &Options) -> bool {
    match attempt(options) {
        Ok(survivors) => survivors.is_empty(),
        Err(error) => {
            eprintln!("mutations: {error}");
            false
        }
    }
}

/// The names of those that no net caught.
fn attempt(options: &Options) -> Result<Vec<&'static str>, String> {
    let root = Workspace::load()?.root;
    let chosen: Vec<&Mutation> = MUTATIONS.iter().filter(|m| options.selects(m)).collect();
    for mutation in &chosen {
        mutation.check(&root)?;
    }
    if options.list {
        chosen.iter().for_each(|mutation| eprintln!("{:<28} {}", mutation.name, mutation.bug));
        return Ok(Vec::new());
    }
    let copy = Copy::of(&root)?;
    sound(&copy)?;
    let mut rows = Vec::new();
    for mutation in chosen {
        let row = try_one(&copy, mutation, options.every_net)?;
        eprintln!("{row}");
        rows.push(row);
    }
    eprintln!("── summary");
    rows.iter().for_each(|row| eprintln!("{row}"));
    Ok(rows.into_iter().filter(|row| row.caught.is_empty()).map(|row| row.name).collect())
}

impl Options {
    fn selects(&self, mutation: &Mutation) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| mutation.name.contains(word.as_str()))
    }
}

impl Mutation {
    /// Whether its places are there, each once.
    fn check(&self, root: &Path) -> Result<(), String> {
        for edit in self.edits {
            let found = read(&root.join(edit.file))?.matches(edit.text).count();
            if found != 1 {
                let Self { name, .. } = self;
                return Err(format!(
                    "\"{name}\" of mutations/list.rs does not fit the code any more: {} holds \
                     this {found} times, not once:\n{}",
                    edit.file, edit.text
                ));
            }
        }
        Ok(())
    }

    /// Whether a net looks at what it changes.
    fn is_seen_by(&self, net: &nets::Net) -> bool {
        let seen = |file: &str| net.sees.iter().any(|folder| file.starts_with(folder));
        self.edits.iter().any(|edit| seen(edit.file))
    }
}

/// Without a bug nothing is caught.
fn sound(copy: &Copy) -> Result<(), String> {
    for net in &NETS {
        if let Some(Caught { why, .. }) = net.cast(copy, "sound")? {
            return Err(format!("{} fails without any bug: {why}", net.name));
        }
        eprintln!("{:<28} {:<8} passes", "without a bug", net.name);
    }
    Ok(())
}

/// What came of one bug.
struct Row {
    name: &'static str,
    caught: Vec<Caught>,
}

fn try_one(copy: &Copy, mutation: &'static Mutation, every: bool) -> Result<Row, String> {
    let mut caught = Vec::new();
    copy.change(mutation.edits)?;
    for net in NETS.iter().filter(|net| mutation.is_seen_by(net)) {
        caught.extend(net.cast(copy, mutation.name)?);
        if !caught.is_empty() && !every {
            break;
        }
    }
    copy.restore(mutation.edits)?;
    Ok(Row { name: mutation.name, caught })
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.caught.is_empty() {
            return write!(f, "{:<28} SURVIVED", self.name);
        }
        for (at, Caught { net, took, why }) in self.caught.iter().enumerate() {
            let (line, name) = if at == 0 { ("", self.name) } else { ("\n", "") };
            write!(f, "{line}{name:<28} {net:<8} {:>6.1} s  {why}", took.as_secs_f64())?;
        }
        Ok(())
    }
}

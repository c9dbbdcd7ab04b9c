//! House rules that no lint knows, checked on the text of every Rust file.
//!
//! Each file opens with what it is for; none grows past the mark; nothing is left undone or
//! switched off without a reason that stands beside it.

use std::path::Path;

use crate::sources::{Source, read, rust_sources};
use crate::verify::Findings;
use crate::workspace::Workspace;

/// Longer files are two rooms.
const FILE_LINES_MAX: usize = 800;

/// Marks of unfinished work. Written in two parts, so that this file does not contain them.
const UNFINISHED: [&str; 4] = [
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
];

/// Attributes that switch something off.
const SWITCHES: [&str; 5] = ["#[allow", "#![allow", "#[expect", "#![expect", "#[ignore"];

/// Everything untidy in the sources and manifests of the workspace.
pub(crate) fn check(workspace: &Workspace) -> Result<Findings, String> {
    let mut findings = Findings::new();
    for package in workspace.members() {
        let manifest = package.folder().join("Cargo.toml");
        if !read(&manifest)?.contains("[lints]\nworkspace = true") {
            findings.push(format!("{}: does not inherit the lints", shown(&manifest, workspace)));
        }
        for source in rust_sources(package.folder())? {
            let path = shown(&source.path, workspace);
            findings.extend(file_findings(&source).map(|finding| format!("{path}{finding}")));
        }
    }
    Ok(findings)
}

fn shown(path: &Path, workspace: &Workspace) -> String {
    path.strip_prefix(&workspace.root).unwrap_or(path).display().to_string()
}

/// Findings as `:line: sentence`, to be put behind the file's path.
fn file_findings(source: &Source) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut findings = Vec::new();
    if !source.text.starts_with("//!") {
        findings.push(":1: does not open with `//!` and what the file is for".to_owned());
    }
    if lines.len() > FILE_LINES_MAX {
        findings.push(format!(": {} lines, at most {FILE_LINES_MAX}", lines.len()));
    }
    for (index, line) in lines.iter().enumerate() {
        if let Some(mark) = UNFINISHED.iter().find(|mark| line.contains(*mark)) {
            findings.push(format!(":{}: `{mark}` marks unfinished work", index + 1));
        }
        if is_switch(line) && !has_reason(&lines, index) {
            findings.push(format!(":{}: `{}` without a reason", index + 1, line.trim()));
        }
    }
    findings.into_iter()
}

fn is_switch(line: &str) -> bool {
    SWITCHES.iter().any(|switch| line.trim_start().starts_with(switch))
}

/// A reason is part of the attribute, or a comment behind it or on the line before it.
fn has_reason(lines: &[&str], index: usize) -> bool {
    let attribute = attribute_at(&lines[index..]);
    let before = index.checked_sub(1).map_or("", |before| lines[before].trim_start());
    attribute.contains("reason =")
        || attribute.contains("ignore =")
        || attribute.contains("//")
        || before.starts_with("// ")
}

/// The lines of the attribute that opens on the first line, down to its closing bracket.
fn attribute_at(lines: &[&str]) -> String {
    let end = lines.iter().position(|line| line.contains(']')).unwrap_or(0);
    lines[..=end].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let source = Source { path: "lib.rs".into(), text: text.to_owned() };
        let findings: Vec<String> = file_findings(&source).collect();
        assert_eq!(findings, expected);
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        check("//! Purpose.\n", &[]);
        check("use std::fmt;\n", &[":1: does not open with `//!` and what the file is for"]);
    }

    #[test]
    fn a_file_has_a_longest_length() {
        let text = format!("//! Long.\n{}", "\n".repeat(FILE_LINES_MAX - 1));
        check(&text, &[]);
        check(&format!("{text}\n"), &[": 801 lines, at most 800"]);
    }

    #[test]
    fn nothing_is_unfinished() {
        let mark = UNFINISHED[2];
        check(
            &format!("//! A.\n// {mark}: later"),
            &[&format!(":2: `{mark}` marks unfinished work")],
        );
    }

    #[test]
    fn what_is_switched_off_has_a_reason() {
        check("//! A.\n#[allow(dead_code)]\n", &[":2: `#[allow(dead_code)]` without a reason"]);
        check("//! A.\n/// Doc.\n    #[ignore]\n", &[":3: `#[ignore]` without a reason"]);
        check("//! A.\n#[ignore = \"needs a network\"]\n", &[]);
        check("//! A.\n#[expect(\n    dead_code,\n    reason = \"x\"\n)]\n", &[]);
        check("//! A.\n#[allow(dead_code)] // read by the debugger\n", &[]);
        check("//! A.\n// Read by the debugger.\n#[allow(dead_code)]\n", &[]);
    }
}

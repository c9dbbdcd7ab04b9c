//! The pure crates: no clock, no chance, no I/O, no threads.
//!
//! `#![no_std]` lets the compiler refuse them, so three things are left to check here: that the
//! line is there, that `std` does not come back outside tests, and that no dependency brings it in.
//! The last is compiled: with the pure crates alone, a feature that some other crate switches on
//! (a hasher with a random seed, say) cannot be borrowed unnoticed.

use crate::cargo::Cargo;
use crate::floors::is_pure;
use crate::sources::{Source, rust_sources};
use crate::verify::Findings;
use crate::workspace::{Dependency, Package, Workspace};

/// External crates that a pure crate may use, without their default features.
const PURE_DEPENDENCIES: [&str; 10] = [
    "base64",
    "bytes",
    "crc32fast",
    "hashbrown",
    "hmac",
    "prost",
    "sha1",
    "sha2",
    "siphasher",
    "thiserror",
];

/// Everything impure in the pure crates.
pub(crate) fn check(workspace: &Workspace) -> Result<Findings, String> {
    let pure: Vec<&Package> = workspace.members().filter(|package| is_pure(package)).collect();
    let mut findings = Findings::new();
    for package in &pure {
        findings.extend(dependency_findings(package));
        findings.extend(source_findings(package)?);
    }
    let mut compile = Cargo::new(&["check", "--locked", "--quiet"]);
    for package in &pure {
        compile = compile.and(&["--package", &package.name]);
    }
    findings.extend(compile.findings()?);
    Ok(findings)
}

fn dependency_findings(package: &Package) -> Findings {
    let of_the_crate_itself =
        package.dependencies.iter().filter(|dependency| dependency.kind.is_none());
    of_the_crate_itself
        .filter(|dependency| dependency.source.is_some() && !is_pure_dependency(dependency))
        .map(|dependency| {
            format!(
                "`{}` may not use `{}` so: pure crates use {} without default features",
                package.name,
                dependency.name,
                PURE_DEPENDENCIES.join(", ")
            )
        })
        .collect()
}

fn is_pure_dependency(dependency: &Dependency) -> bool {
    PURE_DEPENDENCIES.contains(&dependency.name.as_str())
        && !dependency.uses_default_features
        && !dependency.features.iter().any(|feature| feature == "std")
}

fn source_findings(package: &Package) -> Result<Findings, String> {
    let sources = rust_sources(&package.folder().join("src"))?;
    let mut findings = Findings::new();
    for source in &sources {
        let path = source.path.strip_prefix(package.folder()).unwrap_or(&source.path).display();
        if source.path.ends_with("src/lib.rs") && !has_line(&source.text, "#![no_std]") {
            findings.push(format!("{}: {path} lacks `#![no_std]`", package.name));
        }
        for line in uses_of_std(&source.text) {
            if !is_test_file(source, &sources) {
                findings.push(format!("{}: {path}:{line}: uses `std`", package.name));
            }
        }
    }
    Ok(findings)
}

fn has_line(text: &str, wanted: &str) -> bool {
    text.lines().any(|line| line == wanted)
}

/// Whether another file of the crate declares this one as a module of its tests.
fn is_test_file(source: &Source, sources: &[Source]) -> bool {
    let stem = source.path.file_stem().unwrap_or_default().to_string_lossy();
    let declaration = format!("#[cfg(test)]\nmod {stem};");
    sources.iter().any(|other| other.text.contains(&declaration))
}

/// The numbers of the lines that name `std` outside comments and items for tests.
///
/// Relies on the formatting that rustfmt gives: an item ends at the first line with its own
/// indentation that closes it.
fn uses_of_std(text: &str) -> Vec<usize> {
    let mut lines = text.lines().zip(1..);
    let mut uses = Vec::new();
    while let Some((line, number)) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            skip_item(&mut lines);
        } else if names_std(line) {
            uses.push(number);
        }
    }
    uses
}

/// Skips the item that follows an attribute: one statement, or all down to its closing brace.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (&'a str, usize)>) {
    let Some((first, _)) = lines.find(|(line, _)| !line.trim_start().starts_with("#[")) else {
        return;
    };
    if !first.ends_with('{') {
        return;
    }
    let indentation = &first[..first.len() - first.trim_start().len()];
    let end = format!("{indentation}}}");
    lines.find(|(line, _)| *line == end);
}

fn names_std(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let path_of_std = code.match_indices("std::").any(|(at, _)| {
        !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    });
    path_of_std || code.contains("extern crate std")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[usize]) {
        assert_eq!(uses_of_std(text), expected, "{text}");
    }

    #[test]
    fn std_is_found_in_code_only() {
        check("use std::fmt;\nlet a = ::std::mem::take(b);", &[1, 2]);
        check("extern crate std;", &[1]);
        check("//! Like std::fmt.\nuse core::fmt; // not std::fmt\nuse my_std::x;", &[]);
    }

    #[test]
    fn tests_may_use_std() {
        check("#[cfg(test)]\nextern crate std;\nuse std::fmt;", &[3]);
        check("#[cfg(test)]\nmod tests {\n    use std::fmt;\n}\nuse std::fmt;", &[5]);
        check("#[cfg(test)]\n#[rustfmt::skip]\nmod tests {\n    use std::fmt;\n}", &[]);
    }

    #[test]
    fn a_file_of_tests_may_use_std() {
        let of = |path: &str, text: &str| Source { path: path.into(), text: text.to_owned() };
        let sources = [
            of("src/lib.rs", "#[cfg(test)]\nmod script;\nmod queue;\n"),
            of("src/script.rs", "use std::fs;"),
            of("src/queue.rs", "use std::fs;"),
        ];
        assert!(is_test_file(&sources[1], &sources));
        assert!(!is_test_file(&sources[2], &sources));
    }
}

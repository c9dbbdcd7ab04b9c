//! External dependencies: each is used, explained in one sentence, and allowed by
//! `deny.toml`.

use std::collections::BTreeSet;

use crate::policy::Policy;
use crate::sources::{read, rust_sources};
use crate::verify::Findings;
use crate::workspace::{Dependency, Package, Workspace};

/// The decision record with one table row for each direct dependency.
const RECORD: &str = "docs/decisions/0002-dependencies.md";

/// Everything wrong with the dependencies of the workspace.
pub(crate) fn check(workspace: &Workspace) -> Result<Findings, String> {
    let mut findings = record_findings(workspace)?;
    findings.extend(Policy::load(workspace)?.findings(workspace));
    for package in workspace.members() {
        findings.extend(unused_findings(package)?);
    }
    Ok(findings)
}

/// Manifest, record and use must name the same crates.
fn record_findings(workspace: &Workspace) -> Result<Findings, String> {
    let declared = declared_in(&read(&workspace.root.join("Cargo.toml"))?);
    let explained = explained_in(&read(&workspace.root.join(RECORD))?);
    let used = used_in(workspace);
    let mut findings = Findings::new();
    for name in &used - &declared {
        findings.push(format!("`{name}` is not declared in [workspace.dependencies]"));
    }
    for name in &declared - &used {
        findings.push(format!("`{name}` of [workspace.dependencies] is used by no crate"));
    }
    for name in &declared - &explained {
        findings.push(format!("`{name}` has no row in {RECORD}"));
    }
    for name in &explained - &declared {
        findings.push(format!("`{name}` has a row in {RECORD} but is no dependency"));
    }
    Ok(findings)
}

/// Names of the external entries of `[workspace.dependencies]`.
fn declared_in(manifest: &str) -> BTreeSet<String> {
    let section = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    section
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .filter(|(_, value)| !value.contains("path ="))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Names in the first column of the record's table, as `` | `name` | sentence | ``.
fn explained_in(record: &str) -> BTreeSet<String> {
    let cells = record.lines().filter_map(|line| line.strip_prefix("| `"));
    cells.filter_map(|line| line.split_once("` |")).map(|(name, _)| name.to_owned()).collect()
}

fn used_in(workspace: &Workspace) -> BTreeSet<String> {
    let dependencies = workspace.members().flat_map(|package| &package.dependencies);
    dependencies
        .filter(|dependency| dependency.source.is_some())
        .map(|dependency| dependency.name.clone())
        .collect()
}

/// Entries of a crate's manifest that no source of the crate names.
fn unused_findings(package: &Package) -> Result<Findings, String> {
    let sources = rust_sources(package.folder())?;
    let is_named = |dependency: &&Dependency| {
        let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
        sources.iter().any(|source| names(&source.text, &name))
    };
    let unused = package.dependencies.iter().filter(|dependency| !is_named(dependency));
    Ok(unused
        .map(|dependency| format!("`{}` does not use `{}`", package.name, dependency.name))
        .collect())
}

/// Whether the text has `name` as a word that leads a path.
fn names(text: &str, name: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(name).any(|(at, _)| {
        let after = &text[at + name.len()..];
        !text[..at].ends_with(is_word) && (after.starts_with("::") || after.starts_with([';', ' ']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_declares_external_crates() {
        let manifest = "[workspace.dependencies]\nzooid-ids = { path = \"x\" }\n\nbytes = \"1\"\n\
                        sha-1 = { version = \"1\" }\n\n[profile.dev]\ndebug = 1\n";
        assert_eq!(declared_in(manifest), ["bytes", "sha-1"].map(String::from).into());
    }

    #[test]
    fn the_record_explains_by_rows() {
        let record = "# Title\n| crate | why |\n|---|---|\n| `bytes` | Shares. |\nThe `x` crate.\n";
        assert_eq!(explained_in(record), ["bytes"].map(String::from).into());
    }

    #[test]
    fn a_name_counts_as_a_word_only() {
        assert!(names("use bytes::Bytes;", "bytes"));
        assert!(names("extern crate bytes;", "bytes"));
        assert!(!names("self.bytes.len()", "bytes"));
        assert!(!names("my_bytes::x", "bytes"));
    }
}

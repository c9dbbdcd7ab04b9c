//! External dependencies: each is explained in one sentence.

use std::collections::BTreeSet;

use crate::sources::read;
use crate::verify::Findings;
use crate::workspace::Workspace;

/// The decision record with one table row for each direct dependency.
const RECORD: &str = "docs/decisions/0002-dependencies.md";

/// Everything wrong with the dependencies of the workspace.
pub(crate) fn check(workspace: &Workspace) -> Result<Findings, String> {
    let declared = declared_in(&read(&workspace.root.join("Cargo.toml"))?);
    let explained = explained_in(&read(&workspace.root.join(RECORD))?);
    let used = used_in(workspace);
    let mut findings = Findings::new();
    for name in &used - &declared {
        findings.push(format!("`{name}` is not declared in [workspace.dependencies]"));
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
}

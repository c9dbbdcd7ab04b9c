//! Floors: dependencies between the crates of the workspace go down only.
//!
//! The table here is the twin of the one in `ARCHITECTURE.md`, whose rows begin
//! `` | floor | `crate` | ``; a boundary that moves, moves in both in one commit.

use Floor::{Development, Number, Outside};

use crate::sources::read;
use crate::verify::Findings;
use crate::workspace::{Dependency, Kind, Package, Workspace, short_name};

/// Where a crate stands in the house.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Floor {
    /// May depend on every crate with a smaller number.
    Number(u8),
    /// May depend on every numbered crate; others need it for their tests only.
    Development,
    /// Neither depends on a crate of the workspace nor is needed by one.
    Outside,
}

const FLOORS: [(&str, Floor); 17] = [
    ("ids", Number(0)),
    ("model", Number(1)),
    ("wire", Number(2)),
    ("session", Number(2)),
    ("watch", Number(2)),
    ("tree", Number(2)),
    ("zab", Number(2)),
    ("node", Number(3)),
    ("storage", Number(4)),
    ("transport", Number(4)),
    ("zookeeper", Number(4)),
    ("server", Number(5)),
    ("zooid", Number(6)),
    ("oracle", Development),
    ("sim", Development),
    ("judge", Development),
    ("xtask", Outside),
];

/// Crates on these floors and below know no clock, chance, I/O or thread.
const PURE_FLOOR_MAX: u8 = 3;

/// Crates that know opaque bytes and numbers only, whatever their floor would allow.
const KNOW_IDS_ONLY: [&str; 2] = ["zab", "storage"];

/// Every crate without a floor, every arrow that does not go down, and every crate of the workspace
/// that stands elsewhere in `ARCHITECTURE.md`.
pub(crate) fn check(workspace: &Workspace) -> Result<Findings, String> {
    let drawn = read(&workspace.root.join("ARCHITECTURE.md"))?;
    let mut findings: Findings = workspace.members().flat_map(package_findings).collect();
    findings.extend(workspace.members().filter_map(|package| drawing_finding(package, &drawn)));
    Ok(findings)
}

/// Whether the crate is one of the pure ones.
pub(crate) fn is_pure(package: &Package) -> bool {
    matches!(floor_of(package.short_name()), Some(Number(0..=PURE_FLOOR_MAX)))
}

fn package_findings(package: &Package) -> Findings {
    let crate_name = package.short_name();
    let Some(floor) = floor_of(crate_name) else {
        return vec![format!("crate `{crate_name}` has no floor: give it one in floors.rs")];
    };
    let mut findings: Findings = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.source.is_none())
        .filter_map(|dependency| arrow_finding(crate_name, floor, dependency))
        .collect();
    if !package.folder().ends_with(crate_name) {
        findings.push(format!("the folder of `{}` must be named `{crate_name}`", package.name));
    }
    findings
}

/// Crates outside the house are not drawn.
fn drawing_finding(package: &Package, drawn: &str) -> Option<String> {
    let crate_name = package.short_name();
    let row = match floor_of(crate_name)? {
        Number(floor) => format!("| {floor} | `{crate_name}` |"),
        Development => format!("| T | `{crate_name}` |"),
        Outside => return None,
    };
    let is_drawn = drawn.lines().any(|line| line.starts_with(&row));
    (!is_drawn).then(|| format!("ARCHITECTURE.md has no row `{row}`"))
}

fn arrow_finding(from: &str, floor: Floor, dependency: &Dependency) -> Option<String> {
    let to = short_name(&dependency.name);
    let target = floor_of(to)?;
    if !may_depend(floor, target, dependency.kind) {
        return Some(format!("`{from}` may not depend on `{to}`: dependencies go down only"));
    }
    let knows_too_much = KNOW_IDS_ONLY.contains(&from) && to != "ids" && dependency.kind.is_none();
    knows_too_much.then(|| format!("`{from}` may depend on `ids` only, not on `{to}`"))
}

fn may_depend(from: Floor, to: Floor, kind: Option<Kind>) -> bool {
    match (from, to) {
        (Number(from), Number(to)) => from > to,
        (Number(_), Development) => kind == Some(Kind::Dev),
        (Development, Number(_) | Development) => true,
        (Outside, _) | (_, Outside) => false,
    }
}

fn floor_of(crate_name: &str) -> Option<Floor> {
    FLOORS.iter().find(|(name, _)| *name == crate_name).map(|(_, floor)| *floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: &str, to: &str, kind: Option<Kind>, allowed: bool) {
        let dependency = Dependency {
            name: format!("zooid-{to}"),
            kind,
            source: None,
            rename: None,
            uses_default_features: true,
            features: Vec::new(),
        };
        let floor = floor_of(from).unwrap();
        assert_eq!(arrow_finding(from, floor, &dependency).is_none(), allowed, "{from} -> {to}");
    }

    #[test]
    fn arrows_go_down_only() {
        check("model", "ids", None, true);
        check("ids", "model", None, false);
        check("server", "tree", None, true);
        check("tree", "watch", None, false);
        check("tree", "watch", Some(Kind::Dev), false);
    }

    #[test]
    fn agreement_and_storage_know_ids_only() {
        check("zab", "ids", None, true);
        check("zab", "model", None, false);
        check("storage", "node", None, false);
    }

    #[test]
    fn development_crates_are_for_tests() {
        check("tree", "oracle", Some(Kind::Dev), true);
        check("server", "sim", None, false);
        check("sim", "oracle", None, true);
        check("sim", "server", None, true);
    }

    #[test]
    fn the_build_tasks_stand_outside() {
        check("xtask", "ids", None, false);
        check("ids", "xtask", Some(Kind::Dev), false);
    }
}

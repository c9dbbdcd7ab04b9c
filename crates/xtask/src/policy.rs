//! `deny.toml`, applied to the graph: licences, bans, second versions and sources.
//!
//! `cargo deny` takes minutes to install and wants the crates of every platform on the machine, so
//! the four checks that need no network are done here. The file keeps the form that `cargo deny`
//! reads; known vulnerabilities are left to it.
//!
//! Start with [`Policy::findings`].

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::sources::read;
use crate::verify::Findings;
use crate::workspace::{Package, Workspace};

/// How cargo names the public registry; nothing comes from elsewhere.
const REGISTRY_SUFFIX: &str = "/crates.io-index";

/// The parts of `deny.toml` that are checked here.
#[derive(Deserialize)]
pub(crate) struct Policy {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Exception>,
    skip: Vec<Exception>,
}

/// A crate, as `name` or `name@version`, and why it is named.
#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    spec: String,
    reason: String,
}

impl Policy {
    /// Reads the workspace's `deny.toml`.
    pub(crate) fn load(workspace: &Workspace) -> Result<Policy, String> {
        Policy::parse(&read(&workspace.root.join("deny.toml"))?)
    }

    fn parse(text: &str) -> Result<Policy, String> {
        toml::from_str(text).map_err(|error| format!("deny.toml: {error}"))
    }

    /// Every package of the graph that the policy does not allow.
    pub(crate) fn findings(&self, workspace: &Workspace) -> Findings {
        let packages = &workspace.packages;
        let mut findings: Findings =
            packages.iter().flat_map(|package| self.package_findings(package)).collect();
        findings.extend(self.duplicate_findings(packages));
        findings.extend(self.stale_findings(packages));
        findings
    }

    fn package_findings(&self, package: &Package) -> Findings {
        let mut findings = Findings::new();
        let license = package.license.as_deref().unwrap_or_default();
        if !allows(license, &self.licenses.allow) {
            findings.push(format!("{}: licence `{license}` is not allowed", label(package)));
        }
        if let Some(ban) = self.bans.deny.iter().find(|ban| ban.covers(package)) {
            findings.push(format!("{} is banned: {}", label(package), ban.reason));
        }
        if let Some(source) = package.source.as_ref().filter(|source| !is_registry(source)) {
            findings.push(format!("{} comes from {source}", label(package)));
        }
        findings
    }

    /// Two versions of a crate, unless all but one are excepted.
    fn duplicate_findings(&self, packages: &[Package]) -> Findings {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in packages {
            if !self.bans.skip.iter().any(|skip| skip.covers(package)) {
                versions.entry(&package.name).or_default().push(&package.version);
            }
        }
        versions.retain(|_, versions| versions.len() > 1);
        versions
            .iter()
            .map(|(name, versions)| {
                format!(
                    "`{name}` is there in versions {}: skip it with a reason",
                    versions.join(", ")
                )
            })
            .collect()
    }

    /// Exceptions that except nothing any more.
    fn stale_findings(&self, packages: &[Package]) -> Findings {
        let stale = self
            .bans
            .skip
            .iter()
            .filter(|skip| !packages.iter().any(|package| skip.covers(package)));
        stale.map(|skip| format!("deny.toml: `{}` is not in the graph", skip.spec)).collect()
    }
}

impl Exception {
    /// `name@1.2` covers 1.2 and every 1.2.x.
    fn covers(&self, package: &Package) -> bool {
        let Some((name, version)) = self.spec.split_once('@') else {
            return self.spec == package.name;
        };
        let rest = package.version.strip_prefix(version);
        name == package.name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

fn label(package: &Package) -> String {
    format!("`{} {}`", package.name, package.version)
}

fn is_registry(source: &str) -> bool {
    source.starts_with("registry+") && source.ends_with(REGISTRY_SUFFIX)
}

/// Whether an SPDX expression can be met with the allowed licences; an empty one cannot.
fn allows(expression: &str, allowed: &[String]) -> bool {
    // Before SPDX, `/` stood for OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let verdict = any_of(&mut words, allowed);
    verdict && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut verdict = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        verdict |= all_of(words, allowed);
    }
    verdict
}

fn all_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut verdict = single(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        verdict &= single(words, allowed);
    }
    verdict
}

/// One licence, with its exception if it has one, or an expression in parentheses.
fn single(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let Some(word) = words.next() else { return false };
    if word == "(" {
        let verdict = any_of(words, allowed);
        return words.next() == Some(")") && verdict;
    }
    let mut license = word.to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        license = format!("{word} WITH {}", words.next().unwrap_or_default());
    }
    allowed.contains(&license)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [licenses]
        allow = ["MIT"]
        [bans]
        deny = [{ crate = "evil", reason = "it is" }]
        skip = [{ crate = "syn@1", reason = "old macro" }]
    "#;

    fn package(name: &str, version: &str) -> Package {
        let json = serde_json::json!({
            "id": name, "name": name, "version": version, "license": "MIT",
            "source": "registry+https://registry.test/crates.io-index",
            "dependencies": [], "manifest_path": "/Cargo.toml",
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn licence_expressions() {
        let allowed = ["MIT", "Apache-2.0", "Zlib WITH x"].map(String::from);
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("", false),
            ("GPL-3.0 OR MIT", true),
            ("Unlicense/MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("(GPL-3.0 OR MIT) AND Apache-2.0", true),
            ("GPL-3.0 OR MIT AND GPL-3.0", false),
            ("MIT WITH x", false),
            ("Zlib WITH x", true),
            ("MIT GPL-3.0", false),
            ("(MIT", false),
        ] {
            assert_eq!(allows(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn second_versions_need_an_exception() {
        let policy = Policy::parse(POLICY).unwrap();
        let with = |versions: &[&str]| {
            let packages: Vec<_> = versions.iter().map(|version| package("syn", version)).collect();
            policy.duplicate_findings(&packages)
        };
        assert!(with(&["1.0.5", "2.0.1"]).is_empty());
        assert_eq!(with(&["1.0.5", "2.0.1", "3.0.0"]).len(), 1);
        assert_eq!(with(&["10.0.5", "2.0.1"]).len(), 1);
    }

    #[test]
    fn an_exception_must_be_needed() {
        let policy = Policy::parse(POLICY).unwrap();
        assert!(policy.stale_findings(&[package("syn", "1.0.5")]).is_empty());
        assert_eq!(policy.stale_findings(&[package("syn", "2.0.0")]).len(), 1);
    }

    #[test]
    fn packages_are_judged_one_by_one() {
        let policy = Policy::parse(POLICY).unwrap();
        assert!(policy.package_findings(&package("good", "1.0.0")).is_empty());
        assert_eq!(
            policy.package_findings(&package("evil", "1.0.0")),
            ["`evil 1.0.0` is banned: it is"]
        );
        let mut foreign = package("good", "1.0.0");
        foreign.source = Some("git+https://elsewhere.test/good".to_owned());
        foreign.license = None;
        assert_eq!(policy.package_findings(&foreign).len(), 2);
    }
}

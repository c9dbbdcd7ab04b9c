//! The workspace as `cargo metadata` describes it: packages, and what each depends on.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cargo::Cargo;

/// All packages that cargo resolved, and which of them are ours.
#[derive(Deserialize)]
pub(crate) struct Workspace {
    packages: Vec<Package>,
    /// Where the workspace's `Cargo.toml` lies.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    workspace_members: Vec<String>,
}

/// One package of the graph.
#[derive(Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    manifest_path: PathBuf,
}

/// One entry of a package's manifest; what it names need not be part of the graph.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<Kind>,
    /// The registry or repository; none for a path.
    pub(crate) source: Option<String>,
    pub(crate) uses_default_features: bool,
    pub(crate) features: Vec<String>,
}

/// When a dependency is needed, if not by the built crate itself.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// By tests, benches and examples.
    Dev,
    /// By the build script.
    Build,
}

impl Workspace {
    /// Asks cargo, without writing `Cargo.lock`.
    pub(crate) fn load() -> Result<Workspace, String> {
        let metadata = ["metadata", "--locked", "--format-version", "1"];
        let json = Cargo::new(&metadata).output()?;
        serde_json::from_slice(&json).map_err(|error| format!("cargo metadata: {error}"))
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

impl Package {
    /// The folder of its manifest.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// The name of the crate without the prefix that all crates of the workspace share.
    pub(crate) fn short_name(&self) -> &str {
        short_name(&self.name)
    }
}

/// `tree` for `zooid-tree`; the binary's own name stays.
pub(crate) fn short_name(package: &str) -> &str {
    package.strip_prefix("zooid-").unwrap_or(package)
}

//! The workspace as `cargo metadata` describes it: packages, and what each depends on.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cargo::Cargo;

/// What only other platforms need is no part of the graph (and need not be downloaded).
const PLATFORMS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// All packages that cargo resolved, and which of them are ours.
#[derive(Deserialize)]
pub(crate) struct Workspace {
    /// Every package of the graph: ours and the external ones.
    pub(crate) packages: Vec<Package>,
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
    pub(crate) version: String,
    /// The SPDX expression of its manifest.
    pub(crate) license: Option<String>,
    /// The registry or repository it comes from; none for a package of this workspace.
    pub(crate) source: Option<String>,
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
    /// The name under which the sources know it, where it differs.
    pub(crate) rename: Option<String>,
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
        let mut metadata = Cargo::new(&["metadata", "--locked", "--format-version", "1"]);
        for platform in PLATFORMS {
            metadata = metadata.and(&["--filter-platform", platform]);
        }
        let json = metadata.output()?;
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

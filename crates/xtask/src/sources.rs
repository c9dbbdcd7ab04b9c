//! Reading the repository's files as text.

use std::fs;
use std::path::{Path, PathBuf};

/// One file, with the path that findings name.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// All Rust sources below `folder`, in order of their paths; build output and hidden folders are
/// left out.
pub(crate) fn rust_sources(folder: &Path) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    collect(folder, &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

/// The text of one file.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn collect(folder: &Path, sources: &mut Vec<Source>) -> Result<(), String> {
    let cannot_list = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(cannot_list)? {
        let path = entry.map_err(cannot_list)?.path();
        if path.is_dir() {
            if !is_left_out(&path) {
                collect(&path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = read(&path)?;
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

fn is_left_out(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "target"
}

//! A copy of the sources, with a target directory of its own: what is built there stays for the next
//! bug and for the next run, and the working tree is left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::list::Edit;
use crate::sources::read;

/// The copy, and where it is from.
pub(super) struct Copy {
    root: PathBuf,
    /// The sources.
    pub(super) sources: PathBuf,
    /// What cargo builds.
    pub(super) target: PathBuf,
    /// What the nets said.
    pub(super) told: PathBuf,
}

impl Copy {
    /// Copies what git knows or would take up. Files that are the same already are not touched, so
    /// that cargo does not build them again.
    pub(super) fn of(root: &Path) -> Result<Self, String> {
        let folder = root.join("target/mutations");
        let [sources, target, told] = ["sources", "target", "told"].map(|name| folder.join(name));
        let copy = Self { root: root.to_owned(), sources, target, told };
        let files = listed(root)?;
        for file in &files {
            copy.take(Path::new(file))?;
        }
        fs::create_dir_all(&copy.told)
            .map_err(|error| format!("{}: {error}", copy.told.display()))?;
        Ok(copy)
    }

    /// Puts a bug in.
    pub(super) fn change(&self, edits: &[Edit]) -> Result<(), String> {
        for edit in edits {
            let path = self.sources.join(edit.file);
            write(&path, read(&path)?.replace(edit.text, edit.becomes).as_bytes())?;
        }
        Ok(())
    }

    /// Takes it out again.
    pub(super) fn restore(&self, edits: &[Edit]) -> Result<(), String> {
        edits.iter().try_for_each(|edit| self.take(Path::new(edit.file)))
    }

    fn take(&self, file: &Path) -> Result<(), String> {
        let (from, to) = (self.root.join(file), self.sources.join(file));
        let Ok(text) = fs::read(&from) else {
            // Deleted, but git knows it still.
            return if to.exists() {
                fs::remove_file(&to).map_err(|e| e.to_string())
            } else {
                Ok(())
            };
        };
        if fs::read(&to).is_ok_and(|before| before == text) { Ok(()) } else { write(&to, &text) }
    }
}

fn listed(root: &Path) -> Result<Vec<String>, String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let output = git.output().map_err(|error| format!("cannot run git: {error}"))?;
    if !output.status.success() {
        return Err(format!("`git ls-files` failed, {}", output.status));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn write(path: &Path, text: &[u8]) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

//! Directories that were found suspect, in an ensemble whose other members have everything: they are
//! kept aside, and the server begins empty, with a mark that it is not a new one.
//!
//! ```text
//! dataDir/zooid/suspect          the mark: one sentence of text
//!               suspect.moving   the mark while files are moved: the name, then the sentence
//!               suspect-TIME/    what was found; TIME is in milliseconds since 1970
//! dataLogDir/zooid/suspect-TIME/
//! ```
//!
//! The mark is durable before the first file is moved, so that a crash leaves no directory that
//! looks unused; the next start moves the rest.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zooid_ids::Millis;

use crate::Fatal;
use crate::dirs::sync_dir;

/// What is moved aside; whatever is not there is not missed.
const OF_DATA: [&str; 4] = ["witness", "ledger", "runs", "staging"];
const OF_LOG: [&str; 1] = ["log"];

/// The mark of one `zooid` directory.
#[derive(Clone, Debug)]
pub(crate) struct SuspectMark {
    /// `zooid` in dataDir.
    data: PathBuf,
}

impl SuspectMark {
    pub(crate) fn of(data: &Path) -> Self {
        Self { data: data.to_path_buf() }
    }

    fn path(&self) -> PathBuf {
        self.data.join("suspect")
    }

    fn moving(&self) -> PathBuf {
        self.data.join("suspect.moving")
    }

    /// Its sentence; `None` if there is no mark.
    pub(crate) fn read(&self) -> io::Result<Option<String>> {
        read_if_there(&self.path())
    }

    /// Removes it, durable.
    pub(crate) fn clear(&self) -> Result<(), Fatal> {
        let removed = match fs::remove_file(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        removed
            .and_then(|()| sync_dir(&self.data))
            .map_err(Fatal::at("remove the mark of a suspect", &self.data))
    }

    /// Moves everything aside, here and in `log`, `zooid` in dataLogDir.
    pub(crate) fn set_aside(&self, log: &Path, finding: &str, now: Millis) -> io::Result<()> {
        self.begin(log, finding, now)?;
        self.finish(log)
    }

    /// Says durably that everything is to be moved aside; the next start does it.
    pub(crate) fn begin(&self, log: &Path, finding: &str, now: Millis) -> io::Result<()> {
        let name = self.free_name(log, now)?;
        let kept: Vec<_> = self.homes(log).iter().map(|home| home.join(&name)).collect();
        let kept: Vec<_> = kept.iter().map(|path| path.display().to_string()).collect();
        let sentence = format!("{finding}; what was found is kept in {}", kept.join(" and "));
        write_synced(&self.moving(), &format!("{name}\n{sentence}"))?;
        sync_dir(&self.data)
    }

    /// Finishes what [`set_aside`](Self::set_aside) began, if it did.
    pub(crate) fn finish(&self, log: &Path) -> io::Result<()> {
        let Some(text) = read_if_there(&self.moving())? else { return Ok(()) };
        let (name, sentence) = text.split_once('\n').ok_or(io::ErrorKind::InvalidData)?;
        move_all(&self.data, name, &OF_DATA)?;
        move_all(log, name, &OF_LOG)?;
        write_synced(&self.path(), sentence)?;
        // One of the two is always there: without a mark this server would look new.
        sync_dir(&self.data)?;
        fs::remove_file(self.moving())?;
        sync_dir(&self.data)
    }

    fn homes<'a>(&'a self, log: &'a Path) -> Vec<&'a Path> {
        if log == self.data { vec![log] } else { vec![&self.data, log] }
    }

    fn free_name(&self, log: &Path, now: Millis) -> io::Result<String> {
        let is_free = |name: &String| self.homes(log).iter().all(|home| !home.join(name).exists());
        (now.0..)
            .map(|time| format!("suspect-{time}"))
            .find(is_free)
            .ok_or_else(|| io::Error::other("no free name"))
    }
}

fn read_if_there(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whole or not there, but its name is not durable yet.
fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let staged = path.with_extension("tmp");
    let mut file = fs::File::create(&staged)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&staged, path)
}

fn move_all(home: &Path, name: &str, files: &[&str]) -> io::Result<()> {
    let aside = home.join(name);
    fs::create_dir_all(&aside)?;
    // Before anything is moved into what a power cut might take away.
    sync_dir(home)?;
    for file in files {
        match fs::rename(home.join(file), aside.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _moved_or_not_there => {}
        }
    }
    sync_dir(&aside)?;
    sync_dir(home)
}

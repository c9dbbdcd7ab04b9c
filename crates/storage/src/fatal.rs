//! The failure after which nothing on disk may be counted on any more.

use std::path::{Path, PathBuf};

/// A write or an fsync failed. After a failed fsync the kernel may have dropped the data and marked
/// it clean, so trying again proves nothing: the process must end, and recovery decides.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} in {}: {cause}; the server must stop, what it acknowledged is in the log", path.display())]
pub struct Fatal {
    /// What was being done, as it goes after "cannot".
    pub what: &'static str,
    /// Where.
    pub path: PathBuf,
    /// What the system or the engine said.
    pub cause: String,
}

impl Fatal {
    /// For `map_err`: what was being done, and where.
    pub(crate) fn at<E: ToString>(what: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |cause| Self { what, path: path.to_path_buf(), cause: cause.to_string() }
    }
}

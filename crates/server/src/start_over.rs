//! This server's life is over: the others know that its disk lost what it had acknowledged.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

use zooid_storage::DataDirs;

use crate::{clock, guard};

const FINDING: &str = "the other members know that this server had acknowledged more than its disk \
    holds: the disk is an older copy";

/// Leaves a durable mark, by which the next start sets everything here aside and begins as a suspect,
/// and makes that start: the process becomes a new one with the same number and the same command
/// line. Nothing else of this one matters any more.
pub(crate) fn start_over(dirs: &DataDirs) -> ! {
    if let Err(error) = dirs.mark_suspect(FINDING, clock::wall()) {
        guard::die("loop", &format!("{FINDING}, and it cannot be marked as such: {error}"));
    }
    tracing::error!("{FINDING}; what is here is set aside, and this server starts over");
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| "zooid".into());
    let error = Command::new("/proc/self/exe").arg0(name).args(arguments).exec();
    guard::die("loop", &format!("{FINDING}; start it again, it cannot do so itself: {error}"));
}

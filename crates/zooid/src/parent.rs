//! A server that is part of a local ensemble ends with it, however that ends.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// The option by which a server is told so, followed by the parent's process number.
pub(crate) const OPTION: &str = "--end-with";

/// Asks the system for SIGTERM once the parent is gone.
///
/// # Errors
/// The parent is gone already, or the system cannot do that.
pub(crate) fn end_with(parent: u32) -> Result<(), String> {
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|error| error.to_string())?;
    let is_there =
        getppid().is_some_and(|now| u32::try_from(now.as_raw_nonzero().get()) == Ok(parent));
    if is_there {
        Ok(())
    } else {
        Err(format!("process {parent}, which started this one, is gone"))
    }
}

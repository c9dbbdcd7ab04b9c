//! A received checkpoint takes the place of everything: the log and the own checkpoint.
//!
//! A crash may come between any two steps. Until the manifest says *installing* the old state is
//! whole, with runs beside it that nobody names and a witness that claims less; from then on the
//! new one is, and a start begins the log anew before anybody is told how far it reaches.

use std::fs::{self, File};

use crate::Fatal;
use crate::checkpoint::{Checkpoint, Checkpoints, Manifest};
use crate::dirs::sync_dir;
use crate::log::LogWriter;
use crate::received::Staged;

/// Installs what was received: when this returns the log is empty behind it, durable. No run may be
/// under way: what it holds is of the state that is given up.
///
/// # Panics
/// If the own checkpoint is newer: what is committed is never given up.
///
/// # Errors
/// [`Fatal`]: the next start finds the old state or the new one.
pub fn install(
    log: &mut LogWriter,
    checkpoints: &mut Checkpoints,
    staged: Staged,
) -> Result<(), Fatal> {
    let received = staged.into_checkpoint();
    let mut installation = Installation { log, checkpoints, received };
    let (new, old) = (installation.received.position(), installation.checkpoints.manifest());
    assert!(new.zxid >= old.position().zxid, "a checkpoint at {new} behind {}", old.position());
    STEPS.iter().try_for_each(|step| step(&mut installation))
}

struct Installation<'a> {
    log: &'a mut LogWriter,
    checkpoints: &'a mut Checkpoints,
    received: Checkpoint,
}

type Step = fn(&mut Installation<'_>) -> Result<(), Fatal>;

/// In this order.
const STEPS: [Step; 6] = [
    |installation| installation.move_runs(),
    |installation| installation.lower_witness(),
    |installation| installation.name_runs(),
    |installation| installation.begin_log_anew(),
    |installation| installation.clear_mark(),
    |installation| installation.remove_old_runs(),
];

impl Installation<'_> {
    fn move_runs(&mut self) -> Result<(), Fatal> {
        let files = self.checkpoints.files();
        let to = files.runs();
        let fatal = || Fatal::at("move received runs", to);
        for run in &self.received.runs {
            let path = self.received.path_of(run);
            File::open(&path).and_then(|file| file.sync_all()).map_err(fatal())?;
            fs::rename(&path, to.join(run.file_name())).map_err(fatal())?;
        }
        sync_dir(to).map_err(fatal())
    }

    fn lower_witness(&mut self) -> Result<(), Fatal> {
        self.log.witness_nothing()
    }

    fn name_runs(&mut self) -> Result<(), Fatal> {
        let runs = self.received.runs.clone();
        self.checkpoints.name(Manifest { runs, installing: true })
    }

    fn begin_log_anew(&mut self) -> Result<(), Fatal> {
        self.log.begin_anew(self.received.position())
    }

    fn clear_mark(&mut self) -> Result<(), Fatal> {
        self.checkpoints.installed()
    }

    fn remove_old_runs(&mut self) -> Result<(), Fatal> {
        self.checkpoints.remove_unnamed()
    }
}

#[cfg(test)]
mod tests;

//! The sentences for what recovery found: what, where, and what to do.

use std::fmt;

use crate::recovery::{Recovered, Recovery, Refusal, Suspicion};

/// What an operator may do about a suspicion.
const WHAT_TO_DO: &str = "something that was acknowledged may be missing here, so this server does \
    not start. Change nothing in these directories before they are copied; then restore dataDir \
    and dataLogDir together, or, to give up what is in them, move both `zooid` folders away";

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("the directories are new: this server begins empty"),
            Self::Forming { .. } => f.write_str(
                "the first start was interrupted before anything was stored: it starts over",
            ),
            Self::Sound(recovered) => recovered.fmt(f),
            Self::TornTail { tear, recovered } => write!(
                f,
                "{recovered}; the end of a write that was never acknowledged was cut from {} at \
                 byte {}",
                tear.file.display(),
                tear.offset
            ),
            Self::Suspect(suspicion) => suspicion.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "everything up to {} is there", self.last)?;
        match self.manifest.runs.len() {
            0 => f.write_str(", all of it in the log")?,
            count => write!(f, ", up to {} in {count} run(s)", self.manifest.position())?,
        }
        if self.manifest.installing {
            f.write_str("; they were received, and installing them is finished now")?;
        }
        match &self.ledger_rebuilt {
            None => Ok(()),
            Some(why) => {
                write!(f, "; the ledger was written anew from the runs and the log ({why})")
            }
        }
    }
}

impl std::error::Error for Suspicion {}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {WHAT_TO_DO}", Finding(self))
    }
}

/// What was found, without what to do.
pub(crate) struct Finding<'a>(pub(crate) &'a Suspicion);

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.what(f)
    }
}

impl Suspicion {
    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogDamaged { file, offset, why } => {
                write!(f, "the log file {} is damaged at byte {offset} ({why})", file.display())
            }
            Self::LogUnreadable { dir, why } => {
                write!(f, "the log in {} cannot be read ({why})", dir.display())
            }
            Self::LogGone { dir, beside } => {
                write!(f, "the log in {} is gone, but {beside}", dir.display())
            }
            Self::LogBroken { dir, last_good, why } => write!(
                f,
                "the log in {} is one history only up to {last_good} ({why})",
                dir.display()
            ),
            Self::Gap { checkpoint, first } => write!(
                f,
                "the log begins at entry {first}, but the checkpoint ends at {checkpoint}"
            ),
            Self::LogBehind { last, reached, says } => {
                write!(f, "the log ends at entry {last}, but {says} says it reached {reached}")
            }
            Self::HistoryDiffers { log: Some(log), expected, says } => {
                write!(f, "the log holds {log}, but {says} says it was {expected}")
            }
            Self::HistoryDiffers { log: None, expected, says } => {
                write!(f, "the log cannot give the entry that {says} has as {expected}")
            }
            Self::WitnessLost { dir, why } => {
                write!(f, "{} holds data, but its witness cannot be used ({why})", dir.display())
            }
            Self::KeysLost { dir } => {
                write!(f, "the log in {} does not say any more whose it is", dir.display())
            }
            Self::RunUnusable { file, why } => {
                write!(f, "the checkpoint needs the run {}, but {why}", file.display())
            }
            Self::NeverFormed { dir } => write!(
                f,
                "{} holds a checkpoint, but its witness says that nothing was ever stored",
                dir.display()
            ),
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherServer { place, holds, configured } => write!(
                f,
                "{} belongs to server {holds}, but this is server {configured}: correct myid, or \
                 dataDir and dataLogDir",
                place.display()
            ),
            Self::NotTogether { one, other } => write!(
                f,
                "{} and {} were never used together: correct dataDir and dataLogDir",
                one.display(),
                other.display()
            ),
        }
    }
}

//! `zooid check`: what is in a data directory, whether it is sound, and what a start would do.
//!
//! It changes nothing. The engines below cut and rewrite files when they are opened, so they are
//! given a `copy`; `report` says what was found there, `state` what the znodes add up to.
//!
//! Start with [`run`].

mod copy;
mod report;
mod state;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use zooid_ids::ServerId;
use zooid_storage::{Found, OpenError, Recovery, Storage, recover};

use crate::export::stopped::{StoppedError, config, read_tree};
use crate::progress::Progress;
use copy::{Copy, CopyError};
use report::Report;
use state::State;

/// What can be said on the command line.
#[derive(Args)]
pub(crate) struct Options {
    /// The dataDir of a server that is stopped
    #[arg(value_name = "DATADIR")]
    data_dir: PathBuf,
    /// The dataLogDir of that server, where that is another directory
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// Where the log is copied to meanwhile, instead of the system's place for temporary files
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Who the server is configured to be; otherwise whoever it says to be is taken
    #[arg(long, value_name = "N")]
    id: Option<u64>,
    /// An object instead of lines
    #[arg(long)]
    json: bool,
}

/// Nothing was ever stored, or the first start was interrupted before.
const EXIT_EMPTY: u8 = 3;
/// Something that was acknowledged may be missing.
const EXIT_SUSPECT: u8 = 4;
/// It is not for this server, or not ours at all.
const EXIT_REFUSED: u8 = 5;

#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The sentence is about the original, the error about the copy.
    #[error("{sentence}")]
    Open { sentence: String, is_refused: bool },
    #[error(transparent)]
    State(#[from] StoppedError),
}

impl CheckError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Open { is_refused: true, .. } => EXIT_REFUSED,
            _ => 1,
        }
    }
}

/// Checks, and prints what was found.
pub(crate) fn run(options: &Options) -> ExitCode {
    match check(options) {
        Ok((report, code)) => {
            let text = if options.json { report.json() } else { report.to_string() };
            // Whoever closed stdout does not want to know.
            let _ = io::stdout().write_all(text.as_bytes());
            code.into()
        }
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code().into()
        }
    }
}

fn check(options: &Options) -> Result<(Report, u8), CheckError> {
    let data_dir = &options.data_dir;
    let log_dir = options.log_dir.as_ref().unwrap_or(data_dir);
    let copy = Copy::of(data_dir, log_dir, options.scratch.as_deref())?;
    let found = examine(&copy, options.id.map(ServerId)).map_err(|error| CheckError::Open {
        sentence: copy.in_words_of_the_original(&error.to_string()),
        is_refused: matches!(error, OpenError::Dirs(_)),
    })?;
    let recovery = recover(&found);
    let code = match &recovery {
        Recovery::Sound(_) | Recovery::TornTail { .. } => 0,
        Recovery::Fresh | Recovery::Forming { .. } => EXIT_EMPTY,
        Recovery::Suspect(_) => EXIT_SUSPECT,
        Recovery::Refused(_) => EXIT_REFUSED,
    };
    let state = if code == 0 { Some(state(&copy, found.server)?) } else { None };
    let sentence = copy.in_words_of_the_original(&recovery.to_string());
    Ok((Report::new(data_dir, log_dir, &found, sentence, state), code))
}

/// Whose directory it is counts for nothing unless somebody says whose it should be.
fn examine(copy: &Copy, id: Option<ServerId>) -> Result<Found, OpenError> {
    let found = Storage::examine(&config(copy.data_dir(), copy.log_dir(), id.unwrap_or_default()))?;
    let server = id.or_else(|| says_to_be(&found)).unwrap_or_default();
    Ok(Found { server, ..found })
}

fn says_to_be(found: &Found) -> Option<ServerId> {
    let of_witness = found.witness.newest().map(|record| record.server);
    of_witness.or_else(|| found.log_identity.map(|identity| identity.server))
}

/// The state that a start would serve.
fn state(copy: &Copy, server: ServerId) -> Result<State, StoppedError> {
    let opened = Storage::open(&config(copy.data_dir(), copy.log_dir(), server))?;
    let (suspect, acknowledged) = (opened.suspect.clone(), opened.acknowledged.clone());
    let tree = read_tree(opened, &mut Progress::new())?;
    Ok(State::of(&tree, suspect, acknowledged))
}

/// A path as it is printed.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

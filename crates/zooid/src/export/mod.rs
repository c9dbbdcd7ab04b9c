//! `zooid export`: the way back, a snapshot from which Apache ZooKeeper starts.
//!
//! Start with [`run`]; `stopped` reads a data directory, `running` asks a server through
//! `connection`. How a snapshot is written is the matter of `zooid-zookeeper`.

mod running;
pub(crate) mod stopped;

mod connection;

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::write::GzEncoder;
use zooid_model::EphemeralOwner;
use zooid_zookeeper::{Compression, State, snapshot_name, write_snapshot};

use crate::progress::Progress;
use crate::status::Addresses;
use running::RunningError;
use stopped::StoppedError;

/// What can be said on the command line.
#[derive(Args)]
pub(crate) struct Options {
    /// The dataDir of a Zooid server that is stopped, or where one takes clients
    #[arg(value_name = "DATADIR|HOST:PORT")]
    source: String,
    /// A new directory, which becomes ZooKeeper's dataDir
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The dataLogDir of that server, where that is another directory
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// Compress the snapshot; ZooKeeper 3.6 and later read it whatever their settings are
    #[arg(long)]
    gzip: bool,
    /// Who asks a running server, like digest:super:secret; may be said several times
    #[arg(long, value_name = "SCHEME:PROOF", value_parser = scheme_and_proof)]
    auth: Vec<(String, String)>,
}

fn scheme_and_proof(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(':').ok_or("it is not SCHEME:PROOF, like digest:user:password")?;
    Ok((parts.0.to_string(), parts.1.to_string()))
}

/// What is to be written.
pub(crate) struct Exported {
    state: State,
    /// What is lost on the way.
    notes: Vec<String>,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    #[error(transparent)]
    Stopped(#[from] StoppedError),
    #[error(transparent)]
    Running(#[from] RunningError),
    #[error("{0} is neither a directory nor one host:port")]
    Source(String),
    #[error(
        "{} holds {found:?} already: a ZooKeeper would mix both; give a directory that is new",
        dir.display()
    )]
    Used { dir: PathBuf, found: String },
    #[error("cannot {what} {}: {source}", path.display())]
    Unusable { what: &'static str, path: PathBuf, source: io::Error },
}

impl ExportError {
    fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Unusable { what, path: path.to_path_buf(), source }
    }
}

/// Exports; what was exported, as lines.
pub(crate) fn run(options: &Options) -> Result<String, ExportError> {
    let dir = options.out.join("version-2");
    check_unused(&dir)?;
    let mut progress = Progress::new();
    let Exported { state, notes } = read(options, &mut progress)?;
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    if state.znodes().any(|(_, znode)| matches!(znode.stat.owner(), EphemeralOwner::Ttl(_))) {
        tracing::warn!(
            "there are TTL znodes: start ZooKeeper with extendedTypesEnabled, or it takes them for \
             ephemeral znodes without a session and deletes them"
        );
    }
    let compression = if options.gzip { Compression::Gzip } else { Compression::Plain };
    let path = dir.join(snapshot_name(state.zxid, compression));
    write(&state, &dir, &path, compression)?;
    Ok(report(&state, &path))
}

/// What is there is a directory; anything else may be a server.
fn read(options: &Options, progress: &mut Progress) -> Result<Exported, ExportError> {
    let path = Path::new(&options.source);
    let is_path = path.exists() || options.source.contains('/');
    if is_path {
        return Ok(stopped::read(path, options.log_dir.as_deref(), progress)?);
    }
    match options.source.parse::<Addresses>() {
        Ok(Addresses(servers)) if servers.len() == 1 => {
            Ok(running::read(&servers[0], &options.auth, progress)?)
        }
        _ => Err(ExportError::Source(options.source.clone())),
    }
}

/// A ZooKeeper takes the newest snapshot and all logs behind it.
fn check_unused(dir: &Path) -> Result<(), ExportError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(ExportError::at("list", dir)(error)),
    };
    match entries.flatten().next() {
        Some(entry) => {
            let found = entry.file_name().to_string_lossy().into_owned();
            Err(ExportError::Used { dir: dir.to_path_buf(), found })
        }
        None => Ok(()),
    }
}

/// Under another name until it is durable.
fn write(
    state: &State,
    dir: &Path,
    path: &Path,
    compression: Compression,
) -> Result<(), ExportError> {
    fs::create_dir_all(dir).map_err(ExportError::at("make the directory", dir))?;
    let unfinished = dir.join("export.unfinished");
    let write = || {
        let mut out = BufWriter::with_capacity(1 << 16, File::create(&unfinished)?);
        if compression == Compression::Gzip {
            let mut gzip = GzEncoder::new(&mut out, flate2::Compression::default());
            write_snapshot(state, &mut gzip)?;
            gzip.finish()?;
        } else {
            write_snapshot(state, &mut out)?;
        }
        out.into_inner()?.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| {
        let _there_may_be_none = fs::remove_file(&unfinished);
        ExportError::at("write", path)(error)
    })
}

fn report(state: &State, path: &Path) -> String {
    let ephemerals = state.znodes().filter(|(_, znode)| znode.is_ephemeral()).count();
    format!(
        "zxid       {}\n\
         znodes     {}, {ephemerals} of them ephemeral\n\
         sessions   {}\n\
         digest     {:016x}\n\
         into       {}\n",
        state.zxid,
        state.znodes().len(),
        state.sessions().len(),
        state.digest(),
        path.display(),
    )
}

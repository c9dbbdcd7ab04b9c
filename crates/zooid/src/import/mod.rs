//! `zooid import`: a stopped ZooKeeper's data becomes the data directory of a server.
//!
//! What ZooKeeper's files mean is the matter of `zooid-zookeeper`, how a data directory is written
//! that of `zooid-storage`; here one becomes the other. Start with [`run`]; `target` writes.

mod target;

use std::path::PathBuf;

use clap::Args;
use zooid_ids::{ServerId, Zxid};
use zooid_zookeeper::{Loaded, Sources, Step, load};

use crate::progress::Progress;
use target::{Target, TargetError};

/// What can be said on the command line.
#[derive(Args)]
pub(crate) struct Options {
    /// The dataDir of a ZooKeeper that is stopped, or one snapshot of it
    #[arg(value_name = "IN")]
    source: PathBuf,
    /// Zooid's dataDir; it may be the same
    #[arg(value_name = "DATADIR")]
    data_dir: PathBuf,
    /// ZooKeeper's dataLogDir, where that is another directory
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// Zooid's dataLogDir, where that is to be another directory than DATADIR
    #[arg(long, value_name = "DIR")]
    to_log_dir: Option<PathBuf>,
    /// The server that DATADIR is for [default: what DATADIR/myid says, otherwise 0]
    #[arg(long, value_name = "N")]
    myid: Option<u64>,
    /// Go on where the tree is not the one that ZooKeeper's digests are of
    #[arg(long)]
    ignore_digest: bool,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error(transparent)]
    Source(#[from] zooid_zookeeper::LoadError),
    #[error(
        "{} holds nothing that was ever written: start `zooid server` on an empty directory",
        .0.display()
    )]
    Empty(PathBuf),
    #[error(
        "{path} has no parent in what {} and the logs lead to: take the directory of another server",
        file.display()
    )]
    Orphan { file: PathBuf, path: String },
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// Imports; what was imported, as lines.
pub(crate) fn run(options: &Options) -> Result<String, ImportError> {
    let target =
        Target::new(&options.data_dir, options.to_log_dir.as_deref(), options.myid.map(ServerId))?;
    let sources = Sources {
        data: options.source.clone(),
        logs: options.log_dir.clone(),
        ignore_digest: options.ignore_digest,
    };
    let mut progress = Progress::new();
    let loaded = load(&sources, &mut |step| match step {
        Step::Znodes(count) => progress.is_at(count, "znodes read"),
        Step::Transactions(count) => progress.is_at(count, "transactions applied"),
    })?;
    loaded.notes.iter().for_each(|note| tracing::warn!("{note}"));
    if loaded.state.zxid == Zxid::ZERO {
        return Err(ImportError::Empty(options.source.clone()));
    }
    if let Some(orphan) = loaded.state.orphan() {
        let (file, path) = (loaded.snapshot.clone(), orphan.to_string());
        return Err(ImportError::Orphan { file, path });
    }
    let report = report(&loaded);
    let server = target.server;
    let written = target.write(loaded.state, loaded.epoch, &mut progress)?;
    Ok(format!("{report}into       {} as server {server}\n", written.display()))
}

fn report(loaded: &Loaded) -> String {
    let Loaded { state, snapshot, transactions, digests, .. } = loaded;
    let ephemerals = state.znodes().filter(|(_, znode)| znode.is_ephemeral()).count();
    format!(
        "snapshot   {}\n\
         behind it  {transactions} transactions\n\
         zxid       {}\n\
         znodes     {}, {ephemerals} of them ephemeral\n\
         sessions   {}\n\
         digest     {:016x}, compared {digests} times on the way\n",
        snapshot.display(),
        state.zxid,
        state.znodes().len(),
        state.sessions().len(),
        state.digest(),
    )
}

//! The state that a stopped server's data directory leads to.

use std::path::{Path, PathBuf};

use zooid_ids::{ClusterId, Incarnation, Millis, ServerId, Zxid};
use zooid_model::PasswordScheme;
use zooid_node::contract::ContractError;
use zooid_node::contract::entry::{read_body, read_command, write_config};
use zooid_storage::{
    Config, Identity, LogEntry, OpenError, Opened, ReadError, Recovery, Refusal, Storage,
};
use zooid_tree::{Record, Stamp, Tree};
use zooid_zab::Body;
use zooid_zookeeper::{State, Znode};

use super::Exported;
use crate::progress::Progress;

/// Why there is no state to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoppedError {
    /// No server was ever here.
    #[error(
        "{} is not there: give the dataDir of a Zooid server that is stopped, or the host:port of \
         one that runs", .0.display()
    )]
    NoData(PathBuf),
    /// The directory was made, and nothing happened in it.
    #[error("{} holds nothing that was ever written", .0.display())]
    Empty(PathBuf),
    /// It cannot be opened as a server would.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The checkpoint.
    #[error(transparent)]
    Load(#[from] zooid_server::LoadError),
    /// An entry cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An entry cannot be understood.
    #[error("entry {zxid} cannot be understood: {why}; was a newer version here?")]
    Entry {
        /// Which.
        zxid: Zxid,
        /// Why.
        why: ContractError,
    },
}

/// Opens the directory as a server that starts would, and applies everything that its log holds.
pub(super) fn read(
    data_dir: &Path,
    log_dir: Option<&Path>,
    progress: &mut Progress,
) -> Result<Exported, StoppedError> {
    let home = data_dir.join("zooid");
    if !home.is_dir() {
        return Err(StoppedError::NoData(home));
    }
    let opened = open(data_dir, log_dir.unwrap_or(data_dir))?;
    match &opened.recovery {
        Recovery::Fresh | Recovery::Forming { .. } => return Err(StoppedError::Empty(home)),
        Recovery::Sound(_) => {}
        other => tracing::warn!("{other}"),
    }
    Ok(of_tree(&read_tree(opened, progress)?))
}

/// The state that the checkpoint and the log lead to.
pub(crate) fn read_tree(opened: Opened, progress: &mut Progress) -> Result<Tree, StoppedError> {
    let mut tree = zooid_server::load(opened.checkpoint.as_ref())?;
    for (count, entry) in (0..).zip(opened.entries) {
        apply(&mut tree, entry?)?;
        progress.is_at(count, "entries of the log applied");
    }
    Ok(tree)
}

/// How these directories are opened.
pub(crate) fn config(data_dir: PathBuf, log_dir: PathBuf, server: ServerId) -> Config {
    let (cluster, incarnation) = (ClusterId(0), Incarnation(0));
    Config::new(data_dir, log_dir, Identity { cluster, server, incarnation, created: Millis(0) })
}

/// Whose directory it is does not matter here, so its own answer is taken.
fn open(data_dir: &Path, log_dir: &Path) -> Result<Opened, OpenError> {
    let config = |server| config(data_dir.into(), log_dir.into(), server);
    match Storage::open(&config(ServerId(0))) {
        Err(OpenError::Refused(why)) => match *why {
            Refusal::OtherServer { holds, .. } => Storage::open(&config(holds)),
            _ => Err(OpenError::Refused(why)),
        },
        opened => opened,
    }
}

fn apply(tree: &mut Tree, entry: LogEntry) -> Result<(), StoppedError> {
    let LogEntry { zxid, time, kind, payload, .. } = entry;
    let unreadable = |why| StoppedError::Entry { zxid, why };
    match read_body(kind, payload).map_err(unreadable)? {
        Body::EpochStart(config) | Body::Config(config) => {
            tree.set_voters(zxid, write_config(&config));
        }
        Body::Command(bytes) => {
            let command = read_command(bytes).map_err(unreadable)?;
            tree.apply(Stamp { zxid, time }, &command);
        }
    }
    Ok(())
}

fn of_tree(tree: &Tree) -> Exported {
    let mut state = State::new(tree.zxid());
    for (id, session) in tree.sessions() {
        state.put_session(id, session.timeout);
    }
    for record in tree.znodes() {
        if let Record::Znode { path, data, acl, stat } = record {
            state.put(&path, Znode { data, acl, stat });
        }
    }
    assert_eq!(state.digest(), tree.digest(), "every znode was taken over");
    let keyed = tree.sessions().filter(|(_, session)| session.scheme == PasswordScheme::Keyed);
    let keyed = keyed.count();
    let note = (keyed > 0).then(|| {
        format!(
            "{keyed} of {} sessions began at Zooid, with passwords that ZooKeeper does not take: \
             their clients get new sessions there, and their ephemeral znodes stay until the \
             session's timeout",
            tree.counts().sessions,
        )
    });
    Exported { state, notes: note.into_iter().collect() }
}

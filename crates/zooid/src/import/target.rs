//! A fresh data directory that begins with a given state.
//!
//! It is written beside its place and moved there when it is whole, so that no server ever starts
//! from half of it. The state stands in it as a checkpoint that was received from elsewhere, by the
//! same steps as one of another member; the log is empty and goes on behind it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use zooid_ids::{ClusterId, Epoch, Incarnation, LogIndex, Millis, ServerId, Zxid};
use zooid_model::{Owner, PasswordScheme};
use zooid_node::contract::checkpoint::write_record;
use zooid_storage::{
    Chain, Config, Fatal, Identity, LogPosition, OpenError, Opened, Promise, RunHeader, RunKind,
    StageError, Storage, install,
};
use zooid_tree::{Formation, Record, Session};
use zooid_zookeeper::State;

use crate::progress::Progress;

/// Elections that an ensemble may hold while one of its servers is down.
const EPOCHS_UNSEEN: u32 = 100;
/// Where it is written before it is moved to its place.
const UNFINISHED: &str = "zooid-import";

/// Why the directory is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// It holds data.
    #[error(
        "{} is there already: import only where no Zooid ever was, or move it away", .0.display()
    )]
    Used(PathBuf),
    /// The system refused an access.
    #[error("cannot {what} {}: {source}", path.display())]
    Unusable { what: &'static str, path: PathBuf, source: io::Error },
    /// `myid` is no number.
    #[error("{} holds {found:?}, not a server's number: correct it, or say --myid N", path.display())]
    MyId { path: PathBuf, found: String },
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The directory cannot be begun.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A write failed.
    #[error("cannot {} in {}: {}", .0.what, .0.path.display(), .0.cause)]
    Write(#[from] Fatal),
    /// What was written is no checkpoint.
    #[error("what was written cannot be read back: {0}")]
    Stage(#[from] StageError),
    /// What was written is no tree.
    #[error("what was written cannot be loaded: {0}")]
    Load(#[from] zooid_server::LoadError),
}

impl TargetError {
    fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Unusable { what, path: path.to_path_buf(), source }
    }
}

/// Where the data is to be.
pub(crate) struct Target {
    data_dir: PathBuf,
    log_dir: PathBuf,
    /// Whose it is to be.
    pub(crate) server: ServerId,
}

impl Target {
    /// Checks that there is nothing yet.
    pub(crate) fn new(
        data_dir: &Path,
        log_dir: Option<&Path>,
        server: Option<ServerId>,
    ) -> Result<Self, TargetError> {
        let log_dir = log_dir.unwrap_or(data_dir);
        for used in [data_dir.join("zooid"), log_dir.join("zooid")] {
            if used.exists() {
                return Err(TargetError::Used(used));
            }
        }
        let server = match server {
            Some(server) => server,
            None => my_id(&data_dir.join("myid"))?,
        };
        Ok(Self { data_dir: data_dir.into(), log_dir: log_dir.into(), server })
    }

    /// Writes the state; gives where it is. What was written before a failure is removed.
    pub(crate) fn write(
        self,
        state: State,
        epoch: Option<Epoch>,
        progress: &mut Progress,
    ) -> Result<PathBuf, TargetError> {
        let (data, log) = (self.data_dir.join(UNFINISHED), self.log_dir.join(UNFINISHED));
        let _there_may_be_none = (fs::remove_dir_all(&data), fs::remove_dir_all(&log));
        let done = self
            .begin(&data, &log)
            .and_then(|opened| fill(opened, state, epoch, progress))
            .and_then(|()| self.move_there(&data, &log));
        let _moved_or_failed = (fs::remove_dir_all(&data), fs::remove_dir_all(&log));
        done.map(|()| self.data_dir.join("zooid"))
    }

    fn begin(&self, data: &Path, log: &Path) -> Result<Opened, TargetError> {
        let identity = Identity {
            cluster: ClusterId(u128::from_le_bytes(random()?)),
            server: self.server,
            incarnation: Incarnation(u128::from_le_bytes(random()?)),
            created: now(),
        };
        Ok(Storage::open(&Config::new(data.into(), log.into(), identity))?)
    }

    /// The log first: without the other it is no data directory.
    fn move_there(&self, data: &Path, log: &Path) -> Result<(), TargetError> {
        let mut moves = vec![(log, &self.log_dir), (data, &self.data_dir)];
        moves.dedup();
        for (from, to) in moves {
            fs::rename(from.join("zooid"), to.join("zooid"))
                .and_then(|()| File::open(to)?.sync_all())
                .map_err(TargetError::at("move the finished directory to", to))?;
        }
        Ok(())
    }
}

fn fill(
    mut opened: Opened,
    state: State,
    epoch: Option<Epoch>,
    progress: &mut Progress,
) -> Result<(), TargetError> {
    let files = opened.checkpoint_files.clone();
    let Identity { cluster, server, incarnation, .. } = opened.log.identity();
    if let Some(epoch) = epoch {
        // The server is bound to itself, and so goes on behind it.
        opened.log.put_promise(Promise { epoch: unseen(epoch), server, incarnation })?;
    }
    let header = RunHeader {
        kind: RunKind::Base,
        position: position(&state),
        parent: Zxid::ZERO,
        digest: state.digest(),
        created: now(),
        cluster,
        incarnation,
    };
    let mut run = files.write_received(header)?;
    let formation = Record::Formation(Formation { cluster, secret: random()? });
    for (count, record) in (0..).zip(records(&state, formation)) {
        let (key, value) = write_record(&record);
        run.push(&key, value.as_deref())?;
        progress.is_at(count, "records written");
    }
    run.finish()?;
    drop(state);
    let staged = files.stage(Some(cluster))?;
    tracing::info!("reading it back");
    zooid_server::load(Some(staged.checkpoint()))?;
    Ok(install(&mut opened.log, &mut opened.checkpoints, staged)?)
}

/// No epoch up to this one was anybody's: others may have held elections without the server whose
/// files these are, and clients that saw their zxids are turned away by a server with older ones.
fn unseen(epoch: Epoch) -> Epoch {
    let highest = Epoch(epoch.0.saturating_add(EPOCHS_UNSEEN));
    if highest.next().is_some() { highest } else { epoch }
}

/// The first place of a log, since no entry led here. The chain is there to tell two states apart.
fn position(state: &State) -> LogPosition {
    let digest = state.digest();
    let chain = Chain((digest ^ digest >> 32) as u32);
    LogPosition { index: LogIndex(1), zxid: state.zxid, chain }
}

/// In the order of their keys.
fn records(state: &State, formation: Record) -> impl Iterator<Item = Record> {
    // As bytes, in which a negative id comes after the others.
    let mut sessions: Vec<_> = state.sessions().collect();
    sessions.sort_by_key(|(id, _)| id.0 as u64);
    let sessions = sessions.into_iter().map(|(id, timeout)| {
        let (owner, scheme) = (Owner::default(), PasswordScheme::ZooKeeper);
        Record::Session { id, session: Session { owner, sequence: 0, timeout, scheme } }
    });
    let znodes = state.znodes().map(|(path, znode)| Record::Znode {
        path: path.into(),
        data: znode.data.clone(),
        acl: znode.acl.clone(),
        stat: znode.stat,
    });
    std::iter::once(formation).chain(sessions).chain(znodes)
}

fn my_id(path: &Path) -> Result<ServerId, TargetError> {
    let found = match fs::read_to_string(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ServerId(0)),
        Err(error) => return Err(TargetError::at("read", path)(error)),
    };
    let number = found.trim().parse().map(ServerId);
    number.map_err(|_| TargetError::MyId {
        path: path.to_path_buf(),
        found: found.chars().take(40).collect(),
    })
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn random<const N: usize>() -> Result<[u8; N], TargetError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(TargetError::Random)?;
    Ok(bytes)
}

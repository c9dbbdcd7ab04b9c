//! Who this server is: its number, its directories' life, and the secrets drawn for it.

use std::fs;
use std::io;
use std::path::PathBuf;

use zooid_ids::{BootNonce, ClusterId, Incarnation, Millis, ServerId, Zxid};
use zooid_node::Settings;
use zooid_storage::{Identity, Opened, ReadError};
use zooid_zab::{Config as Voters, EpochEnds, Member, Promise, Recovered};

use crate::clock;
use crate::config::Config;

/// A checkpoint is taken when its records would take so many bytes.
const CHECKPOINT_BYTES: u64 = 64 << 20;

/// Why it is not known who this server is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// `myid` is there and cannot be read.
    #[error("cannot read {file}: {cause}", file = file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// It holds no number.
    #[error(
        "{file} holds {text:?}, not a server's number; write the N of this server's server.N \
         line into it",
        file = file.display()
    )]
    NoNumber {
        /// Which file.
        file: PathBuf,
        /// What it holds.
        text: String,
    },
    /// It holds another number than the configuration.
    #[error(
        "{file} says that this is server {found}, but the only server.N line is that of server \
         {configured}: is this the data directory of another server?",
        file = file.display()
    )]
    Another {
        /// Which file.
        file: PathBuf,
        /// What it holds.
        found: ServerId,
        /// What the configuration says.
        configured: ServerId,
    },
    /// The operating system has no random numbers to give.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Where the data is, and what the directories become if they were never used.
///
/// # Errors
/// See [`IdentityError`].
pub(crate) fn storage_config(config: &Config) -> Result<zooid_storage::Config, IdentityError> {
    let if_fresh = Identity {
        cluster: ClusterId(u128::from_le_bytes(random()?)),
        server: server_id(config)?,
        incarnation: Incarnation(u128::from_le_bytes(random()?)),
        created: clock::wall(),
    };
    let (data, log) = (config.data_dir.clone(), config.data_log_dir.clone());
    Ok(zooid_storage::Config::new(data, log, if_fresh))
}

/// What a node needs to start: its settings, who votes, and where agreement goes on from.
///
/// # Errors
/// If the end of the log cannot be read, or there is no randomness.
pub(crate) fn node_start(
    config: &Config,
    opened: &Opened,
    checkpoint: Zxid,
) -> Result<(Settings, Voters, Recovered), crate::ServeError> {
    let Identity { cluster, server: id, incarnation, .. } = opened.log.identity();
    let member = Member { id, incarnation };
    let promise = opened.log.promise();
    let last = opened.log.last().zxid;
    let recovered = Recovered {
        last,
        last_time: last_time(opened)?,
        committed: checkpoint,
        promise: Promise {
            epoch: promise.epoch,
            to: Member { id: promise.server, incarnation: promise.incarnation },
        },
        // An ensemble of one has nobody to compare its log with.
        ends: EpochEnds::new(checkpoint, (last > checkpoint).then_some(last)),
    };
    let settings = settings(config, member, cluster)?;
    Ok((settings, Voters::of([id]), recovered))
}

fn settings(
    config: &Config,
    member: Member,
    cluster: ClusterId,
) -> Result<Settings, IdentityError> {
    Ok(Settings {
        member,
        boot: BootNonce(u64::from_le_bytes(random()?)),
        formation: (cluster, random()?),
        session_id_key: random()?,
        hash_key: u64::from_le_bytes(random()?),
        timeouts: config.timeouts,
        tick: config.tick,
        agreement: zooid_zab::Settings { tick: config.tick, ..Default::default() },
        servers: None,
        grants: config.grants,
        authentication: config.authentication.clone(),
        collect_interval: config.containers.check_interval,
        collect_per_minute: config.containers.max_per_minute,
        collect_never_used: config.containers.max_never_used,
        checkpoint_entries: config.snap_count,
        checkpoint_bytes: CHECKPOINT_BYTES,
    })
}

/// The time of the last entry, from which the log's time must not go back.
fn last_time(opened: &Opened) -> Result<Millis, ReadError> {
    let last = opened.log.last().index;
    let entry = opened.log.entries(last, last).next();
    match entry {
        Some(Ok(entry)) => Ok(entry.time),
        // A log that was just compacted, or never written.
        None | Some(Err(ReadError::Absent(_))) => Ok(Millis::default()),
        Some(Err(error)) => Err(error),
    }
}

/// The number in the configuration or in `myid`; a server that has neither is alone, and 0.
fn server_id(config: &Config) -> Result<ServerId, IdentityError> {
    let configured = config.server.as_ref().map(|server| server.id);
    match (read_my_id(config)?, configured) {
        (Some((file, found)), Some(configured)) if found != configured => {
            Err(IdentityError::Another { file, found, configured })
        }
        (Some((_, found)), _) => Ok(found),
        (None, configured) => Ok(configured.unwrap_or_default()),
    }
}

fn read_my_id(config: &Config) -> Result<Option<(PathBuf, ServerId)>, IdentityError> {
    let file = config.data_dir.join("myid");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(IdentityError::Read { file, cause }),
    };
    match text.trim().parse() {
        Ok(id) => Ok(Some((file, ServerId(id)))),
        Err(_) => Err(IdentityError::NoNumber { file, text }),
    }
}

fn random<const N: usize>() -> Result<[u8; N], IdentityError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(IdentityError::Random)?;
    Ok(bytes)
}

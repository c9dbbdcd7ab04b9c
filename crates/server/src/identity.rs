//! Who this server is: its number, its directories' life, and the secrets drawn for it.

use std::collections::BTreeMap;

use zooid_ids::{BootNonce, ClusterId, Incarnation, Millis, Zxid};
use zooid_node::Settings;
use zooid_node::contract::entry::read_config;
use zooid_storage::{Identity, IfSuspect, Opened, ReadError};
use zooid_tree::Tree;
use zooid_zab::{Body, Config as Voters, EpochEnds, Member, Promise, Recovered};

use crate::ServeError;
use crate::clock;
use crate::config::{Config, Ensemble};
use crate::turn::read_entry;
use crate::voters;

/// A checkpoint is taken when its records would take so many bytes.
const CHECKPOINT_BYTES: u64 = 64 << 20;

/// Why it is not known who this server is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
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
        server: config.id,
        incarnation: Incarnation(u128::from_le_bytes(random()?)),
        created: clock::wall(),
    };
    let (data, log) = (config.data_dir.clone(), config.data_log_dir.clone());
    let defaults = zooid_storage::Config::new(data, log, if_fresh);
    let keep_entries = config.log_entries_kept.unwrap_or(defaults.keep_entries);
    // Whoever is alone has nobody who could give it back what is missing.
    let has_others = config.ensemble.is_some();
    let if_suspect = if has_others { IfSuspect::SetAside } else { IfSuspect::Refuse };
    Ok(zooid_storage::Config { keep_entries, if_suspect, ..defaults })
}

/// What a node needs to start: its settings, who votes, and where agreement goes on from.
///
/// # Errors
/// If the end of the log cannot be read, if it has other voters than the configuration, or if there
/// is no randomness.
pub(crate) fn node_start(
    config: &Config,
    opened: &Opened,
    checkpoint: &Tree,
) -> Result<(Settings, Voters, Recovered), ServeError> {
    let Identity { cluster, server: id, incarnation, .. } = opened.log.identity();
    let member = Member { id, incarnation };
    let promise = opened.log.promise();
    let last = opened.log.last().zxid;
    let recovered = Recovered {
        last,
        last_time: last_time(opened)?,
        committed: checkpoint.zxid(),
        promise: Promise {
            epoch: promise.epoch,
            to: Member { id: promise.server, incarnation: promise.incarnation },
        },
        ends: EpochEnds::new(opened.first, opened.ends.iter().copied()),
        configs: configs(opened, checkpoint)?,
        suspect: opened.suspect.is_some(),
    };
    voters::check(config, &recovered.configs)?;
    let settings = settings(config, member, cluster)?;
    let configured =
        Voters { voters: voters::configured(config), next: None, registered: BTreeMap::new() };
    Ok((settings, configured, recovered))
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
        agreement: agreement(config),
        servers: config.ensemble.as_ref().map(|ensemble| ensemble.shown().into()),
        grants: config.grants,
        authentication: config.authentication.clone(),
        collect_interval: config.containers.check_interval,
        collect_per_minute: config.containers.max_per_minute,
        collect_never_used: config.containers.max_never_used,
        checkpoint_entries: config.snap_count,
        checkpoint_bytes: CHECKPOINT_BYTES,
    })
}

fn agreement(config: &Config) -> zooid_zab::Settings {
    let defaults = zooid_zab::Settings { tick: config.tick, ..Default::default() };
    match &config.ensemble {
        Some(Ensemble { init_limit, sync_limit, .. }) => {
            zooid_zab::Settings { init_limit: *init_limit, sync_limit: *sync_limit, ..defaults }
        }
        None => defaults,
    }
}

/// Who decides, as the checkpoint and the entries behind it say.
fn configs(opened: &Opened, checkpoint: &Tree) -> Result<Vec<(Zxid, Voters)>, ServeError> {
    let (at, last) = (checkpoint.zxid(), opened.log.last().zxid);
    let mut configs = Vec::new();
    if let Some(voters) = checkpoint.voters() {
        let voters = read_config(voters.clone()).map_err(|error| {
            ServeError::Entry(format!("who votes cannot be read from the checkpoint: {error}"))
        })?;
        configs.push((at, voters));
    }
    if last == at {
        return Ok(configs);
    }
    for entry in opened.reader.entries(at, last)? {
        let entry = read_entry(entry?).map_err(ServeError::Entry)?;
        if let Body::EpochStart(config) | Body::Config(config) = entry.body {
            configs.push((entry.zxid, config));
        }
    }
    Ok(configs)
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

fn random<const N: usize>() -> Result<[u8; N], IdentityError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(IdentityError::Random)?;
    Ok(bytes)
}

//! From values to a [`Config`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zooid_ids::Millis;
use zooid_session::auth::DigestAlgorithm;
use zooid_session::handshake::Timeouts;

use super::error::{ConfigError, Notice};
use super::membership::Membership;
use super::values::{Value, Values};
use super::{Config, HostPort, Server, ensemble, my_id};
use crate::words::Whitelist;

/// Java's largest `int`; ZooKeeper reads most numbers as such.
pub(super) const INT_MAX: i64 = i32::MAX as i64;

/// `jute.maxbuffer` at most: an entry of the log has to hold a command, and memory a reply.
const FRAME_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// The configuration of a file, where `dataDir` and a client port have to be given.
pub(super) fn from_file(
    file: &Path,
    values: &Values,
    notices: &mut Vec<Notice>,
) -> Result<Config, ConfigError> {
    let missing =
        |key, advice| move || ConfigError::Missing { file: file.to_path_buf(), key, advice };
    let tick = Millis(3000);
    let defaults = Config { file: Some(file.to_path_buf()), tick, ..Config::standalone_default() };
    let data_dir = directory(values, "dataDir")?
        .ok_or_else(missing("dataDir", "name the directory for this server's data"))?;
    let membership = Membership::gather(values)?;
    let servers = membership.servers(notices)?;
    let id = my_id::read(&data_dir, &servers)?;
    let server = servers.get(&id).cloned();
    if let Some(server) = &server {
        ensemble::check_peer_type(values, server, notices)?;
    }
    let client_address = client_address(values, server.as_ref())?
        .ok_or_else(missing("clientPort", "name the port for clients; 2181 is the usual one"))?;
    let data_log_dir = directory(values, "dataLogDir")?.unwrap_or_else(|| data_dir.clone());
    let mut config = Config { data_dir, data_log_dir, client_address, id, ..defaults };
    others(&mut config, values, notices)?;
    config.ensemble = ensemble::ensemble(values, &membership, servers, config.tick, notices)?;
    Ok(config)
}

/// The configuration where there is no file.
pub(super) fn without_file(
    values: &Values,
    notices: &mut Vec<Notice>,
) -> Result<Config, ConfigError> {
    let defaults = Config::standalone_default();
    let data_dir = directory(values, "dataDir")?.unwrap_or(defaults.data_dir);
    let data_log_dir = directory(values, "dataLogDir")?.unwrap_or_else(|| data_dir.clone());
    let client_address = client_address(values, None)?.unwrap_or(defaults.client_address);
    let id = my_id::read(&data_dir, &BTreeMap::new())?;
    let defaults = Config::standalone_default();
    let mut config = Config { data_dir, data_log_dir, client_address, id, ..defaults };
    others(&mut config, values, notices)?;
    Ok(config)
}

/// Everything beside directories, addresses and servers; `config` has the defaults.
fn others(
    config: &mut Config,
    values: &Values,
    notices: &mut Vec<Notice>,
) -> Result<(), ConfigError> {
    refuse_what_would_be_unsafe(values)?;
    connections(config, values)?;
    let milliseconds = "a number of milliseconds";
    if let Some(tick) = values.number("tickTime", 1..=INT_MAX, milliseconds)? {
        config.tick = Millis(tick);
    }
    config.timeouts = timeouts(values, config.tick)?;
    if let Some(count) = values.number("snapCount", 2..=INT_MAX, "a number of transactions")? {
        config.snap_count = count as u64;
    }
    if let Some(count) = values.number("commitLogCount", 1..=INT_MAX, "a number of transactions")? {
        config.log_entries_kept = Some(count as u64);
    }
    if let Some(bytes) = values.number("zooid.headRoom", 0..=i64::MAX, "a number of bytes")? {
        config.head_room = Some(bytes as u64);
    }
    if let Some(limit) = values.number("fsync.warningthresholdms", 0..=INT_MAX, milliseconds)? {
        config.fsync_warning = Duration::from_millis(limit as u64);
    }
    if let Some(list) = values.get("4lw.commands.whitelist") {
        let (words, unknown) = Whitelist::parse(&list.text);
        config.words = words;
        notices.extend(unknown.iter().map(|word| unknown_word(list, word)));
    }
    config.grants.enforce_quota = values.truth("enforceQuota")?.unwrap_or(false);
    config.grants.extended_types = values.truth("extendedTypesEnabled")?.unwrap_or(false);
    containers(config, values)?;
    authentication(config, values, notices)
}

/// Keys that make ZooKeeper stricter than this version can be.
fn refuse_what_would_be_unsafe(values: &Values) -> Result<(), ConfigError> {
    for (key, what) in [
        ("sessionRequireClientSASLAuth", "clients that authenticate by SASL"),
        ("enforce.auth.enabled", "clients that have to authenticate"),
    ] {
        if let (Some(value), Some(true)) = (values.get(key), values.truth(key)?) {
            return Err(unsupported(value, what, "take the key out to let clients in without"));
        }
    }
    Ok(())
}

pub(super) fn unsupported(value: &Value, what: &'static str, advice: &'static str) -> ConfigError {
    let Value { origin, key, .. } = value.clone();
    ConfigError::Unsupported { origin, key, what, advice }
}

fn directory(values: &Values, key: &str) -> Result<Option<PathBuf>, ConfigError> {
    let Some(value) = values.get(key) else { return Ok(None) };
    if value.text.is_empty() {
        return Err(value.refuse("the path of a directory"));
    }
    Ok(Some(PathBuf::from(&value.text)))
}

/// Where clients are served: the keys' say, or the `server.N` line's.
fn client_address(
    values: &Values,
    server: Option<&Server>,
) -> Result<Option<HostPort>, ConfigError> {
    let port = values.number("clientPort", 0..=65535, "a port")?;
    let host = values.get("clientPortAddress");
    let of_server = server.and_then(|server| server.client.clone());
    match (port, host, of_server) {
        (None, Some(host), None) => Err(ConfigError::Conflict {
            origin: host.origin.clone(),
            what: format!("{} is set, but clientPort is not", host.key),
        }),
        (None, _, of_server) => Ok(of_server),
        (Some(port), host, of_server) => {
            let host = host.map(|value| value.text.clone()).filter(|host| !host.is_empty());
            let address = HostPort { host, port: port as u16 };
            match of_server.filter(|other| *other != address) {
                Some(other) => Err(contradiction(values, &address, &other)),
                None => Ok(Some(address)),
            }
        }
    }
}

fn contradiction(values: &Values, address: &HostPort, of_server: &HostPort) -> ConfigError {
    let value = values.get("clientPort").expect("only asked where the port is set");
    ConfigError::Conflict {
        origin: value.origin.clone(),
        what: format!(
            "clients are served at {address} by clientPort and at {of_server} by the server line; \
             leave one of them out"
        ),
    }
}

fn connections(config: &mut Config, values: &Values) -> Result<(), ConfigError> {
    let connections = "a number of connections, 0 for no limit";
    if let Some(limit) = values.number("maxClientCnxns", 0..=INT_MAX, connections)? {
        config.connections_per_address = (limit > 0).then_some(limit as usize);
    }
    if let Some(limit) = values.number("maxCnxns", 0..=INT_MAX, connections)? {
        config.connections = (limit > 0).then_some(limit as usize);
    }
    let backlog = values.number("clientPortListenBacklog", -1..=65535, "a number, -1 for 50")?;
    config.listen_backlog = backlog.filter(|backlog| *backlog > 0).map(|backlog| backlog as u32);
    let requests = "a number of requests";
    if let Some(limit) = values.number("globalOutstandingLimit", 1..=INT_MAX, requests)? {
        config.outstanding = limit as usize;
    }
    if let Some(bytes) = values.number("jute.maxbuffer", 1024..=FRAME_BYTES_MAX, "bytes")? {
        config.frame_bytes = bytes as usize;
    }
    let milliseconds = "a number of milliseconds";
    if let Some(timeout) = values.number("nio.sessionlessCnxnTimeout", 1..=INT_MAX, milliseconds)? {
        config.sessionless_timeout = Duration::from_millis(timeout as u64);
    }
    Ok(())
}

fn timeouts(values: &Values, tick: Millis) -> Result<Timeouts, ConfigError> {
    let milliseconds = "a number of milliseconds, -1 for the default";
    let given = |key| {
        let number = values.number(key, -1..=INT_MAX, milliseconds)?;
        Ok::<_, ConfigError>(number.filter(|number| *number != -1).map(Millis))
    };
    let defaults = Timeouts::of_tick(tick);
    let (min, max) = (given("minSessionTimeout")?, given("maxSessionTimeout")?);
    let timeouts = Timeouts { min: min.unwrap_or(defaults.min), max: max.unwrap_or(defaults.max) };
    if timeouts.min <= timeouts.max {
        return Ok(timeouts);
    }
    let key = if min.is_some() { "minSessionTimeout" } else { "maxSessionTimeout" };
    let value = values.get(key).expect("only a value that is set can be out of order");
    let what = format!(
        "minSessionTimeout ({}) is larger than maxSessionTimeout ({}); without a say they are 2 \
         and 20 times tickTime",
        timeouts.min, timeouts.max
    );
    Err(ConfigError::Conflict { origin: value.origin.clone(), what })
}

fn containers(config: &mut Config, values: &Values) -> Result<(), ConfigError> {
    let milliseconds = "a number of milliseconds";
    let containers = &mut config.containers;
    if let Some(interval) =
        values.number("znode.container.checkIntervalMs", 1..=INT_MAX, milliseconds)?
    {
        containers.check_interval = Millis(interval);
    }
    if let Some(limit) = values.number("znode.container.maxPerMinute", 1..=INT_MAX, "a number")? {
        containers.max_per_minute = limit as usize;
    }
    if let Some(interval) =
        values.number("znode.container.maxNeverUsedIntervalMs", 0..=i64::MAX, milliseconds)?
    {
        containers.max_never_used = Millis(interval);
    }
    Ok(())
}

fn authentication(
    config: &mut Config,
    values: &Values,
    notices: &mut Vec<Notice>,
) -> Result<(), ConfigError> {
    let authentication = &mut config.authentication;
    if let Some(enabled) = values.truth("DigestAuthenticationProvider.enabled")? {
        authentication.digest = enabled;
    }
    if let Some(name) = values.get("DigestAuthenticationProvider.digestAlg") {
        let algorithm = DigestAlgorithm::from_name(&name.text);
        authentication.algorithm =
            algorithm.ok_or_else(|| name.refuse("SHA1, SHA-256 or SHA-512"))?;
    }
    let digest = values.get("DigestAuthenticationProvider.superDigest");
    if let Some(digest) = digest.filter(|digest| !digest.text.is_empty()) {
        authentication.super_digest = Some(digest.text.as_str().into());
        if !digest.text.starts_with("super:") {
            let Value { origin, key, .. } = digest;
            let text = format!("{origin}: {key} does not begin with super:, so nobody can have it");
            notices.push(Notice::warning(text));
        }
    }
    Ok(())
}

fn unknown_word(list: &Value, word: &str) -> Notice {
    let Value { origin, key, .. } = list;
    Notice::warning(format!("{origin}: {key} names {word:?}, which is no four-letter word"))
}

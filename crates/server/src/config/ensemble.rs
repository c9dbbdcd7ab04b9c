//! The servers that belong together: `server.N` lines, groups and weights, and which one this is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use zooid_ids::{Millis, ServerId};

use super::build::{INT_MAX, unsupported};
use super::error::{ConfigError, Notice, Origin};
use super::values::{Value, Values};
use super::{HostPort, Server, properties, servers};

/// An ensemble of several servers, and this one's part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensemble {
    /// All servers, this one included.
    pub servers: BTreeMap<ServerId, Server>,
    /// `initLimit`: how long it may take until an epoch has started.
    pub init_limit: Millis,
    /// `syncLimit`: after so much silence a server counts as gone.
    pub sync_limit: Millis,
    /// `quorumListenOnAllIPs`.
    pub listens_everywhere: bool,
}

impl Ensemble {
    /// Those who have a vote.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> {
        self.servers.values().filter(|server| !server.is_observer).map(|server| server.id)
    }

    /// What `/zookeeper/config` shows, as ZooKeeper writes it. Clients that follow it (Curator) take
    /// the servers that have a client address for all that there are, so either all have one there
    /// or none.
    #[must_use]
    pub fn shown(&self) -> String {
        let all_known = self.servers.values().all(|server| server.client.is_some());
        let mut shown = String::new();
        for server in self.servers.values() {
            let client = server.client.as_ref().filter(|_| all_known);
            let client = client.map_or_else(String::new, |client| {
                let host = client.host.clone().unwrap_or_else(|| "0.0.0.0".into());
                format!(";{}", HostPort { host: Some(host), port: client.port })
            });
            let addresses = server.shown_addresses();
            shown.push_str(&format!("server.{}={addresses}{client}\n", server.id));
        }
        shown.push_str("version=0");
        shown
    }
}

/// The `server.N` lines of the file and of the file that `dynamicConfigFile` names.
pub(super) fn servers(
    values: &Values,
    notices: &mut Vec<Notice>,
) -> Result<BTreeMap<ServerId, Server>, ConfigError> {
    let dynamic = dynamic_file(values)?;
    let lines = values.beginning("server.").map(|(id, value)| (id.to_string(), value.clone()));
    let mut servers = BTreeMap::new();
    for (id, value) in lines.chain(dynamic) {
        let id = id.parse().map_err(|_| value.refuse("server.N with a number N"))?;
        let server = servers::parse(ServerId(id), &value.text);
        let server = server.ok_or_else(|| value.refuse(servers::FORM))?;
        if server.secure_client.is_some() {
            let Value { origin, key, .. } = &value;
            let text = format!(
                "{origin}: this version does not have TLS for clients: ignored the port in {key}"
            );
            notices.push(Notice::warning(text));
        }
        servers.insert(server.id, server);
    }
    Ok(servers)
}

/// The server lines of the file that `dynamicConfigFile` names; other lines of it mean nothing here.
fn dynamic_file(values: &Values) -> Result<Vec<(String, Value)>, ConfigError> {
    let Some(named) = values.get("dynamicConfigFile") else { return Ok(Vec::new()) };
    if let Some((_, value)) = values.beginning("server.").next() {
        let what = format!("{} stands beside dynamicConfigFile; move it into that file", value.key);
        return Err(ConfigError::Conflict { origin: value.origin.clone(), what });
    }
    let file = Path::new(&named.text);
    let bytes =
        fs::read(file).map_err(|cause| ConfigError::Read { file: file.to_path_buf(), cause })?;
    let lines = properties::parse(&properties::decode(&bytes)).map_err(|bad| {
        ConfigError::Escape { origin: Origin::File { file: file.to_path_buf(), line: bad.line } }
    })?;
    let lines = lines.into_iter().filter_map(|line| {
        let id = line.key.strip_prefix("server.")?.to_string();
        Some((id, Value::of_property(file, line)))
    });
    Ok(lines.collect())
}

/// The ensemble that these servers are; `None` if one of them is all there is.
pub(super) fn ensemble(
    values: &Values,
    servers: BTreeMap<ServerId, Server>,
    tick: Millis,
    notices: &mut Vec<Notice>,
) -> Result<Option<Ensemble>, ConfigError> {
    let (voters, observers): (Vec<&Server>, Vec<&Server>) =
        servers.values().partition(|server| !server.is_observer);
    if voters.is_empty() {
        let Some(observer) = observers.first() else { return Ok(None) };
        let value = values.get(&format!("server.{}", observer.id));
        return Err(match value {
            Some(value) => value.refuse("an observer only where there are servers with a vote"),
            None => ConfigError::Lonely { observer: observer.id },
        });
    }
    if servers.len() == 1 {
        return Ok(None);
    }
    refuse_what_is_missing(values)?;
    warn_of_few(voters.len(), notices);
    let ticks = |key, advice| {
        let limit = values.number(key, 1..=INT_MAX, "a number of ticks")?;
        limit
            .map(|limit| Millis(limit.saturating_mul(tick.0)))
            .ok_or(ConfigError::NoLimit { key, advice })
    };
    Ok(Some(Ensemble {
        init_limit: ticks("initLimit", "10 is the usual number of ticks for followers to connect")?,
        sync_limit: ticks("syncLimit", "5 is the usual number of ticks a follower may be silent")?,
        listens_everywhere: values.truth("quorumListenOnAllIPs")?.unwrap_or(false),
        servers,
    }))
}

fn refuse_what_is_missing(values: &Values) -> Result<(), ConfigError> {
    for (prefix, what) in [("group.", "quorums of groups"), ("weight.", "weights of votes")] {
        if let Some((_, value)) = values.beginning(prefix).next() {
            let advice = "take group and weight lines out to decide by majority";
            return Err(unsupported(value, what, advice));
        }
    }
    Ok(())
}

fn warn_of_few(voters: usize, notices: &mut Vec<Notice>) {
    if voters == 2 {
        let text = "no server failure will be tolerated: that takes at least 3 servers";
        notices.push(Notice::warning(text.into()));
    } else if voters.is_multiple_of(2) {
        let text = "an even number of servers tolerates no more failures than one less";
        notices.push(Notice::warning(text.into()));
    }
}

/// Says so where `peerType` and the server's line do not agree: the line counts.
pub(super) fn check_peer_type(
    values: &Values,
    server: &Server,
    notices: &mut Vec<Notice>,
) -> Result<(), ConfigError> {
    let Some(value) = values.get("peerType") else { return Ok(()) };
    let is_observer = match value.text.to_ascii_lowercase().as_str() {
        "observer" => true,
        "participant" => false,
        _ => return Err(value.refuse("participant or observer")),
    };
    if is_observer != server.is_observer {
        let Value { origin, text, .. } = value;
        let id = server.id;
        let text = format!("{origin}: peerType={text} is not what server.{id} says, which counts");
        notices.push(Notice::warning(text));
    }
    Ok(())
}

//! The servers that belong together: `server.N` lines, groups and weights, and which one this is.

use std::collections::BTreeMap;

use zooid_ids::{Millis, ServerId};
use zooid_transport::peers::TlsSettings;
use zooid_zab::Voters;

use super::build::INT_MAX;
use super::error::{ConfigError, Notice};
use super::membership::Membership;
use super::quorum_tls::quorum_tls;
use super::seats::{self, Seats};
use super::values::{Value, Values};
use super::{HostPort, Server};

/// An ensemble of several servers, and this one's part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensemble {
    /// All servers, this one included.
    pub servers: BTreeMap<ServerId, Server>,
    /// `group.N` and `weight.N`; none where a majority of the voters decides.
    pub seats: Option<Seats>,
    /// `initLimit`: how long it may take until an epoch has started.
    pub init_limit: Millis,
    /// `syncLimit`: after so much silence a server counts as gone.
    pub sync_limit: Millis,
    /// `quorumListenOnAllIPs`.
    pub listens_everywhere: bool,
    /// `sslQuorum` and `ssl.quorum.*`; in plaintext where nothing is said.
    pub tls: Option<TlsSettings>,
}

impl Ensemble {
    /// Those that are no observers.
    pub fn participants(&self) -> impl Iterator<Item = ServerId> {
        self.servers.values().filter(|server| !server.is_observer).map(|server| server.id)
    }

    /// Who decides, and with what weight.
    #[must_use]
    pub fn voters(&self) -> Voters {
        match &self.seats {
            Some(seats) => seats.voters().clone(),
            None => Voters::majority(self.participants()),
        }
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
        self.seats.iter().for_each(|seats| shown.push_str(&seats.shown()));
        shown.push_str("version=0");
        shown
    }
}

/// The ensemble that these servers are; `None` if one of them is all there is.
pub(super) fn ensemble(
    values: &Values,
    membership: &Membership,
    servers: BTreeMap<ServerId, Server>,
    tick: Millis,
    notices: &mut Vec<Notice>,
) -> Result<Option<Ensemble>, ConfigError> {
    let (voters, observers): (Vec<&Server>, Vec<&Server>) =
        servers.values().partition(|server| !server.is_observer);
    if voters.is_empty() {
        let Some(observer) = observers.first() else { return Ok(None) };
        let is_it = |(id, _): &(&str, _)| id.parse().map(ServerId) == Ok(observer.id);
        let value = membership.beginning("server.").find(is_it);
        let (_, value) = value.expect("each server has its line");
        return Err(value.refuse("an observer only where there are servers with a vote"));
    }
    let seats = seats::seats(membership, &servers, notices)?;
    if servers.len() == 1 {
        return Ok(None);
    }
    if seats.is_none() {
        warn_of_few(voters.len(), notices);
    }
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
        tls: quorum_tls(values)?,
        seats,
        servers,
    }))
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

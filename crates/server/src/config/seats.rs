//! `group.N` and `weight.N` lines: quorums that are no majorities.

use std::collections::BTreeMap;
use std::fmt::Write;

use zooid_ids::ServerId;
use zooid_zab::{Seat, Voters};

use super::Server;
use super::error::{ConfigError, Notice};
use super::membership::Membership;
use super::values::Value;

/// In which group each voter decides, and with what weight. Somebody has a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seats(Voters);

impl Seats {
    pub(super) fn voters(&self) -> &Voters {
        &self.0
    }

    /// The lines as ZooKeeper writes them: the groups, then every weight, also those that were not
    /// given.
    pub(super) fn shown(&self) -> String {
        let mut groups: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (id, seat) in self.0.seats() {
            groups.entry(seat.group).or_default().push(id.to_string());
        }
        let mut shown = String::new();
        for (group, ids) in groups {
            writeln!(shown, "group.{group}={}", ids.join(":")).expect("a string takes all");
        }
        for (id, seat) in self.0.seats() {
            writeln!(shown, "weight.{id}={}", seat.weight).expect("a string takes all");
        }
        shown
    }
}

/// The seats that the lines give to these servers; `None` where there are no such lines.
pub(super) fn seats(
    membership: &Membership,
    servers: &BTreeMap<ServerId, Server>,
    notices: &mut Vec<Notice>,
) -> Result<Option<Seats>, ConfigError> {
    let groups = groups(membership, servers)?;
    let weights = weights(membership, servers, notices)?;
    let mut lines = membership.beginning("group.").chain(membership.beginning("weight."));
    let Some((_, line)) = lines.next() else { return Ok(None) };
    let mut seats = Vec::new();
    for server in servers.values().filter(|server| !server.is_observer) {
        let group = groups.get(&server.id).copied();
        let group = group.ok_or_else(|| {
            let id = server.id;
            let what = "where there are groups or weights, every server with a vote is in a group";
            conflict(line, format!("server.{id} is in no group; {what}"))
        })?;
        let weight = weights.get(&server.id).copied().unwrap_or(1);
        seats.push((server.id, Seat { group, weight }));
    }
    let voters = Voters::seated(seats);
    let voters = voters.ok_or_else(|| {
        conflict(line, "every server has the weight 0, so nobody could decide".into())
    })?;
    Ok(Some(Seats(voters)))
}

/// The group of each server that is in one.
fn groups(
    membership: &Membership,
    servers: &BTreeMap<ServerId, Server>,
) -> Result<BTreeMap<ServerId, u64>, ConfigError> {
    let mut groups = BTreeMap::new();
    for (number, line) in membership.beginning("group.") {
        let group: u64 = number.parse().map_err(|_| line.refuse("group.N with a number N"))?;
        for id in line.text.split(':') {
            let id =
                id.trim().parse().map_err(|_| line.refuse("numbers of servers with : between"))?;
            let id = ServerId(id);
            let server = servers.get(&id);
            let server = server.ok_or_else(|| conflict(line, no_line(line, id)))?;
            refuse_observer(line, server)?;
            if let Some(other) = groups.insert(id, group) {
                let what = format!("server.{id} is in group.{other} and in group.{group}");
                return Err(conflict(line, what));
            }
        }
    }
    Ok(groups)
}

/// The weights that are given.
fn weights(
    membership: &Membership,
    servers: &BTreeMap<ServerId, Server>,
    notices: &mut Vec<Notice>,
) -> Result<BTreeMap<ServerId, u64>, ConfigError> {
    let mut weights = BTreeMap::new();
    for (number, line) in membership.beginning("weight.") {
        let id =
            number.parse().map_err(|_| line.refuse("weight.N with the number N of a server"))?;
        let id = ServerId(id);
        let weight = line.text.trim().parse().ok().filter(|weight| *weight <= i64::MAX as u64);
        let weight =
            weight.ok_or_else(|| line.refuse(format!("a whole number from 0 to {}", i64::MAX)))?;
        match servers.get(&id) {
            Some(server) => refuse_observer(line, server)?,
            None => {
                let text = format!("{}: ignored: {}", line.origin, no_line(line, id));
                notices.push(Notice::warning(text));
                continue;
            }
        }
        weights.insert(id, weight);
    }
    Ok(weights)
}

fn no_line(line: &Value, id: ServerId) -> String {
    format!("{} names server {id}, and there is no line server.{id}", line.key)
}

fn refuse_observer(line: &Value, server: &Server) -> Result<(), ConfigError> {
    if !server.is_observer {
        return Ok(());
    }
    let (key, id) = (&line.key, server.id);
    let what = format!("server.{id} is an observer, which has no vote, so {key} cannot count it");
    Err(conflict(line, what))
}

fn conflict(line: &Value, what: String) -> ConfigError {
    ConfigError::Conflict { origin: line.origin.clone(), what }
}

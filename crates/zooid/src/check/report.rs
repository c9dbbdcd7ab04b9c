//! What was found, for people and for programs.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};
use zooid_storage::{AboveCheckpoint, Promise, WitnessRecord};
use zooid_storage::{Found, Identity, LedgerFound, LogFound, LogPosition, RunFound};

use super::shown;
use super::state::State;

/// Everything that is printed.
pub(super) struct Report {
    data_dir: String,
    log_dir: String,
    sentence: String,
    identity: Option<Identity>,
    witness: Option<WitnessRecord>,
    promise: Option<Promise>,
    checkpoint: Option<LogPosition>,
    log: Option<(u64, LogPosition)>,
    runs: Vec<RunFound>,
    state: Option<State>,
}

impl Report {
    pub(super) fn new(
        data_dir: &Path,
        log_dir: &Path,
        found: &Found,
        sentence: String,
        state: Option<State>,
    ) -> Self {
        let of_ledger = match &found.ledger {
            LedgerFound::Read { identity, manifest } => Some((*identity, manifest.position())),
            _ => None,
        };
        let witness = found.witness.newest();
        let promises = [witness.map(|record| record.promise), found.log_promise];
        Self {
            data_dir: shown(data_dir),
            log_dir: shown(log_dir),
            sentence,
            identity: found.log_identity.or(of_ledger.map(|(identity, _)| identity)),
            witness,
            promise: promises.into_iter().flatten().max_by_key(|promise| promise.epoch),
            checkpoint: of_ledger.map(|(_, position)| position),
            log: end_of_log(&found.log),
            runs: found.runs.clone(),
            state,
        }
    }

    /// One object, on one line.
    pub(super) fn json(&self) -> String {
        let identity = self.identity.map(|identity| {
            json!({
                "server": identity.server.0,
                "cluster": identity.cluster.to_string(),
                "incarnation": identity.incarnation.to_string(),
                "created": identity.created.0,
            })
        });
        let object = json!({
            "dataDir": self.data_dir,
            "dataLogDir": self.log_dir,
            "recovery": self.sentence,
            "identity": identity,
            "promisedEpoch": self.promise.map(|promise| promise.epoch.0),
            "witness": self.witness.map(|record| position(record.position)),
            "log": self.log.map(|(first, last)| json!({"first": first, "last": position(last)})),
            "checkpoint": self.checkpoint.map(position),
            "runs": self.runs.iter().map(run).collect::<Vec<_>>(),
            "state": self.state.as_ref().map(state),
        });
        format!("{object}\n")
    }
}

/// The oldest entry, and the last one that continues the history.
fn end_of_log(log: &LogFound) -> Option<(u64, LogPosition)> {
    match log {
        LogFound::Entries { first, above, at_witness, .. } => {
            let last = match above {
                AboveCheckpoint::Whole { last } => *last,
                AboveCheckpoint::Broken { last_good, .. } => *last_good,
                AboveCheckpoint::Gap => (*at_witness)?,
            };
            Some((first.0, last))
        }
        _ => None,
    }
}

fn position(position: LogPosition) -> Value {
    json!({
        "zxid": position.zxid.to_string(),
        "epoch": position.zxid.epoch().0,
        "index": position.index.0,
    })
}

fn run(found: &RunFound) -> Value {
    match &found.read {
        Ok(run) => json!({
            "file": found.file,
            "zxid": run.header.position.zxid.to_string(),
            "parent": run.header.parent.to_string(),
            "records": run.records,
            "tombstones": run.tombstones,
            "bytes": run.bytes,
            "checksum": run.checksum,
            "digest": run.header.digest,
        }),
        Err(why) => json!({"file": found.file, "unusable": why}),
    }
}

fn state(state: &State) -> Value {
    let subtree = |(path, sum): &(String, super::state::Sum)| json!({"path": path, "znodes": sum.znodes, "bytes": sum.bytes});
    let had = |had: &zooid_storage::Acknowledged| json!({"server": had.server.0, "zxid": had.zxid.to_string()});
    json!({
        "zxid": state.zxid.to_string(),
        "digest": state.digest,
        "znodes": state.znodes,
        "ephemerals": state.ephemerals,
        "sessions": state.sessions,
        "dataBytes": state.data_bytes,
        "biggest": state.biggest.iter().map(|(path, bytes)| json!({"path": path, "bytes": bytes})).collect::<Vec<_>>(),
        "biggestSubtrees": state.biggest_subtrees.iter().map(subtree).collect::<Vec<_>>(),
        "suspect": state.suspect,
        "acknowledged": state.acknowledged.iter().map(had).collect::<Vec<_>>(),
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "dataDir     {}\ndataLogDir  {}", self.data_dir, self.log_dir)?;
        if let Some(Identity { server, cluster, incarnation, .. }) = self.identity {
            writeln!(f, "server      {server} of ensemble {cluster}, life {incarnation}")?;
        }
        if let Some(promise) = self.promise {
            writeln!(f, "promised    epoch {}", promise.epoch)?;
        }
        if let Some(record) = self.witness {
            writeln!(f, "witness     {}", record.position)?;
        }
        if let Some((first, last)) = self.log {
            writeln!(f, "log         entries {first} to {last}")?;
        }
        for found in &self.runs {
            match &found.read {
                Ok(run) => writeln!(
                    f,
                    "run         {}: {} records, {} bytes, checksum {:08x}, digest {:016x}",
                    found.file, run.records, run.bytes, run.checksum, run.header.digest
                )?,
                Err(why) => writeln!(f, "run         {}: {why}", found.file)?,
            }
        }
        if let Some(state) = &self.state {
            state.fmt(f)?;
        }
        writeln!(f, "recovery    {}", self.sentence)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "state       {}: {} znodes with {} bytes of data, {} of them ephemeral, {} sessions, digest {:016x}",
            self.zxid, self.znodes, self.data_bytes, self.ephemerals, self.sessions, self.digest
        )?;
        for (path, bytes) in &self.biggest {
            writeln!(f, "  znode     {bytes} bytes  {path}")?;
        }
        for (path, sum) in &self.biggest_subtrees {
            writeln!(f, "  below     {} bytes, {} znodes  {path}", sum.bytes, sum.znodes)?;
        }
        for had in &self.acknowledged {
            writeln!(f, "other       server {} had acknowledged {}", had.server, had.zxid)?;
        }
        match &self.suspect {
            Some(why) => writeln!(
                f,
                "suspect     this server has no vote until the others take it in again: {why}"
            ),
            None => Ok(()),
        }
    }
}

//! A stopped server's log, as its data directory has it.

use std::path::Path;

use zooid_ids::{ClusterId, Incarnation, Millis, ServerId, Zxid};
use zooid_node::contract::ContractError;
use zooid_node::contract::entry::{read_body, read_command};
use zooid_oracle::{Committed, Logged, ServerLog};
use zooid_storage::{Config, Identity, LogEntry, OpenError, ReadError, Storage};
use zooid_zab::Body;

/// Why a log cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Its directory.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An entry that is not there any more.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An entry that cannot be understood.
    #[error("entry {zxid} cannot be read: {why}")]
    Entry {
        /// Which.
        zxid: Zxid,
        /// Why.
        why: ContractError,
    },
}

/// The log of the server `server` whose `dataDir` (and `dataLogDir`) is `dir`, and whether it reaches
/// back to the very first entry. The directory is opened as by a server that starts: no server may
/// be running there.
///
/// # Errors
/// See [`LogError`].
pub fn server_log(server: ServerId, dir: &Path) -> Result<(ServerLog, bool), LogError> {
    let if_fresh =
        Identity { cluster: ClusterId(0), server, incarnation: Incarnation(0), created: Millis(0) };
    let opened = Storage::open(&Config::new(dir.into(), dir.into(), if_fresh))?;
    let last = opened.log.last().zxid;
    let mut entries = Vec::new();
    if last > opened.first {
        for entry in opened.reader.entries(opened.first, last)? {
            entries.push(committed(entry?)?);
        }
    }
    let is_whole = opened.first == Zxid::ZERO;
    Ok((ServerLog { server, entries, digests: Vec::new() }, is_whole))
}

fn committed(entry: LogEntry) -> Result<Committed, LogError> {
    let LogEntry { zxid, time, kind, payload, .. } = entry;
    let unreadable = |why| LogError::Entry { zxid, why };
    let what = match read_body(kind, payload).map_err(unreadable)? {
        Body::EpochStart(_) | Body::Config(_) => Logged::EpochStart,
        Body::Command(bytes) => Logged::Command(read_command(bytes).map_err(unreadable)?),
    };
    Ok(Committed { zxid, time, what, proposed: None, committed: None })
}

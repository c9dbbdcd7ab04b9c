//! `myid`: which of the servers this one is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use zooid_ids::ServerId;

use super::Server;
use super::error::ConfigError;

/// This server's number: that in `myid`, or where there is none that of the only line, or 0.
pub(super) fn read(
    data_dir: &Path,
    servers: &BTreeMap<ServerId, Server>,
) -> Result<ServerId, ConfigError> {
    let file = data_dir.join("myid");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let only = servers.keys().next().copied().unwrap_or_default();
            return if servers.len() > 1 { Err(ConfigError::NoMyId { file }) } else { Ok(only) };
        }
        Err(cause) => return Err(ConfigError::MyId { file, cause }),
    };
    let Ok(id) = text.trim().parse() else { return Err(ConfigError::NoNumber { file, text }) };
    let found = ServerId(id);
    if servers.is_empty() || servers.contains_key(&found) {
        return Ok(found);
    }
    let configured = servers.keys().map(|id| format!("server.{id}")).collect::<Vec<_>>().join(", ");
    Err(ConfigError::Another { file, found, configured })
}

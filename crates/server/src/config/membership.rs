//! The lines that say who belongs to an ensemble, of the file and of the one that
//! `dynamicConfigFile` names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use zooid_ids::ServerId;

use super::error::{ConfigError, Notice, Origin};
use super::values::{Value, Values};
use super::{Server, properties, servers};

/// What these lines begin with; the rest of the key is a number.
const PREFIXES: [&str; 3] = ["server.", "group.", "weight."];

/// The lines, by key.
pub(super) struct Membership(BTreeMap<String, Value>);

impl Membership {
    /// All of them; they stand either in the file or in the one that `dynamicConfigFile` names,
    /// whose other lines mean nothing here.
    pub(super) fn gather(values: &Values) -> Result<Self, ConfigError> {
        let mut of_file = BTreeMap::new();
        for prefix in PREFIXES {
            let lines = values.beginning(prefix);
            of_file.extend(lines.map(|(rest, value)| (format!("{prefix}{rest}"), value.clone())));
        }
        let Some(named) = values.get("dynamicConfigFile") else { return Ok(Self(of_file)) };
        if let Some(value) = of_file.into_values().next() {
            let key = value.key;
            let what = format!("{key} stands beside dynamicConfigFile; move it into that file");
            return Err(ConfigError::Conflict { origin: value.origin, what });
        }
        dynamic_file(Path::new(&named.text)).map(Self)
    }

    /// The lines whose key begins so, with the rest of the key.
    pub(super) fn beginning<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value)))
    }

    /// The servers of the `server.N` lines.
    pub(super) fn servers(
        &self,
        notices: &mut Vec<Notice>,
    ) -> Result<BTreeMap<ServerId, Server>, ConfigError> {
        let mut servers = BTreeMap::new();
        for (id, value) in self.beginning("server.") {
            let id = id.parse().map_err(|_| value.refuse("server.N with a number N"))?;
            let server = servers::parse(ServerId(id), &value.text);
            let server = server.ok_or_else(|| value.refuse(servers::FORM))?;
            if server.secure_client.is_some() {
                let Value { origin, key, .. } = value;
                let text = format!(
                    "{origin}: this version does not have TLS for clients: ignored the port in {key}"
                );
                notices.push(Notice::warning(text));
            }
            servers.insert(server.id, server);
        }
        Ok(servers)
    }
}

fn dynamic_file(file: &Path) -> Result<BTreeMap<String, Value>, ConfigError> {
    let bytes =
        fs::read(file).map_err(|cause| ConfigError::Read { file: file.to_path_buf(), cause })?;
    let lines = properties::parse(&properties::decode(&bytes)).map_err(|bad| {
        ConfigError::Escape { origin: Origin::File { file: file.to_path_buf(), line: bad.line } }
    })?;
    let is_one = |key: &str| PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    let lines = lines.into_iter().filter(|line| is_one(&line.key));
    Ok(lines.map(|line| (line.key.clone(), Value::of_property(file, line))).collect())
}

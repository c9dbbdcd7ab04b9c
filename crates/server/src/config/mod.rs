//! The configuration: ZooKeeper's `zoo.cfg` as it is, and ZooKeeper's `-D` flags.
//!
//! [`Config`] has every value that this server uses, with ZooKeeper's defaults where nothing else
//! is said; what was written and is not used comes out as [`Notice`]s. Where a key may stand, and
//! which place wins, is said in `docs/configuration.md`, which also lists what differs from
//! ZooKeeper.
//!
//! Start with [`Config::load`].

mod address;
mod build;
mod ensemble;
mod error;
mod flags;
mod keys;
mod membership;
mod my_id;
mod properties;
mod quorum_tls;
mod seats;
mod servers;
mod values;

#[cfg(test)]
mod tests;

pub use address::HostPort;
pub use ensemble::Ensemble;
pub use error::{ConfigError, Notice, Origin};
pub use seats::Seats;
pub use servers::Server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zooid_ids::{Millis, ServerId};
use zooid_model::{Grants, limits};
use zooid_session::auth::Authentication;
use zooid_session::handshake::Timeouts;

use crate::words::Whitelist;

/// Everything that the operator can decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it was read from, if there is one.
    pub file: Option<PathBuf>,
    /// `dataDir`: checkpoints and what this server knows of itself.
    pub data_dir: PathBuf,
    /// `dataLogDir`: the log; `dataDir` where nothing is said.
    pub data_log_dir: PathBuf,
    /// `clientPort` and `clientPortAddress`, or what the `server.N` line says.
    pub client_address: HostPort,
    /// `clientPortListenBacklog`: connections that wait to be accepted; `None` is Java's custom,
    /// see [`backlog`](Self::backlog).
    pub listen_backlog: Option<u32>,
    /// `tickTime`: the unit of time-outs.
    pub tick: Millis,
    /// `minSessionTimeout` and `maxSessionTimeout`.
    pub timeouts: Timeouts,
    /// `maxClientCnxns`: connections from one address; `None` is without limit.
    pub connections_per_address: Option<usize>,
    /// `maxCnxns`: connections in all; `None` leaves it to the number of files that may be open.
    pub connections: Option<usize>,
    /// `globalOutstandingLimit`: requests without an answer.
    pub outstanding: usize,
    /// `jute.maxbuffer`: bytes of the longest request.
    pub frame_bytes: usize,
    /// `nio.sessionlessCnxnTimeout`: how long a connection may take to begin a session.
    pub sessionless_timeout: Duration,
    /// `snapCount`: entries after which a checkpoint is taken.
    pub snap_count: u64,
    /// `commitLogCount`: entries that the log keeps behind a checkpoint for members that are late;
    /// `None` leaves it to the log.
    pub log_entries_kept: Option<u64>,
    /// `zooid.headRoom`: bytes that are to stay free on the disks; 0 is not to look, `None` is a
    /// part of the disk.
    pub head_room: Option<u64>,
    /// `fsync.warningthresholdms`: a sync that takes longer is worth a line in the log.
    pub fsync_warning: Duration,
    /// `4lw.commands.whitelist`.
    pub words: Whitelist,
    /// `enforceQuota` and `extendedTypesEnabled`.
    pub grants: Grants,
    /// `znode.container.*`.
    pub containers: Containers,
    /// `DigestAuthenticationProvider.*`.
    pub authentication: Authentication,
    /// This server's number: `myid`, or that of the only `server.N` line, or 0.
    pub id: ServerId,
    /// The servers that belong together; `None` for a server that stands alone.
    pub ensemble: Option<Ensemble>,
}

/// `znode.container.*`: when nodes that are to go by themselves are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Containers {
    /// `checkIntervalMs`: how often.
    pub check_interval: Millis,
    /// `maxPerMinute`: how many are deleted in a minute at most.
    pub max_per_minute: usize,
    /// `maxNeverUsedIntervalMs`: after this a container that never had a child goes too; 0 is
    /// never.
    pub max_never_used: Millis,
}

impl Config {
    /// What a server runs with that is given no file: on this machine only, with its data in the
    /// current directory.
    #[must_use]
    pub fn standalone_default() -> Self {
        let tick = Millis(2000);
        Self {
            file: None,
            data_dir: PathBuf::from("./zooid-data"),
            data_log_dir: PathBuf::from("./zooid-data"),
            client_address: HostPort { host: Some("127.0.0.1".to_string()), port: 2181 },
            listen_backlog: None,
            tick,
            timeouts: Timeouts::of_tick(tick),
            connections_per_address: Some(60),
            connections: None,
            outstanding: 1000,
            frame_bytes: limits::FRAME_BYTES_DEFAULT,
            sessionless_timeout: Duration::from_secs(10),
            snap_count: 100_000,
            log_entries_kept: None,
            head_room: None,
            fsync_warning: Duration::from_secs(1),
            words: Whitelist::default(),
            grants: Grants { enforce_quota: false, extended_types: false },
            containers: Containers {
                check_interval: Millis(60_000),
                max_per_minute: 10_000,
                max_never_used: Millis(0),
            },
            authentication: Authentication::default(),
            id: ServerId::default(),
            ensemble: None,
        }
    }

    /// Reads `file`, or takes the defaults where there is none, and in both cases the flags in the
    /// environment variables `SERVER_JVMFLAGS` and `JVMFLAGS`.
    ///
    /// # Errors
    /// What is wrong, where it stands, and what is allowed.
    pub fn load(file: Option<&Path>) -> Result<(Self, Vec<Notice>), ConfigError> {
        let flags = flags::VARIABLES.map(|name| (name, std::env::var(name).unwrap_or_default()));
        let flags: Vec<_> = flags.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let Some(file) = file else {
            return Self::without_file(&flags);
        };
        let bytes = fs::read(file)
            .map_err(|cause| ConfigError::Read { file: file.to_path_buf(), cause })?;
        Self::parse(file, &bytes, &flags)
    }

    /// As [`load`](Self::load), from the bytes of a file and the text of variables, the weaker
    /// first. Reads `myid` and the file that `dynamicConfigFile` names.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(
        file: &Path,
        bytes: &[u8],
        variables: &[(&'static str, &str)],
    ) -> Result<(Self, Vec<Notice>), ConfigError> {
        let properties = properties::parse(&properties::decode(bytes)).map_err(|bad| {
            let origin = Origin::File { file: file.to_path_buf(), line: bad.line };
            ConfigError::Escape { origin }
        })?;
        let flags = parse_flags(variables);
        let (values, mut notices) = values::Values::gather(file, properties, flags);
        let config = build::from_file(file, &values, &mut notices)?;
        Ok((config, notices))
    }

    /// As [`load`](Self::load) without a file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn without_file(
        variables: &[(&'static str, &str)],
    ) -> Result<(Self, Vec<Notice>), ConfigError> {
        let flags = parse_flags(variables);
        let (values, mut notices) = values::Values::gather(Path::new(""), Vec::new(), flags);
        let config = build::without_file(&values, &mut notices)?;
        Ok((config, notices))
    }

    /// How many connections may wait to be accepted.
    #[must_use]
    pub fn backlog(&self) -> u32 {
        self.listen_backlog.unwrap_or(50)
    }

    /// The limits of client connections. So many files may be open in all: connections take four
    /// fifths of them where `maxCnxns` says nothing.
    #[must_use]
    pub fn transport_settings(&self, open_files: Option<usize>) -> zooid_transport::Settings {
        zooid_transport::Settings {
            frame_bytes: self.frame_bytes,
            sessionless_timeout: self.sessionless_timeout,
            connections_per_address: self.connections_per_address,
            connections: self.connections.or(open_files.map(|files| files / 5 * 4)),
            outstanding: self.outstanding,
            now: crate::clock::now,
            ..zooid_transport::Settings::default()
        }
    }
}

fn parse_flags(variables: &[(&'static str, &str)]) -> Vec<flags::Flag> {
    variables.iter().flat_map(|(name, text)| flags::parse(name, text)).collect()
}

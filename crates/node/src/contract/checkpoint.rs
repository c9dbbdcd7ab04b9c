//! The records of a checkpoint: `proto/checkpoint.proto`.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message;
use zooid_ids::{BootNonce, ClusterId, ConnectionId, Millis, ServerId, SessionId, Zxid};
use zooid_model::{Acl, Owner, PasswordScheme};
use zooid_tree::{Formation, PersistedStat, Record, Session};

use super::generated::checkpoint as proto;
use super::{ContractError, exactly, read_acl, write_acl};

const FORMATION: u8 = b'F';
const SESSION: u8 = b'S';
const VOTERS: u8 = b'V';
const ZNODE: u8 = b'Z';

/// A record's key and value; no value for what is gone.
#[must_use]
pub fn write_record(record: &Record) -> (Vec<u8>, Option<Vec<u8>>) {
    match record {
        Record::Znode { path, data, acl, stat } => {
            (znode_key(path), Some(write_znode(data.clone(), acl, stat).encode_to_vec()))
        }
        Record::ZnodeGone { path } => (znode_key(path), None),
        Record::Session { id, session } => {
            (session_key(*id), Some(write_session(session).encode_to_vec()))
        }
        Record::SessionGone { id } => (session_key(*id), None),
        Record::Formation(formation) => {
            let formation = proto::Formation {
                cluster: Bytes::copy_from_slice(&formation.cluster.0.to_be_bytes()),
                secret: Bytes::copy_from_slice(&formation.secret),
            };
            (Vec::from([FORMATION]), Some(formation.encode_to_vec()))
        }
        Record::Voters(voters) => (Vec::from([VOTERS]), Some(voters.to_vec())),
    }
}

/// Reads records; all that have the open ACL share one.
#[derive(Clone, Debug)]
pub struct Reader {
    open: Arc<[Acl]>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { open: Arc::from(Acl::open()) }
    }
}

impl Reader {
    /// The record that key and value are.
    ///
    /// # Errors
    /// If they are not what the contract says.
    pub fn read(&self, key: &[u8], value: &[u8]) -> Result<Record, ContractError> {
        let (kind, name) = key.split_first().ok_or(ContractError::Unknown("the record's key"))?;
        match *kind {
            ZNODE => {
                let path = core::str::from_utf8(name);
                let path = path.map_err(|_| ContractError::Unknown("the znode's path"))?;
                Ok(self.read_znode(path, proto::Znode::decode(value)?))
            }
            SESSION => {
                let id = SessionId(i64::from_be_bytes(exactly(name, "the session's id")?));
                Ok(Record::Session { id, session: read_session(&proto::Session::decode(value)?) })
            }
            FORMATION => read_formation(&proto::Formation::decode(value)?),
            VOTERS => Ok(Record::Voters(Bytes::copy_from_slice(value))),
            _ => Err(ContractError::Unknown("the record's kind")),
        }
    }

    fn read_znode(&self, path: &str, znode: proto::Znode) -> Record {
        let acl = if znode.open_acl { self.open.clone() } else { read_acl(znode.acl).into() };
        Record::Znode {
            path: path.into(),
            data: znode.data,
            acl,
            stat: PersistedStat {
                czxid: Zxid(znode.czxid),
                mzxid: Zxid(znode.mzxid),
                pzxid: Zxid(znode.pzxid),
                ctime: Millis(znode.ctime_ms),
                mtime: Millis(znode.mtime_ms),
                version: znode.version,
                creates: znode.creates,
                aversion: znode.aversion,
                ephemeral_owner: znode.ephemeral_owner,
            },
        }
    }
}

fn read_formation(formation: &proto::Formation) -> Result<Record, ContractError> {
    let cluster = u128::from_be_bytes(exactly(&formation.cluster, "the cluster id")?);
    let secret = exactly(&formation.secret, "the cluster's secret")?;
    Ok(Record::Formation(Formation { cluster: ClusterId(cluster), secret }))
}

fn znode_key(path: &str) -> Vec<u8> {
    [&[ZNODE], path.as_bytes()].concat()
}

fn session_key(id: SessionId) -> Vec<u8> {
    [&[SESSION][..], &id.0.to_be_bytes()].concat()
}

fn write_znode(data: Option<Bytes>, acl: &[Acl], stat: &PersistedStat) -> proto::Znode {
    let open_acl = Acl::is_open(acl);
    proto::Znode {
        data,
        open_acl,
        acl: if open_acl { Vec::new() } else { write_acl(acl) },
        czxid: stat.czxid.0,
        mzxid: stat.mzxid.0,
        pzxid: stat.pzxid.0,
        ctime_ms: stat.ctime.0,
        mtime_ms: stat.mtime.0,
        version: stat.version,
        creates: stat.creates,
        aversion: stat.aversion,
        ephemeral_owner: stat.ephemeral_owner,
    }
}

fn write_session(session: &Session) -> proto::Session {
    proto::Session {
        timeout_ms: session.timeout.0,
        owner_server: session.owner.server.0,
        owner_boot: session.owner.boot.0,
        owner_connection: session.owner.connection.0,
        sequence: session.sequence,
        password_of_zookeeper: session.scheme == PasswordScheme::ZooKeeper,
    }
}

fn read_session(session: &proto::Session) -> Session {
    let owner = Owner {
        server: ServerId(session.owner_server),
        boot: BootNonce(session.owner_boot),
        connection: ConnectionId(session.owner_connection),
    };
    let scheme = match session.password_of_zookeeper {
        true => PasswordScheme::ZooKeeper,
        false => PasswordScheme::Keyed,
    };
    Session { owner, sequence: session.sequence, timeout: Millis(session.timeout_ms), scheme }
}

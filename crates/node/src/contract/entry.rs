//! The payload of an entry of the log: `proto/entry.proto`.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message;
use zooid_ids::{
    BootNonce, ClusterId, ConnectionId, Incarnation, Millis, ServerId, SessionId, Zxid,
};
use zooid_model as model;
use zooid_model::{Command, CreateKind, CreateMode, Identity, Origin, WriteOp};
use zooid_zab::{Body, Config, Seat, Voters};

use super::generated::entry as proto;
use super::{ContractError, exactly, read_acl, write_acl};

/// The kind of an entry, as it stands in the record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A leader starts its epoch.
    EpochStart = 1,
    /// A command.
    Command = 2,
    /// Who votes, changed within an epoch.
    Config = 3,
}

/// An entry's kind and payload, for the log.
#[must_use]
pub fn write_body(body: &Body) -> (Kind, Bytes) {
    match body {
        Body::EpochStart(config) => (Kind::EpochStart, write_config(config)),
        Body::Command(command) => (Kind::Command, command.clone()),
        Body::Config(config) => (Kind::Config, write_config(config)),
    }
}

/// What kind and payload of a record of the log say.
///
/// # Errors
/// If they are not what the contract says.
pub fn read_body(kind: u8, payload: Bytes) -> Result<Body, ContractError> {
    match kind {
        1 => read_config(payload).map(Body::EpochStart),
        2 => Ok(Body::Command(payload)),
        3 => read_config(payload).map(Body::Config),
        _ => Err(ContractError::Unknown("the entry's kind")),
    }
}

/// Who votes, as the log's entries and the checkpoint's record hold it.
#[must_use]
pub fn write_config(config: &Config) -> Bytes {
    let (voters, seats) = write_voters(Some(&config.voters));
    let (next_voters, next_seats) = write_voters(config.next.as_ref());
    let registered = config.registered.iter().map(|(id, incarnation)| proto::Registration {
        voter: id.0,
        incarnation: incarnation
            .map(|life| life.0.to_be_bytes().to_vec())
            .unwrap_or_default()
            .into(),
    });
    let registered = registered.collect();
    let config = proto::Config { voters, next_voters, seats, next_seats, registered };
    config.encode_to_vec().into()
}

/// The voters, and the seats of those that are not where they would be without groups.
fn write_voters(voters: Option<&Voters>) -> (Vec<u64>, Vec<proto::Seat>) {
    let seats = || voters.into_iter().flat_map(Voters::seats);
    let seat = |(id, seat): (ServerId, Seat)| proto::Seat {
        voter: id.0,
        group: seat.group,
        weight: seat.weight,
    };
    let unlike = seats().filter(|(_, seat)| *seat != Seat::default()).map(seat).collect();
    (seats().map(|(id, _)| id.0).collect(), unlike)
}

/// Who votes, as it was written down.
///
/// # Errors
/// If it is not what the contract says.
pub fn read_config(payload: Bytes) -> Result<Config, ContractError> {
    let config = proto::Config::decode(payload)?;
    let unknown = ContractError::Unknown("the set of voters");
    let voters = read_voters(&config.voters, &config.seats)?.ok_or(unknown)?;
    let next = read_voters(&config.next_voters, &config.next_seats)?;
    let registered = config.registered.iter().map(read_registration).collect::<Result<_, _>>()?;
    Ok(Config { voters, next, registered })
}

fn read_registration(
    registration: &proto::Registration,
) -> Result<(ServerId, Option<Incarnation>), ContractError> {
    let id = ServerId(registration.voter);
    if registration.incarnation.is_empty() {
        return Ok((id, None));
    }
    let incarnation = exactly(&registration.incarnation, "an incarnation")?;
    Ok((id, Some(Incarnation(u128::from_be_bytes(incarnation)))))
}

/// None if there are none at all.
fn read_voters(ids: &[u64], unlike: &[proto::Seat]) -> Result<Option<Voters>, ContractError> {
    let mut seats: BTreeMap<_, _> = ids.iter().map(|id| (*id, Seat::default())).collect();
    for proto::Seat { voter, group, weight } in unlike {
        let seat = seats.get_mut(voter).ok_or(ContractError::Unknown("the seat's voter"))?;
        *seat = Seat { group: *group, weight: *weight };
    }
    if seats.is_empty() {
        return Ok(None);
    }
    let voters = Voters::seated(seats.into_iter().map(|(id, seat)| (ServerId(id), seat)));
    voters.map(Some).ok_or(ContractError::Unknown("a voter with a weight"))
}

/// A command's bytes.
#[must_use]
pub fn write_command(command: &Command) -> Bytes {
    use proto::command::Command as P;
    let command = match command {
        Command::Form { cluster, secret } => P::Form(proto::Form {
            cluster: Bytes::copy_from_slice(&cluster.0.to_be_bytes()),
            secret: Bytes::copy_from_slice(secret),
        }),
        Command::Configure { servers } => {
            P::Configure(proto::Configure { servers: servers.clone() })
        }
        Command::CreateSession { session, owner, timeout } => {
            P::CreateSession(proto::CreateSession {
                session: session.0,
                owner: Some(write_owner(owner)),
                timeout_ms: timeout.0,
            })
        }
        Command::Attach { session, owner, seen, timeout } => P::Attach(proto::Attach {
            session: session.0,
            owner: Some(write_owner(owner)),
            seen: Some(write_owner(seen)),
            timeout_ms: timeout.0,
        }),
        Command::CloseSession { session, by } => P::CloseSession(write_close(*session, by)),
        Command::Write(write) => P::Write(write_write(write)),
        Command::Collect { path, czxid, mzxid, pzxid } => P::Collect(proto::Collect {
            path: path.clone(),
            czxid: czxid.0,
            mzxid: mzxid.0,
            pzxid: pzxid.0,
        }),
    };
    proto::Command { command: Some(command) }.encode_to_vec().into()
}

/// The command that these bytes are.
///
/// # Errors
/// If they are not what the contract says.
pub fn read_command(payload: Bytes) -> Result<Command, ContractError> {
    use proto::command::Command as P;
    let command = proto::Command::decode(payload)?.command;
    Ok(match command.ok_or(ContractError::Unknown("the command"))? {
        P::Form(form) => Command::Form {
            cluster: ClusterId(u128::from_be_bytes(exactly(&form.cluster, "the cluster id")?)),
            secret: exactly(&form.secret, "the cluster's secret")?,
        },
        P::Configure(configure) => Command::Configure { servers: configure.servers },
        P::CreateSession(create) => Command::CreateSession {
            session: SessionId(create.session),
            owner: read_owner(create.owner)?,
            timeout: Millis(create.timeout_ms),
        },
        P::Attach(attach) => Command::Attach {
            session: SessionId(attach.session),
            owner: read_owner(attach.owner)?,
            seen: read_owner(attach.seen)?,
            timeout: Millis(attach.timeout_ms),
        },
        P::CloseSession(close) => read_close(close)?,
        P::Write(write) => Command::Write(read_write(write)?),
        P::Collect(collect) => Command::Collect {
            path: collect.path,
            czxid: Zxid(collect.czxid),
            mzxid: Zxid(collect.mzxid),
            pzxid: Zxid(collect.pzxid),
        },
    })
}

fn write_owner(owner: &model::Owner) -> proto::Owner {
    proto::Owner { server: owner.server.0, boot: owner.boot.0, connection: owner.connection.0 }
}

fn read_owner(owner: Option<proto::Owner>) -> Result<model::Owner, ContractError> {
    let owner = owner.ok_or(ContractError::Unknown("the owner"))?;
    Ok(model::Owner {
        server: ServerId(owner.server),
        boot: BootNonce(owner.boot),
        connection: ConnectionId(owner.connection),
    })
}

fn write_close(session: SessionId, by: &Origin) -> proto::CloseSession {
    let (owner, sequence) = match by {
        Origin::Client { owner, sequence } => (Some(write_owner(owner)), *sequence),
        Origin::Expiry => (None, 0),
    };
    proto::CloseSession { session: session.0, owner, sequence }
}

fn read_close(close: proto::CloseSession) -> Result<Command, ContractError> {
    let by = match close.owner {
        None => Origin::Expiry,
        owner => Origin::Client { owner: read_owner(owner)?, sequence: close.sequence },
    };
    Ok(Command::CloseSession { session: SessionId(close.session), by })
}

fn write_write(write: &model::Write) -> proto::Write {
    let turn = &write.turn;
    let identity = |identity: &Identity| proto::Identity {
        scheme: identity.scheme.as_ref().into(),
        id: identity.id.as_ref().into(),
    };
    proto::Write {
        turn: Some(proto::Turn {
            session: turn.session.0,
            owner: Some(write_owner(&turn.owner)),
            sequence: turn.sequence,
        }),
        identities: write.identities.iter().map(identity).collect(),
        enforce_quota: write.grants.enforce_quota,
        extended_types: write.grants.extended_types,
        op: Some(write_op(&write.op)),
    }
}

fn read_write(write: proto::Write) -> Result<model::Write, ContractError> {
    let turn = write.turn.ok_or(ContractError::Unknown("the turn"))?;
    let identity = |identity: proto::Identity| Identity {
        scheme: identity.scheme.into_boxed_str(),
        id: identity.id.into_boxed_str(),
    };
    Ok(model::Write {
        turn: model::Turn {
            session: SessionId(turn.session),
            owner: read_owner(turn.owner)?,
            sequence: turn.sequence,
        },
        identities: write.identities.into_iter().map(identity).collect(),
        grants: model::Grants {
            enforce_quota: write.enforce_quota,
            extended_types: write.extended_types,
        },
        op: read_op(write.op)?,
    })
}

fn write_op(op: &WriteOp) -> proto::Op {
    use proto::op::Op as P;
    let op = match op {
        WriteOp::Create(create) => P::Create(proto::Create {
            opcode: opcode(create.kind),
            path: create.path.clone(),
            data: create.data.clone(),
            acl: write_acl(&create.acl),
            flags: create.mode.flags(),
            ttl_ms: create.mode.ttl().unwrap_or_default().0,
        }),
        WriteOp::Delete { path, version } => {
            P::Delete(proto::Delete { path: path.clone(), version: *version })
        }
        WriteOp::SetData { path, data, version } => {
            P::SetData(proto::SetData { path: path.clone(), data: data.clone(), version: *version })
        }
        WriteOp::SetAcl { path, acl, version } => {
            P::SetAcl(proto::SetAcl { path: path.clone(), acl: write_acl(acl), version: *version })
        }
        WriteOp::Check { path, version } => {
            P::Check(proto::Check { path: path.clone(), version: *version })
        }
        WriteOp::Multi(ops) => P::Multi(proto::Multi { ops: ops.iter().map(write_op).collect() }),
    };
    proto::Op { op: Some(op) }
}

fn read_op(op: Option<proto::Op>) -> Result<WriteOp, ContractError> {
    use proto::op::Op as P;
    let op = op.and_then(|op| op.op).ok_or(ContractError::Unknown("the operation"))?;
    Ok(match op {
        P::Create(create) => WriteOp::Create(model::Create {
            kind: create_kind(create.opcode)?,
            path: create.path,
            data: create.data,
            acl: read_acl(create.acl),
            mode: CreateMode::from_flags(create.flags, Millis(create.ttl_ms)),
        }),
        P::Delete(delete) => WriteOp::Delete { path: delete.path, version: delete.version },
        P::SetData(set) => {
            WriteOp::SetData { path: set.path, data: set.data, version: set.version }
        }
        P::SetAcl(set) => {
            WriteOp::SetAcl { path: set.path, acl: read_acl(set.acl), version: set.version }
        }
        P::Check(check) => WriteOp::Check { path: check.path, version: check.version },
        P::Multi(multi) => {
            let ops = multi.ops.into_iter().map(|op| match read_op(Some(op))? {
                WriteOp::Multi(_) => Err(ContractError::Unknown("a multi within a multi")),
                op => Ok(op),
            });
            WriteOp::Multi(ops.collect::<Result<_, _>>()?)
        }
    })
}

const fn opcode(kind: CreateKind) -> u32 {
    match kind {
        CreateKind::Create => 1,
        CreateKind::Create2 => 15,
        CreateKind::Container => 19,
        CreateKind::Ttl => 21,
    }
}

fn create_kind(opcode: u32) -> Result<CreateKind, ContractError> {
    match opcode {
        1 => Ok(CreateKind::Create),
        15 => Ok(CreateKind::Create2),
        19 => Ok(CreateKind::Container),
        21 => Ok(CreateKind::Ttl),
        _ => Err(ContractError::Unknown("the kind of create")),
    }
}

//! The digest against what a real ZooKeeper logged.

use std::collections::HashMap;

use zooid_ids::{Millis, SessionId, Zxid};
use zooid_model::{
    Acl, Command, Create, CreateKind, CreateMode, ErrorCode, Grants, Identity, OpResult, Origin,
    Perms, Reply, Turn, Write, WriteOp,
};
use zooid_tree::{Outcome, Stamp, Tree};

use crate::world::owner;

const LOG: &str = include_str!("../../testdata/zookeeper_digests.txt");

/// One transaction of the log.
struct Logged<'a> {
    stamp: Stamp,
    session: SessionId,
    digest: Option<u64>,
    ops: Vec<Vec<&'a str>>,
}

fn parse(text: &str) -> Vec<Logged<'_>> {
    let mut log: Vec<Logged<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        match fields.next().expect("no line is empty") {
            "" => log.last_mut().expect("a transaction is above").ops.push(fields.collect()),
            zxid => {
                let rest: Vec<&str> = fields.collect();
                log.push(Logged {
                    stamp: Stamp {
                        zxid: Zxid(zxid.parse().unwrap()),
                        time: Millis(rest[0].parse().unwrap()),
                    },
                    session: SessionId(i64::from_str_radix(rest[1], 16).unwrap()),
                    digest: u64::from_str_radix(rest[2], 16).ok(),
                    ops: Vec::new(),
                });
            }
        }
    }
    log
}

fn data_of(field: &str) -> Option<bytes::Bytes> {
    let digits = field.strip_prefix('x')?.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    Some(digits.chunks(2).map(byte).collect())
}

fn acl_of(field: &str) -> Vec<Acl> {
    let entry = |text: &str| {
        let parts: Vec<&str> = text.splitn(3, ':').collect();
        let perms = Perms::from_bits(parts[0].parse().unwrap());
        Acl { perms, id: Identity::new(parts[1], parts[2]) }
    };
    field.split(',').map(entry).collect()
}

fn op_of(fields: &[&str]) -> WriteOp {
    match fields {
        ["create", path, data, acl, kind, _] => {
            let (kind, mode) = match *kind {
                "persistent" => (CreateKind::Create, CreateMode::Persistent),
                "ephemeral" => (CreateKind::Create, CreateMode::Ephemeral),
                "container" => (CreateKind::Container, CreateMode::Container),
                ttl => {
                    let ttl = Millis(ttl.strip_prefix("ttl").unwrap().parse().unwrap());
                    (CreateKind::Ttl, CreateMode::PersistentWithTtl(ttl))
                }
            };
            let path = (*path).into();
            WriteOp::Create(Create { path, data: data_of(data), acl: acl_of(acl), mode, kind })
        }
        ["delete", path] => WriteOp::Delete { path: (*path).into(), version: -1 },
        ["set", path, data, version] => WriteOp::SetData {
            path: (*path).into(),
            data: data_of(data),
            version: version.parse::<i32>().unwrap() - 1,
        },
        ["acl", path, acl, version] => WriteOp::SetAcl {
            path: (*path).into(),
            acl: acl_of(acl),
            version: version.parse::<i32>().unwrap() - 1,
        },
        // The log has the version after the one that was asked for.
        ["check", path, version] => {
            WriteOp::Check { path: (*path).into(), version: version.parse::<i32>().unwrap() - 1 }
        }
        // Whatever failed there, this fails here in the same way.
        ["error", "-103"] => WriteOp::Check { path: "/".into(), version: 12_345 },
        other => panic!("{other:?}"),
    }
}

/// The command that the transaction came from.
fn command_of(
    tree: &Tree,
    logged: &Logged<'_>,
    sequences: &mut HashMap<SessionId, u64>,
) -> Command {
    let session = logged.session;
    match logged.ops[0][..] {
        ["open", timeout] => Command::CreateSession {
            session,
            owner: owner(1),
            timeout: Millis(timeout.parse().unwrap()),
        },
        ["close", ..] => Command::CloseSession { session, by: Origin::Expiry },
        ["collect", path] => {
            let stat = tree.stat(path).expect("it was there");
            let (czxid, mzxid, pzxid) = (stat.czxid, stat.mzxid, stat.pzxid);
            Command::Collect { path: path.into(), czxid, mzxid, pzxid }
        }
        _ => {
            let sequence = sequences.entry(session).or_default();
            *sequence += 1;
            let turn = Turn { session, owner: owner(1), sequence: *sequence };
            let mut ops: Vec<WriteOp> = logged.ops.iter().map(|fields| op_of(fields)).collect();
            let op = if ops.len() == 1 { ops.remove(0) } else { WriteOp::Multi(ops) };
            let grants = Grants { extended_types: true, enforce_quota: true };
            Command::Write(Write { turn, identities: Vec::new(), grants, op })
        }
    }
}

/// True where the transaction did what the log says.
fn went_as_logged(logged: &Logged<'_>, outcome: &Outcome) -> bool {
    let failed = logged.ops.iter().any(|fields| fields[0] == "error");
    match outcome {
        Outcome::Decided(Ok(Reply::Multi(results))) => {
            failed == results.iter().any(|result| matches!(result, OpResult::Error(_)))
        }
        Outcome::Decided(result) => {
            failed == result.is_err()
                && result.as_ref().err().is_none_or(|e| *e == ErrorCode::BadVersion)
        }
        Outcome::SessionClosed { ephemerals, .. } => logged.ops[0].len() - 1 == *ephemerals,
        Outcome::SessionCreated | Outcome::Collected => true,
        _ => false,
    }
}

#[test]
fn the_digest_is_zookeepers_after_every_transaction() {
    let (mut tree, mut sequences, mut compared) = (Tree::new(), HashMap::new(), 0);
    for logged in parse(LOG) {
        let command = command_of(&tree, &logged, &mut sequences);
        let applied = tree.apply(logged.stamp, &command);
        assert!(went_as_logged(&logged, &applied.outcome), "{command:?}: {:?}", applied.outcome);
        if let Some(digest) = logged.digest {
            assert_eq!(tree.digest(), digest, "after {} {command:?}", logged.stamp.zxid);
            compared += 1;
        }
        tree.check_invariants();
    }
    assert_eq!(compared, 39);
}

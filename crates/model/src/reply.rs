//! All that a client can be answered.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::{Acl, ErrorCode, Identity, Names, Stat};

/// The body of a reply that succeeded.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of ZooKeeper's replies")]
pub enum Reply {
    /// No body: `delete`, `ping`, `auth`, `setWatches`, `checkWatches`, `removeWatches`, `check`,
    /// `closeSession`.
    Empty,
    /// `create`.
    Path { path: String },
    /// `create2`, `createContainer`, `createTTL`.
    PathStat { path: String, stat: Stat },
    /// `exists`, `setData`, `setACL`.
    Stat(Stat),
    /// `getData`.
    Data { data: Option<Bytes>, stat: Stat },
    /// `getACL`.
    Acl { acl: Arc<[Acl]>, stat: Stat },
    /// `getChildren`.
    Children(Names),
    /// `getChildren2`.
    ChildrenStat { children: Names, stat: Stat },
    /// `sync`.
    Sync { path: String },
    /// `multi`: one result per operation. If any is an error, none took effect.
    Multi(Vec<OpResult>),
    /// `multiRead`: one result per operation.
    MultiRead(Vec<ReadResult>),
    /// `getEphemerals`.
    Ephemerals(Names),
    /// `getAllChildrenNumber`.
    AllChildrenNumber(i32),
    /// `addWatch`: on the wire an error code that says success.
    WatchAdded,
    /// `whoAmI`: schemes and what users may see of the ids.
    Identities(Vec<Identity>),
}

/// One operation's part of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of ZooKeeper's replies")]
pub enum OpResult {
    /// `create`.
    Path { path: String },
    /// `create2`, `createContainer`, `createTTL`.
    PathStat { path: String, stat: Stat },
    /// `setData`.
    Stat(Stat),
    /// `delete`.
    Deleted,
    /// `check`.
    Checked,
    /// It failed, or another one did: `Ok(())` stands for 0, an operation before the one that
    /// failed, which was taken back.
    Error(Result<(), ErrorCode>),
}

/// One operation's part of a multiRead.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of ZooKeeper's replies")]
pub enum ReadResult {
    /// `getData`.
    Data { data: Option<Bytes>, stat: Stat },
    /// `getChildren`.
    Children(Names),
    /// This one failed; the others count.
    Error(ErrorCode),
}

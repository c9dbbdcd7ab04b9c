//! What can be wrong with ZooKeeper's files, as sentences.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zooid_ids::{SessionId, Zxid};
use zooid_model::path::PathError;

/// What is wrong at one place of a file.
#[derive(Debug, Error)]
pub enum Fault {
    /// The system refused to read on.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
    /// More was promised than there is.
    #[error("the file ends in the middle of a record")]
    Ends,
    /// It is another kind of file.
    #[error("it begins with {found:08x}, not with {expected:08x}: it is no {kind}")]
    Magic {
        /// What the file should be.
        kind: &'static str,
        /// What such a file begins with.
        expected: i32,
        /// What it begins with.
        found: i32,
    },
    /// It is of another version.
    #[error("it is a {kind} of version {version}, which is not known: only version 2 is")]
    Version {
        /// What the file is.
        kind: &'static str,
        /// Its version.
        version: i32,
    },
    /// There is more than such a file has.
    #[error("something stands behind the end of the snapshot")]
    Trailing,
    /// The compressed stream is broken.
    #[error("its compression is damaged: {0}")]
    Compression(String),
    /// A length or count that nothing can have.
    #[error("{0} is no length")]
    Length(i32),
    /// Text that is no text.
    #[error("a text is not UTF-8")]
    Text,
    /// Something that must be there is null.
    #[error("a {0} is missing")]
    Missing(&'static str),
    /// A checksum does not fit.
    #[error("its checksum is {computed:08x}, but {stored:08x} was written")]
    Checksum {
        /// What stands in the file.
        stored: i64,
        /// What its bytes have.
        computed: u32,
    },
    /// A znode refers to an ACL that the snapshot does not hold.
    #[error("znode {path} has the ACL number {number}, which is not in the snapshot")]
    NoAcl {
        /// The znode.
        path: Box<str>,
        /// The number.
        number: i64,
    },
    /// A znode without a parent.
    #[error("znode {0} has no parent")]
    NoParent(Box<str>),
    /// No znode can have this path.
    #[error("{path:?} is not the path of a znode: {reason}")]
    NoPath {
        /// The path.
        path: Box<str>,
        /// The rule that it breaks.
        reason: PathError,
    },
    /// A number that is no zxid.
    #[error("{0} is no zxid")]
    Zxid(i64),
    /// No session can have this id.
    #[error("{0} is not the id of a session")]
    Session(SessionId),
    /// A transaction of a kind that ZooKeeper 3.9 does not have.
    #[error("transactions of type {0} are not known")]
    Type(i32),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Ends,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Self::Compression(error.to_string())
            }
            _ => Self::Io(error),
        }
    }
}

/// Where something is wrong.
#[derive(Debug, Error)]
#[error("{}, byte {offset}: {fault}", file.display())]
pub struct FileError {
    /// The file.
    pub file: PathBuf,
    /// Where in its content; of a compressed file, after decompression.
    pub offset: u64,
    /// What.
    pub fault: Fault,
}

impl FileError {
    pub(crate) fn new(file: &Path, offset: u64, fault: impl Into<Fault>) -> Self {
        Self { file: file.to_path_buf(), offset, fault: fault.into() }
    }
}

/// Why there is no state to be had; each says what was found where, and what to do.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The system refused to list or open.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is nothing of ZooKeeper.
    #[error(
        "{} holds no snapshot of a ZooKeeper: \
         give its dataDir, or a directory with a file snapshot.N", path.display()
    )]
    NoSnapshot {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Logs without the snapshot that they go on from.
    #[error(
        "{} holds no snapshot, but {} is there: the snapshots are missing; \
         start that ZooKeeper and let it write one", path.display(), log.display()
    )]
    OnlyLogs {
        /// Where snapshots were looked for.
        path: PathBuf,
        /// One of the logs.
        log: PathBuf,
    },
    /// No snapshot can be read to its end.
    #[error(
        "no snapshot can be used; of the newest: {0}; take the directory of another server \
         of that ensemble, or a backup"
    )]
    Snapshot(Box<FileError>),
    /// A log is damaged before its end.
    #[error(
        "{0}; whole transactions stand behind it, so it is no write that a crash interrupted: \
         take the directory of another server of that ensemble, or a backup"
    )]
    Log(Box<FileError>),
    /// A transaction whose checksum is right cannot be understood.
    #[error("{0}; its checksum is right, so perhaps a newer ZooKeeper than 3.9 wrote it")]
    Transaction(Box<FileError>),
    /// Transactions are missing between two files.
    #[error(
        "transactions are missing: {} ends at {last}, and {} begins at {first}; \
         find the files between them, or take the directory of another server of that ensemble",
        before.display(), file.display()
    )]
    Gap {
        /// The file before the gap.
        before: PathBuf,
        /// Its last zxid.
        last: Zxid,
        /// The file behind it.
        file: PathBuf,
        /// Its first zxid.
        first: Zxid,
    },
    /// The tree is not the one that ZooKeeper had.
    #[error(
        "after transaction {zxid} the tree has the digest {found:016x}, but {} says {expected:016x}: \
         this ZooKeeper's files are not of one state; take the directory of another server of that \
         ensemble, or, if it serves this tree and you trust it, say --ignore-digest", file.display()
    )]
    Digest {
        /// Who says so.
        file: PathBuf,
        /// After which transaction.
        zxid: Zxid,
        /// What it says.
        expected: u64,
        /// What the tree has.
        found: u64,
    },
    /// The snapshot was written while the tree changed, and what changed is not there.
    #[error(
        "{} was written while transactions up to {until} came in, and the logs end at {last}: \
         give the directory of the logs with --log-dir, or, if a part of these transactions may be \
         missing, say --ignore-digest", file.display()
    )]
    Fuzzy {
        /// The snapshot.
        file: PathBuf,
        /// It may hold parts of what came until then.
        until: Zxid,
        /// What there is.
        last: Zxid,
    },
    /// A file that holds an epoch and nothing else.
    #[error("{} holds {found:?}, which is no epoch: take the directory of another server of that ensemble", path.display())]
    Epoch {
        /// Which.
        path: PathBuf,
        /// What it holds.
        found: String,
    },
    /// A zxid that leaves no epoch for Zooid.
    #[error("the last zxid is {0}: no later epoch can be ordered by Java clients")]
    LastEpoch(Zxid),
}

/// Something that an operator should know, though all is well.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Note {
    /// A snapshot that was not used.
    #[error("{0}; an older snapshot is used, with the transactions behind it")]
    SnapshotSkipped(String),
    /// The end of the last log was cut off.
    #[error(
        "{} ends at byte {offset} in the middle of a write, which no client was told of: \
         it is left out", file.display()
    )]
    TornTail {
        /// The log.
        file: PathBuf,
        /// Where its last whole transaction ends.
        offset: u64,
    },
    /// There are snapshots only.
    #[error(
        "{} has no logs beside it: what was written after it is missing; if this ZooKeeper has a \
         dataLogDir, say it with --log-dir", file.display()
    )]
    NoLogs {
        /// The snapshot.
        file: PathBuf,
    },
    /// Digests that could not be compared.
    #[error("{} has no digest that can be compared: its content was verified by checksums alone", file.display())]
    NoDigest {
        /// The snapshot.
        file: PathBuf,
    },
    /// A digest differs, and that was allowed.
    #[error(
        "after transaction {zxid} the tree has another digest than ZooKeeper's; that was allowed"
    )]
    DigestIgnored {
        /// The first one.
        zxid: Zxid,
    },
    /// Ephemeral nodes of sessions that had ended.
    #[error(
        "{znodes} ephemeral znodes of {sessions} sessions that had ended are left out, as ZooKeeper does at its start"
    )]
    DeadSessions {
        /// Sessions.
        sessions: usize,
        /// Their znodes.
        znodes: usize,
    },
    /// zxids that no transaction has.
    #[error(
        "{count} zxids within the logs were never used, the first before {first}; ZooKeeper does that where a request could not be read"
    )]
    Unused {
        /// How many.
        count: u64,
        /// The transaction behind the first of them.
        first: Zxid,
    },
}

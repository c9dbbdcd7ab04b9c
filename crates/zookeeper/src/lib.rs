//! Apache ZooKeeper's own files, read and written.
//!
//! A stopped ZooKeeper's `dataDir` holds snapshots, each of the whole tree at about one zxid, and
//! logs of every transaction. [`load`] reads the newest whole snapshot and replays what the logs
//! have behind it, as ZooKeeper itself does when it starts, and verifies every checksum and every
//! digest on the way. [`write_snapshot`] writes a snapshot from which ZooKeeper starts.
//!
//! Facts were read from the source of ZooKeeper 3.9 and checked with files that 3.8.0 and 3.9.5
//! wrote. This crate knows nothing of Zooid's own directories, of servers or of a network; what it
//! reads it does not trust: no length or count in a file is allocated before the bytes are there.
//!
//! Where to start: [`load`], then [`State`], which is what both directions share.

mod directory;
mod state;

mod log;
mod replay;
mod txn;

mod snapshot;
mod write;

mod archive;
mod compression;
mod fault;

pub use compression::Compression;
pub use directory::{Loaded, Sources, Step, load};
pub use fault::{Fault, FileError, LoadError, Note};
pub use snapshot::{Footer, TreeDigest};
pub use state::{State, Znode};
pub use write::{snapshot_name, write_snapshot};

#[cfg(test)]
mod tests;

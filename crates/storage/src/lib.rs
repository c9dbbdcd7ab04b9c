//! What a server remembers across a crash: the log, the checkpoint runs, the ledger, the witness.
//!
//! Three stores, each for what it is good at. The *log* (raft-engine) takes every entry, with one
//! fsync for a batch, before anybody may count on it. A *checkpoint* is a list of immutable sorted
//! run files that replace the log up to one zxid. The *ledger* (sled) says which runs make the
//! checkpoint and whose directory this is. Beside them stands the *witness*, one small file that
//! remembers how far the log reached: both engines fail open, so neither is trusted alone.
//!
//! This crate knows opaque bytes and the numbers of `zooid-ids`: no znode, no session, no
//! protocol, no runtime. Everything is synchronous; the caller gives the log a thread of its own
//! and the runs with the ledger another.
//!
//! Start with [`Storage::open`]; what it may find is [`Recovery`], decided by the pure function
//! [`recover`]. Layouts are drawn in `proto/README.md` and at the types that have them.

mod storage;

mod recovery;
mod sentence;

mod entry;
mod log;
mod precheck;
mod witness;

mod checkpoint;
mod install;
mod ledger;
mod received;
mod run;

mod acknowledged;
mod suspect;

mod dirs;
mod fatal;
mod identity;

pub use acknowledged::{Acknowledged, Acknowledgements};
pub use checkpoint::{Checkpoint, Checkpoints, Manifest, MergeError, RunInManifest};
pub use dirs::{Config, DataDirs, DirError, IfSuspect, Sizes};
pub use entry::{Chain, LogEntry, LogPosition, RecordError};
pub use fatal::Fatal;
pub use identity::{Identity, Promise};
pub use install::install;
pub use log::{Appended, Entries, LogReader, LogWriter, ReadError};
pub use precheck::{FilesFound, Tear};
pub use received::{CheckpointFiles, OpenCheckpoint, OpenRun, StageError, Staged};
pub use recovery::{
    AboveCheckpoint, Found, LedgerFound, LogFound, Recovered, Recovery, Refusal, RunFound,
    Suspicion, WitnessFound, recover,
};
pub use run::{
    KeyValue, Merge, Record, RunError, RunHeader, RunKind, RunReader, RunSummary, RunWriter,
};
pub use storage::{OpenError, Opened, Storage};
pub use witness::{Slot, WitnessRecord};

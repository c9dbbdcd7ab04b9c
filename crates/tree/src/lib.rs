//! The replicated state: znodes, sessions, quotas; apply a command, get a result and the changes.
//!
//! [`Tree::apply`] decides what comes of a [`Command`](zooid_model::Command), on every server
//! alike: it never fails and never panics, whatever the command holds. Reads take `&self`. A
//! checkpoint is taken while applies go on: [`Tree::hand_over`] marks one zxid, [`Tree::harvest`]
//! gives the records that changed since the one before, exactly as they were at that zxid, and
//! [`Tree::restore`] builds the tree from records again.
//!
//! The crate knows no bytes of the wire or of the log, no watches, no connections and no clock:
//! time comes with each command.
//!
//! Where to start: [`Tree`] is all that others see. A write goes through `write` (may it be done?)
//! to `edit` (do it, keeping every index and the way back); `read` answers reads.
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod tree;

mod outcome;
mod write;

mod edit;

mod read;
mod session;

mod collect;
mod quota;

mod changes;
mod checkpoint;
mod record;
mod restore;

mod acls;
mod arena;
mod digest;
mod hash;
mod invariants;
mod name;
mod node;

pub use checkpoint::{Counts, HandOver};
pub use digest::znode_digest;
pub use node::PersistedStat;
pub use outcome::{Applied, Outcome, Stamp};
pub use record::Record;
pub use restore::RestoreError;
pub use session::{Formation, Session};
pub use tree::Tree;

//! Who waits for which path on this server; turns changes into notifications.
//!
//! A watch belongs to one connection of one server and is never replicated. This crate keeps the
//! registrations, says which connections a [`Change`] is to be told to, and takes away what was
//! good for one event only. It knows no tree, no ACL and no bytes: whether a connection may hear
//! of a node is decided by the caller at delivery, and a one-shot watch is used up even when the
//! answer is no, as in ZooKeeper.
//!
//! Where to start: [`Watches`]. [`missed`] is the other way to an event: what a client that comes
//! back has not seen.
//!
//! [`Change`]: zooid_model::Change
#![no_std]
extern crate alloc;

mod watch;
mod watches;

mod missed;
mod report;

mod slab;
mod table;

pub use missed::missed;
pub use report::Summary;
pub use watch::Watch;
pub use watches::{TooManyWatches, Watches};

//! Agreement on one order of opaque entries, in the style of ZAB.
//!
//! A pure machine: inputs go in, [`Effect`]s come out, and an effect that has come out may be
//! executed at once. It knows no clock, disk or socket, and not what its entries mean.
//!
//! A server looks for a leader (`looking`), then leads (`leading`) or follows (`following`).
//! Whoever leads is first promised an epoch by a quorum (discovery), then makes its followers' logs
//! its own (synchronisation), and starts the epoch with an entry (ZAB's `NEWLEADER`); only when
//! that is durable at a quorum is all that stood before it committed, and proposals are taken
//! (broadcast). An ensemble of one walks the same path.
//!
//! Where to start: [`Zab`] is the list of inputs, [`message`] what servers say to each other,
//! `history` what is known of the log.
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod config;
pub mod entry;
pub mod message;
pub mod quorum;

mod zab;

mod following;
mod leading;
mod looking;

mod server;

mod disk;
mod history;
mod records;

mod effect;
mod settings;

pub use config::Config;
pub use effect::{Effect, SyncTicket, Ticket};
pub use entry::{Body, Entry, Promise};
pub use history::EpochEnds;
pub use leading::LearnerView;
pub use quorum::{Seat, Voters};
pub use settings::{Member, Recovered, Settings};
pub use zab::Zab;

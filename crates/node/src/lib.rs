//! One server as a pure machine: inputs go in, [`Effect`]s come out.
//!
//! It puts the rooms below together and has no algorithm of its own: [`zooid_zab`] agrees on the
//! order, [`zooid_tree`] decides what a command does, [`zooid_watch`] knows who waits,
//! [`zooid_session`] keeps each client's order. It knows no socket, disk, clock or thread; whoever
//! drives it says what time it is, and may execute every effect as soon as it is out.
//!
//! Where to start: [`Node`] is the list of inputs. The way of a write is `client` (a request
//! becomes a command), `deliver` (the command is agreed on and applied), `answer` (its reply, and
//! the reads that waited for it).
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod node;

mod client;
mod handshake;

mod deliver;

mod lease;
mod role;

mod answer;
mod request_limits;

mod upkeep;

mod connection;
mod effect;
mod settings;

pub mod contract;

pub use connection::ConnectionView;
pub use effect::{Effect, ToClient};
pub use node::{Clock, Counters, Node};
pub use role::Role;
pub use settings::Settings;

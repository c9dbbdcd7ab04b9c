//! A whole cluster with its clients on one thread, in a world of faults drawn from one seed.
//!
//! The servers are the real [`zooid_node`], with the real recovery; around them stand a simulated
//! network, disks that lose what was not synced, clients that come back, and time that only passes
//! here. Everything that happens follows from the seed, so that a failure is told by one number and
//! happens again; then its schedule is made as short as it can be made.
//!
//! It knows no socket, no file and no real time; what those can do to a server is for the tests of
//! whole processes. Development only.
//!
//! Where to start: [`play`] is one seed from its beginning to the judgement. `world` is time and
//! what happens in it, `server` a server's loop, `disk` what survives, `network` what arrives,
//! `client` what clients do; `phases` says what must hold.

mod play;

mod setup;

mod schedule;

mod phases;
mod world;

mod client;
mod disk;
mod network;
mod server;

mod record;
mod trace;

mod dice;
mod requests;

#[cfg(test)]
mod scenarios;

pub use play::{Failure, Options, Played, play, shrink};
pub use setup::Setup;

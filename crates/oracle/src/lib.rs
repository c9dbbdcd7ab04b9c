//! Judges what clients observed against the committed log.
//!
//! Every reply says at which zxid it was evaluated, and the log says what was done at each zxid. So
//! one pass over the log with the real [`Tree`](zooid_tree::Tree) tells what every write, read and
//! event had to be, exactly, in a time that grows with the history only; no search for an order is
//! needed, since the zxids are the order, and whether that order agrees with real time is a
//! guarantee like the others.
//!
//! The crate knows no server, socket or simulator: whoever drives one writes down a [`History`] and
//! has it judged. It takes nothing for granted that a server says about itself beside the log.
//!
//! Where to start: [`judge`] and [`History`]. Each guarantee is a module that opens with its
//! statement and its source. `operation` pairs requests, replies and log entries for all of them.

mod judge;

mod history;
mod violation;

mod operation;
mod replay;

pub mod agreement;
mod ephemerals;
mod fifo;
mod names;
mod reads;
mod real_time;
mod sessions;
mod sync;
mod versions;
mod watches;
mod writes;

#[cfg(test)]
mod example;

pub use history::{
    Asked, Committed, Conversation, Greeting, History, Logged, Moment, ServerLog, Told,
};
pub use judge::{Terms, judge};
pub use violation::{Guarantee, Violation};

//! Judges what the clients of real servers were told.
//!
//! A harness records every frame of its clients' connections, a line of JSON each; when the servers
//! have ended, their logs tell what was agreed. Both become a [`History`](zooid_oracle::History),
//! and the oracle that judges simulated servers judges these. What nobody outside a server can
//! know, such as when an entry became certain, is left out, and so is what rests on it.
//!
//! It speaks to no server and starts none. Development only.
//!
//! Where to start: [`conversations`] and [`server_log`].

mod recording;

mod log;

pub use log::{LogError, server_log};
pub use recording::{RecordingError, conversations};

//! Four-letter words: what operators and their probes ask on the client port.
//!
//! Each word is a function from plain data to ZooKeeper's text, to the letter; where the data comes
//! from is not known here. Probes, dashboards and `zkServer.sh status` take these texts apart, so
//! every space counts. What differs from ZooKeeper's values stands in `docs/four-letter-words.md`.
//!
//! Start with [`View`], which most words are about.

mod name;
mod whitelist;

mod connections;
mod dump;
mod environment;
mod fixed;
mod java;
mod monitor;
mod server;
mod watches;

pub use connections::{Now, cons};
pub use dump::{Dump, DumpedConnection, dump};
pub use environment::{envi, environment, version};
pub use fixed::{
    CONNECTIONS_RESET, HERE, NOT_SERVING, READ_WRITE, SERVER_RESET, TRACE_MASK, refused,
};
pub use monitor::{Metric, Monitor};
pub use name::Name;
pub use server::{Conf, Proposals, View, conf, dirs, hash, srvr, stat};
pub use watches::{WatchSummary, wchc, wchp, wchs};
pub use whitelist::Whitelist;

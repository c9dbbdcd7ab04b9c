//! Connections of clients and of peers: listeners, framing, back-pressure.
//!
//! Of clients: bytes become requests and replies become bytes here, on tokio's threads. The thread that owns
//! the state (the loop) is told of everything through one [`Inbox`] and answers each connection
//! through its [`Outlet`]; neither side ever waits for the other. This crate knows no tree, no
//! session and no rule of the protocol beyond its frames: whether a request is allowed, and what
//! comes of it, the loop decides.
//!
//! What the loop may rely on, per connection: one [`FromClient::Opened`], then requests in the
//! order in which they were sent (none before the connect reply was given to the outlet), then
//! exactly one [`FromClient::Gone`]. What this crate relies on: every request that was handed over
//! is answered once, through the same outlet, unless the connection ends first.
//!
//! Everything is bounded: frames, requests that wait for an answer (per connection, by number and
//! by bytes, and in all), bytes that wait to be written, connections per address and in all. At each limit [`Counters`]
//! counts.
//!
//! Servers of an ensemble speak to each other through [`peers`], which goes by the same rules.
//!
//! Start with [`message`], then [`Clients`] and [`Listener`].

pub mod message;
pub mod peers;

mod admission;
mod clients;
mod connection;
mod counters;
mod inbox;
mod latency;
mod listener;
mod opening;
mod outlet;
mod reader;
mod settings;
mod traffic;
mod writer;

pub use clients::Clients;
pub use counters::Counters;
pub use inbox::{Inbox, Mailbox};
pub use latency::Latency;
pub use listener::Listener;
pub use message::{FromClient, Outgoing};
pub use opening::{Word, Words};
pub use outlet::Outlet;
pub use settings::Settings;
pub use traffic::{ConnectionReport, LastReply};

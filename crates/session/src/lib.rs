//! One client's order: handshake, its queue of requests, expiry buckets.
//!
//! What concerns a session and needs neither the tree nor the log: whether a client may have the
//! session it asks for ([`handshake`]), who it is ([`auth`]), in which order its requests are
//! answered ([`Queue`]), and when nothing was heard of it for too long ([`Expiry`]). The secrets
//! behind it are [`Passwords`] and [`SessionIds`]. It knows no socket and no clock, and reads no
//! randomness: the secrets are handed in.
//!
//! Where to start: [`handshake::decide`], then [`Queue`].
#![no_std]
extern crate alloc;

pub mod auth;
pub mod handshake;

mod expiry;
mod ids;
mod password;
mod queue;

pub use expiry::Expiry;
pub use ids::SessionIds;
pub use password::Passwords;
pub use queue::Queue;

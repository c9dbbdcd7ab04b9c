//! Bytes to client messages and back: ZooKeeper's jute records, incrementally.
//!
//! The server's side: [`take_frame`] cuts frames off what was received, [`decode_connect`] and
//! [`decode_request`] read them, [`encode_reply`], [`encode_event`] and [`encode_connect_reply`]
//! write whole frames. [`client`] is the other direction. Nothing here knows a session, a tree or
//! whether an operation is allowed; it knows lengths, numbers and text.
//!
//! What a client sends is not trusted: no length or count that a frame claims is allocated before
//! the bytes are there, nothing recurses, and every way to be wrong has its answer. The first
//! eight bytes of a request cannot be missing (the connection is closed); a body that cannot be
//! read is [`Request::Malformed`], a number that is no operation [`Request::Unknown`].
//!
//! Where to start: [`decode_request`], and [`opcode`] for the numbers.
//!
//! [`Request::Malformed`]: zooid_model::Request::Malformed
//! [`Request::Unknown`]: zooid_model::Request::Unknown
#![no_std]
extern crate alloc;

pub mod frame;
pub mod opcode;

mod connect;
mod event;
mod multi;
mod reply;
mod request;

pub mod client;
pub mod jute;

mod error;
mod records;

pub use connect::{decode_connect, encode_connect_reply};
pub use error::WireError;
pub use event::encode_event;
pub use frame::{FrameError, Opening, reserve_hint, take_frame};
pub use reply::encode_reply;
pub use request::decode_request;

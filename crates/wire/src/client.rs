//! The client's side of the wire, for tests and tools: what the server's side reads is written
//! here, and what it writes is read.

mod reply;
mod request;

pub use reply::{Answer, decode_connect_reply, decode_event, decode_reply, xid_of};
pub use request::{encode_connect, encode_request};

//! ZooKeeper's nouns: what clients ask for, what they are told, what the log holds.
//!
//! Types and the rules that need nothing but the value itself (is this a path? may this identity
//! read?). It knows no bytes on a wire ([`zooid-wire`]), no tree and no time.
//!
//! Where to start: [`Request`] is all that a client can ask, [`Command`] all that the replicated
//! state can be told, [`Reply`] all that a client can be answered.
//!
//! [`zooid-wire`]: https://docs.rs/zooid-wire
#![no_std]
extern crate alloc;

pub mod acl;
pub mod limits;
pub mod path;

mod command;
mod connect;
mod error;
mod event;
mod names;
mod reply;
mod request;
mod stat;

pub use acl::{Acl, Identity, Perms};
pub use command::{Command, Grants, Origin, Owner, Turn, Write};
pub use connect::{ConnectReply, ConnectRequest, PASSWORD_LEN, Password, PasswordScheme, Secret};
pub use error::ErrorCode;
pub use event::{Change, ChangeKind, EventKind, WatchEvent};
pub use names::Names;
pub use reply::{OpResult, ReadResult, Reply};
pub use request::{
    AddWatchMode, Create, CreateKind, CreateMode, Read, Request, SetWatches, WatchKind, WriteOp,
};
pub use stat::{EphemeralOwner, Stat};

//! Runs a node: configuration, the loop, the disk thread, four-letter words, shutdown.
//!
//! Here the pure machine meets clocks, sockets, disks and threads. What is decided, is decided
//! below; this crate carries inputs in and effects out.
//!
//! Where to start: [`run`] is a server's life, `serve` puts the
//! parts together, `turn` is the loop.

pub mod config;
pub mod words;

mod room;
mod run;

mod serve;

mod turn;

mod catching_up;
mod fetch;
mod member;

mod checkpointer;
mod disk;
mod event;
mod guard;
mod recorder;
mod start_over;

mod identity;
mod load;
mod measure;
mod operators;
mod voters;

mod clock;
mod system;

pub(crate) use event::Event;
pub use load::{LoadError, load};
pub use run::run;
pub(crate) use serve::ServeError;

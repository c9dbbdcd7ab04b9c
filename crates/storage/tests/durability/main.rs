//! What is acknowledged stays, on real directories with the real engines.
#![expect(clippy::unwrap_used, reason = "clippy sees the tests here, not what they share")]

mod home;

mod damage;
mod directory;
mod enumeration;
mod kill;
mod members;
mod model;
mod reading;
mod received;

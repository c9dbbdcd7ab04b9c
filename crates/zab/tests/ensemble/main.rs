//! Ensembles of many servers in a world of their own: stories that a person can read, and faults
//! drawn from seeds.
#![expect(clippy::unwrap_used, reason = "a script or a seed that cannot be read is a failed test")]

mod faults;
mod stories;
mod world;

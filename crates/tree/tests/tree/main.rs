//! What the tree does, told from outside.

mod operations;

mod checkpoints;
mod collecting;
mod multis;
mod nodes;
mod quotas;
mod sessions;

mod digests;

mod model;
mod properties;

mod world;

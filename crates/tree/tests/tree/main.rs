//! What the tree does, told from outside.

mod operations;
mod world;

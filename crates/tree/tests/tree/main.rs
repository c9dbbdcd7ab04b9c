//! What the tree does, told from outside.

mod operations;

mod multis;

mod digests;

mod world;

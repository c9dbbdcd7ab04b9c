//! What the tree does, told from outside: tables of requests and answers, what a real ZooKeeper
//! logged, and random commands against a slow model.

#[cfg(test)]
mod operations;

#[cfg(test)]
mod checkpoints;
#[cfg(test)]
mod collecting;
#[cfg(test)]
mod multis;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod quotas;
#[cfg(test)]
mod sessions;

#[cfg(test)]
mod digests;

#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod totality;

#[cfg(test)]
mod world;

//! Four-letter words: what operators and their probes ask on the client port, and the text of the
//! answers, which is ZooKeeper's to the letter.
mod name;
mod whitelist;

pub use name::Name;
pub use whitelist::Whitelist;

//! Answers that are always the same.

use std::fmt::Display;

/// `ruok`, by a process that lives.
pub const HERE: &str = "imok";

/// `crst`.
pub const CONNECTIONS_RESET: &str = "Connection stats reset.\n";

/// `srst`.
pub const SERVER_RESET: &str = "Server stats reset.\n";

/// `isro`, by a server that takes writes.
pub const READ_WRITE: &str = "rw";

/// `gtmk`, before anybody has set it: the mask that ZooKeeper starts with. Nothing is traced by
/// it here.
pub const TRACE_MASK: i64 = 0o462;

/// What is answered while no requests are served.
pub const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// What is answered to a word that is not on the whitelist.
#[must_use]
pub fn refused(word: impl Display) -> String {
    format!("{word} is not executed because it is not in the whitelist.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_zookeeper_s() {
        assert_eq!(TRACE_MASK.to_string(), "306");
        assert_eq!(refused("stat"), "stat is not executed because it is not in the whitelist.\n");
    }
}

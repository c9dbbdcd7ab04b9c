//! Reads what a server answers to `srvr`.

use std::fmt;

use zooid_ids::Zxid;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Report {
    /// What it is.
    pub(crate) role: Role,
    /// The last transaction that it applied.
    pub(crate) zxid: Zxid,
    /// Nodes of its tree.
    pub(crate) znodes: u64,
    /// Open connections without the one that asked.
    pub(crate) clients: u64,
    /// From request to answer in milliseconds: shortest/mean/longest, as it stands there.
    pub(crate) latency: String,
    /// Of the program.
    pub(crate) version: String,
}

/// What a server is to its ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It has no ensemble.
    Standalone,
    /// It leads.
    Leader,
    /// It votes and follows.
    Follower,
    /// It follows without a vote.
    Observer,
    /// Another word.
    Other(String),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Standalone => "standalone",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
            Self::Other(word) => word,
        })
    }
}

impl Role {
    fn of(word: &str) -> Self {
        match word {
            "standalone" => Self::Standalone,
            "leader" => Self::Leader,
            "follower" => Self::Follower,
            "observer" => Self::Observer,
            other => Self::Other(other.to_string()),
        }
    }
}

impl Report {
    /// Reads an answer.
    ///
    /// # Errors
    /// What it means that the answer is another one.
    pub(crate) fn read(answer: &str) -> Result<Self, String> {
        Self::read_fields(answer).ok_or_else(|| meaning(answer))
    }

    fn read_fields(answer: &str) -> Option<Self> {
        let field =
            |name| answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let zxid = u64::from_str_radix(field("Zxid")?.strip_prefix("0x")?, 16).ok()?;
        let connections: u64 = field("Connections")?.parse().ok()?;
        Some(Self {
            role: Role::of(field("Mode")?),
            zxid: Zxid(zxid),
            znodes: field("Node count")?.parse().ok()?,
            clients: connections.saturating_sub(1),
            latency: field("Latency min/avg/max")?.to_string(),
            version: field("Zookeeper version")?.split(',').next()?.to_string(),
        })
    }
}

fn meaning(answer: &str) -> String {
    let line = answer.lines().next().unwrap_or_default();
    if line.is_empty() {
        "no answer to srvr".to_string()
    } else if line.contains("not currently serving") {
        "not serving: it has no leader, or is starting".to_string()
    } else if line.contains("not in the whitelist") {
        "srvr is not in its 4lw.commands.whitelist".to_string()
    } else {
        format!(
            "not a ZooKeeper: it says '{}'",
            line.chars().take(60).collect::<String>().escape_debug()
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn report(role: Role) -> Report {
        Report {
            role,
            zxid: Zxid(0x2_0000_0004),
            znodes: 7,
            clients: 2,
            latency: "0/14.27/42".to_string(),
            version: "3.9.5-zooid-0.1.0".to_string(),
        }
    }

    #[test]
    fn zookeepers_answer_is_read() {
        let answer = "Zookeeper version: 3.9.5-zooid-0.1.0, built on 2026-02-11 20:18 UTC\n\
             Latency min/avg/max: 0/14.27/42\nReceived: 7\nSent: 6\nConnections: 3\nOutstanding: 1\n\
             Zxid: 0x200000004\nMode: leader\nNode count: 7\nProposal sizes last/min/max: 92/32/94\n";
        assert_eq!(Report::read(answer), Ok(report(Role::Leader)));
        let words = ["follower", "observer", "standalone", "read-only"];
        for word in words {
            let read = Report::read(&answer.replace("leader", word)).unwrap();
            assert_eq!(read.role.to_string(), word);
        }
    }

    #[test]
    fn other_answers_are_explained() {
        let refused = "srvr is not executed because it is not in the whitelist.\n";
        assert_eq!(meaning(refused), "srvr is not in its 4lw.commands.whitelist");
        assert_eq!(meaning("SSH-2.0\u{7}"), "not a ZooKeeper: it says 'SSH-2.0\\u{7}'");
        assert!(Report::read("Mode: leader\nZxid: 0xfffffffffffffffff\n").is_err());
    }
}

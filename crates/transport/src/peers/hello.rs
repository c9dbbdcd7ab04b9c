//! The handshake: who speaks, to whom, of which ensemble, in which version.

use std::io;

use thiserror::Error;
use tonic::{Code, Status};
use zooid_ids::{ClusterId, ServerId};
use zooid_zab::Member;

use super::contract::{ContractError, read_member, read_u128, write_member};
use super::generated::Hello;

/// Versions of `proto/peer.proto` that this server speaks.
const OLDEST_VERSION: u32 = 1;
const NEWEST_VERSION: u32 = 1;

/// A learner waits with forwards until they are granted, a leader grants them.
const CREDITS: u64 = 1;

/// What this server can do beyond its version.
const FEATURES: u64 = CREDITS;

/// Who is at the other end of a stream, and what is spoken with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) sender: Member,
    /// The highest that both speak.
    pub(crate) version: u32,
    /// What both can do.
    pub(crate) features: u64,
    /// The forwards that the sender grants at first, in bytes, if it grants any.
    pub(crate) credit: Option<u64>,
}

impl Greeting {
    /// Whether the sender waits until its forwards are granted.
    pub(crate) const fn asks_for_credit(self) -> bool {
        self.features & CREDITS != 0
    }
}

/// Why a stream to or from a peer has ended, or never began.
#[derive(Debug, Error)]
pub(crate) enum Ending {
    #[error("the peer speaks versions {oldest} to {newest} of the protocol of peers, not {ours}")]
    Version { oldest: u32, newest: u32, ours: u32 },
    #[error("the peer belongs to ensemble {theirs}, this server to {ours}")]
    Cluster { ours: ClusterId, theirs: ClusterId },
    #[error("server {0} is not a member")]
    NotAMember(ServerId),
    #[error("server {actual} is where server {expected} should be")]
    Mistaken { expected: ServerId, actual: ServerId },
    #[error("server {0} speaks for another one")]
    Impostor(ServerId),
    #[error("this is no server of Zooid, it begins like {0}")]
    Foreign(Language),
    #[error("TLS, and this server takes plaintext: sslQuorum must be the same on all servers")]
    UnwantedTls,
    #[error(
        "plaintext, and this server takes TLS: sslQuorum must be the same on all servers, or \
         portUnification be true on all while it is changed"
    )]
    UnwantedPlaintext,
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    #[error("its certificate is not for server {member}: {why}")]
    Certificate { member: ServerId, why: String },
    #[error("{0} connections like it are open already")]
    Crowded(usize),
    #[error("a message of the peer cannot be read: {0}")]
    Malformed(String),
    #[error("a message is too long: {0}")]
    Oversized(String),
    #[error("it has forwarded {0} bytes more than it was granted")]
    Overdrawn(u64),
    #[error("no hello in time")]
    Silent,
    #[error("the peer does not take what waits for it: {0} bytes")]
    Slow(usize),
    #[error("a file cannot be written: {0}")]
    Disk(io::Error),
    #[error("the peer refuses: {0}")]
    Refused(String),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the peer ended it")]
    Ended,
    #[error("this server ended it")]
    Here,
}

/// What comes to a port for peers by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub(crate) enum Language {
    #[error("a server of Apache ZooKeeper, and one ensemble cannot have servers of both")]
    ZooKeeper,
    #[error("a client: clients need the client port")]
    Client,
    #[error("a four-letter word: these need the client port")]
    Word,
    #[error("a request in HTTP/1")]
    Http,
    #[error("nothing that is known")]
    Unknown,
}

impl Language {
    /// What begins like this.
    pub(crate) fn of(first: &[u8]) -> Self {
        let is_method = |word: &[u8]| word.len() > 2 && word.iter().all(u8::is_ascii_uppercase);
        match first {
            // Of its election port, a version; of its quorum port, FOLLOWERINFO and OBSERVERINFO.
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ..] | [0, 0, 0, 11 | 16, ..] => Self::ZooKeeper,
            // The length of a connect request.
            [0, 0, 0, 44 | 45, ..] => Self::Client,
            [a, b, c, d, ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_lowercase()) => {
                Self::Word
            }
            _ if first.split(|byte| *byte == b' ').next().is_some_and(is_method) => Self::Http,
            _ => Self::Unknown,
        }
    }
}

impl From<ContractError> for Ending {
    fn from(error: ContractError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<Status> for Ending {
    /// What tonic tells of a stream. A message that it could not decode is the only internal error
    /// without a cause of its own.
    fn from(status: Status) -> Self {
        let cause = std::error::Error::source(&status);
        match (status.code(), cause) {
            (Code::OutOfRange, _) => Self::Oversized(status.message().to_owned()),
            (Code::Internal, None) => Self::Malformed(status.message().to_owned()),
            (Code::FailedPrecondition, _) => Self::Refused(status.message().to_owned()),
            (_, Some(cause)) => Self::Broken(format!("{}: {cause}", status.message())),
            (_, None) => Self::Broken(status.message().to_owned()),
        }
    }
}

impl From<tonic::transport::Error> for Ending {
    fn from(error: tonic::transport::Error) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Self::Broken(format!("{error}{}", cause.unwrap_or_default()))
    }
}

impl From<Ending> for Status {
    fn from(ending: Ending) -> Self {
        Self::failed_precondition(ending.to_string())
    }
}

/// What this server says to `receiver`, which may forward so many bytes at first.
pub(crate) fn hello(
    me: Member,
    cluster: Option<ClusterId>,
    receiver: ServerId,
    forward_bytes: u64,
) -> Hello {
    let cluster = cluster.map(|cluster| cluster.0.to_be_bytes().to_vec()).unwrap_or_default();
    Hello {
        oldest_version: OLDEST_VERSION,
        newest_version: NEWEST_VERSION,
        features: FEATURES,
        cluster: cluster.into(),
        sender: Some(write_member(me)),
        receiver: receiver.0,
        forward_bytes,
    }
}

/// Who says hello to `me`; whether it may is not decided here, but whether it means this server of
/// this ensemble and speaks its language.
pub(crate) fn greet(
    hello: &Hello,
    me: ServerId,
    cluster: Option<ClusterId>,
) -> Result<Greeting, Ending> {
    let (oldest, newest) = (hello.oldest_version, hello.newest_version);
    let version = newest.min(NEWEST_VERSION);
    if oldest.max(OLDEST_VERSION) > version {
        return Err(Ending::Version { oldest, newest, ours: NEWEST_VERSION });
    }
    let theirs = match &*hello.cluster {
        [] => None,
        bytes => Some(read_u128(bytes).ok_or(ContractError::Unknown("the cluster id"))?),
    };
    if let (Some(ours), Some(theirs)) = (cluster, theirs.map(ClusterId))
        && ours != theirs
    {
        return Err(Ending::Cluster { ours, theirs });
    }
    if hello.receiver != me.0 {
        return Err(Ending::Mistaken { expected: ServerId(hello.receiver), actual: me });
    }
    let sender = read_member(hello.sender.clone())?;
    let features = hello.features & FEATURES;
    let credit = (features & CREDITS != 0).then_some(hello.forward_bytes);
    Ok(Greeting { sender, version, features, credit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zooid_ids::Incarnation;

    const ME: ServerId = ServerId(1);
    const OTHER: Member = Member { id: ServerId(2), incarnation: Incarnation(7) };
    const OURS: Option<ClusterId> = Some(ClusterId(5));

    #[test]
    fn a_hello_is_understood() {
        let understood =
            Greeting { sender: OTHER, version: 1, features: FEATURES, credit: Some(9) };
        for cluster in [None, OURS] {
            assert_eq!(greet(&hello(OTHER, cluster, ME, 9), ME, OURS).unwrap(), understood);
            assert_eq!(greet(&hello(OTHER, OURS, ME, 9), ME, cluster).unwrap(), understood);
        }
    }

    #[test]
    fn what_both_can_is_spoken() {
        let good = hello(OTHER, OURS, ME, 9);
        let newer = Hello { newest_version: 7, features: u64::MAX, ..good.clone() };
        let greeting = greet(&newer, ME, OURS).unwrap();
        assert_eq!((greeting.version, greeting.features), (NEWEST_VERSION, FEATURES));
        assert!(greeting.asks_for_credit());
        let less = Hello { features: !CREDITS, ..good };
        let greeting = greet(&less, ME, OURS).unwrap();
        assert!(!greeting.asks_for_credit());
        assert_eq!(greeting.credit, None);
    }

    /// What is wrong with it, and how the refusal begins.
    #[test]
    fn a_wrong_hello_is_refused() {
        let good = hello(OTHER, OURS, ME, 9);
        let nobody = Some(super::super::generated::Member { id: 2, incarnation: vec![1].into() });
        for (wrong, says) in [
            (Hello { oldest_version: 2, newest_version: 3, ..good.clone() }, "the peer speaks"),
            (Hello { newest_version: 0, ..good.clone() }, "the peer speaks"),
            (hello(OTHER, Some(ClusterId(6)), ME, 9), "the peer belongs"),
            (Hello { cluster: vec![1; 15].into(), ..good.clone() }, "a message"),
            (hello(OTHER, OURS, ServerId(3), 9), "server 1 is where"),
            (Hello { sender: None, ..good.clone() }, "a message"),
            (Hello { sender: nobody, ..good.clone() }, "a message"),
        ] {
            let refusal = greet(&wrong, ME, OURS).unwrap_err().to_string();
            assert!(refusal.starts_with(says), "{refusal}");
        }
    }
}

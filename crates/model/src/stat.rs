//! The eleven fields that clients are told of a znode.

use zooid_ids::{Millis, SessionId, Zxid};

/// What a client is told of a znode beside its data: 68 bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// The transaction that created it.
    pub czxid: Zxid,
    /// The transaction that last set its data (or created it).
    pub mzxid: Zxid,
    /// When it was created, by the leader's clock.
    pub ctime: Millis,
    /// When its data was last set, by the leader's clock.
    pub mtime: Millis,
    /// Changes of the data. Counts over from the largest number to the smallest, never -1.
    pub version: i32,
    /// Changes of the children: creates and deletes.
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// The session that the node goes with; 0 for every other node, also for those that
    /// [`EphemeralOwner`] marks in the state itself.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Children.
    pub num_children: i32,
    /// The transaction that last changed the children (or created the node).
    pub pzxid: Zxid,
}

/// What kind of node an `ephemeralOwner` number says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EphemeralOwner {
    /// An ordinary node.
    #[default]
    None,
    /// Deleted with this session.
    Session(SessionId),
    /// Deleted when its last child is.
    Container,
    /// Deleted when it has no children and was not changed for so long; 0 to 2^40 - 1.
    Ttl(Millis),
}

const CONTAINER: i64 = i64::MIN;
const TTL_MARK: u64 = 0xff00_0000_0000_0000;

impl EphemeralOwner {
    /// The longest time to live: 40 bits of milliseconds, almost 35 years.
    pub const TTL_MAX: Millis = Millis((1 << 40) - 1);

    /// The number that the state and its checkpoints carry.
    #[must_use]
    pub const fn to_wire(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Session(session) => session.0,
            Self::Container => CONTAINER,
            Self::Ttl(ttl) => (TTL_MARK | ttl.0 as u64) as i64,
        }
    }

    /// What the number means. With `extendedTypesEnabled` a top byte of `0xff` marks a TTL node;
    /// session ids never have it, so the answer does not depend on the setting here.
    #[must_use]
    pub const fn from_wire(owner: i64) -> Self {
        match owner {
            0 => Self::None,
            CONTAINER => Self::Container,
            owner if owner as u64 & TTL_MARK == TTL_MARK => {
                Self::Ttl(Millis(owner & Self::TTL_MAX.0))
            }
            owner => Self::Session(SessionId(owner)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_come_back() {
        for owner in [
            EphemeralOwner::None,
            EphemeralOwner::Session(SessionId(0x0100_0000_1234_5678)),
            EphemeralOwner::Container,
            EphemeralOwner::Ttl(Millis(1)),
            EphemeralOwner::Ttl(EphemeralOwner::TTL_MAX),
        ] {
            assert_eq!(EphemeralOwner::from_wire(owner.to_wire()), owner);
        }
    }
}

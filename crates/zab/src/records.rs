//! What other members are known to have had: acknowledged, and committed. Nobody ever has less
//! again in the same life, unless its disk was rolled back; such a disk has its own records rolled
//! back as well, so only the others can tell.
//!
//! The leader knows it of everybody and shares it every few seconds; whoever runs a server makes it
//! durable and gives it back at the next start.

use alloc::collections::BTreeMap;

use zooid_ids::{Incarnation, ServerId, Zxid};

use crate::Member;

/// The newest life of each other member, and what it had.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Records(BTreeMap<ServerId, (Incarnation, Zxid)>);

impl Records {
    /// This life had everything up to here, and it was committed.
    pub(crate) fn learn(&mut self, member: Member, zxid: Zxid) {
        let known = self.0.entry(member.id).or_default();
        let before = if known.0 == member.incarnation { known.1 } else { Zxid::ZERO };
        *known = (member.incarnation, zxid.max(before));
    }

    /// What this life must have.
    pub(crate) fn of(&self, member: Member) -> Zxid {
        match self.0.get(&member.id) {
            Some((life, zxid)) if *life == member.incarnation => *zxid,
            _ => Zxid::ZERO,
        }
    }

    /// What a candidate of this number must have: whoever counts in a newer life was given all that
    /// the one before had.
    pub(crate) fn of_candidate(&self, id: ServerId) -> Zxid {
        self.0.get(&id).map_or(Zxid::ZERO, |(_, zxid)| *zxid)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Member, Zxid)> {
        self.0
            .iter()
            .map(|(id, (incarnation, zxid))| (Member { id: *id, incarnation: *incarnation }, *zxid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_never_has_less() {
        let member = |life| Member { id: ServerId(3), incarnation: Incarnation(life) };
        let mut records = Records::default();
        records.learn(member(1), Zxid(7));
        records.learn(member(1), Zxid(5));
        assert_eq!((records.of(member(1)), records.of(member(2))), (Zxid(7), Zxid::ZERO));
        assert_eq!(records.of_candidate(ServerId(3)), Zxid(7));
        records.learn(member(2), Zxid(6));
        assert_eq!((records.of(member(1)), records.of(member(2))), (Zxid::ZERO, Zxid(6)));
        assert!(records.all().eq([(member(2), Zxid(6))]));
        assert_eq!(records.of_candidate(ServerId(4)), Zxid::ZERO);
    }
}

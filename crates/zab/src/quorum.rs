//! When enough voters agree.
//!
//! The rule is ZooKeeper's (`group.N`, `weight.N`): a quorum is more than half of the groups, and a
//! group agrees if more than half of its weight does. Groups without weight do not count. Without
//! groups all voters are in one and weigh the same, so that a quorum is a majority of them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use zooid_ids::{ServerId, Zxid};

/// Where a voter is counted, and for how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// Its group.
    pub group: u64,
    /// Its weight in the group. One without weight is no voter: it can neither decide nor lead.
    pub weight: u64,
}

impl Default for Seat {
    fn default() -> Self {
        Self { group: 0, weight: 1 }
    }
}

/// A set of voters of which enough can decide.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Voters(BTreeMap<ServerId, Seat>);

impl Voters {
    /// Voters that count the same.
    ///
    /// # Panics
    /// If there are none: nobody could ever decide.
    #[must_use]
    pub fn majority(ids: impl IntoIterator<Item = ServerId>) -> Self {
        let seats = ids.into_iter().map(|id| (id, Seat::default()));
        Self::seated(seats).expect("a config without voters")
    }

    /// Voters with groups and weights. `None` if nobody has a weight: nobody could ever decide.
    #[must_use]
    pub fn seated(seats: impl IntoIterator<Item = (ServerId, Seat)>) -> Option<Self> {
        let seats: BTreeMap<_, _> = seats.into_iter().collect();
        seats.values().any(|seat| seat.weight > 0).then_some(Self(seats))
    }

    /// Everybody with a seat, also those without a weight; ascending.
    pub fn seats(&self) -> impl Iterator<Item = (ServerId, Seat)> {
        self.0.iter().map(|(id, seat)| (*id, *seat))
    }

    /// Everybody with a vote; ascending.
    pub fn ids(&self) -> impl Iterator<Item = ServerId> {
        self.seats().filter(|(_, seat)| seat.weight > 0).map(|(id, _)| id)
    }

    /// True if `id` has a vote.
    #[must_use]
    pub fn contains(&self, id: ServerId) -> bool {
        self.0.get(&id).is_some_and(|seat| seat.weight > 0)
    }

    /// True if those who agree can decide.
    pub fn is_quorum(&self, agrees: impl Fn(ServerId) -> bool) -> bool {
        let groups: BTreeSet<u64> =
            self.0.values().filter(|seat| seat.weight > 0).map(|seat| seat.group).collect();
        let in_favour = groups.iter().filter(|group| self.group_agrees(**group, &agrees)).count();
        2 * in_favour > groups.len()
    }

    /// The greatest zxid that a quorum has reached.
    pub fn reached(&self, position: impl Fn(ServerId) -> Zxid) -> Zxid {
        let mut positions: Vec<Zxid> = self.ids().map(&position).collect();
        positions.sort_unstable();
        let by_quorum = |zxid: &Zxid| self.is_quorum(|id| position(id) >= *zxid);
        positions.into_iter().rev().find(by_quorum).expect("all of them are a quorum")
    }

    fn group_agrees(&self, group: u64, agrees: impl Fn(ServerId) -> bool) -> bool {
        let weight = |counted: &dyn Fn(ServerId) -> bool| -> u128 {
            let members = self.seats().filter(|(id, seat)| seat.group == group && counted(*id));
            members.map(|(_, seat)| u128::from(seat.weight)).sum()
        };
        2 * weight(&agrees) > weight(&|_| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Group and weight of the servers 1, 2, ...; who agrees: is it a quorum?
    #[test]
    fn groups_and_weights_decide_as_in_zookeeper() {
        let three = [(1, 1), (1, 1), (1, 1), (2, 1), (2, 1), (2, 1), (3, 1), (3, 1), (3, 1)];
        let lame = [(1, 1), (1, 1), (1, 1), (2, 0), (2, 0), (3, 5), (3, 1)];
        for (seats, agree, quorum) in [
            // Two of three groups, two of three in each.
            (&three[..], &[1, 2, 4, 5][..], true),
            (&three, &[1, 2, 3, 4, 5, 6], true),
            (&three, &[1, 2, 3, 4], false),
            (&three, &[1, 4, 7, 2], false),
            // A group without weight does not count, so two groups are left: both are needed.
            (&lame, &[1, 2, 3, 4, 5], false),
            (&lame, &[1, 2, 6], true),
            (&lame, &[1, 2, 7], false),
            // One group, weights: exactly half is not enough.
            (&[(0, 2), (0, 1), (0, 1)], &[1], false),
            (&[(0, 2), (0, 1), (0, 1)], &[1, 3], true),
            (&[(0, 2), (0, 1), (0, 1)], &[2, 3], false),
            (&[(0, u64::MAX), (0, u64::MAX), (0, 1)], &[1, 2], true),
        ] {
            let seated = seats.iter().zip(1..);
            let seated =
                seated.map(|(&(group, weight), id)| (ServerId(id), Seat { group, weight }));
            let voters = Voters::seated(seated).unwrap();
            assert_eq!(voters.is_quorum(|id| agree.contains(&id.0)), quorum, "{seats:?} {agree:?}");
        }
    }

    #[test]
    fn whoever_has_no_weight_has_no_vote() {
        let seat = |weight| Seat { group: 0, weight };
        let voters = Voters::seated([(ServerId(1), seat(0)), (ServerId(2), seat(3))]).unwrap();
        assert!(!voters.contains(ServerId(1)) && voters.contains(ServerId(2)));
        assert!(voters.ids().eq([ServerId(2)]));
        assert_eq!(Voters::seated([(ServerId(1), seat(0))]), None);
    }
}

//! Who decides, and which lives of them.
//!
//! While an ensemble changes its members two sets of voters count, and nothing is agreed that is
//! not agreed in both; so a [`Config`] has room for the next set from the start.

use alloc::collections::{BTreeMap, BTreeSet};

use zooid_ids::{Incarnation, ServerId, Zxid};

use crate::Member;
use crate::quorum::Voters;

/// The voters, while they are being changed those to come, and the lives that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The set that is in force.
    pub voters: Voters,
    /// The set that takes over; both must agree until it does.
    pub next: Option<Voters>,
    /// The life of the data directory with which a voter counts. A voter that is not here counts
    /// with any: so it was before lives were registered.
    pub registered: BTreeMap<ServerId, Incarnation>,
}

impl Config {
    /// A config with these voters, all counting the same, no life registered, and no change under
    /// way.
    ///
    /// # Panics
    /// If there are none: nobody could ever decide.
    #[must_use]
    pub fn of(voters: impl IntoIterator<Item = ServerId>) -> Self {
        Self { voters: Voters::majority(voters), next: None, registered: BTreeMap::new() }
    }

    /// True if nobody else has a vote.
    #[must_use]
    pub fn is_sole_voter(&self, id: ServerId) -> bool {
        self.everyone().eq([id])
    }

    /// True if those who agree can decide in every set that counts.
    pub fn is_quorum(&self, agrees: impl Fn(ServerId) -> bool) -> bool {
        self.sets().all(|voters| voters.is_quorum(&agrees))
    }

    /// The greatest zxid that a quorum of every set has reached.
    pub fn reached(&self, position: impl Fn(ServerId) -> Zxid) -> Zxid {
        self.sets().map(|voters| voters.reached(&position)).min().expect("there is a set")
    }

    /// True if `id` has a vote, in the set in force or the one to come.
    #[must_use]
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.sets().any(|voters| voters.contains(id))
    }

    /// Everybody who has a vote, in either set; each once, ascending.
    pub fn everyone(&self) -> impl Iterator<Item = ServerId> {
        let all: BTreeSet<ServerId> = self.sets().flat_map(Voters::ids).collect();
        all.into_iter()
    }

    /// True if this is a voter, in the life that counts.
    #[must_use]
    pub fn counts(&self, member: Member) -> bool {
        let registered = self.registered.get(&member.id);
        self.is_voter(member.id) && registered.is_none_or(|life| *life == member.incarnation)
    }

    fn sets(&self) -> impl Iterator<Item = &Voters> {
        core::iter::once(&self.voters).chain(&self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(voters: &[u64], next: Option<&[u64]>) -> Config {
        let ids = |ids: &[u64]| Voters::majority(ids.iter().copied().map(ServerId));
        Config { voters: ids(voters), next: next.map(ids), registered: BTreeMap::new() }
    }

    /// Voters, next voters, who agrees: is it a quorum?
    #[test]
    fn a_quorum_is_a_majority_of_each_set() {
        for (voters, next, agree, quorum) in [
            (&[1][..], None, &[1][..], true),
            (&[1], None, &[2], false),
            (&[1, 2, 3], None, &[1, 3], true),
            (&[1, 2, 3, 4], None, &[1, 3], false),
            (&[1, 2, 3], Some(&[3, 4, 5][..]), &[1, 2], false),
            (&[1, 2, 3], Some(&[3, 4, 5]), &[2, 3, 4], true),
        ] {
            let config = config(voters, next);
            assert_eq!(
                config.is_quorum(|id| agree.contains(&id.0)),
                quorum,
                "{config:?} {agree:?}"
            );
        }
    }

    /// What a quorum has reached is the greatest zxid that a quorum agrees to have reached.
    #[test]
    fn reached_is_the_greatest_with_a_quorum() {
        let positions = [0, 7, 3, 9, 3, 5].map(Zxid);
        for (voters, next) in
            [(&[1, 2, 3][..], None), (&[1, 2, 3, 4, 5], None), (&[1, 2, 3], Some(&[3, 4, 5][..]))]
        {
            let config = config(voters, next);
            let position = |id: ServerId| positions[id.0 as usize];
            let slow = (0..=9).map(Zxid).rev().find(|z| config.is_quorum(|id| position(id) >= *z));
            assert_eq!(Some(config.reached(position)), slow, "{config:?}");
        }
    }

    #[test]
    fn a_voter_counts_in_its_registered_life_only() {
        let mut config = config(&[1, 2], None);
        let member = |id, life| Member { id: ServerId(id), incarnation: Incarnation(life) };
        assert!(config.counts(member(1, 7)), "nobody is registered");
        config.registered.insert(ServerId(1), Incarnation(8));
        assert!(!config.counts(member(1, 7)) && config.counts(member(1, 8)));
        assert!(config.counts(member(2, 7)) && !config.counts(member(3, 7)));
    }
}

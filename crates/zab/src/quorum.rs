//! Who decides: sets of voters, and when enough of them agree.
//!
//! While an ensemble changes its members two sets count, and nothing is agreed that is not agreed
//! in both; so a [`Config`] has room for the next set from the start.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use zooid_ids::{ServerId, Zxid};

/// The voters, and while they are being changed those to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The set that is in force.
    pub voters: BTreeSet<ServerId>,
    /// The set that takes over; both must agree until it does.
    pub next: Option<BTreeSet<ServerId>>,
}

impl Config {
    /// A config with these voters and no change under way.
    ///
    /// # Panics
    /// If there are none: nobody could ever decide.
    #[must_use]
    pub fn of(voters: impl IntoIterator<Item = ServerId>) -> Self {
        let voters: BTreeSet<_> = voters.into_iter().collect();
        assert!(!voters.is_empty(), "a config without voters");
        Self { voters, next: None }
    }

    /// True if nobody else has a vote.
    #[must_use]
    pub fn is_sole_voter(&self, id: ServerId) -> bool {
        self.sets().all(|voters| voters.len() == 1 && voters.contains(&id))
    }

    /// True if those who agree are a majority in every set that counts.
    pub fn is_quorum(&self, agrees: impl Fn(ServerId) -> bool) -> bool {
        self.sets()
            .all(|voters| 2 * voters.iter().filter(|voter| agrees(**voter)).count() > voters.len())
    }

    /// The greatest zxid that a majority of every set has reached.
    pub fn reached(&self, position: impl Fn(ServerId) -> Zxid) -> Zxid {
        let of_set = |voters: &BTreeSet<ServerId>| {
            let mut positions: Vec<Zxid> = voters.iter().map(|voter| position(*voter)).collect();
            positions.sort_unstable();
            positions[(positions.len() - 1) / 2]
        };
        self.sets().map(of_set).min().unwrap_or(Zxid::ZERO)
    }

    /// True if `id` has a vote, in the set in force or the one to come.
    #[must_use]
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.sets().any(|voters| voters.contains(&id))
    }

    /// Everybody who has a vote, in either set; each once, ascending.
    pub fn everyone(&self) -> impl Iterator<Item = ServerId> {
        let all: BTreeSet<ServerId> = self.sets().flatten().copied().collect();
        all.into_iter()
    }

    fn sets(&self) -> impl Iterator<Item = &BTreeSet<ServerId>> {
        core::iter::once(&self.voters).chain(&self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u64]) -> BTreeSet<ServerId> {
        ids.iter().copied().map(ServerId).collect()
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
            let config = Config { voters: ids(voters), next: next.map(ids) };
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
            let config = Config { voters: ids(voters), next: next.map(ids) };
            let position = |id: ServerId| positions[id.0 as usize];
            let slow = (0..=9).map(Zxid).rev().find(|z| config.is_quorum(|id| position(id) >= *z));
            assert_eq!(Some(config.reached(position)), slow, "{config:?}");
        }
    }
}

//! Who decides, and which lives of them.
//!
//! While an ensemble changes its members two sets of voters count, and nothing is agreed that is
//! not agreed in both; so a [`Config`] has room for the next set from the start.
//!
//! A config is an entry of the log, and counts on a server from the moment it stands in its log,
//! committed or not. That is safe as long as a quorum of the one before and a quorum of the one
//! after always have a server in common, and no second change begins before the first is committed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use zooid_ids::{Incarnation, ServerId, Zxid};

use crate::Member;
use crate::quorum::Voters;

/// The voters, while they are being changed those to come, and the lives that count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The set that is in force.
    pub voters: Voters,
    /// The set that takes over; both must agree until it does.
    pub next: Option<Voters>,
    /// The life of the data directory with which a voter counts: none while one that was lost is
    /// being replaced. A voter that is not here counts with any, until it comes.
    pub registered: BTreeMap<ServerId, Option<Incarnation>>,
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
        self.is_voter(member.id) && registered.is_none_or(|life| *life == Some(member.incarnation))
    }

    fn sets(&self) -> impl Iterator<Item = &Voters> {
        core::iter::once(&self.voters).chain(&self.next)
    }
}

/// The configs of one server's log, each with the entry that holds it, ascending. The first counts
/// for everything before the second; a log is never cut before it.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Configs(Vec<(Zxid, Config)>);

impl Configs {
    /// Those of the log, or, as long as it holds none, the one that servers are told at their start.
    pub(crate) fn new(told: Config, of_log: &[(Zxid, Config)]) -> Self {
        let mut configs = Self(alloc::vec![(Zxid::ZERO, told)]);
        of_log.iter().for_each(|(zxid, config)| configs.push(*zxid, config));
        configs
    }

    pub(crate) fn in_force(&self) -> &Config {
        &self.last().1
    }

    /// The entry that holds the one in force.
    pub(crate) fn since(&self) -> Zxid {
        self.last().0
    }

    /// The entry from which on this member counts; the very beginning if it does not.
    pub(crate) fn counts_since(&self, member: Member) -> Zxid {
        let counting = self.0.iter().rev().take_while(|(_, config)| config.counts(member));
        counting.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid)
    }

    pub(crate) fn push(&mut self, zxid: Zxid, config: &Config) {
        assert!(zxid >= self.since(), "a config at {zxid} behind one at {}", self.since());
        self.0.push((zxid, config.clone()));
    }

    /// The log ends here now.
    pub(crate) fn truncate(&mut self, to: Zxid) {
        let kept = self.0.partition_point(|(zxid, _)| *zxid <= to).max(1);
        self.0.truncate(kept);
    }

    /// Nothing up to here is ever cut any more.
    pub(crate) fn settle(&mut self, committed: Zxid) {
        let settled = self.0.partition_point(|(zxid, _)| *zxid <= committed);
        self.0.drain(..settled.saturating_sub(1));
    }

    fn last(&self) -> &(Zxid, Config) {
        self.0.last().expect("there is a first")
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
        config.registered.insert(ServerId(1), Some(Incarnation(8)));
        assert!(!config.counts(member(1, 7)) && config.counts(member(1, 8)));
        config.registered.insert(ServerId(1), None);
        assert!(!config.counts(member(1, 7)) && !config.counts(member(1, 8)));
        assert!(config.counts(member(2, 7)) && !config.counts(member(3, 7)));
    }

    #[test]
    fn a_cut_takes_configs_back() {
        let [one, two, three] = [1, 2, 3].map(|id| config(&[id], None));
        let mut configs = Configs::new(one.clone(), &[(Zxid(5), two.clone())]);
        configs.push(Zxid(9), &three);
        assert_eq!((configs.in_force(), configs.since()), (&three, Zxid(9)));
        configs.truncate(Zxid(8));
        assert_eq!((configs.in_force(), configs.since()), (&two, Zxid(5)));
        configs.settle(Zxid(7));
        configs.truncate(Zxid(5));
        assert_eq!(configs.in_force(), &two);
        configs.truncate(Zxid(0));
        assert_eq!(configs.in_force(), &two, "what is settled stays");
    }
}

//! What the znodes and sessions of a state add up to.

use std::collections::BTreeMap;

use zooid_ids::Zxid;
use zooid_storage::Acknowledged;
use zooid_tree::{Record, Tree};

/// How many of the biggest are named.
const NAMED: usize = 5;

/// A state that a start would serve.
pub(super) struct State {
    pub(super) zxid: Zxid,
    pub(super) digest: u64,
    pub(super) znodes: usize,
    pub(super) ephemerals: usize,
    pub(super) sessions: usize,
    pub(super) data_bytes: u64,
    /// Path and bytes of data, the biggest first.
    pub(super) biggest: Vec<(String, u64)>,
    /// The same of what lies below a path and at it, with its znodes; `/` is not named.
    pub(super) biggest_subtrees: Vec<(String, Sum)>,
    /// Why this server has no vote, if it has none.
    pub(super) suspect: Option<String>,
    /// What other members had acknowledged, as far as this one recorded it.
    pub(super) acknowledged: Vec<Acknowledged>,
}

/// Several znodes together.
#[derive(Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) znodes: u64,
    pub(super) bytes: u64,
}

impl State {
    pub(super) fn of(
        tree: &Tree,
        suspect: Option<String>,
        acknowledged: Vec<Acknowledged>,
    ) -> Self {
        let (mut biggest, mut subtrees) = (Vec::new(), BTreeMap::<String, Sum>::new());
        let mut data_bytes = 0;
        for record in tree.znodes() {
            let Record::Znode { path, data, .. } = record else { continue };
            let bytes = data.map_or(0, |data| data.len() as u64);
            data_bytes += bytes;
            for above in subtrees_of(&path) {
                let sum = subtrees.entry(above.to_owned()).or_default();
                sum.znodes += 1;
                sum.bytes += bytes;
            }
            biggest.push((path.to_string(), bytes));
            if biggest.len() > 1000 {
                keep_biggest(&mut biggest, |bytes| *bytes);
            }
        }
        keep_biggest(&mut biggest, |bytes| *bytes);
        let mut biggest_subtrees: Vec<_> = subtrees.into_iter().collect();
        keep_biggest(&mut biggest_subtrees, |sum| sum.bytes);
        Self {
            zxid: tree.zxid(),
            digest: tree.digest(),
            znodes: tree.node_count(),
            ephemerals: tree.ephemerals_count(),
            sessions: tree.sessions().len(),
            data_bytes,
            biggest,
            biggest_subtrees,
            suspect,
            acknowledged,
        }
    }
}

/// The path's first three levels: deeper ones would be as many as there are znodes.
fn subtrees_of(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').skip(1).map(|(at, _)| at).chain([path.len()]);
    ends.take(3).filter(|end| *end > 1).map(|end| &path[..end])
}

fn keep_biggest<T>(named: &mut Vec<(String, T)>, bytes: impl Fn(&T) -> u64) {
    named.sort_by(|one, other| {
        bytes(&other.1).cmp(&bytes(&one.1)).then_with(|| one.0.cmp(&other.0))
    });
    named.truncate(NAMED);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_znode_counts_at_its_first_levels() {
        let of = |path| subtrees_of(path).collect::<Vec<_>>();
        assert_eq!(of("/"), [""; 0]);
        assert_eq!(of("/a"), ["/a"]);
        assert_eq!(of("/a/b"), ["/a", "/a/b"]);
        assert_eq!(of("/a/b/c/d"), ["/a", "/a/b", "/a/b/c"]);
    }
}

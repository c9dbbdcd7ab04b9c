//! **Versions.** Of one node (one `czxid`) a later `mzxid` has a greater version, the same `mzxid`
//! the same version and data; and so for `pzxid` and `cversion`. Counting goes on with the smallest
//! number after the largest.
//!
//! Source: versions and compare-and-set. This asks neither the log nor the tree, only what clients
//! were shown, so that it would find an error that the server and the replay have in common.

use std::collections::BTreeMap;

use bytes::Bytes;
use zooid_ids::Zxid;
use zooid_model::{Read, ReadResult, Reply, Request, Stat, WriteOp};

use crate::operation::{Observed, Operation};
use crate::violation::{Guarantee, Violation};

/// The server sets it, and its version counts nothing.
const CONFIG: &str = "/zookeeper/config";

/// What a client was shown of a node.
struct Sight<'a> {
    stat: &'a Stat,
    /// `None` where the data was not shown.
    data: Option<Option<&'a Bytes>>,
    by: &'a Operation<'a>,
}

pub(crate) fn check(observed: &[Observed<'_>]) -> Vec<Violation> {
    let mut nodes: BTreeMap<(&str, Zxid), Vec<Sight<'_>>> = BTreeMap::new();
    for operation in observed.iter().flat_map(|one| &one.operations) {
        for (path, sight) in sights(operation) {
            nodes.entry((path, sight.stat.czxid)).or_default().push(sight);
        }
    }
    nodes.into_values().flat_map(check_node).collect()
}

fn check_node(mut sights: Vec<Sight<'_>>) -> Vec<Violation> {
    sights.sort_by_key(|sight| sight.stat.mzxid);
    let mut violations = Vec::new();
    for pair in sights.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        if !counts_up([a.stat.mzxid, b.stat.mzxid], [a.stat.version, b.stat.version]) {
            violations.push(violation("versions of data that do not count up", a, b));
        }
        let shown = a.data.zip(b.data).filter(|_| a.stat.mzxid == b.stat.mzxid);
        if shown.is_some_and(|(a, b)| a != b) {
            violations.push(violation("two kinds of data in one version", a, b));
        }
    }
    sights.sort_by_key(|sight| sight.stat.pzxid);
    violations.extend(sights.windows(2).filter_map(|pair| {
        let (a, b) = (&pair[0], &pair[1]);
        let counted = counts_up([a.stat.pzxid, b.stat.pzxid], [a.stat.cversion, b.stat.cversion]);
        (!counted).then(|| violation("versions of children that do not count up", a, b))
    }));
    violations
}

fn counts_up(zxids: [Zxid; 2], versions: [i32; 2]) -> bool {
    let ahead = versions[1].wrapping_sub(versions[0]);
    if zxids[0] == zxids[1] { ahead == 0 } else { ahead > 0 }
}

/// What an answer shows; not the parts of a multi, which show states in the midst of it.
fn sights<'a>(by: &'a Operation<'a>) -> Vec<(&'a str, Sight<'a>)> {
    let Some((_, reply)) = by.success() else { return Vec::new() };
    let seen = match (&by.asked.request, reply) {
        (Request::Read(Read::MultiRead(reads)), Reply::MultiRead(results)) => {
            let parts = reads.iter().zip(results);
            parts.filter_map(|(read, result)| sight_of_part(read, result, by)).collect()
        }
        (Request::Read(read), reply) => sight_of_read(read, reply, by).into_iter().collect(),
        (Request::Write(op), reply) => sight_of_write(op, reply, by).into_iter().collect(),
        _ => Vec::new(),
    };
    seen.into_iter().filter(|(path, _)| *path != CONFIG).collect()
}

fn sight_of_read<'a>(
    read: &'a Read,
    reply: &'a Reply,
    by: &'a Operation<'a>,
) -> Option<(&'a str, Sight<'a>)> {
    match (read, reply) {
        (Read::GetData { path, .. }, Reply::Data { data, stat }) => {
            Some((path, Sight { stat, data: Some(data.as_ref()), by }))
        }
        (Read::Exists { path, .. }, Reply::Stat(stat))
        | (Read::GetAcl { path }, Reply::Acl { stat, .. })
        | (Read::GetChildren2 { path, .. }, Reply::ChildrenStat { stat, .. }) => {
            Some((path, Sight { stat, data: None, by }))
        }
        _ => None,
    }
}

fn sight_of_part<'a>(
    read: &'a Read,
    result: &'a ReadResult,
    by: &'a Operation<'a>,
) -> Option<(&'a str, Sight<'a>)> {
    match (read, result) {
        (Read::GetData { path, .. }, ReadResult::Data { data, stat }) => {
            Some((path, Sight { stat, data: Some(data.as_ref()), by }))
        }
        _ => None,
    }
}

fn sight_of_write<'a>(
    op: &'a WriteOp,
    reply: &'a Reply,
    by: &'a Operation<'a>,
) -> Option<(&'a str, Sight<'a>)> {
    match (op, reply) {
        (WriteOp::SetData { path, data, .. }, Reply::Stat(stat)) => {
            Some((path, Sight { stat, data: Some(data.as_ref()), by }))
        }
        (WriteOp::SetAcl { path, .. }, Reply::Stat(stat))
        | (WriteOp::Create(_), Reply::PathStat { path, stat }) => {
            Some((path, Sight { stat, data: None, by }))
        }
        _ => None,
    }
}

fn violation(what: &str, a: &Sight<'_>, b: &Sight<'_>) -> Violation {
    Violation::new(Guarantee::Versions, what).with(a.by).with(b.by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Story, assert_broken, assert_kept};
    use crate::history::{History, Told};

    fn story() -> History {
        let mut story = Story::new();
        story.connect(1);
        story.connect(2);
        story.write(1, Story::create("/a"));
        story.read(2, Story::get("/a", false));
        story.write(1, Story::set("/a", "x"));
        story.read(2, Story::get("/a", false));
        story.write(1, Story::create("/a/b"));
        story.read(2, Story::get("/a", false));
        story.history()
    }

    fn shown(history: &mut History, at: usize) -> (&mut Option<Bytes>, &mut Stat) {
        match &mut history.conversations[1].told[at] {
            Told::Reply { result: Ok(Reply::Data { data, stat }), .. } => (data, stat),
            other => panic!("no data: {other:?}"),
        }
    }

    #[test]
    fn versions_that_count_up() {
        assert_kept(&story());
    }

    #[test]
    fn a_version_that_goes_back() {
        let mut history = story();
        shown(&mut history, 0).1.version = 5;
        assert_broken(&history, Guarantee::Versions);
    }

    #[test]
    fn one_version_with_two_kinds_of_data() {
        let mut history = story();
        *shown(&mut history, 1).0 = Some("y".into());
        assert_broken(&history, Guarantee::Versions);
    }

    #[test]
    fn children_that_count_down() {
        let mut history = story();
        shown(&mut history, 2).1.cversion = 0;
        assert_broken(&history, Guarantee::Versions);
    }
}

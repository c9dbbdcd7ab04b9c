//! Runs of records, as the real checkpoints have them: a base and what changed since.

use std::collections::BTreeMap;

use zooid_ids::{ClusterId, Incarnation, Millis, SessionId, Zxid};
use zooid_storage::{LogPosition, RunHeader, RunInManifest, RunKind, RunSummary};
use zooid_tree::{HandOver, Record, Tree};

/// What a record is about; parents come before their children.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Znode(Box<str>),
    Session(SessionId),
    Formation,
    Voters,
}

impl Key {
    fn of(record: &Record) -> Self {
        match record {
            Record::Znode { path, .. } | Record::ZnodeGone { path } => Self::Znode(path.clone()),
            Record::Session { id, .. } | Record::SessionGone { id } => Self::Session(*id),
            Record::Formation(_) => Self::Formation,
            Record::Voters(_) => Self::Voters,
        }
    }
}

/// One run file.
#[derive(Clone, Debug)]
pub(crate) struct RunFile {
    pub(crate) summary: RunSummary,
    records: BTreeMap<Key, Record>,
}

/// Whose runs these are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Author {
    pub(crate) cluster: ClusterId,
    pub(crate) incarnation: Incarnation,
}

impl RunFile {
    /// A run of what was harvested; a base if there is nothing before it.
    pub(crate) fn new(
        records: Vec<Record>,
        (position, hand_over): (LogPosition, HandOver),
        parent: Option<Zxid>,
        author: Author,
    ) -> Self {
        let kind = if parent.is_some() { RunKind::Delta } else { RunKind::Base };
        let records: BTreeMap<Key, Record> = records
            .into_iter()
            .filter(|record| parent.is_some() || !is_tombstone(record))
            .map(|record| (Key::of(&record), record))
            .collect();
        let header = RunHeader {
            kind,
            position,
            parent: parent.unwrap_or(Zxid::ZERO),
            digest: hand_over.digest,
            created: Millis(0),
            cluster: author.cluster,
            incarnation: author.incarnation,
        };
        Self { summary: summary(header, &records), records }
    }

    /// These runs as one, oldest first.
    pub(crate) fn merged(runs: &[&Self], author: Author) -> Self {
        let newest = runs.last().expect("there is something to merge").summary.header;
        let header = RunHeader {
            kind: RunKind::Base,
            parent: Zxid::ZERO,
            cluster: author.cluster,
            incarnation: author.incarnation,
            ..newest
        };
        let mut records = BTreeMap::new();
        for run in runs {
            records.extend(run.records.iter().map(|(key, record)| (key.clone(), record.clone())));
        }
        records.retain(|_, record| !is_tombstone(record));
        Self { summary: summary(header, &records), records }
    }

    pub(crate) fn position(&self) -> LogPosition {
        self.summary.header.position
    }

    /// As a manifest names it. A run that came from elsewhere has its checksum in its name.
    pub(crate) fn in_manifest(&self, received: bool) -> RunInManifest {
        let RunSummary { header, records, bytes, checksum, .. } = self.summary;
        let RunHeader { kind, position, digest, .. } = header;
        RunInManifest { kind, position, digest, records, bytes, checksum, received }
    }
}

/// The tree that these runs lead to, oldest first; an empty one where there are none.
pub(crate) fn restore(runs: &[&RunFile]) -> Tree {
    let Some(newest) = runs.last() else { return Tree::new() };
    let header = newest.summary.header;
    let author = Author { cluster: header.cluster, incarnation: header.incarnation };
    let merged = RunFile::merged(runs, author);
    let tree = Tree::restore(header.position.zxid, merged.records.into_values())
        .unwrap_or_else(|error| panic!("a checkpoint is no tree: {error}"));
    assert_eq!(tree.digest(), header.digest, "a checkpoint holds another state than was written");
    tree
}

fn is_tombstone(record: &Record) -> bool {
    matches!(record, Record::ZnodeGone { .. } | Record::SessionGone { .. })
}

/// The checksum only has to differ where the content may.
fn summary(header: RunHeader, records: &BTreeMap<Key, Record>) -> RunSummary {
    let tombstones = records.values().filter(|record| is_tombstone(record)).count() as u64;
    let records = records.len() as u64;
    let mixed = header.position.zxid.0 ^ (header.incarnation.0 as u64) ^ records;
    let checksum = (mixed ^ (mixed >> 32)) as u32 ^ u32::from(header.kind == RunKind::Base);
    RunSummary { header, records, tombstones, blocks: 1, bytes: 100 * records, checksum }
}

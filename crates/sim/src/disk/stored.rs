//! What is on a disk, and what a start finds there: plain data for the real recovery function.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use zooid_ids::{ClusterId, LogIndex, Millis, ServerId, Zxid};
use zooid_node::contract::entry::{read_config, write_body};
use zooid_storage::{
    AboveCheckpoint, Chain, FilesFound, Found, Identity, LedgerFound, LogFound, LogPosition,
    Manifest, Promise, Recovered, Recovery, RunFound, Slot, Tear, WitnessFound, WitnessRecord,
    recover,
};
use zooid_tree::Tree;
use zooid_zab::{Body, Config, Entry, EpochEnds, Member};

use super::checkpoint::{Author, RunFile, restore};

/// Runs that are merged into one.
const RUNS: usize = 4;

/// One entry where it stands in the log.
#[derive(Clone, Debug)]
struct Kept {
    position: LogPosition,
    entry: Entry,
}

/// What is there after the process has ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) identity: Option<Identity>,
    pub(crate) promise: Promise,
    log: Vec<Kept>,
    /// A mark stands behind the last entry; where there is no entry, behind this.
    mark: Option<LogPosition>,
    /// The witness's two places.
    pub(crate) slots: [Option<Slot>; 2],
    pub(crate) manifest: Manifest,
    pub(crate) runs: BTreeMap<String, RunFile>,
    /// What other members had.
    pub(crate) acknowledged: Vec<(Member, Zxid)>,
    /// Data was set aside here, and the others have not taken the server in again.
    pub(crate) suspect: bool,
    /// The last write of the log's files was cut in the middle.
    pub(crate) torn: bool,
    /// The power went while the ledger was written.
    pub(crate) ledger_broken: bool,
}

/// What a server goes on with.
pub(crate) struct Start {
    pub(crate) tree: Tree,
    pub(crate) recovered: zooid_zab::Recovered,
    pub(crate) member: Member,
    pub(crate) cluster: ClusterId,
}

impl Stored {
    /// An empty disk of a server whose data was set aside.
    pub(crate) fn set_aside() -> Self {
        Self { suspect: true, ..Self::default() }
    }

    /// The end of the log.
    pub(crate) fn last(&self) -> LogPosition {
        self.log.last().map_or(self.base(), |kept| kept.position)
    }

    fn base(&self) -> LogPosition {
        self.mark.unwrap_or_else(|| self.manifest.position())
    }

    /// The entries above the checkpoint and those kept behind it.
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.log.iter().map(|kept| &kept.entry)
    }

    /// The entries in `(after, through]`; `None` if the log does not hold them all any more.
    pub(crate) fn within(&self, after: Zxid, through: Zxid) -> Option<Vec<Entry>> {
        let within = |entry: &&Entry| entry.zxid > after && entry.zxid <= through;
        let entries: Vec<Entry> = self.entries().filter(within).cloned().collect();
        let ends = (entries.first()?.prev_zxid, entries.last()?.zxid);
        (ends == (after, through)).then_some(entries)
    }

    pub(crate) fn position(&self, zxid: Zxid) -> Option<LogPosition> {
        let at = self.log.binary_search_by_key(&zxid, |kept| kept.position.zxid).ok()?;
        Some(self.log[at].position)
    }

    pub(crate) fn append(&mut self, entry: Entry) {
        let last = self.last();
        assert_eq!(entry.prev_zxid, last.zxid, "an entry that does not continue the log");
        let position = LogPosition {
            index: last.index.next(),
            zxid: entry.zxid,
            chain: chain_after(last.chain, &entry),
        };
        self.log.push(Kept { position, entry });
        self.mark = None;
    }

    pub(crate) fn truncate(&mut self, to: LogPosition) {
        let checkpoint = self.manifest.position();
        assert!(to.zxid >= checkpoint.zxid, "a cut at {to}, below the checkpoint {checkpoint}");
        self.log.retain(|kept| kept.position.index <= to.index);
        self.mark = Some(to);
    }

    /// Everything before the checkpoint goes but so many entries; one always stays.
    pub(crate) fn compact(&mut self, checkpoint: LogPosition, keep: u64) -> Zxid {
        let first = LogIndex(checkpoint.index.0.saturating_sub(keep)).next().min(checkpoint.index);
        self.log.retain(|kept| kept.position.index >= first);
        self.before_first()
    }

    pub(crate) fn before_first(&self) -> Zxid {
        self.log.first().map_or(self.base().zxid, |kept| kept.entry.prev_zxid)
    }

    /// Every entry goes, and the next one follows the checkpoint.
    pub(crate) fn begin_anew(&mut self) {
        self.log.clear();
        self.mark = Some(self.manifest.position());
    }

    /// The disk loses the end of its log though it was synced, as a flipped bit makes raft-engine do.
    pub(crate) fn lose(&mut self, entries: usize) {
        let left = self.log.len().saturating_sub(entries).max(1);
        self.log.truncate(left);
    }

    /// The checkpoint's runs, oldest first.
    pub(crate) fn checkpoint(&self) -> Vec<&RunFile> {
        let named = self.manifest.runs.iter();
        named.map(|run| &self.runs[&run.file_name()]).collect()
    }

    pub(crate) fn publish(&mut self, run: RunFile) {
        let named = run.in_manifest(false);
        self.runs.insert(named.file_name(), run);
        self.manifest.runs.push(named);
        if self.manifest.runs.len() >= RUNS {
            let merged = RunFile::merged(&self.checkpoint(), self.author());
            self.name(vec![merged], false);
        }
    }

    /// From now on these runs are the checkpoint, and no other files are left.
    pub(crate) fn name(&mut self, runs: Vec<RunFile>, received: bool) {
        let named: Vec<_> = runs.iter().map(|run| run.in_manifest(received)).collect();
        let names = named.iter().map(zooid_storage::RunInManifest::file_name);
        self.runs = names.zip(runs).collect();
        self.manifest.runs = named;
    }

    pub(crate) fn author(&self) -> Author {
        let identity = self.identity.expect("only who has an identity writes");
        Author { cluster: identity.cluster, incarnation: identity.incarnation }
    }

    pub(crate) fn newest_witness(&self) -> Option<WitnessRecord> {
        let records = self.slots.iter().flatten().filter_map(|slot| match slot {
            Slot::Record(record) => Some(*record),
            Slot::Blank | Slot::Damaged => None,
        });
        records.max_by_key(|record| record.sequence)
    }

    /// Recovers, by the real function, and repairs what it says is to be repaired. `fresh` is whose
    /// disk it becomes if it was never used. Gives what is suspect as an error.
    pub(crate) fn start(&mut self, fresh: Identity) -> Result<Start, String> {
        let recovery = recover(&self.found(fresh.server));
        let said = recovery.to_string();
        let recovered = match recovery {
            Recovery::Fresh => self.begin(fresh, Promise::default()),
            Recovery::Forming { promise } => {
                let identity = self.identity.unwrap_or(fresh);
                self.begin(identity, promise)
            }
            Recovery::Sound(recovered) | Recovery::TornTail { recovered, .. } => recovered,
            Recovery::Suspect(_) => return Err(said),
            Recovery::Refused(_) => panic!("nobody swapped disks: {said}"),
        };
        Ok(self.go_on(recovered))
    }

    /// True if a start would take what is here for what it was.
    pub(crate) fn is_sound(&self, server: ServerId) -> bool {
        !matches!(recover(&self.found(server)), Recovery::Suspect(_))
    }

    fn begin(&mut self, identity: Identity, promise: Promise) -> Recovered {
        self.identity = Some(identity);
        let manifest = Manifest::default();
        Recovered { identity, manifest, last: LogPosition::START, promise, ledger_rebuilt: None }
    }

    fn go_on(&mut self, recovered: Recovered) -> Start {
        let Recovered { identity, manifest, last, promise, .. } = recovered;
        let installing = manifest.installing;
        (self.torn, self.ledger_broken) = (false, false);
        (self.identity, self.promise, self.manifest) = (Some(identity), promise, manifest);
        if installing {
            self.begin_anew();
            self.manifest.installing = false;
        }
        let named: Vec<String> = self.manifest.runs.iter().map(|run| run.file_name()).collect();
        self.runs.retain(|name, _| named.contains(name));
        assert_eq!(self.last(), last, "recovery found another end of the log");
        let Identity { cluster, server: id, incarnation, .. } = identity;
        let tree = restore(&self.checkpoint());
        Start {
            recovered: self.for_agreement(&tree),
            tree,
            member: Member { id, incarnation },
            cluster,
        }
    }

    fn for_agreement(&self, tree: &Tree) -> zooid_zab::Recovered {
        let Promise { epoch, server: id, incarnation } = self.promise;
        zooid_zab::Recovered {
            last: self.last().zxid,
            last_time: self.log.last().map_or(Millis(0), |kept| kept.entry.time),
            committed: tree.zxid(),
            promise: zooid_zab::Promise { epoch, to: Member { id, incarnation } },
            ends: EpochEnds::new(self.before_first(), self.entries().map(|entry| entry.zxid)),
            configs: self.configs(tree),
            suspect: self.suspect,
        }
    }

    fn configs(&self, tree: &Tree) -> Vec<(Zxid, Config)> {
        let of_tree = tree.voters().map(|voters| {
            (tree.zxid(), read_config(voters.clone()).expect("a checkpoint says who votes"))
        });
        let above = self.entries().filter(|entry| entry.zxid > tree.zxid());
        let of_log = above.filter_map(|entry| match &entry.body {
            Body::EpochStart(config) | Body::Config(config) => Some((entry.zxid, config.clone())),
            Body::Command(_) => None,
        });
        of_tree.into_iter().chain(of_log).collect()
    }

    fn found(&self, server: ServerId) -> Found {
        let unused = self.identity.is_none();
        let manifest = self.manifest.clone();
        let ledger = match self.identity {
            None => LedgerFound::Empty,
            Some(_) if self.ledger_broken => {
                LedgerFound::Unreadable { why: "torn".into(), moved_to: PathBuf::from("aside") }
            }
            Some(identity) => LedgerFound::Read { identity, manifest },
        };
        let runs = self.runs.iter();
        let runs = runs.map(|(file, run)| RunFound { file: file.clone(), read: Ok(run.summary) });
        let mut found = Found {
            server,
            data_dir: PathBuf::from("data"),
            log_dir: PathBuf::from("log"),
            witness: WitnessFound::Slots(self.slots.map(|slot| slot.unwrap_or(Slot::Blank))),
            files: if unused { FilesFound::None } else { self.files_found() },
            log: LogFound::Unopened,
            log_identity: self.identity,
            log_promise: self.identity.map(|_| self.promise),
            ledger,
            runs: runs.collect(),
        };
        if !unused {
            let manifest = found.manifest(self.end()).unwrap_or_default();
            found.log = self.log_found(manifest.position());
        }
        found
    }

    fn files_found(&self) -> FilesFound {
        if self.torn {
            FilesFound::Torn(Tear { file: PathBuf::from("log/1"), offset: 1 })
        } else {
            FilesFound::Whole
        }
    }

    /// Of the newest record, be it an entry or a mark.
    fn end(&self) -> LogIndex {
        let last = self.last().index;
        if self.mark.is_some() { last.next() } else { last }
    }

    fn log_found(&self, checkpoint: LogPosition) -> LogFound {
        if self.log.is_empty() && self.mark.is_none() {
            return LogFound::Empty;
        }
        let first = self.log.first().map_or(self.end(), |kept| kept.position.index);
        let at = |index: LogIndex| {
            let at = self.log.binary_search_by_key(&index, |kept| kept.position.index).ok()?;
            Some(self.log[at].position)
        };
        let at_witness = self.newest_witness().and_then(|record| at(record.position.index));
        let above = self.above(checkpoint, first);
        LogFound::Entries {
            first,
            end: self.end(),
            at_checkpoint: at(checkpoint.index),
            at_witness,
            above,
        }
    }

    fn above(&self, checkpoint: LogPosition, first: LogIndex) -> AboveCheckpoint {
        if checkpoint.index.next() < first {
            return AboveCheckpoint::Gap;
        }
        let mut last_good = checkpoint;
        for kept in self.log.iter().filter(|kept| kept.position.index > checkpoint.index) {
            let continues = kept.position.index == last_good.index.next()
                && kept.entry.prev_zxid == last_good.zxid
                && kept.position.chain == chain_after(last_good.chain, &kept.entry);
            if !continues {
                let why = format!("entry {} does not continue it", kept.position.index);
                return AboveCheckpoint::Broken { last_good, why };
            }
            last_good = kept.position;
        }
        AboveCheckpoint::Whole { last: last_good }
    }
}

/// A checksum over a whole history, like the real one.
fn chain_after(before: Chain, entry: &Entry) -> Chain {
    let mut hasher = DefaultHasher::new();
    let (_, payload) = write_body(&entry.body);
    (before.0, entry.zxid.0, entry.prev_zxid.0, entry.time.0, &payload[..]).hash(&mut hasher);
    Chain(hasher.finish() as u32)
}

//! Files that real ZooKeepers left, whole and damaged.
//!
//! `testdata` holds what 3.8.0 and 3.9.5 wrote, each with what a client was told of the tree in
//! `told.txt`; `tests/migration/make-testdata` makes it anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{
    Compression, LoadError, Loaded, Note, Sources, State, load, snapshot_name, write_snapshot,
};
use proptest::prelude::*;
use tempfile::TempDir;
use zooid_ids::{Epoch, Millis, Zxid};
use zooid_model::EphemeralOwner;

const FORMS: [&str; 3] = ["3.8.0", "3.9.5-gz", "3.9.5-snappy"];
/// The second snapshot and what the logs lead to.
const SECOND: Zxid = Zxid(0x18);
const LAST: Zxid = Zxid(0x30);
/// Every so many bytes are damaged, unless `ZOOID_EVERY_BYTE` is set.
const STEP: usize = 7;

fn places(length: usize) -> impl Iterator<Item = usize> {
    let step = if std::env::var_os("ZOOID_EVERY_BYTE").is_some() { 1 } else { STEP };
    (0..length).step_by(step)
}

fn testdata(form: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(form)
}

/// A copy that a test may change.
fn copy(form: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(testdata(form)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    dir
}

fn sources(data: &Path) -> Sources {
    Sources { data: data.to_path_buf(), logs: None, ignore_digest: false }
}

fn read(data: &Path) -> Result<Loaded, LoadError> {
    load(&sources(data), &mut |_| {})
}

fn whole() -> State {
    read(&testdata("3.8.0")).unwrap().state
}

/// As `told.txt` has it.
fn told(state: &State) -> String {
    let mut text = String::new();
    for (path, znode) in state.znodes() {
        let data: String = match &znode.data {
            None => "null".into(),
            Some(data) if data.is_empty() => "empty".into(),
            Some(data) => data.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let below: String = if path == "/" { "/".into() } else { format!("{path}/") };
        let is_child = |other: &str| {
            other.strip_prefix(&below).is_some_and(|name| !name.is_empty() && !name.contains('/'))
        };
        let children = state.znodes().filter(|(other, _)| is_child(other)).count() as i32;
        let stat = &znode.stat;
        let owner = if znode.is_ephemeral() { stat.ephemeral_owner } else { 0 };
        write!(
            text,
            "{path} {data} {} {} {} {} {} {} {} {owner} {} {children} {}",
            stat.czxid.wire(),
            stat.mzxid.wire(),
            stat.ctime.0,
            stat.mtime.0,
            stat.version,
            2 * stat.creates - children,
            stat.aversion,
            znode.data.as_ref().map_or(0, |data| data.len()),
            stat.pzxid.wire(),
        )
        .unwrap();
        for acl in &*znode.acl {
            write!(text, " {}:{}:{}", acl.perms.bits(), acl.id.scheme, acl.id.id).unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn what_real_zookeepers_wrote() {
    for form in FORMS {
        let loaded = read(&testdata(form)).unwrap();
        let state = &loaded.state;
        assert_eq!(
            told(state),
            fs::read_to_string(testdata(form).join("told.txt")).unwrap(),
            "{form}"
        );
        assert_eq!((state.zxid, loaded.transactions, loaded.digests), (LAST, 24, 24), "{form}");
        assert_eq!(loaded.notes, [], "{form}");
        let timeouts: Vec<Millis> = state.sessions().map(|(_, timeout)| timeout).collect();
        assert_eq!(timeouts, [Millis(100_000); 2], "{form}");
        let owner = |path: &str| state.znode(path).unwrap().stat.owner();
        assert_eq!(owner("/round1/container"), EphemeralOwner::Container);
        assert_eq!(owner("/round1/ttl"), EphemeralOwner::Ttl(Millis(1 << 39)));
        assert_eq!(state.orphan(), None);
    }
}

#[test]
fn an_older_snapshot_and_all_logs_lead_to_the_same() {
    for form in FORMS {
        let dir = copy(form);
        let newest = read(dir.path()).unwrap();
        fs::remove_file(&newest.snapshot).unwrap();
        let older = read(dir.path()).unwrap();
        assert_eq!(
            (older.transactions, older.digests),
            (48, 46),
            "{form}: the first snapshot has none"
        );
        assert_eq!(older.state, newest.state, "{form}");
    }
}

#[test]
fn one_snapshot_alone() {
    for form in FORMS {
        let newest = read(&testdata(form)).unwrap().snapshot;
        let loaded = read(&newest).unwrap();
        assert_eq!((loaded.state.zxid, loaded.digests), (SECOND, 1), "{form}");
        let dir = tempfile::tempdir().unwrap();
        fs::copy(&newest, dir.path().join(newest.file_name().unwrap())).unwrap();
        assert_eq!(read(dir.path()).unwrap().state, loaded.state, "{form}");
        assert!(matches!(loaded.notes[..], [Note::NoLogs { .. }]), "{form}");
    }
}

/// Others may have begun epochs in which nothing was written.
#[test]
fn epochs_of_elections() {
    let dir = copy("3.8.0");
    assert_eq!(read(dir.path()).unwrap().epoch, None);
    fs::write(dir.path().join("currentEpoch"), "7").unwrap();
    fs::write(dir.path().join("acceptedEpoch"), "9\n").unwrap();
    assert_eq!(read(dir.path()).unwrap().epoch, Some(Epoch(9)));
    fs::write(dir.path().join("currentEpoch"), "-1").unwrap();
    let error = read(dir.path()).unwrap_err();
    assert!(matches!(error, LoadError::Epoch { .. }), "{error}");
}

#[test]
fn logs_in_a_directory_of_their_own() {
    let (dir, logs) = (copy("3.9.5-gz"), tempfile::tempdir().unwrap());
    fs::create_dir(logs.path().join("version-2")).unwrap();
    for log in ["log.1", "log.19"] {
        fs::rename(dir.path().join(log), logs.path().join("version-2").join(log)).unwrap();
    }
    let sources = Sources { logs: Some(logs.path().to_path_buf()), ..sources(dir.path()) };
    assert_eq!(load(&sources, &mut |_| {}).unwrap().state.zxid, LAST);
}

/// Writes a snapshot of `state` as if it had been begun at `begun`.
fn write(dir: &Path, begun: Zxid, state: &State) {
    let mut bytes = Vec::new();
    write_snapshot(state, &mut bytes).unwrap();
    fs::write(dir.join(snapshot_name(begun, Compression::Plain)), bytes).unwrap();
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), LAST, &whole());
    let loaded = read(dir.path()).unwrap();
    assert_eq!(loaded.state, whole());
    assert_eq!(loaded.digests, 1);
    assert!(matches!(loaded.notes[..], [Note::NoLogs { .. }]));
}

/// Where the records of the second log end, with their zxids; first where they begin.
fn ends_of_records() -> Vec<(usize, Zxid)> {
    let log = fs::read(testdata("3.8.0").join("log.19")).unwrap();
    let mut ends = vec![(16, SECOND)];
    loop {
        let (at, zxid) = *ends.last().unwrap();
        let length =
            log[at + 8..at + 12].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        if length == 0 {
            return ends;
        }
        ends.push((at + 12 + length + 1, Zxid(zxid.0 + 1)));
    }
}

/// A snapshot that was written while transactions came in holds a part of them already.
#[test]
fn transactions_that_a_snapshot_holds_already_change_nothing() {
    let dir = copy("3.8.0");
    let log = fs::read(dir.path().join("log.19")).unwrap();
    let ends = ends_of_records();
    assert_eq!(ends.len(), 25);
    for (end, zxid) in ends {
        fs::write(dir.path().join("log.19"), &log[..end]).unwrap();
        fs::copy(testdata("3.8.0").join("snapshot.18"), dir.path().join("snapshot.18")).unwrap();
        let part = read(dir.path()).unwrap().state;
        assert_eq!(part.zxid, zxid);
        write(dir.path(), SECOND, &part);
        fs::write(dir.path().join("log.19"), &log).unwrap();
        let loaded = read(dir.path()).unwrap();
        assert_eq!(loaded.state, whole(), "with a snapshot that has all up to {zxid}");
        assert!(loaded.digests > 0);
    }
}

#[test]
fn a_snapshot_of_a_changing_tree_needs_its_log() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), SECOND, &whole());
    let error = read(dir.path()).unwrap_err();
    assert!(matches!(error, LoadError::Fuzzy { until: LAST, last: SECOND, .. }), "{error}");
    assert!(error.to_string().contains("--log-dir"), "{error}");
}

/// One bit of the newest snapshot: an older one leads to the same, or the bit meant nothing.
#[test]
fn a_damaged_snapshot_is_not_used() {
    for form in FORMS {
        let dir = copy(form);
        let newest = read(dir.path()).unwrap();
        let good = fs::read(&newest.snapshot).unwrap();
        let mut skipped = 0;
        for at in places(good.len()) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&newest.snapshot, bad).unwrap();
            let loaded = read(dir.path()).unwrap();
            assert_eq!(loaded.state, newest.state, "{form}, byte {at}");
            skipped += usize::from(matches!(loaded.notes[..], [Note::SnapshotSkipped(_)]));
        }
        assert!(
            skipped > places(good.len()).count() * 9 / 10,
            "{form}: {skipped} of {}",
            good.len()
        );
        for length in places(good.len()) {
            fs::write(&newest.snapshot, &good[..length]).unwrap();
            assert_eq!(read(dir.path()).unwrap().state, newest.state, "{form}, cut at {length}");
        }
    }
}

/// One bit of a log: it is found, unless it is in the last record or behind it.
#[test]
fn a_damaged_log_is_found() {
    let (dir, last_record) = (copy("3.8.0"), last_record());
    for (name, ends_here) in [("log.1", false), ("log.19", true)] {
        let path = dir.path().join(name);
        fs::remove_file(dir.path().join("snapshot.18"))
            .or_else(|e| if ends_here { Ok(()) } else { Err(e) })
            .unwrap();
        let good = fs::read(&path).unwrap();
        for at in places(good.len()) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, bad).unwrap();
            match read(dir.path()) {
                Err(LoadError::Log(_) | LoadError::Gap { .. }) => {}
                Err(other) => panic!("{name}, byte {at}: {other}"),
                Ok(loaded) if loaded.state == whole() => {}
                Ok(loaded) => {
                    let torn = matches!(loaded.notes[..], [Note::TornTail { .. }]);
                    assert!(ends_here && torn && at >= last_record, "{name}, byte {at}");
                    assert_eq!(loaded.state.zxid, Zxid(LAST.0 - 1));
                }
            }
        }
        fs::write(&path, good).unwrap();
    }
}

fn last_record() -> usize {
    let ends = ends_of_records();
    ends[ends.len() - 2].0
}

/// A write that was interrupted is left out, and said.
#[test]
fn a_torn_tail_is_cut() {
    let dir = copy("3.8.0");
    let path = dir.path().join("log.19");
    let good = fs::read(&path).unwrap();
    let ends = ends_of_records();
    for length in places(ends.last().unwrap().0) {
        fs::write(&path, &good[..length]).unwrap();
        let loaded = read(dir.path()).unwrap();
        let expected =
            ends.iter().rev().find(|(end, _)| *end <= length).map_or(SECOND, |end| end.1);
        assert_eq!(loaded.state.zxid, expected, "cut at {length}");
        let on_end = ends.iter().any(|(end, _)| *end == length);
        assert_eq!(loaded.notes.is_empty(), on_end, "cut at {length}: {:?}", loaded.notes);
    }
    // The same in a file that was allocated ahead.
    let mut padded = good[..last_record() + 30].to_vec();
    padded.resize(100_000, 0);
    fs::write(&path, padded).unwrap();
    assert!(matches!(read(dir.path()).unwrap().notes[..], [Note::TornTail { .. }]));
}

/// No file is missing where one goes on in itself: ZooKeeper used up a zxid for nothing, or the digest
/// tells that a transaction is missing.
#[test]
fn zxids_that_were_never_used() {
    let dir = copy("3.8.0");
    let path = dir.path().join("log.19");
    let good = fs::read(&path).unwrap();
    let (mut unused, mut differ) = (0, 0);
    for pair in ends_of_records().windows(2) {
        let [(begin, _), (end, zxid)] = [pair[0], pair[1]];
        fs::write(&path, [&good[..begin], &good[end..]].concat()).unwrap();
        match read(dir.path()) {
            Ok(loaded) if zxid == LAST => assert_eq!(loaded.state.zxid, Zxid(LAST.0 - 1)),
            // The first of a file has its zxid in the name.
            Err(LoadError::Gap { .. }) => assert_eq!(zxid, Zxid(0x19)),
            Err(LoadError::Digest { .. }) => differ += 1,
            Err(other) => panic!("without {zxid}: {other}"),
            Ok(loaded) => {
                let first = Zxid(zxid.0 + 1);
                assert!(loaded.notes.contains(&Note::Unused { count: 1, first }), "{zxid}");
                unused += 1;
            }
        }
    }
    assert!(unused >= 2 && differ >= 10, "{unused} {differ}");
}

/// Looking for a record behind damage must not take for ever.
#[test]
fn bytes_that_look_like_many_records() {
    let dir = copy("3.8.0");
    let path = dir.path().join("log.19");
    let mut bytes = fs::read(&path).unwrap()[..16].to_vec();
    let length = 1 << 18;
    for _ in 0..60_000 {
        bytes.extend([0, 0, 0, 0, b'B', b'B', b'B', b'B', 0, 4, 0, b'B']);
    }
    bytes.resize(bytes.len() + length, b'B');
    fs::write(&path, bytes).unwrap();
    let begun = std::time::Instant::now();
    assert!(matches!(read(dir.path()), Err(LoadError::Log(_))));
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn missing_files_are_gaps() {
    let dir = copy("3.8.0");
    fs::remove_file(dir.path().join("snapshot.18")).unwrap();
    fs::remove_file(dir.path().join("log.1")).unwrap();
    let error = read(dir.path()).unwrap_err();
    assert!(matches!(error, LoadError::Gap { first: Zxid(0x19), .. }), "{error}");
    fs::remove_file(dir.path().join("snapshot.0")).unwrap();
    assert!(matches!(read(dir.path()), Err(LoadError::OnlyLogs { .. })));
    fs::remove_file(dir.path().join("log.19")).unwrap();
    assert!(matches!(read(dir.path()), Err(LoadError::NoSnapshot { .. })));
    assert!(matches!(read(&dir.path().join("nowhere")), Err(LoadError::Unreadable { .. })));
}

/// The newest snapshot cannot be read, and the logs do not reach as far.
#[test]
fn an_older_snapshot_must_lead_as_far() {
    let dir = copy("3.8.0");
    fs::write(dir.path().join("snapshot.40"), "ZKSN").unwrap();
    let error = read(dir.path()).unwrap_err();
    assert!(matches!(error, LoadError::Snapshot(_)), "{error}");
    assert!(error.to_string().contains("snapshot.40, byte 4"), "{error}");
}

#[test]
fn another_tree_than_zookeepers_is_found() {
    let dir = copy("3.8.0");
    let mut state = read(&dir.path().join("snapshot.18")).unwrap().state;
    let mut znode = state.znode("/round1").unwrap().clone();
    znode.stat.version += 1;
    state.put("/round1", znode);
    write(dir.path(), SECOND, &state);
    let error = read(dir.path()).unwrap_err();
    assert!(matches!(error, LoadError::Digest { zxid: Zxid(0x19), .. }), "{error}");
    let allowed = Sources { ignore_digest: true, ..sources(dir.path()) };
    let loaded = load(&allowed, &mut |_| {}).unwrap();
    assert_eq!(loaded.notes, [Note::DigestIgnored { zxid: Zxid(0x19) }]);
}

/// Ephemerals of sessions that are not there: ZooKeeper deletes them when it starts.
#[test]
fn ephemerals_without_a_session_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = State::new(LAST);
    whole().znodes().for_each(|(path, znode)| state.put(path, znode.clone()));
    write(dir.path(), LAST, &state);
    let loaded = read(dir.path()).unwrap();
    assert_eq!(loaded.notes[1..], [Note::DeadSessions { sessions: 2, znodes: 2 }]);
    assert!(loaded.state.znode("/round2/mine").is_none());
    assert_eq!(loaded.state.znode("/round2").unwrap().stat.pzxid, LAST);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the bytes are: an answer, and no more memory than they are worth.
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400), keep in 0..1418_usize, form in 0..3_usize) {
        let dir = tempfile::tempdir().unwrap();
        let good = fs::read(testdata("3.8.0").join("snapshot.18")).unwrap();
        let name = ["snapshot.1", "snapshot.1.gz", "snapshot.1.snappy"][form];
        fs::write(dir.path().join(name), [&good[..keep], &bytes[..]].concat()).unwrap();
        prop_assert!(read(dir.path()).is_err());
        let dir = copy("3.8.0");
        let log = fs::read(dir.path().join("log.19")).unwrap();
        fs::write(dir.path().join("log.19"), [&log[..keep], &bytes[..]].concat()).unwrap();
        let read = read(dir.path());
        prop_assert!(read.is_ok() || matches!(read, Err(LoadError::Log(_))));
    }
}

//! Runs: the layout byte by byte, every kind of damage, and merging against a map.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;

use super::*;

type Records = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

fn header(kind: RunKind, zxid: u64) -> RunHeader {
    let position = LogPosition { index: LogIndex(zxid), zxid: Zxid(zxid), chain: Chain(5) };
    let parent = Zxid(if kind == RunKind::Base { 0 } else { zxid - 1 });
    RunHeader {
        kind,
        position,
        parent,
        digest: 6,
        created: Millis(7),
        cluster: ClusterId(8),
        incarnation: Incarnation(9),
    }
}

fn write(dir: &std::path::Path, header: RunHeader, records: &Records) -> RunSummary {
    let mut run = RunWriter::create(dir, header).unwrap();
    for (key, value) in records {
        run.push(key, value.as_deref()).unwrap();
    }
    run.finish().unwrap()
}

fn read(path: &std::path::Path) -> Result<Records, RunError> {
    let mut run = RunReader::open(path)?;
    let mut records = Records::new();
    while run.advance()? {
        let Record { key, value } = run.record().unwrap();
        records.insert(key.to_vec(), value.map(<[u8]>::to_vec));
    }
    Ok(records)
}

fn few() -> Records {
    [(b"a".to_vec(), Some(b"1".to_vec())), (b"b".to_vec(), None), (b"c".to_vec(), Some(vec![]))]
        .into()
}

#[test]
fn golden_file() {
    let dir = tempfile::tempdir().unwrap();
    let summary = write(dir.path(), header(RunKind::Delta, 0x1_0000_0002), &few());
    let bytes = fs::read(dir.path().join("0000000100000002.delta")).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("../../testdata/run.hex").replace('\n', ""));
    assert_eq!((summary.records, summary.tombstones, summary.blocks), (3, 1, 1));
    assert_eq!(summary.bytes, bytes.len() as u64);
}

#[test]
fn every_flipped_bit_and_every_cut_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let summary = write(dir.path(), header(RunKind::Base, 3), &few());
    let path = dir.path().join(summary.header.file_name());
    assert_eq!(RunReader::open(&path).unwrap().verify().unwrap(), summary);
    let bytes = fs::read(&path).unwrap();
    let verify = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        RunReader::open(&path).and_then(RunReader::verify)
    };
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        assert!(verify(&damaged).is_err(), "a flip at {place}");
        assert!(verify(&bytes[..place]).is_err(), "a cut at {place}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(verify(&longer).is_err());
}

#[test]
fn a_block_that_was_taken_out_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let many: Records =
        (0..3000_u32).map(|n| (n.to_be_bytes().to_vec(), Some(vec![n as u8; 100]))).collect();
    let summary = write(dir.path(), header(RunKind::Base, 3), &many);
    assert!(summary.blocks > 3);
    let path = dir.path().join(summary.header.file_name());
    let mut bytes = fs::read(&path).unwrap();
    let second = HEADER_LEN + block_len(&bytes[HEADER_LEN..]);
    let third = second + block_len(&bytes[second..]);
    bytes.drain(second..third);
    let mut shorter = summary;
    shorter.bytes = bytes.len() as u64;
    let trailer = bytes.len() - TRAILER_LEN;
    bytes[trailer..].copy_from_slice(&shorter.encode_trailer());
    fs::write(&path, bytes).unwrap();
    let error = RunReader::open(&path).unwrap().verify().unwrap_err();
    assert!(error.to_string().contains("not those that were written"), "{error}");
}

fn block_len(block: &[u8]) -> usize {
    BLOCK_HEADER_LEN + u32::from_le_bytes(*block.first_chunk().unwrap()) as usize
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let summary = write(dir.path(), header(RunKind::Base, 3), &few());
    let path = dir.path().join(summary.header.file_name());
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER_LEN..HEADER_LEN + 4].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let error = RunReader::open(&path).unwrap().verify().unwrap_err();
    assert!(error.to_string().contains("longer than the file"), "{error}");
}

#[test]
#[should_panic(expected = "keys of a run ascend")]
fn keys_that_do_not_ascend_are_a_bug() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = RunWriter::create(dir.path(), header(RunKind::Base, 3)).unwrap();
    run.push(b"b", None).unwrap();
    run.push(b"b", None).unwrap();
}

#[test]
fn an_empty_run_and_a_record_larger_than_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let empty = write(dir.path(), header(RunKind::Base, 3), &Records::new());
    assert_eq!((empty.records, empty.blocks), (0, 0));
    assert!(read(&dir.path().join(empty.header.file_name())).unwrap().is_empty());
    let large: Records = [(b"k".to_vec(), Some(vec![3; 5 * BLOCK_LEN]))].into();
    let run = write(dir.path(), header(RunKind::Base, 4), &large);
    assert_eq!(read(&dir.path().join(run.header.file_name())).unwrap(), large);
}

fn any_records() -> impl Strategy<Value = Records> {
    let key = prop::collection::vec(0..4_u8, 1..4);
    let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    prop::collection::btree_map(key, value, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_merge_is_the_newest_word_on_each_key(layers in prop::collection::vec(any_records(), 1..5)) {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = Records::new();
        let mut runs = Vec::new();
        for (layer, records) in layers.iter().enumerate() {
            let kind = if layer == 0 { RunKind::Base } else { RunKind::Delta };
            let summary = write(dir.path(), header(kind, layer as u64 + 1), records);
            let path = dir.path().join(summary.header.file_name());
            prop_assert_eq!(&read(&path).unwrap(), records);
            runs.push(RunReader::open(&path).unwrap());
            expected.extend(records.clone());
        }
        expected.retain(|_, value| value.is_some());
        let mut merge = Merge::new(runs);
        let mut merged = Vec::new();
        while let Some((key, value)) = merge.next_record().unwrap() {
            merged.push((key.to_vec(), Some(value.to_vec())));
        }
        prop_assert_eq!(merged, expected.into_iter().collect::<Vec<_>>());
    }
}

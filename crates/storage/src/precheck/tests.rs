//! Files as raft-engine writes them, made by hand and then damaged.

use super::*;

/// A file of version 2.
struct Draft {
    bytes: Vec<u8>,
    number: u32,
}

impl Draft {
    fn new(number: u32) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&2_u64.to_be_bytes());
        bytes.extend_from_slice(&0_u64.to_be_bytes());
        Self { bytes, number }
    }

    fn batch(mut self, entries: &[u8], footer: &[u8]) -> Self {
        let entries_len = if entries.is_empty() { 0 } else { entries.len() + CRC_LEN };
        let footer_at = (BATCH_HEADER + entries_len) as u64;
        let len = footer_at + (footer.len() + CRC_LEN) as u64;
        self.bytes.extend_from_slice(&(len << 8).to_be_bytes());
        self.bytes.extend_from_slice(&footer_at.to_be_bytes());
        if !entries.is_empty() {
            self.bytes.extend_from_slice(entries);
            self.bytes.extend_from_slice(&crc32fast::hash(entries).to_le_bytes());
        }
        self.bytes.extend_from_slice(footer);
        let crc = crc32fast::hash(footer) ^ self.number;
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        self
    }

    fn three(number: u32) -> Self {
        Self::new(number).batch(b"one", b"f1").batch(b"", b"keys only").batch(b"three", b"f3")
    }

    fn and(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }
}

/// What stands in a directory of these files.
fn found(files: &[(&str, &Draft)]) -> FilesFound {
    let dir = tempfile::tempdir().unwrap();
    for (name, draft) in files {
        fs::write(dir.path().join(name), &draft.bytes).unwrap();
    }
    look(dir.path())
}

fn newest(draft: &Draft) -> FilesFound {
    found(&[("0000000000000007.raftlog", draft)])
}

#[track_caller]
fn torn_at(found: &FilesFound, expected: usize) {
    let FilesFound::Torn(tear) = found else { panic!("{found:?}") };
    assert_eq!(tear.offset, expected as u64);
}

#[test]
fn whole_files() {
    assert_eq!(found(&[]), FilesFound::None);
    assert_eq!(newest(&Draft::three(7)), FilesFound::Whole);
    assert_eq!(newest(&Draft::three(7).and(&[0; 9000])), FilesFound::Whole);
}

#[test]
fn a_batch_that_is_cut_anywhere_is_torn() {
    let good = Draft::three(7);
    let whole = good.bytes.len();
    let more = Draft::three(7).batch(b"a batch that was torn", b"its footer");
    for end in whole + 1..more.bytes.len() {
        let cut = Draft { bytes: more.bytes[..end].to_vec(), number: 7 };
        match newest(&cut) {
            FilesFound::Whole => assert!(cut.bytes[whole..].iter().all(|byte| *byte == 0)),
            other => torn_at(&other, whole),
        }
        torn_at(&newest(&cut.and(b"\0\0and zeros behind\0\0")), whole);
    }
}

#[test]
fn a_last_batch_with_a_hole_in_its_entries_is_torn() {
    let before = Draft::new(7).batch(b"one", b"f1");
    let at = before.bytes.len();
    let mut torn = before.batch(&[5; 600], b"f2");
    torn.bytes[at + 100..at + 400].fill(0);
    torn_at(&newest(&torn), at);
}

#[test]
fn a_bad_byte_before_a_valid_batch_is_damage() {
    let good = Draft::three(7);
    let last = good.bytes.len() - (BATCH_HEADER + 5 + CRC_LEN + 2 + CRC_LEN);
    for place in 0..last {
        let mut damaged = Draft { bytes: good.bytes.clone(), number: 7 };
        damaged.bytes[place] ^= 0x40;
        // The alignment stands in the header and is not used: 8 bytes before the first batch.
        let unused = MAGIC.len() + 8..MAGIC.len() + 16;
        let expected = newest(&damaged);
        assert_eq!(matches!(expected, FilesFound::Damaged { .. }), !unused.contains(&place));
    }
}

#[test]
fn what_a_recycled_file_held_before_is_torn_not_damage() {
    let before = Draft::three(3);
    let recycled = Draft::new(7).batch(b"new", b"f").and(&before.bytes[5..]);
    torn_at(&newest(&recycled), Draft::new(7).batch(b"new", b"f").bytes.len());
}

#[test]
fn a_new_file_whose_header_never_arrived_is_torn() {
    let older = Draft::three(7);
    for header in [&[][..], b"RAFT", &[1, 2, 3]] {
        let new = Draft { bytes: header.to_vec(), number: 8 };
        let found =
            found(&[("0000000000000007.raftlog", &older), ("0000000000000008.raftlog", &new)]);
        if header.is_empty() {
            assert_eq!(found, FilesFound::Whole);
        } else {
            torn_at(&found, 0);
        }
    }
}

#[test]
fn an_older_file_was_closed_whole() {
    let (mut older, newer) = (Draft::three(7), Draft::three(8));
    older.bytes.pop();
    let files = [("0000000000000007.raftlog", &older), ("0000000000000008.raftlog", &newer)];
    assert!(matches!(found(&files), FilesFound::Damaged { .. }));
}

#[test]
fn what_stands_before_a_gap_is_not_replayed() {
    let (old, newer) = (Draft::new(1).and(b"anything"), Draft::three(8));
    let files = [("0000000000000001.raftlog", &old), ("0000000000000008.raftlog", &newer)];
    assert_eq!(found(&files), FilesFound::Whole);
}

#[test]
fn only_the_older_rewritten_files_must_be_whole() {
    let (good, torn) = (Draft::three(7), Draft::three(1).and(b"torn"));
    let other = Draft::three(2);
    let newest = [("0000000000000007.raftlog", &good), ("0000000000000001.rewrite", &torn)];
    assert_eq!(found(&newest), FilesFound::Whole);
    let older = [newest[0], newest[1], ("0000000000000002.rewrite", &other)];
    assert!(matches!(found(&older), FilesFound::Damaged { .. }));
}

#[test]
fn a_directory_that_cannot_be_read_is_said() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(look(&dir.path().join("none")), FilesFound::Unreadable(_)));
}

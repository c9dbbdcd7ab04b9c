//! ZooKeeper's digest of the tree, version 2.
//!
//! The digest is the sum, modulo 2^64, of one CRC-32 per node over its path (the root's is empty),
//! its data and nine fields of its stat. What lies under `/zookeeper/` does not count. Facts read
//! from ZooKeeper 3.9.5's `DigestCalculator` and `NodeHashMapImpl`.

use crc32fast::Hasher;

use crate::node::{Node, PersistedStat};

/// Where nodes do not count.
const UNCOUNTED: &str = "/zookeeper/";

/// The checksum of path and data, from which a node's digest goes on; `None` where it counts
/// for nothing.
pub(crate) fn of_path_and_data(path: &str, data: Option<&[u8]>) -> Option<u32> {
    if path.starts_with(UNCOUNTED) {
        return None;
    }
    let mut crc = Hasher::new();
    crc.update(if path == "/" { b"" } else { path.as_bytes() });
    crc.update(data.unwrap_or_default());
    Some(crc.finalize())
}

/// What a znode adds to the digest of a tree: ZooKeeper's, version 2.
#[must_use]
pub fn znode_digest(path: &str, data: Option<&[u8]>, stat: &PersistedStat) -> u64 {
    of_path_and_data(path, data).map_or(0, |start| with_stat(start, stat))
}

/// What a node adds to the digest.
pub(crate) fn of_node(node: &Node) -> u64 {
    node.checksum().map_or(0, |start| with_stat(start, &node.persisted()))
}

fn with_stat(path_and_data: u32, stat: &PersistedStat) -> u64 {
    let mut crc = Hasher::new_with_initial(path_and_data);
    crc.update(&of_stat(stat));
    crc.finalize().into()
}

fn of_stat(stat: &PersistedStat) -> [u8; 60] {
    let mut bytes = [0; 60];
    let longs =
        [stat.czxid.wire(), stat.mzxid.wire(), stat.pzxid.wire(), stat.ctime.0, stat.mtime.0];
    for (place, long) in bytes.chunks_exact_mut(8).zip(longs) {
        place.copy_from_slice(&long.to_be_bytes());
    }
    let ints = [stat.version, stat.creates, stat.aversion];
    for (place, int) in bytes[40..].chunks_exact_mut(4).zip(ints) {
        place.copy_from_slice(&int.to_be_bytes());
    }
    bytes[52..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    bytes
}

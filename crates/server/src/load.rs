//! The newest checkpoint becomes a tree again.

use zooid_ids::Zxid;
use zooid_node::contract::ContractError;
use zooid_node::contract::checkpoint::Reader;
use zooid_storage::{Checkpoint, Merge, RunError};
use zooid_tree::{Record, RestoreError, Tree};

/// Why a checkpoint is not a tree.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A run cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A record is not what the contract says.
    #[error("a record of the checkpoint cannot be read: {0}")]
    Record(#[from] ContractError),
    /// The records do not make a tree.
    #[error("the checkpoint is not a tree: {0}")]
    Restore(#[from] RestoreError),
    /// They make another tree than the one that was written.
    #[error(
        "the checkpoint at {zxid} has the digest {found:016x}, but was written with {written:016x}: \
         its runs are not of one state; restore the data directory from a backup"
    )]
    Digest {
        /// Of which state.
        zxid: Zxid,
        /// What the records make.
        found: u64,
        /// What the tree had.
        written: u64,
    },
}

/// The tree that `checkpoint` holds; an empty one where there is none.
///
/// # Errors
/// See [`LoadError`].
pub fn load(checkpoint: Option<&Checkpoint>) -> Result<Tree, LoadError> {
    let Some(checkpoint) = checkpoint else { return Ok(Tree::new()) };
    let zxid = checkpoint.position().zxid;
    let mut records =
        Records { merge: checkpoint.load()?, reader: Reader::default(), failure: None };
    let restored = Tree::restore(zxid, &mut records);
    // A record that cannot be read ends the sequence, which then may not be a tree.
    if let Some(failure) = records.failure {
        return Err(failure);
    }
    let tree = restored?;
    let (found, written) = (tree.digest(), checkpoint.digest());
    if found != written {
        return Err(LoadError::Digest { zxid, found, written });
    }
    Ok(tree)
}

/// The records of merged runs, up to the first that cannot be read.
struct Records {
    merge: Merge,
    reader: Reader,
    failure: Option<LoadError>,
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let read = match self.merge.next_record() {
            Ok(pair) => pair.map(|(key, value)| self.reader.read(key, value)),
            Err(error) => {
                self.failure = Some(error.into());
                return None;
            }
        };
        match read? {
            Ok(record) => Some(record),
            Err(error) => {
                self.failure = Some(error.into());
                None
            }
        }
    }
}

//! Checkpoints between members: the newest one for those who ask, and the leader's for this one.
//!
//! What is fetched lies in a directory of its own and counts nothing until every byte was verified
//! and the state was loaded from it; only then is the agreement asked whether it is still wanted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use zooid_ids::{ClusterId, ServerId};
use zooid_storage::{CheckpointFiles, Staged};
use zooid_transport::Mailbox;
use zooid_transport::peers::{Checkpoint, CheckpointFile, Checkpoints, Peers};
use zooid_tree::Tree;

use crate::Event;
use crate::load::load;

/// How often a leader is asked before somebody else is looked for.
const ATTEMPTS: u32 = 3;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(300);

/// A checkpoint of the leader that was verified, and the state it holds.
pub(crate) struct Fetched {
    pub(crate) staged: Staged,
    pub(crate) tree: Tree,
}

/// Gives others the newest checkpoint.
pub(crate) struct Offer(pub(crate) CheckpointFiles);

impl Checkpoints for Offer {
    fn newest(&self) -> io::Result<Checkpoint> {
        let none = || io::Error::new(io::ErrorKind::NotFound, "there is no checkpoint yet");
        let newest = self.0.newest()?.ok_or_else(none)?;
        let files = newest.runs.into_iter().map(|run| CheckpointFile {
            name: run.name,
            bytes: run.bytes,
            file: run.file,
        });
        Ok(Checkpoint { zxid: newest.position.zxid, files: files.collect() })
    }
}

/// Fetches the newest checkpoint of `from` and tells the loop what came of it. `own` is this
/// server's ensemble, if it belongs to one. Needs tokio's context.
pub(crate) fn fetch(
    peers: Arc<Peers>,
    files: CheckpointFiles,
    mailbox: Arc<Mailbox<Event>>,
    from: ServerId,
    own: Option<ClusterId>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut fetched = attempt(&peers, &files, from, own).await;
        for _ in 1..ATTEMPTS {
            if let Err(why) = &fetched {
                tracing::warn!(%from, why, "a checkpoint was not fetched");
                tokio::time::sleep(PAUSE).await;
                fetched = attempt(&peers, &files, from, own).await;
            }
        }
        let fetched = fetched.map(Box::new).inspect_err(|why| {
            tracing::error!(%from, why, "the leader's checkpoint cannot be fetched");
        });
        mailbox.put(Event::Fetched(fetched.ok()));
    })
}

async fn attempt(
    peers: &Peers,
    files: &CheckpointFiles,
    from: ServerId,
    own: Option<ClusterId>,
) -> Result<Fetched, String> {
    let staging = files.staging().map_err(|error| error.to_string())?;
    let zxid = peers.fetch(from, &staging).await.map_err(|error| error.to_string())?;
    tracing::info!(%from, %zxid, "fetched a checkpoint");
    let files = files.clone();
    let staged = spawn_blocking(move || {
        let staged = files.stage(own).map_err(|error| error.to_string())?;
        let tree = load(Some(staged.checkpoint())).map_err(|error| error.to_string())?;
        Ok(Fetched { staged, tree })
    });
    staged.await.map_err(|error| error.to_string())?
}

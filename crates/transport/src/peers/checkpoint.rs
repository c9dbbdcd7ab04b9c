//! The leader's newest checkpoint, as files, on a connection of its own.
//!
//! What the files hold is not known here; whether they are whole, who installs them finds out.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use zooid_ids::{ServerId, Zxid};

use super::Peers;
use super::connect::{Port, reach};
use super::contract::{ContractError, read_zxid};
use super::generated::quorum_client::QuorumClient;
use super::generated::{Chunk, FetchRequest, Manifest, ManifestFile, chunk};
use super::guest::Stay;
use super::hello::Ending;

const CHUNK_BYTES: usize = 1024 * 1024;

/// The longest name of a file that comes from a peer.
const NAME_BYTES: usize = 200;

/// Where checkpoints to send come from; called on a thread that may block.
pub trait Checkpoints: Send + Sync + 'static {
    /// The newest checkpoint.
    ///
    /// # Errors
    /// If there is none, or it cannot be opened.
    fn newest(&self) -> io::Result<Checkpoint>;
}

/// A checkpoint whose files are open, so that they may be deleted meanwhile.
#[derive(Debug)]
pub struct Checkpoint {
    /// The last entry that it contains.
    pub zxid: Zxid,
    /// Its files, in the order in which they are sent.
    pub files: Vec<CheckpointFile>,
}

/// One file of a checkpoint.
#[derive(Debug)]
pub struct CheckpointFile {
    /// Letters, digits, `.`, `_` and `-`, at most 200 bytes, not beginning with `.`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// To read from its start.
    pub file: File,
}

/// Why a checkpoint could not be fetched.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct FetchError(#[from] Ending);

/// Sends the newest checkpoint to `sender`, not quicker than so many bytes a second.
pub(crate) fn offer(
    peers: &Peers,
    checkpoints: &dyn Checkpoints,
    receiver: ServerId,
    sender: &mpsc::Sender<Result<Chunk, Status>>,
) -> io::Result<()> {
    let checkpoint = checkpoints.newest()?;
    let hello = chunk::Chunk::Hello(peers.hello(receiver));
    let manifest = chunk::Chunk::Manifest(manifest(&checkpoint));
    send(peers, sender, hello)?;
    send(peers, sender, manifest)?;
    let chunk_bytes = CHUNK_BYTES.min(peers.settings.message_bytes / 2);
    let (began, mut sent) = (Instant::now(), 0);
    for mut file in checkpoint.files {
        let mut left = file.bytes;
        while left > 0 {
            let bytes = usize::try_from(left).map_or(chunk_bytes, |left| left.min(chunk_bytes));
            let mut data = vec![0; bytes];
            file.file.read_exact(&mut data)?;
            send(peers, sender, chunk::Chunk::Data(data.into()))?;
            left -= bytes as u64;
            sent += bytes as u64;
            let due = sent as f64 / peers.settings.checkpoint_bytes_per_second as f64;
            let due = Duration::try_from_secs_f64(due).unwrap_or_default();
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
    }
    Ok(())
}

fn manifest(checkpoint: &Checkpoint) -> Manifest {
    let file = |file: &CheckpointFile| ManifestFile { name: file.name.clone(), bytes: file.bytes };
    Manifest { zxid: checkpoint.zxid.0, files: checkpoint.files.iter().map(file).collect() }
}

fn send(
    peers: &Peers,
    sender: &mpsc::Sender<Result<Chunk, Status>>,
    chunk: chunk::Chunk,
) -> io::Result<()> {
    let sent = sender.blocking_send(Ok(Chunk { chunk: Some(chunk) }));
    if *peers.stopping.borrow() || sent.is_err() {
        return Err(ErrorKind::BrokenPipe.into());
    }
    Ok(())
}

/// Fetches the newest checkpoint of `from` into a directory; the files are synced, the directory
/// is not.
pub(crate) async fn fetch(peers: &Peers, from: ServerId, into: &Path) -> Result<Zxid, Ending> {
    let request = |connection| request(peers, from, connection);
    let mut stream = reach(peers, from, Port::Quorum, request).await?;
    let Some(chunk::Chunk::Manifest(manifest)) = next(peers, &mut stream).await? else {
        return Err(ContractError::Unknown("the manifest").into());
    };
    let zxid = check(&manifest)?;
    for file in &manifest.files {
        receive(peers, &mut stream, file.bytes, &into.join(&file.name)).await?;
    }
    match next(peers, &mut stream).await? {
        None => Ok(zxid),
        Some(_) => Err(ContractError::Unknown("the end of the checkpoint").into()),
    }
}

async fn request(
    peers: &Peers,
    from: ServerId,
    connection: Channel,
) -> Result<Streaming<Chunk>, Ending> {
    let mut client =
        QuorumClient::new(connection).max_decoding_message_size(peers.settings.message_bytes);
    let request = FetchRequest { hello: Some(peers.hello(from)) };
    let answer = timeout(peers.settings.fetch_patience, client.fetch(request)).await;
    let mut stream = answer.map_err(|_| Ending::Silent)??.into_inner();
    match next(peers, &mut stream).await? {
        Some(chunk::Chunk::Hello(hello)) => peers.expect(from, &hello)?,
        _ => return Err(ContractError::Unknown("the hello").into()),
    };
    Ok(stream)
}

async fn next(
    peers: &Peers,
    stream: &mut Streaming<Chunk>,
) -> Result<Option<chunk::Chunk>, Ending> {
    let chunk = timeout(peers.settings.fetch_patience, stream.message()).await;
    let chunk = chunk.map_err(|_| Ending::Silent)??;
    chunk.map(|chunk| chunk.chunk.ok_or(ContractError::Unknown("a chunk").into())).transpose()
}

/// The names become names of files here, so they must be nothing else.
pub(crate) fn check(manifest: &Manifest) -> Result<Zxid, ContractError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = |name: &str| {
        let fits = (1..=NAME_BYTES).contains(&name.len());
        fits && !name.starts_with('.') && name.bytes().all(is_plain)
    };
    let mut names = BTreeSet::new();
    if !manifest.files.iter().all(|file| is_name(&file.name) && names.insert(&file.name)) {
        return Err(ContractError::Unknown("the name of a file"));
    }
    read_zxid(manifest.zxid)
}

async fn receive(
    peers: &Peers,
    stream: &mut Streaming<Chunk>,
    bytes: u64,
    path: &Path,
) -> Result<(), Ending> {
    let path = path.to_owned();
    let mut file = on_disk(move || File::create_new(path)).await?;
    let mut left = bytes;
    while left > 0 {
        let data = match next(peers, stream).await? {
            Some(chunk::Chunk::Data(data)) if (1..=left).contains(&(data.len() as u64)) => data,
            _ => return Err(ContractError::Unknown("the rest of a file").into()),
        };
        left -= data.len() as u64;
        file = on_disk(move || write(file, &data)).await?;
    }
    on_disk(move || file.sync_all()).await
}

fn write(mut file: File, data: &Bytes) -> io::Result<File> {
    file.write_all(data)?;
    Ok(file)
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Ending> {
    spawn_blocking(work).await.map_err(io::Error::from).flatten().map_err(Ending::Disk)
}

/// The service's part: the chunks, made by a thread of their own.
pub(crate) fn offering(
    peers: &Arc<Peers>,
    checkpoints: Arc<dyn Checkpoints>,
    receiver: ServerId,
    stay: Stay,
) -> mpsc::Receiver<Result<Chunk, Status>> {
    let (sender, chunks) = mpsc::channel(1);
    let peers = Arc::clone(peers);
    spawn_blocking(move || {
        let _stay = stay;
        if let Err(error) = offer(&peers, &*checkpoints, receiver, &sender) {
            tracing::warn!(peer = receiver.0, %error, "a checkpoint was not sent");
            // Nobody may be there to hear it.
            let _ = sender.blocking_send(Err(Status::aborted(error.to_string())));
        }
    });
    chunks
}

//! Messages to bytes: takes all that waits, encodes it into one buffer, writes it with one call.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{Instant, sleep_until};
use zooid_wire::{encode_connect_reply, encode_reply};

use crate::Outgoing;
use crate::counters::Counters;
use crate::outlet::{Link, Next, weight};

/// Encoded bytes at which a batch is written before more of it is encoded.
const WRITE_BYTES: usize = 64 * 1024;

/// Writes what the loop sends until the connection ends.
pub(crate) async fn write(link: Arc<Link>, mut stream: OwnedWriteHalf) {
    let mut batch = Vec::new();
    let mut buffer = BytesMut::new();
    loop {
        match link.next(&mut batch) {
            Next::Write => {
                if let Err(error) = write_batch(&link, &mut stream, &mut batch, &mut buffer).await {
                    tracing::debug!(connection = %link.id, %error, "cannot write to the client");
                    return link.end();
                }
            }
            Next::Wait => link.for_writer.notified().await,
            Next::Finish | Next::Stop => break,
        }
    }
    // An error means that the client is gone already, which is what is wanted.
    let _ = stream.shutdown().await;
    link.end();
}

async fn write_batch(
    link: &Link,
    stream: &mut OwnedWriteHalf,
    batch: &mut Vec<Outgoing>,
    buffer: &mut BytesMut,
) -> io::Result<()> {
    let (mut frames, mut weighed) = (0, 0);
    for message in batch.drain(..) {
        weighed += weight(&message);
        frames += encode(&link.clients.counters, &message, buffer);
        if buffer.len() >= WRITE_BYTES {
            write_buffer(link, stream, buffer).await?;
            link.written(std::mem::take(&mut frames), std::mem::take(&mut weighed));
        }
    }
    write_buffer(link, stream, buffer).await?;
    link.written(frames, weighed);
    if buffer.capacity() > 2 * WRITE_BYTES {
        *buffer = BytesMut::new();
    }
    Ok(())
}

/// Appends a message's frame, if it has one; says how many frames that are.
fn encode(counters: &Counters, message: &Outgoing, buffer: &mut BytesMut) -> usize {
    let before = buffer.len();
    let counter = match message {
        Outgoing::Connect(reply) => {
            encode_connect_reply(buffer, reply);
            &counters.response_bytes
        }
        Outgoing::Reply { xid, zxid, result } => {
            encode_reply(buffer, *xid, *zxid, result.as_ref().map_err(|error| *error));
            &counters.response_bytes
        }
        Outgoing::Event(frame) => {
            buffer.extend_from_slice(frame);
            &counters.watch_bytes
        }
        Outgoing::CloseAfterFlush => return 0,
    };
    let bytes = (buffer.len() - before) as u64;
    counter.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    1
}

/// Writes as much as the socket takes just now.
fn write_some(stream: &OwnedWriteHalf, buffer: &mut BytesMut) -> io::Result<()> {
    match stream.try_write(buffer) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Ok(written) => {
            buffer.advance(written);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes all of the buffer, for as long as the connection lives, and in limited time once it is
/// closing. The clock is looked at before each single write: whoever slept, in the middle of
/// whatever, writes nothing stale.
async fn write_buffer(
    link: &Link,
    stream: &mut OwnedWriteHalf,
    buffer: &mut BytesMut,
) -> io::Result<()> {
    let mut until = None;
    while buffer.has_remaining() {
        let closing = link.is_closing().ok_or(io::ErrorKind::NotConnected)?;
        if closing && until.is_none() {
            until = Some(Instant::now() + link.clients.settings.flush_timeout);
        }
        tokio::select! {
            biased;
            ready = stream.writable(), if link.may_write() => {
                ready?;
                if link.may_write() {
                    write_some(stream, buffer)?;
                }
            }
            () = link.for_writer.notified() => {}
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
    Ok(())
}

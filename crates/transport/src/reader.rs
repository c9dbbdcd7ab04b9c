//! Bytes to requests: cuts frames, decodes them, hands them over in batches, as many as there is
//! room for.

use std::pin::pin;
use std::time::Instant;

use bytes::BytesMut;
use tokio::net::tcp::OwnedReadHalf;
use zooid_ids::Xid;
use zooid_model::Request;
use zooid_wire::{decode_request, take_frame};

use crate::FromClient;
use crate::connection::Ending;
use crate::opening::fill;
use crate::outlet::Link;

/// Reads requests until the connection ends; says why it did.
pub(crate) async fn read(link: &Link, stream: &mut OwnedReadHalf, mut buffer: BytesMut) -> Ending {
    loop {
        let Some(room) = wait_for_room(link).await else {
            return Ending::Server;
        };
        match hand_over(link, &mut buffer, room) {
            Ok(0) => {}
            Ok(_) => continue,
            Err(ending) => return ending,
        }
        tokio::select! {
            filled = fill(stream, &mut buffer) => if let Err(ending) = filled {
                return ending;
            },
            () = link.for_reader.notified() => {}
        }
    }
}

/// Waits until at least one request may be read; `None` once none will be any more.
async fn wait_for_room(link: &Link) -> Option<usize> {
    loop {
        let mut freed = pin!(link.clients.outstanding.freed().notified());
        freed.as_mut().enable();
        match link.room_for_reader() {
            Some(0) => {}
            room => return room,
        }
        tokio::select! {
            () = freed => {}
            () = link.for_reader.notified() => {}
        }
    }
}

/// Decodes whole frames of the buffer, at most `room`, and hands them over; says how many.
fn hand_over(link: &Link, buffer: &mut BytesMut, room: usize) -> Result<usize, Ending> {
    let limit = link.clients.settings.frame_bytes;
    let before = buffer.len();
    let mut requests = Vec::new();
    let mut failed = None;
    while requests.len() < room {
        match next_request(buffer, limit) {
            Ok(Some(request)) => requests.push(request),
            Ok(None) => break,
            Err(ending) => {
                failed = Some(ending);
                break;
            }
        }
    }
    let taken = requests.len();
    if taken > 0 {
        let bytes = before - buffer.len();
        link.received(taken, bytes);
        if !link.take(&requests, bytes, Instant::now()) {
            return Err(Ending::Server);
        }
        link.clients.inbox.push(FromClient::Requests { connection: link.id, requests });
    }
    failed.map_or(Ok(taken), Err)
}

fn next_request(buffer: &mut BytesMut, limit: usize) -> Result<Option<(Xid, Request)>, Ending> {
    let Some(frame) = take_frame(buffer, limit)? else {
        return Ok(None);
    };
    Ok(Some(decode_request(frame)?))
}

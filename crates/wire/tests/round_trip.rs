//! What is written is read as it was; what is cut off or made up is refused without a panic and
//! without taking more memory than its bytes are worth.

mod messages;

use bytes::{BufMut, Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use zooid_ids::{Xid, Zxid};
use zooid_model::{Acl, Read, Request, WriteOp};
use zooid_wire::client::{
    Answer, decode_connect_reply, decode_event, decode_reply, encode_connect, encode_request,
    xid_of,
};
use zooid_wire::{
    decode_connect, decode_request, encode_connect_reply, encode_event, encode_reply, reserve_hint,
    take_frame,
};

const LIMIT: usize = 1 << 20;

/// The one frame that was written, without its length.
fn frame_of(write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    write(&mut out);
    let frame = take_frame(&mut out, LIMIT).expect("of a good length").expect("a whole frame");
    assert!(out.is_empty());
    frame
}

fn request_frame(xid: i32, request: &Request) -> Bytes {
    frame_of(|out| encode_request(out, Xid(xid), request))
}

/// Bytes of memory that a request takes, beside the frame that its buffers are slices of.
fn footprint(request: &Request) -> usize {
    size_of::<Request>()
        + match request {
            Request::Write(op) => write_footprint(op),
            Request::Read(Read::MultiRead(reads)) => {
                reads.capacity() * size_of::<Read>()
                    + reads.iter().map(read_footprint).sum::<usize>()
            }
            Request::Read(read) => read_footprint(read),
            Request::SetWatches(watches) => {
                let lists = [
                    &watches.data,
                    &watches.exist,
                    &watches.child,
                    &watches.persistent,
                    &watches.persistent_recursive,
                ];
                lists.into_iter().map(strings_footprint).sum()
            }
            Request::Sync { path: text }
            | Request::Auth { scheme: text, .. }
            | Request::AddWatch { path: text, .. }
            | Request::CheckWatches { path: text, .. }
            | Request::RemoveWatches { path: text, .. } => text.capacity(),
            _ => 0,
        }
}

fn read_footprint(read: &Read) -> usize {
    match read {
        Read::Exists { path, .. }
        | Read::GetData { path, .. }
        | Read::GetAcl { path }
        | Read::GetChildren { path, .. }
        | Read::GetChildren2 { path, .. }
        | Read::GetEphemerals { prefix: path }
        | Read::GetAllChildrenNumber { path } => path.capacity(),
        Read::MultiRead(_) => unreachable!("a multiRead within a multiRead"),
    }
}

fn write_footprint(op: &WriteOp) -> usize {
    match op {
        WriteOp::Create(create) => create.path.capacity() + acl_footprint(&create.acl),
        WriteOp::SetAcl { path, acl, .. } => path.capacity() + acl_footprint(acl),
        WriteOp::Delete { path, .. }
        | WriteOp::SetData { path, .. }
        | WriteOp::Check { path, .. } => path.capacity(),
        WriteOp::Multi(ops) => {
            ops.capacity() * size_of::<WriteOp>() + ops.iter().map(write_footprint).sum::<usize>()
        }
    }
}

fn acl_footprint(acl: &Vec<Acl>) -> usize {
    let text = |entry: &Acl| entry.id.scheme.len() + entry.id.id.len();
    acl.capacity() * size_of::<Acl>() + acl.iter().map(text).sum::<usize>()
}

fn strings_footprint(strings: &Vec<String>) -> usize {
    strings.capacity() * size_of::<String>() + strings.iter().map(String::capacity).sum::<usize>()
}

/// A request takes no more than this many times its frame: the worst are lists of empty strings
/// and multis of empty paths, of which the limits leave few enough.
const FOOTPRINT_PER_BYTE: usize = 13;

fn assert_small(request: &Request, frame: usize) {
    assert!(footprint(request) <= 500 + FOOTPRINT_PER_BYTE * frame, "{frame} bytes: {request:?}");
}

proptest! {
    #[test]
    fn requests_come_back(xid: i32, request in messages::request()) {
        let frame = request_frame(xid, &request);
        assert_small(&request, frame.len());
        prop_assert_eq!(decode_request(frame), Ok((Xid(xid), request)));
    }

    #[test]
    fn every_part_of_a_request_is_needed(request in messages::request()) {
        let frame = request_frame(7, &request);
        let opcode = zooid_wire::opcode::of(&request);
        for end in 0..8 {
            prop_assert!(decode_request(frame.slice(..end)).is_err());
        }
        for end in 8..frame.len() {
            let read = decode_request(frame.slice(..end));
            prop_assert_eq!(read, Ok((Xid(7), Request::Malformed { opcode })), "cut at {}", end);
        }
    }

    #[test]
    fn what_stands_behind_a_request_is_not_looked_at(
        request in messages::request(),
        more in vec(any::<u8>(), 1..9),
    ) {
        let longer = [&request_frame(7, &request)[..], &more].concat();
        prop_assert_eq!(decode_request(longer.into()), Ok((Xid(7), request)));
    }

    #[test]
    fn changed_requests_are_read_or_refused(
        request in messages::request(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = request_frame(7, &request).to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let length = bytes.len();
        let (_, read) = decode_request(bytes.into()).unwrap();
        assert_small(&read, length);
    }

    #[test]
    fn made_up_requests_are_read_or_refused(opcode in -12..110, body in vec(0..9_u8, 0..200)) {
        let mut frame = BytesMut::new();
        frame.put_i32(7);
        frame.put_i32(opcode);
        frame.put_slice(&body);
        let length = frame.len();
        let (_, request) = decode_request(frame.freeze()).unwrap();
        assert_small(&request, length);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300), opcode in 0..110) {
        let frame = Bytes::from(bytes);
        let _ = decode_request(frame.clone());
        let _ = decode_connect(frame.clone());
        let _ = decode_connect_reply(frame.clone());
        let _ = decode_event(frame.clone());
        let _ = decode_reply(opcode, frame);
    }

    #[test]
    fn connect_requests_come_back(request in messages::connect_request()) {
        let frame = frame_of(|out| encode_connect(out, &request));
        let needed = frame.len() - usize::from(request.read_only.is_some());
        for end in 0..needed {
            prop_assert!(decode_connect(frame.slice(..end)).is_err());
        }
        prop_assert_eq!(decode_connect(frame), Ok(request));
    }

    #[test]
    fn connect_replies_come_back(reply in messages::connect_reply()) {
        let frame = frame_of(|out| encode_connect_reply(out, &reply));
        prop_assert_eq!(decode_connect_reply(frame), Ok(reply));
    }

    #[test]
    fn answers_come_back(xid: i32, zxid in 0..u64::MAX / 2, (opcode, result) in messages::answer()) {
        let frame = frame_of(|out| {
            encode_reply(out, Xid(xid), Zxid(zxid), result.as_ref().map_err(|error| *error));
        });
        prop_assert_eq!(xid_of(&frame), Ok(Xid(xid)));
        let answer = Answer { xid: Xid(xid), zxid: Some(Zxid(zxid)), result };
        prop_assert_eq!(decode_reply(opcode, frame), Ok(answer));
    }

    #[test]
    fn an_answer_takes_one_exact_reservation((_, reply) in messages::reply()) {
        let mut out = BytesMut::new();
        encode_reply(&mut out, Xid(1), Zxid(1), Ok(&reply));
        prop_assert_eq!(out.capacity(), out.len());
    }

    #[test]
    fn events_come_back(event in messages::event()) {
        let mut whole = BytesMut::from(&encode_event(&event)[..]);
        let frame = take_frame(&mut whole, LIMIT).unwrap().unwrap();
        prop_assert_eq!(decode_event(frame), Ok(event));
    }

    #[test]
    fn frames_come_however_the_bytes_do(
        frames in vec(vec(any::<u8>(), 0..60), 0..6),
        pieces in vec(1..40_usize, 1..9),
    ) {
        let mut sent = BytesMut::new();
        for frame in &frames {
            sent.put_i32(frame.len() as i32);
            sent.put_slice(frame);
        }
        let (mut received, mut taken) = (BytesMut::new(), Vec::new());
        for piece in pieces.iter().cycle() {
            if sent.is_empty() {
                break;
            }
            received.unsplit(sent.split_to((*piece).min(sent.len())));
            while let Some(frame) = take_frame(&mut received, 60).unwrap() {
                taken.push(frame.to_vec());
            }
        }
        prop_assert_eq!(taken, frames);
    }

    #[test]
    fn room_grows_with_what_came(claimed: i32, come in 0..20_000_usize) {
        let mut received = BytesMut::new();
        received.put_i32(claimed);
        received.put_bytes(0, come);
        let hint = reserve_hint(&received);
        prop_assert!(hint >= 1 && hint <= received.len().max(4096));
    }
}

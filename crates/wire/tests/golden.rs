//! What stock clients and real servers said, as `testdata/capture/capture.py` recorded it: each
//! frame is read as what stands below it, and written again to the same bytes (or the difference
//! stands there too). `REWRITE=1` writes what is read into the files.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use zooid_ids::Zxid;
use zooid_model::Request;
use zooid_wire::client::{
    Answer, decode_connect_reply, decode_event, decode_reply, encode_connect, encode_request,
};
use zooid_wire::{
    decode_connect, decode_request, encode_connect_reply, encode_event, encode_reply, take_frame,
};

#[test]
fn recorded_frames() {
    let mut files = 0;
    datadriven::walk("testdata/golden", |file| {
        files += 1;
        file.run(|block| {
            let frame = bytes_of(block.input.trim());
            match block.directive.as_str() {
                "connect" => both(decode_connect(frame.clone()), &frame, |request| {
                    written(|out| encode_connect(out, request))
                }),
                "connect-reply" => both(decode_connect_reply(frame.clone()), &frame, |reply| {
                    written(|out| encode_connect_reply(out, reply))
                }),
                "event" => both(decode_event(frame.clone()), &frame, |event| {
                    written(|out| out.extend_from_slice(&encode_event(event)))
                }),
                "request" => request(&frame),
                "reply" => {
                    let opcode = block.args["opcode"][0].parse().expect("an opcode");
                    both(decode_reply(opcode, frame.clone()), &frame, answer)
                }
                other => panic!("{other} is no kind of frame"),
            }
        });
    });
    assert!(files >= 5, "only {files} files of recorded frames");
}

/// A request without a meaning has no form to be written in.
fn request(frame: &Bytes) -> String {
    let read = decode_request(frame.clone());
    if let Ok((_, Request::Unknown { .. } | Request::Malformed { .. })) = read {
        return format!("{read:?}\n");
    }
    both(read, frame, |(xid, request)| written(|out| encode_request(out, *xid, request)))
}

fn answer(answer: &Answer) -> Bytes {
    let zxid = answer.zxid.unwrap_or(Zxid(u64::MAX));
    let result = answer.result.as_ref().map_err(|error| *error);
    written(|out| encode_reply(out, answer.xid, zxid, result))
}

/// What was read, and what it is written as if that is not the frame again.
fn both<T: Debug, E: Debug>(
    read: Result<T, E>,
    frame: &Bytes,
    write: impl FnOnce(&T) -> Bytes,
) -> String {
    match read {
        Ok(message) => {
            let again = write(&message);
            let same = again == *frame;
            let difference = if same { String::new() } else { format!("written as {again:x}\n") };
            format!("{message:?}\n{difference}")
        }
        Err(error) => format!("{error:?}\n"),
    }
}

fn written(write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    write(&mut out);
    take_frame(&mut out, usize::MAX).expect("of a good length").expect("a whole frame")
}

fn bytes_of(hexadecimal: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&hexadecimal[at..at + 2], 16).expect("two digits");
    (0..hexadecimal.len()).step_by(2).map(digit).collect()
}

//! A table of what clients should not send, and what it is read as.

use bytes::{BufMut, Bytes, BytesMut};
use zooid_ids::{Millis, SessionId, Xid, Zxid};
use zooid_model::limits::{ACL_ENTRIES, MULTI_OPS};
use zooid_model::{CreateKind, CreateMode, Read, Request, WriteOp};
use zooid_wire::jute::Writer;
use zooid_wire::{
    FrameError, Opening, WireError, decode_connect, decode_request, opcode, take_frame,
};

const LIMIT: usize = 0xf_ffff;

fn bytes(write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    write(&mut out);
    out.freeze()
}

/// Reads a request of this number whose body is what `write` writes.
fn read(opcode: i32, write: impl FnOnce(&mut BytesMut)) -> Request {
    let frame = bytes(|out| {
        out.put_i32(1);
        out.put_i32(opcode);
        write(out);
    });
    let (xid, request) = decode_request(frame).expect("the header is there");
    assert_eq!(xid, Xid(1));
    request
}

fn is_malformed(opcode: i32, write: impl FnOnce(&mut BytesMut)) {
    assert_eq!(read(opcode, write), Request::Malformed { opcode });
}

fn put_header(out: &mut BytesMut, opcode: i32, done: bool) {
    out.put_i32(opcode);
    out.put_bool(done);
    out.put_i32(-1);
}

fn put_check(out: &mut BytesMut, path: &str) {
    put_header(out, opcode::CHECK, false);
    out.put_string(path);
    out.put_i32(0);
}

fn put_create(out: &mut BytesMut, flags: i32) {
    out.put_string("/a");
    out.put_buffer(None);
    out.put_i32(0);
    out.put_i32(flags);
}

fn put_end(out: &mut BytesMut) {
    put_header(out, -1, true);
}

#[test]
fn lengths_of_frames() {
    for (length, answer) in [
        (-1, Err(())),
        (i32::MIN, Err(())),
        (i32::MAX, Err(())),
        (LIMIT as i32 + 1, Err(())),
        (LIMIT as i32, Ok(None)),
        (1, Ok(None)),
        (0, Ok(Some(Bytes::new()))),
    ] {
        let mut buffer = BytesMut::new();
        buffer.put_i32(length);
        let answer = answer.map_err(|()| FrameError { length, limit: LIMIT });
        assert_eq!(take_frame(&mut buffer, LIMIT), answer, "{length}");
        assert!(buffer.capacity() < 100, "room was made for a claimed length of {length}");
    }
}

#[test]
fn a_length_that_cannot_be_says_so() {
    let error = FrameError { length: -1, limit: LIMIT };
    assert_eq!(error.to_string(), "Len error -1: a frame has 0 to 1048575 bytes (jute.maxbuffer)");
}

#[test]
fn the_longest_frame_and_one_more() {
    let mut buffer = BytesMut::new();
    buffer.put_i32(10);
    buffer.put_bytes(7, 10);
    assert_eq!(take_frame(&mut buffer.clone(), 9), Err(FrameError { length: 10, limit: 9 }));
    assert_eq!(take_frame(&mut buffer, 10), Ok(Some(Bytes::from_static(&[7; 10]))));
}

#[test]
fn what_a_connection_opens_with() {
    for (first, opening) in [
        (*b"ruok", Opening::FourLetterWord(*b"ruok")),
        (*b"nope", Opening::FourLetterWord(*b"nope")),
        ([0x16, 0x03, 0x01, 0x02], Opening::Tls),
        ([0, 0, 0, 45], Opening::Frame { length: 45 }),
        (*b"GET ", Opening::Frame { length: 0x4745_5420 }),
        ([0xff, 0xf4, 0xff, 0xfd], Opening::Frame { length: -720_899 }),
    ] {
        assert_eq!(Opening::of(first), opening, "{first:?}");
    }
}

#[test]
fn a_header_that_is_not_there() {
    let short = |needed, left| Err(WireError::Short { needed, left });
    assert_eq!(decode_request(Bytes::new()), short(4, 0));
    assert_eq!(decode_request(Bytes::from_static(&[0; 7])), short(4, 3));
}

#[test]
fn strings() {
    is_malformed(opcode::GET_DATA, |out| out.put_i32(-1));
    is_malformed(opcode::GET_DATA, |out| out.put_i32(-2));
    is_malformed(opcode::GET_DATA, |out| out.put_i32(i32::MIN));
    is_malformed(opcode::GET_DATA, |out| out.put_i32(i32::MAX));
    for no_text in [
        &b"/\xc0\xaf"[..], // overlong
        b"/\xed\xa0\x80",  // a surrogate
        b"/\xe2\x82",      // cut off
        b"/\xff",
        b"/\xf4\x90\x80\x80", // beyond U+10FFFF
    ] {
        is_malformed(opcode::GET_DATA, |out| {
            out.put_buffer(Some(no_text));
            out.put_bool(false);
        });
    }
}

#[test]
fn any_byte_but_0_is_true() {
    let request = read(opcode::EXISTS, |out| {
        out.put_string("/a");
        out.put_u8(2);
    });
    assert_eq!(request, Request::Read(Read::Exists { path: "/a".into(), watch: true }));
}

#[test]
fn what_may_be_missing() {
    let request = read(opcode::SET_DATA, |out| {
        out.put_string("/a");
        out.put_buffer(None);
        out.put_i32(-1);
    });
    let set = WriteOp::SetData { path: "/a".into(), data: None, version: -1 };
    assert_eq!(request, Request::Write(set));
    let request = read(opcode::SET_ACL, |out| {
        out.put_string("/a");
        out.put_i32(-1);
        out.put_i32(-1);
    });
    let set = WriteOp::SetAcl { path: "/a".into(), acl: vec![], version: -1 };
    assert_eq!(request, Request::Write(set));
    let request = read(opcode::GET_EPHEMERALS, |out| out.put_i32(-1));
    assert_eq!(request, Request::Read(Read::GetEphemerals { prefix: String::new() }));
}

#[test]
fn counts() {
    is_malformed(opcode::SET_WATCHES2, |out| {
        out.put_i64(0);
        out.put_bytes(0xff, 5 * 4);
    });
    for count in [-2, i32::MIN, i32::MAX, 1_000_000, 1] {
        is_malformed(opcode::SET_WATCHES, |out| {
            out.put_i64(0);
            out.put_i32(count);
        });
        is_malformed(opcode::SET_ACL, |out| {
            out.put_string("/a");
            out.put_i32(count);
            out.put_i32(0);
        });
    }
}

#[test]
fn a_path_that_is_missing_among_watches() {
    is_malformed(opcode::SET_WATCHES, |out| {
        out.put_i64(0);
        out.put_i32(1);
        out.put_i32(-1);
        out.put_i64(0);
    });
}

#[test]
fn operations_that_clients_do_not_have() {
    for opcode in [
        opcode::NOTIFICATION,
        opcode::CHECK,
        opcode::RECONFIG,
        opcode::DELETE_CONTAINER,
        opcode::SASL,
        opcode::CREATE_SESSION,
        opcode::ERROR,
        10,
        99,
        500,
        i32::MIN,
        i32::MAX,
    ] {
        assert_eq!(read(opcode, |out| out.put_string("/a")), Request::Unknown { opcode });
    }
}

#[test]
fn bodies_where_there_are_none() {
    assert_eq!(read(opcode::PING, |out| out.put_string("x")), Request::Ping);
    assert_eq!(read(opcode::CLOSE_SESSION, |out| out.put_string("x")), Request::CloseSession);
}

#[test]
fn multis_without_an_end() {
    is_malformed(opcode::MULTI, |_| {});
    is_malformed(opcode::MULTI, |out| put_check(out, "/a"));
    is_malformed(opcode::MULTI_READ, |_| {});
}

#[test]
fn multis_of_nothing() {
    assert_eq!(read(opcode::MULTI, put_end), Request::Write(WriteOp::Multi(vec![])));
    assert_eq!(read(opcode::MULTI_READ, put_end), Request::Read(Read::MultiRead(vec![])));
}

#[test]
fn what_a_multi_cannot_hold() {
    for within in [opcode::MULTI, opcode::MULTI_READ] {
        let allowed = if within == opcode::MULTI {
            &[opcode::CREATE, opcode::DELETE, opcode::SET_DATA, opcode::CHECK][..]
        } else {
            &[opcode::GET_DATA, opcode::GET_CHILDREN]
        };
        let creates = [opcode::CREATE2, opcode::CREATE_CONTAINER, opcode::CREATE_TTL];
        for opcode in (-20..120).filter(|opcode| !allowed.contains(opcode)) {
            if within == opcode::MULTI && creates.contains(&opcode) {
                continue;
            }
            is_malformed(within, |out| {
                put_header(out, opcode, false);
                out.put_string("/a");
                out.put_bytes(0, 40);
                put_end(out);
            });
        }
    }
}

/// Every operation of a nested multi opens another one: reading it must not go deeper and deeper.
#[test]
fn multis_within_multis() {
    is_malformed(opcode::MULTI, |out| {
        (0..100_000).for_each(|_| put_header(out, opcode::MULTI, false));
    });
}

#[test]
fn a_multi_that_is_too_long_shows_it() {
    let ops = |count: usize| {
        read(opcode::MULTI, |out| {
            (0..count).for_each(|_| put_check(out, ""));
            put_end(out);
        })
    };
    for (sent, kept) in [(MULTI_OPS, MULTI_OPS), (5 * MULTI_OPS, MULTI_OPS + 1)] {
        let Request::Write(WriteOp::Multi(ops)) = ops(sent) else { panic!("a multi was sent") };
        assert_eq!(ops.len(), kept);
    }
}

#[test]
fn an_acl_that_is_too_long_shows_it() {
    let request = read(opcode::SET_ACL, |out| {
        out.put_string("/a");
        out.put_length(3 * ACL_ENTRIES);
        (0..3 * ACL_ENTRIES).for_each(|_| {
            out.put_i32(31);
            out.put_string("world");
            out.put_string("anyone");
        });
        out.put_i32(5);
    });
    let Request::Write(WriteOp::SetAcl { acl, version, .. }) = request else { panic!("a setACL") };
    assert_eq!((acl.len(), version), (ACL_ENTRIES + 1, 5));
}

#[test]
fn modes() {
    for (opcode, flags, ttl, mode) in [
        (opcode::CREATE, 7, None, CreateMode::Unknown(7)),
        (opcode::CREATE2, -1, None, CreateMode::Unknown(-1)),
        (opcode::CREATE, 5, None, CreateMode::PersistentWithTtl(Millis(-1))),
        (opcode::CREATE_CONTAINER, 0, None, CreateMode::Persistent),
        (opcode::CREATE_TTL, 5, Some(i64::MIN), CreateMode::PersistentWithTtl(Millis(i64::MIN))),
        (opcode::CREATE_TTL, 0, Some(5), CreateMode::Unknown(0)),
        (opcode::CREATE_TTL, 4, Some(5), CreateMode::Unknown(4)),
    ] {
        let request = read(opcode, |out| {
            put_create(out, flags);
            ttl.into_iter().for_each(|ttl| out.put_i64(ttl));
        });
        let Request::Write(WriteOp::Create(create)) = request else { panic!("a create was sent") };
        assert_eq!(create.mode, mode, "flags {flags} of operation {opcode}");
    }
}

#[test]
fn modes_within_a_multi() {
    let kind_and_mode = |opcode: i32, flags: i32| {
        let request = read(opcode::MULTI, |out| {
            put_header(out, opcode, false);
            put_create(out, flags);
            if opcode == opcode::CREATE_TTL {
                out.put_i64(9);
            }
            put_end(out);
        });
        match request {
            Request::Write(WriteOp::Multi(ops)) => match &ops[..] {
                [WriteOp::Create(create)] => Some((create.kind, create.mode)),
                _ => panic!("a create was sent"),
            },
            _ => None,
        }
    };
    let container = Some((CreateKind::Container, CreateMode::Container));
    for (opcode, flags, read) in [
        (opcode::CREATE, 4, container),
        (opcode::CREATE2, 4, container),
        (opcode::CREATE_CONTAINER, 0, Some((CreateKind::Container, CreateMode::Persistent))),
        (opcode::CREATE_TTL, 4, container),
        (opcode::CREATE_TTL, 0, Some((CreateKind::Create, CreateMode::Persistent))),
        (opcode::CREATE_TTL, 7, Some((CreateKind::Create, CreateMode::Unknown(7)))),
        (opcode::CREATE_TTL, 5, Some((CreateKind::Ttl, CreateMode::PersistentWithTtl(Millis(9))))),
        (opcode::CREATE, 5, None),
        (opcode::CREATE2, 7, None),
    ] {
        assert_eq!(kind_and_mode(opcode, flags), read, "flags {flags} of operation {opcode}");
    }
}

#[test]
fn numbers_of_watches_that_are_none() {
    let path = || String::from("/a");
    let body = |number: i32| {
        move |out: &mut BytesMut| {
            out.put_string("/a");
            out.put_i32(number);
        }
    };
    for number in [-1, 2, i32::MAX] {
        let request = Request::AddWatch { path: path(), mode: None };
        assert_eq!(read(opcode::ADD_WATCH, body(number)), request);
    }
    for number in [0, -1, 6] {
        let request = Request::RemoveWatches { path: path(), kind: None };
        assert_eq!(read(opcode::REMOVE_WATCHES, body(number)), request);
        let request = Request::CheckWatches { path: path(), kind: None };
        assert_eq!(read(opcode::CHECK_WATCHES, body(number)), request);
    }
}

struct Connect {
    zxid: i64,
    timeout: i32,
    password: Option<Vec<u8>>,
    behind: &'static [u8],
}

impl Connect {
    fn frame(&self) -> Bytes {
        bytes(|out| {
            out.put_i32(7);
            out.put_i64(self.zxid);
            out.put_i32(self.timeout);
            out.put_i64(0x55);
            out.put_buffer(self.password.as_deref());
            out.put_slice(self.behind);
        })
    }
}

#[test]
fn first_frames() {
    let usual = || Connect { zxid: 9, timeout: 10_000, password: Some(vec![1; 16]), behind: &[] };
    let request = |connect: Connect| decode_connect(connect.frame()).unwrap();

    let old = request(usual());
    assert_eq!((old.protocol_version, old.session, old.read_only), (7, SessionId(0x55), None));
    assert_eq!(request(Connect { behind: &[1], ..usual() }).read_only, Some(true));
    assert_eq!(request(Connect { behind: &[0, 9, 9], ..usual() }).read_only, Some(false));

    for (zxid, seen) in [(-1, Zxid::ZERO), (i64::MIN, Zxid::ZERO), (i64::MAX, Zxid(!0 >> 1))] {
        assert_eq!(request(Connect { zxid, ..usual() }).last_zxid_seen, seen);
    }
    for timeout in [0, -1, i32::MIN, i32::MAX] {
        let read = request(Connect { timeout, ..usual() }).timeout;
        assert_eq!(read, Millis(timeout.into()));
    }
    for password in [None, Some(vec![]), Some(vec![1; 15]), Some(vec![1; 17])] {
        assert_eq!(request(Connect { password, ..usual() }).password, None);
    }
}

#[test]
fn a_first_frame_whose_password_is_longer_than_it() {
    let mut frame =
        BytesMut::from(&Connect { zxid: 0, timeout: 0, password: None, behind: &[] }.frame()[..]);
    frame.truncate(24);
    frame.put_i32(1 << 20);
    let error = WireError::Short { needed: 1 << 20, left: 0 };
    assert_eq!(decode_connect(frame.freeze()), Err(error));
}

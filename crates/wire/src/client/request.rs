//! Requests, onto the wire.

use alloc::string::String;

use bytes::{BufMut, BytesMut};
use zooid_ids::{Millis, Xid};
use zooid_model::{ConnectRequest, Create, CreateKind, Read, Request, SetWatches, WriteOp};

use crate::connect::put_read_only;
use crate::jute::{Writer, put_frame};
use crate::opcode;
use crate::records::{MultiHeader, put_acl};

/// A first guess of a request's length, beside its header.
const ROOM: usize = 120;

/// Appends the first frame of a connection.
///
/// # Panics
///
/// If the timeout does not fit the wire's 32 bits.
pub fn encode_connect(out: &mut BytesMut, request: &ConnectRequest) {
    let timeout = i32::try_from(request.timeout.0).expect("a timeout has 32 bits");
    put_frame(out, ROOM, |out| {
        out.put_i32(request.protocol_version);
        out.put_i64(request.last_zxid_seen.wire());
        out.put_i32(timeout);
        out.put_i64(request.session.0);
        out.put_buffer(request.password.as_ref().map(|password| &password.0[..]));
        put_read_only(out, request.read_only);
    });
}

/// Appends a request, a whole frame. [`Request::Unknown`] and [`Request::Malformed`] have a header
/// and no body.
pub fn encode_request(out: &mut BytesMut, xid: Xid, request: &Request) {
    put_frame(out, ROOM, |out| {
        out.put_i32(xid.0);
        out.put_i32(opcode::of(request));
        put_body(out, request);
    });
}

fn put_body(out: &mut BytesMut, request: &Request) {
    match request {
        Request::Write(op) => put_write(out, op),
        Request::Read(read) => put_read(out, read),
        Request::Sync { path } => out.put_string(path),
        Request::Auth { scheme, proof } => {
            out.put_i32(0);
            out.put_string(scheme);
            out.put_buffer(Some(&proof.0));
        }
        Request::SetWatches(watches) => {
            put_set_watches(out, watches, opcode::of(request) == opcode::SET_WATCHES2);
        }
        Request::AddWatch { path, mode } => {
            out.put_string(path);
            out.put_i32(mode.map_or(-1, |mode| mode as i32));
        }
        Request::CheckWatches { path, kind } | Request::RemoveWatches { path, kind } => {
            out.put_string(path);
            out.put_i32(kind.map_or(-1, |kind| kind as i32));
        }
        Request::Ping
        | Request::WhoAmI
        | Request::CloseSession
        | Request::Unknown { .. }
        | Request::Malformed { .. } => {}
    }
}

fn put_write(out: &mut BytesMut, op: &WriteOp) {
    match op {
        WriteOp::Create(create) => put_create(out, create),
        WriteOp::Delete { path, version } | WriteOp::Check { path, version } => {
            out.put_string(path);
            out.put_i32(*version);
        }
        WriteOp::SetData { path, data, version } => {
            out.put_string(path);
            out.put_buffer(data.as_deref());
            out.put_i32(*version);
        }
        WriteOp::SetAcl { path, acl, version } => {
            out.put_string(path);
            put_acl(out, acl);
            out.put_i32(*version);
        }
        WriteOp::Multi(ops) => {
            for op in ops {
                put_operation_header(out, opcode::of_write(op));
                put_write(out, op);
            }
            MultiHeader::END.put(out);
        }
    }
}

fn put_create(out: &mut BytesMut, create: &Create) {
    out.put_string(&create.path);
    out.put_buffer(create.data.as_deref());
    put_acl(out, &create.acl);
    out.put_i32(create.mode.flags());
    if create.kind == CreateKind::Ttl {
        out.put_i64(create.mode.ttl().unwrap_or(Millis(0)).0);
    }
}

fn put_read(out: &mut BytesMut, read: &Read) {
    match read {
        Read::Exists { path, watch }
        | Read::GetData { path, watch }
        | Read::GetChildren { path, watch }
        | Read::GetChildren2 { path, watch } => {
            out.put_string(path);
            out.put_bool(*watch);
        }
        Read::GetAcl { path }
        | Read::GetEphemerals { prefix: path }
        | Read::GetAllChildrenNumber { path } => out.put_string(path),
        Read::MultiRead(reads) => {
            for read in reads {
                put_operation_header(out, opcode::of_read(read));
                put_read(out, read);
            }
            MultiHeader::END.put(out);
        }
    }
}

fn put_operation_header(out: &mut BytesMut, opcode: i32) {
    MultiHeader { opcode, done: false, code: -1 }.put(out);
}

fn put_set_watches(out: &mut BytesMut, watches: &SetWatches, all: bool) {
    out.put_i64(watches.relative_zxid.wire());
    put_paths(out, &watches.data);
    put_paths(out, &watches.exist);
    put_paths(out, &watches.child);
    if all {
        put_paths(out, &watches.persistent);
        put_paths(out, &watches.persistent_recursive);
    }
}

fn put_paths(out: &mut BytesMut, paths: &[String]) {
    out.put_length(paths.len());
    paths.iter().for_each(|path| out.put_string(path));
}

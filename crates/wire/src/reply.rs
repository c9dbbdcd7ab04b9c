//! What clients are answered, onto the wire: whole frames, with one reservation each.
//!
//! An answer that failed is its header alone. A multi that failed is not such an answer: its
//! header says success and its body has an error for each operation.

use bytes::{BufMut, BytesMut};
use zooid_ids::{Xid, Zxid};
use zooid_model::{ErrorCode, OpResult, ReadResult, Reply, Stat};

use crate::jute::{Writer, put_frame};
use crate::opcode;
use crate::records::{
    MultiHeader, STAT_BYTES, acl_bytes, identity_bytes, names_bytes, put_acl, put_identity,
    put_names, put_stat,
};

/// Bytes of a header: xid, zxid, error code.
const HEADER_BYTES: usize = 16;

/// Appends an answer, a whole frame.
pub fn encode_reply(out: &mut BytesMut, xid: Xid, zxid: Zxid, result: Result<&Reply, ErrorCode>) {
    put_frame(out, HEADER_BYTES + result.map_or(0, body_bytes), |out| {
        put_header(out, xid, zxid.wire(), result.err());
        if let Ok(reply) = result {
            put_body(out, reply);
        }
    });
}

pub(crate) fn put_header(out: &mut BytesMut, xid: Xid, zxid: i64, error: Option<ErrorCode>) {
    out.put_i32(xid.0);
    out.put_i64(zxid);
    out.put_i32(error.map_or(0, ErrorCode::code));
}

fn put_body(out: &mut BytesMut, reply: &Reply) {
    match reply {
        Reply::Empty => {}
        Reply::Path { path } | Reply::Sync { path } => out.put_string(path),
        Reply::PathStat { path, stat } => put_path_stat(out, path, stat),
        Reply::Stat(stat) => put_stat(out, stat),
        Reply::Data { data, stat } => {
            out.put_buffer(data.as_deref());
            put_stat(out, stat);
        }
        Reply::Acl { acl, stat } => {
            put_acl(out, acl);
            put_stat(out, stat);
        }
        Reply::Children(names) | Reply::Ephemerals(names) => put_names(out, names),
        Reply::ChildrenStat { children, stat } => {
            put_names(out, children);
            put_stat(out, stat);
        }
        Reply::Multi(results) => {
            results.iter().for_each(|result| put_op_result(out, result));
            MultiHeader::END.put(out);
        }
        Reply::MultiRead(results) => {
            results.iter().for_each(|result| put_read_result(out, result));
            MultiHeader::END.put(out);
        }
        Reply::AllChildrenNumber(number) => out.put_i32(*number),
        Reply::WatchAdded => out.put_i32(0),
        Reply::Identities(identities) => {
            out.put_length(identities.len());
            identities.iter().for_each(|identity| put_identity(out, identity));
        }
    }
}

fn put_path_stat(out: &mut BytesMut, path: &str, stat: &Stat) {
    out.put_string(path);
    put_stat(out, stat);
}

fn put_op_result(out: &mut BytesMut, result: &OpResult) {
    match result {
        OpResult::Path { path } => {
            put_success(out, opcode::CREATE);
            out.put_string(path);
        }
        OpResult::PathStat { path, stat } => {
            put_success(out, opcode::CREATE2);
            put_path_stat(out, path, stat);
        }
        OpResult::Stat(stat) => {
            put_success(out, opcode::SET_DATA);
            put_stat(out, stat);
        }
        OpResult::Deleted => put_success(out, opcode::DELETE),
        OpResult::Checked => put_success(out, opcode::CHECK),
        OpResult::Error(error) => put_failure(out, error.err().map_or(0, ErrorCode::code)),
    }
}

fn put_read_result(out: &mut BytesMut, result: &ReadResult) {
    match result {
        ReadResult::Data { data, stat } => {
            put_success(out, opcode::GET_DATA);
            out.put_buffer(data.as_deref());
            put_stat(out, stat);
        }
        ReadResult::Children(names) => {
            put_success(out, opcode::GET_CHILDREN);
            put_names(out, names);
        }
        ReadResult::Error(error) => put_failure(out, error.code()),
    }
}

fn put_success(out: &mut BytesMut, opcode: i32) {
    MultiHeader { opcode, done: false, code: 0 }.put(out);
}

/// The code stands twice: in the header and as the body.
fn put_failure(out: &mut BytesMut, code: i32) {
    MultiHeader { opcode: opcode::ERROR, done: false, code }.put(out);
    out.put_i32(code);
}

/// The exact length of a body.
fn body_bytes(reply: &Reply) -> usize {
    match reply {
        Reply::Empty => 0,
        Reply::Path { path } | Reply::Sync { path } => 4 + path.len(),
        Reply::PathStat { path, .. } => 4 + path.len() + STAT_BYTES,
        Reply::Stat(_) => STAT_BYTES,
        Reply::Data { data, .. } => 4 + data.as_ref().map_or(0, |data| data.len()) + STAT_BYTES,
        Reply::Acl { acl, .. } => acl_bytes(acl) + STAT_BYTES,
        Reply::Children(names) | Reply::Ephemerals(names) => names_bytes(names),
        Reply::ChildrenStat { children, .. } => names_bytes(children) + STAT_BYTES,
        Reply::Multi(results) => {
            MultiHeader::BYTES + results.iter().map(op_result_bytes).sum::<usize>()
        }
        Reply::MultiRead(results) => {
            MultiHeader::BYTES + results.iter().map(read_result_bytes).sum::<usize>()
        }
        Reply::AllChildrenNumber(_) | Reply::WatchAdded => 4,
        Reply::Identities(identities) => 4 + identities.iter().map(identity_bytes).sum::<usize>(),
    }
}

fn op_result_bytes(result: &OpResult) -> usize {
    MultiHeader::BYTES
        + match result {
            OpResult::Path { path } => 4 + path.len(),
            OpResult::PathStat { path, .. } => 4 + path.len() + STAT_BYTES,
            OpResult::Stat(_) => STAT_BYTES,
            OpResult::Deleted | OpResult::Checked => 0,
            OpResult::Error(_) => 4,
        }
}

fn read_result_bytes(result: &ReadResult) -> usize {
    MultiHeader::BYTES
        + match result {
            ReadResult::Data { data, .. } => {
                4 + data.as_ref().map_or(0, |data| data.len()) + STAT_BYTES
            }
            ReadResult::Children(names) => names_bytes(names),
            ReadResult::Error(_) => 4,
        }
}

//! The first frame of a connection, both ways.

use bytes::{BufMut, Bytes, BytesMut};
use zooid_ids::{Millis, SessionId, Zxid};
use zooid_model::{ConnectReply, ConnectRequest, PASSWORD_LEN, Password};

use crate::WireError;
use crate::jute::{Reader, Writer, put_frame};

/// Bytes of an answer to a connect request, with everything.
const REPLY_BYTES: usize = 4 + 4 + 8 + 4 + PASSWORD_LEN + 1;

/// Reads a client's first frame. What stands behind the fields is not looked at.
///
/// # Errors
///
/// A field that is not there: the connection is closed.
pub fn decode_connect(frame: Bytes) -> Result<ConnectRequest, WireError> {
    let mut reader = Reader::new(frame);
    Ok(ConnectRequest {
        protocol_version: reader.i32()?,
        last_zxid_seen: Zxid::from_wire(reader.i64()?).unwrap_or(Zxid::ZERO),
        timeout: Millis(reader.i32()?.into()),
        session: SessionId(reader.i64()?),
        password: read_password(&mut reader)?,
        read_only: read_read_only(&mut reader)?,
    })
}

/// Appends the answer to a connect request, a whole frame.
///
/// # Panics
///
/// If the timeout is not one that was negotiated: above 2^31 ms.
pub fn encode_connect_reply(out: &mut BytesMut, reply: &ConnectReply) {
    let timeout = i32::try_from(reply.timeout.0).expect("a negotiated timeout is below 2^31 ms");
    put_frame(out, REPLY_BYTES, |out| {
        out.put_i32(reply.protocol_version);
        out.put_i32(timeout);
        out.put_i64(reply.session.0);
        out.put_buffer(Some(&reply.password.0));
        put_read_only(out, reply.read_only);
    });
}

pub(crate) fn read_password(reader: &mut Reader) -> Result<Option<Password>, WireError> {
    let password = reader.buffer()?;
    Ok(password.and_then(|bytes| <[u8; PASSWORD_LEN]>::try_from(&*bytes).ok()).map(Password))
}

pub(crate) fn read_read_only(reader: &mut Reader) -> Result<Option<bool>, WireError> {
    if reader.left() == 0 { Ok(None) } else { reader.bool().map(Some) }
}

pub(crate) fn put_read_only(out: &mut BytesMut, read_only: Option<bool>) {
    if let Some(read_only) = read_only {
        out.put_bool(read_only);
    }
}

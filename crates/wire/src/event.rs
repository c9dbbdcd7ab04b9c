//! Watch events, onto the wire.

use bytes::{BufMut, Bytes, BytesMut};
use zooid_ids::Xid;
use zooid_model::WatchEvent;

use crate::jute::{Writer, put_frame};
use crate::reply::put_header;

/// The state that every event reports: `SyncConnected`.
pub(crate) const SYNC_CONNECTED: i32 = 3;

/// Bytes of an event beside its path: header, type, state, the path's length.
const EVENT_BYTES: usize = 16 + 4 + 4 + 4;

/// Gives an event as a whole frame, once for all who are told of it.
#[must_use]
pub fn encode_event(event: &WatchEvent) -> Bytes {
    let mut out = BytesMut::new();
    put_frame(&mut out, EVENT_BYTES + event.path.len(), |out| {
        put_header(out, Xid::NOTIFICATION, event.zxid.map_or(-1, zooid_ids::Zxid::wire), None);
        out.put_i32(event.kind as i32);
        out.put_i32(SYNC_CONNECTED);
        out.put_string(&event.path);
    });
    out.freeze()
}

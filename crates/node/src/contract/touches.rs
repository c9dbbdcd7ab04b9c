//! What is passed on to a leader about clients: `proto/touches.proto`.

use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message;
use zooid_ids::{ConnectionId, Instant, SessionId};

use super::ContractError;
use super::generated::touches as proto;

/// A client was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) session: SessionId,
    /// At the server that says so.
    pub(crate) connection: ConnectionId,
    /// By that server's clock.
    pub(crate) heard: Instant,
}

pub(crate) fn write_touches(touches: &[Touch]) -> Bytes {
    let touches = touches.iter().map(|touch| proto::Touch {
        session: touch.session.0,
        connection: touch.connection.0,
        heard_ms: touch.heard.0,
    });
    proto::Touches { touches: touches.collect() }.encode_to_vec().into()
}

pub(crate) fn read_touches(payload: Bytes) -> Result<Vec<Touch>, ContractError> {
    let touches = proto::Touches::decode(payload)?.touches;
    let read = touches.into_iter().map(|touch| Touch {
        session: SessionId(touch.session),
        connection: ConnectionId(touch.connection),
        heard: Instant(touch.heard_ms),
    });
    Ok(read.collect())
}

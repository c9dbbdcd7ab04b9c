//! Cutting frames off what was received, as it comes.
//!
//! A frame is a length and so many bytes. What to do with the very first four bytes of a
//! connection, which can also be a four-letter word or a TLS hello, is said by [`Opening`].

use bytes::{Bytes, BytesMut};
use thiserror::Error;

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// The least room that is worth a read from a socket.
const READ_BYTES: usize = 4 * 1024;

/// A frame whose length cannot be: the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("Len error {length}: a frame has 0 to {limit} bytes (jute.maxbuffer)")]
pub struct FrameError {
    /// What was claimed.
    pub length: i32,
    /// What is allowed, in bytes.
    pub limit: usize,
}

/// Cuts the next frame off the front of `buffer` and gives it without its length and without a
/// copy; `None` while it is not complete. A frame of `limit` bytes is the longest.
///
/// # Errors
///
/// A length below 0 or above `limit`; `buffer` is as it was.
pub fn take_frame(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(claimed) = claimed_length(buffer) else { return Ok(None) };
    let length = usize::try_from(claimed)
        .ok()
        .filter(|length| *length <= limit)
        .ok_or(FrameError { length: claimed, limit })?;
    if buffer.len() - LENGTH_BYTES < length {
        return Ok(None);
    }
    let mut frame = buffer.split_to(LENGTH_BYTES + length).freeze();
    Ok(Some(frame.split_off(LENGTH_BYTES)))
}

/// How many bytes of room to make for the next read, after [`take_frame`] gave `None`.
///
/// What is missing of the frame, but never more than was already received of it (or one ordinary
/// read, if that is more): a client has to send a megabyte before a second one is set aside for it,
/// whatever length it claims.
#[must_use]
pub fn reserve_hint(buffer: &BytesMut) -> usize {
    let claimed = claimed_length(buffer).and_then(|length| usize::try_from(length).ok());
    let missing = claimed.map_or(0, |length| (LENGTH_BYTES + length).saturating_sub(buffer.len()));
    missing.clamp(READ_BYTES, buffer.len().max(READ_BYTES))
}

fn claimed_length(buffer: &BytesMut) -> Option<i32> {
    buffer.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

/// What the first four bytes of a connection say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A word that an operator typed, such as `srvr`; all such words are far too long as lengths.
    /// Whether there is such a command is the server's matter.
    FourLetterWord([u8; 4]),
    /// The start of a TLS handshake: a record of that type, and the major version.
    Tls,
    /// The length of a frame, not checked yet.
    Frame {
        /// What was claimed.
        length: i32,
    },
}

impl Opening {
    /// Looks at the first four bytes.
    #[must_use]
    pub fn of(bytes: [u8; 4]) -> Self {
        match bytes {
            [0x16, 0x03, _, _] => Self::Tls,
            word if word.iter().all(u8::is_ascii_lowercase) => Self::FourLetterWord(word),
            length => Self::Frame { length: i32::from_be_bytes(length) },
        }
    }
}

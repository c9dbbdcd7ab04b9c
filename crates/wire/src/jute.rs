//! Jute's primitives: big-endian numbers, and buffers, strings and lists behind their lengths.
//!
//! [`Reader`] reads a frame and never past it; buffers come out as slices of the frame, without a
//! copy. Such a slice keeps the memory of its frame (and of what was received with it) alive: who
//! keeps it for long copies it.

use alloc::string::String;
use alloc::vec::Vec;
use core::str;

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};

use crate::WireError;

/// The fewest bytes of a string or buffer on the wire: its length.
pub const STRING_BYTES_MIN: usize = 4;

/// Reads the fields of one frame in order.
#[derive(Clone, Debug)]
pub struct Reader {
    left: Bytes,
}

impl Reader {
    /// Reads this frame (without its length).
    #[must_use]
    pub const fn new(frame: Bytes) -> Self {
        Self { left: frame }
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// A 32-bit number.
    ///
    /// # Errors
    ///
    /// [`WireError::Short`].
    pub fn i32(&mut self) -> Result<i32, WireError> {
        self.left.try_get_i32().map_err(short)
    }

    /// A 64-bit number.
    ///
    /// # Errors
    ///
    /// [`WireError::Short`].
    pub fn i64(&mut self) -> Result<i64, WireError> {
        self.left.try_get_i64().map_err(short)
    }

    /// One byte; all but 0 are true.
    ///
    /// # Errors
    ///
    /// [`WireError::Short`].
    pub fn bool(&mut self) -> Result<bool, WireError> {
        self.left.try_get_u8().map(|byte| byte != 0).map_err(short)
    }

    /// A buffer; `None` where its length is -1.
    ///
    /// # Errors
    ///
    /// [`WireError::Short`] or [`WireError::Length`].
    pub fn buffer(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(length) = self.length()? else { return Ok(None) };
        self.need(length)?;
        Ok(Some(self.left.split_to(length)))
    }

    /// A string that must be there.
    ///
    /// # Errors
    ///
    /// Any but [`WireError::Number`].
    pub fn string(&mut self) -> Result<String, WireError> {
        self.text(|text| text.map(String::from))?.ok_or(WireError::Missing)
    }

    /// A string, given to `read` where it stands; `None` where its length is -1.
    ///
    /// # Errors
    ///
    /// [`WireError::Short`], [`WireError::Length`] or [`WireError::NotUtf8`].
    pub fn text<T>(&mut self, read: impl FnOnce(Option<&str>) -> T) -> Result<T, WireError> {
        let Some(length) = self.length()? else { return Ok(read(None)) };
        self.need(length)?;
        let text = str::from_utf8(&self.left[..length]).map_err(|_| WireError::NotUtf8)?;
        let result = read(Some(text));
        self.left.advance(length);
        Ok(result)
    }

    /// A list of entries of at least `least` bytes each, of which the first `limit` are kept and
    /// the others only read; `None` where its count is -1. Room is made for no more entries than
    /// the bytes that are left can hold, whatever their count.
    ///
    /// # Errors
    ///
    /// [`WireError::Length`], [`WireError::Short`], or what `read` says of an entry.
    pub fn list<T>(
        &mut self,
        least: usize,
        limit: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Option<Vec<T>>, WireError> {
        let Some(count) = self.length()? else { return Ok(None) };
        let mut list = Vec::with_capacity(count.min(limit).min(self.left.len() / least));
        for _ in 0..count {
            let entry = read(self)?;
            if list.len() < limit {
                list.push(entry);
            }
        }
        Ok(Some(list))
    }

    /// The length of a buffer or string, or the count of a list; `None` is -1.
    fn length(&mut self) -> Result<Option<usize>, WireError> {
        match self.i32()? {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| WireError::Length(length)),
        }
    }

    fn need(&self, needed: usize) -> Result<(), WireError> {
        let left = self.left.len();
        if needed > left { Err(WireError::Short { needed, left }) } else { Ok(()) }
    }
}

fn short(error: TryGetError) -> WireError {
    WireError::Short { needed: error.requested, left: error.available }
}

/// Writes jute's primitives.
pub trait Writer: BufMut {
    /// One byte.
    fn put_bool(&mut self, value: bool) {
        self.put_u8(u8::from(value));
    }

    /// The length of what follows, or its count.
    ///
    /// # Panics
    ///
    /// If it is 2^31 or more: whoever answers bounds its answers before.
    fn put_length(&mut self, length: usize) {
        self.put_i32(i32::try_from(length).expect("answers are below 2 GiB"));
    }

    /// A buffer; `None` is the length -1.
    fn put_buffer(&mut self, buffer: Option<&[u8]>) {
        match buffer {
            None => self.put_i32(-1),
            Some(buffer) => {
                self.put_length(buffer.len());
                self.put_slice(buffer);
            }
        }
    }

    /// A string.
    fn put_string(&mut self, string: &str) {
        self.put_buffer(Some(string.as_bytes()));
    }
}

impl Writer for BytesMut {}

/// Appends a whole frame: its length, then what `write` writes. `room` bytes are reserved before.
pub(crate) fn put_frame(out: &mut BytesMut, room: usize, write: impl FnOnce(&mut BytesMut)) {
    out.reserve(4 + room);
    let start = out.len();
    out.put_i32(0);
    write(out);
    let length = i32::try_from(out.len() - start - 4).expect("frames are below 2 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

//! Jute's primitives out of a file, with the place and the checksum of what was read.

use std::io::Read;

use simd_adler32::Adler32;

use crate::Fault;

/// No buffer is longer: what a server can take into a checkpoint.
const BUFFER_MAX: usize = 1 << 30;

/// Reads big-endian numbers, and buffers, strings and lists behind their lengths.
pub(crate) struct Archive<R> {
    source: R,
    begin: u64,
    offset: u64,
    field: u64,
    adler: Adler32,
}

impl<R: Read> Archive<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, begin: 0, offset: 0, field: 0, adler: Adler32::new() }
    }

    /// Goes on where another archive stands.
    pub(crate) fn behind<S>(source: R, before: &Archive<S>) -> Self {
        let (offset, adler) = (before.offset, Adler32::from_checksum(before.adler.finish()));
        Self { source, begin: offset, offset, field: offset, adler }
    }

    /// Where its source begins.
    pub(crate) fn begin(&self) -> u64 {
        self.begin
    }

    /// What is left of the source, if it is not more than `limit` bytes; it counts as not read.
    pub(crate) fn rest(&mut self, limit: u64) -> Result<Vec<u8>, Fault> {
        let mut rest = Vec::new();
        self.field = self.offset;
        let read = (&mut self.source).take(limit + 1).read_to_end(&mut rest)? as u64;
        if read > limit { Err(Fault::Trailing) } else { Ok(rest) }
    }

    /// Where the field begins that was read last.
    pub(crate) fn field(&self) -> u64 {
        self.field
    }

    /// Bytes that were read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Of everything that was read.
    pub(crate) fn checksum(&self) -> u32 {
        self.adler.finish()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.field = self.offset;
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        self.took(&bytes);
        Ok(bytes)
    }

    fn took(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.adler.write(bytes);
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Fault> {
        self.array::<1>().map(|[byte]| byte != 0)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Fault> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Fault> {
        self.array().map(i64::from_be_bytes)
    }

    /// The length of a buffer or the count of a list; `None` is -1.
    pub(crate) fn length(&mut self) -> Result<Option<usize>, Fault> {
        match self.i32()? {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| Fault::Length(length)),
        }
    }

    /// A buffer; it grows as bytes come, whatever length was claimed.
    pub(crate) fn buffer(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(length) = self.length()? else { return Ok(None) };
        self.bytes(length).map(Some)
    }

    /// So many bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        if length > BUFFER_MAX {
            return Err(Fault::Length(i32::try_from(length).unwrap_or(i32::MAX)));
        }
        let mut bytes = Vec::new();
        let read = (&mut self.source).take(length as u64).read_to_end(&mut bytes)?;
        if read < length {
            return Err(Fault::Ends);
        }
        bytes.shrink_to_fit();
        self.took(&bytes);
        Ok(bytes)
    }

    /// A text that must be there.
    pub(crate) fn text(&mut self, what: &'static str) -> Result<String, Fault> {
        text(self.buffer()?.ok_or(Fault::Missing(what))?)
    }

    /// A list that must be there. Nothing is reserved for what its count claims.
    pub(crate) fn list<T>(
        &mut self,
        what: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let count = self.length()?.ok_or(Fault::Missing(what))?;
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }
}

/// UTF-8, in which ZooKeeper writes a character beyond 16 bits as two of three bytes each, though
/// it reads them as UTF-8.
fn text(bytes: Vec<u8>) -> Result<String, Fault> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => with_surrogates(error.as_bytes()).ok_or(Fault::Text),
    }
}

fn with_surrogates(bytes: &[u8]) -> Option<String> {
    let mut units = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = match *rest {
            [0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf, ..] => {
                units.push(0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f));
                &rest[3..]
            }
            _ => {
                let length = rest
                    .iter()
                    .position(|byte| *byte == 0xed)
                    .map_or(rest.len(), |at| if at == 0 { 3.min(rest.len()) } else { at });
                let (plain, behind) = rest.split_at(length);
                units.extend(std::str::from_utf8(plain).ok()?.encode_utf16());
                behind
            }
        };
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beyond_16_bits_as_zookeeper_writes_it() {
        // U+1F600 is d83d de00 in UTF-16.
        let written = b"/a\xed\xa0\xbd\xed\xb8\x80b\xed\x95\x9c".to_vec();
        assert_eq!(text(written).unwrap(), "/a\u{1f600}b\u{d55c}");
        assert_eq!(text("/\u{1f600}".into()).unwrap(), "/\u{1f600}");
        for broken in [&b"/a\xed\xa0\xbd"[..], b"\xff", b"\xed", b"\xed\xb8\x80\xed\xa0\xbd"] {
            assert!(matches!(text(broken.to_vec()), Err(Fault::Text)), "{broken:?}");
        }
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        let mut claimed = 0x3fff_ffff_i32.to_be_bytes().to_vec();
        claimed.extend([1; 100]);
        assert!(matches!(Archive::new(&claimed[..]).buffer(), Err(Fault::Ends)));
        let huge = i32::MAX.to_be_bytes();
        assert!(matches!(Archive::new(&huge[..]).buffer(), Err(Fault::Length(_))));
        let mut list = Archive::new(&huge[..]);
        assert!(matches!(list.list("list", Archive::i64), Err(Fault::Ends)));
        let negative = (-2_i32).to_be_bytes();
        assert!(matches!(Archive::new(&negative[..]).buffer(), Err(Fault::Length(-2))));
    }
}

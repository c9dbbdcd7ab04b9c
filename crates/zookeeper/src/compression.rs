//! The three forms of a snapshot file: plain, gzip, and snappy in the framing of snappy-java.
//!
//! ZooKeeper tells them by the end of the name, whatever its own setting is. snappy-java's framing
//! is not the official one: 16 bytes of header (magic, version, least version), then blocks, each
//! behind its length.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// How a snapshot is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: what ZooKeeper does by default.
    #[default]
    Plain,
    /// `snapshot.compression.method=gz`.
    Gzip,
    /// `snapshot.compression.method=snappy`.
    Snappy,
}

impl Compression {
    /// What the end of the name says.
    pub(crate) fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("snappy") => Self::Snappy,
            _ => Self::Plain,
        }
    }

    /// The content of such a file.
    pub(crate) fn reader<'a>(self, file: impl Read + 'a) -> Box<dyn Read + 'a> {
        let file = BufReader::with_capacity(1 << 16, file);
        match self {
            Self::Plain => Box::new(file),
            Self::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(file))),
            Self::Snappy => Box::new(SnappyBlocks { file, block: Vec::new(), at: 0, begun: false }),
        }
    }
}

/// The end of the file's name.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
        })
    }
}

const SNAPPY_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// What follows the magic.
const SNAPPY_VERSIONS: usize = 8;
/// Three bytes of snappy can stand for 64.
const SNAPPY_RATIO_MAX: usize = 22;
const SNAPPY_BLOCK_MAX: usize = 1 << 30;

struct SnappyBlocks<R> {
    file: R,
    block: Vec<u8>,
    at: usize,
    begun: bool,
}

impl<R: Read> SnappyBlocks<R> {
    /// Unpacks the next block; there is none at the end of the file.
    fn next_block(&mut self) -> io::Result<bool> {
        if !self.begun {
            let mut magic = [0; 4];
            self.file.read_exact(&mut magic)?;
            self.skip_header(magic)?;
            self.begun = true;
        }
        loop {
            match self.length()? {
                None => return Ok(false),
                // Another stream behind the first.
                Some(length) if length == SNAPPY_MAGIC[..4] => self.skip_header(length)?,
                Some(length) => {
                    let length = u32::from_be_bytes(length) as usize;
                    self.block = unpack(&self.take(length)?)?;
                    self.at = 0;
                    return Ok(true);
                }
            }
        }
    }

    fn skip_header(&mut self, begin: [u8; 4]) -> io::Result<()> {
        let mut rest = [0; 4];
        self.file.read_exact(&mut rest)?;
        if [begin, rest].concat() != SNAPPY_MAGIC {
            return Err(invalid("the header of snappy-java is missing"));
        }
        self.file.read_exact(&mut [0; SNAPPY_VERSIONS])
    }

    fn length(&mut self) -> io::Result<Option<[u8; 4]>> {
        let mut length = [0; 4];
        let first = self.file.read(&mut length)?;
        if first == 0 {
            return Ok(None);
        }
        self.file.read_exact(&mut length[first..])?;
        Ok(Some(length))
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > SNAPPY_BLOCK_MAX {
            return Err(invalid("a block is longer than any can be"));
        }
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(length as u64).read_to_end(&mut bytes)?;
        if read == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

fn unpack(block: &[u8]) -> io::Result<Vec<u8>> {
    let length = snap::raw::decompress_len(block).map_err(invalid)?;
    if length > block.len() * SNAPPY_RATIO_MAX {
        return Err(invalid("a block claims more than it can hold"));
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(invalid)
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl<R: Read> Read for SnappyBlocks<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let taken = (&self.block[self.at..]).read(out)?;
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(blocks: &[&[u8]]) -> Vec<u8> {
        let mut bytes = SNAPPY_MAGIC.to_vec();
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 1]);
        for block in blocks {
            let packed = snap::raw::Encoder::new().compress_vec(block).unwrap();
            bytes.extend((packed.len() as u32).to_be_bytes());
            bytes.extend(packed);
        }
        bytes
    }

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        Compression::Snappy.reader(bytes).read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn snappy_streams_one_behind_the_other() {
        let long = vec![7; 100_000];
        let mut bytes = stream(&[b"one", b"", &long]);
        bytes.extend(stream(&[b"two"]));
        assert_eq!(unpacked(&bytes).unwrap(), [b"one", &long[..], b"two"].concat());
    }

    #[test]
    fn snappy_that_is_damaged() {
        let whole = stream(&[b"one two three four five six"]);
        for cut in [0, 5, 12, 18, 22, whole.len() - 1] {
            assert!(unpacked(&whole[..cut]).is_err(), "cut at {cut}");
        }
        // A block of few bytes that claims gigabytes.
        let mut bomb = stream(&[]);
        bomb.extend([0, 0, 0, 6, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
        assert!(unpacked(&bomb).unwrap_err().to_string().contains("claims more"));
    }
}

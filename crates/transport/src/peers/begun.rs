//! The first bytes of a connection: what language they are.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::hello::{Ending, Language};

/// How a connection in HTTP/2 begins.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How one in TLS begins: a record of the handshake, of any version since SSL 3.
const TLS: &[u8] = &[0x16, 3];

/// What a connection that may be a peer's speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    Plain,
    Tls,
}

/// A connection of which the first bytes were read already; they are read again.
#[derive(Debug)]
pub(crate) struct Begun {
    first: Bytes,
    stream: TcpStream,
}

impl Begun {
    /// Reads so much that it is clear what is spoken.
    pub(crate) async fn recognise(mut stream: TcpStream) -> Result<(Speech, Self), Ending> {
        let mut first = Vec::with_capacity(HTTP2.len());
        let speech = loop {
            if let Some(speech) = speech(&first)? {
                break speech;
            }
            let left = (HTTP2.len() - first.len()) as u64;
            let read = (&mut stream).take(left).read_buf(&mut first).await;
            match read.map_err(|error| Ending::Broken(error.to_string()))? {
                0 if first.is_empty() => return Err(Ending::Ended),
                0 => return Err(Ending::Foreign(Language::of(&first))),
                _ => {}
            }
        };
        Ok((speech, Self { first: first.into(), stream }))
    }
}

impl From<TcpStream> for Begun {
    fn from(stream: TcpStream) -> Self {
        Self { first: Bytes::new(), stream }
    }
}

/// `None` if that is not clear yet.
fn speech(first: &[u8]) -> Result<Option<Speech>, Ending> {
    if first.starts_with(HTTP2) {
        Ok(Some(Speech::Plain))
    } else if first.starts_with(TLS) {
        Ok(Some(Speech::Tls))
    } else if HTTP2.starts_with(first) || TLS.starts_with(first) {
        Ok(None)
    } else {
        Err(Ending::Foreign(Language::of(first)))
    }
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let bytes = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..bytes]);
        self.first.advance(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_is_spoken() {
        for at in 0..HTTP2.len() {
            assert_eq!(speech(&HTTP2[..at]).unwrap(), None, "{at} bytes");
        }
        assert_eq!(speech(HTTP2).unwrap(), Some(Speech::Plain));
        assert_eq!(speech(&[0x16]).unwrap(), None);
        assert_eq!(speech(&[0x16, 3, 1, 0]).unwrap(), Some(Speech::Tls));
        for (first, language) in [
            (&b"GET / HTTP/1.1"[..], Language::Http),
            (b"PRI * HTTP/1.1", Language::Http),
            (b"ruok", Language::Word),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0], Language::ZooKeeper),
            (&[0, 0, 0, 11, 0, 0, 0, 0], Language::ZooKeeper),
            (&[0, 0, 0, 16, 0, 0, 0, 0], Language::ZooKeeper),
            (&[0, 0, 0, 45, 0, 0, 0, 0], Language::Client),
            (&[0x16, 0x16], Language::Unknown),
            (&[0xff; 5], Language::Unknown),
        ] {
            let Err(Ending::Foreign(heard)) = speech(first) else { panic!("{first:?}") };
            assert_eq!(heard, language, "{first:?}");
        }
    }
}

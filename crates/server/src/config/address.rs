//! A host and a port, as they are written.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};

/// A host (a name or an address) and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// `None` stands for every address of this machine.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Where that is: `[::]` for every address, of a name the first of its addresses. Asks the
    /// operating system, which may ask a name server.
    ///
    /// # Errors
    /// A name that has no address.
    pub fn resolve(&self) -> io::Result<SocketAddr> {
        let Some(host) = &self.host else {
            return Ok((Ipv6Addr::UNSPECIFIED, self.port).into());
        };
        let first = (host.as_str(), self.port).to_socket_addrs()?.next();
        first.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
            None => write!(f, "*:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_resolve() {
        let resolve = |host: Option<&str>| {
            HostPort { host: host.map(str::to_string), port: 2181 }.resolve().map(|a| a.to_string())
        };
        assert_eq!(resolve(None).unwrap(), "[::]:2181");
        assert_eq!(resolve(Some("127.0.0.1")).unwrap(), "127.0.0.1:2181");
        assert_eq!(resolve(Some("::1")).unwrap(), "[::1]:2181");
        assert!(resolve(Some("no such host")).is_err());
    }
}

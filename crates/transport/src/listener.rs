//! Accepts connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;

use crate::counters::count;
use crate::{Clients, Words};

/// How long nothing is accepted after an error, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// An open client port.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Opens `address`; `[::]` takes IPv4 as well, and falls back to it where the machine has no
    /// IPv6. `backlog` connections may wait to be accepted. Needs tokio's context.
    ///
    /// # Errors
    /// What the operating system says, as when the port is taken.
    pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<Self> {
        let bound = bind(address, backlog);
        let socket = match bound {
            Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
                bind((Ipv4Addr::UNSPECIFIED, address.port()).into(), backlog).or(bound)?
            }
            bound => bound?,
        };
        Ok(Self { socket })
    }

    /// Where it listens; says which port, if any was wanted.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves connections until `clients` stops.
    pub async fn serve(self, clients: Arc<Clients>, words: Arc<dyn Words>) {
        let mut stopping = std::pin::pin!(clients.stopping());
        loop {
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => {
                        // It fails only if the client is gone already: reading will tell.
                        let _ = stream.set_nodelay(true);
                        clients.admit(stream, peer, Arc::clone(&words));
                    }
                    Err(error) => {
                        count(&clients.counters.accept_errors);
                        tracing::warn!(%error, "cannot accept a connection");
                        sleep(PAUSE).await;
                    }
                },
                () = &mut stopping => return,
            }
        }
    }
}

fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

//! Asks servers the word `srvr`, all at once, and waits for none of them long.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use zooid_server::config::HostPort;

use super::{Addresses, Report};

/// What came of asking one server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// Who was asked, as it was written.
    pub(crate) server: String,
    /// What it says, or why it says nothing.
    pub(crate) says: Result<Report, String>,
}

impl Answer {
    /// What it says, if it serves.
    #[must_use]
    pub(crate) fn report(&self) -> Option<&Report> {
        self.says.as_ref().ok()
    }
}

/// How long connecting may take, and each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of the longest answer that is read; a server's has some 300.
const ANSWER_BYTES: u64 = 16 * 1024;

/// Asks all; the answers in the same order.
#[must_use]
pub(crate) fn ask_all(servers: &Addresses) -> Vec<Answer> {
    let asked: Vec<_> =
        servers.0.iter().cloned().map(|server| thread::spawn(move || ask(&server))).collect();
    let joined = asked.into_iter().zip(&servers.0).map(|(asking, server)| {
        asking.join().unwrap_or_else(|_| Answer {
            server: server.to_string(),
            says: Err("asking it failed".to_string()),
        })
    });
    joined.collect()
}

fn ask(server: &HostPort) -> Answer {
    let said = said(server).map_err(|error| why(&error));
    Answer { server: server.to_string(), says: said.and_then(|text| Report::read(&text)) }
}

fn said(server: &HostPort) -> io::Result<String> {
    let mut stream = connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"srvr")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Tries every address of a name.
fn connect(server: &HostPort) -> io::Result<TcpStream> {
    let host = server.host.as_deref().unwrap_or("localhost");
    let mut failure = io::Error::new(ErrorKind::AddrNotAvailable, "the name has no address");
    for address in (host, server.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) if is_itself(&stream, address) => {
                failure = ErrorKind::ConnectionRefused.into()
            }
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A port that nobody listens on, in the range of the system's own, can be connected to itself.
fn is_itself(stream: &TcpStream, address: SocketAddr) -> bool {
    stream.local_addr().is_ok_and(|local| local == address)
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "unreachable: nobody listens".to_string(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            format!("unreachable: no answer within {} s", PATIENCE.as_secs())
        }
        _ => format!("unreachable: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What a server that answers like this is said to be.
    fn answer_to(answer: &'static [u8]) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).unwrap();
            assert_eq!(&word, b"srvr");
            // It may have heard enough.
            let _ = stream.write_all(answer);
        });
        let mut answers = ask_all(&address.parse().unwrap());
        server.join().unwrap();
        answers.remove(0)
    }

    #[test]
    fn an_answer_is_read() {
        let answer = answer_to(b"Zookeeper version: 1, built\nConnections: 1\nZxid: 0x1\nMode: leader\nNode count: 5\nLatency min/avg/max: 0/0.0/0\n");
        assert_eq!(answer.says.unwrap().znodes, 5);
    }

    #[test]
    fn other_answers_are_told() {
        let not_serving = answer_to(b"This ZooKeeper instance is not currently serving requests\n");
        assert_eq!(not_serving.says.unwrap_err(), "not serving: it has no leader, or is starting");
        assert_eq!(answer_to(b"").says.unwrap_err(), "no answer to srvr");
        assert!(answer_to(&[b'x'; 100_000]).says.is_err());
    }

    #[test]
    fn nobody_is_told() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let answers = ask_all(&format!("127.0.0.1:{port}").parse().unwrap());
        assert_eq!(answers[0].says, Err("unreachable: nobody listens".to_string()));
    }
}

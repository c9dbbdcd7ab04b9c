//! A list of servers as clients write it.

use std::str::FromStr;

use zooid_server::config::HostPort;

/// One or more servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses(pub(crate) Vec<HostPort>);

const DEFAULT_PORT: u16 = 2181;
/// More are a mistake, and each takes a thread.
const SERVERS_MAX: usize = 100;

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split(',').map(str::trim);
        let servers: Vec<_> = parts.map(host_port).collect::<Result<_, _>>()?;
        if servers.len() > SERVERS_MAX {
            return Err(format!("{} servers, at most {SERVERS_MAX}", servers.len()));
        }
        Ok(Self(servers))
    }
}

fn host_port(text: &str) -> Result<HostPort, String> {
    let bad = || format!("'{text}' is not host, host:port or [ipv6]:port");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or_else(bad)?;
            let port = if behind.is_empty() {
                None
            } else {
                Some(behind.strip_prefix(':').ok_or_else(bad)?)
            };
            (host, port)
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.contains('/') {
        return Err(bad());
    }
    let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| bad()))?;
    Ok(HostPort { host: Some(host.to_string()), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let cases: [(&str, &[&str]); 5] = [
            ("a:1", &["a:1"]),
            ("a", &["a:2181"]),
            ("a:1, b:2,c", &["a:1", "b:2", "c:2181"]),
            ("[::1]:1", &["[::1]:1"]),
            ("[::1]", &["[::1]:2181"]),
        ];
        for (text, expected) in cases {
            let read = text.parse::<Addresses>().unwrap();
            let shown: Vec<_> = read.0.iter().map(ToString::to_string).collect();
            assert_eq!(shown, expected, "{text}");
        }
    }

    #[test]
    fn others_are_refused() {
        for text in [
            "", "a:", ":1", "a:x", "a:65536", "a:1,", "::1", "[::1", "[::1]1", "a:1/path", "a/path",
        ] {
            assert!(text.parse::<Addresses>().is_err(), "{text}");
        }
        assert!(vec!["a"; SERVERS_MAX + 1].join(",").parse::<Addresses>().is_err());
    }
}

//! `server.N` lines.

use zooid_ids::ServerId;

use super::HostPort;

/// One `server.N` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `N`.
    pub id: ServerId,
    /// Where it talks to other servers: for each address the port for followers and that for
    /// elections.
    pub addresses: Vec<(HostPort, u16)>,
    /// Whether it only follows, without a vote.
    pub is_observer: bool,
    /// Where it serves clients, if the line says so.
    pub client: Option<HostPort>,
    /// Where it serves clients by TLS, if the line says so.
    pub secure_client: Option<HostPort>,
}

impl Server {
    /// Where it talks to other servers, as `/zookeeper/config` shows it.
    pub(super) fn shown_addresses(&self) -> String {
        let role = if self.is_observer { "observer" } else { "participant" };
        let one = |(address, election): &(HostPort, u16)| format!("{address}:{election}:{role}");
        self.addresses.iter().map(one).collect::<Vec<_>>().join("|")
    }
}

/// What a line must look like, for error messages.
pub(super) const FORM: &str = "host:port:electionPort[:participant|:observer][;[clientHost:]clientPort], \
     with more host:port:electionPort after | if the server has several addresses";

/// Reads the value of `server.N`; `None` if it does not have the [`FORM`].
pub(super) fn parse(id: ServerId, value: &str) -> Option<Server> {
    let mut parts = value.split(';');
    let quorum = parts.next()?;
    let client = client_address(parts.next())?;
    let secure_client = client_address(parts.next())?;
    if parts.next().is_some() {
        return None;
    }
    let addresses: Vec<_> = quorum.split('|').map(quorum_address).collect::<Option<_>>()?;
    let is_observer = addresses.first()?.2;
    if addresses.iter().any(|address| address.2 != is_observer) {
        return None;
    }
    let addresses = addresses.into_iter().map(|(host, port, _)| (host, port)).collect();
    Some(Server { id, addresses, is_observer, client, secure_client })
}

fn quorum_address(text: &str) -> Option<(HostPort, u16, bool)> {
    let (host, rest) = split_host(text)?;
    let mut parts = rest.split(':');
    let (port, election): (u16, u16) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let role = parts.next().unwrap_or("participant").to_ascii_lowercase();
    let is_observer = match role.as_str() {
        "participant" => false,
        "observer" => true,
        _ => return None,
    };
    let is_over = parts.next().is_none() && port != election;
    is_over.then(|| (HostPort { host: Some(host.to_string()), port }, election, is_observer))
}

/// Reads `[host:]port`, where there is one.
fn client_address(text: Option<&str>) -> Option<Option<HostPort>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Some(None) };
    if let Ok(port) = text.parse() {
        return Some(Some(HostPort { host: None, port }));
    }
    let (host, port) = split_host(text)?;
    Some(Some(HostPort { host: Some(host.to_string()), port: port.parse().ok()? }))
}

/// Splits at the first `:` behind the host, which may be an IPv6 address in brackets.
fn split_host(text: &str) -> Option<(&str, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, rest) = text.split_once(']')?;
            (host, rest.strip_prefix(':')?)
        }
        None => text.split_once(':')?,
    };
    (!host.is_empty()).then_some((host, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host_port(host: &str, port: u16) -> HostPort {
        HostPort { host: (host != "*").then(|| host.to_string()), port }
    }

    #[test]
    fn lines_are_read() {
        type Case =
            (&'static str, &'static [(&'static str, u16, u16)], bool, Option<(&'static str, u16)>);
        let cases: [Case; 8] = [
            ("a:2888:3888", &[("a", 2888, 3888)], false, None),
            ("a:2888:3888:participant", &[("a", 2888, 3888)], false, None),
            ("a:2888:3888:OBSERVER", &[("a", 2888, 3888)], true, None),
            ("a:2888:3888;2181", &[("a", 2888, 3888)], false, Some(("*", 2181))),
            ("a:2888:3888:observer;b:2181", &[("a", 2888, 3888)], true, Some(("b", 2181))),
            ("[::1]:2888:3888;[::]:2181", &[("::1", 2888, 3888)], false, Some(("::", 2181))),
            ("a:1:2|b:3:4", &[("a", 1, 2), ("b", 3, 4)], false, None),
            ("a:1:2;", &[("a", 1, 2)], false, None),
        ];
        for (value, addresses, is_observer, client) in cases {
            let addresses =
                addresses.iter().map(|(host, port, election)| (host_port(host, *port), *election));
            let expected = Server {
                id: ServerId(7),
                addresses: addresses.collect(),
                is_observer,
                client: client.map(|(host, port)| host_port(host, port)),
                secure_client: None,
            };
            assert_eq!(parse(ServerId(7), value), Some(expected), "{value}");
        }
    }

    #[test]
    fn a_third_part_is_for_tls() {
        let server = parse(ServerId(1), "a:1:2;2181;b:2281").unwrap();
        assert_eq!(server.secure_client, Some(host_port("b", 2281)));
        assert_eq!(parse(ServerId(1), "a:1:2;;2281").unwrap().client, None);
    }

    #[test]
    fn other_lines_are_refused() {
        for value in [
            "",
            "a",
            "a:1",
            "a:1:1",
            "a:x:2",
            "a:1:2:leader",
            "a:1:2:observer:3",
            ":1:2",
            "a:1:70000",
            "[::1:1:2",
            "[::1]1:2",
            "a:1:2;b",
            "a:1:2;b:c",
            "a:1:2;1;x",
            "a:1:2;1;2;3",
            "a:1:2:observer|b:3:4",
            "a:1:2|",
        ] {
            assert_eq!(parse(ServerId(1), value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = parse(ServerId(1), &text);
        }
    }
}

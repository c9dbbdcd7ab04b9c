//! `srvr`, `stat`, `conf`, `dirs`, `hash`.

use std::fmt::Write;
use std::path::Path;

use zooid_ids::{Millis, Zxid};
use zooid_transport::ConnectionReport;

use super::connections::brief;
use super::java::Double;
use crate::config::{Config, Ensemble};

/// One server at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What [`version`](super::version) says.
    pub version: String,
    /// `standalone`, `leader`, `follower` or `observer`.
    pub mode: &'static str,
    /// The shortest time from request to answer, in milliseconds.
    pub min_latency: u64,
    /// The mean time from request to answer, in milliseconds.
    pub avg_latency: f64,
    /// The longest time from request to answer, in milliseconds.
    pub max_latency: u64,
    /// Frames and words received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// Open connections, the one that asks among them.
    pub connections: usize,
    /// Requests without an answer.
    pub outstanding: usize,
    /// The last transaction that was applied.
    pub zxid: Zxid,
    /// Nodes of the tree.
    pub znodes: usize,
    /// Of a leader of others: bytes of its proposals.
    pub proposals: Option<Proposals>,
}

/// Bytes of what a leader proposed; -1 each before the first, as in ZooKeeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposals {
    /// The last one.
    pub last: i64,
    /// The smallest one.
    pub min: i64,
    /// The largest one.
    pub max: i64,
}

impl Default for Proposals {
    fn default() -> Self {
        Self { last: -1, min: -1, max: -1 }
    }
}

impl Proposals {
    /// Counts one more.
    pub fn add(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.min = if self.last < 0 { bytes } else { self.min.min(bytes) };
        self.max = self.max.max(bytes);
        self.last = bytes;
    }
}

/// What `conf` says beside the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conf {
    /// The port that clients are served on, where the configuration can say any.
    pub client_port: u16,
    /// Bytes of `dataDir`.
    pub data_bytes: u64,
    /// Bytes of `dataLogDir`.
    pub log_bytes: u64,
}

/// `srvr`.
#[must_use]
pub fn srvr(view: &View) -> String {
    format!("Zookeeper version: {}\n{}", view.version, statistics(view))
}

/// `stat`: `srvr` with the clients.
#[must_use]
pub fn stat(view: &View, connections: &[ConnectionReport]) -> String {
    let mut text = format!("Zookeeper version: {}\nClients:\n", view.version);
    connections.iter().for_each(|connection| text += &(brief(connection) + ")\n"));
    text + "\n" + &statistics(view)
}

fn statistics(view: &View) -> String {
    let View { min_latency, max_latency, received, sent, connections, .. } = view;
    let View { outstanding, zxid, mode, znodes, .. } = view;
    let avg_latency = Double(view.avg_latency);
    let proposals = view.proposals.map_or_else(String::new, |Proposals { last, min, max }| {
        format!("Proposal sizes last/min/max: {last}/{min}/{max}\n")
    });
    format!(
        "Latency min/avg/max: {min_latency}/{avg_latency}/{max_latency}\n\
         Received: {received}\n\
         Sent: {sent}\n\
         Connections: {connections}\n\
         Outstanding: {outstanding}\n\
         Zxid: {zxid}\n\
         Mode: {mode}\n\
         Node count: {znodes}\n{proposals}"
    )
}

/// `conf`.
#[must_use]
pub fn conf(config: &Config, conf: Conf) -> String {
    let Conf { client_port, data_bytes, log_bytes } = conf;
    let (data_dir, log_dir) = (absolute(&config.data_dir), absolute(&config.data_log_dir));
    let tick = config.tick.0;
    let per_address = config.connections_per_address.unwrap_or(0);
    let (min, max) = (config.timeouts.min.0, config.timeouts.max.0);
    let backlog = config.listen_backlog.map_or(-1, i64::from);
    let id = config.id;
    let members = config.ensemble.as_ref();
    let members = members.map_or_else(String::new, |ensemble| members_of(config, ensemble));
    format!(
        "clientPort={client_port}\n\
         secureClientPort=-1\n\
         dataDir={data_dir}\n\
         dataDirSize={data_bytes}\n\
         dataLogDir={log_dir}\n\
         dataLogSize={log_bytes}\n\
         tickTime={tick}\n\
         maxClientCnxns={per_address}\n\
         minSessionTimeout={min}\n\
         maxSessionTimeout={max}\n\
         clientPortListenBacklog={backlog}\n\
         serverId={id}\n{members}"
    )
}

/// What an ensemble adds to `conf`.
fn members_of(config: &Config, ensemble: &Ensemble) -> String {
    let own = &ensemble.servers[&config.id];
    let (quorum, election_port) = &own.addresses[0];
    let quorum_port = quorum.port;
    let ticks = |limit: Millis| limit.0 / config.tick.0;
    let (init_limit, sync_limit) = (ticks(ensemble.init_limit), ticks(ensemble.sync_limit));
    let peer_type = i32::from(own.is_observer);
    let membership = ensemble.shown();
    format!(
        "initLimit={init_limit}\n\
         syncLimit={sync_limit}\n\
         electionAlg=3\n\
         electionPort={election_port}\n\
         quorumPort={quorum_port}\n\
         peerType={peer_type}\n\
         membership: \n{membership}\n"
    )
}

/// The whole path; as it was written where there is no current directory.
fn absolute(path: &Path) -> String {
    let whole = std::path::absolute(path);
    whole.as_deref().unwrap_or(path).display().to_string()
}

/// `dirs`.
#[must_use]
pub fn dirs(data_bytes: u64, log_bytes: u64) -> String {
    format!("datadir_size: {data_bytes}\nlogdir_size: {log_bytes}\n")
}

/// `hash`: digests of the tree with the transactions they stand behind.
#[must_use]
pub fn hash(digests: &[(Zxid, u64)]) -> String {
    let mut text = String::new();
    for (zxid, digest) in digests {
        // Java has signed numbers only.
        writeln!(text, "{:x}: {}", zxid.0, *digest as i64).expect("a string takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::connections::tests::reports;
    use super::*;

    fn view() -> View {
        View {
            version: "3.9.5-zooid-0.1.0, built on 2026-02-11 20:18 UTC".to_string(),
            mode: "standalone",
            min_latency: 0,
            avg_latency: 14.27,
            max_latency: 42,
            received: 7,
            sent: 6,
            connections: 3,
            outstanding: 1,
            zxid: Zxid(0x1_0000_0004),
            proposals: None,
            znodes: 7,
        }
    }

    #[test]
    fn srvr_says() {
        assert_eq!(
            srvr(&view()),
            "Zookeeper version: 3.9.5-zooid-0.1.0, built on 2026-02-11 20:18 UTC\n\
             Latency min/avg/max: 0/14.27/42\n\
             Received: 7\n\
             Sent: 6\n\
             Connections: 3\n\
             Outstanding: 1\n\
             Zxid: 0x100000004\n\
             Mode: standalone\n\
             Node count: 7\n"
        );
    }

    #[test]
    fn stat_says() {
        assert_eq!(
            stat(&view(), &reports()),
            "Zookeeper version: 3.9.5-zooid-0.1.0, built on 2026-02-11 20:18 UTC\n\
             Clients:\n \
             /127.0.0.1:42044[1](queued=0,recved=6,sent=6)\n \
             /127.0.0.1:42050[4](queued=2,recved=9,sent=7)\n \
             /127.0.0.1:42078[0](queued=0,recved=1,sent=0)\n\
             \n\
             Latency min/avg/max: 0/14.27/42\n\
             Received: 7\n\
             Sent: 6\n\
             Connections: 3\n\
             Outstanding: 1\n\
             Zxid: 0x100000004\n\
             Mode: standalone\n\
             Node count: 7\n"
        );
    }

    #[test]
    fn conf_says() {
        let text = "dataDir=/data\ndataLogDir=/log\nclientPort=0\ntickTime=200\n\
                    maxClientCnxns=0\nserver.3=a:1:2";
        let (config, _) = Config::parse(Path::new("zoo.cfg"), text.as_bytes(), &[]).unwrap();
        let sizes = Conf { client_port: 53455, data_bytes: 1_049_070, log_bytes: 5 };
        assert_eq!(
            conf(&config, sizes),
            "clientPort=53455\n\
             secureClientPort=-1\n\
             dataDir=/data\n\
             dataDirSize=1049070\n\
             dataLogDir=/log\n\
             dataLogSize=5\n\
             tickTime=200\n\
             maxClientCnxns=0\n\
             minSessionTimeout=400\n\
             maxSessionTimeout=4000\n\
             clientPortListenBacklog=-1\n\
             serverId=3\n"
        );
    }

    #[test]
    fn dirs_and_hash_say() {
        assert_eq!(dirs(1_049_070, 7), "datadir_size: 1049070\nlogdir_size: 7\n");
        let digests = [(Zxid(0x1_0000_0080), 1_371_985_504), (Zxid(0x1_0000_0100), u64::MAX)];
        assert_eq!(hash(&digests), "100000080: 1371985504\n100000100: -1\n");
    }
}

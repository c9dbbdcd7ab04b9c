//! Every key that ZooKeeper knows, and what becomes of it here; those that begin with `zooid.` it
//! does not know.
//!
//! Written without the prefix `zookeeper.`; a name that ends in `.` stands for all that begin with
//! it.

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// It is read.
    Used,
    /// Nothing is lost by leaving it out, and why.
    Needless(&'static str),
    /// What it asks for is not there yet.
    Missing(&'static str),
}

const USED: &[&str] = &[
    "dataDir",
    "dataLogDir",
    "clientPort",
    "clientPortAddress",
    "clientPortListenBacklog",
    "tickTime",
    "minSessionTimeout",
    "maxSessionTimeout",
    "maxClientCnxns",
    "maxCnxns",
    "globalOutstandingLimit",
    "jute.maxbuffer",
    "nio.sessionlessCnxnTimeout",
    "snapCount",
    "commitLogCount",
    "fsync.warningthresholdms",
    "zooid.headRoom",
    "4lw.commands.whitelist",
    "enforceQuota",
    "extendedTypesEnabled",
    "znode.container.checkIntervalMs",
    "znode.container.maxPerMinute",
    "znode.container.maxNeverUsedIntervalMs",
    "DigestAuthenticationProvider.enabled",
    "DigestAuthenticationProvider.superDigest",
    "DigestAuthenticationProvider.digestAlg",
    "sessionRequireClientSASLAuth",
    "enforce.auth.enabled",
    "sslQuorum",
    "portUnification",
    "ssl.quorum.keyStore.location",
    "ssl.quorum.keyStore.type",
    "ssl.quorum.trustStore.location",
    "ssl.quorum.trustStore.type",
    "ssl.quorum.clientAuth",
    "ssl.quorum.hostnameVerification",
    "ssl.quorum.clientHostnameVerification",
    "ssl.quorum.protocol",
    "ssl.quorum.enabledProtocols",
    "ssl.quorum.crl",
    "ssl.quorum.ocsp",
    "ssl.quorum.context.supplier.class",
    "dynamicConfigFile",
    "server.",
    "group.",
    "weight.",
    "initLimit",
    "syncLimit",
    "quorumListenOnAllIPs",
    "peerType",
];

/// Keys that are understood and change nothing, by the reason.
const NEEDLESS: &[(&str, &[&str])] = &[
    (
        "only ZooKeeper's ensembles have a use for them",
        &[
            "connectToLearnerMasterLimit",
            "electionAlg",
            "syncEnabled",
            "standaloneEnabled",
            "observer.syncEnabled",
            "fastleader.minNotificationInterval",
            "fastleader.maxNotificationInterval",
            "leader.maxConcurrentSnapSyncs",
            "leader.maxConcurrentDiffSyncs",
            "leader.maxTimeToWaitForEpoch",
            "leaderServes",
            "cnxTimeout",
            "quorumCnxnTimeoutMs",
            "quorum.cnxn.threads.size",
            "electionPortBindRetry",
            "leaderConnectDelayDuringRetryMs",
            "learner.closeSocketAsync",
            "leader.closeSocketAsync",
            "learner.asyncSending",
            "leader.nodelay",
            "follower.nodelay",
            "forward_learner_requests_to_commit_processor_disabled",
            "follower.skipLearnerRequestToNextProcessor",
            "leader.ackLoggingFrequency",
            "observer.reconnectDelayMs",
            "observer.election.DelayMs",
            "observerMaster.sizeLimit",
            "observerMasterPort",
            "multiAddress.",
            "oraclePath",
            "version",
            "snapshotSizeFactor",
            "forceSnapshotSync",
            "testingonly.initialZxid",
            "test.allowDiscontinuousProposals",
            "tcpKeepAlive",
        ],
    ),
    (
        "old log files and checkpoints are always purged, and no faster than is safe",
        &["autopurge.snapRetainCount", "autopurge.purgeInterval"],
    ),
    (
        "how the log and the checkpoints are written is decided by this server; every write is \
         synced before it is answered",
        &[
            "preAllocSize",
            "forceSync",
            "flushDelay",
            "maxWriteQueuePollTime",
            "maxBatchSize",
            "snapSizeLimitInKb",
            "txnLogSizeLimitInKb",
            "snapshot.compression.method",
            "snapshot.trust.empty",
            "serializeLastProcessedZxid.enabled",
            "digest.enabled",
            "datadir.autocreate",
            "db.autocreate",
            "closeSessionTxn.enabled",
            "intBufferStartingSizeBytes",
        ],
    ),
    (
        "files in PEM are read as they are, a private key in the clear",
        &[
            "ssl.quorum.keyStore.password",
            "ssl.quorum.keyStore.passwordPath",
            "ssl.quorum.trustStore.password",
            "ssl.quorum.trustStore.passwordPath",
        ],
    ),
    (
        "between servers only suites that are held to be safe are offered, names are looked up in \
         the configuration, and a handshake has the time of a hello",
        &[
            "ssl.quorum.ciphersuites",
            "ssl.quorum.allowReverseDnsLookup",
            "ssl.quorum.handshakeDetectionTimeoutMillis",
        ],
    ),
    (
        "they tune parts of ZooKeeper that this server does not consist of",
        &[
            "serverCnxnFactory",
            "nio.numSelectorThreads",
            "nio.numWorkerThreads",
            "nio.directBufferBytes",
            "nio.shutdownTimeout",
            "netty.",
            "commitProcessor.",
            "maxResponseCacheSize",
            "maxGetChildrenResponseCacheSize",
            "watchManagerName",
            "watcherCleanThreadsNum",
            "watcherCleanThreshold",
            "watcherCleanIntervalInSeconds",
            "maxInProcessingDeadWatchers",
            "bitHashCacheSize",
            "jvm.pause.",
            "jmx.",
            "messageTracker.",
            "pathStats.",
            "jute.maxbuffer.extrasize",
            "request.timeout",
            "admin.log.level",
            "log.dir",
            "log.file",
            "log.threshold",
            "root.logger",
            "console.threshold",
            "DigestAuthenticationProvider.",
        ],
    ),
];

/// Keys that ask for what is not there yet, by what they ask for.
const MISSING: &[(&str, &[&str])] = &[
    (
        "TLS for clients, and certificates that are read again while it runs",
        &[
            "secureClientPort",
            "secureClientPortAddress",
            "ssl.",
            "sslQuorumReloadCertFiles",
            "client.portUnification",
            "client.certReload",
            "fips-mode",
            "X509AuthenticationProvider.",
        ],
    ),
    ("the AdminServer", &["admin."]),
    ("a metrics port", &["metricsProvider."]),
    (
        "SASL, Kerberos and other ways to authenticate",
        &[
            "authProvider.",
            "SASLAuthenticationProvider.",
            "IPAuthenticationProvider.",
            "ensembleAuthName",
            "enforce.auth.schemes",
            "superUser",
            "quorum.auth.",
            "kerberos.",
            "kinit",
            "sasl.serverconfig",
            "security.auth_to_local",
            "server.realm",
            "allowSaslFailedClients",
            "letAnySaslUserDoX",
            "requireKerberosConfig",
        ],
    ),
    ("a server that does not check ACLs", &["skipACL"]),
    ("checking ACLs before a request is queued", &["enableEagerACLCheck"]),
    ("read-only mode", &["readonlymode.enabled"]),
    ("changing the ensemble while it runs", &["reconfigEnabled"]),
    ("local sessions", &["localSessionsEnabled", "localSessionsUpgradingEnabled"]),
    ("an audit log", &["audit."]),
    ("TTL nodes as ZooKeeper 3.5.3 numbered them", &["emulate353TTLNodes"]),
    ("TCP keep-alive (sessions notice dead clients)", &["clientTcpKeepAlive"]),
    (
        "throttling of connections and requests beyond the limits",
        &[
            "connection_throttle_",
            "request_throttle_",
            "requestThrottleLimit",
            "requestThrottleStallTime",
            "requestThrottleDropStale",
            "requestStaleLatencyCheck",
            "requestStaleConnectionCheck",
            "request_throttler.",
            "request_stale_",
            "throttled_op_wait_time",
            "largeRequestMaxBytes",
            "largeRequestThreshold",
        ],
    ),
];

/// Keys whose Java property has no prefix: ZooKeeper takes them from `-D` only.
const FLAGS_ONLY: &[&str] = &[
    "jute.maxbuffer",
    "jute.maxbuffer.extrasize",
    "readonlymode.enabled",
    "znode.container.checkIntervalMs",
    "znode.container.maxPerMinute",
    "znode.container.maxNeverUsedIntervalMs",
    "leader.nodelay",
    "follower.nodelay",
];

/// What becomes of a key; `None` for one that ZooKeeper does not know either.
pub(super) fn treatment(key: &str) -> Option<Treatment> {
    let longest = all().filter(|(name, _)| matches(name, key)).max_by_key(|(name, _)| name.len());
    longest.map(|(_, treatment)| treatment)
}

/// Whether ZooKeeper takes this key from `-D` alone, so that there it wins over the file.
pub(super) fn is_flag_only(key: &str) -> bool {
    FLAGS_ONLY.contains(&key)
}

/// The known key that looks most like an unknown one, if any does.
pub(super) fn like(unknown: &str) -> Option<&'static str> {
    let tolerated = (unknown.chars().count() / 4).clamp(1, 3);
    let known = all().filter(|(name, _)| !is_prefix(name));
    let near = known.map(|(name, _)| (distance(unknown, name), name));
    near.filter(|(distance, _)| *distance <= tolerated).min().map(|(_, name)| name)
}

fn all() -> impl Iterator<Item = (&'static str, Treatment)> {
    let used = USED.iter().map(|name| (*name, Treatment::Used));
    let needless = grouped(NEEDLESS).map(|(why, name)| (name, Treatment::Needless(why)));
    let missing = grouped(MISSING).map(|(what, name)| (name, Treatment::Missing(what)));
    used.chain(needless).chain(missing)
}

fn grouped(
    groups: &'static [(&str, &[&str])],
) -> impl Iterator<Item = (&'static str, &'static str)> {
    groups.iter().flat_map(|(about, names)| names.iter().map(|name| (*about, *name)))
}

fn is_prefix(name: &str) -> bool {
    name.ends_with(['.', '_'])
}

fn matches(name: &str, key: &str) -> bool {
    if is_prefix(name) { key.starts_with(name) && key.len() > name.len() } else { name == key }
}

/// Changes of one letter (put in, taken out, replaced) from one name to the other; upper and lower
/// case count as the same.
pub(super) fn distance(from: &str, to: &str) -> usize {
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    let (from, to) = (letters(from), letters(to));
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, a) in from.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], done + 1);
        for (at, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_stands_once() {
        let mut seen = BTreeSet::new();
        assert!(all().all(|(name, _)| seen.insert(name)));
        assert!(FLAGS_ONLY.iter().all(|name| seen.contains(name)));
    }

    #[test]
    fn the_longest_name_decides() {
        let what = |key| match treatment(key) {
            Some(Treatment::Used) => "used",
            Some(Treatment::Needless(_)) => "needless",
            Some(Treatment::Missing(_)) => "missing",
            None => "unknown",
        };
        for (key, expected) in [
            ("dataDir", "used"),
            ("datadir", "unknown"),
            ("server.1", "used"),
            ("server.", "unknown"),
            ("server.realm", "missing"),
            ("ssl.keyStore.location", "missing"),
            ("ssl.quorum.keyStore.location", "used"),
            ("ssl.quorum.keyStore.password", "needless"),
            ("ssl.quorum.sslProvider", "missing"),
            ("DigestAuthenticationProvider.digestAlg", "used"),
            ("DigestAuthenticationProvider.else", "needless"),
            ("connection_throttle_tokens", "missing"),
            ("autopurge.purgeInterval", "needless"),
            ("nonsense", "unknown"),
        ] {
            assert_eq!(what(key), expected, "{key}");
        }
    }

    #[test]
    fn what_was_meant_is_found() {
        for (unknown, known) in [
            ("datadir", Some("dataDir")),
            ("maxClientCnxn", Some("maxClientCnxns")),
            ("tickTimes", Some("tickTime")),
            ("4lw.command.whitelist", Some("4lw.commands.whitelist")),
            ("autopurge.purgeIntervall", Some("autopurge.purgeInterval")),
            ("something.else", None),
            ("", None),
        ] {
            assert_eq!(like(unknown), known, "{unknown}");
        }
    }
}

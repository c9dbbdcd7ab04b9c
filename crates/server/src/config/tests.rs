//! Whole configurations, as tables.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use zooid_session::auth::DigestAlgorithm;
use zooid_transport::peers::{ClientAuth, TlsSettings, TlsVersion};
use zooid_zab::{Seat, Voters};

use super::*;
use crate::words::Name;

const LEAST: &str = "dataDir=/data\nclientPort=2181\n";

fn parse_with(text: &str, flags: &[(&'static str, &str)]) -> Result<(Config, Vec<Notice>), String> {
    Config::parse(Path::new("zoo.cfg"), text.as_bytes(), flags).map_err(|error| error.to_string())
}

/// The least configuration and more lines, the first of which is the third.
fn parse(more: &str) -> Result<(Config, Vec<Notice>), String> {
    parse_with(&format!("{LEAST}{more}"), &[])
}

fn texts(notices: Vec<Notice>) -> Vec<String> {
    let mark = |notice: Notice| {
        let mark = if notice.is_warning { "warning" } else { "information" };
        format!("{mark}: {}", notice.text)
    };
    notices.into_iter().map(mark).collect()
}

#[test]
fn defaults_are_zookeeper_s() {
    let (config, notices) = parse("").unwrap();
    assert_eq!(notices, []);
    let expected = Config {
        file: Some("zoo.cfg".into()),
        data_dir: "/data".into(),
        data_log_dir: "/data".into(),
        client_address: HostPort { host: None, port: 2181 },
        listen_backlog: None,
        tick: Millis(3000),
        timeouts: Timeouts { min: Millis(6000), max: Millis(60_000) },
        connections_per_address: Some(60),
        connections: None,
        outstanding: 1000,
        frame_bytes: 0xf_ffff,
        sessionless_timeout: Duration::from_secs(10),
        snap_count: 100_000,
        log_entries_kept: None,
        head_room: None,
        fsync_warning: Duration::from_secs(1),
        words: Whitelist::default(),
        grants: Grants { enforce_quota: false, extended_types: false },
        containers: Containers {
            check_interval: Millis(60_000),
            max_per_minute: 10_000,
            max_never_used: Millis(0),
        },
        authentication: Authentication::default(),
        id: ServerId(0),
        ensemble: None,
    };
    assert_eq!(config, expected);
}

#[test]
fn without_a_file_it_serves_this_machine() {
    let (config, notices) = Config::without_file(&[]).unwrap();
    assert_eq!(notices, []);
    assert_eq!(config, Config::standalone_default());
    assert_eq!(config.client_address.to_string(), "127.0.0.1:2181");
    assert_eq!((config.tick, config.timeouts.max), (Millis(2000), Millis(40_000)));
    let flags = [("JVMFLAGS", "-Dzookeeper.snapCount=7 -Dzookeeper.clientPort=2999")];
    let (config, _) = Config::without_file(&flags).unwrap();
    assert_eq!((config.snap_count, config.client_address.port), (7, 2999));
}

#[test]
fn each_key_is_read_with_and_without_prefix() {
    type Check = fn(&Config) -> bool;
    let cases: [(&str, Check); 32] = [
        ("dataLogDir=/log", |c| c.data_log_dir == Path::new("/log")),
        ("clientPortAddress=10.0.0.1", |c| c.client_address.to_string() == "10.0.0.1:2181"),
        ("clientPortListenBacklog=-1", |c| c.backlog() == 50),
        ("clientPortListenBacklog=7", |c| c.backlog() == 7),
        ("tickTime=1000", |c| c.tick == Millis(1000) && c.timeouts.min == Millis(2000)),
        ("minSessionTimeout=5", |c| c.timeouts.min == Millis(5)),
        ("minSessionTimeout=-1", |c| c.timeouts.min == Millis(6000)),
        ("maxSessionTimeout=90000", |c| c.timeouts.max == Millis(90_000)),
        ("maxClientCnxns=0", |c| c.connections_per_address.is_none()),
        ("maxClientCnxns=5", |c| c.connections_per_address == Some(5)),
        ("maxCnxns=0", |c| c.connections.is_none()),
        ("maxCnxns=9", |c| c.connections == Some(9)),
        ("globalOutstandingLimit=9", |c| c.outstanding == 9),
        ("jute.maxbuffer=4194304", |c| c.frame_bytes == 4 << 20),
        ("jute.maxbuffer=0x400000", |c| c.frame_bytes == 4 << 20),
        ("nio.sessionlessCnxnTimeout=5", |c| c.sessionless_timeout == Duration::from_millis(5)),
        ("snapCount=10", |c| c.snap_count == 10),
        ("zooid.headRoom=5", |c| c.head_room == Some(5)),
        ("fsync.warningthresholdms=5", |c| c.fsync_warning == Duration::from_millis(5)),
        ("4lw.commands.whitelist=ruok, mntr", |c| {
            c.words.has(Name::Ruok) && c.words.has(Name::Mntr) && c.words.has(Name::Srvr)
        }),
        ("4lw.commands.whitelist=*", |c| Name::ALL.into_iter().all(|name| c.words.has(name))),
        ("enforceQuota=true", |c| c.grants.enforce_quota),
        ("extendedTypesEnabled=TRUE", |c| c.grants.extended_types),
        ("znode.container.checkIntervalMs=5", |c| c.containers.check_interval == Millis(5)),
        ("znode.container.maxPerMinute=5", |c| c.containers.max_per_minute == 5),
        ("znode.container.maxNeverUsedIntervalMs=5", |c| c.containers.max_never_used == Millis(5)),
        ("DigestAuthenticationProvider.enabled=false", |c| !c.authentication.digest),
        ("DigestAuthenticationProvider.digestAlg=SHA-256", |c| {
            c.authentication.algorithm == DigestAlgorithm::Sha256
        }),
        ("DigestAuthenticationProvider.superDigest=super:xQJmxLMiHGwaqBvst5y6rkB6HQs=", |c| {
            let digest = c.authentication.super_digest.as_deref();
            digest == Some("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=")
        }),
        ("server.3=a:2888:3888", |c| c.id.0 == 3 && c.ensemble.is_none()),
        ("sessionRequireClientSASLAuth=false", |c| c.ensemble.is_none()),
        ("enforce.auth.enabled=false", |c| c.ensemble.is_none()),
    ];
    for (line, check) in cases {
        for line in [line.to_string(), format!("zookeeper.{line}")] {
            let (config, notices) = parse(&line).unwrap();
            assert!(check(&config), "{line}: {config:?}");
            assert_eq!(notices, [], "{line}");
        }
    }
}

#[test]
fn the_server_line_can_say_where_clients_are_served() {
    for (text, address) in [
        ("dataDir=d\nserver.1=a:1:2;2182", "*:2182"),
        ("dataDir=d\nserver.1=a:1:2;b:2182", "b:2182"),
        ("dataDir=d\nserver.1=a:1:2;2182\nclientPort=2182", "*:2182"),
    ] {
        let (config, _) = parse_with(text, &[]).unwrap();
        assert_eq!(config.client_address.to_string(), address, "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of messages")]
fn what_cannot_be_is_refused_with_file_line_key_value_and_what_is_allowed() {
    let cases = [
        (
            "tickTime=0",
            "zoo.cfg:3: tickTime=0 is not possible; allowed is a number of milliseconds, from 1 to 2147483647",
        ),
        (
            "tickTime=2s",
            "zoo.cfg:3: tickTime=2s is not possible; allowed is a number of milliseconds, from 1 to 2147483647",
        ),
        (
            "\n#x\nzookeeper.snapCount = 1",
            "zoo.cfg:5: zookeeper.snapCount=1 is not possible; allowed is a number of transactions, from 2 to 2147483647",
        ),
        (
            "clientPort=65536",
            "zoo.cfg:3: clientPort=65536 is not possible; allowed is a port, from 0 to 65535",
        ),
        (
            "jute.maxbuffer=99999999999999999999",
            "zoo.cfg:3: jute.maxbuffer=99999999999999999999 is not possible; allowed is bytes, from 1024 to 268435456",
        ),
        (
            "enforceQuota=yes",
            "zoo.cfg:3: enforceQuota=yes is not possible; allowed is true or false",
        ),
        (
            "DigestAuthenticationProvider.digestAlg=MD5",
            "zoo.cfg:3: DigestAuthenticationProvider.digestAlg=MD5 is not possible; allowed is SHA1, SHA-256 or SHA-512",
        ),
        (
            "dataLogDir=",
            "zoo.cfg:3: dataLogDir= is not possible; allowed is the path of a directory",
        ),
        (
            "minSessionTimeout=70000",
            "zoo.cfg:3: minSessionTimeout (70000 ms) is larger than maxSessionTimeout (60000 ms); without a say they are 2 and 20 times tickTime",
        ),
        (
            "maxSessionTimeout=70",
            "zoo.cfg:3: minSessionTimeout (6000 ms) is larger than maxSessionTimeout (70 ms); without a say they are 2 and 20 times tickTime",
        ),
        (
            "server.1=a:1:2;2182",
            "zoo.cfg:2: clients are served at *:2181 by clientPort and at *:2182 by the server line; leave one of them out",
        ),
        (
            "server.x=a:1:2",
            "zoo.cfg:3: server.x=a:1:2 is not possible; allowed is server.N with a number N",
        ),
        (
            "server.1=a:1:2\nserver.2=b:1:2",
            "/data/myid is missing: write the N of this server's server.N line into it",
        ),
        (
            "server.1=a:1:2:observer",
            "zoo.cfg:3: server.1=a:1:2:observer is not possible; allowed is an observer only where there are servers with a vote",
        ),
        (
            "dynamicConfigFile=no such file",
            "cannot read the configuration no such file: No such file or directory (os error 2)",
        ),
        (
            "server.1=a:1:2\ndynamicConfigFile=x",
            "zoo.cfg:3: server.1 stands beside dynamicConfigFile; move it into that file",
        ),
        (
            "peerType=leader\nserver.1=a:1:2",
            "zoo.cfg:3: peerType=leader is not possible; allowed is participant or observer",
        ),
        (
            "enforce.auth.enabled=true",
            "zoo.cfg:3: enforce.auth.enabled asks for clients that have to authenticate, which this version of Zooid does not have; take the key out to let clients in without",
        ),
        (
            "a=\\u12",
            "zoo.cfg:3: \\u has to be followed by four hexadecimal digits; for a backslash write \\\\",
        ),
    ];
    for (more, expected) in cases {
        assert_eq!(parse(more).unwrap_err(), expected, "{more}");
    }
    let server_form = parse("server.1=a").unwrap_err();
    assert!(
        server_form.starts_with("zoo.cfg:3: server.1=a is not possible; allowed is host:port:")
    );
    for (text, expected) in [
        ("clientPort=1", "zoo.cfg: dataDir is not set; name the directory for this server's data"),
        (
            "dataDir=d",
            "zoo.cfg: clientPort is not set; name the port for clients; 2181 is the usual one",
        ),
        (
            "dataDir=d\nclientPortAddress=x",
            "zoo.cfg:2: clientPortAddress is set, but clientPort is not",
        ),
    ] {
        assert_eq!(parse_with(text, &[]).unwrap_err(), expected, "{text}");
    }
    let flag = [("JVMFLAGS", "-Djute.maxbuffer=x")];
    assert_eq!(
        parse_with(LEAST, &flag).unwrap_err(),
        "JVMFLAGS: jute.maxbuffer=x is not possible; allowed is bytes, from 1024 to 268435456"
    );
    let absent = Config::load(Some(Path::new("/nowhere/zoo.cfg"))).unwrap_err().to_string();
    assert!(absent.starts_with("cannot read the configuration /nowhere/zoo.cfg: "), "{absent}");
}

#[test]
fn which_place_wins_is_decided_and_said() {
    let snap_count = |text: &str, server: &str, all: &str| {
        let flags = [("SERVER_JVMFLAGS", server), ("JVMFLAGS", all)];
        let (config, notices) = parse_with(&format!("{LEAST}{text}"), &flags).unwrap();
        (config.snap_count, config.frame_bytes, texts(notices))
    };
    let default = (100_000, 0xf_ffff);
    type Case = (&'static str, &'static str, &'static str, (u64, usize), &'static [&'static str]);
    let cases: [Case; 8] = [
        ("", "-Dzookeeper.snapCount=5", "", (5, default.1), &[]),
        ("", "-DsnapCount=5 -Dother=6", "", default, &[]),
        (
            "",
            "-Dzookeeper.snapCount=5",
            "-Dzookeeper.snapCount=6",
            (6, default.1),
            &[
                "warning: zookeeper.snapCount in JVMFLAGS wins over zookeeper.snapCount in SERVER_JVMFLAGS",
            ],
        ),
        (
            "snapCount=7",
            "-Dzookeeper.snapCount=5",
            "",
            (7, default.1),
            &["warning: snapCount in zoo.cfg:3 wins over zookeeper.snapCount in SERVER_JVMFLAGS"],
        ),
        (
            "snapCount=7\nzookeeper.snapCount=8",
            "",
            "",
            (8, default.1),
            &["warning: zookeeper.snapCount in zoo.cfg:4 wins over snapCount in zoo.cfg:3"],
        ),
        ("snapCount=7", "-Dzookeeper.snapCount=7", "", (7, default.1), &[]),
        (
            "jute.maxbuffer=2000",
            "-Djute.maxbuffer=3000",
            "",
            (default.0, 3000),
            &["warning: jute.maxbuffer in SERVER_JVMFLAGS wins over jute.maxbuffer in zoo.cfg:3"],
        ),
        (
            "jute.maxbuffer=2000",
            "",
            "-Dzookeeper.jute.maxbuffer=3000",
            (default.0, 3000),
            &[
                "warning: zookeeper.jute.maxbuffer in JVMFLAGS wins over jute.maxbuffer in zoo.cfg:3",
            ],
        ),
    ];
    for (text, server, all, (count, bytes), notices) in cases {
        let found = snap_count(text, server, all);
        let notices = notices.iter().map(|text| text.to_string()).collect();
        assert_eq!(found, (count, bytes, notices), "{text} {server} {all}");
    }
}

/// The data directory of a member that is to be server `id`, and a file for it.
fn member(id: &str, lines: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("myid"), id).unwrap();
    let text = format!("dataDir={}\n{lines}", dir.path().display());
    (dir, text)
}

const THREE: &str = "tickTime=2000\ninitLimit=10\nsyncLimit=5\n\
    server.1=a:2888:3888;2181\nserver.2=b:2888:3888:participant;b:2182\n\
    server.4=[::1]:1:2:observer;2183\n";

#[test]
fn an_ensemble_and_this_server_s_part_in_it() {
    let (_dir, text) = member("2\n", THREE);
    let (config, notices) = parse_with(&text, &[]).unwrap();
    let address = HostPort { host: Some("b".into()), port: 2182 };
    assert_eq!((config.id, &config.client_address), (ServerId(2), &address));
    let ensemble = config.ensemble.unwrap();
    assert_eq!(
        (ensemble.init_limit, ensemble.sync_limit, ensemble.listens_everywhere),
        (Millis(20_000), Millis(10_000), false)
    );
    assert_eq!(ensemble.voters(), Voters::majority([1, 2].map(ServerId)));
    assert_eq!(
        ensemble.shown(),
        "server.1=a:2888:3888:participant;0.0.0.0:2181\n\
         server.2=b:2888:3888:participant;b:2182\n\
         server.4=[::1]:1:2:observer;0.0.0.0:2183\nversion=0"
    );
    assert_eq!(
        texts(notices),
        ["warning: no server failure will be tolerated: that takes at least 3 servers"]
    );
}

#[test]
fn the_servers_of_a_file_of_their_own() {
    let (dir, text) = member("1", "clientPort=2181\ninitLimit=10\nsyncLimit=5\n");
    let dynamic = dir.path().join("zoo.cfg.dynamic");
    let lines = "server.1=a:1:2\nserver.2=b:1:2;2181\nserver.3=c:1:2\nversion=100000000\n";
    fs::write(&dynamic, lines).unwrap();
    let text = format!("{text}dynamicConfigFile={}\n", dynamic.display());
    let ensemble = parse_with(&text, &[]).unwrap().0.ensemble.unwrap();
    assert_eq!(ensemble.servers.len(), 3);
    // One line does not say where clients are served, so none is shown.
    assert!(ensemble.shown().starts_with("server.1=a:1:2:participant\nserver.2=b:1:2:p"));
    assert!(!ensemble.shown().contains(';'));
}

#[test]
fn an_ensemble_that_cannot_be_is_refused() {
    let refused = |id: &str, lines: &str| {
        let (dir, text) = member(id, lines);
        let error = parse_with(&text, &[]).unwrap_err();
        error.replace(&dir.path().display().to_string(), "data")
    };
    for (id, lines, expected) in [
        (
            "3",
            THREE.into(),
            "data/myid says that this is server 3, but the configuration has lines for server.1, server.2, server.4 only: is this the data directory of another server?",
        ),
        (
            "x",
            THREE.into(),
            "data/myid holds \"x\", not a server's number; write the N of this server's server.N line into it",
        ),
        (
            "1",
            THREE.replace("initLimit=10\n", ""),
            "initLimit is not set, and an ensemble needs it; 10 is the usual number of ticks for followers to connect",
        ),
        (
            "1",
            THREE.replace("syncLimit=5\n", ""),
            "syncLimit is not set, and an ensemble needs it; 5 is the usual number of ticks a follower may be silent",
        ),
    ] {
        assert_eq!(refused(id, &lines), expected);
    }
}

const FIVE: &str = "clientPort=2181\ninitLimit=10\nsyncLimit=5\nserver.1=a:1:2\nserver.2=b:1:2\n\
    server.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2\nserver.6=f:1:2:observer\n";

#[test]
fn groups_and_weights_decide_and_are_shown() {
    type Seated = [(u64, u64); 5];
    let cases: [(&str, Seated, &str); 3] = [
        (
            "group.2=3:4\ngroup.1=1:2\ngroup.3=5",
            [(1, 1), (1, 1), (2, 1), (2, 1), (3, 1)],
            "group.1=1:2\ngroup.2=3:4\ngroup.3=5\nweight.1=1\nweight.2=1\nweight.3=1\nweight.4=1\nweight.5=1\n",
        ),
        (
            "group.7=5:4:3:2:1\nweight.2=3\nweight.5=0",
            [(7, 1), (7, 3), (7, 1), (7, 1), (7, 0)],
            "group.7=1:2:3:4:5\nweight.1=1\nweight.2=3\nweight.3=1\nweight.4=1\nweight.5=0\n",
        ),
        (
            "group.1= 1 : 2\ngroup.2=3:4:5\nweight.3 = 9223372036854775807",
            [(1, 1), (1, 1), (2, i64::MAX as u64), (2, 1), (2, 1)],
            "group.1=1:2\ngroup.2=3:4:5\nweight.1=1\nweight.2=1\nweight.3=9223372036854775807\nweight.4=1\nweight.5=1\n",
        ),
    ];
    for (lines, seats, shown) in cases {
        let (_dir, text) = member("1", &format!("{FIVE}{lines}\n"));
        let (config, notices) = parse_with(&text, &[]).unwrap();
        assert_eq!(texts(notices), Vec::<String>::new(), "{lines}");
        let ensemble = config.ensemble.unwrap();
        let seated = seats.iter().zip(1..);
        let seated = seated.map(|(&(group, weight), id)| (ServerId(id), Seat { group, weight }));
        assert_eq!(Some(ensemble.voters()), Voters::seated(seated), "{lines}");
        let end = ensemble.shown().split_once("observer\n").unwrap().1.to_string();
        assert_eq!(end, format!("{shown}version=0"), "{lines}");
    }
}

#[test]
fn groups_and_weights_of_a_file_of_their_own() {
    let (dir, text) = member("1", "clientPort=2181\ninitLimit=10\nsyncLimit=5\n");
    let dynamic = dir.path().join("zoo.cfg.dynamic");
    let lines = "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1\ngroup.2=2\nweight.2=4\n";
    fs::write(&dynamic, lines).unwrap();
    let text = format!("{text}dynamicConfigFile={}\n", dynamic.display());
    let ensemble = parse_with(&text, &[]).unwrap().0.ensemble.unwrap();
    let end = "group.1=1\ngroup.2=2\nweight.1=1\nweight.2=4\nversion=0";
    assert!(ensemble.shown().ends_with(end));
    let error = parse_with(&format!("{text}weight.2=4\n"), &[]).unwrap_err();
    assert_eq!(
        error,
        "zoo.cfg:6: weight.2 stands beside dynamicConfigFile; move it into that file"
    );
}

#[test]
fn groups_and_weights_that_cannot_be_are_refused() {
    const ALL: &str = "group.1=1:2:3:4:5\n";
    for (lines, expected) in [
        (
            "weight.2=3",
            "zoo.cfg:11: server.1 is in no group; where there are groups or weights, every server with a vote is in a group",
        ),
        (
            "group.1=1:2:3:4",
            "zoo.cfg:11: server.5 is in no group; where there are groups or weights, every server with a vote is in a group",
        ),
        ("group.1=1:2:3\ngroup.2=3:4:5", "zoo.cfg:12: server.3 is in group.1 and in group.2"),
        ("group.1=1:1:2:3:4:5", "zoo.cfg:11: server.1 is in group.1 and in group.1"),
        (
            "group.1=1:2:3:4:5:9",
            "zoo.cfg:11: group.1 names server 9, and there is no line server.9",
        ),
        (
            "group.1=1:2:3:4:5:6",
            "zoo.cfg:11: server.6 is an observer, which has no vote, so group.1 cannot count it",
        ),
        (
            "group.1=1:2:x",
            "zoo.cfg:11: group.1=1:2:x is not possible; allowed is numbers of servers with : between",
        ),
        (
            "group.1=",
            "zoo.cfg:11: group.1= is not possible; allowed is numbers of servers with : between",
        ),
        ("group.x=1", "zoo.cfg:11: group.x=1 is not possible; allowed is group.N with a number N"),
        (
            &format!("{ALL}weight.6=1"),
            "zoo.cfg:12: server.6 is an observer, which has no vote, so weight.6 cannot count it",
        ),
        (
            &format!("{ALL}weight.1=-1"),
            "zoo.cfg:12: weight.1=-1 is not possible; allowed is a whole number from 0 to 9223372036854775807",
        ),
        (
            &format!("{ALL}weight.1=9223372036854775808"),
            "zoo.cfg:12: weight.1=9223372036854775808 is not possible; allowed is a whole number from 0 to 9223372036854775807",
        ),
        (
            &format!("{ALL}weight.a=1"),
            "zoo.cfg:12: weight.a=1 is not possible; allowed is weight.N with the number N of a server",
        ),
        (
            &format!("{ALL}weight.1=0\nweight.2=0\nweight.3=0\nweight.4=0\nweight.5=0"),
            "zoo.cfg:11: every server has the weight 0, so nobody could decide",
        ),
    ] {
        let (_dir, text) = member("1", &format!("{FIVE}{lines}\n"));
        assert_eq!(parse_with(&text, &[]).unwrap_err(), expected, "{lines}");
    }
    let (_dir, text) = member("1", &format!("{FIVE}{ALL}weight.9=1\n"));
    let ignored =
        "warning: zoo.cfg:12: ignored: weight.9 names server 9, and there is no line server.9";
    assert_eq!(texts(parse_with(&text, &[]).unwrap().1), [ignored]);
}

/// Both stores and, behind them, more lines.
fn with_tls(more: &str) -> String {
    let stores = "ssl.quorum.keyStore.location=/k.pem\nssl.quorum.trustStore.location=/t.pem";
    format!("{FIVE}{stores}\n{more}\n")
}

#[test]
fn tls_between_servers_is_read() {
    let (key_store, trust_store) = ("/k.pem".into(), "/t.pem".into());
    let usual = TlsSettings {
        key_store,
        trust_store,
        client_auth: ClientAuth::Need,
        verifies_dialled: true,
        verifies_dialling: true,
        versions: vec![TlsVersion::Tls12, TlsVersion::Tls13],
        dials: true,
        takes_plaintext: false,
    };
    let on = |more: &str| format!("sslQuorum=true\n{more}");
    let tls13 = vec![TlsVersion::Tls13];
    for (more, expected) in [
        (String::new(), None),
        ("sslQuorum=false".into(), None),
        (on(""), Some(usual.clone())),
        (on("ssl.quorum.keyStore.type=pem\nssl.quorum.keyStore.password=x"), Some(usual.clone())),
        (
            "portUnification=true".into(),
            Some(TlsSettings { dials: false, takes_plaintext: true, ..usual.clone() }),
        ),
        (on("portUnification=true"), Some(TlsSettings { takes_plaintext: true, ..usual.clone() })),
        (
            on("ssl.quorum.clientAuth=WANT"),
            Some(TlsSettings { client_auth: ClientAuth::Want, ..usual.clone() }),
        ),
        (
            on("ssl.quorum.hostnameVerification=false"),
            Some(TlsSettings {
                verifies_dialled: false,
                verifies_dialling: false,
                ..usual.clone()
            }),
        ),
        (
            on("ssl.quorum.clientHostnameVerification=false"),
            Some(TlsSettings { verifies_dialling: false, ..usual.clone() }),
        ),
        (
            on("ssl.quorum.enabledProtocols=TLSv1.1, TLSv1.3"),
            Some(TlsSettings { versions: tls13.clone(), ..usual.clone() }),
        ),
        (
            on("ssl.quorum.protocol=TLSv1.3"),
            Some(TlsSettings { versions: tls13.clone(), ..usual.clone() }),
        ),
    ] {
        let (_dir, text) = member("1", &with_tls(&more));
        let config = parse_with(&text, &[]).unwrap().0;
        assert_eq!(config.ensemble.unwrap().tls, expected, "{more}");
    }
}

#[test]
fn tls_between_servers_that_cannot_be_is_refused() {
    for (more, says) in [
        (
            "sslQuorum=true\nssl.quorum.keyStore.location=",
            "sslQuorum is set, and needs ssl.quorum.keyStore.location",
        ),
        (
            "portUnification=true\nssl.quorum.trustStore.location=",
            "portUnification is set, and needs ssl.quorum.trustStore.location",
        ),
        (
            "sslQuorum=true\nssl.quorum.keyStore.location=/k.jks",
            "ssl.quorum.keyStore.location asks for a store in one of Java's formats",
        ),
        (
            "sslQuorum=true\nssl.quorum.trustStore.type=PKCS12",
            "ssl.quorum.trustStore.type asks for a store in one of Java's formats",
        ),
        ("sslQuorum=true\nssl.quorum.clientAuth=maybe", "allowed is need, want or none"),
        (
            "sslQuorum=true\nssl.quorum.enabledProtocols=TLSv1",
            "allowed is TLSv1.2, TLSv1.3 or both",
        ),
        (
            "sslQuorum=true\nssl.quorum.crl=true",
            "ssl.quorum.crl asks for lists of revoked certificates",
        ),
        ("sslQuorum=true\nssl.quorum.context.supplier.class=A", "asks for a Java class that makes"),
        ("sslQuorum=yes", "sslQuorum=yes is not possible; allowed is true or false"),
    ] {
        let (_dir, text) = member("1", &with_tls(more));
        let error = parse_with(&text, &[]).unwrap_err();
        assert!(error.starts_with("zoo.cfg:") && error.contains(says), "{more}: {error}");
    }
}

#[test]
fn what_is_not_used_is_said() {
    let cases: [(&str, &[&str]); 8] = [
        ("nonsense=1", &["warning: zoo.cfg:3: ignored the unknown key \"nonsense\""]),
        (
            "maxClientCnxn=1",
            &[
                "warning: zoo.cfg:3: ignored the unknown key \"maxClientCnxn\"; did you mean maxClientCnxns?",
            ],
        ),
        (
            "electionAlg=3\nsnapshotSizeFactor=5",
            &[
                "information: ignored electionAlg, snapshotSizeFactor: only ZooKeeper's ensembles have a use for them",
            ],
        ),
        (
            "autopurge.purgeInterval=1",
            &[
                "information: ignored autopurge.purgeInterval: old log files and checkpoints are always purged, and no faster than is safe",
            ],
        ),
        (
            "admin.serverPort=8080\nzookeeper.admin.enableServer=true",
            &[
                "warning: this version does not have the AdminServer: ignored zookeeper.admin.enableServer, admin.serverPort",
            ],
        ),
        (
            "admin.enableServer=false\nskipACL=no",
            &[
                "information: ignored admin.enableServer, skipACL: they switch off what this version does not have",
            ],
        ),
        (
            "4lw.commands.whitelist=ruok,nope",
            &[
                "warning: zoo.cfg:3: 4lw.commands.whitelist names \"nope\", which is no four-letter word",
            ],
        ),
        (
            "server.1=a:1:2;;2281",
            &[
                "warning: zoo.cfg:3: this version does not have TLS for clients: ignored the port in server.1",
            ],
        ),
    ];
    for (more, expected) in cases {
        let (_, notices) = parse(more).unwrap();
        assert_eq!(texts(notices), expected, "{more}");
    }
}

#[test]
fn a_usual_file_is_taken_as_it_is() {
    let text = "# The number of milliseconds of each tick\r\ntickTime=2000\r\ninitLimit=10\r\n\
                syncLimit=5\r\ndataDir=/srv/coordination\r\nclientPort=2181\r\n\
                4lw.commands.whitelist=mntr,conf,ruok\r\nadmin.enableServer=true\r\n\
                metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\r\n\
                metricsProvider.httpPort=7000\r\nautopurge.snapRetainCount=3\r\n";
    let (config, notices) = parse_with(text, &[]).unwrap();
    assert_eq!(config.data_dir, Path::new("/srv/coordination"));
    assert_eq!((config.tick, config.timeouts.max), (Millis(2000), Millis(40_000)));
    assert_eq!(notices.iter().filter(|notice| notice.is_warning).count(), 2);
}

#[test]
fn open_files_limit_connections_that_nobody_limits() {
    let settings = |more, files| parse(more).unwrap().0.transport_settings(files).connections;
    assert_eq!(settings("", Some(1024)), Some(816));
    assert_eq!(settings("", None), None);
    assert_eq!(settings("maxCnxns=5", Some(1024)), Some(5));
}

proptest! {
    #[test]
    fn no_file_is_too_strange(bytes: Vec<u8>, flags: String) {
        let _ = Config::parse(Path::new("zoo.cfg"), &bytes, &[("JVMFLAGS", &flags)]);
    }

    #[test]
    fn no_value_is_too_strange(
        key in prop::sample::select(vec![
            "tickTime", "minSessionTimeout", "maxSessionTimeout", "jute.maxbuffer", "server.1",
            "clientPort", "4lw.commands.whitelist", "snapCount", "clientPortAddress", "server.",
            "group.1", "weight.1",
            "znode.container.maxNeverUsedIntervalMs", "DigestAuthenticationProvider.digestAlg",
        ]),
        value: String,
        number: i64,
    ) {
        let _ = parse(&format!("{key}={value}"));
        let _ = parse(&format!("{key}={number}"));
    }
}

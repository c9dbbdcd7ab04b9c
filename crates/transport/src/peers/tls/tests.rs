//! Two servers with certificates of all kinds, over real sockets.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SerialNumber,
    date_time_ymd,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use zooid_ids::{Incarnation, ServerId};
use zooid_zab::Member;
use zooid_zab::message::Message;

use super::super::{FromPeer, PeerAddress, PeerCounters, PeerSettings, Peers};
use super::*;
use crate::{Inbox, Mailbox};

/// The hosts of server 1, which is dialled, and of server 2, which dials: both are this machine.
const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
}

/// An authority and its files.
struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("trust.pem"), pem("CERTIFICATE", issuer.der())).unwrap();
        Self { dir, issuer }
    }

    fn trust_store(&self) -> PathBuf {
        self.dir.path().join("trust.pem")
    }

    /// A key store with a certificate for `hosts`.
    fn signs(&self, name: &str, hosts: &[&str], is_expired: bool) -> PathBuf {
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.serial_number = Some(SerialNumber::from(7));
        if is_expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let text =
            pem("PRIVATE KEY", key.serialized_der()) + &pem("CERTIFICATE", certificate.der());
        let file = self.dir.path().join(format!("{name}.pem"));
        fs::write(&file, text).unwrap();
        file
    }

    /// The usual settings of the server with a certificate for its own host.
    fn settings(&self, server: usize) -> TlsSettings {
        settings(self.signs(&server.to_string(), &[HOSTS[server - 1]], false), self.trust_store())
    }
}

fn settings(key_store: PathBuf, trust_store: PathBuf) -> TlsSettings {
    TlsSettings {
        key_store,
        trust_store,
        client_auth: ClientAuth::Need,
        verifies_dialled: true,
        verifies_dialling: true,
        versions: vec![TlsVersion::Tls12, TlsVersion::Tls13],
        dials: true,
        takes_plaintext: false,
    }
}

/// Two servers that know each other.
struct Two {
    peers: [Arc<Peers>; 2],
    mailboxes: [Arc<Mailbox<FromPeer>>; 2],
}

impl Two {
    async fn start(tls: [Option<TlsSettings>; 2]) -> Self {
        let listeners = [listen().await, listen().await];
        let mut members = std::collections::BTreeMap::new();
        for (at, (quorum, election)) in listeners.iter().enumerate() {
            let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
            let (quorum_port, election_port) = (port(quorum), port(election));
            let address = PeerAddress { host: HOSTS[at].into(), quorum_port, election_port };
            members.insert(ServerId(at as u64 + 1), vec![address]);
        }
        let mailboxes: [Arc<Mailbox<FromPeer>>; 2] = Default::default();
        let mut all = Vec::new();
        for ((tls, (quorum, election)), mailbox) in tls.into_iter().zip(listeners).zip(&mailboxes) {
            let id = all.len() as u64 + 1;
            let me = Member { id: ServerId(id), incarnation: Incarnation(u128::from(id)) };
            let tls = tls.map(|settings| Arc::new(PeerTls::load(settings).unwrap()));
            let settings = PeerSettings { tls, ..PeerSettings::default() };
            let peers = Peers::new(me, settings, Arc::clone(mailbox) as Arc<dyn Inbox<FromPeer>>);
            peers.set_members(members.clone());
            tokio::spawn(Arc::clone(&peers).serve(quorum, election));
            all.push(peers);
        }
        Self { peers: all.try_into().unwrap(), mailboxes }
    }

    async fn next(&self, server: usize) -> FromPeer {
        let until = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            let mut news = Vec::new();
            self.mailboxes[server - 1].drain(&mut news, Duration::ZERO);
            if let Some(first) = news.into_iter().next() {
                return first;
            }
            assert!(std::time::Instant::now() < until, "server {server} hears nothing");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Server 2 dials server 1, and they speak.
    async fn agree(&self) {
        self.peers[1].dial(ServerId(1));
        let FromPeer::Connected { channel, .. } = self.next(2).await else { panic!("refused") };
        let dialed = self.next(1).await;
        assert!(matches!(dialed, FromPeer::Dialed { learner, .. } if learner.id == ServerId(2)));
        self.peers[1].send(channel, Message::Pong { sequence: 5 });
        let said = self.next(1).await;
        assert!(matches!(said, FromPeer::Said { message: Message::Pong { sequence: 5 }, .. }));
    }

    /// Server 2 dials server 1 in vain, more than once; `refuses` counts it, and its log is told
    /// once.
    async fn disagree(&self, refuses: usize, counter: impl Fn(&PeerCounters) -> &AtomicU64) {
        let peers = &self.peers[refuses - 1];
        for _ in 0..20 {
            self.peers[1].dial(ServerId(1));
            let answer = self.next(2).await;
            assert!(matches!(answer, FromPeer::Unreachable { .. }), "{answer:?}");
            if counter(peers.counters()).load(Relaxed) > 1 {
                assert_eq!(peers.complaints.kinds(), 1);
                return assert_eq!(self.peers[0].counters().channels.load(Relaxed), 0);
            }
        }
        panic!("{:?}", peers.counters());
    }
}

async fn listen() -> (TcpListener, TcpListener) {
    let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    (bind().await, bind().await)
}

#[tokio::test]
async fn members_with_certificates_for_their_hosts_agree() {
    let authority = Authority::new();
    for versions in [[TlsVersion::Tls12], [TlsVersion::Tls13]] {
        let settings =
            |server| TlsSettings { versions: versions.to_vec(), ..authority.settings(server) };
        Two::start([Some(settings(1)), Some(settings(2))]).await.agree().await;
    }
}

#[tokio::test]
async fn who_dials_without_a_good_certificate_is_refused() {
    let (ours, other) = (Authority::new(), Authority::new());
    let usual = ours.settings(2);
    for key_store in
        [other.signs("other", &[HOSTS[1]], false), ours.signs("expired", &[HOSTS[1]], true)]
    {
        let dialling = TlsSettings { key_store, ..usual.clone() };
        let two = Two::start([Some(ours.settings(1)), Some(dialling)]).await;
        two.disagree(1, |counters| &counters.tls_handshakes_failed).await;
    }
}

#[tokio::test]
async fn a_certificate_of_another_member_is_refused() {
    let authority = Authority::new();
    let own = authority.settings(1);
    let dialling = TlsSettings { key_store: own.key_store.clone(), ..authority.settings(2) };
    let two = Two::start([Some(own.clone()), Some(dialling.clone())]).await;
    two.disagree(1, |counters| &counters.wrong_certificates).await;
    let anybody = TlsSettings { verifies_dialling: false, ..own };
    Two::start([Some(anybody), Some(dialling)]).await.agree().await;
}

#[tokio::test]
async fn who_is_dialled_must_be_the_host_that_was_dialled() {
    let authority = Authority::new();
    let key_store = authority.signs("elsewhere", &["elsewhere.example"], false);
    let dialled = TlsSettings { key_store, ..authority.settings(1) };
    let two = Two::start([Some(dialled.clone()), Some(authority.settings(2))]).await;
    two.disagree(2, |counters| &counters.tls_handshakes_failed).await;
    let anywhere = TlsSettings { verifies_dialled: false, ..authority.settings(2) };
    Two::start([Some(dialled), Some(anywhere)]).await.agree().await;
}

/// Without verification of hosts, an authority must have signed it nevertheless.
#[tokio::test]
async fn who_is_dialled_must_be_trusted() {
    let (ours, other) = (Authority::new(), Authority::new());
    let key_store = other.signs("other", &[HOSTS[0]], false);
    let dialled = TlsSettings { key_store, ..ours.settings(1) };
    let anywhere = TlsSettings { verifies_dialled: false, ..ours.settings(2) };
    let two = Two::start([Some(dialled), Some(anywhere)]).await;
    two.disagree(2, |counters| &counters.tls_handshakes_failed).await;
}

#[tokio::test]
async fn plaintext_and_tls_do_not_mix() {
    let authority = Authority::new();
    let two = Two::start([Some(authority.settings(1)), None]).await;
    two.disagree(1, |counters| &counters.plaintext_on_tls_port).await;
    let two = Two::start([None, Some(authority.settings(2))]).await;
    two.peers[1].dial(ServerId(1));
    assert!(matches!(two.next(2).await, FromPeer::Unreachable { .. }));
    assert!(two.peers[0].counters().tls_on_plain_port.load(Relaxed) > 0);
    assert!(two.peers[1].counters().tls_handshakes_failed.load(Relaxed) > 0);
}

/// The way from plaintext to TLS without a stop: first all take both, then all dial with TLS.
#[tokio::test]
async fn a_port_can_take_both() {
    let authority = Authority::new();
    let both = |server, dials| {
        Some(TlsSettings { takes_plaintext: true, dials, ..authority.settings(server) })
    };
    for [dialled, dialling] in [
        [both(1, false), None],
        [both(1, false), both(2, true)],
        [both(1, true), both(2, false)],
        [Some(authority.settings(1)), both(2, true)],
    ] {
        Two::start([dialled, dialling]).await.agree().await;
    }
}

/// A client of TLS that shows no certificate: what becomes of the connection.
async fn without_certificate(client_auth: ClientAuth) -> (bool, u64) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let authority = Authority::new();
    let two = Two::start([Some(TlsSettings { client_auth, ..authority.settings(1) }), None]).await;
    let address = two.peers[1].addresses(ServerId(1))[0].clone();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authorities(&authority.trust_store()).unwrap())
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP2.to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", address.quorum_port)).await.unwrap();
    let name = ServerName::try_from(HOSTS[0]).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let is_answered = stream.read_u8().await.is_ok();
    (is_answered, two.peers[0].counters().tls_handshakes_failed.load(Relaxed))
}

#[tokio::test]
async fn a_certificate_is_asked_for_as_it_is_set() {
    assert_eq!(without_certificate(ClientAuth::Need).await, (false, 1));
    assert_eq!(without_certificate(ClientAuth::Want).await, (true, 0));
    assert_eq!(without_certificate(ClientAuth::None).await, (true, 0));
}

/// What is wrong with the files, and how the error begins.
#[test]
fn files_that_cannot_be_used() {
    let authority = Authority::new();
    let good = authority.settings(1);
    let file = |name: &str, bytes: &[u8]| {
        let file = authority.dir.path().join(name);
        fs::write(&file, bytes).unwrap();
        file
    };
    let key = fs::read_to_string(&good.key_store).unwrap();
    let (only_key, certificate) = key.split_at(key.find("-----BEGIN CERT").unwrap());
    let other = fs::read_to_string(authority.signs("other", &["x.example"], false)).unwrap();
    let mixed = other[..other.find("-----BEGIN CERT").unwrap()].to_owned() + certificate;
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key_store = |key_store| TlsSettings { key_store, ..good.clone() };
    let trust_store = |trust_store| TlsSettings { trust_store, ..good.clone() };
    for (settings, says) in [
        (key_store(authority.dir.path().join("nowhere.pem")), "cannot read the key store"),
        (trust_store(authority.dir.path().join("nowhere.pem")), "cannot read the trust store"),
        (key_store(file("encrypted.pem", encrypted.as_bytes())), "the private key in"),
        (key_store(file("store.jks", &[0xfe, 0xed, 0xfe, 0xed])), "holds no private key"),
        (key_store(file("key.pem", only_key.as_bytes())), "holds no certificate"),
        (key_store(file("mixed.pem", mixed.as_bytes())), "cannot be used"),
        (trust_store(file("empty.pem", b"")), "holds no certificate"),
        (trust_store(file("broken.pem", broken.as_bytes())), "cannot be used"),
        (trust_store(file("nonsense.pem", nonsense.as_bytes())), "cannot be used"),
    ] {
        let error = PeerTls::load(settings).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}

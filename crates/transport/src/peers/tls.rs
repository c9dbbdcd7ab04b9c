//! TLS between peers: who may connect, and whether a certificate is the member's it should be.
//!
//! Both ends show a certificate that an authority of the trust store has signed. Whose it is follows
//! from its subject alternative names: who dials checks them against the host that it dialled, who
//! is dialled against the hosts of the member that says hello. So nobody speaks for a member whose
//! host its certificate does not name; members on one host cannot be told apart by it.
//!
//! Settings have the meaning of ZooKeeper's `ssl.quorum.*`. Files are PEM; start with
//! [`PeerTls::load`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion, version,
};
use thiserror::Error as ThisError;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::begun::Begun;
use super::hello::Ending;

/// What both ends speak inside.
const HTTP2: &[u8] = b"h2";

/// What can be set about TLS between peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM: this server's private key and its certificate, with those between it and an authority.
    pub key_store: PathBuf,
    /// PEM: the authorities.
    pub trust_store: PathBuf,
    /// What those who connect have to show.
    pub client_auth: ClientAuth,
    /// Whether who is dialled must have a certificate for the host that was dialled.
    pub verifies_dialled: bool,
    /// Whether who connects must have a certificate for a host of the member that it says to be.
    pub verifies_dialling: bool,
    /// The versions of TLS that are spoken.
    pub versions: Vec<TlsVersion>,
    /// Whether others are dialled with TLS; otherwise they are in plaintext.
    pub dials: bool,
    /// Whether those who connect may speak plaintext; of them nobody knows who they are.
    pub takes_plaintext: bool,
}

/// What those who connect have to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for a certificate.
    None,
    /// They may show a certificate, which then must be good.
    Want,
    /// They must show a certificate.
    Need,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl TlsVersion {
    const fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &version::TLS12,
            Self::Tls13 => &version::TLS13,
        }
    }
}

/// Why there can be no TLS.
#[derive(Debug, ThisError)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read the {what} {}: {cause}", file.display())]
    Read {
        /// What it is for, as ZooKeeper calls it.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The private key is encrypted.
    #[error(
        "the private key in {0} is encrypted, which is not supported: write it in the clear with \
         `openssl pkcs8 -in {0} -out key.pem`, readable by this user only, with the certificates \
         behind it", file.display()
    )]
    Encrypted {
        /// The file.
        file: PathBuf,
    },
    /// What a file should hold is not in it.
    #[error(
        "{} holds no {what} in PEM; a Java key store is converted by `keytool -importkeystore \
         -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12` and `openssl pkcs12 -in \
         NEW.p12 -nodes -out NEW.pem`", file.display()
    )]
    Nothing {
        /// The file.
        file: PathBuf,
        /// What is missed.
        what: &'static str,
    },
    /// What is in a file cannot be used.
    #[error("{} cannot be used: {why}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: String,
    },
}

/// Keys, certificates and rules, read and checked.
pub struct PeerTls {
    settings: TlsSettings,
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl PeerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let authorities = Arc::new(authorities(&settings.trust_store)?);
        let key = Key::read(&settings.key_store)?;
        let connector = connector(&settings, &provider, &authorities, &key)?;
        let acceptor = acceptor(&settings, &provider, &authorities, &key)?;
        Ok(Self { settings, connector, acceptor })
    }

    /// Whether others are dialled with TLS.
    pub(crate) const fn dials(&self) -> bool {
        self.settings.dials
    }

    /// Whether those who connect may speak plaintext.
    pub(crate) const fn takes_plaintext(&self) -> bool {
        self.settings.takes_plaintext
    }

    /// The handshake with somebody who was dialled at `host`, a name or an address.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<client::TlsStream<TcpStream>, Ending> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| Ending::Handshake(format!("{host:?}: {error}")))?;
        self.connector.connect(name, stream).await.map_err(failed)
    }

    /// The handshake with somebody who has connected.
    pub(crate) async fn accept(&self, stream: Begun) -> Result<server::TlsStream<Begun>, Ending> {
        self.acceptor.accept(stream).await.map_err(failed)
    }

    /// Whether the certificate of who has connected is good for one of the hosts of the member that
    /// it says to be.
    pub(crate) fn check<'a>(
        &self,
        certificate: &CertificateDer<'_>,
        hosts: impl Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        if !self.settings.verifies_dialling {
            return Ok(());
        }
        let certificate =
            ParsedCertificate::try_from(certificate).map_err(|error| error.to_string())?;
        let mut why = "it has no host".to_owned();
        for host in hosts {
            let name = ServerName::try_from(host).map_err(|error| format!("{host:?}: {error}"))?;
            match verify_server_name(&certificate, &name) {
                Ok(()) => return Ok(()),
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
    }
}

impl std::fmt::Debug for PeerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerTls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn failed(error: io::Error) -> Ending {
    let hint = match error.kind() {
        io::ErrorKind::UnexpectedEof => " (does the other end speak TLS?)",
        _ => "",
    };
    Ending::Handshake(format!("{error}{hint}"))
}

fn connector(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
    authorities: &Arc<RootCertStore>,
    key: &Key,
) -> Result<TlsConnector, TlsError> {
    let unusable = |why: Error| key.unusable(&why);
    let verifier: Arc<dyn ServerCertVerifier> = if settings.verifies_dialled {
        WebPkiServerVerifier::builder_with_provider(Arc::clone(authorities), Arc::clone(provider))
            .build()
            .map_err(|why| untrusted(settings, &why))?
    } else {
        let (provider, authorities) = (Arc::clone(provider), Arc::clone(authorities));
        Arc::new(AnyHost { provider, authorities })
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&versions(settings))
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(key.certificates.clone(), key.private.clone_key())
        .map_err(unusable)?;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    // Each connection shows anew who is at its ends; there are few.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn acceptor(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
    authorities: &Arc<RootCertStore>,
    key: &Key,
) -> Result<TlsAcceptor, TlsError> {
    let unusable = |why: Error| key.unusable(&why);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(authorities), Arc::clone(provider));
    let verifier: Arc<dyn ClientCertVerifier> = match settings.client_auth {
        ClientAuth::Need => verifier.build().map_err(|why| untrusted(settings, &why))?,
        ClientAuth::Want => {
            verifier.allow_unauthenticated().build().map_err(|why| untrusted(settings, &why))?
        }
        ClientAuth::None => Arc::new(NoClientAuth),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&versions(settings))
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(key.certificates.clone(), key.private.clone_key())
        .map_err(unusable)?;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn versions(settings: &TlsSettings) -> Vec<&'static SupportedProtocolVersion> {
    settings.versions.iter().map(|version| version.supported()).collect()
}

fn untrusted(settings: &TlsSettings, why: &VerifierBuilderError) -> TlsError {
    TlsError::Unusable { file: settings.trust_store.clone(), why: why.to_string() }
}

fn authorities(file: &Path) -> Result<RootCertStore, TlsError> {
    let pem = read("trust store", file)?;
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(file, &pem)? {
        authorities
            .add(certificate)
            .map_err(|why| TlsError::Unusable { file: file.to_owned(), why: why.to_string() })?;
    }
    Ok(authorities)
}

/// What this server shows.
struct Key {
    file: PathBuf,
    private: PrivateKeyDer<'static>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Key {
    fn read(file: &Path) -> Result<Self, TlsError> {
        let pem = read("key store", file)?;
        let encrypted = b"ENCRYPTED";
        if pem.windows(encrypted.len()).any(|window| window == encrypted) {
            return Err(TlsError::Encrypted { file: file.to_owned() });
        }
        let private = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| TlsError::Nothing { file: file.to_owned(), what: "private key" })?;
        Ok(Self { file: file.to_owned(), private, certificates: certificates(file, &pem)? })
    }

    fn unusable(&self, why: &Error) -> TlsError {
        TlsError::Unusable { file: self.file.clone(), why: why.to_string() }
    }
}

fn read(what: &'static str, file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|cause| TlsError::Read { what, file: file.to_owned(), cause })
}

/// All of them, of which there is at least one.
fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates
        .map_err(|why| TlsError::Unusable { file: file.to_owned(), why: why.to_string() })?;
    if certificates.is_empty() {
        return Err(TlsError::Nothing { file: file.to_owned(), what: "certificate" });
    }
    Ok(certificates)
}

/// Takes a certificate of an authority whatever its names are (`hostnameVerification=false`).
#[derive(Debug)]
struct AnyHost {
    provider: Arc<CryptoProvider>,
    authorities: Arc<RootCertStore>,
}

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.authorities,
            between,
            now,
            algorithms,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;

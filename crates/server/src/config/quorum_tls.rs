//! `sslQuorum` and `ssl.quorum.*`: TLS between the servers of an ensemble.

use std::path::{Path, PathBuf};

use zooid_transport::peers::{ClientAuth, TlsSettings, TlsVersion};

use super::build::unsupported;
use super::error::ConfigError;
use super::values::{Value, Values};

/// How the servers speak TLS; `None` where they speak plaintext and nothing else.
pub(super) fn quorum_tls(values: &Values) -> Result<Option<TlsSettings>, ConfigError> {
    let truth = |key, default| values.truth(key).map(|value| value.unwrap_or(default));
    let (dials, takes_plaintext) = (truth("sslQuorum", false)?, truth("portUnification", false)?);
    let Some(asked_by) = asked_by(values, dials, takes_plaintext) else { return Ok(None) };
    refuse_what_would_be_unsafe(values)?;
    let verifies_hosts = truth("ssl.quorum.hostnameVerification", true)?;
    Ok(Some(TlsSettings {
        key_store: store(values, asked_by, KEY_STORE)?,
        trust_store: store(values, asked_by, TRUST_STORE)?,
        client_auth: client_auth(values)?,
        verifies_dialled: verifies_hosts,
        verifies_dialling: verifies_hosts && truth("ssl.quorum.clientHostnameVerification", true)?,
        versions: versions(values)?,
        dials,
        takes_plaintext,
    }))
}

/// The key that asks for TLS.
fn asked_by(values: &Values, dials: bool, takes_both: bool) -> Option<&Value> {
    let key = if dials { "sslQuorum" } else { "portUnification" };
    values.get(key).filter(|_| dials || takes_both)
}

/// Whoever sets these counts on certificates being refused that would be taken here.
fn refuse_what_would_be_unsafe(values: &Values) -> Result<(), ConfigError> {
    for (key, what) in [
        ("ssl.quorum.crl", "lists of revoked certificates"),
        ("ssl.quorum.ocsp", "asking whether a certificate was revoked"),
    ] {
        if let (Some(value), Some(true)) = (values.get(key), values.truth(key)?) {
            return Err(unsupported(value, what, "take the key out to trust until it expires"));
        }
    }
    match values.get("ssl.quorum.context.supplier.class") {
        Some(value) => {
            let advice = "take the key out, and name files in PEM";
            Err(unsupported(value, "a Java class that makes the TLS context", advice))
        }
        None => Ok(()),
    }
}

/// The keys of one store.
#[derive(Clone, Copy)]
struct Store {
    location: &'static str,
    kind: &'static str,
}

const KEY_STORE: Store =
    Store { location: "ssl.quorum.keyStore.location", kind: "ssl.quorum.keyStore.type" };
const TRUST_STORE: Store =
    Store { location: "ssl.quorum.trustStore.location", kind: "ssl.quorum.trustStore.type" };

fn store(values: &Values, asked_by: &Value, store: Store) -> Result<PathBuf, ConfigError> {
    let location = values.get(store.location).filter(|value| !value.text.is_empty());
    let Some(location) = location else {
        let what = format!("{} is set, and needs {}", asked_by.key, store.location);
        return Err(ConfigError::Conflict { origin: asked_by.origin.clone(), what });
    };
    let file = PathBuf::from(&location.text);
    let kind = values.get(store.kind).filter(|kind| !kind.text.is_empty());
    match kind {
        Some(kind) if kind.text.eq_ignore_ascii_case("PEM") => Ok(file),
        None if !is_of_java(&file) => Ok(file),
        kind => Err(unsupported(
            kind.unwrap_or(location),
            "a store in one of Java's formats",
            "convert it to PEM: `keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 \
             -deststoretype PKCS12`, then `openssl pkcs12 -in NEW.p12 -nodes -out NEW.pem`",
        )),
    }
}

/// Where no type is given, ZooKeeper goes by the end of the name.
fn is_of_java(file: &Path) -> bool {
    let end = file.extension().map(|end| end.to_ascii_lowercase());
    end.is_some_and(|end| ["jks", "p12", "pfx", "bcfks"].iter().any(|java| end == *java))
}

fn client_auth(values: &Values) -> Result<ClientAuth, ConfigError> {
    let Some(value) = values.get("ssl.quorum.clientAuth") else { return Ok(ClientAuth::Need) };
    match value.text.to_ascii_lowercase().as_str() {
        "" | "need" => Ok(ClientAuth::Need),
        "want" => Ok(ClientAuth::Want),
        "none" => Ok(ClientAuth::None),
        _ => Err(value.refuse("need, want or none")),
    }
}

/// Older versions may stand beside those that are spoken here.
fn versions(values: &Values) -> Result<Vec<TlsVersion>, ConfigError> {
    let several = values.get("ssl.quorum.enabledProtocols");
    let Some(value) = several.or_else(|| values.get("ssl.quorum.protocol")) else {
        return Ok(vec![TlsVersion::Tls12, TlsVersion::Tls13]);
    };
    let named = |name: &str| match name.trim() {
        "TLSv1.2" => Some(TlsVersion::Tls12),
        "TLSv1.3" => Some(TlsVersion::Tls13),
        _ => None,
    };
    let versions: Vec<_> = value.text.split(',').filter_map(named).collect();
    if versions.is_empty() {
        return Err(value.refuse("TLSv1.2, TLSv1.3 or both with a comma between"));
    }
    Ok(versions)
}

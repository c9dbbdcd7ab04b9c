//! Who a client is: what `addAuthInfo` proves.
//!
//! A failure is always answered with `AuthFailed`, then the connection is closed. The identities
//! that a connection holds are those of its later requests; what was asked before keeps the ones
//! it came with.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use thiserror::Error;
use zooid_model::{Identity, limits};

/// Why an identity was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// No such scheme on this server, or none that a client can prove in this way.
    #[error("no authentication by this scheme")]
    Scheme,
    /// The identity would be longer than [`limits::IDENTITY_BYTES`].
    #[error("identity is longer than {} bytes", limits::IDENTITY_BYTES)]
    TooLong,
    /// The connection holds [`limits::IDENTITIES`] already.
    #[error("connection holds {} identities already", limits::IDENTITIES)]
    TooMany,
}

/// What makes a digest of a name and its password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// ZooKeeper's default.
    #[default]
    Sha1,
    /// `SHA-256`.
    Sha256,
    /// `SHA-512`.
    Sha512,
}

impl DigestAlgorithm {
    /// The algorithm that `DigestAuthenticationProvider.digestAlg` names as Java does; `None` for
    /// one that this server does not have.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "SHA1" | "SHA-1" | "SHA" => Some(Self::Sha1),
            "SHA-256" => Some(Self::Sha256),
            "SHA-512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn base64(self, text: &str) -> String {
        match self {
            Self::Sha1 => STANDARD.encode(Sha1::digest(text)),
            Self::Sha256 => STANDARD.encode(Sha256::digest(text)),
            Self::Sha512 => STANDARD.encode(Sha512::digest(text)),
        }
    }
}

/// What this server's configuration says about authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// `DigestAuthenticationProvider.enabled`.
    pub digest: bool,
    /// `DigestAuthenticationProvider.digestAlg`.
    pub algorithm: DigestAlgorithm,
    /// `DigestAuthenticationProvider.superDigest`: `super:` and the digest of the password. Who
    /// proves this identity is let pass by every ACL.
    pub super_digest: Option<Box<str>>,
}

impl Default for Authentication {
    fn default() -> Self {
        Self { digest: true, algorithm: DigestAlgorithm::Sha1, super_digest: None }
    }
}

impl Authentication {
    /// The identities that `proof` proves, in ZooKeeper's order; none for `ip`, which the
    /// connection holds from the start.
    ///
    /// A `digest` proof is `user:password`, and as in ZooKeeper no form of it is wrong: without a
    /// colon all of it is the user, and bytes that are no UTF-8 are replaced.
    ///
    /// # Errors
    /// An unknown scheme, or an identity that is too long.
    pub fn prove(&self, scheme: &str, proof: &[u8]) -> Result<Vec<Identity>, AuthError> {
        match scheme {
            "digest" if self.digest => self.prove_digest(&String::from_utf8_lossy(proof)),
            "ip" => Ok(Vec::new()),
            _ => Err(AuthError::Scheme),
        }
    }

    fn prove_digest(&self, proof: &str) -> Result<Vec<Identity>, AuthError> {
        let user = proof.split_once(':').map_or(proof, |(user, _)| user);
        if user.len() > limits::IDENTITY_BYTES {
            return Err(AuthError::TooLong);
        }
        let digest = user.to_owned() + ":" + &self.algorithm.base64(proof);
        let is_super = self.super_digest.as_deref() == Some(digest.as_str());
        let mut proved = Vec::with_capacity(1 + usize::from(is_super));
        proved.extend(is_super.then(Identity::super_user));
        proved.push(Identity::new("digest", &digest));
        Ok(proved)
    }
}

/// Adds proved identities to those that a connection holds; one that it holds already changes
/// nothing.
///
/// # Errors
/// If one is too long or they would be too many; then none of them is added.
pub fn admit(held: &mut Vec<Identity>, proved: Vec<Identity>) -> Result<(), AuthError> {
    let too_long = |id: &Identity| id.scheme.len() + id.id.len() > limits::IDENTITY_BYTES;
    if proved.iter().any(too_long) {
        return Err(AuthError::TooLong);
    }
    let new: Vec<Identity> = proved.into_iter().filter(|id| !held.contains(id)).collect();
    if held.len() + new.len() > limits::IDENTITIES {
        return Err(AuthError::TooMany);
    }
    held.extend(new);
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    fn digest(id: &str) -> Identity {
        Identity::new("digest", id)
    }

    #[test]
    fn a_user_and_the_hash_of_all() {
        let auth = Authentication::default();
        for (proof, identity) in [
            (&b"user:password"[..], "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY="),
            (b"foo", "foo:C+7Hteo/D9vJXQ3UfzxbwnXaijM="),
            (b"", ":2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
        ] {
            assert_eq!(auth.prove("digest", proof), Ok(vec![digest(identity)]));
        }
        let (bytes, text) = (b"u:\xffp\xe2\x82x", "u:\u{fffd}p\u{fffd}x");
        assert_eq!(auth.prove("digest", bytes), auth.prove("digest", text.as_bytes()));
    }

    #[test]
    fn other_algorithms() {
        for (name, hash) in [
            ("sha-256", "yRsdas04PETE7CDJcj51jDEYKh9PAjHWPZElmi6hS50="),
            (
                "SHA-512",
                "jpg++2gII4jzID8eXmWBSuUbGt1jbK9iB9PlOOf0uNwG7O0rsNtKX7GP4vq+QM0ncsfbzxZTuyf0xv2X\
                 bkfz1Q==",
            ),
        ] {
            let algorithm = DigestAlgorithm::from_name(name).expect("a known name");
            let auth = Authentication { algorithm, ..Authentication::default() };
            let proved = auth.prove("digest", b"user:password");
            assert_eq!(proved, Ok(vec![digest(&format!("user:{hash}"))]));
        }
        assert_eq!(DigestAlgorithm::from_name("SHA1"), Some(DigestAlgorithm::Sha1));
        assert_eq!(DigestAlgorithm::from_name("MD5"), None);
    }

    #[test]
    fn the_super_digest_makes_a_super_user() {
        let super_digest = Some("super:lK75jTNcA+U9vtVEw5vB51mj/w4=".into());
        let auth = Authentication { super_digest, ..Authentication::default() };
        let ordinary = digest("super:lK75jTNcA+U9vtVEw5vB51mj/w4=");
        let proved = auth.prove("digest", b"super:secret");
        assert_eq!(proved, Ok(vec![Identity::super_user(), ordinary]));
        let wrong = auth.prove("digest", b"super:guess").expect("any form is right");
        assert!(!wrong.iter().any(Identity::is_super));
    }

    #[test]
    fn schemes_that_prove_nothing_here() {
        let auth = Authentication::default();
        for scheme in ["world", "auth", "sasl", "x509", "", "Digest"] {
            assert_eq!(auth.prove(scheme, b"user:password"), Err(AuthError::Scheme));
        }
        assert_eq!(auth.prove("ip", b""), Ok(vec![]));
        let off = Authentication { digest: false, ..auth };
        assert_eq!(off.prove("digest", b"user:password"), Err(AuthError::Scheme));
    }

    #[test]
    fn a_connection_holds_each_identity_once_and_not_too_many() {
        let mut held = vec![Identity::new("ip", "127.0.0.1")];
        for number in 0..2 * limits::IDENTITIES {
            let id = digest(&format!("{}:x", number / 2));
            let full = held.len() == limits::IDENTITIES && !held.contains(&id);
            let expected = if full { Err(AuthError::TooMany) } else { Ok(()) };
            assert_eq!(admit(&mut held, vec![id]), expected);
        }
        assert_eq!(held.len(), limits::IDENTITIES);
    }

    #[test]
    fn a_name_is_not_too_long() {
        let auth = Authentication::default();
        let user = "u".repeat(limits::IDENTITY_BYTES + 1);
        assert_eq!(auth.prove("digest", user.as_bytes()), Err(AuthError::TooLong));
        let mut held = vec![];
        let long = digest(&"u".repeat(limits::IDENTITY_BYTES));
        assert_eq!(admit(&mut held, vec![digest("a:b"), long]), Err(AuthError::TooLong));
        assert_eq!(held, []);
    }
}

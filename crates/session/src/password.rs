//! What proves that a client may take its session up again, on any server of the ensemble.

use core::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zooid_ids::SessionId;
use zooid_model::{PASSWORD_LEN, Password, PasswordScheme};

/// Said before the session's id, so that the secret can serve other ends too.
const LABEL: &[u8] = b"zooid session password";

/// Makes and checks passwords with the ensemble's secret.
#[derive(Clone)]
pub struct Passwords {
    keyed: Hmac<Sha256>,
}

impl Passwords {
    /// With the secret that the ensemble was formed with.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self { keyed: keyed(&secret).chain_update(LABEL) }
    }

    /// A session's password.
    #[must_use]
    pub fn of(&self, session: SessionId, scheme: PasswordScheme) -> Password {
        match scheme {
            PasswordScheme::Keyed => {
                let full: [u8; 32] = self.of_session(session).finalize().into_bytes().into();
                let mut password = Password::default();
                password.0.copy_from_slice(&full[..PASSWORD_LEN]);
                password
            }
            PasswordScheme::ZooKeeper => zookeeper(session),
        }
    }

    /// True if it is that session's password. The time it takes says nothing about the secret.
    #[must_use]
    pub fn check(&self, session: SessionId, scheme: PasswordScheme, password: &Password) -> bool {
        match scheme {
            PasswordScheme::Keyed => {
                self.of_session(session).verify_truncated_left(&password.0).is_ok()
            }
            PasswordScheme::ZooKeeper => zookeeper(session) == *password,
        }
    }

    fn of_session(&self, session: SessionId) -> Hmac<Sha256> {
        self.keyed.clone().chain_update(session.0.to_be_bytes())
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords(..)")
    }
}

/// HMAC-SHA-256 with a key of 32 bytes.
pub(crate) fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// `ZooKeeperServer.generatePasswd`: 16 bytes of a `java.util.Random` that is seeded with the id
/// and a published constant. That generator keeps 48 bits, of which each number is the upper 32.
fn zookeeper(session: SessionId) -> Password {
    const PUBLISHED: u64 = 0xb341_5c00;
    const MULTIPLIER: u64 = 0x5_deec_e66d;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (session.0 as u64 ^ PUBLISHED ^ MULTIPLIER) & MASK;
    let mut password = Password::default();
    for four in password.0.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
        four.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every server and every version has to make the same one; the number is Python's `hmac`.
    #[test]
    fn passwords_are_those_of_all_versions() {
        let passwords = Passwords::new(core::array::from_fn(|at| at as u8));
        let password = passwords.of(SessionId(0x0100_0000_1234_5678), PasswordScheme::Keyed);
        assert_eq!(password.0, u128::to_be_bytes(0x66db_a5bc_923c_030d_fbca_81de_0887_68f9));
    }

    #[test]
    fn a_password_is_good_for_its_session_and_secret_only() {
        let scheme = PasswordScheme::Keyed;
        let passwords = Passwords::new([1; 32]);
        let password = passwords.of(SessionId(5), scheme);
        assert!(passwords.check(SessionId(5), scheme, &password));
        assert!(!passwords.check(SessionId(6), scheme, &password));
        assert!(!Passwords::new([2; 32]).check(SessionId(5), scheme, &password));
        for at in 0..PASSWORD_LEN {
            let mut wrong = password;
            wrong.0[at] ^= 1;
            assert!(!passwords.check(SessionId(5), scheme, &wrong), "byte {at}");
        }
    }

    /// What `java.util.Random` gives, run in Java.
    #[test]
    fn zookeepers_passwords() {
        for (session, password) in [
            (1, 0x054c_c74a_3732_7db2_15e7_02e2_0c73_f005),
            (0x0100_0012_3456_0000, 0x28dc_a4e8_95de_729d_466f_3f4d_668d_25c0),
            (-2, 0x0dd5_32b5_c441_e392_7c04_b55e_50fd_9421),
            (i64::MAX, 0x20f6_2cb5_648d_c2d7_7147_1c8a_2486_a9ee),
        ] {
            let password = Password(u128::to_be_bytes(password));
            assert_eq!(zookeeper(SessionId(session)), password, "{session:x}");
            let passwords = Passwords::new([0; 32]);
            assert!(passwords.check(SessionId(session), PasswordScheme::ZooKeeper, &password));
            assert!(!passwords.check(SessionId(session), PasswordScheme::Keyed, &password));
        }
    }
}

//! New session ids.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zooid_ids::{ServerId, SessionId};
use zooid_model::EphemeralOwner;

use crate::password::keyed;

/// Draws session ids: the server in the top byte, as ZooKeeper's have it and operators read it,
/// and 56 bits that nobody can foresee.
///
/// The top byte is the server's id up to 254; greater ids are folded into 0 to 254, since 255 marks
/// nodes with a time to live. Servers that share a top byte, or runs of one server, still draw
/// different ids for all purposes, and a session is created only if its id is free.
#[derive(Clone)]
pub struct SessionIds {
    top: u8,
    keyed: Hmac<Sha256>,
    drawn: u64,
}

impl SessionIds {
    /// For one run of a server; `key` is drawn at random for it and never used again, since the
    /// same key gives the same ids.
    #[must_use]
    pub fn new(server: ServerId, key: [u8; 32]) -> Self {
        let top = u8::try_from(server.0 % 255).expect("less than 255");
        Self { top, keyed: keyed(&key), drawn: 0 }
    }

    /// An id that was not drawn before and means nothing else where a znode's owner stands.
    pub fn draw(&mut self) -> SessionId {
        loop {
            let id = self.candidate();
            if matches!(EphemeralOwner::from_wire(id), EphemeralOwner::Session(_)) {
                return SessionId(id);
            }
        }
    }

    fn candidate(&mut self) -> i64 {
        self.drawn += 1;
        let mac = self.keyed.clone().chain_update(self.drawn.to_be_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut id = [0; size_of::<i64>()];
        id.copy_from_slice(&full[..size_of::<i64>()]);
        id[0] = self.top;
        i64::from_be_bytes(id)
    }
}

impl core::fmt::Debug for SessionIds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SessionIds({:02x}.., {} drawn)", self.top, self.drawn)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_server_stands_in_the_top_byte() {
        for (server, top) in [(0, 0), (1, 1), (0x80, 0x80), (254, 254), (255, 0), (256, 1)] {
            let mut ids = SessionIds::new(ServerId(server), [3; 32]);
            assert_eq!(ids.draw().0.to_be_bytes()[0], top, "{server}");
        }
    }

    #[test]
    fn ids_do_not_repeat_and_depend_on_the_key() {
        let mut ids = SessionIds::new(ServerId(1), [3; 32]);
        let mut others = SessionIds::new(ServerId(1), [4; 32]);
        let drawn: BTreeSet<SessionId> =
            (0..1000).flat_map(|_| [ids.draw(), others.draw()]).collect();
        assert_eq!(drawn.len(), 2000);
    }
}

//! Who may do what: identities, permissions, and how the two meet.
//!
//! Rules that need only the values stand here; which node an operation has to ask is the tree's
//! matter, how a client proves an identity that of the server it is connected to.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::BitOr;

/// A set of permissions; ZooKeeper's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Perms(i32);

impl Perms {
    /// Read data and list children.
    pub const READ: Self = Self(1);
    /// Set data.
    pub const WRITE: Self = Self(2);
    /// Create a child.
    pub const CREATE: Self = Self(4);
    /// Delete a child.
    pub const DELETE: Self = Self(8);
    /// Set the ACL.
    pub const ADMIN: Self = Self(16);
    /// All of them.
    pub const ALL: Self = Self(31);

    /// From the wire, where any 32 bits can stand; unknown bits are kept and grant nothing.
    #[must_use]
    pub const fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// As it stands on the wire.
    #[must_use]
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// True if any of `wanted` is in the set; ZooKeeper asks for one permission at a time, or, for
    /// `getACL`, for one of two.
    #[must_use]
    pub const fn contains_any(self, wanted: Self) -> bool {
        self.0 & wanted.0 != 0
    }
}

impl BitOr for Perms {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A scheme and an id within it: in an ACL entry whom it is for, on a connection who it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// `world`, `auth`, `digest`, `ip`, `x509`, `sasl` or `super`.
    pub scheme: Box<str>,
    /// What it means is the scheme's matter.
    pub id: Box<str>,
}

impl Identity {
    /// An identity of these two parts.
    #[must_use]
    pub fn new(scheme: &str, id: &str) -> Self {
        Self { scheme: scheme.into(), id: id.into() }
    }

    /// Everybody.
    #[must_use]
    pub fn anyone() -> Self {
        Self::new("world", "anyone")
    }

    /// The identity that every ACL lets pass.
    #[must_use]
    pub fn super_user() -> Self {
        Self::new("super", "")
    }

    /// True if every ACL lets this identity pass.
    #[must_use]
    pub fn is_super(&self) -> bool {
        &*self.scheme == "super"
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.id)
    }
}

/// One entry of an access control list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acl {
    /// What it allows.
    pub perms: Perms,
    /// To whom.
    pub id: Identity,
}

impl Acl {
    /// `world:anyone:cdrwa`, what clients call `OPEN_ACL_UNSAFE`.
    #[must_use]
    pub fn open() -> Vec<Self> {
        alloc::vec![Self { perms: Perms::ALL, id: Identity::anyone() }]
    }

    /// True if the list is [`Acl::open`], which most nodes have.
    #[must_use]
    pub fn is_open(list: &[Self]) -> bool {
        matches!(list, [entry] if entry.perms == Perms::ALL && is_anyone(&entry.id))
    }
}

impl fmt::Debug for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.id, self.perms.bits())
    }
}

/// True if the holder of `identities` may do any of `wanted` on a node with this list. An empty
/// list allows everything, as in ZooKeeper.
#[must_use]
pub fn allows(acl: &[Acl], identities: &[Identity], wanted: Perms) -> bool {
    acl.is_empty()
        || identities.iter().any(Identity::is_super)
        || acl.iter().filter(|entry| entry.perms.contains_any(wanted)).any(|entry| {
            is_anyone(&entry.id) || identities.iter().any(|identity| matches(identity, &entry.id))
        })
}

fn is_anyone(id: &Identity) -> bool {
    &*id.scheme == "world" && &*id.id == "anyone"
}

fn matches(identity: &Identity, wanted: &Identity) -> bool {
    identity.scheme == wanted.scheme
        && match &*wanted.scheme {
            "ip" => ip::matches(&identity.id, &wanted.id),
            _ => identity.id == wanted.id,
        }
}

/// Gives the list that a node gets from the list that a client sent: checked, without repetitions,
/// and `auth` replaced by the identities that the client has proved. `None` is `InvalidACL`.
#[must_use]
pub fn resolve(sent: &[Acl], identities: &[Identity]) -> Option<Vec<Acl>> {
    let mut resolved: Vec<Acl> = Vec::with_capacity(sent.len());
    for (at, entry) in sent.iter().enumerate() {
        if sent[..at].contains(entry) {
            continue;
        }
        match &*entry.id.scheme {
            "world" if &*entry.id.id == "anyone" => resolved.push(entry.clone()),
            "auth" => resolve_auth(entry.perms, identities, &mut resolved)?,
            _ if is_valid(&entry.id) => resolved.push(entry.clone()),
            _ => return None,
        }
    }
    (!resolved.is_empty()).then_some(resolved)
}

fn resolve_auth(perms: Perms, identities: &[Identity], resolved: &mut Vec<Acl>) -> Option<()> {
    let before = resolved.len();
    let proved = identities.iter().filter(|identity| is_proved(identity));
    resolved.extend(proved.map(|id| Acl { perms, id: id.clone() }));
    (resolved.len() > before).then_some(())
}

/// An address or a role is no proof of who somebody is.
fn is_proved(identity: &Identity) -> bool {
    matches!(&*identity.scheme, "digest" | "x509" | "sasl" | "super")
}

fn is_valid(id: &Identity) -> bool {
    match &*id.scheme {
        "digest" => id.id.split(':').count() == 2 && !id.id.ends_with(':'),
        "ip" => ip::is_valid(&id.id),
        "x509" | "sasl" => !id.id.is_empty(),
        _ => false,
    }
}

mod ip {
    //! The `ip` scheme: an address, or an address and the number of its leading bits that count.

    use core::net::Ipv4Addr;

    pub(super) fn is_valid(id: &str) -> bool {
        parse(id).is_some()
    }

    pub(super) fn matches(address: &str, id: &str) -> bool {
        let (Ok(address), Some((wanted, bits))) = (address.parse::<Ipv4Addr>(), parse(id)) else {
            return address == id;
        };
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        (u32::from(address) ^ u32::from(wanted)) & mask == 0
    }

    fn parse(id: &str) -> Option<(Ipv4Addr, u32)> {
        let (address, bits) = match id.split_once('/') {
            Some((address, bits)) => (address, bits.parse().ok().filter(|bits| *bits <= 32)?),
            None => (id, 32),
        };
        Some((address.parse().ok()?, bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn entry(perms: Perms, scheme: &str, id: &str) -> Acl {
        Acl { perms, id: Identity::new(scheme, id) }
    }

    #[test]
    fn the_world_is_anyone() {
        assert!(allows(&Acl::open(), &[], Perms::WRITE));
        assert!(Acl::is_open(&Acl::open()));
        assert!(!Acl::is_open(&[entry(Perms::READ, "world", "anyone")]));
        assert!(!Acl::is_open(&[entry(Perms::ALL, "ip", "10.0.0.1")]) && !Acl::is_open(&[]));
    }

    #[test]
    fn ip_by_leading_bits() {
        let acl = [entry(Perms::READ, "ip", "10.1.0.0/16")];
        assert!(allows(&acl, &[Identity::new("ip", "10.1.2.3")], Perms::READ));
        assert!(!allows(&acl, &[Identity::new("ip", "10.2.2.3")], Perms::READ));
        assert!(allows(
            &[entry(Perms::READ, "ip", "0.0.0.0/0")],
            &[Identity::new("ip", "9.9.9.9")],
            Perms::READ
        ));
    }

    #[test]
    fn auth_becomes_what_was_proved() {
        let identities = [Identity::new("ip", "127.0.0.1"), Identity::new("digest", "u:h")];
        let resolved = resolve(&[entry(Perms::ALL, "auth", "")], &identities);
        assert_eq!(resolved, Some(vec![entry(Perms::ALL, "digest", "u:h")]));
        assert_eq!(resolve(&[entry(Perms::ALL, "auth", "")], &identities[..1]), None);
    }

    #[test]
    fn lists_that_are_no_lists() {
        for sent in [
            vec![],
            vec![entry(Perms::ALL, "world", "someone")],
            vec![entry(Perms::ALL, "nonsense", "x")],
            vec![entry(Perms::ALL, "digest", "no-colon")],
            vec![entry(Perms::ALL, "ip", "10.0.0.0/33")],
            vec![entry(Perms::ALL, "ip", "300.0.0.1")],
        ] {
            assert_eq!(resolve(&sent, &[]), None, "{sent:?}");
        }
    }

    #[test]
    fn the_super_user_passes() {
        let acl = [entry(Perms::READ, "digest", "u:h")];
        assert!(allows(&acl, &[Identity::super_user()], Perms::ADMIN));
    }
}

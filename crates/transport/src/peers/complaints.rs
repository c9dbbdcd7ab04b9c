//! What the log tells of peers: each thing once, and again when it has gone on for a while.

use std::collections::HashMap;
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use zooid_ids::ServerId;

use super::hello::{Ending, Language};

/// What goes on is told again after this.
const PAUSE: Duration = Duration::from_secs(600);

/// Where a connection comes from, or goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// A member of the ensemble, if it is known which.
    pub(crate) member: Option<ServerId>,
    /// Its address, if it was the one to connect.
    pub(crate) address: Option<IpAddr>,
}

impl From<ServerId> for Source {
    fn from(member: ServerId) -> Self {
        Self { member: Some(member), address: None }
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self { member: None, address: Some(address) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.member, self.address) {
            (Some(member), Some(address)) => write!(f, "server {member} at {address}"),
            (Some(member), None) => write!(f, "server {member}"),
            (None, Some(address)) => write!(f, "{address}"),
            (None, None) => write!(f, "a peer"),
        }
    }
}

/// What is told once: of which member, and of what. Addresses do not count, as there are too many.
type Kind = (Option<ServerId>, Discriminant<Ending>, Option<Language>);

/// What was told, and what was not since.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<HashMap<Kind, Told>>);

#[derive(Debug)]
struct Told {
    at: Instant,
    untold: u64,
}

impl Complaints {
    /// Whether the log is to be told of this ending now, and how many like it it was not told of.
    pub(crate) fn raise(&self, source: Source, ending: &Ending, now: Instant) -> Option<u64> {
        let language = if let Ending::Foreign(language) = ending { Some(*language) } else { None };
        let kind = (source.member, discriminant(ending), language);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = told.get_mut(&kind) else {
            told.insert(kind, Told { at: now, untold: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(before.at) < PAUSE {
            before.untold += 1;
            return None;
        }
        before.at = now;
        Some(std::mem::take(&mut before.untold))
    }

    /// How many kinds were told.
    #[cfg(test)]
    pub(crate) fn kinds(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_told_once_in_a_while() {
        let (complaints, now) = (Complaints::default(), Instant::now());
        let one = Source::from(ServerId(1));
        assert_eq!(complaints.raise(one, &Ending::Silent, now), Some(0));
        assert_eq!(complaints.raise(one, &Ending::Silent, now), None);
        assert_eq!(complaints.raise(one, &Ending::Silent, now + PAUSE / 2), None);
        assert_eq!(complaints.raise(one, &Ending::Slow(5), now), Some(0), "something else");
        let two = Source::from(ServerId(2));
        assert_eq!(complaints.raise(two, &Ending::Silent, now), Some(0), "somebody else");
        assert_eq!(complaints.raise(one, &Ending::Silent, now + PAUSE), Some(2));
        assert_eq!(complaints.raise(one, &Ending::Silent, now + PAUSE), None);
    }

    /// However many strangers there are, what is remembered of them stays small.
    #[test]
    fn strangers_are_not_told_apart() {
        let (complaints, now) = (Complaints::default(), Instant::now());
        for address in 0..1000u32 {
            let stranger = Source::from(IpAddr::from(address.to_be_bytes()));
            complaints.raise(stranger, &Ending::Foreign(Language::Unknown), now);
            complaints.raise(stranger, &Ending::Foreign(Language::Http), now);
        }
        assert_eq!(complaints.kinds(), 2);
    }
}

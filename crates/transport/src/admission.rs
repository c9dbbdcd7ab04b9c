//! How many connections there may be, and how many requests without an answer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Counts connections, in all and per address.
#[derive(Debug)]
pub(crate) struct Admission {
    in_all: Option<usize>,
    per_address: Option<usize>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    in_all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why a connection was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Of clients: `maxCnxns`.
    TooMany(usize),
    /// Of clients: `maxClientCnxns`.
    TooManyFromThere(usize),
}

impl Admission {
    /// So many at once, in all and from one address; `None` is without limit.
    pub(crate) fn new(in_all: Option<usize>, per_address: Option<usize>) -> Self {
        Self { in_all, per_address, open: Mutex::default() }
    }

    /// Lets a connection from `address` in, unless there are enough.
    pub(crate) fn enter(&self, address: IpAddr) -> Result<(), Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limit) = self.in_all.filter(|limit| open.in_all >= *limit) {
            return Err(Refusal::TooMany(limit));
        }
        let from_there = open.by_address.get(&address).copied().unwrap_or(0);
        if let Some(limit) = self.per_address.filter(|limit| from_there >= *limit) {
            return Err(Refusal::TooManyFromThere(limit));
        }
        open.in_all += 1;
        open.by_address.insert(address, from_there + 1);
        Ok(())
    }

    /// A connection that was let in has ended.
    pub(crate) fn leave(&self, address: IpAddr) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.in_all -= 1;
        let from_there = open.by_address.get_mut(&address);
        let from_there = from_there.expect("an address that was let in is counted");
        *from_there -= 1;
        if *from_there == 0 {
            open.by_address.remove(&address);
        }
    }
}

/// Counts requests without an answer, over all connections. The limit is soft, as ZooKeeper's is:
/// a connection without any may always have one, so that none starves.
#[derive(Debug)]
pub(crate) struct Outstanding {
    limit: usize,
    taken: AtomicUsize,
    freed: Notify,
}

impl Outstanding {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, taken: AtomicUsize::new(0), freed: Notify::new() }
    }

    /// How many more there may be just now.
    pub(crate) fn room(&self) -> usize {
        self.limit.saturating_sub(self.taken())
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// So many more are without an answer. Passes the wake-up on while there is room.
    pub(crate) fn take(&self, requests: usize) {
        let taken = self.taken.fetch_add(requests, Ordering::Relaxed) + requests;
        if taken < self.limit {
            self.freed.notify_one();
        }
    }

    /// So many were answered, or will never be.
    pub(crate) fn free(&self, requests: usize) {
        let before = self.taken.fetch_sub(requests, Ordering::Relaxed);
        assert!(before >= requests, "what is freed was taken");
        if before >= self.limit && before - requests < self.limit {
            self.freed.notify_one();
        }
    }

    /// Wakes one connection that waits for room, as soon as there is any.
    pub(crate) fn freed(&self) -> &Notify {
        &self.freed
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    #[test]
    fn who_leaves_makes_room() {
        let admission = Admission::new(Some(3), Some(2));
        assert_eq!(admission.enter(address(1)), Ok(()));
        assert_eq!(admission.enter(address(1)), Ok(()));
        assert_eq!(admission.enter(address(1)), Err(Refusal::TooManyFromThere(2)));
        assert_eq!(admission.enter(address(2)), Ok(()));
        assert_eq!(admission.enter(address(3)), Err(Refusal::TooMany(3)));
        admission.leave(address(1));
        assert_eq!(admission.enter(address(3)), Ok(()));
        assert_eq!(admission.enter(address(1)), Err(Refusal::TooMany(3)));
    }
}

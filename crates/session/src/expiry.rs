//! When nothing was heard of a session for too long.
//!
//! Deadlines are rounded up to a multiple of the tick, so that sessions end in groups and a touch
//! often changes nothing. As in ZooKeeper a deadline that is a multiple already goes one tick
//! further: a session lives longer than its timeout by up to a tick, never shorter.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::hash::BuildHasherDefault;

use hashbrown::HashMap;
use siphasher::sip::SipHasher13;
use zooid_ids::{Instant, Millis, SessionId};

/// The deadlines of all sessions, on the server that ends them.
#[derive(Clone, Debug)]
pub struct Expiry {
    tick: u64,
    /// Only for looking up; what has an order stands in `deadlines`.
    sessions: HashMap<SessionId, Lease, BuildHasherDefault<SipHasher13>>,
    deadlines: BTreeSet<(Instant, SessionId)>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    timeout: Millis,
    deadline: Instant,
}

impl Expiry {
    /// No session yet.
    ///
    /// # Panics
    /// If the tick is not positive.
    #[must_use]
    pub fn new(tick: Millis) -> Self {
        assert!(tick.0 > 0, "a tick has a length");
        let tick = tick.0.unsigned_abs();
        Self { tick, sessions: HashMap::default(), deadlines: BTreeSet::new() }
    }

    /// A session begins, or is attached with a timeout negotiated anew: its deadline counts from
    /// `now`, be it later or earlier than before.
    pub fn track(&mut self, session: SessionId, now: Instant, timeout: Millis) {
        let deadline = self.bucket(now + timeout);
        if let Some(before) = self.sessions.insert(session, Lease { timeout, deadline }) {
            self.deadlines.remove(&(before.deadline, session));
        }
        self.deadlines.insert((deadline, session));
    }

    /// Something was heard of a session, at `heard`. News that is older than what is known changes
    /// nothing. False if the session is not (or no longer) here.
    pub fn touch(&mut self, session: SessionId, heard: Instant) -> bool {
        let Some(lease) = self.sessions.get(&session).copied() else { return false };
        if self.bucket(heard + lease.timeout) > lease.deadline {
            self.track(session, heard, lease.timeout);
        }
        true
    }

    /// A session has ended. False if it was not here.
    pub fn remove(&mut self, session: SessionId) -> bool {
        let Some(lease) = self.sessions.remove(&session) else { return false };
        self.deadlines.remove(&(lease.deadline, session))
    }

    /// Takes out the sessions whose deadline has come, by deadline, then id.
    pub fn expire(&mut self, now: Instant) -> Vec<SessionId> {
        let mut expired = Vec::new();
        while let Some((deadline, session)) = self.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            self.remove(session);
            expired.push(session);
        }
        expired
    }

    /// Gives every session its whole timeout again, from `now`: what a new leader does, who cannot
    /// know what the one before heard last.
    pub fn re_arm_all(&mut self, now: Instant) {
        self.set_all(|lease| now + lease.timeout);
    }

    /// Moves every deadline on, where this server heard nothing for so long for reasons of its own
    /// (it was stopped, or its loop was blocked).
    pub fn shift(&mut self, by: Millis) {
        // A deadline is a multiple of the tick: less one, it is rounded to itself again.
        self.set_all(|lease| (lease.deadline + by) - Millis(1));
    }

    fn set_all(&mut self, deadline: impl Fn(&Lease) -> Instant) {
        let all = core::mem::take(&mut self.deadlines);
        for (_, session) in all {
            let bucket = self.bucket(deadline(&self.sessions[&session]));
            self.sessions.entry(session).and_modify(|lease| lease.deadline = bucket);
            self.deadlines.insert((bucket, session));
        }
    }

    /// When [`Expiry::expire`] has something to take out, if nothing is heard until then.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Every session and its deadline, by deadline, then id.
    pub fn iter(&self) -> impl Iterator<Item = (Instant, SessionId)> {
        self.deadlines.iter().copied()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// Panics if what is kept twice does not agree.
    pub fn check_invariants(&self) {
        assert_eq!(self.sessions.len(), self.deadlines.len());
        for (deadline, session) in &self.deadlines {
            assert_eq!(self.sessions[session].deadline, *deadline);
            assert_eq!(deadline.0 % self.tick, 0);
        }
    }

    fn bucket(&self, deadline: Instant) -> Instant {
        Instant((deadline.0 / self.tick).saturating_add(1).saturating_mul(self.tick))
    }
}

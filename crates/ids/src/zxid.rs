//! Positions in the one order: epoch, zxid, log index.

use core::fmt;

/// The reign of one leader. Java clients compare zxids as signed numbers, so an epoch stays
/// below 2^31.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch after this one; `None` once Java clients could no longer order its zxids.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        (self.0 < i32::MAX as u32).then(|| Self(self.0 + 1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// ZooKeeper's transaction id: the epoch in the high 32 bits, a counter in the low 32.
/// Counter 0 is the epoch's own start and never a client's transaction.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(pub u64);

impl Zxid {
    /// Before everything.
    pub const ZERO: Self = Self(0);
    /// The counter that is never assigned: an epoch ends before it.
    pub const COUNTER_MAX: u32 = u32::MAX;

    /// The zxid of `counter` in `epoch`.
    #[must_use]
    pub const fn new(epoch: Epoch, counter: u32) -> Self {
        Self(((epoch.0 as u64) << 32) | counter as u64)
    }

    /// The high 32 bits.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch((self.0 >> 32) as u32)
    }

    /// The low 32 bits.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The next zxid of the same epoch; `None` when the counter is used up.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        if self.counter() >= Self::COUNTER_MAX - 1 { None } else { Some(Self(self.0 + 1)) }
    }

    /// As it stands on the client's wire, a signed 64-bit number.
    #[must_use]
    pub const fn wire(self) -> i64 {
        self.0 as i64
    }

    /// From the client's wire; a negative number is no zxid.
    #[must_use]
    pub const fn from_wire(wire: i64) -> Option<Self> {
        if wire < 0 { None } else { Some(Self(wire as u64)) }
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A position in one server's log: consecutive, from 1. Unlike a zxid it has no holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogIndex(pub u64);

impl LogIndex {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zxid_is_its_epoch_and_counter() {
        let zxid = Zxid::new(Epoch(3), 7);
        assert_eq!((zxid.epoch(), zxid.counter()), (Epoch(3), 7));
        assert_eq!(zxid.next(), Some(Zxid::new(Epoch(3), 8)));
    }

    #[test]
    fn the_last_counter_is_never_assigned() {
        assert_eq!(Zxid::new(Epoch(3), u32::MAX - 1).next(), None);
    }

    #[test]
    fn epochs_stay_where_java_orders_them() {
        assert_eq!(Epoch(i32::MAX as u32).next(), None);
        assert_eq!(Zxid::from_wire(-1), None);
    }
}

//! Credits: a learner forwards as many bytes of its clients' commands as its leader has granted.
//!
//! So whatever else a learner says never waits behind commands that the leader has not taken yet:
//! acknowledgements, signs of life, what the election needs. Forwards that were not granted wait at
//! the learner, in order, and the clients that they are from wait with them; how many these can be
//! is bounded by what clients may have without an answer.
//!
//! What was granted is told as a total since the channel was opened, so that it can only grow.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zooid_zab::message::Message;

use super::generated::FromLearner;
use super::hello::Ending;

/// What a forward costs beside the bytes of its command: part of the contract.
const FRAME_COST: u64 = 64;

/// What a message costs, if it is one that has to be granted.
pub(crate) fn cost(message: &Message) -> Option<u64> {
    match message {
        Message::Forward { command } => Some(FRAME_COST + command.len() as u64),
        _ => None,
    }
}

/// The smallest window that lets a message of so many bytes through.
pub(crate) fn window(forward_bytes: u64, message_bytes: usize) -> u64 {
    forward_bytes.max(FRAME_COST + message_bytes as u64)
}

/// At a learner: what was granted, and what waits until more is.
#[derive(Debug)]
pub(crate) struct Waiting {
    frames: VecDeque<(u64, FromLearner)>,
    sent: u64,
    granted: u64,
}

impl Waiting {
    /// Of a leader that has granted so much at first; one that grants nothing takes everything.
    pub(crate) fn new(granted: Option<u64>) -> Self {
        Self { frames: VecDeque::new(), sent: 0, granted: granted.unwrap_or(u64::MAX) }
    }

    /// Puts a forward behind those that wait.
    pub(crate) fn push(&mut self, cost: u64, frame: FromLearner) {
        self.frames.push_back((cost, frame));
    }

    /// The leader has granted so much in all.
    pub(crate) fn grant(&mut self, total: u64) {
        self.granted = self.granted.max(total);
    }

    /// The next one that may be sent.
    pub(crate) fn pop(&mut self) -> Option<FromLearner> {
        let (cost, _) = self.frames.front()?;
        let sent = self.sent.saturating_add(*cost);
        if sent > self.granted {
            return None;
        }
        self.sent = sent;
        self.frames.pop_front().map(|(_, frame)| frame)
    }
}

/// At a leader: what one learner was granted.
#[derive(Debug)]
pub(crate) struct Granting {
    window: u64,
    totals: Mutex<Totals>,
}

#[derive(Debug)]
struct Totals {
    received: u64,
    taken: u64,
    granted: u64,
}

impl Granting {
    /// A learner that was told of this window in the hello.
    pub(crate) const fn new(window: u64) -> Self {
        let totals = Totals { received: 0, taken: 0, granted: window };
        Self { window, totals: Mutex::new(totals) }
    }

    /// A forward has arrived.
    pub(crate) fn receive(&self, cost: u64) -> Result<(), Ending> {
        let mut totals = self.lock();
        totals.received = totals.received.saturating_add(cost);
        if totals.received > totals.granted {
            return Err(Ending::Overdrawn(totals.received - totals.granted));
        }
        Ok(())
    }

    /// A forward takes no room any more. What is to be told to the learner, if it is worth a
    /// message: as soon as a quarter of the window is free again.
    pub(crate) fn take(&self, cost: u64) -> Option<u64> {
        let mut totals = self.lock();
        totals.taken += cost;
        let granted = totals.taken + self.window;
        if granted - totals.granted < self.window / 4 {
            return None;
        }
        totals.granted = granted;
        Some(granted)
    }

    fn lock(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::generated::{Ack, from_learner};

    fn frame(number: u64) -> FromLearner {
        FromLearner { message: Some(from_learner::Message::Ack(Ack { zxid: number })) }
    }

    #[test]
    fn what_is_not_granted_waits_in_order() {
        let mut waiting = Waiting::new(Some(0));
        (1..=3).for_each(|number| waiting.push(100, frame(number)));
        assert_eq!(waiting.pop(), None);
        waiting.grant(100);
        assert_eq!((waiting.pop(), waiting.pop()), (Some(frame(1)), None));
        waiting.grant(99);
        assert_eq!(waiting.pop(), None, "it only grows");
        waiting.grant(299);
        assert_eq!((waiting.pop(), waiting.pop()), (Some(frame(2)), None));
        waiting.grant(300);
        assert_eq!((waiting.pop(), waiting.pop()), (Some(frame(3)), None));
    }

    #[test]
    fn who_grants_nothing_takes_everything() {
        let mut waiting = Waiting::new(None);
        waiting.push(u64::MAX, frame(1));
        waiting.push(1, frame(2));
        assert_eq!((waiting.pop(), waiting.pop()), (Some(frame(1)), Some(frame(2))));
    }

    #[test]
    fn a_quarter_of_the_window_is_granted_anew() {
        let granting = Granting::new(1000);
        for _ in 0..10 {
            granting.receive(100).unwrap();
        }
        assert!(matches!(granting.receive(1), Err(Ending::Overdrawn(1))));
        assert_eq!((granting.take(100), granting.take(100)), (None, None));
        assert_eq!(granting.take(100), Some(1300));
        granting.receive(299).unwrap();
        assert!(matches!(granting.receive(1), Err(Ending::Overdrawn(1))));
    }
}

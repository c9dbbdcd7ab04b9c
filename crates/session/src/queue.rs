//! The order in which one connection's requests are answered: that in which they came.
//!
//! A command goes to the log at once, however many stand before it; only its answer waits. A read
//! behind it waits too, since it has to see what the command did. Whatever is answered leaves
//! through [`Queue::release`], oldest first; nothing passes what is not answered yet. Only pings
//! and `addAuthInfo` never stand here.

use alloc::collections::VecDeque;

/// One connection's requests that are not answered yet. `C` is what is kept of a command until its
/// result is known, `W` what waits for its turn: a request to be answered then, or an answer that
/// is ready.
#[derive(Clone, Debug)]
pub struct Queue<C, W> {
    slots: VecDeque<Slot<C, W>>,
    /// The sequence number of the newest command.
    issued: u64,
    /// The sequence number of the newest command whose result is known.
    resolved: u64,
    /// The newest moment up to which syncs are confirmed.
    confirmed: u64,
}

#[derive(Clone, Debug)]
enum Slot<C, W> {
    /// Its result is not known.
    Command(C),
    /// It may be answered once the moment is confirmed.
    Sync(u64, W),
    /// It may be answered once it is the oldest.
    Waiting(W),
}

impl<C, W> Default for Queue<C, W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C, W> Queue<C, W> {
    /// The queue of a connection that has just been attached to its session.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: VecDeque::new(), issued: 0, resolved: 0, confirmed: 0 }
    }

    /// True if nothing waits: a read may be answered at once, without a place here.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many requests are not answered yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.slots.len()
    }

    /// A command takes its place; returns its sequence number, counted from 1 without a gap.
    pub fn command(&mut self, command: C) -> u64 {
        self.slots.push_back(Slot::Command(command));
        self.issued += 1;
        self.issued
    }

    /// A request takes its place that is answered when the moment `at` is confirmed and it is the
    /// oldest. What the moments are is the caller's matter; they never go back.
    pub fn sync(&mut self, at: u64, waiting: W) {
        self.slots.push_back(Slot::Sync(at, waiting));
    }

    /// A request, or an answer that is ready, takes its place.
    pub fn wait(&mut self, waiting: W) {
        self.slots.push_back(Slot::Waiting(waiting));
    }

    /// A command's result is known; `answer` makes of it what stands in its place from now on.
    ///
    /// # Panics
    /// If it is not the oldest command without a result: the log keeps the order of one origin's
    /// commands, so its replica would not be what the others are.
    pub fn resolve(&mut self, sequence: u64, answer: impl FnOnce(C) -> W) {
        assert_eq!(sequence, self.resolved + 1, "results come in the order of the commands");
        let oldest = self.slots.iter().position(|slot| matches!(slot, Slot::Command(_)));
        let at = oldest.expect("a result belongs to a command");
        if let Some(Slot::Command(command)) = self.slots.remove(at) {
            self.slots.insert(at, Slot::Waiting(answer(command)));
        }
        self.resolved = sequence;
    }

    /// As [`Queue::resolve`], of a command behind which nothing is answered any more: what came
    /// after it is forgotten.
    ///
    /// # Panics
    /// As [`Queue::resolve`].
    pub fn resolve_last(&mut self, sequence: u64, answer: impl FnOnce(C) -> W) {
        let behind = self.slots.iter().position(|slot| matches!(slot, Slot::Command(_)));
        self.slots.truncate(behind.map_or(0, |at| at + 1));
        self.resolve(sequence, answer);
        self.issued = sequence;
    }

    /// Syncs of the moment `at` and of those before may be answered.
    pub fn confirm(&mut self, at: u64) {
        self.confirmed = self.confirmed.max(at);
    }

    /// Takes out the oldest request if it may be answered now. To be asked again until there is
    /// none, after each call of the others.
    pub fn release(&mut self) -> Option<W> {
        match self.slots.front()? {
            Slot::Command(_) => return None,
            Slot::Sync(at, _) if *at > self.confirmed => return None,
            Slot::Sync(..) | Slot::Waiting(_) => {}
        }
        match self.slots.pop_front()? {
            Slot::Sync(_, waiting) | Slot::Waiting(waiting) => Some(waiting),
            Slot::Command(_) => unreachable!("a command without a result is not taken out"),
        }
    }

    /// The commands without a result, with their sequence numbers, oldest first: those that a new
    /// leader may not have.
    pub fn commands(&self) -> impl Iterator<Item = (u64, &C)> {
        let commands = self.slots.iter().filter_map(|slot| match slot {
            Slot::Command(command) => Some(command),
            Slot::Sync(..) | Slot::Waiting(_) => None,
        });
        (self.resolved + 1..).zip(commands)
    }
}

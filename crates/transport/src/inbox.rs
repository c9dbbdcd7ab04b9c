//! Where the loop's thread finds what it has to do.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::FromClient;

/// Takes what connections say; never blocks for long.
pub trait Inbox<M = FromClient>: Send + Sync + 'static {
    /// Hands one message over, behind those handed over before.
    fn push(&self, message: M);
}

/// A queue with many senders and one receiver, who takes all that is there at once.
///
/// It has no limit of its own: what stands in it is limited where it comes from (the outstanding
/// requests and the number of connections).
#[derive(Debug)]
pub struct Mailbox<T> {
    queue: Mutex<Queue<T>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Queue<T> {
    items: Vec<T>,
    receiver_sleeps: bool,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let queue = Queue { items: Vec::new(), receiver_sleeps: false };
        Self { queue: Mutex::new(queue), arrived: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// Puts an item at the end; wakes the receiver only if it sleeps.
    pub fn put(&self, item: T) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.items.push(item);
        if std::mem::take(&mut queue.receiver_sleeps) {
            drop(queue);
            self.arrived.notify_one();
        }
    }

    /// Moves all that is there into `items`, which must be empty and lends the queue its memory.
    /// Waits up to `timeout` for the first item.
    pub fn drain(&self, items: &mut Vec<T>, timeout: Duration) {
        debug_assert!(items.is_empty(), "what was drained before is done with");
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + timeout;
        while queue.items.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue.receiver_sleeps = true;
            let woken = self.arrived.wait_timeout(queue, left);
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.receiver_sleeps = false;
        std::mem::swap(&mut queue.items, items);
    }
}

impl<M, T: From<M> + Send + 'static> Inbox<M> for Mailbox<T> {
    fn push(&self, message: M) {
        self.put(message.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn everything_arrives_once_and_in_each_sender_s_order() {
        let mailbox = Arc::new(Mailbox::default());
        let senders: Vec<_> = (0..4u32)
            .map(|sender| {
                let mailbox = Arc::clone(&mailbox);
                thread::spawn(move || (0..1000u32).for_each(|item| mailbox.put((sender, item))))
            })
            .collect();
        let (mut seen, mut items) = (vec![Vec::new(); 4], Vec::new());
        while seen.iter().map(Vec::len).sum::<usize>() < 4000 {
            mailbox.drain(&mut items, Duration::from_secs(5));
            assert!(!items.is_empty(), "the senders are quicker than this");
            for (sender, item) in items.drain(..) {
                seen[sender as usize].push(item);
            }
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert!(seen.iter().all(|items| items.iter().copied().eq(0..1000)));
    }

    #[test]
    fn waiting_ends() {
        let mailbox = Mailbox::<u8>::default();
        let mut items = Vec::new();
        mailbox.drain(&mut items, Duration::from_millis(10));
        assert!(items.is_empty());
    }
}

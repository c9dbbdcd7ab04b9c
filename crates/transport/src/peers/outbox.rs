//! What waits to be sent through one stream.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use thiserror::Error;
use tonic::codegen::tokio_stream::Stream;

/// Why something could not be put into an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Stuck {
    #[error("{0} bytes wait to be sent")]
    Full(usize),
    #[error("the stream has ended")]
    Ended,
}

/// The end into which frames are put. A frame stands there until the network takes it, so that a
/// peer that does not read is noticed by the bytes that wait.
#[derive(Debug)]
pub(crate) struct Outbox<T>(Arc<Mutex<Queue<T>>>);

/// The end from which the network takes them.
#[derive(Debug)]
pub(crate) struct Outflow<T>(Arc<Mutex<Queue<T>>>);

#[derive(Debug)]
struct Queue<T> {
    frames: VecDeque<T>,
    bytes: usize,
    limit: usize,
    ended: bool,
    waker: Option<Waker>,
}

/// An outbox for `limit` bytes; a frame that is alone in it may be longer.
pub(crate) fn outbox<T>(limit: usize) -> (Outbox<T>, Outflow<T>) {
    let (frames, waker) = (VecDeque::new(), None);
    let queue = Arc::new(Mutex::new(Queue { frames, bytes: 0, limit, ended: false, waker }));
    (Outbox(Arc::clone(&queue)), Outflow(queue))
}

impl<T: prost::Message> Outbox<T> {
    /// Puts a frame behind those that wait.
    pub(crate) fn put(&self, frame: T) -> Result<(), Stuck> {
        let bytes = frame.encoded_len();
        let mut queue = lock(&self.0);
        if queue.ended {
            return Err(Stuck::Ended);
        }
        if queue.bytes > 0 && queue.bytes + bytes > queue.limit {
            return Err(Stuck::Full(queue.bytes));
        }
        queue.bytes += bytes;
        queue.frames.push_back(frame);
        queue.wake();
        Ok(())
    }
}

impl<T> Outbox<T> {
    /// Bytes that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.0).bytes
    }

    /// Ends the stream; what waits is not sent any more.
    pub(crate) fn end(&self) {
        let mut queue = lock(&self.0);
        queue.end();
        queue.wake();
    }
}

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> Queue<T> {
    fn end(&mut self) {
        self.ended = true;
        self.bytes = 0;
        self.frames = VecDeque::new();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl<T: prost::Message> Stream for Outflow<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut queue = lock(&self.0);
        if let Some(frame) = queue.frames.pop_front() {
            queue.bytes -= frame.encoded_len();
            return Poll::Ready(Some(frame));
        }
        if queue.ended {
            return Poll::Ready(None);
        }
        queue.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Outflow<T> {
    fn drop(&mut self) {
        lock(&self.0).end();
    }
}

fn lock<T>(queue: &Mutex<Queue<T>>) -> MutexGuard<'_, Queue<T>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::generated::Ack;
    use tonic::codegen::tokio_stream::StreamExt;

    fn ack(zxid: u64) -> Ack {
        Ack { zxid }
    }

    #[tokio::test]
    async fn frames_come_out_in_order_until_the_end() {
        let (outbox, mut outflow) = outbox(100);
        outbox.put(ack(1)).unwrap();
        outbox.put(ack(2)).unwrap();
        assert_eq!(outflow.next().await, Some(ack(1)));
        outbox.end();
        assert_eq!(outflow.next().await, None, "what waits at the end is not sent");
        assert_eq!(outbox.put(ack(3)), Err(Stuck::Ended));
    }

    #[tokio::test]
    async fn what_was_taken_makes_room() {
        let (outbox, mut outflow) = outbox(9);
        outbox.put(ack(1)).unwrap();
        assert_eq!(outbox.put(ack(2)), Err(Stuck::Full(9)));
        assert_eq!(outflow.next().await, Some(ack(1)));
        outbox.put(ack(2)).unwrap();
        drop(outflow);
        assert_eq!(outbox.put(ack(3)), Err(Stuck::Ended));
    }
}

//! Records what other members had acknowledged, on a thread of its own: nobody waits for it.
//!
//! A disk that was rolled back has its own records rolled back too, so only the others can tell, and
//! only if theirs are on disk.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use zooid_ids::{Instant, Millis, Zxid};
use zooid_storage::{Acknowledged, Acknowledgements};
use zooid_zab::Member;

use crate::guard;

/// How often there may be a new record.
const INTERVAL: Millis = Millis(2000);

/// The way to the thread. When it is dropped the thread finishes what it was given and ends.
#[derive(Debug)]
pub(crate) struct Recorder {
    given: Vec<Acknowledged>,
    next: Instant,
    way: Option<SyncSender<Vec<Acknowledged>>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the thread; `recorded` is what is on disk already.
    #[must_use]
    pub(crate) fn start(acknowledgements: Acknowledgements, recorded: Vec<Acknowledged>) -> Self {
        let (way, waiting) = sync_channel(1);
        let thread = guard::spawn("recorder", move || record(&acknowledgements, &waiting));
        Self { given: recorded, next: Instant::default(), way: Some(way), thread: Some(thread) }
    }

    /// Records this, if it is time, if it is news, and unless the disk is not done with the last.
    pub(crate) fn record(
        &mut self,
        now: Instant,
        acknowledged: impl Iterator<Item = (Member, Zxid)>,
    ) {
        if now < self.next {
            return;
        }
        self.next = now + INTERVAL;
        let acknowledged: Vec<_> = acknowledged.map(of_member).collect();
        let way = self.way.as_ref().expect("it lives until the drop");
        if acknowledged != self.given && way.try_send(acknowledged.clone()).is_ok() {
            self.given = acknowledged;
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.way.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has ended the process.
            let _ = thread.join();
        }
    }
}

/// As the agreement knows it, from the record.
pub(crate) fn to_member(acknowledged: &Acknowledged) -> (Member, Zxid) {
    let Acknowledged { server, incarnation, zxid } = *acknowledged;
    (Member { id: server, incarnation }, zxid)
}

fn of_member((member, zxid): (Member, Zxid)) -> Acknowledged {
    Acknowledged { server: member.id, incarnation: member.incarnation, zxid }
}

fn record(acknowledgements: &Acknowledgements, waiting: &Receiver<Vec<Acknowledged>>) {
    for acknowledged in waiting {
        if let Err(fatal) = acknowledgements.put(&acknowledged) {
            guard::die("recorder", &fatal.to_string());
        }
    }
}

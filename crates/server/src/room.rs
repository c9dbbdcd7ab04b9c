//! How much room the disks have, watched on a thread of its own.
//!
//! Before a disk is full the server stops taking writes that grow, so that what it has promised
//! already still fits: entries that are under way, the end of sessions, a new epoch, a checkpoint.
//! It says so once a minute, and takes writes again once there is some more room than that. What
//! follows for requests is the node's to decide.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use zooid_transport::Mailbox;

use crate::{Event, guard};

/// How often the disks are looked at where there is much room, and where there is hardly any.
const INTERVALS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(250)];

/// Nobody is thought to write more than this in a millisecond.
const BYTES_PER_MS: u64 = 1 << 20;

/// How often the log is told of a disk that is short.
const REMINDER: Duration = Duration::from_secs(60);

/// What is kept free where nothing is said: three files of the log, and some more for a checkpoint.
const HEAD_ROOM: u64 = 256 << 20;

/// The share of a small disk that this may be.
const SHARE: u64 = 8;

/// The thread that watches; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct RoomWatch {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RoomWatch {
    /// Watches the disks of these directories. `head_room` is how many bytes are to stay free;
    /// nothing is watched if it is 0.
    #[must_use]
    pub(crate) fn start(
        dirs: [PathBuf; 2],
        head_room: Option<u64>,
        mailbox: Arc<Mailbox<Event>>,
    ) -> Self {
        if head_room == Some(0) {
            return Self { end: None, thread: None };
        }
        let (end, ended) = channel();
        let mut watch = Watch { dirs, head_room, mailbox, is_short: false, told: None };
        let thread = guard::spawn("room", move || {
            let mut pause = watch.look();
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                pause = watch.look();
            }
        });
        Self { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for RoomWatch {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has ended the process.
            let _ = thread.join();
        }
    }
}

struct Watch {
    dirs: [PathBuf; 2],
    head_room: Option<u64>,
    mailbox: Arc<Mailbox<Event>>,
    is_short: bool,
    /// When the log was told last.
    told: Option<Instant>,
}

/// The room of one disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    free: u64,
    head_room: u64,
}

impl Room {
    fn of(free: u64, total: u64, head_room: Option<u64>) -> Self {
        Self { free, head_room: head_room.unwrap_or(HEAD_ROOM.min(total / SHARE)) }
    }

    /// Whether there is too little; some more is wanted before that is over, so that it does not
    /// change with each write.
    const fn is_short(self, was_short: bool) -> bool {
        let wanted = if was_short { self.head_room + self.head_room / 4 } else { self.head_room };
        self.free < wanted
    }

    /// When to look again: before what is free beyond the head-room can be gone.
    fn pause(self) -> Duration {
        let [shortest, longest] = INTERVALS;
        let beyond = self.free.saturating_sub(self.head_room);
        Duration::from_millis(beyond / BYTES_PER_MS).clamp(shortest, longest)
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes are free, and {} are to stay free", self.free, self.head_room)
    }
}

impl Watch {
    /// Gives the time until the next look.
    fn look(&mut self) -> Duration {
        let seen = self.dirs.iter().filter_map(|dir| Some((dir, self.room(dir)?)));
        let (dirs, rooms): (Vec<_>, Vec<_>) = seen.unzip();
        let short = rooms.iter().position(|room| room.is_short(self.is_short));
        let short = short.map(|at| format!("{}: {}", dirs[at].display(), rooms[at]));
        self.tell(short.as_deref());
        self.is_short = short.is_some();
        let free = rooms.iter().map(|room| room.free).min();
        self.mailbox.put(Event::Room { free, is_short: self.is_short });
        let soonest = rooms.iter().map(|room| room.pause()).min();
        soonest.filter(|_| !self.is_short).unwrap_or(INTERVALS[1])
    }

    /// `None` where it cannot be found out: then nothing is refused for it.
    fn room(&self, dir: &Path) -> Option<Room> {
        let disk = rustix::fs::statvfs(dir);
        let disk =
            disk.inspect_err(|error| tracing::debug!(%error, "{} is not seen", dir.display()));
        let disk = disk.ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Some(Room::of(bytes(disk.f_bavail), bytes(disk.f_blocks), self.head_room))
    }

    fn tell(&mut self, short: Option<&str>) {
        match short {
            Some(what) if self.told.is_none_or(|told| told.elapsed() >= REMINDER) => {
                self.told = Some(Instant::now());
                tracing::error!(
                    "{what}; make room: until then writes are refused, except those that only \
                     delete; reads, pings and sessions go on"
                );
            }
            None if self.told.take().is_some() => {
                tracing::info!("there is room on the disk again: writes are taken");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_short_until_there_is_some_more_room() {
        let room = |free| Room::of(free, 1 << 40, Some(100));
        assert!(!room(100).is_short(false));
        assert!(room(99).is_short(false));
        assert!(room(124).is_short(true));
        assert!(!room(125).is_short(true));
    }

    #[test]
    fn a_disk_is_looked_at_more_often_the_less_room_there_is() {
        let pause = |beyond: u64| Room::of(100 + beyond, 1 << 40, Some(100)).pause();
        assert_eq!(pause(1 << 30), INTERVALS[1]);
        assert_eq!(pause(100 << 20), Duration::from_millis(100));
        assert_eq!(pause(0), INTERVALS[0]);
    }

    #[test]
    fn a_small_disk_is_not_short_from_the_start() {
        assert_eq!(Room::of(0, 80, None).head_room, 10);
        assert_eq!(Room::of(0, 1 << 40, None).head_room, HEAD_ROOM);
    }
}

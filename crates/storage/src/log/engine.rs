//! raft-engine, so that a failure of the disk is an error here and never a panic in its midst.
//!
//! raft-engine panics when an fsync fails, and again when it is dropped, which ends the process
//! without a word. So it is told that the fsync worked, and whoever asked for the write is told the
//! truth. From then on nothing is written, created, renamed or removed any more: raft-engine would
//! write behind what is lost, and remove files whose entries it believes to be durable elsewhere.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use raft_engine::LogBatch;
use raft_engine::env::{DefaultFileSystem, FileSystem, Handle, Permission, WriteExt};

/// Reading goes to raft-engine directly.
pub(crate) struct Engine {
    engine: raft_engine::Engine<LogFiles>,
    failure: Failure,
    refusal: Failure,
}

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unopenable {
    /// The files are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// The system refused an access: nothing is known of the files.
    #[error("{0}")]
    Refused(String),
}

/// The first failure, after which nothing that was written can be counted on.
#[derive(Clone, Default)]
struct Failure(Arc<OnceLock<String>>);

impl Failure {
    fn is(&self, why: String) {
        self.0.get_or_init(|| why);
    }

    /// Keeps what the system refused.
    fn note<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &done {
            self.is(told(error));
        }
        done
    }

    /// raft-engine takes its lock without our files.
    fn note_error(&self, error: &raft_engine::Error) {
        match error {
            raft_engine::Error::Io(error) if error.raw_os_error().is_some() => {
                self.is(error.to_string())
            }
            raft_engine::Error::Other(error) => self.is(error.to_string()),
            _of_what_was_read => {}
        }
    }

    fn check(&self) -> Result<(), String> {
        self.0.get().map_or(Ok(()), |why| Err(why.clone()))
    }

    /// Refuses `change` once there is one.
    fn allow<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.check().map_err(io::Error::other)?;
        change()
    }
}

impl Engine {
    /// # Errors
    /// What raft-engine said, or that it panicked.
    pub(super) fn open(settings: raft_engine::Config) -> Result<Self, Unopenable> {
        let (failure, refusal) = (Failure::default(), Failure::default());
        let files = LogFiles { failure: failure.clone(), refusal: refusal.clone() };
        let open = || {
            let opened = raft_engine::Engine::open_with_file_system(settings, Arc::new(files));
            if let Err(error) = &opened {
                refusal.note_error(error);
            }
            opened
        };
        let opened = guarded(&failure, "opened its files", open);
        refusal.check().map_err(Unopenable::Refused)?;
        let engine = opened.map_err(Unopenable::Damaged)?;
        Ok(Self { engine, failure, refusal })
    }

    /// # Errors
    /// If the system refused to read anything until now.
    pub(crate) fn check_reads(&self) -> Result<(), String> {
        self.refusal.check()
    }

    /// One batch, one fsync; gives the bytes written.
    pub(super) fn write(&self, batch: &mut LogBatch) -> Result<usize, String> {
        self.change("wrote", || self.engine.write(batch, true))
    }

    /// Removes the files that hold nothing any more.
    pub(super) fn purge(&self) -> Result<(), String> {
        self.change("removed old files", || self.engine.purge_expired_files())?;
        Ok(())
    }

    fn change<T>(
        &self,
        doing: &str,
        change: impl FnOnce() -> raft_engine::Result<T>,
    ) -> Result<T, String> {
        self.failure.check()?;
        guarded(&self.failure, doing, change)
    }
}

impl Deref for Engine {
    type Target = raft_engine::Engine<LogFiles>;

    fn deref(&self) -> &Self::Target {
        &self.engine
    }
}

/// The error names the call that failed and knows the cause by its kind only.
fn told(error: &io::Error) -> String {
    format!("{error} failed: {}", error.kind())
}

/// The fsync of a directory is the one that raft-engine does itself: then it panics.
fn guarded<T>(
    failure: &Failure,
    doing: &str,
    change: impl FnOnce() -> raft_engine::Result<T>,
) -> Result<T, String> {
    let done = catch_unwind(AssertUnwindSafe(change))
        .map_err(|_| format!("raft-engine panicked while it {doing}"))
        .and_then(|done| done.map_err(|error| error.to_string()));
    if let Err(why) = &done {
        failure.is(why.clone());
    }
    failure.check()?;
    done
}

/// The files of the system, until one cannot be synced.
pub(crate) struct LogFiles {
    failure: Failure,
    refusal: Failure,
}

/// An open file.
pub(crate) struct LogFile {
    file: Arc<<DefaultFileSystem as FileSystem>::Handle>,
    failure: Failure,
    refusal: Failure,
}

/// Reads one.
pub(crate) struct LogFileReader {
    reader: <DefaultFileSystem as FileSystem>::Reader,
    refusal: Failure,
}

impl Read for LogFileReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.refusal.note(self.reader.read(bytes))
    }
}

impl Seek for LogFileReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}

impl LogFiles {
    fn file(&self, file: <DefaultFileSystem as FileSystem>::Handle) -> LogFile {
        let (failure, refusal) = (self.failure.clone(), self.refusal.clone());
        LogFile { file: Arc::new(file), failure, refusal }
    }
}

/// Writes one.
pub(crate) struct LogFileWriter {
    writer: <DefaultFileSystem as FileSystem>::Writer,
    failure: Failure,
    refusal: Failure,
}

impl Write for LogFileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.refusal.note(self.failure.allow(|| self.writer.write(bytes)))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Seek for LogFileWriter {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.writer.seek(to)
    }
}

impl WriteExt for LogFileWriter {
    fn truncate(&mut self, len: usize) -> io::Result<()> {
        self.failure.allow(|| self.writer.truncate(len))
    }

    fn allocate(&mut self, offset: usize, len: usize) -> io::Result<()> {
        self.failure.allow(|| self.writer.allocate(offset, len))
    }
}

impl FileSystem for LogFiles {
    type Handle = LogFile;
    type Reader = LogFileReader;
    type Writer = LogFileWriter;

    fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<LogFile> {
        let created = self.failure.allow(|| DefaultFileSystem.create(path));
        self.refusal.note(created).map(|file| self.file(file))
    }

    fn open<P: AsRef<Path>>(&self, path: P, permission: Permission) -> io::Result<LogFile> {
        self.refusal.note(DefaultFileSystem.open(path, permission)).map(|file| self.file(file))
    }

    fn delete<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.failure.allow(|| DefaultFileSystem.delete(path))
    }

    fn rename<P: AsRef<Path>>(&self, from: P, to: P) -> io::Result<()> {
        self.failure.allow(|| DefaultFileSystem.rename(from, to))
    }

    fn new_reader(&self, file: Arc<LogFile>) -> io::Result<Self::Reader> {
        let reader = DefaultFileSystem.new_reader(file.file.clone())?;
        Ok(LogFileReader { reader, refusal: self.refusal.clone() })
    }

    fn new_writer(&self, file: Arc<LogFile>) -> io::Result<Self::Writer> {
        let writer = DefaultFileSystem.new_writer(file.file.clone())?;
        let (failure, refusal) = (self.failure.clone(), self.refusal.clone());
        Ok(LogFileWriter { writer, failure, refusal })
    }
}

impl Handle for LogFile {
    /// While it opens its files raft-engine cuts off what it could not read, also if that was the
    /// system's fault.
    fn truncate(&self, len: usize) -> io::Result<()> {
        self.refusal.note(self.refusal.allow(|| self.file.truncate(len)))
    }

    fn file_size(&self) -> io::Result<usize> {
        self.refusal.note(self.file.file_size())
    }

    /// A failure is told by [`Engine::write`] and all that follow.
    fn sync(&self) -> io::Result<()> {
        if let Err(error) = self.file.sync() {
            self.failure.is(told(&error));
        }
        Ok(())
    }
}

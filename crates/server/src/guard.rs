//! Threads without which the server is nothing: if one of them panics, the process ends.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

/// The process's exit code after a broken invariant or a disk that failed.
pub(crate) const EXIT_FAILED: i32 = 10;

/// Starts a thread that takes the whole process with it when it panics: a server whose state or
/// disk can no longer be trusted is better dead than answering.
///
/// # Panics
/// If the system has no thread to give.
pub(crate) fn spawn<T: Send + 'static>(
    name: &'static str,
    run: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let guarded = move || match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => value,
        Err(panic) => die(name, &what(panic.as_ref())),
    };
    Builder::new().name(name.into()).spawn(guarded).expect("the system gives a thread")
}

/// Ends the process with a last line that says why.
pub(crate) fn die(thread: &str, why: &str) -> ! {
    tracing::error!(thread, why, "the server cannot go on and stops");
    std::process::exit(EXIT_FAILED)
}

fn what(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into())
}

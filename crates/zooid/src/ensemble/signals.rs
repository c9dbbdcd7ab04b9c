//! SIGTERM and SIGINT.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// Waits for either.
pub(super) struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on neither ends the process.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub(super) fn catch() -> Result<Self, String> {
        let failed = |error: io::Error| format!("cannot wait for signals: {error}");
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let guard = runtime.enter();
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        drop(guard);
        Ok(Self { runtime, terminate, interrupt })
    }

    /// Waits; true if one came.
    pub(super) fn within(&mut self, time: Duration) -> bool {
        let Self { runtime, terminate, interrupt } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => true,
                _ = interrupt.recv() => true,
                () = sleep(time) => false,
            }
        })
    }
}

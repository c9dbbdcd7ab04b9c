//! A server's life, from the command line's point of view.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Notice};
use crate::serve::{ServeError, Server};

/// The exit code of a server that could not start.
const EXIT_NOT_STARTED: u8 = 1;
/// The exit code for a configuration that cannot be meant.
const EXIT_BAD_CONFIG: u8 = 2;

/// Why a server did not run.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("the system gives no threads: {0}")]
    Threads(io::Error),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl RunError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Serve(error) if error.is_of_config() => EXIT_BAD_CONFIG,
            _ => EXIT_NOT_STARTED,
        }
    }
}

/// Runs a server until SIGTERM or SIGINT. Everything is logged, errors too.
#[must_use]
pub fn run(file: Option<&Path>) -> ExitCode {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "zooid server");
    let (config, notices) = match Config::load(file) {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::error!("{error}");
            return EXIT_BAD_CONFIG.into();
        }
    };
    notices.iter().for_each(tell);
    let served = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::Threads)
        .and_then(|runtime| runtime.block_on(serve(&config)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code().into()
        }
    }
}

fn tell(notice: &Notice) {
    if notice.is_warning {
        tracing::warn!("{}", notice.text);
    } else {
        tracing::info!("{}", notice.text);
    }
}

async fn serve(config: &Config) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let server = tokio::select! {
        started = Server::start(config) => started?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let address = server.address();
    let ip = address.ip();
    let mode = if config.ensemble.is_some() { "member" } else { "standalone" };
    let host = if ip.is_unspecified() { "localhost".into() } else { ip.to_string() };
    tracing::info!(
        mode, clients = %address,
        data = %config.data_dir.display(), log = %config.data_log_dir.display(),
        "serving; try: echo srvr | nc {host} {}", address.port(),
    );
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    server.stop().await;
    tracing::info!("stopped");
    Ok(())
}

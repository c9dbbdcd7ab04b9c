//! A server's life, from the command line's point of view.

use std::path::Path;
use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Notice};
use crate::serve::Server;

/// The exit code of a server that could not start.
const EXIT_NOT_STARTED: u8 = 1;
/// The exit code for a configuration that cannot be meant.
const EXIT_BAD_CONFIG: u8 = 2;

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
        .map_err(|error| format!("the system gives no threads: {error}"))
        .and_then(|runtime| runtime.block_on(serve(&config)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            EXIT_NOT_STARTED.into()
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

async fn serve(config: &Config) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot wait for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let server = tokio::select! {
        started = Server::start(config) => started.map_err(|error| error.to_string())?,
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

//! The one binary: `zooid server`, `ensemble`, `status`, `import`, `export`.
//!
//! What a server does stands in the crate that does it; here is what can be typed, and the commands
//! that only look at servers or start them. Data goes to stdout, the log to stderr.

mod check;
mod ensemble;
mod export;
mod import;
mod parent;
mod progress;
mod status;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

/// A coordination server that takes the place of Apache ZooKeeper.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The form of the log on stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// A line for a person
    Text,
    /// An object a line, for machines
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server
    ///
    /// Without a file: on 127.0.0.1:2181, with its data in ./zooid-data. With one: as that
    /// `zoo.cfg` says, the file that ZooKeeper reads. SERVER_JVMFLAGS and JVMFLAGS are searched
    /// for -D settings. ZOOID_LOG chooses what is logged, like `debug` or `zooid_server=trace`.
    ///
    /// Exit codes: 0 after SIGTERM or SIGINT, 1 if the server could not start (2 for a wrong
    /// configuration), 10 if it could not go on.
    ///
    /// Example: zooid server /etc/zookeeper/conf/zoo.cfg
    #[command(verbatim_doc_comment)]
    Server {
        /// ZooKeeper's configuration file
        #[arg(value_name = "ZOO.CFG")]
        config: Option<PathBuf>,
        /// The process that it ends with
        #[arg(long, value_name = "PROCESS", hide = true)]
        end_with: Option<u32>,
    },
    /// Run several servers as one ensemble, on this machine, to try it
    ///
    /// Writes DIR/1/zoo.cfg, DIR/1/data/myid and so on unless they are there, starts a process for
    /// each, which logs to DIR/1/server.log, and shows what each says of itself. It restarts none.
    ///
    /// Exit codes: 0 if all ended well after SIGTERM or SIGINT, otherwise 1
    ///
    /// Example: zooid ensemble 5 --dir /tmp/five --client-port 12181
    #[command(verbatim_doc_comment)]
    Ensemble(ensemble::Options),
    /// Show what each server of an ensemble says of itself: role, epoch, zxid, znodes, clients
    ///
    /// Asks the four-letter word srvr, so that it works for ZooKeeper too.
    ///
    /// Exit codes: 0 if all servers serve and one of them leads (or each is standalone), otherwise 1
    ///
    /// Example: zooid status 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183 --watch
    #[command(verbatim_doc_comment)]
    Status(status::Options),
    /// Take over the data of a stopped ZooKeeper: IN is its dataDir, DATADIR becomes Zooid's
    ///
    /// Reads the newest snapshot (plain, gzip or snappy) and every transaction of the logs behind it,
    /// verifies checksums and digests, and writes a data directory that `zooid server` goes on from:
    /// znodes with their zxids, versions and ACLs, ephemerals, containers and TTLs, and sessions,
    /// which their clients take up again. IN is only read; it may be the same directory as DATADIR.
    /// For an ensemble: import on one server; the others begin empty and get everything from it.
    ///
    /// Exit codes: 0 if DATADIR is ready, 1 if not; nothing is left there then
    ///
    /// Example: zooid import /var/lib/zookeeper /var/lib/zooid
    #[command(verbatim_doc_comment)]
    Import(import::Options),
    /// Write a server's data as a snapshot from which Apache ZooKeeper starts
    ///
    /// Of a stopped server everything is kept. DATADIR is opened as by a server that starts, and all
    /// that its log holds is applied: of an ensemble, stop all servers and take the one with the
    /// highest zxid. Clients whose sessions came from a ZooKeeper take them up again there; sessions
    /// that began at Zooid have passwords that ZooKeeper does not take, so they expire there.
    ///
    /// A running server is read as by a client while others write, and what is written is its state
    /// at exactly one zxid. It keeps what a client is told: znodes with data, ACLs, versions and
    /// zxids. It leaves out sessions and ephemerals, makes containers and TTL znodes ordinary ones,
    /// and may miss an ACL that is set meanwhile. It works with a running ZooKeeper (3.6 or later) too.
    ///
    /// Exit codes: 0 if OUT is ready, otherwise 1
    ///
    /// Example: zooid export /var/lib/zooid /var/lib/zookeeper-new
    #[command(verbatim_doc_comment)]
    Export(export::Options),
    /// Show what is in a stopped server's data directory, and what a start would make of it
    ///
    /// Identity, epochs, log, checkpoint runs with their checksums, znodes, sessions, the biggest of
    /// them, and the sentence that a server would log. Nothing in it is changed: the log is copied
    /// to a temporary directory, for which there must be room.
    ///
    /// Exit codes: 0 if it is sound (a start may cut the end of a write that was never
    /// acknowledged), 1 if it could not be looked at, 2 for a wrong command line, 3 if nothing was
    /// ever stored, 4 if something that was acknowledged may be missing, 5 if it is not this
    /// server's or not Zooid's
    ///
    /// Example: zooid check /var/lib/zooid --json
    #[command(verbatim_doc_comment)]
    Check(check::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(arguments.log_format);
    match arguments.command {
        Command::Server { config, end_with } => serve(config.as_deref(), end_with),
        Command::Ensemble(options) => ensemble::run(&options),
        Command::Status(options) => status::run(&options),
        Command::Import(options) => end(import::run(&options)),
        Command::Export(options) => end(export::run(&options)),
        Command::Check(options) => check::run(&options),
    }
}

/// Says what was done, or on the log why not.
fn end(done: Result<String, impl std::error::Error>) -> ExitCode {
    match done {
        Ok(report) => {
            // Whoever closed stdout does not want to know.
            let _ = std::io::stdout().write_all(report.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Option<&Path>, end_with: Option<u32>) -> ExitCode {
    if let Some(Err(error)) = end_with.map(parent::end_with) {
        tracing::error!("{error}");
        return ExitCode::FAILURE;
    }
    zooid_server::run(config)
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("ZOOID_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,raft_engine=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

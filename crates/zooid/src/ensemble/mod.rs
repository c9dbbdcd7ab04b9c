//! `zooid ensemble`: a local ensemble of real processes, all under one directory.
//!
//! It writes what an operator would write by hand (`layout`), starts a server for each (`member`),
//! and shows what they say of themselves until it is told to stop. It restarts nothing: a member
//! that ends stays away until somebody starts it. Start with [`run`].

mod layout;
mod member;
mod screen;
mod signals;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;

use layout::{Layout, Ports};
use member::{Member, Process};
use screen::Screen;
use signals::Signals;

use crate::status::{Addresses, ask_all};

/// What can be said on the command line.
#[derive(Args)]
pub(crate) struct Options {
    /// How many servers; 3, or as many as the directory has
    #[arg(value_name = "N", value_parser = RangedU64ValueParser::<u16>::new().range(1..=layout::MEMBERS_MAX))]
    members: Option<u16>,
    /// Where their configurations, data and logs are; what is there is kept
    #[arg(long, value_name = "DIR", default_value = "./zooid-ensemble")]
    dir: PathBuf,
    /// The first member's port for clients, the others' follow; 2181
    #[arg(long, value_name = "PORT")]
    client_port: Option<u16>,
    /// The first member's port for followers; 2888
    #[arg(long, value_name = "PORT")]
    quorum_port: Option<u16>,
    /// The first member's port for elections; 3888
    #[arg(long, value_name = "PORT")]
    election_port: Option<u16>,
    /// tickTime in milliseconds; 2000
    #[arg(long, value_name = "MILLISECONDS")]
    tick_time: Option<u32>,
}

const REFRESH: Duration = Duration::from_secs(1);
/// How long members may take to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs an ensemble until SIGTERM or SIGINT. Succeeds if every member ended as it was told to.
pub(crate) fn run(options: &Options) -> ExitCode {
    match try_run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("zooid ensemble: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(options: &Options) -> Result<bool, String> {
    let mut signals = Signals::catch()?;
    let members = layout(options)?.prepare()?;
    let servers = Addresses(members.iter().map(|member| member.client.clone()).collect());
    let mut processes: Vec<_> =
        members.into_iter().map(Process::start).collect::<Result<_, _>>()?;
    let mut screen = Screen::default();
    screen.say(&opening(&processes, &servers));
    let mut is_well = true;
    while !signals.within(REFRESH) && processes.iter().any(Process::runs) {
        for ended in processes.iter_mut().filter_map(Process::ended) {
            screen.say(&ended);
            is_well = false;
        }
        screen.show(&ask_all(&servers));
    }
    Ok(stop(&mut processes, &mut signals, &mut screen) && is_well)
}

fn layout(options: &Options) -> Result<Layout, String> {
    let dir = std::path::absolute(&options.dir).map_err(|error| error.to_string())?;
    let ports = Ports {
        client: options.client_port,
        quorum: options.quorum_port,
        election: options.election_port,
    };
    Ok(Layout { dir, members: options.members, ports, tick_time: options.tick_time })
}

fn opening(processes: &[Process], servers: &Addresses) -> String {
    let member = |process: &Process| {
        let Member { number, config, log, .. } = &process.member;
        format!("{number}: process {}, {}, log {}\n", process.id(), config.display(), log.display())
    };
    let members: String = processes.iter().map(member).collect();
    let servers: Vec<_> = servers.0.iter().map(ToString::to_string).collect();
    format!("{members}for clients: {}\nCtrl-C stops all\n\n", servers.join(","))
}

/// Stops all that run; true if each of them ended by itself, with exit code 0. Being asked again
/// ends the patience.
fn stop(processes: &mut [Process], signals: &mut Signals, screen: &mut Screen) -> bool {
    screen.say("stopping\n");
    let mut running: Vec<_> = processes.iter_mut().filter(|process| process.runs()).collect();
    running.iter().for_each(|process| process.terminate());
    let deadline = Instant::now() + PATIENCE;
    let mut is_well = true;
    while !running.is_empty() {
        if signals.within(Duration::from_millis(20)) || Instant::now() >= deadline {
            running.iter_mut().for_each(|process| process.kill());
        }
        running.retain_mut(|process| {
            let ended = process.ended();
            if let Some(ended) = ended.filter(|_| !process.ended_well()) {
                screen.say(&ended);
                is_well = false;
            }
            process.runs()
        });
    }
    is_well
}

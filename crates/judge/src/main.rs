//! Judges a recording against the logs of the servers, and says what was judged or what is wrong.
#![expect(clippy::print_stdout, reason = "this is a command")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::Parser;
use zooid_ids::{ServerId, Zxid};
use zooid_judge::{conversations, server_log};
use zooid_model::Identity;
use zooid_oracle::agreement::merge;
use zooid_oracle::{History, Terms, Told, judge};

/// Judges what the clients of real servers were told, from a recording and the servers' logs.
///
/// Example: zooid-judge frames.jsonl --member 1:2181:/tmp/1/data --member 2:2182:/tmp/2/data. The
/// exit code is 1 if a guarantee was broken, 2 if it cannot be judged.
#[derive(Parser)]
struct Arguments {
    /// One frame a line
    recording: PathBuf,
    /// A stopped server: its number, its client port, its dataDir
    #[arg(long = "member", required = true)]
    members: Vec<Stopped>,
    /// What a server answered to `hash`: its number, a zxid in hexadecimal digits, the digest
    #[arg(long = "digest", allow_hyphen_values = true)]
    digests: Vec<Shown>,
    /// The address of all clients; unless it is known, whose writes the log says they are is not judged
    #[arg(long)]
    address: Option<String>,
}

/// `1:2181:/data`.
#[derive(Clone)]
struct Stopped {
    id: ServerId,
    port: u16,
    data: PathBuf,
}

impl FromStr for Stopped {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or("write NUMBER:PORT:DATADIR");
        let id = part()?.parse().map_err(|error| format!("the number: {error}"))?;
        let port = part()?.parse().map_err(|error| format!("the port: {error}"))?;
        Ok(Self { id: ServerId(id), port, data: part()?.into() })
    }
}

/// `1:100000080:-17`: the digest of a server's tree, as an operator is shown it.
#[derive(Clone)]
struct Shown {
    id: ServerId,
    zxid: Zxid,
    digest: i64,
}

impl FromStr for Shown {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or("write NUMBER:ZXID:DIGEST");
        let id = part()?.parse().map_err(|error| format!("the number: {error}"))?;
        let zxid =
            u64::from_str_radix(part()?, 16).map_err(|error| format!("the zxid: {error}"))?;
        let digest = part()?.parse().map_err(|error| format!("the digest: {error}"))?;
        Ok(Self { id: ServerId(id), zxid: Zxid(zxid), digest })
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("cannot be judged: {error}");
            ExitCode::from(2)
        }
    }
}

/// True if every guarantee was kept.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let ports = arguments.members.iter().map(|member| (member.port, member.id));
    let ports: BTreeMap<u16, ServerId> = ports.collect();
    let recording = BufReader::new(File::open(&arguments.recording)?);
    let mut conversations = conversations(recording, &ports)?;
    for conversation in &mut conversations {
        let identity = arguments.address.as_ref().map(|address| Identity::new("ip", address));
        conversation.identities = identity.into_iter().collect();
    }
    let (mut servers, mut any_whole) = (Vec::new(), false);
    for Stopped { id, data, .. } in &arguments.members {
        let (mut log, is_whole) = server_log(*id, data)?;
        any_whole |= is_whole;
        let shown = arguments.digests.iter().filter(|shown| shown.id == *id);
        log.digests = shown.map(|shown| (shown.zxid, shown.digest.cast_unsigned())).collect();
        servers.push(log);
    }
    if !any_whole {
        return Err("no member's log reaches back to the first entry".into());
    }
    let history = History { log: merge(&servers), conversations, servers };
    // Nobody outside knows when a leader heard of a client.
    let violations = judge(&history, &Terms { relay: u64::MAX });
    violations.iter().for_each(|violation| println!("{violation}"));
    println!("{}: {} violations", summary(&history), violations.len());
    Ok(violations.is_empty())
}

fn summary(history: &History) -> String {
    let told = || history.conversations.iter().flat_map(|one| &one.told);
    let digests: usize = history.servers.iter().map(|server| server.digests.len()).sum();
    let asked: usize = history.conversations.iter().map(|one| one.asked.len()).sum();
    let events = told().filter(|told| matches!(told, Told::Event { .. })).count();
    format!(
        "{} conversations with {asked} requests, {} answers and {events} events, against {} entries \
         of the log on {} servers with {digests} digests",
        history.conversations.len(),
        told().count() - events,
        history.log.len(),
        history.servers.len(),
    )
}

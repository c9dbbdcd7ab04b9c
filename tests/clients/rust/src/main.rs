//! The surface of the `zookeeper-client` crate, against a server at the host:port given.
//!
//! Prints one line per check, `ok NAME` or `FAILED NAME why`; ends with 1 if any failed. Start with
//! `Suite`; the checks stand in the modules.

mod sessions;
mod watches;
mod znodes;

use std::fmt::Debug;
use std::future::Future;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use zookeeper_client::{Acls, Client, CreateMode, CreateOptions, Error};

pub const OPEN: &CreateOptions<'static> = &CreateMode::Persistent.with_acls(Acls::anyone_all());
pub const EPHEMERAL: &CreateOptions<'static> = &CreateMode::Ephemeral.with_acls(Acls::anyone_all());
pub const SESSION: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(15);

pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// What the checks share: the address, a client, and a count of failures.
pub struct Suite {
    pub hosts: String,
    pub client: Client,
    roots: u32,
    failures: u32,
}

impl Suite {
    /// Runs one check on a fresh znode and prints how it went.
    pub async fn check<F: Future<Output = Outcome>>(
        &mut self,
        name: &str,
        body: impl FnOnce(String, Client, String) -> F,
    ) {
        self.roots += 1;
        let root = format!("/rust-{}", self.roots);
        let outcome = match self.client.create(&root, b"", OPEN).await {
            Ok(_) => body(root, self.client.clone(), self.hosts.clone()).await,
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(()) => say(&format!("ok {name}")),
            Err(error) => {
                self.failures += 1;
                say(&format!("FAILED {name} {}", error.to_string().replace('\n', " ")));
            }
        }
    }
}

pub fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().expect("stdout is open");
}

/// Asks whoever runs this program to kill the server and start it again.
pub fn restart_server() -> Outcome {
    say("RESTART-SERVER");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    expect("answer", "done", answer.trim())
}

pub async fn open(hosts: &str) -> Result<Client, Error> {
    Client::connector().with_session_timeout(SESSION).connect(hosts).await
}

pub fn expect<D: Debug + PartialEq<G> + ?Sized, G: Debug + ?Sized>(
    what: &str,
    due: &D,
    got: &G,
) -> Outcome {
    if due == got { Ok(()) } else { Err(format!("{what}: {got:?} where {due:?} was due").into()) }
}

pub fn expect_error<T: Debug>(due: Error, got: Result<T, Error>) -> Outcome {
    match got {
        Err(error) if error == due => Ok(()),
        other => Err(format!("{other:?} where the error {due:?} was due").into()),
    }
}

/// Waits until the future's answer is yes.
pub async fn eventually<F: Future<Output = bool>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> Outcome {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if condition().await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("waited in vain: {what}").into())
}

/// Fails what takes longer than a test may wait.
pub async fn soon<F: Future>(
    what: &str,
    future: F,
) -> Result<F::Output, Box<dyn std::error::Error>> {
    tokio::time::timeout(PATIENCE, future)
        .await
        .map_err(|_| format!("waited in vain: {what}").into())
}

#[tokio::main]
async fn main() {
    let hosts = std::env::args().nth(1).expect("host:port of the server");
    let client = open(&hosts).await.expect("the server answers");
    let mut suite = Suite { hosts, client, roots: 0, failures: 0 };
    znodes::run(&mut suite).await;
    watches::run(&mut suite).await;
    sessions::run(&mut suite).await;
    std::process::exit(i32::from(suite.failures > 0));
}

//! A process that is killed at any moment, again and again.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use zooid_ids::{Epoch, Incarnation, ServerId};
use zooid_storage::{Opened, Promise, Recovery, RunKind};

use crate::home::{Home, checkpoint, entry, last, loaded, replayed};

/// Set for the process that is going to be killed: the directory that it writes.
const CHILD: &str = "ZOOID_STORAGE_TEST_DIR";

/// How many acknowledgements each process lives for; at least.
const LIVES: [u64; 10] = [1, 250, 3, 77, 400, 151, 20, 149, 300, 99];

#[test]
fn what_was_acknowledged_is_there_after_each_kill() {
    if let Some(dir) = std::env::var_os(CHILD) {
        write_until_killed(Home::at(Path::new(&dir)).open());
    }
    let home = Home::new();
    let mut acknowledged = 0;
    for life in LIVES {
        acknowledged = acknowledged.max(live_and_die(&home, life));
        let mut opened = home.open();
        check(&mut opened, acknowledged);
        acknowledged = last(&opened.recovery);
    }
    assert!(acknowledged > LIVES.iter().sum());
}

/// Appends for ever and says what is durable, with promises and checkpoints in between.
fn write_until_killed(mut opened: Opened) -> ! {
    let mut n = opened.log.last().index.0;
    let mut said = std::io::stdout();
    loop {
        let batch: Vec<_> = (n + 1..=n + 1 + n % 3).map(entry).collect();
        n = opened.log.append(&batch).unwrap().position.index.0;
        writeln!(said, "durable {n}").unwrap();
        if n.is_multiple_of(40) {
            opened.log.put_promise(promise(n)).unwrap();
        }
        if n % 50 < 3 {
            let kind = if n.is_multiple_of(7) { RunKind::Base } else { RunKind::Delta };
            let first = opened.checkpoints.manifest().runs.is_empty();
            let kind = if first { RunKind::Base } else { kind };
            checkpoint(&mut opened, kind, &[("/n", Some(&n.to_string()))]);
            let position = opened.log.last();
            opened.log.compact(position).unwrap();
        }
    }
}

fn promise(n: u64) -> Promise {
    Promise { epoch: Epoch(n as u32), server: ServerId(1), incarnation: Incarnation(1) }
}

/// The newest entry that the process said is durable.
fn live_and_die(home: &Home, life: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::what_was_acknowledged_is_there_after_each_kill", "--nocapture"])
        .env(CHILD, home.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut newest = None;
    let mut heard = 0;
    for line in said.map_while(Result::ok) {
        let Some(n) = line.strip_prefix("durable ") else { continue };
        // The line that the kill cut short says nothing.
        newest = n.parse().ok().max(newest);
        heard += 1;
        if heard == life {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(heard >= life, "the process ended by itself");
    newest.unwrap()
}

fn check(opened: &mut Opened, acknowledged: u64) {
    let recovery = &opened.recovery;
    assert!(matches!(recovery, Recovery::Sound(_) | Recovery::TornTail { .. }), "{recovery}");
    let last = last(recovery);
    assert!(last >= acknowledged, "{last} of {acknowledged}: {recovery}");
    let from = opened.checkpoint.as_ref().map_or(0, |found| found.position().index.0);
    if from > 0 {
        assert_eq!(loaded(opened), [("/n".into(), from.to_string())]);
    }
    assert_eq!(replayed(opened), (from + 1..=last).map(entry).collect::<Vec<_>>());
    assert!(u64::from(opened.log.promise().epoch.0) + 43 > acknowledged / 40 * 40);
}

//! Stories of ensembles, one per file of `testdata/ensemble`: commands, and after `----` what the
//! servers did. To rewrite what is expected, run with `REWRITE=1`, read the difference, and keep it
//! only if you can explain it. `testdata/README.md` lists which story tells which of ZooKeeper's bugs.
//!
//! - `servers voters=3 [observers=1] [rollover=5] [seed=1] [down=1] [ms=1000]`: boot them all
//!   but one and let them come together
//! - `run ms=1000`: time passes
//! - `crash server=1`, `boot server=1`: power off (what is not synced is lost), power on
//! - `wipe server=1`: power off, and an empty disk in the place of the old one
//! - `copy server=1`, `restore server=1`: power off, and the disk as it was when it was copied
//! - `isolate server=1`, `cut from=1 to=2`, `heal`: the network
//! - `vanish from=1 to=2`: the next entries get lost on a channel that goes on, against the rules
//! - `pause server=1`: as SIGSTOP; again to go on
//! - `propose server=1 [count=3]`: clients of that server write
//! - `touch server=1 [urgent]`, `sync server=1`: clients of that server are heard, or ask to see all
//! - `hand-over server=1`: it shall let somebody else lead
//! - `slow-disk ms=500 [server=1]`: every sync takes up to so long, everywhere or there
//! - `checkpoint server=1 [keep=0]`: a checkpoint, and the log before it gone but for a few entries
//! - `registered`: in which life each voter counts, as each server's log says
//! - `logs`: what each server holds and has applied

use crate::world::World;
use datadriven::{TestCase, walk};
use zooid_ids::{Incarnation, Millis, ServerId};
use zooid_zab::Settings;

#[test]
fn stories() {
    walk("testdata/ensemble", |file| {
        let mut world = None;
        file.run(|case| run(&mut world, case));
    });
}

fn run(slot: &mut Option<World>, case: &TestCase) -> String {
    let number = |key: &str, otherwise: u64| {
        case.args.get(key).map_or(otherwise, |values| values[0].parse().unwrap())
    };
    if case.directive == "servers" {
        let settings = Settings {
            rollover_counter: number("rollover", 0xf000_0000) as u32,
            tick: Millis(100),
            init_limit: Millis(1000),
            sync_limit: Millis(500),
            election_wait: Millis(50),
        };
        let (voters, observers) = (number("voters", 3), number("observers", 0));
        let mut world = World::new(number("seed", 1), voters, observers, settings);
        world.crash(ServerId(number("down", 0)));
        *slot = Some(world);
    }
    let world = slot.as_mut().unwrap();
    let server = ServerId(number("server", 0));
    match case.directive.as_str() {
        "servers" => world.run(number("ms", 1000)),
        "run" => world.run(number("ms", 1000)),
        "crash" => world.crash(server),
        "boot" => world.boot(server),
        "wipe" => world.wipe(server),
        "copy" => world.copy = Some(world.server(server).stored.clone()),
        "restore" => {
            let copy = world.copy.take().unwrap();
            world.restore(server, copy);
        }
        "registered" => return world.servers.iter().map(registered).collect(),
        "isolate" => world.isolate(server),
        "cut" => {
            let (from, to) = (ServerId(number("from", 0)), ServerId(number("to", 0)));
            world.cut.insert((from, to));
        }
        "vanish" => {
            let (from, to) = (ServerId(number("from", 0)), ServerId(number("to", 0)));
            world.vanish = Some((from, to));
        }
        "heal" => world.cut.clear(),
        "pause" => world.server(server).paused ^= true,
        "propose" => (0..number("count", 1)).for_each(|_| world.propose(server)),
        "touch" => world.touch(server, case.args.contains_key("urgent")),
        "sync" => world.sync(server),
        "hand-over" => world.hand_over(server),
        "slow-disk" if server.0 > 0 => world.server(server).disk_delay = Some(number("ms", 5)),
        "slow-disk" => world.disk_delay = number("ms", 5),
        "checkpoint" => world.checkpoint(server, number("keep", 0) as usize),
        "logs" => return world.servers.iter().map(logs).collect(),
        other => panic!("no such command: {other}"),
    }
    let told: Vec<String> = world.trace.drain(..).map(|line| line + "\n").collect();
    if told.is_empty() { "nothing\n".into() } else { told.concat() }
}

fn logs(server: &crate::world::Server) -> String {
    let log: Vec<String> = server.stored.log.iter().map(|entry| entry.zxid.to_string()).collect();
    let applied: Vec<_> =
        server.applied.iter().map(|(_, command)| String::from_utf8_lossy(command)).collect();
    format!("{}: log {}; applied {}\n", server.id, log.join(" "), applied.join(" "))
}

fn registered(server: &crate::world::Server) -> String {
    let Some(zab) = &server.zab else { return format!("{}: down\n", server.id) };
    let life = |(id, life): (&ServerId, &Option<Incarnation>)| match life {
        Some(life) => format!("{id}:{:x}", life.0),
        None => format!("{id}:nobody"),
    };
    let lives: Vec<String> = zab.config().registered.iter().map(life).collect();
    format!("{}: {}\n", server.id, lives.join(" "))
}

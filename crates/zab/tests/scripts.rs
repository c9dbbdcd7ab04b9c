//! Runs the stories of `testdata/alone`: a command, and after `----` what comes of it. To rewrite what
//! is expected, run with `REWRITE=1`, read the difference, and keep it only if you can explain it.
//!
//! - `start last=0x0 committed=0x0 promised=0 [time=0] [rollover=N]`: begin with what recovery found
//! - `propose wall=N NAME…`: commands, in order
//! - `sync N`: ask whether everything is here
//! - `touch NAME`: this server's clients were heard, and the touch is taken
//! - `flush [wall=N]`: the end of a turn
//! - `tick at=N`: it is so many milliseconds after the start
//! - `durable`: the disk finishes the oldest thing it was given
#![expect(clippy::unwrap_used, reason = "a script that cannot be read is a failed test")]

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::Bytes;
use datadriven::{TestCase, walk};
use zooid_ids::{Epoch, Incarnation, Instant, Millis, ServerId, Zxid};
use zooid_zab::{
    Body, Config, Effect, Entry, EpochEnds, Member, Promise, Recovered, Settings, SyncTicket,
    Ticket, Zab,
};

const MEMBER: Member = Member { id: ServerId(1), incarnation: Incarnation(7) };

#[test]
fn stories() {
    walk("testdata/alone", |file| {
        let mut world = World::default();
        file.run(|case| world.run(case));
    });
}

#[derive(Default)]
struct World {
    zab: Option<Zab>,
    disk: VecDeque<Ticket>,
}

impl World {
    fn run(&mut self, case: &TestCase) -> String {
        let mut out = Vec::new();
        let number = |key: &str| case.args.get(key).map_or(0, |values| parse(&values[0]));
        match case.directive.as_str() {
            "start" => {
                let ends = Some(Zxid(number("last"))).filter(|last| last.0 > number("committed"));
                let recovered = Recovered {
                    last: Zxid(number("last")),
                    last_time: Millis(number("time") as i64),
                    committed: Zxid(number("committed")),
                    promise: Promise { epoch: Epoch(number("promised") as u32), to: MEMBER },
                    ends: EpochEnds::new(Zxid(number("committed")), ends),
                    ..Recovered::default()
                };
                let settings = match number("rollover") {
                    0 => Settings::default(),
                    counter => Settings { rollover_counter: counter as u32, ..Settings::default() },
                };
                let config = Config::of([MEMBER.id]);
                let clock = (Instant(0), Millis(0));
                let zab = Zab::start(MEMBER, config, settings, &recovered, clock, &mut out);
                self.zab = Some(zab);
            }
            "propose" => {
                self.zab().turn(Instant(0), Millis(number("wall") as i64));
                for name in case.input.split_whitespace() {
                    self.zab().propose(Bytes::copy_from_slice(name.as_bytes()), &mut out);
                }
            }
            "sync" => self.zab().sync(SyncTicket(number("ticket")), &mut out),
            "touch" => {
                let payload = Bytes::from(case.input.trim().to_owned());
                self.zab().touch(payload.clone(), &mut out);
                self.zab().confirm(None, payload, false, &mut out);
            }
            "flush" => {
                self.zab().turn(Instant(0), Millis(number("wall") as i64));
                self.zab().flush(&mut out);
            }
            "tick" => {
                self.zab().turn(Instant(number("at")), Millis(0));
                self.zab().tick(&mut out);
            }
            "durable" => {
                let ticket = self.disk.pop_front().unwrap();
                self.zab().durable(ticket, &mut out);
            }
            other => panic!("no such command: {other}"),
        }
        self.zab().check_invariants();
        self.show(&out)
    }

    fn zab(&mut self) -> &mut Zab {
        self.zab.as_mut().unwrap()
    }

    fn show(&mut self, effects: &[Effect]) -> String {
        let mut text = String::new();
        for effect in effects {
            match effect {
                Effect::Promise { ticket, promise } => {
                    self.disk.push_back(*ticket);
                    writeln!(text, "promise epoch {} to {}", promise.epoch, promise.to.id).unwrap();
                }
                Effect::Append { ticket, entries } => {
                    self.disk.push_back(*ticket);
                    let entries: Vec<String> = entries.iter().map(show_entry).collect();
                    writeln!(text, "append {}", entries.join(", ")).unwrap();
                }
                Effect::Replay { after, through } => {
                    writeln!(text, "replay ({after}, {through}]").unwrap();
                }
                Effect::Deliver(entry) => writeln!(text, "deliver {}", show_entry(entry)).unwrap(),
                Effect::Lead(epoch) => writeln!(text, "lead epoch {epoch}").unwrap(),
                Effect::Synced(ticket) => writeln!(text, "synced {}", ticket.0).unwrap(),
                Effect::Touched { channel: None, payload } => {
                    writeln!(text, "touched {}", String::from_utf8_lossy(payload)).unwrap();
                }
                Effect::Confirmed { payload } => {
                    writeln!(text, "confirmed {}", String::from_utf8_lossy(payload)).unwrap();
                }
                other => panic!("a server alone has nobody to say this to: {other:?}"),
            }
        }
        if text.is_empty() { "nothing\n".into() } else { text }
    }
}

fn show_entry(entry: &Entry) -> String {
    let body = match &entry.body {
        Body::EpochStart(config) => format!("start of epoch, {}", show_config(config)),
        Body::Config(config) => format!("config, {}", show_config(config)),
        Body::Command(command) => String::from_utf8_lossy(command).into_owned(),
    };
    format!("{}<-{} at {}: {body}", entry.zxid, entry.prev_zxid, entry.time.0)
}

fn show_config(config: &Config) -> String {
    format!("voters {:?}", config.everyone().map(|id| id.0).collect::<Vec<_>>())
}

fn parse(number: &str) -> u64 {
    match number.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
        None => number.parse().unwrap(),
    }
}

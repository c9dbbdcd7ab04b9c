//! Compares the queue and the deadlines with slow models.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zooid_ids::{Instant, Millis, SessionId};
use zooid_session::{Expiry, Queue};

#[derive(Clone, Copy, Debug)]
enum Ask {
    Command,
    Sync { later: u64 },
    Wait,
    Result,
    Confirm,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let ask = prop_oneof![
        4 => Just(Ask::Command),
        2 => (0..3u64).prop_map(|later| Ask::Sync { later }),
        3 => Just(Ask::Wait),
        4 => Just(Ask::Result),
        2 => Just(Ask::Confirm),
    ];
    proptest::collection::vec(ask, 0..200)
}

/// A request, and whether it could be answered if it were the first.
struct Asked {
    name: usize,
    needs: Needs,
}

#[derive(PartialEq)]
enum Needs {
    Result,
    Confirmation(u64),
    Nothing,
}

proptest! {
    /// Answers come in the order of the requests, each as soon as it and all before it can.
    #[test]
    fn the_queue_answers_in_order(asks in asks()) {
        let mut queue: Queue<usize, usize> = Queue::new();
        let mut model: Vec<Asked> = Vec::new();
        let (mut issued, mut resolved, mut now, mut newest) = (0, 0, 0, 0);
        for (name, ask) in asks.into_iter().enumerate() {
            match ask {
                Ask::Command => {
                    issued += 1;
                    prop_assert_eq!(queue.command(name), issued);
                    model.push(Asked { name, needs: Needs::Result });
                }
                Ask::Sync { later } => {
                    newest = newest.max(now + later);
                    queue.sync(newest, name);
                    model.push(Asked { name, needs: Needs::Confirmation(newest) });
                }
                Ask::Wait => {
                    queue.wait(name);
                    model.push(Asked { name, needs: Needs::Nothing });
                }
                Ask::Result => {
                    let oldest = model.iter_mut().find(|asked| asked.needs == Needs::Result);
                    let Some(oldest) = oldest else { continue };
                    oldest.needs = Needs::Nothing;
                    resolved += 1;
                    queue.resolve(resolved, |command| command);
                }
                Ask::Confirm => {
                    now += 1;
                    queue.confirm(now);
                }
            }
            let may = |needs: &Needs| match needs {
                Needs::Nothing => true,
                Needs::Confirmation(at) => *at <= now,
                Needs::Result => false,
            };
            let ready = model.iter().take_while(|asked| may(&asked.needs)).count();
            let expected: Vec<usize> = model.drain(..ready).map(|asked| asked.name).collect();
            let answered: Vec<usize> = std::iter::from_fn(|| queue.release()).collect();
            prop_assert_eq!(answered, expected);
            prop_assert_eq!(queue.outstanding(), model.len());
            prop_assert_eq!(queue.is_clear(), model.is_empty());
            prop_assert!(queue.commands().map(|(sequence, _)| sequence).eq(resolved + 1..=issued));
        }
    }
}

#[test]
#[should_panic(expected = "results come in the order of the commands")]
fn a_result_out_of_turn_is_a_broken_log() {
    let mut queue: Queue<(), ()> = Queue::new();
    queue.command(());
    queue.command(());
    queue.resolve(2, |()| ());
}

#[test]
#[should_panic(expected = "a result belongs to a command")]
fn a_result_of_no_command_is_a_broken_log() {
    let mut queue: Queue<(), ()> = Queue::new();
    queue.wait(());
    queue.resolve(1, |()| ());
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Track(SessionId, Millis),
    Touch(SessionId),
    Remove(SessionId),
    Expire,
    ReArm,
    Shift(Millis),
}

const TICK: u64 = 10;

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let session = || (1..6i64).prop_map(SessionId);
    let event = prop_oneof![
        4 => (session(), 1..80i64).prop_map(|(id, timeout)| Event::Track(id, Millis(timeout))),
        6 => session().prop_map(Event::Touch),
        1 => session().prop_map(Event::Remove),
        5 => Just(Event::Expire),
        1 => Just(Event::ReArm),
        1 => (0..30i64).prop_map(|by| Event::Shift(Millis(by))),
    ];
    proptest::collection::vec((0..25u64, event), 0..100)
}

/// A session lives until `least`, and is gone by `least` and a tick.
#[derive(Clone, Copy, Debug)]
struct Lives {
    timeout: Millis,
    least: Instant,
    most: Instant,
}

fn lives(now: Instant, timeout: Millis) -> Lives {
    Lives { timeout, least: now + timeout, most: now + timeout + Millis(TICK as i64) }
}

proptest! {
    /// A session ends in the tick after its timeout, never before.
    #[test]
    fn sessions_end_in_time(events in events()) {
        let mut expiry = Expiry::new(Millis(TICK as i64));
        let mut model: BTreeMap<SessionId, Lives> = BTreeMap::new();
        let mut now = Instant(0);
        for (later, event) in events {
            now = now + Millis(later as i64);
            match event {
                Event::Track(id, timeout) => {
                    expiry.track(id, now, timeout);
                    model.insert(id, lives(now, timeout));
                }
                Event::Touch(id) => {
                    prop_assert_eq!(expiry.touch(id, now), model.contains_key(&id));
                    model.entry(id).and_modify(|session| {
                        let touched = lives(now, session.timeout);
                        session.least = session.least.max(touched.least);
                        session.most = session.most.max(touched.most);
                    });
                }
                Event::Remove(id) => prop_assert_eq!(expiry.remove(id), model.remove(&id).is_some()),
                Event::Expire => {
                    let expired = expiry.expire(now);
                    for id in &expired {
                        let session = model.remove(id).expect("only what is there expires");
                        prop_assert!(session.least <= now);
                    }
                    prop_assert!(model.values().all(|session| now < session.most));
                }
                Event::ReArm => {
                    expiry.re_arm_all(now);
                    for session in model.values_mut() {
                        *session = lives(now, session.timeout);
                    }
                }
                Event::Shift(by) => {
                    expiry.shift(by);
                    for session in model.values_mut() {
                        session.least = session.least + by;
                        session.most = session.most + by + Millis(TICK as i64);
                    }
                }
            }
            expiry.check_invariants();
            prop_assert_eq!(expiry.len(), model.len());
        }
    }
}

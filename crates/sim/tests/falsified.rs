//! The judge has teeth: whole clusters are played, and each way of falsifying what was recorded is
//! found.
#![expect(clippy::unwrap_used, reason = "a world that cannot be played is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use zooid_ids::{SessionId, Zxid};
use zooid_model::{Command, ErrorCode, Origin, Reply, Request, Stat, WriteOp};
use zooid_oracle::{
    Committed, Conversation, Guarantee, History, Logged, Moment, Terms, Told, judge,
};
use zooid_sim::{Options, play};

/// Seeds whose histories are falsified.
const FALSIFIED: u64 = 24;

/// What is judged between members; see [`Terms`].
const TERMS: Terms = Terms { relay: u64::MAX };

fn history(seed: u64) -> History {
    play(seed, &Options::default()).history.unwrap()
}

/// Everything that is judged happens.
#[test]
fn worlds_hold_something_of_everything() {
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..FALSIFIED {
        let history = history(seed);
        let told = history.conversations.iter().flat_map(|one| &one.told);
        let named = history.log.iter().map(kind_of_entry).chain(told.map(kind_of_told));
        named.for_each(|name| *tally.entry(name).or_default() += 1);
    }
    for name in ["epoch", "attach", "expiry", "close", "collect", "reply", "event", "missed"] {
        assert!(tally.get(name).is_some_and(|count| *count >= 10), "too few of {name}: {tally:?}");
    }
}

fn kind_of_entry(entry: &Committed) -> &'static str {
    match &entry.what {
        Logged::EpochStart => "epoch",
        Logged::Command(Command::Attach { .. }) => "attach",
        Logged::Command(Command::CloseSession { by: Origin::Expiry, .. }) => "expiry",
        Logged::Command(Command::CloseSession { .. }) => "close",
        Logged::Command(Command::Collect { .. }) => "collect",
        Logged::Command(_) => "other",
    }
}

fn kind_of_told(told: &Told) -> &'static str {
    match told {
        Told::Reply { .. } => "reply",
        Told::Event { event, .. } if event.zxid.is_none() => "missed",
        Told::Event { .. } => "event",
    }
}

/// A client outside the process knows no connection numbers, and nobody when what was committed.
#[test]
fn less_is_known_of_servers_seen_from_outside() {
    for seed in 0..FALSIFIED {
        let mut history = history(seed);
        history.conversations.iter_mut().for_each(|one| one.owner = None);
        history.log.iter_mut().for_each(|entry| (entry.proposed, entry.committed) = (None, None));
        let violations = judge(&history, &TERMS);
        assert!(violations.is_empty(), "seed {seed}: {}", violations[0]);
    }
}

/// Falsifies what can be falsified so, history by history; each time the guarantee must be found
/// broken.
#[track_caller]
fn assert_caught(guarantee: Guarantee, falsify: impl Fn(&mut History) -> bool) {
    let mut caught = 0;
    for seed in 0..FALSIFIED {
        let mut history = history(seed);
        history.servers.clear();
        if !falsify(&mut history) {
            continue;
        }
        let violations = judge(&history, &TERMS);
        let is_caught = violations.iter().any(|violation| violation.guarantee == guarantee);
        assert!(is_caught, "seed {seed}: not among {violations:#?}");
        caught += 1;
    }
    assert!(caught >= FALSIFIED / 6, "only {caught} histories could be falsified so");
}

/// The first place of anything told where `change` says that it has changed it.
fn change_told(history: &mut History, change: impl Fn(&mut Vec<Told>, usize) -> bool) -> bool {
    let conversations = &mut history.conversations;
    conversations.iter_mut().any(|one| (0..one.told.len()).any(|at| change(&mut one.told, at)))
}

fn is_ordinary(told: &Told) -> bool {
    matches!(told, Told::Reply { xid, .. } if xid.0 > 0)
}

#[test]
fn an_acknowledged_write_that_is_dropped_from_the_log() {
    assert_caught(Guarantee::Writes, |history| {
        let acknowledged = history.conversations.iter().find_map(|one| {
            let writes = one.asked.iter().filter(|a| matches!(a.request, Request::Write(_)));
            let xids: Vec<_> = writes.map(|asked| asked.xid).collect();
            one.told.iter().find_map(|told| match told {
                Told::Reply { xid, zxid, result: Ok(_), .. } if xids.contains(xid) => *zxid,
                _ => None,
            })
        });
        let before = history.log.len();
        history.log.retain(|entry| Some(entry.zxid) != acknowledged);
        history.log.len() < before
    });
}

#[test]
fn two_replies_that_change_places() {
    assert_caught(Guarantee::Fifo, |history| {
        change_told(history, |told, at| {
            let pair = told.get(at..at + 2);
            let is_pair = pair.is_some_and(|pair| pair.iter().all(is_ordinary));
            if is_pair {
                told.swap(at, at + 1);
            }
            is_pair
        })
    });
}

#[test]
fn an_event_that_comes_behind_a_newer_reply() {
    assert_caught(Guarantee::Watches, |history| {
        change_told(history, |told, at| {
            let Some([Told::Event { event, .. }, reply]) = told.get(at..at + 2) else {
                return false;
            };
            let is_newer = event.zxid.is_some() && is_ordinary(reply) && reply.zxid() >= event.zxid;
            if is_newer {
                told.swap(at, at + 1);
            }
            is_newer
        })
    });
}

#[test]
fn an_event_that_is_told_again() {
    assert_caught(Guarantee::Watches, |history| {
        change_told(history, |told, at| {
            let is_event = matches!(&told[at], Told::Event { .. });
            if is_event && told[at].zxid().is_some() {
                told.insert(at, told[at].clone());
                return true;
            }
            false
        })
    });
}

#[test]
fn an_event_that_is_not_told() {
    assert_caught(Guarantee::Watches, |history| {
        change_told(history, |told, at| {
            let Told::Event { event, .. } = &told[at] else { return false };
            let is_missed = event.zxid.is_some()
                && told[at..].iter().any(|later| is_ordinary(later) && later.zxid() >= event.zxid);
            if is_missed {
                told.remove(at);
            }
            is_missed
        })
    });
}

#[test]
fn a_read_that_shows_other_data() {
    assert_caught(Guarantee::Reads, |history| {
        change_told(history, |told, at| match &mut told[at] {
            Told::Reply { result: Ok(Reply::Data { data, .. }), .. } => {
                *data = Some("something else".into());
                true
            }
            _ => false,
        })
    });
}

#[test]
fn a_read_that_finds_nothing_where_there_is_something() {
    assert_caught(Guarantee::Reads, |history| {
        change_told(history, |told, at| match &mut told[at] {
            Told::Reply {
                result: result @ Ok(Reply::Data { .. } | Reply::Children(_)), ..
            } => {
                *result = Err(ErrorCode::NoNode);
                true
            }
            _ => false,
        })
    });
}

#[test]
fn a_number_that_was_given_before() {
    assert_caught(Guarantee::Names, |history| {
        let mut earlier: Option<String> = None;
        for told in history.conversations.iter_mut().flat_map(|one| &mut one.told) {
            let Some(path) = numbered(told) else { continue };
            if let Some(earlier) = &earlier {
                path.clone_from(earlier);
                return true;
            }
            earlier = Some(path.clone());
        }
        false
    });
}

/// The name of a sequential node of the root that was created.
fn numbered(told: &mut Told) -> Option<&mut String> {
    let Told::Reply { result: Ok(Reply::Path { path } | Reply::PathStat { path, .. }), .. } = told
    else {
        return None;
    };
    path.starts_with("/n-").then_some(path)
}

#[test]
fn an_ephemeral_of_somebody_who_does_not_live() {
    assert_caught(Guarantee::Ephemerals, |history| {
        change_told(history, |told, at| match shown(&mut told[at]) {
            Some(stat) if stat.ephemeral_owner != 0 => {
                stat.ephemeral_owner = 0xabcd;
                true
            }
            _ => false,
        })
    });
}

#[test]
fn a_session_that_lives_and_is_called_expired() {
    assert_caught(Guarantee::Sessions, |history| {
        let closed = history.log.iter().find_map(|entry| match entry.what {
            Logged::Command(Command::CloseSession { session, .. }) => Some(session),
            _ => None,
        });
        let Some(closed) = closed else { return false };
        history.log.retain(|entry| {
            !matches!(entry.what, Logged::Command(Command::CloseSession { session, .. })
                if session == closed)
        });
        let is_told = |one: &Conversation| {
            let refused = one.greeting.given.is_some_and(|(given, ..)| given == SessionId::NONE);
            refused && one.greeting.wished == closed
        };
        history.conversations.iter().any(is_told)
    });
}

#[test]
fn a_write_that_comes_before_one_that_was_finished() {
    assert_caught(Guarantee::RealTime, |history| {
        let Some(last) = history.log.last().map(|entry| entry.zxid) else { return false };
        let told = history.conversations.iter_mut().flat_map(|one| &mut one.told);
        let first = told.filter(|told| is_ordinary(told)).min_by_key(|told| told.at());
        let Some(Told::Reply { zxid, at, .. }) = first else { return false };
        *zxid = Some(last);
        let seen = *at;
        history.conversations.iter().any(|one| {
            let later = one.asked.iter().filter(|asked| asked.at > seen);
            let writes = later.filter(|asked| matches!(asked.request, Request::Write(_)));
            let writes: Vec<_> = writes.map(|asked| asked.xid).collect();
            let is_of =
                |told: &&Told| matches!(told, Told::Reply { xid, .. } if writes.contains(xid));
            one.told.iter().filter(is_of).any(|told| told.zxid() < Some(last))
        })
    });
}

#[test]
fn a_sync_that_does_not_catch_up() {
    assert_caught(Guarantee::Sync, |history| {
        let Some(first_write) = first_finished_write(history) else { return false };
        let begin = history.log[0].zxid;
        history.conversations.iter_mut().any(|one| {
            let late = one.asked.iter().filter(|asked| asked.at > first_write);
            let late: Vec<_> = late.map(|asked| asked.xid).collect();
            one.told.iter_mut().any(|told| match told {
                Told::Reply { xid, zxid, result: Ok(Reply::Sync { .. }), .. }
                    if late.contains(xid) =>
                {
                    *zxid = Some(begin);
                    true
                }
                _ => false,
            })
        })
    });
}

fn first_finished_write(history: &History) -> Option<Moment> {
    let told = history.conversations.iter().flat_map(|one| &one.told);
    let created = told.filter(|told| {
        matches!(told, Told::Reply { result: Ok(Reply::Path { .. } | Reply::PathStat { .. }), .. })
    });
    created.map(Told::at).min()
}

#[test]
fn a_version_that_does_not_count() {
    assert_caught(Guarantee::Versions, |history| {
        // A multi can create several nodes, which only their paths tell apart.
        let is_multi = |entry: &&Committed| match &entry.what {
            Logged::Command(Command::Write(write)) => matches!(write.op, WriteOp::Multi(_)),
            _ => false,
        };
        let multis: BTreeSet<_> = history.log.iter().filter(is_multi).map(|e| e.zxid).collect();
        let mut seen = BTreeSet::new();
        for told in history.conversations.iter_mut().flat_map(|one| &mut one.told) {
            let Some(stat) = shown(told) else { continue };
            // The system nodes all come from the beginning.
            let is_of_its_own = stat.czxid > Zxid::ZERO && !multis.contains(&stat.czxid);
            if is_of_its_own && !seen.insert((stat.czxid, stat.mzxid)) {
                stat.version += 1;
                return true;
            }
        }
        false
    });
}

/// The stat of a node that a reply shows.
fn shown(told: &mut Told) -> Option<&mut Stat> {
    match told {
        Told::Reply {
            result:
                Ok(
                    Reply::Data { stat, .. }
                    | Reply::Stat(stat)
                    | Reply::PathStat { stat, .. }
                    | Reply::Acl { stat, .. }
                    | Reply::ChildrenStat { stat, .. },
                ),
            ..
        } => Some(stat),
        _ => None,
    }
}

#[test]
fn a_violation_names_the_operations() {
    let mut history = history(1);
    history.log.truncate(history.log.len() / 2);
    history.servers.clear();
    let violation = judge(&history, &TERMS).into_iter().next().unwrap().to_string();
    assert!(violation.contains("session 0x"), "{violation}");
}

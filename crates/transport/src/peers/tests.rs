//! The contract both ways, and bytes that do not keep to it.

use bytes::Bytes;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;
use zooid_ids::{Epoch, Incarnation, Millis};
use zooid_zab::message::{Plan, Standing, Vote};
use zooid_zab::{Body, Config, Entry, EpochEnds, Promise, Seat, SyncTicket, Voters};

use super::contract::{Frame, read_notification, write_notification};
use super::generated::{FromLeader, FromLearner, Propose, from_leader, from_learner};
use super::*;

fn zxid() -> impl Strategy<Value = Zxid> {
    (0..=i32::MAX as u32, any::<u32>())
        .prop_map(|(epoch, counter)| Zxid::new(Epoch(epoch), counter))
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (0..=i32::MAX as u32).prop_map(Epoch)
}

fn member() -> impl Strategy<Value = Member> {
    (any::<u64>(), any::<u128>()).prop_map(|(id, incarnation)| Member {
        id: ServerId(id),
        incarnation: Incarnation(incarnation),
    })
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        config().prop_map(Body::EpochStart),
        config().prop_map(Body::Config),
        bytes().prop_map(Body::Command),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let seat = prop_oneof![
        Just(Seat::default()),
        (0..3u64, 0..3u64).prop_map(|(group, weight)| Seat { group, weight })
    ];
    let seats = btree_map(any::<u64>().prop_map(ServerId), seat, 1..5);
    let voters = seats.prop_filter_map("nobody decides", Voters::seated);
    let registered = btree_map(
        any::<u64>().prop_map(ServerId),
        option::of(any::<u128>().prop_map(Incarnation)),
        0..3,
    );
    (voters.clone(), option::of(voters), registered).prop_map(|(voters, next, registered)| Config {
        voters,
        next,
        registered,
    })
}

/// Ascending zxids, each entry behind the one before it.
fn entries() -> impl Strategy<Value = Vec<Entry>> {
    (btree_set(zxid(), 1..6), vec((any::<i64>(), body()), 5)).prop_map(|(zxids, bodies)| {
        let zxids: Vec<_> = zxids.into_iter().collect();
        let pairs = zxids.windows(2).zip(bodies);
        pairs
            .map(|(pair, (time, body))| Entry {
                zxid: pair[1],
                prev_zxid: pair[0],
                time: Millis(time),
                body,
            })
            .collect()
    })
}

fn from_learners() -> impl Strategy<Value = Message> {
    let ends = (zxid(), btree_set(zxid(), 0..5)).prop_map(|(first, ends)| {
        EpochEnds::new(first, ends.into_iter().filter(|end| *end > first))
    });
    prop_oneof![
        (member(), epoch(), member(), any::<bool>()).prop_map(
            |(member, epoch, to, uninitialised)| Message::Info {
                member,
                promise: Promise { epoch, to },
                uninitialised
            }
        ),
        (epoch(), any::<bool>(), zxid(), ends).prop_map(|(epoch, counts, last, ends)| {
            Message::Promised { epoch, counts, last, ends }
        }),
        zxid().prop_map(|zxid| Message::Installed { zxid }),
        zxid().prop_map(|zxid| Message::Ack { zxid }),
        any::<u64>().prop_map(|sequence| Message::Pong { sequence }),
        bytes().prop_map(|command| Message::Forward { command }),
        any::<u64>().prop_map(|ticket| Message::AskSync { ticket: SyncTicket(ticket) }),
        bytes().prop_map(|payload| Message::Touch { payload }),
    ]
}

fn from_leaders() -> impl Strategy<Value = Message> {
    let plan =
        prop_oneof![Just(Plan::Diff), zxid().prop_map(Plan::Truncate), Just(Plan::Checkpoint)];
    prop_oneof![
        (epoch(), any::<bool>()).prop_map(|(epoch, forms)| Message::Propose { epoch, forms }),
        Just(Message::Suspect),
        vec((member(), zxid()), 0..4).prop_map(|had| Message::Acknowledged { had }),
        (plan, zxid()).prop_map(|(plan, through)| Message::Sync { plan, through }),
        (entries(), zxid()).prop_map(|(entries, commit)| Message::Entries { entries, commit }),
        zxid().prop_map(|zxid| Message::Commit { zxid }),
        (any::<u64>(), zxid()).prop_map(|(sequence, commit)| Message::Ping { sequence, commit }),
        (any::<u64>(), zxid())
            .prop_map(|(ticket, zxid)| Message::Synced { ticket: SyncTicket(ticket), zxid }),
        bytes().prop_map(|payload| Message::Confirmed { payload }),
    ]
}

fn notifications() -> impl Strategy<Value = Notification> {
    let standing = prop_oneof![
        Just(Standing::Looking),
        epoch().prop_map(Standing::Following),
        epoch().prop_map(Standing::Leading),
    ];
    let vote =
        (zxid(), any::<u64>()).prop_map(|(zxid, leader)| Vote { zxid, leader: ServerId(leader) });
    (member(), standing, any::<u64>(), option::of(vote))
        .prop_map(|(from, standing, round, vote)| Notification { from, standing, round, vote })
}

fn through_bytes<T: prost::Message + Default>(frame: &T) -> T {
    T::decode(&*frame.encode_to_vec()).unwrap()
}

proptest! {
    #[test]
    fn learners_are_understood(message in from_learners()) {
        let frame = through_bytes(&FromLearner::write(&message).unwrap());
        prop_assert_eq!(frame.read().unwrap(), message.clone());
        prop_assert_eq!(FromLeader::write(&message).unwrap_err().to_string(), "a message in the wrong direction");
    }

    #[test]
    fn leaders_are_understood(message in from_leaders()) {
        let frame = through_bytes(&FromLeader::write(&message).unwrap());
        prop_assert_eq!(frame.read().unwrap(), message.clone());
        prop_assert!(FromLearner::write(&message).is_err());
    }

    #[test]
    fn electors_are_understood(said in notifications()) {
        let message = through_bytes(&write_notification(&said));
        prop_assert_eq!(read_notification(message).unwrap(), said);
    }

    /// Whatever bytes a peer sends: an error at worst.
    #[test]
    fn anything_can_be_read(bytes in vec(any::<u8>(), 0..60)) {
        read_anything(&bytes);
    }

    /// Messages with one byte changed come further than arbitrary bytes.
    #[test]
    fn a_changed_byte_can_be_read(message in from_leaders(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = FromLeader::write(&message).unwrap().encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        read_anything(&bytes);
    }

    /// Batches are what was to be sent, in order, and short if entries are.
    #[test]
    fn batches_lose_nothing(entries in entries(), commit in zxid(), limit in 1..400usize) {
        let split = batches(Message::Entries { entries: entries.clone(), commit }, limit);
        let mut together = Vec::new();
        for batch in split {
            let frame = FromLeader::write(&batch).unwrap();
            let Message::Entries { entries, commit: said } = batch else { panic!("no entries") };
            prop_assert!(entries.len() <= 1 || frame.encoded_len() <= limit + 32);
            prop_assert_eq!(said, commit);
            together.extend(entries);
        }
        prop_assert_eq!(together, entries);
    }
}

fn read_anything(bytes: &[u8]) {
    let _ = FromLearner::decode(bytes).map(|frame| frame.read().is_ok());
    let _ = FromLeader::decode(bytes).map(|frame| frame.read().is_ok());
    let _ = generated::Notification::decode(bytes).map(|said| read_notification(said).is_ok());
    let hello = generated::Hello::decode(bytes);
    let _ = hello.map(|hello| hello::greet(&hello, ServerId(1), Some(ClusterId(1))).is_ok());
}

/// What a frame holds that no server writes.
#[test]
fn what_contradicts_itself_is_refused() {
    let entry = |zxid, prev_zxid| generated::Entry {
        zxid,
        prev_zxid,
        time_ms: 0,
        body: Some(generated::entry::Body::Command(Bytes::new())),
    };
    let voterless = generated::Entry {
        body: Some(generated::entry::Body::EpochStart(generated::Config::default())),
        ..entry(2, 1)
    };
    let bodiless = generated::Entry { body: None, ..entry(2, 1) };
    for entries in [
        vec![entry(1, 1)],
        vec![entry(1, 2)],
        vec![entry(2, 1), entry(4, 3)],
        vec![entry(u64::MAX, 1)],
        vec![voterless],
        vec![bodiless],
    ] {
        let message = from_leader::Message::Entries(generated::Entries { entries, commit: 0 });
        FromLeader { message: Some(message) }.read().unwrap_err();
    }
    for ends in [vec![], vec![2, 2], vec![2, 1], vec![1 << 63]] {
        let promised = generated::Promised { epoch: 1, counts: true, last: 1, ends };
        let message = Some(from_learner::Message::Promised(promised));
        FromLearner { message }.read().unwrap_err();
    }
    FromLeader { message: None }.read().unwrap_err();
    let propose = Some(from_leader::Message::Propose(Propose { epoch: 1 << 31, forms: false }));
    FromLeader { message: propose }.read().unwrap_err();
}

/// A manifest whose names could lead out of the directory, or be met twice.
#[test]
fn a_manifest_names_plain_files() {
    let manifest = |names: &[&str]| {
        let file = |name: &&str| generated::ManifestFile { name: (*name).to_owned(), bytes: 1 };
        generated::Manifest { zxid: 5, files: names.iter().map(file).collect() }
    };
    assert_eq!(checkpoint::check(&manifest(&["run-1.sst", "run_2"])), Ok(Zxid(5)));
    assert_eq!(checkpoint::check(&manifest(&[])), Ok(Zxid(5)));
    let long = "x".repeat(201);
    for names in [&["../x"][..], &["/x"], &[".x"], &[".."], &[""], &["a", "a"], &["a\0"], &[&long]]
    {
        assert!(checkpoint::check(&manifest(names)).is_err(), "{names:?}");
    }
    assert!(checkpoint::check(&generated::Manifest { zxid: u64::MAX, files: vec![] }).is_err());
}

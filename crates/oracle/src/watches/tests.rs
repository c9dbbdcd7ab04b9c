//! Stories of watches that are kept, and each broken in its way.

use zooid_model::{Acl, Identity, Reply, WatchKind, WriteOp};

use super::*;
use crate::example::{Story, assert_broken, assert_kept};
use crate::history::History;

fn is_event(told: &Told) -> bool {
    matches!(told, Told::Event { .. })
}

/// A one-shot watch of connection 2, used up, and another change behind it.
fn one_shot() -> History {
    let mut story = Story::new();
    story.connect(1);
    story.connect(2);
    story.write(1, Story::create("/a"));
    story.read(2, Story::get("/a", true));
    story.write(1, Story::set("/a", "x"));
    story.event(2, EventKind::NodeDataChanged, "/a");
    story.write(1, Story::set("/a", "y"));
    story.read(2, Story::get("/a", false));
    story.history()
}

#[test]
fn one_event_for_one_watch() {
    assert_kept(&one_shot());
}

#[test]
fn a_missed_event() {
    let mut history = one_shot();
    history.conversations[1].told.retain(|told| !is_event(told));
    assert_broken(&history, Guarantee::Watches);
}

#[test]
fn an_event_behind_a_newer_reply() {
    let mut history = one_shot();
    history.conversations[1].told.swap(1, 2);
    assert_broken(&history, Guarantee::Watches);
}

#[test]
fn an_event_twice() {
    let mut history = one_shot();
    let again = history.conversations[1].told[1].clone();
    history.conversations[1].told.insert(2, again);
    assert_broken(&history, Guarantee::Watches);
}

#[test]
fn a_second_event_of_a_one_shot_watch() {
    let mut history = one_shot();
    let mut second = history.conversations[1].told[1].clone();
    if let Told::Event { event, .. } = &mut second {
        event.zxid = history.log.last().map(|entry| entry.zxid);
    }
    history.conversations[1].told.insert(2, second);
    assert_broken(&history, Guarantee::Watches);
}

#[test]
fn an_end_before_the_event() {
    let mut history = one_shot();
    history.conversations[1].told.truncate(1);
    history.conversations[1].asked.truncate(1);
    assert_kept(&history);
}

/// Connection 2 watches a node and the root's children; one multi changes both.
fn two_events_of_one_transaction() -> History {
    let mut story = Story::new();
    story.connect(1);
    story.connect(2);
    story.write(1, Story::create("/a"));
    story.read(2, Story::get("/a", true));
    story.read(2, Read::GetChildren { path: "/".into(), watch: true });
    story.write(1, WriteOp::Multi(vec![Story::set("/a", "x"), Story::create("/b")]));
    story.event(2, EventKind::NodeDataChanged, "/a");
    story.event(2, EventKind::NodeChildrenChanged, "/");
    story.read(2, Story::get("/a", false));
    story.history()
}

#[test]
fn an_end_between_two_events_of_one_transaction() {
    let mut history = two_events_of_one_transaction();
    assert_kept(&history);
    history.conversations[1].told.truncate(3);
    history.conversations[1].asked.truncate(2);
    assert_kept(&history);
}

#[test]
fn one_of_two_events_of_one_transaction() {
    for at in [2, 3] {
        let mut history = two_events_of_one_transaction();
        history.conversations[1].told.remove(at);
        assert_broken(&history, Guarantee::Watches);
    }
}

/// A persistent recursive watch of connection 2 on the root.
fn recursive() -> History {
    let mut story = Story::new();
    story.connect(1);
    story.connect(2);
    let mode = Some(AddWatchMode::PersistentRecursive);
    story.answer(2, Request::AddWatch { path: "/".into(), mode }, Ok(Reply::WatchAdded));
    story.write(1, Story::create("/a"));
    story.event(2, EventKind::NodeCreated, "/a");
    let acl = vec![Acl { perms: Perms::ALL, id: Identity::new("digest", "u:h") }];
    let WriteOp::Create(mut secret) = Story::create("/a/secret") else { unreachable!() };
    secret.acl = acl;
    story.write(1, WriteOp::Create(secret));
    story.write(1, Story::create("/a/b"));
    story.event(2, EventKind::NodeCreated, "/a/b");
    story.write(1, Story::delete("/a/b"));
    story.event(2, EventKind::NodeDeleted, "/a/b");
    story.read(2, Story::get("/a", false));
    story.history()
}

#[test]
fn every_event_of_a_recursive_watch() {
    assert_kept(&recursive());
}

#[test]
fn a_gap_in_what_a_recursive_watch_hears() {
    let mut history = recursive();
    history.conversations[1].told.remove(2);
    assert_broken(&history, Guarantee::Watches);
}

#[test]
fn events_in_another_order() {
    let mut history = recursive();
    history.conversations[1].told.swap(2, 3);
    assert_broken(&history, Guarantee::Watches);
}

#[test]
fn children_changed_for_a_recursive_watch() {
    let mut history = recursive();
    let mut extra = history.conversations[1].told[2].clone();
    if let Told::Event { event, .. } = &mut extra {
        (event.kind, event.path) = (EventKind::NodeChildrenChanged, "/a".into());
    }
    history.conversations[1].told.insert(3, extra);
    assert_broken(&history, Guarantee::Watches);
}

#[test]
fn an_event_of_a_node_that_the_client_may_not_read() {
    let mut history = recursive();
    let mut secret = history.conversations[1].told[1].clone();
    if let Told::Event { event, .. } = &mut secret {
        event.path = "/a/secret".into();
        event.zxid = Some(Zxid(event.zxid.unwrap().0 + 1));
    }
    history.conversations[1].told.insert(2, secret);
    assert_broken(&history, Guarantee::Watches);
}

/// Connection 2 sets watches anew that missed something.
fn set_anew() -> History {
    let mut story = Story::new();
    story.connect(1);
    story.connect(2);
    story.write(1, Story::create("/a"));
    let relative_zxid = story.zxid();
    story.write(1, Story::set("/a", "x"));
    let data = vec!["/a".into(), "/gone".into()];
    let (exist, child) = (vec!["/new".into()], vec!["/a".into()]);
    let set = SetWatches { relative_zxid, data, exist, child, ..SetWatches::default() };
    story.missed(2, EventKind::NodeDataChanged, "/a");
    story.missed(2, EventKind::NodeDeleted, "/gone");
    story.answer(2, Request::SetWatches(Box::new(set)), Ok(Reply::Empty));
    story.write(1, Story::create("/new"));
    story.event(2, EventKind::NodeCreated, "/new");
    let check = |kind| Request::CheckWatches { path: "/a".into(), kind: Some(kind) };
    story.answer(2, check(WatchKind::Children), Ok(Reply::Empty));
    story.answer(2, check(WatchKind::Data), Err(ErrorCode::NoWatcher));
    let remove = Request::RemoveWatches { path: "/a".into(), kind: Some(WatchKind::Any) };
    story.answer(2, remove, Ok(Reply::Empty));
    story.write(1, Story::create("/a/child"));
    story.read(2, Story::get("/a", false));
    story.history()
}

#[test]
fn watches_set_anew() {
    assert_kept(&set_anew());
}

#[test]
fn what_was_missed_is_not_told() {
    let mut history = set_anew();
    history.conversations[1].told.remove(0);
    assert_broken(&history, Guarantee::Watches);
}

#[test]
fn something_else_is_told_as_missed() {
    let mut history = set_anew();
    if let Told::Event { event, .. } = &mut history.conversations[1].told[1] {
        event.kind = EventKind::NodeCreated;
    }
    assert_broken(&history, Guarantee::Watches);
}

#[test]
fn a_watch_that_is_denied() {
    let mut history = set_anew();
    if let Told::Reply { result, .. } = &mut history.conversations[1].told[4] {
        *result = Err(ErrorCode::NoWatcher);
    }
    assert_broken(&history, Guarantee::Watches);
}

//! Watches: one-shot, persistent, persistent-recursive.

use zookeeper_client::{AddWatchMode, Client, EventType, WatchedEvent};

use crate::{OPEN, Outcome, Suite, expect, open, soon};

pub async fn run(suite: &mut Suite) {
    suite.check("one-shot-watches", one_shot).await;
    suite.check("persistent-watch", persistent).await;
    suite.check("recursive-watch", recursive).await;
    suite.check("dropped-watchers", dropped).await;
}

fn expect_event(kind: EventType, path: &str, event: &WatchedEvent) -> Outcome {
    expect("event", &(kind, path), &(event.event_type, event.path.as_str()))
}

async fn one_shot(root: String, client: Client, hosts: String) -> Outcome {
    let other = open(&hosts).await?;
    let (_, _, data) = client.get_and_watch_data(&root).await?;
    let (_, _, children) = client.get_and_watch_children(&root).await?;
    let (_, stat) = client.check_and_watch_stat(&format!("{root}/n")).await?;
    other.create(&format!("{root}/n"), b"", OPEN).await?;
    other.set_data(&root, b"x", None).await?;
    expect_event(
        EventType::NodeCreated,
        &format!("{root}/n"),
        &soon("stat changed", stat.changed()).await?,
    )?;
    expect_event(
        EventType::NodeChildrenChanged,
        &root,
        &soon("children changed", children.changed()).await?,
    )?;
    expect_event(EventType::NodeDataChanged, &root, &soon("data changed", data.changed()).await?)
}

async fn persistent(root: String, client: Client, hosts: String) -> Outcome {
    let other = open(&hosts).await?;
    let mut watcher = client.watch(&root, AddWatchMode::Persistent).await?;
    for turn in 0..2 {
        other.set_data(&root, b"x", None).await?;
        expect_event(
            EventType::NodeDataChanged,
            &root,
            &soon("watcher changed", watcher.changed()).await?,
        )?;
        other.create(&format!("{root}/{turn}"), b"", OPEN).await?;
        expect_event(
            EventType::NodeChildrenChanged,
            &root,
            &soon("watcher changed", watcher.changed()).await?,
        )?;
    }
    Ok(())
}

async fn recursive(root: String, client: Client, hosts: String) -> Outcome {
    let other = open(&hosts).await?;
    let mut watcher = client.watch(&root, AddWatchMode::PersistentRecursive).await?;
    let (a, b) = (format!("{root}/a"), format!("{root}/a/b"));
    other.create(&a, b"", OPEN).await?;
    other.create(&b, b"", OPEN).await?;
    let changed = other.set_data(&b, b"x", None).await?.mzxid;
    other.delete(&b, None).await?;
    for (kind, path) in [(EventType::NodeCreated, &a), (EventType::NodeCreated, &b)] {
        expect_event(kind, path, &soon("watcher changed", watcher.changed()).await?)?;
    }
    let event = soon("watcher changed", watcher.changed()).await?;
    expect_event(EventType::NodeDataChanged, &b, &event)?;
    if event.zxid != WatchedEvent::NO_ZXID {
        expect("zxid", &changed, &event.zxid)?;
    }
    expect_event(EventType::NodeDeleted, &b, &soon("watcher changed", watcher.changed()).await?)
}

/// A watcher that is dropped is taken off the server, and the others stay.
async fn dropped(root: String, client: Client, hosts: String) -> Outcome {
    let other = open(&hosts).await?;
    let (_, _, first) = client.get_and_watch_data(&root).await?;
    let (_, _, second) = client.get_and_watch_data(&root).await?;
    let recursive = client.watch(&root, AddWatchMode::PersistentRecursive).await?;
    drop(first);
    drop(recursive);
    client.sync("/").await?;
    other.set_data(&root, b"x", None).await?;
    expect_event(
        EventType::NodeDataChanged,
        &root,
        &soon("second changed", second.changed()).await?,
    )
}

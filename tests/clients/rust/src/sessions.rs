//! Sessions: taken up again, ended, kept over a restart of the server; the lock recipe.

use zookeeper_client::{Acls, Client, EventType, LockOptions, LockPrefix, SessionState};

use crate::{
    EPHEMERAL, OPEN, Outcome, SESSION, Suite, eventually, expect, open, restart_server, soon,
};

pub async fn run(suite: &mut Suite) {
    suite.check("session-taken-up", taken_up).await;
    suite.check("closing-takes-ephemerals", closing).await;
    suite.check("negotiated-timeout", negotiated_timeout).await;
    suite.check("lock", lock).await;
    suite.check("everything-outlives-a-restart-of-the-server", outlives_a_restart).await;
}

async fn taken_up(root: String, client: Client, hosts: String) -> Outcome {
    let first =
        Client::connector().with_session_timeout(SESSION).with_detached().connect(&hosts).await?;
    let path = format!("{root}/e");
    first.create(&path, b"", EPHEMERAL).await?;
    let session = first.into_session();
    let id = session.id();
    let second = Client::connector()
        .with_session_timeout(SESSION)
        .with_session(session)
        .connect(&hosts)
        .await?;
    expect("session", &id, &second.session_id())?;
    let stat = second.check_stat(&path).await?.ok_or("the ephemeral is gone")?;
    expect("owner", &id.0, &stat.ephemeral_owner)?;
    drop(second);
    eventually("the ephemeral goes", || async { client.check_stat(&path).await == Ok(None) }).await
}

async fn closing(root: String, client: Client, hosts: String) -> Outcome {
    let owner = open(&hosts).await?;
    let path = format!("{root}/e");
    owner.create(&path, b"", EPHEMERAL).await?;
    let (_, _, watcher) = client.get_and_watch_data(&path).await?;
    drop(owner);
    expect(
        "event",
        &EventType::NodeDeleted,
        &soon("watcher changed", watcher.changed()).await?.event_type,
    )
}

async fn negotiated_timeout(_root: String, client: Client, _hosts: String) -> Outcome {
    expect("timeout", &SESSION, &client.session_timeout())
}

async fn lock(root: String, client: Client, hosts: String) -> Outcome {
    let other = open(&hosts).await?;
    let options = || LockOptions::new(Acls::anyone_all());
    let held = client.lock(LockPrefix::new_curator(&root, "lock-")?, b"", options()).await?;
    let wanted = other.lock(LockPrefix::new_curator(&root, "lock-")?, b"", options());
    tokio::pin!(wanted);
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut wanted).await;
    expect("waits", &true, &early.is_err())?;
    drop(held);
    soon("the lock", wanted).await??;
    Ok(())
}

/// Persistent watches are left out: after a reconnect version 0.11.2 of the crate sets only its one-shot watches again.
async fn outlives_a_restart(root: String, client: Client, hosts: String) -> Outcome {
    let path = format!("{root}/e");
    client.create(&path, b"x", EPHEMERAL).await?;
    let before = client.get_data(&path).await?;
    let (_, _, data) = client.get_and_watch_data(&path).await?;
    let (_, _, children) = client.get_and_watch_children(&root).await?;
    let (_, stat) = client.check_and_watch_stat(&format!("{root}/n")).await?;
    let mut states = client.state_watcher();
    let id = client.session_id();

    restart_server()?;

    while soon("the state", states.changed()).await? != SessionState::SyncConnected {}
    expect("data", &before, &client.get_data(&path).await?)?;
    expect("session", &id, &client.session_id())?;
    let other = open(&hosts).await?;
    other.set_data(&path, b"y", Some(0)).await?;
    other.create(&format!("{root}/n"), b"", OPEN).await?;
    expect(
        "event",
        &EventType::NodeDataChanged,
        &soon("data changed", data.changed()).await?.event_type,
    )?;
    expect(
        "event",
        &EventType::NodeCreated,
        &soon("stat changed", stat.changed()).await?.event_type,
    )?;
    expect(
        "event",
        &EventType::NodeChildrenChanged,
        &soon("children changed", children.changed()).await?.event_type,
    )
}

//! Creating, reading, changing, deleting; ACLs; transactions.

use std::time::Duration;

use zookeeper_client::{
    Acl, Acls, AuthId, AuthUser, Client, CreateMode, EnsembleUpdate, Error, MultiReadResult,
    MultiWriteError, MultiWriteResult, Permission,
};

use crate::{EPHEMERAL, OPEN, Outcome, Suite, eventually, expect, expect_error, open};

pub async fn run(suite: &mut Suite) {
    suite.check("create-modes", create_modes).await;
    suite.check("create-with-ttl", create_with_ttl).await;
    suite.check("container-goes-when-empty", container_goes).await;
    suite.check("set-and-get-with-versions", set_and_get).await;
    suite.check("children", children).await;
    suite.check("errors", errors).await;
    suite.check("requests-in-order", requests_in_order).await;
    suite.check("chroot", chroot).await;
    suite.check("creator-acl", creator_acl).await;
    suite.check("masked-digests", masked_digests).await;
    suite.check("who-am-i", who_am_i).await;
    suite.check("multi", multi).await;
    suite.check("failed-multi", failed_multi).await;
    suite.check("multi-read", multi_read).await;
    suite.check("check-writer", check_writer).await;
    suite.check("config-and-sync", config_and_sync).await;
}

async fn create_modes(root: String, client: Client, _hosts: String) -> Outcome {
    let (stat, _) = client.create(&format!("{root}/p"), b"12345", OPEN).await?;
    expect("stat", &client.check_stat(&format!("{root}/p")).await?, &Some(stat))?;
    expect("length", &5, &stat.data_length)?;
    let (stat, _) = client.create(&format!("{root}/e"), b"", EPHEMERAL).await?;
    expect("owner", &client.session_id().0, &stat.ephemeral_owner)?;
    for (mode, due) in [(CreateMode::PersistentSequential, 2), (CreateMode::EphemeralSequential, 3)]
    {
        let (_, sequence) =
            client.create(&format!("{root}/s-"), b"", &mode.with_acls(Acls::anyone_all())).await?;
        expect("sequence", &due, &sequence.into_i64())?;
    }
    let (stat, _) = client
        .create(&format!("{root}/c"), b"", &CreateMode::Container.with_acls(Acls::anyone_all()))
        .await?;
    expect("owner of a container", &0, &stat.ephemeral_owner)
}

async fn create_with_ttl(root: String, client: Client, _hosts: String) -> Outcome {
    let path = format!("{root}/t");
    client.create(&path, b"", &OPEN.clone().with_ttl(Duration::from_millis(200))).await?;
    eventually("the node goes", || async { client.check_stat(&path).await == Ok(None) }).await
}

async fn container_goes(root: String, client: Client, _hosts: String) -> Outcome {
    let path = format!("{root}/c");
    client.create(&path, b"", &CreateMode::Container.with_acls(Acls::anyone_all())).await?;
    client.create(&format!("{path}/child"), b"", OPEN).await?;
    client.delete(&format!("{path}/child"), None).await?;
    eventually("the container goes", || async { client.check_stat(&path).await == Ok(None) }).await
}

async fn set_and_get(root: String, client: Client, _hosts: String) -> Outcome {
    let stat = client.set_data(&root, b"one", Some(0)).await?;
    expect("version", &1, &stat.version)?;
    expect_error(Error::BadVersion, client.set_data(&root, b"two", Some(0)).await)?;
    expect("data", &(b"one".to_vec(), stat), &client.get_data(&root).await?)?;
    expect("version", &2, &client.set_data(&root, b"two", None).await?.version)
}

async fn children(root: String, client: Client, _hosts: String) -> Outcome {
    client.mkdir(&format!("{root}/a/b/c"), OPEN).await?;
    client.create(&format!("{root}/d"), b"", EPHEMERAL).await?;
    let (mut names, stat) = client.get_children(&root).await?;
    names.sort();
    expect("children", &vec!["a".to_string(), "d".to_string()], &names)?;
    expect("cversion", &2, &stat.cversion)?;
    expect("descendants", &4, &client.count_descendants_number(&root).await?)?;
    expect("ephemerals", &vec![format!("{root}/d")], &client.list_ephemerals(&root).await?)
}

async fn errors(root: String, client: Client, _hosts: String) -> Outcome {
    client.mkdir(&format!("{root}/full/child"), OPEN).await?;
    client.create(&format!("{root}/e"), b"", EPHEMERAL).await?;
    expect_error(Error::NodeExists, client.create(&format!("{root}/full"), b"", OPEN).await)?;
    expect_error(Error::NoNode, client.create(&format!("{root}/no/child"), b"", OPEN).await)?;
    expect_error(
        Error::NoChildrenForEphemerals,
        client.create(&format!("{root}/e/child"), b"", OPEN).await,
    )?;
    expect_error(Error::NotEmpty, client.delete(&format!("{root}/full"), None).await)?;
    expect_error(Error::BadVersion, client.delete(&format!("{root}/full/child"), Some(7)).await)?;
    expect_error(Error::NoNode, client.delete(&format!("{root}/no"), None).await)?;
    expect_error(Error::NoNode, client.get_data(&format!("{root}/no")).await)?;
    expect("exists", &None, &client.check_stat(&format!("{root}/no")).await?)
}

async fn requests_in_order(root: String, client: Client, _hosts: String) -> Outcome {
    let writes: Vec<_> = (0..200)
        .map(|index: i32| client.set_data(&root, index.to_string().as_bytes(), None))
        .collect();
    let read = client.get_data(&root);
    for (index, write) in writes.into_iter().enumerate() {
        expect("version", &(index as i32 + 1), &write.await?.version)?;
    }
    expect("data", &b"199".to_vec(), &read.await?.0)
}

async fn chroot(root: String, client: Client, _hosts: String) -> Outcome {
    let inside = client.clone().chroot(root.clone()).map_err(|_| "no chroot")?;
    inside.create("/n", b"x", OPEN).await?;
    expect("children", &vec!["n".to_string()], &inside.list_children("/").await?)?;
    expect("outside", &b"x".to_vec(), &client.get_data(&format!("{root}/n")).await?.0)
}

async fn creator_acl(root: String, client: Client, hosts: String) -> Outcome {
    let alice = open(&hosts).await?;
    let path = format!("{root}/n");
    let creator = CreateMode::Persistent.with_acls(Acls::creator_all());
    expect_error(Error::InvalidAcl, client.create(&path, b"", &creator).await)?;
    alice.auth("digest", b"alice:wonder").await?;
    alice.create(&path, b"secret", &creator).await?;
    expect_error(Error::NoAuth, client.get_data(&path).await)?;
    let (acls, _) = alice.get_acl(&path).await?;
    expect("scheme", "digest", acls[0].scheme())?;
    expect(
        "aversion",
        &1,
        &alice
            .set_acl(&path, &[Acl::new(Permission::ALL, AuthId::anyone())], Some(0))
            .await?
            .aversion,
    )?;
    expect("data", &b"secret".to_vec(), &client.get_data(&path).await?.0)?;
    expect_error(Error::AuthFailed, alice.auth("nonsense", b"x").await)
}

async fn masked_digests(root: String, client: Client, _hosts: String) -> Outcome {
    let acls = [
        Acl::new(Permission::ALL, AuthId::new("digest", "bob:hash")),
        Acl::new(Permission::READ, AuthId::anyone()),
    ];
    client
        .create(&format!("{root}/n"), b"", &CreateMode::Persistent.with_acls(Acls::new(&acls)))
        .await?;
    let (masked, _) = client.get_acl(&format!("{root}/n")).await?;
    expect("id", "bob:x", masked[0].id())
}

async fn who_am_i(_root: String, _client: Client, hosts: String) -> Outcome {
    let alice = open(&hosts).await?;
    alice.auth("digest", b"alice:wonder").await?;
    let users = alice.list_auth_users().await?;
    expect("alice", &true, &users.contains(&AuthUser::new("digest", "alice")))?;
    expect("address", &true, &users.contains(&AuthUser::new("ip", "127.0.0.1")))
}

async fn multi(root: String, client: Client, _hosts: String) -> Outcome {
    let path = format!("{root}/a");
    let mut writer = client.new_multi_writer();
    writer.add_create(&path, b"1", OPEN)?;
    writer.add_set_data(&path, b"2", Some(0))?;
    writer.add_check_version(&path, 1)?;
    writer.add_create(
        &format!("{root}/s-"),
        b"",
        &CreateMode::EphemeralSequential.with_acls(Acls::anyone_all()),
    )?;
    writer.add_create(
        &format!("{root}/t"),
        b"",
        &OPEN.clone().with_ttl(Duration::from_secs(60)),
    )?;
    writer.add_delete(&path, Some(1))?;
    let results = writer.commit().await?;
    let names: Vec<_> = results
        .iter()
        .filter_map(|result| match result {
            MultiWriteResult::Create { path, .. } => Some(path.as_str()),
            _ => None,
        })
        .collect();
    expect(
        "names",
        &vec![path.clone(), format!("{root}/s-0000000001"), format!("{root}/t")],
        &names,
    )?;
    expect("deleted", &None, &client.check_stat(&path).await?)
}

async fn failed_multi(root: String, client: Client, _hosts: String) -> Outcome {
    let mut writer = client.new_multi_writer();
    writer.add_create(&format!("{root}/a"), b"", OPEN)?;
    writer.add_check_version(&root, 9)?;
    writer.add_delete(&format!("{root}/b"), None)?;
    let due = MultiWriteError::OperationFailed { index: 1, source: Error::BadVersion };
    match writer.commit().await {
        Err(error) => expect("error", &due, &error)?,
        Ok(results) => return Err(format!("committed: {results:?}").into()),
    }
    expect("nothing done", &Vec::<String>::new(), &client.list_children(&root).await?)
}

async fn multi_read(root: String, client: Client, _hosts: String) -> Outcome {
    let stat = client.set_data(&root, b"x", None).await?;
    let mut reader = client.new_multi_reader();
    reader.add_get_data(&root)?;
    reader.add_get_children(&root)?;
    reader.add_get_data(&format!("{root}/missing"))?;
    let due = vec![
        MultiReadResult::Data { data: b"x".to_vec(), stat },
        MultiReadResult::Children { children: vec![] },
        MultiReadResult::Error { err: Error::NoNode },
    ];
    expect("results", &format!("{due:?}"), &format!("{:?}", reader.commit().await?))
}

async fn check_writer(root: String, client: Client, _hosts: String) -> Outcome {
    let mut writer = client.new_check_writer(&root, Some(0))?;
    writer.add_create(&format!("{root}/a"), b"", OPEN)?;
    writer.commit().await?;
    client.set_data(&root, b"", None).await?;
    let mut writer = client.new_check_writer(&root, Some(0))?;
    writer.add_create(&format!("{root}/b"), b"", OPEN)?;
    expect("refused", &true, &writer.commit().await.is_err())?;
    expect("children", &vec!["a".to_string()], &client.list_children(&root).await?)
}

async fn config_and_sync(_root: String, client: Client, _hosts: String) -> Outcome {
    client.get_config().await?;
    client.sync("/").await?;
    let update = EnsembleUpdate::New { ensemble: ["server.1=127.0.0.1:1:2;3"].into_iter() };
    expect_error(Error::ReconfigDisabled, client.update_ensemble(update, None).await)
}

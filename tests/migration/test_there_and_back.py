"""One server: its tree and its clients move from a ZooKeeper to Zooid, are used there, and move back."""

import pytest
from conftest import wait_for, zooid
from protocol import Flag
from rawclient import RawClient

import tree

FORMS = [
    ("zookeeper-3.8", ""),
    ("zookeeper-3.8", "gz"),
    ("zookeeper-3.9", ""),
    ("zookeeper-3.9", "gz"),
    ("zookeeper-3.9", "snappy"),
]


def mismatches(server) -> int:
    """How often this ZooKeeper found its tree to be another than its digests say."""
    counts = [line.split("\t")[1] for line in server.ask("mntr").splitlines() if line.startswith("zk_digest_mismatches_count")]
    return int(float(counts[0]))


@pytest.mark.parametrize(("zookeeper", "compression"), FORMS)
def test_there_and_back(prepare, start_kazoo, zookeeper, compression):
    flags = f"-Dzookeeper.snapshot.compression.method={compression}"
    # Snapshots are taken while writes go on, so they hold a part of what the log holds too.
    there = prepare(zookeeper, flags, snapCount=300).start()
    one, other = tree.client(there.address), tree.client(there.address)
    tree.build(one, other)
    tree.write_for(one, seconds=2)
    live = start_kazoo(there.hosts)
    session = live.client_id
    live.create("/live", ephemeral=True)
    told: list[bytes] = []
    live.DataWatch("/busy", lambda data, stat: told.append(data))
    before = tree.read(one)
    # While it runs it can be rehearsed.
    assert f"znodes     {len(before)}," in zooid("import", there.data_dir, there.directory / "rehearsal")
    there.kill()

    ours = prepare("zooid", port=there.port)
    said = zooid("import", there.data_dir, ours.data_dir)
    assert "compared" in said and f"znodes     {len(before)}," in said, said
    ours.start()
    one, other = tree.again(one, ours.address), tree.again(other, ours.address)
    tree.check_equal(before, tree.read(one))
    wait_for(lambda: live.connected)
    assert live.client_id == session and live.exists("/live").ephemeralOwner == session[0]

    use(one, other)
    wait_for(lambda: told[-1] == b"changed")
    new = tree.client(ours.address)
    assert new.create("/of-zooid", flags=Flag.EPHEMERAL).ok
    after = tree.read(one)
    ours.stop()

    # A ZooKeeper that is still starting may take a connection and never answer, and kazoo waits a whole session timeout
    # for the answer: so it hears of the new place once that serves.
    back = prepare(zookeeper, flags)
    said = zooid("export", ours.data_dir, back.data_dir)
    assert "with passwords that ZooKeeper does not take" in said and "extendedTypesEnabled" in said, said
    back.start()
    live.set_hosts(back.hosts)
    one = tree.again(one, back.address)
    tree.check_equal(after, tree.read(one))
    refused = RawClient(back.address, session_id=new.session.session_id, password=new.session.password)
    assert refused.session.session_id == 0 and one.get("/of-zooid").ok, "its session is there, and nobody can take it up"
    wait_for(lambda: live.connected)
    assert live.client_id == session and live.exists("/live")
    assert live.create("/queue/item-", sequence=True) == "/queue/item-0000000008"
    assert one.delete("/container/second").ok and one.get("/ttl").ok
    wait_for(lambda: not one.exists("/container").ok)
    assert mismatches(back) == 0


def use(one: RawClient, other: RawClient) -> None:
    """What clients do goes on where it was."""
    assert one.create("/queue/item-", flags=Flag.PERSISTENT_SEQUENTIAL).value == "/queue/item-0000000007"
    version = one.stat("/app").version
    assert one.set("/app", b"at Zooid", version).value.version == version + 1
    assert one.set("/busy", b"changed").ok
    assert one.create("/container/second").ok and one.delete("/container/child").ok
    assert one.children("/locks").value == ["lock-0000000000", "lock-0000000001", "mine"]
    assert other.delete("/locks/mine").ok
    assert other.create("/locks/lock-", flags=Flag.EPHEMERAL_SEQUENTIAL).value == "/locks/lock-0000000003"

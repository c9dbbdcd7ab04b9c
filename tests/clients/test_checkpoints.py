"""Checkpoints: a restart from checkpoint and log finds what a restart from the log alone would, and the log does not grow for ever.

A small `snapCount` makes them frequent, so that kills fall before, into and behind them.
"""

import random
import time

import pytest
from jute import Acl, buffer, int_, string
from protocol import Err, Flag, Op, Perm
from rawclient import RawClient, Sub, digest_id
from workload import SEED, check_after_restart, run_until_killed, start_workers

MEGABYTE = 1 << 20
PROOF = b"ann:secret"
ACLS = {
    "mine": [Acl(Perm.ALL, "digest", digest_id("ann", "secret"))],
    "many": [Acl(Perm.ALL, "world", "anyone"), Acl(Perm.READ, "ip", "10.0.0.0/8"), Acl(Perm.READ | Perm.WRITE, "digest", digest_id("bob", "x"))],
}


@pytest.fixture(autouse=True)
def zooid_only(flavour):
    if not flavour.is_zooid:
        pytest.skip("about files and log lines that only Zooid has")


def everything(client) -> dict:
    """Every znode: data, ACL and all of the Stat."""
    found, todo = {}, ["/"]
    while todo:
        path = todo.pop()
        data, stat = client.get(path).value
        found[path] = (data, client.get_acl(path).value[0], stat)
        todo += [f"{path.rstrip('/')}/{name}" for name in client.children(path).value]
    return found


def all_as(client) -> dict:
    assert client.auth("digest", PROOF).ok
    return everything(client)


def build(client, number: int) -> None:
    """Some of everything below `/tree-<number>`."""
    root = f"/tree-{number}"
    assert client.create(root, b"\x00" * number).ok
    for name, acl in ACLS.items():
        assert client.create(f"{root}/{name}", name.encode(), acl).ok
    assert client.create(f"{root}/null", None).ok
    assert client.create_container(f"{root}/container").ok
    assert client.create(f"{root}/container/child").ok
    assert client.create_ttl(f"{root}/ttl", 3_600_000, b"x").ok
    for _ in range(5):
        assert client.create(f"{root}/s-", flags=Flag.PERSISTENT_SEQUENTIAL).ok
    assert client.create(f"{root}/e-", flags=Flag.EPHEMERAL_SEQUENTIAL).ok
    quota = f"/zookeeper/quota{root}"
    assert client.multi(
        Sub.create(quota), Sub.create(f"{quota}/zookeeper_limits", b"count=8,bytes=500"), Sub.create(f"{quota}/zookeeper_stats", b"count=0,bytes=0")
    ).ok


def churn(client, number: int, dice) -> None:
    """Changes that later runs hold: other data and ACLs, nodes that come and go, sequence numbers used up."""
    root = f"/tree-{number}"
    assert client.set(f"{root}/mine", dice.randbytes(dice.randrange(40))).ok
    assert client.set_acl(f"{root}/null", dice.choice(list(ACLS.values()))).ok
    name = client.create(f"{root}/s-", b"late", flags=Flag.PERSISTENT_SEQUENTIAL).value
    assert client.delete(name).ok
    assert client.create(f"{root}/flicker").ok and client.delete(f"{root}/flicker").ok
    if client.delete(f"{root}/now-and-then").err == Err.NO_NODE:
        assert client.create(f"{root}/now-and-then").ok


def reattached(server, client) -> RawClient:
    session = client.session
    client.abandon()
    again = RawClient(server.address, timeout=60_000, session_id=session.session_id, password=session.password)
    assert again.session.session_id == session.session_id, "the session was lost"
    return again


def runs(server) -> list[str]:
    return sorted(path.suffix for path in server.data_dir.rglob("*") if path.suffix in (".base", ".delta"))


def logged(server, text: str) -> int:
    return server.log_file.read_text().count(text)


def wait_until(what: str, is_true, seconds=20) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def test_everything_is_as_it_was_after_each_kill(start_server):
    server = start_server(tickTime=3000, snapCount=40)
    client, dice, kinds = RawClient(server.address, timeout=60_000), random.Random(SEED), set()
    for number in range(12):
        assert client.auth("digest", PROOF).ok
        build(client, number)
        for _ in range(dice.randrange(1, 12)):
            churn(client, dice.randrange(number + 1), dice)
        time.sleep(dice.choice((0, 0, 0.1)))
        before = everything(client)
        kinds.add(tuple(runs(server)))
        server.restart()
        client = reattached(server, client)
        assert all_as(client) == before
        assert used(client, number) == (len([path for path in before if path.startswith(f"/tree-{number}/")]) + 1)
        assert client.create(f"/tree-{number}/s-", flags=Flag.PERSISTENT_SEQUENTIAL).value not in before
    assert logged(server, "merged the checkpoint's runs") > 0, f"never more than {max(kinds, key=len)}"
    assert any(kind.count(".delta") > 2 for kind in kinds), f"never more than a few runs: {kinds}"
    client.close()


def used(client, number: int) -> int:
    statistics = client.get(f"/zookeeper/quota/tree-{number}/zookeeper_stats").value[0].decode()
    return int(statistics.split(",")[0].removeprefix("count="))


def test_ephemerals_of_a_checkpoint_end_with_their_session(start_server):
    server = start_server(tickTime=200, snapCount=10)
    keeper, leaver = RawClient(server.address, timeout=4000), RawClient(server.address, timeout=1000)
    assert keeper.create("/kept", flags=Flag.EPHEMERAL).ok and leaver.create("/left", flags=Flag.EPHEMERAL).ok
    for _ in range(30):
        assert keeper.set("/kept").ok
    wait_until("a checkpoint", lambda: runs(server))
    leaver.abandon()
    server.restart()
    keeper = reattached(server, keeper)
    assert keeper.exists("/left").ok, "gone without a committed end of its session"
    wait_until("the session left expires", lambda: keeper.exists("/left").err == Err.NO_NODE, seconds=5)
    assert keeper.ephemerals("/").value == ["/kept"]
    keeper.close()


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_kills_under_load_fall_into_checkpoints(start_server, seed):
    server = start_server(tickTime=3000, snapCount=30)
    workers, dice = start_workers(server), random.Random(seed)
    for _ in range(8):
        run_until_killed(server, workers, dice.uniform(0.1, 0.8))
        server.start()
        check_after_restart(server, workers)
    assert logged(server, "merged the checkpoint's runs") > 0 and logged(server, "checkpoint zxid=") > 8
    for worker in workers:
        worker.client.close()


def test_the_log_gives_its_files_back(start_server):
    """700 MB are written over four znodes; what stays is a checkpoint, and a log of some files of 64 MB each."""
    server = start_server(tickTime=3000, snapCount=50)
    client = RawClient(server.address, timeout=60_000)
    for name in "abcd":
        assert client.create(f"/{name}").ok
    written = 0
    while written < 700 * MEGABYTE:
        datum = written.to_bytes(8, "big") * 100_000
        for name in "abcd":
            client.send(Op.SET_DATA, string(f"/{name}") + buffer(datum) + int_(-1))
        for _ in "abcd":
            assert client.read_reply().ok
        written += 4 * len(datum)
    wait_until("the log is small", lambda: size(server) < 480 * MEGABYTE)
    server.restart()
    again = RawClient(server.address)
    assert [again.get(f"/{name}").value[0] for name in "abcd"] == [datum] * 4
    again.close()


def size(server) -> int:
    """Bytes on disk; a file may be removed while they are counted."""
    total = 0
    for path in server.data_dir.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            pass
    return total


@pytest.mark.parametrize("delay", [0, 0.05])
def test_a_stop_does_not_wait_for_a_checkpoint_that_has_just_begun(start_server, delay):
    multis, each = 150, 999
    server = start_server(tickTime=3000, snapCount=multis + 50)
    client = RawClient(server.address, timeout=60_000)
    for number in range(multis):
        assert client.multi(*(Sub.create(f"/n-{number}-{index}") for index in range(each))).ok
    for _ in range(60):
        client.send(Op.SET_DATA, string("/n-0-0") + buffer(b"x") + int_(-1))
    for _ in range(60):
        assert client.read_reply().ok
    client.abandon()
    time.sleep(delay)
    assert server.stop() == 0
    server.start()
    again = RawClient(server.address)
    assert again.all_children_number("/").value == multis * each + 3
    assert again.stat("/n-0-0").version == 60
    again.close()

"""A tree with one of everything that a ZooKeeper can hold, and what a client can see of one."""

import time
from dataclasses import dataclass

import jute
from jute import Acl
from protocol import Err, Flag, Perm
from rawclient import OPEN, READ_ONLY, RawClient, Sub, digest_id

SESSION_MS = 100_000
USER, PASSWORD = "mover", "secret"
CLOSED = [Acl(Perm.ALL, "digest", digest_id(USER, PASSWORD))]
MIXED = [*READ_ONLY, *CLOSED, Acl(Perm.WRITE, "ip", "127.0.0.0/8")]


@dataclass
class Node:
    data: bytes | None
    stat: jute.Stat
    acl: list


def client(address, **options) -> RawClient:
    """One that may read everything that `build` makes, and takes minutes to expire."""
    one = RawClient(address, timeout=SESSION_MS, **options)
    assert one.auth("digest", f"{USER}:{PASSWORD}".encode()).ok
    return one


def again(before: RawClient, address) -> RawClient:
    """The same session at another server, as a stock client takes it up."""
    session = before.session
    one = client(address, session_id=session.session_id, password=session.password)
    assert one.session.session_id == session.session_id, "the session was taken up again"
    return one


def build(one: RawClient, other: RawClient) -> None:
    """Everything: kinds of nodes, data, lists, versions, refused operations. `other` owns ephemerals too."""
    for path, data, acl in (
        ("/app", b"", OPEN),
        ("/app/none", None, OPEN),
        ("/app/big", bytes(range(256)) * 2000, OPEN),
        ("/app/closed", b"closed", CLOSED),
        ("/app/closed/below", b"below", MIXED),
        ("/app/ü-한-x", "ü".encode(), OPEN),
        ("/queue", b"", OPEN),
        ("/locks", b"", OPEN),
        ("/zookeeper/quota/app", b"", OPEN),
        ("/zookeeper/quota/app/zookeeper_limits", b"count=1000,bytes=-1", OPEN),
        ("/zookeeper/quota/app/zookeeper_stats", b"count=0,bytes=0", OPEN),
    ):
        assert one.create(path, data, acl).ok, path
    for number in range(7):
        assert one.create("/queue/item-", b"x" * number, flags=Flag.PERSISTENT_SEQUENTIAL).ok
    assert one.delete("/queue/item-0000000003").ok
    for version in range(5):
        assert one.set("/app", f"version {version}".encode()).ok
    assert one.set_acl("/app/big", MIXED).ok and one.set_acl("/app/big", OPEN).ok
    for owner in (one, other):
        assert owner.create("/locks/lock-", flags=Flag.EPHEMERAL_SEQUENTIAL).ok
    assert other.create("/locks/mine", b"mine", flags=Flag.EPHEMERAL).ok
    assert one.create_container("/container").ok and one.create("/container/child").ok
    assert one.create_ttl("/ttl", 1_000_000_000).ok
    assert one.create2("/two").ok
    build_multis(one)


def build_multis(one: RawClient) -> None:
    assert one.multi(Sub.create("/m", b"m"), Sub.set("/app", b"by multi"), Sub.create("/m/child"), Sub.delete("/m/child")).ok
    refused = one.multi(Sub.create("/never"), Sub.check("/app", 77))
    assert refused.ok and one.exists("/never").err == Err.NO_NODE
    assert one.create("/app").err == Err.NODE_EXISTS and one.delete("/app/absent").err == Err.NO_NODE


def write_for(one: RawClient, seconds: float) -> None:
    """Creates, changes and deletes, so that snapshots are taken meanwhile."""
    end = time.monotonic() + seconds
    number = 0
    one.create("/busy")
    while time.monotonic() < end:
        number += 1
        one.create(f"/busy/{number}", b"x" * (number % 50))
        one.set(f"/busy/{number - number // 3}", b"again")
        if number % 2:
            one.delete(f"/busy/{number // 2}")


def read(one: RawClient) -> dict[str, Node]:
    """All nodes by their paths, with all that a client is told of them."""
    nodes, waiting = {}, ["/"]
    while waiting:
        path = waiting.pop()
        got, acl, children = one.get(path), one.get_acl(path), one.children(path)
        assert got.ok and acl.ok and children.ok, path
        data, stat = got.value
        nodes[path] = Node(data, stat, acl.value[0])
        waiting += [f"{path.rstrip('/')}/{name}" for name in children.value]
    return nodes


def check_equal(before: dict[str, Node], after: dict[str, Node], apart: tuple = ()) -> None:
    """Node by node, but for the paths `apart`, which are other servers' own affairs, and quotas' counts, which servers make anew."""
    ours = {path for path in before | after if path not in apart and not path.endswith("/zookeeper_stats")}
    assert {path for path in ours if path in before} == {path for path in ours if path in after}
    differing = {path: (before[path], after[path]) for path in ours if before[path] != after[path]}
    assert not differing, differing


def without_ephemerals(nodes: dict[str, Node]) -> dict[str, Node]:
    return {path: node for path, node in nodes.items() if not node.stat.ephemeralOwner}

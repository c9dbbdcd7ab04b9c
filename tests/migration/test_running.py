"""`zooid export host:port`: a running server's tree at exactly one zxid, while others write."""

import random
import threading
import time
from dataclasses import dataclass, field

import pytest
from conftest import zooid
from rawclient import RawClient, Sub

import tree

SOURCES = ["zooid", "zookeeper-3.9"]
# So many that reading them takes many rounds.
ZNODES = 4000
AUTH = ("--auth", f"digest:{tree.USER}:{tree.PASSWORD}")


@dataclass
class Writer:
    """Creates, changes and deletes znodes at random, and knows which zxid each write got."""

    client: RawClient
    history: list[tuple[int, str, bytes | None]] = field(default_factory=list)
    stopped: bool = False

    def work(self) -> None:
        dice, paths = random.Random(7), {}
        while not self.stopped:
            path = f"/w/{dice.randrange(ZNODES)}/{dice.randrange(3)}"
            data = str(len(self.history)).encode()
            if path not in paths:
                reply = self.client.create(path, data)
            elif dice.randrange(3):
                reply = self.client.set(path, data)
            else:
                reply, data = self.client.delete(path), None
            assert reply.ok, (path, reply.err)
            paths = {**paths, path: data} if data is not None else {at: kept for at, kept in paths.items() if at != path}
            self.history.append((reply.zxid, path, data))

    def at(self, zxid: int) -> dict[str, tuple[bytes, int]]:
        """What was there then: data, and the zxid that wrote it."""
        there = {}
        for written, path, data in self.history:
            if written <= zxid:
                there[path] = (data, written)
        return {path: found for path, found in there.items() if found[0] is not None}


@pytest.mark.parametrize("source", SOURCES)
def test_one_zxid_while_others_write(prepare, source):
    there = prepare(source).start()
    client = RawClient(there.address)
    assert client.create("/w").ok
    for first in range(0, ZNODES, 500):
        assert client.multi(*(Sub.create(f"/w/{number}") for number in range(first, first + 500))).ok
    writer = Writer(RawClient(there.address))
    thread = threading.Thread(target=writer.work)
    thread.start()
    try:
        time.sleep(1)
        before = len(writer.history)
        said = zooid("export", there.hosts, there.directory / "back/data")
        during = len(writer.history) - before
    finally:
        writer.stopped = True
        thread.join()
    assert during > 20, "the writer wrote meanwhile"
    zxid = int(next(line.split()[1] for line in said.splitlines() if line.startswith("zxid")), 16)
    copy = prepare("zooid")
    zooid("import", there.directory / "back/data", copy.data_dir)
    found = tree.read(RawClient(copy.start().address))
    written = {path: (node.data, node.stat.mzxid) for path, node in found.items() if path.count("/") == 3 and path.startswith("/w/")}
    assert written == writer.at(zxid)
    later = max(max(node.stat.mzxid, node.stat.pzxid) for node in found.values())
    assert later <= zxid, "nothing of later is in it"


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_client_sees_is_kept(prepare, source):
    there = prepare(source).start()
    one, other = tree.client(there.address), tree.client(there.address)
    tree.build(one, other)
    before = tree.read(one)
    assert "/app/closed cannot be read: NoAuth" in zooid("export", there.hosts, there.directory / "refused", fails=True)
    said = zooid("export", there.hosts, there.directory / "back/data", *AUTH)
    assert "3 ephemeral znodes are left out" in said
    back = prepare("zookeeper-3.9")
    (there.directory / "back/data").rename(back.data_dir)
    now = tree.read(tree.client(back.start().address))
    # The root of three ephemerals knows that they were there, and counts fewer children.
    locks = before["/locks"].stat
    assert now["/locks"].stat == locks._replace(numChildren=0, cversion=locks.cversion + locks.numChildren)
    tree.check_equal(tree.without_ephemerals(before), now, apart=("/locks",))


@pytest.mark.parametrize("source", SOURCES)
def test_a_list_that_is_shown_in_part_is_refused(prepare, source):
    there = prepare(source).start()
    assert tree.client(there.address).create("/masked", acl=tree.MIXED).ok
    said = zooid("export", there.hosts, there.directory / "refused", fails=True)
    assert "the ACL of /masked is shown in part only" in said and "--auth" in said
    assert not (there.directory / "refused").exists()


def test_nobody_there(tmp_path):
    said = zooid("export", "127.0.0.1:1", tmp_path / "back", fails=True)
    assert "cannot talk to 127.0.0.1:1" in said
    said = zooid("export", "a:1,b:2", tmp_path / "back", fails=True)
    assert "neither a directory nor one host:port" in said
    assert not (tmp_path / "back").exists()

"""A disk that fills up: writes stop before it is full, everything else goes on, and writes come back by themselves."""

import os
import time

from protocol import Op
from rawclient import RawClient
from writers import Writers, check_all

OPERATION_TIMEOUT = -7
MEGABYTE = 1 << 20
# The server keeps an eighth of 96 MB free.
PIECE = b"x" * 200_000
PATIENCE = 10


class Filler:
    """Files of somebody else on the same disk."""

    def __init__(self, disk):
        self.file = disk / "somebody-else"

    def leave(self, megabytes: int) -> None:
        free = free_bytes(self.file.parent)
        with self.file.open("ab") as file:
            file.write(bytes(max(0, free - megabytes * MEGABYTE)))

    def remove(self) -> None:
        self.file.unlink()


def free_bytes(disk) -> int:
    shown = os.statvfs(disk)
    return shown.f_bavail * shown.f_frsize


def test_writes_stop_in_time_and_come_back(start, small_disk):
    server = start(directory=small_disk / "server")
    client, other = RawClient(server.address), RawClient(server.address)
    assert client.create("/data").ok and client.create("/freed", PIECE).ok
    filler = Filler(small_disk)
    filler.leave(20)
    written = fill(client)
    assert written, "some of it fits"
    check_what_goes_on(server, client, other, written)
    assert "make room" in server.log_file.read_text()
    server.kill()
    server.start()
    client = RawClient(server.address)
    assert {int(name) for name in client.children("/data").value} == set(written)
    wait_until(lambda: client.create("/data/again", PIECE).err == OPERATION_TIMEOUT)
    filler.remove()
    wait_until(lambda: client.create("/data/there-is-room", PIECE).ok)
    assert metric(server, "zooid_short_of_room") == 0
    client.close()
    assert server.stop() == 0


def fill(client: RawClient) -> list[int]:
    """Writes until it is refused: what was acknowledged."""
    written = []
    for number in range(500):
        reply = client.create(f"/data/{number}", PIECE)
        if not reply.ok:
            assert reply.err == OPERATION_TIMEOUT, reply
            return written
        written.append(number)
    raise AssertionError("nothing was refused")


def check_what_goes_on(server, client: RawClient, other: RawClient, written: list[int]) -> None:
    assert client.get(f"/data/{written[-1]}").value[0] == PIECE
    assert client.call(Op.PING, xid=-2).ok
    assert client.set("/data", b"more").err == OPERATION_TIMEOUT
    assert client.delete("/freed").ok, "what makes room is taken"
    other.close()
    newcomer = RawClient(server.address)
    assert newcomer.session.session_id and newcomer.children("/data").ok
    newcomer.close()
    assert metric(server, "zooid_short_of_room") == 1
    assert metric(server, "zooid_refused_for_room") >= 2


def metric(server, name: str) -> int:
    lines = dict(line.split("\t", 1) for line in server.ask("mntr").splitlines() if "\t" in line)
    return int(lines[f"zk_{name}"])


def wait_until(what) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.1)


def test_a_disk_that_is_full_to_the_last_byte_ends_the_server_and_loses_nothing(start, small_disk):
    """Somebody else may be quicker than the server looks: then it ends at the first write that does not fit."""
    server = start(directory=small_disk / "server", **{"zooid.headRoom": 0})
    filler = Filler(small_disk)
    filler.leave(10)
    writers = Writers(server, data_bytes=20_000)
    assert server.process.wait(timeout=60) == 10
    last = server.log_file.read_text().splitlines()[-1]
    assert "cannot go on" in last and "the disk is full: make room" in last, last
    filler.remove()
    server.start()
    wait_until(lambda: writers.acknowledged)
    writers.end()
    check_all(server, writers.all)

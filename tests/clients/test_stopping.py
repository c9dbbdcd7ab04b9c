"""SIGTERM: what was asked is answered, what was answered is there after the next start, and the exit status is 0."""

import signal
import time

import pytest
from jute import Reader, int_
from protocol import Flag, Op
from rawclient import OPEN, Closed, RawClient, create_body

REQUESTS = 1000


def frame_of_create(xid: int, path: str) -> bytes:
    body = int_(xid) + int_(Op.CREATE) + create_body(path, b"%d" % xid, OPEN, Flag.PERSISTENT_SEQUENTIAL)
    return int_(len(body)) + body


def answered(client) -> int:
    """How many replies still come, each the right one."""
    for number in range(REQUESTS):
        try:
            reply = client.read_reply(number + 1)
        except Closed:
            return number
        assert reply.ok and Reader(reply.body).string() == f"/n/s-{number:010d}"
    return REQUESTS


@pytest.mark.parametrize("delay", [0, 0.001, 0.02])
def test_with_a_thousand_writes_under_way(start_server, delay, flavour):
    server = start_server(tickTime=3000)
    client = RawClient(server.address)
    assert client.create("/n").ok
    client.send_bytes(b"".join(frame_of_create(number + 1, "/n/s-") for number in range(REQUESTS)))
    time.sleep(delay)
    server.process.send_signal(signal.SIGTERM)
    acknowledged = answered(client)
    client.abandon()
    assert server.process.wait(timeout=10) == 0 or not flavour.is_zooid
    server.start()
    checker = RawClient(server.address)
    names = checker.children("/n").value
    assert names == [f"s-{number:010d}" for number in range(len(names))]
    assert len(names) >= acknowledged, f"{acknowledged} were acknowledged"
    if flavour.is_zooid:
        assert len(names) == acknowledged, "a write was carried out and not answered, though the server had the time"
    checker.close()


def test_takes_no_new_connection_and_asks_idle_clients_to_go(start_server):
    server = start_server()
    idle, unconnected = RawClient(server.address), RawClient(server.address, connect=False)
    server.process.send_signal(signal.SIGTERM)
    assert idle.is_closed() and unconnected.is_closed()
    idle.abandon()
    unconnected.abandon()
    server.process.wait(timeout=10)
    with pytest.raises(OSError):
        RawClient(server.address)


def test_does_not_wait_long_for_a_client_that_does_not_read(start_server, flavour):
    server = start_server(tickTime=3000)
    client = RawClient(server.address)
    assert client.create("/n", bytes(900_000)).ok
    deaf = RawClient(server.address)
    for _ in range(20):
        deaf.send(Op.GET_DATA, int_(2) + b"/n\x00")
    begun = time.monotonic()
    status = server.stop()
    assert time.monotonic() - begun < 9 and (status == 0 or not flavour.is_zooid)
    deaf.abandon()
    client.abandon()

"""Limits on what one client can take from the others: requests under way, memory, patience."""

import threading
from pathlib import Path

import pytest
from jute import bool_, buffer, int_, string
from protocol import Op
from rawclient import Closed, RawClient

BIG = bytes(500_000)
MEGABYTE = 1 << 20


def set_data(client, path, data=b"") -> int:
    return client.send(Op.SET_DATA, string(path) + buffer(data) + int_(-1))


def get_data(client, path) -> int:
    return client.send(Op.GET_DATA, string(path) + bool_(False))


def in_the_background(run) -> threading.Thread:
    thread = threading.Thread(target=run)
    thread.start()
    return thread


class TestGlobalOutstandingLimit:
    def test_slows_nobody_down_for_ever(self, start_server, connect):
        server = start_server(tickTime=3000, globalOutstandingLimit=10)
        clients = [connect(to=server, timeout=60_000) for _ in range(4)]
        assert clients[0].create("/n").ok

        def hammer(client):
            for _ in range(500):
                set_data(client, "/n")
            answered.append(sum(client.read_reply().ok for _ in range(500)))

        answered = []
        for thread in [in_the_background(lambda client=client: hammer(client)) for client in clients]:
            thread.join(timeout=60)
        assert answered == [500] * 4
        assert clients[0].stat("/n").version == 2000

    @pytest.mark.parametrize("xid", [-2, 7])
    def test_is_not_used_up_by_pings(self, start_server, connect, xid):
        server = start_server(tickTime=3000, globalOutstandingLimit=20)
        pinging, other = connect(to=server), connect(to=server)
        for _ in range(100):
            assert pinging.read_reply(pinging.send(Op.PING, xid=xid) and -2).ok
        assert "Outstanding: 0\n" in server.ask("srvr")
        assert other.create("/n").ok


class TestManyLargeReplies:
    def test_reach_a_client_that_reads(self, start_server, connect):
        server = start_server(tickTime=3000)
        client = connect(to=server, timeout=60_000)
        assert client.create("/big", BIG).ok
        sending = in_the_background(lambda: [get_data(client, "/big") for _ in range(400)])
        assert all(len(client.read_reply().body) > len(BIG) for _ in range(400))
        sending.join()

    def test_end_the_connection_of_a_client_that_does_not(self, start_server, connect, flavour):
        if not flavour.is_zooid:
            pytest.skip("ZooKeeper keeps what a slow client does not read, without a limit")
        server = start_server(tickTime=3000)
        deaf, other = connect(to=server, timeout=60_000), connect(to=server, timeout=60_000)
        assert other.create("/big").ok
        path = "/big/" + "y" * 60_000
        assert deaf.add_watch("/big", 1).ok and other.create(path).ok
        written = 0
        while "the client does not read what it is sent" not in server.log_file.read_text():
            for _ in range(100):
                set_data(other, path)
            assert all(other.read_reply().ok for _ in range(100))
            written += 100
            assert written < 5000, "300 MB of events wait for a client that reads none"
        assert deaf.is_closed()
        assert other.ping().ok


class TestMemory:
    def test_is_not_taken_for_bytes_that_were_only_announced(self, start_server, connect, flavour):
        if not flavour.is_zooid:
            pytest.skip("a Java heap says little of what is used")
        server = start_server(tickTime=3000)
        healthy = connect(to=server)
        before = resident(server)
        clients = [connect(to=server) for _ in range(200)]
        for client in clients:
            client.send_bytes(int_(1_000_000) + b"abc")
        unconnected = [RawClient(server.address, connect=False) for _ in range(200)]
        for client in unconnected:
            client.send_bytes(int_(4000) + b"abc")
        assert healthy.create("/n").ok
        assert resident(server) - before < 40 * MEGABYTE
        for client in unconnected + clients:
            client.abandon()
        with pytest.raises((Closed, OSError)):
            clients[0].ping()


def resident(server) -> int:
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096

"""Keys of zoo.cfg and flags of the Java command line that change what clients see."""

import time
from base64 import b64encode
from hashlib import sha256

import pytest
from jute import Acl
from protocol import Err
from rawclient import Closed, RawClient


class TestJuteMaxbuffer:
    def test_as_a_flag_raises_the_limit(self, start_server, connect):
        client = connect(to=start_server(jvm_flags="-Djute.maxbuffer=3000000"))
        data = b"x" * 2_500_000
        assert client.create("/big", data).ok
        assert client.get("/big").value[0] == data

    def test_as_a_flag_lowers_the_limit(self, start_server, connect):
        server = start_server(jvm_flags="-Djute.maxbuffer=10000")
        assert connect(to=server).create("/fits", b"x" * 9_000).ok
        with pytest.raises((Closed, ConnectionError)):
            connect(to=server).create("/big", b"x" * 20_000)
        assert connect(to=server).exists("/big").err == Err.NO_NODE


class TestSessionlessConnections:
    @pytest.mark.parametrize("beginning", [b"", b"\0\0", b"\0\0\0\x2d", b"\0\0\0\x2d\0\0\0\0"])
    def test_are_closed_after_their_time(self, start_server, beginning):
        server = start_server(**{"nio.sessionlessCnxnTimeout": 1000})
        client = RawClient(server.address, connect=False)
        client.send_bytes(beginning)
        begun = time.monotonic()
        assert client.is_closed(10)
        assert time.monotonic() - begun < 6
        client.abandon()


class TestMaxCnxns:
    def test_limits_all_connections(self, start_server, connect):
        server = start_server(maxCnxns=3)
        for _ in range(3):
            connect(to=server)
        with pytest.raises((Closed, OSError)):
            RawClient(server.address)


class TestTickTime:
    def test_bounds_sessions(self, start_server, connect):
        server = start_server(tickTime=100)
        assert [connect(to=server, timeout=asked).session.timeout for asked in (1, 99_999)] == [200, 2000]


class TestDigestAlgorithm:
    def test_may_be_sha256(self, start_server, connect):
        server = start_server(jvm_flags="-Dzookeeper.DigestAuthenticationProvider.digestAlg=SHA-256")
        client = connect(to=server)
        client.auth("digest", b"alice:wonder")
        acl = [Acl(31, "digest", "alice:" + b64encode(sha256(b"alice:wonder").digest()).decode())]
        assert client.create("/n", b"x", [Acl(31, "auth", "")]).ok
        assert client.get_acl("/n").value[0] == acl

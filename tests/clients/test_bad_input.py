"""Input that no proper client sends: the answer is an error or a closed connection, and others are still served.

What exactly happens (which error, or the end of the connection) is left open where ZooKeeper's own answer is an
accident of its implementation; that nothing was changed and that the server lives is not.
"""

import random
import socket
import struct

import pytest
from jute import bool_, buffer, int_, long_, string, vector
from protocol import Err, Flag, Op
from rawclient import OPEN, Closed, RawClient, Reply, connect_request, create_body, multi_body

CONFIG = {"tickTime": 2000}

INT_MAX = 2**31 - 1
INT_MIN = -(2**31)
MAX_FRAME = 0xFFFFF


@pytest.fixture(autouse=True)
def others_are_served(raw, root, server):
    """Around each test: a healthy client reads and writes before and after, on the same connection."""
    assert raw.create(f"{root}/healthy").ok
    yield
    assert server.alive()
    assert raw.set(f"{root}/healthy", b"still").ok
    late = RawClient(server.address)
    assert late.get(f"{root}/healthy").value[0] == b"still"
    late.close()


@pytest.fixture
def victim(connect) -> RawClient:
    return connect()


def refuses(client, op, body) -> int | None:
    """The error code of the reply, or None if the connection was closed; fails if the request was granted."""
    try:
        client.send(op, body)
        packet = client.read_packet()
    except (Closed, OSError):
        return None
    assert isinstance(packet, Reply) and packet.err < 0, f"operation {op} was granted: {packet}"
    return packet.err


def unconnected(server) -> RawClient:
    return RawClient(server.address, connect=False)


def is_ended(server, data: bytes) -> bool:
    client = unconnected(server)
    try:
        client.send_bytes(data)
        return client.is_closed()
    except OSError:
        return True
    finally:
        client.abandon()


class TestLengths:
    @pytest.mark.parametrize("length", [-1, 0, 1, MAX_FRAME + 1025, INT_MAX, INT_MIN, 0x7EFEFEFE])
    def test_of_the_first_frame(self, server, length):
        assert is_ended(server, int_(length) + b"x")

    @pytest.mark.parametrize("length", [-1, 0, 1, 7, MAX_FRAME + 1025, INT_MAX, INT_MIN])
    def test_of_a_later_frame(self, victim, length):
        victim.send_bytes(int_(length) + b"x" * 8)
        assert victim.is_closed()

    def test_of_a_frame_cut_at_every_byte(self, server, root):
        body = int_(1) + int_(Op.CREATE) + create_body(f"{root}/cut", b"data", OPEN, 0)
        whole = int_(len(body)) + body
        for end in range(1, len(whole), 3):
            client = RawClient(server.address)
            client.send_bytes(whole[:end])
            client.sock.shutdown(socket.SHUT_WR)
            assert client.is_closed()
            client.abandon()

    def test_of_a_connect_cut_at_every_byte(self, server):
        request = connect_request()
        whole = int_(len(request)) + request
        for end in range(1, len(whole)):
            client = unconnected(server)
            client.send_bytes(whole[:end])
            client.sock.shutdown(socket.SHUT_WR)
            assert client.is_closed()
            client.abandon()

    def test_that_promise_much_and_bring_little_cost_nothing(self, server):
        waiting = []
        for _ in range(50):
            client = unconnected(server)
            client.send_bytes(int_(MAX_FRAME) + b"x")
            waiting.append(client)
        for client in waiting:
            client.abandon()


class TestVectorsAndStrings:
    @pytest.mark.parametrize("count", [-2, 1000, INT_MAX, INT_MIN])
    def test_a_vector_longer_than_its_frame(self, victim, raw, root, count):
        body = string(f"{root}/n") + buffer(b"") + int_(count) + int_(0)
        code = refuses(victim, Op.CREATE, body)
        assert code in (None, Err.MARSHALLING_ERROR, Err.INVALID_ACL, Err.BAD_ARGUMENTS)
        assert raw.exists(f"{root}/n").err == Err.NO_NODE

    @pytest.mark.parametrize("count", [1000, INT_MAX])
    def test_a_watch_list_longer_than_its_frame(self, victim, count):
        refuses(victim, Op.SET_WATCHES, long_(0) + int_(count) + string("/a"))

    @pytest.mark.parametrize("length", [-2, 5, INT_MAX, INT_MIN])
    def test_a_string_longer_than_its_frame(self, victim, length):
        refuses(victim, Op.GET_DATA, int_(length) + b"/a")

    @pytest.mark.parametrize("length", [-2, 100, INT_MAX, INT_MIN])
    def test_data_longer_than_its_frame(self, victim, raw, root, length):
        refuses(victim, Op.CREATE, string(f"{root}/n") + int_(length) + b"abc")
        assert raw.exists(f"{root}/n").err == Err.NO_NODE

    @pytest.mark.parametrize("op", [Op.CREATE, Op.DELETE, Op.EXISTS, Op.GET_DATA, Op.SET_DATA, Op.GET_ACL, Op.SET_ACL, Op.GET_CHILDREN, Op.GET_CHILDREN2, Op.GET_ALL_CHILDREN_NUMBER])  # fmt: skip
    def test_a_null_path(self, victim, op):
        refuses(victim, op, int_(-1) + int_(-1) + int_(-1) + int_(0) + int_(0) + long_(0))

    @pytest.mark.parametrize("path", [b"/\xff", b"/\xc0\xaf", b"/a\xed\xa0\x80", b"/\xe4\xb8", b"/\xf4\x90\x80\x80"])
    def test_a_path_that_is_not_utf8(self, victim, raw, root, path):
        refuses(victim, Op.CREATE, create_body(root.encode() + path, b"", OPEN, 0))
        assert raw.children(root).value == ["healthy"]


class TestConnect:
    def test_with_bytes_left_over(self, server):
        client = unconnected(server)
        try:
            session = client.connect(connect_request() + b"extra bytes")
            assert session.session_id != 0
        except Closed:
            pass
        client.close()

    @pytest.mark.parametrize("length", [-2, 17, INT_MAX, INT_MIN])
    def test_with_a_password_longer_than_the_frame(self, server, length):
        request = int_(0) + long_(0) + int_(1000) + long_(0) + int_(length) + bytes(16)
        assert is_ended(server, int_(len(request)) + request)

    def test_with_a_huge_password(self, server):
        request = connect_request(session_id=7, password=b"x" * 900_000)
        assert is_ended(server, int_(len(request)) + request)

    @pytest.mark.parametrize("data", [b"", b"\0", b"\0" * 20])
    def test_with_a_body_too_short(self, server, data):
        assert is_ended(server, int_(len(data)) + data)

    @pytest.mark.parametrize(
        "data",
        [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"POST /commands HTTP/1.1\r\n\r\n",
            bytes.fromhex("16030100a5010000a10303") + bytes(32),
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x00\x00\x00",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ],
    )
    def test_in_another_protocol(self, server, data):
        client = unconnected(server)
        try:
            client.send_bytes(data)
            client.sock.shutdown(socket.SHUT_WR)
            assert client.is_closed()
        except OSError:
            pass  # the server was quicker to close
        client.abandon()

    def test_a_second_time_on_the_same_connection(self, victim):
        victim.send_frame(connect_request())
        assert victim.is_closed()

    def test_a_four_letter_word_inside_a_session(self, victim):
        victim.send_bytes(b"ruok")
        assert victim.is_closed()


class TestOperations:
    def test_the_session_operations_of_the_server_itself(self, connect, root):
        for op, body in ((Op.CREATE_SESSION, b""), (Op.ERROR, int_(-101)), (Op.NOTIFICATION, b"")):
            refuses(connect(), op, body)

    def test_closing_with_a_body(self, victim):
        assert victim.call(Op.CLOSE_SESSION, b"some body").ok
        assert victim.is_closed()

    def test_deleting_a_plain_node_as_a_container(self, victim, raw, root):
        raw.create(f"{root}/full")
        raw.create(f"{root}/full/child")
        refuses(victim, Op.DELETE_CONTAINER, string(f"{root}/full"))
        assert raw.exists(f"{root}/full").ok

    @pytest.mark.parametrize("xid", [-1, -2, -4, -8])
    def test_reserved_xids(self, connect, root, xid):
        client = connect()
        client.send(Op.CREATE, create_body(f"{root}/x{xid}", b"", OPEN, 0), xid=xid)
        try:
            client.read_frame()
        except Closed:
            pass

    def test_every_opcode_with_an_empty_body(self, server):
        for op in range(-20, 130):
            client = RawClient(server.address)
            try:
                client.send(op)
                client.read_frame()
            except (Closed, OSError):
                pass
            client.abandon()

    def test_a_sasl_token_without_sasl(self, connect):
        for token in (b"", b"token", None):
            client = connect()
            try:
                client.send(Op.SASL, buffer(token))
                client.read_frame()
            except (Closed, OSError):
                pass


class TestMulti:
    def test_nested_a_thousand_times(self, victim):
        body = multi_body([])
        for _ in range(1000):
            body = multi_body([(Op.MULTI, body)])
        refuses(victim, Op.MULTI, body)

    def test_without_an_end(self, victim, raw, root):
        refuses(victim, Op.MULTI, (int_(Op.CREATE) + bool_(False) + int_(-1) + create_body(f"{root}/n", b"", OPEN, 0)) * 3)
        assert raw.exists(f"{root}/n").err == Err.NO_NODE

    def test_of_empty_headers_without_end(self, victim):
        refuses(victim, Op.MULTI, (int_(-1) + bool_(False) + int_(-1)) * 50_000)

    def test_of_fifty_thousand_deletes(self, victim):
        op = int_(Op.DELETE) + bool_(False) + int_(-1) + string("/x") + int_(-1)
        try:
            victim.send(Op.MULTI, op * 50_000 + int_(-1) + bool_(True) + int_(-1))
            victim.read_frame()
        except Closed:
            pass

    def test_reads_among_writes(self, victim, raw, root):
        write = (Op.CREATE, create_body(f"{root}/n", b"", OPEN, 0))
        read = (Op.GET_DATA, string("/") + bool_(False))
        refuses(victim, Op.MULTI, multi_body([write, read]))
        assert raw.exists(f"{root}/n").err == Err.NO_NODE


class TestPaths:
    def test_as_long_as_a_frame(self, victim, raw, root):
        path = f"{root}/" + "x" * 900_000
        try:
            reply = victim.create(path)
        except Closed:
            return
        if reply.ok:
            assert raw.delete(path).ok

    def test_of_thirty_thousand_components(self, victim, root):
        assert refuses(victim, Op.CREATE, create_body(root + "/a" * 30_000, b"", OPEN, 0)) in (None, Err.NO_NODE, Err.BAD_ARGUMENTS)

    @pytest.mark.parametrize("path", ["/\0", "/a\0b", "\0", "/healthy\0"])
    def test_with_a_nul_in_every_operation(self, connect, root, path):
        for op, body in (
            (Op.CREATE, create_body(root + path, b"", OPEN, 0)),
            (Op.DELETE, string(root + path) + int_(-1)),
            (Op.SET_DATA, string(root + path) + buffer(b"") + int_(-1)),
            (Op.SET_ACL, string(root + path) + vector([]) + int_(-1)),
            (Op.EXISTS, string(root + path) + bool_(True)),
            (Op.GET_DATA, string(root + path) + bool_(True)),
            (Op.GET_CHILDREN, string(root + path) + bool_(True)),
        ):
            assert refuses(connect(), op, body) in (None, Err.BAD_ARGUMENTS, Err.NO_NODE, Err.INVALID_ACL)

    @pytest.mark.parametrize("path", ["", "/", "//", "a", "/a/"])
    def test_odd_ones_in_watch_operations(self, connect, path):
        client = connect()
        for send in (lambda: client.add_watch(path, 0), lambda: client.check_watches(path, 3), lambda: client.set_watches(0, [path], [path], [path])):
            try:
                send()
            except (Closed, OSError):
                client = connect()


class TestVersionsAndFlags:
    @pytest.mark.parametrize("flags", [7, 8, -1, INT_MAX, INT_MIN, 0x80000001 - 2**32])
    def test_unknown_create_modes(self, victim, raw, root, flags):
        for op in (Op.CREATE, Op.CREATE2, Op.CREATE_CONTAINER):
            assert refuses(victim, op, create_body(f"{root}/n", b"", OPEN, flags)) == Err.BAD_ARGUMENTS
        assert raw.exists(f"{root}/n").err == Err.NO_NODE

    def test_a_container_flag_with_ephemeral_parent(self, victim, root):
        victim.create(f"{root}/e", flags=Flag.EPHEMERAL)
        assert victim.create_container(f"{root}/e/c").err == Err.NO_CHILDREN_FOR_EPHEMERALS

    @pytest.mark.parametrize("version", [-2, INT_MIN, INT_MAX])
    def test_odd_versions(self, victim, raw, root, version):
        assert victim.set(f"{root}/healthy", b"no", version).err == Err.BAD_VERSION
        assert victim.delete(f"{root}/healthy", version).err == Err.BAD_VERSION
        assert victim.set_acl(f"{root}/healthy", OPEN, version).err == Err.BAD_VERSION


class TestWatchFloods:
    def test_the_same_path_a_hundred_thousand_times(self, victim):
        assert victim.set_watches(2**62, data=["/"] * 100_000).ok

    def test_forty_thousand_paths(self, victim, raw, root):
        assert victim.set_watches(2**62, exist=[f"{root}/{index}" for index in range(40_000)]).ok
        raw.create(f"{root}/39999")
        assert [event.path for event in victim.take_events()] == [f"{root}/39999"]


class TestNoise:
    def test_random_frames(self, server):
        dice = random.Random(20240517)
        for _ in range(300):
            client = RawClient(server.address)
            body = int_(1) + int_(dice.choice(list(Op))) + dice.randbytes(dice.randrange(0, 60))
            try:
                client.send_frame(body)
                client.sock.settimeout(2)
                client.read_frame()
            except (Closed, OSError):
                pass
            client.abandon()

    def test_flipped_bits_in_a_real_request(self, server, root):
        dice = random.Random(7)
        body = int_(1) + int_(Op.CREATE) + create_body(f"{root}/flip", b"abc", OPEN, 0)
        for _ in range(300):
            flipped = bytearray(body)
            flipped[dice.randrange(4, len(body))] ^= 1 << dice.randrange(8)
            client = RawClient(server.address)
            try:
                client.send_frame(bytes(flipped))
                client.sock.settimeout(2)
                client.read_frame()
            except (Closed, OSError):
                pass
            client.abandon()

    def test_random_bytes_before_any_session(self, server):
        dice = random.Random(99)
        for _ in range(200):
            client = unconnected(server)
            body = dice.randbytes(dice.randrange(1, 80))
            try:
                client.send_bytes(struct.pack(">i", len(body)) + body)
            except OSError:
                pass
            client.abandon()

"""The wire itself: reply zxids, order of replies, operations that are refused, reserved xids, splitting of frames."""

import pytest
from jute import Reader, int_, string
from protocol import XID_PING, Err, Flag, Op
from rawclient import OPEN, Closed, RawClient, Sub, create_body, multi_body


CHECK = pytest.param(Op.CHECK, marks=pytest.mark.since(3, 9, because="it carries out a check outside of multi"))


class TestReplyZxid:
    def test_of_each_write_is_one_more_than_of_the_last(self, raw, root):
        zxids = [
            raw.create(f"{root}/n").zxid,
            raw.create2(f"{root}/s-", flags=Flag.PERSISTENT_SEQUENTIAL).zxid,
            raw.set(f"{root}/n", b"x").zxid,
            raw.set_acl(f"{root}/n", OPEN).zxid,
            raw.multi(Sub.create(f"{root}/a"), Sub.create(f"{root}/b"), Sub.delete(f"{root}/a")).zxid,
            raw.delete(f"{root}/n").zxid,
        ]
        assert zxids == list(range(zxids[0], zxids[0] + 6))

    def test_of_a_refused_write_is_its_own_too(self, raw, root):
        zxid = raw.create(f"{root}/n").zxid
        refused = [
            raw.create(f"{root}/n"),
            raw.set(f"{root}/n", b"", 5),
            raw.delete(f"{root}/missing"),
            raw.delete(root),
            raw.multi(Sub.create(f"{root}/x"), Sub.check(f"{root}/n", 9)),
        ]
        assert [reply.zxid for reply in refused] == list(range(zxid + 1, zxid + 6))

    def test_of_a_read_is_of_the_last_write_of_anyone(self, raw, connect, root):
        other = connect()
        zxid = other.set(root, b"x").zxid
        reads = [
            raw.get(root),
            raw.exists(root),
            raw.exists(f"{root}/missing"),
            raw.get(f"{root}/missing"),
            raw.children(root),
            raw.children2(root),
            raw.get_acl(root),
            raw.all_children_number(root),
            raw.ephemerals("/"),
            raw.multi_read(Sub.get(root)),
            raw.who_am_i(),
            raw.sync(root),
            raw.ping(),
        ]
        assert [reply.zxid for reply in reads] == [zxid] * len(reads)

    def test_of_watch_operations_is_of_the_last_write(self, raw, root):
        zxid = raw.set(root, b"x").zxid
        assert raw.add_watch(root, 0).zxid == zxid
        assert raw.set_watches(0).zxid == zxid
        assert raw.check_watches(root, 3).zxid == zxid
        assert raw.remove_watches(root, 3).zxid == zxid

    def test_of_auth_is_zero(self, raw):
        assert raw.auth("digest", b"user:password").zxid == 0

    def test_of_closing_is_its_own(self, raw, connect, root):
        other = connect()
        zxid = raw.set(root, b"x").zxid
        reply = other.call(Op.CLOSE_SESSION)
        assert (reply.ok, reply.zxid) == (True, zxid + 1)
        assert other.is_closed()

    def test_and_session_each_use_one(self, raw, connect, root):
        zxid = raw.set(root, b"x").zxid
        connect().close()
        assert raw.set(root, b"x").zxid == zxid + 3


class TestReplyBodies:
    """Of the operations whose answer is empty or odd."""

    def test_delete_has_none(self, raw, root):
        assert raw.call(Op.DELETE, string(root) + int_(-1)).body == b""

    def test_add_watch_has_an_error_code(self, raw, root):
        assert raw.call(Op.ADD_WATCH, string(root) + int_(0)).body == int_(0)

    def test_watch_bookkeeping_has_none(self, raw, root):
        raw.add_watch(root, 0)
        assert raw.set_watches(0).body == b""
        assert raw.set_watches2(0).body == b""
        assert raw.check_watches(root, 3).body == b""
        assert raw.remove_watches(root, 3).body == b""

    def test_ping_auth_and_close_have_none(self, raw, connect):
        assert raw.ping().body == b""
        assert raw.auth("digest", b"a:b").body == b""
        assert connect().call(Op.CLOSE_SESSION).body == b""

    def test_errors_have_none(self, raw, root):
        for op in (Op.GET_DATA, Op.EXISTS, Op.GET_CHILDREN, Op.GET_CHILDREN2):
            reply = raw.call(op, string(f"{root}/missing") + b"\0")
            assert (reply.err, reply.body) == (Err.NO_NODE, b"")


class TestOrder:
    def test_replies_come_in_the_order_of_requests(self, raw, root):
        xids = []
        for index in range(300):
            if index % 3 == 0:
                xids.append(raw.send(Op.CREATE, create_body(f"{root}/{index}", b"", OPEN, 0)))
            elif index % 3 == 1:
                xids.append(raw.send(Op.GET_CHILDREN2, string(root) + b"\0"))
            else:
                xids.append(raw.send(Op.SYNC, string(root)))
        assert [raw.read_reply().xid for _ in xids] == xids

    def test_a_pipelined_read_sees_the_writes_before_it(self, raw, root):
        expected = []
        for index in range(100):
            raw.send(Op.SET_DATA, string(root) + string(str(index)) + int_(-1))
            raw.send(Op.GET_DATA, string(root) + b"\0")
            expected.append(str(index).encode())
        seen = []
        for _ in expected:
            raw.read_reply()
            seen.append(Reader(raw.read_reply().body).buffer())
        assert seen == expected

    def test_zxids_never_go_back(self, raw, connect, root):
        writer = connect()
        for index in range(100):
            writer.send(Op.SET_DATA, string(root) + string("x") + int_(-1))
            raw.send(Op.EXISTS, string(root) + b"\0")
        zxids = [raw.read_reply().zxid for _ in range(100)]
        assert zxids == sorted(zxids)
        for _ in range(100):
            writer.read_reply()

    def test_a_pipelined_refused_write_stops_nothing(self, raw, root):
        first = raw.send(Op.CREATE, create_body(f"{root}/a", b"", OPEN, 0))
        second = raw.send(Op.CREATE, create_body(f"{root}/a", b"", OPEN, 0))
        third = raw.send(Op.CREATE, create_body(f"{root}/b", b"", OPEN, 0))
        replies = [raw.read_reply(xid) for xid in (first, second, third)]
        assert [reply.err for reply in replies] == [0, Err.NODE_EXISTS, 0]
        assert replies[2].zxid == replies[0].zxid + 2

    def test_a_write_of_one_client_is_seen_by_another_after_its_reply(self, raw, connect, root):
        other = connect()
        for index in range(50):
            raw.set(root, str(index).encode())
            assert other.get(root).value[0] == str(index).encode()


class TestXids:
    @pytest.mark.parametrize("xid", [0, 5, 2**31 - 1, -100, -(2**31)])
    def test_are_echoed_whatever_they_are(self, raw, root, xid):
        assert raw.call(Op.EXISTS, string(root) + b"\0", xid=xid).xid == xid

    def test_may_repeat_and_go_down(self, raw, root):
        for xid in (9, 9, 3):
            assert raw.call(Op.SET_DATA, string(root) + string("x") + int_(-1), xid=xid).xid == xid

    def test_a_ping_is_answered_with_the_ping_xid(self, raw):
        raw.send(Op.PING, xid=77)
        assert raw.read_reply().xid == XID_PING


class TestOperationsRefused:
    @pytest.mark.parametrize("op", [0, 10, CHECK, 23, 50, 99, 108, 500, 501, 507, 1000, -1, -2, -12, 2**31 - 1, -(2**31)])
    def test_unknown_ones_are_unimplemented_and_end_the_connection(self, connect, op):
        client = connect()
        reply = client.call(op)
        assert (reply.err, reply.body) == (Err.UNIMPLEMENTED, b"")
        assert client.is_closed()

    def test_the_session_outlives_an_unknown_operation(self, connect, root):
        client = connect()
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        client.call(99)
        again = connect(session_id=client.session.session_id, password=client.session.password)
        assert again.session.session_id == client.session.session_id
        assert again.exists(f"{root}/e").ok

    def test_requests_before_an_unknown_one_are_carried_out(self, connect, raw, root):
        client = connect()
        client.send(Op.CREATE, create_body(f"{root}/before", b"", OPEN, 0))
        client.read_reply()
        client.call(12345)
        assert raw.exists(f"{root}/before").ok

    def test_reconfig_is_disabled(self, raw):
        body = string("") + string("1") + string(None) + b"\xff" * 8
        assert raw.call(Op.RECONFIG, body).err == Err.RECONFIG_DISABLED
        assert raw.ping().ok

    @pytest.mark.parametrize("op", [Op.CREATE, Op.CREATE2, Op.DELETE, Op.EXISTS, Op.GET_DATA, Op.SET_DATA, Op.GET_ACL, Op.SET_ACL, Op.GET_CHILDREN, Op.SYNC, Op.GET_CHILDREN2, Op.MULTI, Op.CREATE_CONTAINER, Op.CREATE_TTL, Op.MULTI_READ, Op.CHECK_WATCHES, Op.REMOVE_WATCHES, Op.GET_ALL_CHILDREN_NUMBER, Op.GET_EPHEMERALS, Op.ADD_WATCH, Op.SET_WATCHES, Op.SET_WATCHES2])  # fmt: skip
    def test_a_body_that_ends_too_early_is_an_error_or_the_end(self, connect, raw, root, op):
        client = connect()
        try:
            assert client.call(op, b"\0\0").err < 0
        except Closed:
            pass
        assert raw.exists(root).ok


class TestFrames:
    def test_may_come_byte_by_byte(self, raw, root):
        body = int_(1) + int_(Op.EXISTS) + string(root) + b"\0"
        for byte in int_(len(body)) + body:
            raw.send_bytes(bytes([byte]))
        assert raw.read_reply(1).ok

    def test_may_come_many_at_once(self, raw, root):
        body = int_(5) + int_(Op.EXISTS) + string(root) + b"\0"
        raw.send_bytes((int_(len(body)) + body) * 500)
        assert {raw.read_reply(5).err for _ in range(500)} == {0}

    def test_connect_may_come_byte_by_byte_and_with_a_request(self, server, root):
        from rawclient import connect_request

        client = RawClient(server.address, connect=False)
        request = connect_request()
        for byte in int_(len(request)) + request[:20]:
            client.send_bytes(bytes([byte]))
        client.send_bytes(request[20:])
        reader = Reader(client.read_frame())
        assert (reader.int(), reader.int() > 0, reader.long() != 0) == (0, True, True)
        client.send(Op.CLOSE_SESSION)
        assert client.read_reply().ok
        client.abandon()

    def test_up_to_the_limit_are_served(self, raw, root):
        overhead = len(create_body(f"{root}/big", b"", OPEN, 0)) + 8
        data = b"x" * (0xFFFFF - overhead)
        assert raw.create(f"{root}/big", data).ok
        assert raw.get(f"{root}/big").value[0] == data

    def test_over_the_limit_end_the_connection(self, connect, raw, root):
        client = connect()
        overhead = len(create_body(f"{root}/big", b"", OPEN, 0)) + 8
        try:
            client.create(f"{root}/big", b"x" * (0xFFFFF + 1025 - overhead))
            raise AssertionError("a frame over jute.maxbuffer was answered")
        except (Closed, ConnectionError):
            pass
        assert raw.exists(f"{root}/big").err == Err.NO_NODE

    def test_an_empty_multi_answers_an_empty_list(self, raw):
        assert raw.call(Op.MULTI, multi_body([])).body == int_(-1) + b"\1" + int_(-1)

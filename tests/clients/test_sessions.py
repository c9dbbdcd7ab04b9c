"""Sessions: how they begin, move from connection to connection, end by closing, end by silence."""

import time

import pytest
from jute import int_, string
from kazoo.client import KazooState
from protocol import Err, Flag, Op
from rawclient import NO_PASSWORD, OPEN, Closed, RawClient, connect_request, create_body

TICK = 0.2


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def reattach(connect, client, **options):
    return connect(session_id=client.session.session_id, password=client.session.password, **options)


def refused(server, **request) -> tuple:
    """The answer to a connect that is refused politely: timeout, session id, password; then the end."""
    client = RawClient(server.address, **request)
    assert client.is_closed()
    client.abandon()
    return client.session.timeout, client.session.session_id, client.session.password


class TestBeginning:
    def test_gives_an_id_and_a_password(self, connect):
        first, second = connect().session, connect().session
        assert first.protocol == 0
        assert 0 not in (first.session_id, second.session_id)
        assert first.session_id != second.session_id
        assert len(first.password) == 16
        assert first.password not in (NO_PASSWORD, second.password)
        assert first.read_only is False

    def test_without_the_read_only_byte_is_answered_without_it(self, connect):
        assert connect(read_only=None).session.read_only is None

    def test_of_a_client_that_would_read_only_is_answered_by_a_full_server(self, connect, root):
        client = connect(read_only=True)
        assert client.session.read_only is False
        assert client.create(f"{root}/n").ok

    @pytest.mark.parametrize("protocol", [0, 1, -1, 2**31 - 1])
    def test_ignores_the_protocol_version(self, server, protocol):
        client = RawClient(server.address, connect=False)
        assert client.connect(connect_request(protocol=protocol)).protocol == 0
        assert client.session.session_id != 0
        client.close()

    @pytest.mark.parametrize("password", [None, b"", b"x", bytes(16), bytes(100)])
    def test_of_a_new_session_ignores_the_password(self, connect, password):
        assert len(connect(password=password).session.password) == 16

    @pytest.mark.parametrize("asked, granted", [(1, 400), (0, 400), (-5, 400), (400, 400), (1234, 1234), (4000, 4000), (60_000, 4000), (2**31 - 1, 4000)])
    def test_negotiates_the_timeout_between_2_and_20_ticks(self, connect, asked, granted):
        assert connect(timeout=asked).session.timeout == granted

    def test_negotiates_between_the_configured_limits(self, start_server, connect):
        server = start_server(minSessionTimeout=1000, maxSessionTimeout=2000)
        assert [connect(to=server, timeout=asked).session.timeout for asked in (1, 1500, 9999)] == [1000, 1500, 2000]

    @pytest.mark.parametrize("zxid", [0, -1, -(2**63)])
    def test_with_a_zxid_of_the_past_is_served(self, connect, zxid):
        assert connect(last_zxid=zxid).session.session_id != 0

    @pytest.mark.parametrize("ahead", [1, 1000, None])
    def test_with_a_zxid_of_the_future_is_closed_without_an_answer(self, server, raw, root, ahead):
        zxid = 2**63 - 1 if ahead is None else raw.set(root).zxid + ahead
        with pytest.raises(Closed):
            RawClient(server.address, last_zxid=zxid)
        assert raw.ping().ok

    def test_with_the_latest_zxid_is_served(self, connect, raw, root):
        assert connect(last_zxid=raw.set(root).zxid).session.session_id != 0


class TestReattaching:
    def test_keeps_id_password_and_ephemerals(self, connect, root):
        client = connect()
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        client.abandon()
        again = reattach(connect, client)
        assert again.session.session_id == client.session.session_id
        assert again.session.password == client.session.password
        assert again.stat(f"{root}/e").ephemeralOwner == client.session.session_id

    def test_closes_the_connection_it_leaves(self, connect, root):
        client = connect()
        again = reattach(connect, client)
        assert client.is_closed()
        assert again.exists(root).ok

    def test_may_change_the_timeout(self, connect):
        client = connect(timeout=1000)
        assert reattach(connect, client, timeout=3000).session.timeout == 3000

    def test_may_happen_many_times(self, connect, root):
        client = connect()
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        for _ in range(20):
            client = reattach(connect, client)
        assert client.exists(f"{root}/e").ok

    def test_leaves_watches_behind(self, connect, raw, root):
        client = connect()
        client.get(root, watch=True)
        again = reattach(connect, client)
        raw.set(root, b"x")
        assert again.take_events() == []

    @pytest.mark.parametrize("password", [NO_PASSWORD, b"x" * 16, b"", None, b"x"])
    def test_with_a_wrong_password_is_refused(self, server, connect, root, password):
        client = connect()
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        assert refused(server, session_id=client.session.session_id, password=password) == (0, 0, NO_PASSWORD)
        again = reattach(connect, client)
        assert again.exists(f"{root}/e").ok

    @pytest.mark.parametrize("session_id", [1, -1, 2**63 - 1, -(2**63), 0x1234567890])
    def test_to_an_unknown_session_is_refused(self, server, session_id):
        assert refused(server, session_id=session_id, password=bytes(16)) == (0, 0, NO_PASSWORD)

    def test_to_a_closed_session_is_refused(self, server, connect):
        client = connect()
        client.close()
        gone = client.session
        assert refused(server, session_id=gone.session_id, password=gone.password) == (0, 0, NO_PASSWORD)

    def test_without_the_read_only_byte_is_refused_without_it(self, server):
        client = RawClient(server.address, session_id=5, read_only=None)
        assert (client.session.session_id, client.session.read_only) == (0, None)
        client.abandon()

    def test_a_pipelined_write_of_the_old_connection_happens_at_most_once(self, connect, root):
        client = connect()
        for _ in range(200):
            client.send(Op.CREATE, create_body(f"{root}/n-", b"", OPEN, Flag.PERSISTENT_SEQUENTIAL))
        again = reattach(connect, client)
        answered = 0
        try:
            while answered < 200 and client.read_reply().ok:
                answered += 1
        except (Closed, OSError):
            pass
        names = again.children(root).value
        assert answered <= len(names) <= 200
        assert names == [f"n-{index:010d}" for index in range(len(names))]


class TestClosing:
    def test_takes_ephemerals_at_once(self, connect, raw, root):
        client = connect()
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        client.close()
        assert raw.exists(f"{root}/e").err == Err.NO_NODE

    def test_ends_what_comes_after_it(self, connect, raw, root):
        client = connect()
        client.send(Op.CREATE, create_body(f"{root}/before", b"", OPEN, 0))
        client.send(Op.CLOSE_SESSION)
        try:
            client.send(Op.CREATE, create_body(f"{root}/after", b"", OPEN, 0))
            client.send(Op.CREATE, create_body(f"{root}/ephemeral", b"", OPEN, 1))
        except OSError:
            pass
        assert client.is_closed()
        assert raw.children(root).value == ["before"]

    def test_a_lost_connection_is_not_closing(self, connect, raw, root):
        client = connect()
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        client.abandon()
        time.sleep(0.5)
        assert raw.exists(f"{root}/e").ok

    def test_answers_everything_before_it(self, connect, root):
        client = connect()
        xids = [client.send(Op.EXISTS, string(root) + b"\0") for _ in range(100)]
        xids.append(client.send(Op.CLOSE_SESSION))
        assert [client.read_reply().xid for _ in xids] == xids


class TestExpiry:
    def test_of_a_lost_connection_takes_ephemerals_after_the_timeout_not_before(self, connect, raw, root):
        client = connect(timeout=1000)
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        begin = time.monotonic()
        client.abandon()
        wait_for(lambda: raw.exists(f"{root}/e").err == Err.NO_NODE)
        lasted = time.monotonic() - begin
        assert 1.0 - 0.05 <= lasted <= 1.0 + 3 * TICK + 1

    def test_of_a_silent_client_ends_its_connection(self, connect):
        client = connect(timeout=400)
        assert client.is_closed(5)

    def test_is_put_off_by_pings(self, connect, raw, root):
        client = connect(timeout=600)
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        for _ in range(10):
            time.sleep(0.2)
            assert client.ping().ok
            assert raw.exists(f"{root}/e").ok

    def test_is_put_off_by_reads(self, connect, root):
        client = connect(timeout=600)
        for _ in range(10):
            time.sleep(0.2)
            assert client.exists(root).ok

    def test_cannot_be_undone(self, server, connect, raw, root):
        client = connect(timeout=400)
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        client.abandon()
        wait_for(lambda: raw.exists(f"{root}/e").err == Err.NO_NODE)
        gone = client.session
        assert refused(server, session_id=gone.session_id, password=gone.password) == (0, 0, NO_PASSWORD)

    def test_fires_watches(self, connect, raw, root):
        client = connect(timeout=400)
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        raw.exists(f"{root}/e", watch=True)
        client.abandon()
        event = raw.read_event()
        assert (event.type, event.path) == (2, f"{root}/e")

    def test_takes_all_ephemerals_in_one_zxid(self, connect, raw, root):
        client = connect(timeout=400)
        for name in ("a", "b", "c"):
            client.create(f"{root}/{name}", flags=Flag.EPHEMERAL)
            raw.exists(f"{root}/{name}", watch=True)
        client.abandon()
        zxids = {raw.read_event().zxid for _ in range(3)}
        assert len(zxids) == 1
        assert raw.children(root).value == []

    def test_counts_anew_from_reattaching(self, connect, raw, root):
        client = connect(timeout=1000)
        client.create(f"{root}/e", flags=Flag.EPHEMERAL)
        client.abandon()
        time.sleep(0.6)
        again = reattach(connect, client, timeout=1000)
        time.sleep(0.6)
        assert again.exists(f"{root}/e").ok


class TestLimits:
    def test_of_connections_per_address(self, start_server, connect):
        server = start_server(maxClientCnxns=3)
        clients = [connect(to=server) for _ in range(3)]
        with pytest.raises((Closed, OSError)):
            RawClient(server.address)
        clients[0].close()
        wait_for(lambda: can_connect(server))
        assert all(client.ping().ok for client in clients[1:])


def can_connect(server) -> bool:
    try:
        RawClient(server.address).close()
        return True
    except (Closed, OSError):
        return False


class TestRestart:
    """The server is killed and started again; sessions, ephemerals and data are as they were."""

    def test_a_session_goes_on(self, start_server, connect):
        server = start_server()
        client = connect(to=server, timeout=4000)
        client.create("/e", b"x", flags=Flag.EPHEMERAL)
        stat = client.stat("/e")
        server.restart()
        again = reattach(connect, client, to=server, last_zxid=stat.czxid)
        assert again.session.session_id == client.session.session_id
        assert again.session.password == client.session.password
        assert again.get("/e").value == (b"x", stat)
        assert again.ephemerals("/").value == ["/e"]
        again.close()
        assert connect(to=server).exists("/e").err == Err.NO_NODE

    def test_a_session_that_does_not_come_back_expires(self, start_server, connect):
        server = start_server()
        client = connect(to=server, timeout=1000)
        client.create("/e", flags=Flag.EPHEMERAL)
        client.abandon()
        server.restart()
        watcher = connect(to=server)
        assert watcher.exists("/e").ok
        wait_for(lambda: watcher.exists("/e").err == Err.NO_NODE)

    def test_a_closed_session_stays_closed(self, start_server, connect):
        server = start_server()
        client = connect(to=server)
        client.create("/e", flags=Flag.EPHEMERAL)
        client.close()
        server.restart()
        gone = client.session
        assert refused(server, session_id=gone.session_id, password=gone.password) == (0, 0, NO_PASSWORD)
        assert connect(to=server).exists("/e").err == Err.NO_NODE

    def test_watches_are_set_again_and_tell_what_was_missed(self, start_server, connect):
        server = start_server()
        client, other = connect(to=server), connect(to=server)
        for path in ("/changed", "/same"):
            client.create(path)
        seen = client.get("/same", watch=True).zxid
        client.get("/changed", watch=True)
        client.abandon()
        other.set("/changed", b"x")
        server.restart()
        again = reattach(connect, client, to=server, last_zxid=seen)
        again.set_watches(seen, data=["/changed", "/same"])
        assert [(event.type, event.path) for event in again.take_events()] == [(3, "/changed")]
        again.set("/same", b"x")
        assert [(event.type, event.path) for event in again.take_events()] == [(3, "/same")]

    def test_zxids_go_on(self, start_server, connect):
        server = start_server()
        before = connect(to=server).create("/a").zxid
        server.restart()
        client = connect(to=server, last_zxid=before)
        assert client.create("/b").zxid > before
        assert client.stat("/a").czxid == before

    def test_a_graceful_stop_keeps_everything_too(self, start_server, connect):
        server = start_server()
        client = connect(to=server, timeout=4000)
        client.create("/e", b"x", flags=Flag.EPHEMERAL)
        server.stop()
        server.start()
        assert reattach(connect, client, to=server).get("/e").value[0] == b"x"

    def test_session_ids_are_not_given_twice(self, start_server, connect):
        server = start_server()
        ids = {connect(to=server).session.session_id for _ in range(5)}
        server.restart()
        ids |= {connect(to=server).session.session_id for _ in range(5)}
        assert len(ids) == 10


class TestKazoo:
    def test_goes_on_after_a_lost_connection(self, start_kazoo, raw, root):
        client = start_kazoo()
        states = []
        client.add_listener(states.append)
        client.create(f"{root}/e", ephemeral=True)
        session = client.client_id
        client._connection._socket.shutdown(2)
        wait_for(lambda: KazooState.CONNECTED in states)
        assert client.client_id == session
        assert client.retry(client.exists, f"{root}/e").ephemeralOwner == session[0]
        assert states[:2] == [KazooState.SUSPENDED, KazooState.CONNECTED]

    def test_learns_that_its_session_expired(self, start_kazoo, connect, root):
        client = start_kazoo()
        states = []
        client.add_listener(states.append)
        client.create(f"{root}/e", ephemeral=True)
        session, password = client.client_id
        thief = connect(session_id=session, password=password)
        thief.close()
        wait_for(lambda: KazooState.LOST in states and client.connected)
        assert client.client_id[0] != session
        assert client.exists(f"{root}/e") is None

    def test_takes_up_a_session_by_id_and_password(self, start_kazoo, connect, root):
        first = connect()
        first.create(f"{root}/e", flags=Flag.EPHEMERAL)
        client = start_kazoo(client_id=(first.session.session_id, first.session.password))
        assert client.client_id[0] == first.session.session_id
        assert client.exists(f"{root}/e").ephemeralOwner == first.session.session_id

    def test_stopping_takes_ephemerals(self, start_kazoo, raw, root):
        client = start_kazoo()
        client.create(f"{root}/e", ephemeral=True)
        client.stop()
        assert raw.exists(f"{root}/e").err == Err.NO_NODE

    def test_goes_on_after_a_restart_of_the_server(self, start_server, start_kazoo):
        server = start_server()
        client = start_kazoo(to=server)
        events = []
        client.create("/e", b"x", ephemeral=True)
        client.create("/watched")
        client.DataWatch("/watched", lambda data, stat: events.append(data))
        session = client.client_id
        server.restart()
        assert client.retry(client.get, "/e")[0] == b"x"
        assert client.client_id == session
        client.retry(client.set, "/watched", b"new")
        wait_for(lambda: b"new" in events)


def test_a_frame_that_is_no_connect_ends_the_connection(server, raw):
    client = RawClient(server.address, connect=False)
    client.send_frame(int_(1) + int_(Op.EXISTS) + string("/") + b"\0")
    assert client.is_closed()
    assert raw.ping().ok

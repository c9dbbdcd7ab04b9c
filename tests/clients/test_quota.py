"""Quotas: what the statistics node counts, soft limits that only warn, hard limits that refuse."""

import pytest
from protocol import Err
from rawclient import Sub

CONFIG = {"enforceQuota": "true"}


def set_quota(client, path, limits):
    """As the command line tool does: make the nodes on the way, then the limits, then the statistics."""
    at = "/zookeeper/quota"
    for component in path.strip("/").split("/"):
        at += f"/{component}"
        client.create(at)
    assert client.create(f"{at}/zookeeper_limits", limits.encode()).ok
    assert client.create(f"{at}/zookeeper_stats", b"count=0,bytes=0").ok


def used(client, path) -> str:
    return client.get(f"/zookeeper/quota{path}/zookeeper_stats").value[0].decode()


class TestStatistics:
    def test_start_with_what_is_there(self, raw, root):
        raw.set(root, b"12345")
        raw.create(f"{root}/a", b"123")
        raw.create(f"{root}/a/b", None)
        set_quota(raw, root, "count=-1,bytes=-1")
        assert used(raw, root) == "count=3,bytes=8"

    def test_follow_creates_sets_and_deletes(self, raw, root):
        set_quota(raw, root, "count=100,bytes=1000")
        raw.create(f"{root}/a", b"12345")
        assert used(raw, root) == "count=2,bytes=5"
        raw.set(f"{root}/a", b"12")
        assert used(raw, root) == "count=2,bytes=2"
        raw.create(f"{root}/a/b", b"1")
        raw.delete(f"{root}/a/b")
        assert used(raw, root) == "count=2,bytes=2"
        raw.multi(Sub.create(f"{root}/c", b"123"), Sub.delete(f"{root}/a"))
        assert used(raw, root) == "count=2,bytes=3"

    def test_follow_ephemerals_of_a_closed_session(self, raw, connect, root):
        set_quota(raw, root, "count=100,bytes=1000")
        client = connect()
        client.create(f"{root}/e", b"1234", flags=1)
        assert used(raw, root) == "count=2,bytes=4"
        client.close()
        assert used(raw, root) == "count=1,bytes=0"

    def test_do_not_move_the_stat_of_their_node(self, raw, root):
        set_quota(raw, root, "count=100,bytes=1000")
        before = raw.stat(f"/zookeeper/quota{root}/zookeeper_stats")
        raw.create(f"{root}/a", b"1")
        after = raw.stat(f"/zookeeper/quota{root}/zookeeper_stats")
        assert after._replace(dataLength=0) == before._replace(dataLength=0)

    def test_survive_a_restart(self, start_server, connect):
        server = start_server()
        client = connect(to=server)
        client.create("/q")
        set_quota(client, "/q", "count=-1,bytes=-1=;countHardLimit=3")
        client.create("/q/a", b"123")
        server.restart()
        again = connect(to=server)
        assert used(again, "/q") == "count=2,bytes=3"


class TestSoftLimits:
    def test_refuse_nothing(self, raw, root):
        set_quota(raw, root, "count=1,bytes=1")
        for index in range(5):
            assert raw.create(f"{root}/{index}", b"12345").ok
        assert raw.set(f"{root}/0", b"x" * 100).ok
        assert used(raw, root) == "count=6,bytes=120"


class TestHardLimits:
    def test_of_nodes(self, raw, root):
        set_quota(raw, root, "count=-1,bytes=-1=;countHardLimit=3")
        assert raw.create(f"{root}/a").ok
        assert raw.create(f"{root}/a/b").ok
        assert raw.create(f"{root}/c").err == Err.QUOTA_EXCEEDED
        assert raw.create(f"{root}/a/b/c").err == Err.QUOTA_EXCEEDED
        assert raw.set(f"{root}/a", b"x" * 100).ok
        raw.delete(f"{root}/a/b")
        assert raw.create(f"{root}/c").ok

    def test_of_bytes(self, raw, root):
        set_quota(raw, root, "count=-1,bytes=-1=;byteHardLimit=10")
        assert raw.create(f"{root}/a", b"123456").ok
        assert raw.create(f"{root}/b", b"12345").err == Err.QUOTA_EXCEEDED
        assert raw.create(f"{root}/b", b"1234").ok
        assert raw.set(f"{root}/b", b"12345").err == Err.QUOTA_EXCEEDED
        assert raw.set(f"{root}/b", b"1").ok
        assert raw.set(f"{root}/a", b"1234567").ok

    def test_name_a_refused_operation_in_a_multi(self, raw, root):
        set_quota(raw, root, "count=-1,bytes=-1=;countHardLimit=1")
        reply = raw.multi(Sub.check(root), Sub.create(f"{root}/a"))
        assert [result[1] for result in reply.value] == [0, Err.QUOTA_EXCEEDED]

    def test_do_not_reach_outside(self, raw, root):
        raw.create(f"{root}/in")
        set_quota(raw, f"{root}/in", "count=-1,bytes=-1=;countHardLimit=1")
        assert raw.create(f"{root}/in/a").err == Err.QUOTA_EXCEEDED
        assert raw.create(f"{root}/out").ok
        assert raw.create(f"{root}/inner").ok

    def test_end_with_their_limits_node(self, raw, root):
        set_quota(raw, root, "count=-1,bytes=-1=;countHardLimit=1")
        assert raw.create(f"{root}/a").err == Err.QUOTA_EXCEEDED
        assert raw.delete(f"/zookeeper/quota{root}/zookeeper_limits").ok
        assert raw.create(f"{root}/a").ok

    def test_are_followed_when_changed(self, raw, root):
        set_quota(raw, root, "count=-1,bytes=-1=;countHardLimit=1")
        raw.set(f"/zookeeper/quota{root}/zookeeper_limits", b"count=-1,bytes=-1=;countHardLimit=2")
        assert raw.create(f"{root}/a").ok
        assert raw.create(f"{root}/b").err == Err.QUOTA_EXCEEDED

    def test_of_the_nearest_quota_count(self, raw, root):
        raw.create(f"{root}/in")
        set_quota(raw, root, "count=-1,bytes=-1=;countHardLimit=2")
        set_quota(raw, f"{root}/in", "count=-1,bytes=-1=;countHardLimit=10")
        assert raw.create(f"{root}/in/a").ok
        assert raw.create(f"{root}/b").err == Err.QUOTA_EXCEEDED


class TestUnenforced:
    @pytest.fixture
    def client(self, start_server, connect):
        return connect(to=start_server())

    def test_hard_limits_refuse_nothing_unless_enforced(self, client):
        client.create("/q")
        set_quota(client, "/q", "count=-1,bytes=-1=;countHardLimit=1")
        assert client.create("/q/a", b"12").ok
        assert used(client, "/q") == "count=2,bytes=2"

"""Creating, reading, changing and deleting znodes: all create modes, every Stat field, every refusal."""

import time

import pytest
from rawclient import OPEN, Sub
from threads import in_threads
from protocol import Err, Flag, Op


def gone_within(client, path, seconds):
    deadline = time.monotonic() + seconds
    while client.exists(path).err != Err.NO_NODE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class TestStat:
    def test_all_eleven_fields_of_a_new_node(self, raw, root):
        before = int(time.time() * 1000)
        reply = raw.create2(f"{root}/n", b"data!")
        after = int(time.time() * 1000)
        path, stat = reply.value
        assert path == f"{root}/n"
        assert before <= stat.ctime <= after
        assert stat == (reply.zxid, reply.zxid, stat.ctime, stat.ctime, 0, 0, 0, 0, 5, 0, reply.zxid)
        assert raw.stat(path) == stat

    def test_set_data_moves_mzxid_mtime_version_and_length_only(self, raw, root):
        before = raw.create2(f"{root}/n", b"old").value[1]
        time.sleep(0.005)
        reply = raw.set(f"{root}/n", b"longer")
        assert reply.value == before._replace(mzxid=reply.zxid, mtime=reply.value.mtime, version=1, dataLength=6)
        assert reply.value.mtime > before.mtime

    def test_children_move_cversion_pzxid_and_count_only(self, raw, root):
        before = raw.stat(root)
        created = raw.create(f"{root}/a")
        assert raw.stat(root) == before._replace(cversion=1, pzxid=created.zxid, numChildren=1)
        deleted = raw.delete(f"{root}/a")
        assert raw.stat(root) == before._replace(cversion=2, pzxid=deleted.zxid, numChildren=0)

    def test_cversion_is_twice_the_creates_less_the_children(self, raw, root):
        for index in range(5):
            raw.create(f"{root}/{index}")
        for index in range(3):
            raw.delete(f"{root}/{index}")
        stat = raw.stat(root)
        assert (stat.cversion, stat.numChildren) == (8, 2)

    def test_set_data_of_a_child_leaves_the_parent_alone(self, raw, root):
        raw.create(f"{root}/a")
        before = raw.stat(root)
        raw.set(f"{root}/a", b"x")
        raw.create(f"{root}/a/grandchild")
        assert raw.stat(root) == before

    def test_set_acl_moves_aversion_only(self, raw, root):
        before = raw.stat(root)
        reply = raw.set_acl(root, OPEN)
        assert reply.value == before._replace(aversion=1)
        assert raw.stat(root) == before._replace(aversion=1)

    def test_refused_changes_leave_the_stat_alone(self, raw, root):
        raw.create(f"{root}/a", b"x")
        parent, child = raw.stat(root), raw.stat(f"{root}/a")
        assert raw.set(f"{root}/a", b"y", 7).err == Err.BAD_VERSION
        assert raw.delete(root).err == Err.NOT_EMPTY
        assert raw.create(f"{root}/a").err == Err.NODE_EXISTS
        assert raw.set_acl(f"{root}/a", OPEN, 7).err == Err.BAD_VERSION
        assert (raw.stat(root), raw.stat(f"{root}/a")) == (parent, child)

    def test_every_read_shows_the_same_stat(self, raw, root):
        raw.create(f"{root}/a")
        stat = raw.stat(root)
        assert raw.get(root).value[1] == stat
        assert raw.children2(root).value == (["a"], stat)
        assert raw.get_acl(root).value == (OPEN, stat)

    def test_kazoo_reads_the_same_numbers(self, zk, raw, root):
        zk.create(f"{root}/k", b"12345")
        zk.set(f"{root}/k", b"123")
        data, stat = zk.get(f"{root}/k")
        assert data == b"123"
        assert tuple(stat) == tuple(raw.stat(f"{root}/k"))
        assert (stat.version, stat.data_length, stat.children_count) == (1, 3, 0)


class TestData:
    @pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256)), b"x" * 1_000_000])
    def test_comes_back_as_it_was(self, raw, root, data):
        raw.create(f"{root}/n", data)
        got, stat = raw.get(f"{root}/n").value
        assert got == data
        assert stat.dataLength == len(data)

    def test_null_stays_null(self, raw, root):
        stat = raw.create2(f"{root}/n", None).value[1]
        assert stat.dataLength == 0
        assert raw.get(f"{root}/n").value == (None, stat)
        raw.set(f"{root}/n", b"")
        assert raw.get(f"{root}/n").value[0] == b""
        raw.set(f"{root}/n", None)
        assert raw.get(f"{root}/n").value[0] is None


class TestVersions:
    def test_set_data_compares(self, raw, root):
        assert raw.set(root, b"1", 0).value.version == 1
        assert raw.set(root, b"2", 0).err == Err.BAD_VERSION
        assert raw.set(root, b"2", 2).err == Err.BAD_VERSION
        assert raw.set(root, b"2", 1).value.version == 2
        assert raw.set(root, b"3", -1).value.version == 3
        assert raw.get(root).value[0] == b"3"

    @pytest.mark.parametrize("version", [-2, -(2**31), 2**31 - 1])
    def test_odd_versions_are_compared_like_others(self, raw, root, version):
        raw.create(f"{root}/n")
        assert raw.set(f"{root}/n", b"", version).err == Err.BAD_VERSION
        assert raw.delete(f"{root}/n", version).err == Err.BAD_VERSION

    def test_delete_compares(self, raw, root):
        raw.create(f"{root}/n")
        raw.set(f"{root}/n", b"1")
        assert raw.delete(f"{root}/n", 0).err == Err.BAD_VERSION
        assert raw.delete(f"{root}/n", 1).ok
        assert raw.exists(f"{root}/n").err == Err.NO_NODE

    def test_set_acl_compares_aversion(self, raw, root):
        raw.set(root, b"1")
        assert raw.set_acl(root, OPEN, 1).err == Err.BAD_VERSION
        assert raw.set_acl(root, OPEN, 0).value.aversion == 1
        assert raw.set_acl(root, OPEN, 1).value.aversion == 2

    def test_of_a_recreated_node_start_over(self, raw, root):
        raw.create(f"{root}/n")
        raw.set(f"{root}/n", b"1")
        raw.delete(f"{root}/n")
        stat = raw.create2(f"{root}/n").value[1]
        assert (stat.version, stat.cversion, stat.aversion) == (0, 0, 0)


class TestSequences:
    def test_count_from_zero_in_ten_digits(self, raw, root):
        names = [raw.create(f"{root}/n-", flags=Flag.PERSISTENT_SEQUENTIAL).value for _ in range(3)]
        assert names == [f"{root}/n-{number:010d}" for number in range(3)]

    def test_are_the_number_of_creates_under_the_parent(self, raw, root):
        raw.create(f"{root}/plain")
        raw.create(f"{root}/plain2")
        assert raw.create(f"{root}/n-", flags=Flag.PERSISTENT_SEQUENTIAL).value == f"{root}/n-0000000002"

    def test_are_not_used_again_after_deletes(self, raw, root):
        first = raw.create(f"{root}/n-", flags=Flag.PERSISTENT_SEQUENTIAL).value
        raw.delete(first)
        second = raw.create(f"{root}/n-", flags=Flag.PERSISTENT_SEQUENTIAL).value
        assert (first, second) == (f"{root}/n-0000000000", f"{root}/n-0000000001")

    def test_are_shared_by_all_names_and_kinds_under_one_parent(self, raw, root):
        names = [
            raw.create(f"{root}/a", flags=Flag.PERSISTENT_SEQUENTIAL).value,
            raw.create(f"{root}/b", flags=Flag.EPHEMERAL_SEQUENTIAL).value,
            raw.create_ttl(f"{root}/c", 60_000, flags=Flag.TTL_SEQUENTIAL).value[0],
        ]
        assert names == [f"{root}/a0000000000", f"{root}/b0000000001", f"{root}/c0000000002"]

    def test_may_be_the_whole_name(self, raw, root):
        assert raw.create(f"{root}/", flags=Flag.PERSISTENT_SEQUENTIAL).value == f"{root}/0000000000"
        assert raw.children(root).value == ["0000000000"]

    def test_are_not_used_up_by_failed_creates(self, raw, root):
        raw.create(f"{root}/n-0000000001")
        assert raw.create(f"{root}/n-", flags=Flag.PERSISTENT_SEQUENTIAL).err == Err.NODE_EXISTS
        assert raw.create(f"{root}/m-", flags=Flag.PERSISTENT_SEQUENTIAL).value == f"{root}/m-0000000001"

    def test_are_not_used_up_by_failed_multis(self, raw, root):
        failed = raw.multi(Sub.create(f"{root}/n-", flags=Flag.PERSISTENT_SEQUENTIAL), Sub.check("/missing"))
        assert failed.value == [(Op.ERROR, 0), (Op.ERROR, Err.NO_NODE)]
        assert raw.create(f"{root}/n-", flags=Flag.PERSISTENT_SEQUENTIAL).value == f"{root}/n-0000000000"

    def test_of_kazoo(self, zk, root):
        names = [zk.create(f"{root}/lock-", sequence=True, ephemeral=True) for _ in range(3)]
        assert names == [f"{root}/lock-{number:010d}" for number in range(3)]


class TestEphemerals:
    def test_carry_their_session(self, raw, root):
        stat = raw.create2(f"{root}/e", flags=Flag.EPHEMERAL).value[1]
        assert stat.ephemeralOwner == raw.session.session_id

    def test_cannot_have_children(self, raw, root):
        raw.create(f"{root}/e", flags=Flag.EPHEMERAL)
        before = raw.stat(f"{root}/e")
        assert raw.create(f"{root}/e/child").err == Err.NO_CHILDREN_FOR_EPHEMERALS
        assert raw.stat(f"{root}/e") == before

    def test_go_when_their_session_closes_in_one_zxid(self, connect, raw, root):
        owner = connect()
        for index in range(10):
            owner.create(f"{root}/{index}", flags=Flag.EPHEMERAL)
        last = raw.sync(root).zxid
        owner.close()
        children, stat = raw.children2(root).value
        assert children == []
        assert stat.pzxid == last + 1

    def test_going_with_their_session_count_in_cversion(self, connect, raw, root):
        owner = connect()
        owner.create(f"{root}/e1", flags=Flag.EPHEMERAL)
        owner.create(f"{root}/e2", flags=Flag.EPHEMERAL)
        owner.close()
        assert raw.stat(root).cversion == 4

    def test_of_others_stay(self, connect, raw, root):
        raw.create(f"{root}/mine", flags=Flag.EPHEMERAL)
        other = connect()
        other.create(f"{root}/other", flags=Flag.EPHEMERAL)
        other.close()
        assert raw.children(root).value == ["mine"]

    def test_can_be_deleted_and_created_again_by_another(self, connect, raw, root):
        other = connect()
        raw.create(f"{root}/e", flags=Flag.EPHEMERAL)
        assert other.delete(f"{root}/e").ok
        other.create(f"{root}/e", flags=Flag.EPHEMERAL)
        raw.close()
        assert other.stat(f"{root}/e").ephemeralOwner == other.session.session_id

    def test_are_listed_by_session_and_prefix(self, connect, raw, root):
        raw.create(f"{root}/a")
        for name in ("a/1", "a/2", "b1"):
            raw.create(f"{root}/{name}", flags=Flag.EPHEMERAL)
        connect().create(f"{root}/other", flags=Flag.EPHEMERAL)
        everything = [f"{root}/a/1", f"{root}/a/2", f"{root}/b1"]
        assert raw.ephemerals("/").value == everything
        assert raw.ephemerals("").value == everything
        assert raw.ephemerals(f"{root}/a").value == everything[:2]
        assert raw.ephemerals(f"{root}/missing").value == []

    def test_prefix_is_of_characters_not_of_components(self, raw, root):
        raw.create(f"{root}/abc", flags=Flag.EPHEMERAL)
        assert raw.ephemerals(f"{root}/ab").value == [f"{root}/abc"]


class TestContainers:
    def test_look_persistent_in_their_stat(self, raw, root):
        reply = raw.create_container(f"{root}/c", b"x")
        path, stat = reply.value
        assert stat == (reply.zxid, reply.zxid, stat.ctime, stat.ctime, 0, 0, 0, 0, 1, 0, reply.zxid)
        assert raw.stat(path) == stat

    @pytest.mark.parametrize("flags", [Flag.PERSISTENT, Flag.CONTAINER])
    def test_are_made_by_the_operation_not_the_flags(self, raw, root, flags):
        raw.create_container(f"{root}/c", flags=flags)
        raw.create(f"{root}/plain", flags=Flag.CONTAINER)
        for parent in ("c", "plain"):
            raw.create(f"{root}/{parent}/child")
            raw.delete(f"{root}/{parent}/child")
        assert gone_within(raw, f"{root}/c", 3)
        assert raw.exists(f"{root}/plain").ok

    def test_go_after_their_last_child(self, raw, root):
        raw.create_container(f"{root}/c")
        raw.create(f"{root}/c/child")
        raw.delete(f"{root}/c/child")
        assert gone_within(raw, f"{root}/c", 3)

    def test_stay_while_never_used(self, raw, root):
        raw.create_container(f"{root}/c")
        time.sleep(1)
        assert raw.exists(f"{root}/c").ok

    def test_stay_while_they_have_a_child(self, raw, root):
        raw.create_container(f"{root}/c")
        raw.create(f"{root}/c/a")
        raw.create(f"{root}/c/b")
        raw.delete(f"{root}/c/a")
        time.sleep(1)
        assert raw.children(f"{root}/c").value == ["b"]

    def test_going_count_as_a_delete_under_their_parent(self, raw, root):
        raw.create_container(f"{root}/c")
        raw.create(f"{root}/c/a")
        raw.delete(f"{root}/c/a")
        assert gone_within(raw, f"{root}/c", 3)
        stat = raw.stat(root)
        assert (stat.cversion, stat.numChildren) == (2, 0)

    def test_inside_a_multi(self, raw, root):
        reply = raw.multi(Sub.create(f"{root}/c", op=Op.CREATE_CONTAINER, flags=Flag.CONTAINER), Sub.create(f"{root}/c/a"))
        assert [result[0] for result in reply.value] == [Op.CREATE2, Op.CREATE]
        raw.delete(f"{root}/c/a")
        assert gone_within(raw, f"{root}/c", 3)


class TestTtl:
    @pytest.mark.parametrize("ttl", [1, 60_000, 2**40 - 1])
    def test_does_not_show_in_the_stat(self, raw, root, ttl):
        reply = raw.create_ttl(f"{root}/t", ttl, b"x")
        path, stat = reply.value
        assert path == f"{root}/t"
        assert stat == (reply.zxid, reply.zxid, stat.ctime, stat.ctime, 0, 0, 0, 0, 1, 0, reply.zxid)

    def test_ends_an_idle_node(self, raw, root):
        raw.create_ttl(f"{root}/t", 300)
        assert raw.exists(f"{root}/t").ok
        assert gone_within(raw, f"{root}/t", 4)

    def test_runs_again_from_each_change(self, raw, root):
        raw.create_ttl(f"{root}/t", 1500)
        for _ in range(5):
            time.sleep(0.5)
            assert raw.set(f"{root}/t", b"x").ok
        assert gone_within(raw, f"{root}/t", 5)

    def test_waits_for_children_to_go(self, raw, root):
        raw.create_ttl(f"{root}/t", 300)
        raw.create(f"{root}/t/child")
        time.sleep(1)
        assert raw.exists(f"{root}/t").ok
        raw.delete(f"{root}/t/child")
        assert gone_within(raw, f"{root}/t", 4)

    @pytest.mark.parametrize("ttl", [0, -1, 2**40, 2**62])
    def test_out_of_range_is_refused(self, raw, root, ttl):
        assert raw.create_ttl(f"{root}/t", ttl).err == Err.BAD_ARGUMENTS
        assert raw.exists(f"{root}/t").err == Err.NO_NODE

    @pytest.mark.parametrize("flags", [Flag.PERSISTENT, Flag.EPHEMERAL, Flag.CONTAINER])
    def test_does_not_go_with_other_create_modes(self, raw, root, flags):
        assert raw.create_ttl(f"{root}/t", 1000, flags=flags).err == Err.BAD_ARGUMENTS

    def test_needs_its_operation(self, raw, root):
        assert raw.create(f"{root}/t", flags=Flag.TTL).err == Err.BAD_ARGUMENTS

    def test_is_unknown_unless_extended_types_are_on(self, start_server, connect):
        client = connect(to=start_server(extendedTypesEnabled="false"))
        assert client.create_ttl("/t", 1000).err == Err.UNIMPLEMENTED
        assert client.create_container("/c").ok


class TestRefusals:
    def test_of_missing_nodes(self, raw, root):
        missing = f"{root}/missing"
        assert raw.get(missing).err == Err.NO_NODE
        assert raw.exists(missing).err == Err.NO_NODE
        assert raw.set(missing).err == Err.NO_NODE
        assert raw.delete(missing).err == Err.NO_NODE
        assert raw.children(missing).err == Err.NO_NODE
        assert raw.children2(missing).err == Err.NO_NODE
        assert raw.get_acl(missing).err == Err.NO_NODE
        assert raw.set_acl(missing, OPEN).err == Err.NO_NODE
        assert raw.all_children_number(missing).err == Err.NO_NODE
        assert raw.create(f"{missing}/child").err == Err.NO_NODE
        assert raw.create_container(f"{missing}/child").err == Err.NO_NODE
        assert raw.create_ttl(f"{missing}/child", 1000).err == Err.NO_NODE

    def test_sync_of_a_missing_path_is_none(self, raw, root):
        assert raw.sync(f"{root}/missing").value == f"{root}/missing"

    @pytest.mark.parametrize("path", ["", "x", "/.", "/..", "//", "//a", "/a\0b", "/a\x01", "/a\x1f", "/a\x7f", "/a\x9f", "/a\ue000", "/a\uf8ff", "/\ufff0", "/\uffff", "/\U00010000", "/\U0001f600"])  # fmt: skip
    def test_of_bad_paths_to_create(self, raw, path):
        assert raw.create(path).err == Err.BAD_ARGUMENTS

    @pytest.mark.parametrize("path", ["//", "/.", "/..", "/a/", "/a//b", "/a/./b", "/a/../b"])
    def test_of_bad_paths_below_a_node(self, raw, root, path):
        for parent in ("/a", "/a/b"):
            raw.create(root + parent)
        assert raw.create(root + path).err in (Err.BAD_ARGUMENTS, Err.NO_NODE)
        assert raw.children(root).value == ["a"]

    @pytest.mark.parametrize("path", ["x/y", "/a//b", "/a/./b", "/a/../b", "/missing/"])
    def test_look_for_the_parent_before_the_whole_path(self, raw, path):
        assert raw.create(path).err == Err.NO_NODE

    @pytest.mark.parametrize("path", ["/\u00a0", "/\u00e4\u00f6\u00fc", "/\u4e2d\u6587", "/.a", "/..a", "/a..", "/...", "/ ", "/\ud7ff", "/\uf900", "/\uffef"])
    def test_no_others_are_refused(self, raw, root, path):
        assert raw.create(root + path).value == root + path
        assert raw.children(root).value == [path[1:]]

    @pytest.mark.parametrize("path", ["", "x", "//", "/a/", "/a//b"])
    def test_of_bad_paths_to_change(self, raw, path):
        assert raw.set(path).err == Err.BAD_ARGUMENTS
        assert raw.set_acl(path, OPEN).err == Err.BAD_ARGUMENTS

    def test_of_a_trailing_slash_once_a_sequence_fills_it(self, raw, root):
        assert raw.create(f"{root}/").err == Err.BAD_ARGUMENTS
        assert raw.create(f"{root}/", flags=Flag.EPHEMERAL_SEQUENTIAL).ok

    @pytest.mark.parametrize("path", ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"])
    def test_deleting_what_the_server_needs(self, raw, path):
        assert raw.delete(path).err == Err.BAD_ARGUMENTS

    @pytest.mark.parametrize("flags", [-1, 7, 100, 2**31 - 1])
    def test_of_unknown_create_modes(self, raw, root, flags):
        assert raw.create(f"{root}/n", flags=flags).err == Err.BAD_ARGUMENTS
        assert raw.exists(f"{root}/n").err == Err.NO_NODE

    def test_creating_the_root(self, raw):
        assert raw.create("/").err == Err.NODE_EXISTS


class TestSystemNodes:
    def test_stand_from_the_start(self, start_server, connect):
        client = connect(to=start_server())
        assert client.children("/").value == ["zookeeper"]
        assert client.children("/zookeeper").value == ["config", "quota"]
        assert client.children("/zookeeper/quota").value == []

    def test_have_zero_stats(self, start_server, connect):
        client = connect(to=start_server())
        assert client.stat("/") == (0, 0, 0, 0, 0, -1, 0, 0, 0, 1, 0)
        assert client.stat("/zookeeper") == (0, 0, 0, 0, 0, -2, 0, 0, 0, 2, 0)
        assert client.stat("/zookeeper/quota") == (0,) * 11
        config = client.stat("/zookeeper/config")
        assert (config.version, config.cversion, config.aversion) == (0, 0, -1)
        assert client.get("/").value[0] == b""
        assert client.all_children_number("/").value == 3

    def test_the_first_create_under_the_root(self, start_server, connect):
        client = connect(to=start_server())
        assert client.create("/n-", flags=Flag.PERSISTENT_SEQUENTIAL).value == "/n-0000000000"
        assert client.stat("/").cversion == 0

    def test_config_is_read_only_for_everyone(self, raw):
        assert raw.get("/zookeeper/config").ok
        acl, _stat = raw.get_acl("/zookeeper/config").value
        assert [tuple(entry) for entry in acl] == [(1, "world", "anyone")]
        assert raw.set("/zookeeper/config", b"x").err == Err.NO_AUTH

    def test_everything_below_zookeeper_is_in_the_count(self, raw):
        assert raw.all_children_number("/zookeeper").value >= 2


class TestTree:
    def test_children_are_names_without_path(self, zk, root):
        for name in ("b", "a", "c"):
            zk.create(f"{root}/{name}")
        assert sorted(zk.get_children(root)) == ["a", "b", "c"]
        children, stat = zk.get_children(root, include_data=True)
        assert sorted(children) == ["a", "b", "c"]
        assert stat.children_count == 3

    def test_all_children_number_counts_every_descendant(self, raw, root):
        for path in ("a", "a/b", "a/b/c", "d"):
            raw.create(f"{root}/{path}")
        raw.create(f"{root}x")
        assert raw.all_children_number(root).value == 4
        assert raw.all_children_number(f"{root}/a").value == 2
        assert raw.all_children_number(f"{root}/d").value == 0

    def test_ten_thousand_children(self, raw, root):
        for start in range(0, 10_000, 2000):
            reply = raw.multi(*[Sub.create(f"{root}/{index:05d}") for index in range(start, start + 2000)])
            assert reply.ok
        children, stat = raw.children2(root).value
        assert children == [f"{index:05d}" for index in range(10_000)]
        assert (stat.numChildren, stat.cversion) == (10_000, 10_000)

    def test_a_deep_path(self, raw, root):
        path = root
        for _ in range(100):
            path += "/d"
            assert raw.create(path).ok
        assert raw.exists(path).ok
        assert raw.all_children_number(root).value == 100

    def test_kazoo_makes_and_removes_whole_paths(self, zk, root):
        zk.ensure_path(f"{root}/a/b/c")
        zk.create(f"{root}/x/y/z", b"1", makepath=True)
        assert zk.get(f"{root}/x/y/z")[0] == b"1"
        zk.delete(f"{root}/a", recursive=True)
        assert zk.exists(f"{root}/a") is None

    def test_kazoo_create_with_stat(self, zk, root):
        path, stat = zk.create(f"{root}/n", b"xy", include_data=True)
        assert path == f"{root}/n"
        assert (stat.version, stat.data_length) == (0, 2)

    def test_chroot_is_the_clients_affair(self, start_kazoo, server, zk, root):
        inside = start_kazoo()
        inside.chroot = root
        assert inside.create("/n", b"1") == "/n"
        assert zk.get(f"{root}/n")[0] == b"1"


class TestContention:
    """Several clients at once on one znode."""

    def test_each_successful_compare_and_set_counts_once(self, connect, root):
        def add(client, successes):
            for _ in range(60):
                data, stat = client.get(root).value
                if client.set(root, str(int(data or b"0") + 1).encode(), stat.version).ok:
                    successes.append(stat.version)

        successes = []
        in_threads([lambda client=connect(): add(client, successes) for _ in range(4)])
        data, stat = connect().get(root).value
        assert int(data) == stat.version == len(successes)
        assert sorted(successes) == list(range(stat.version))

    def test_of_many_creates_of_one_name_one_succeeds(self, connect, root):
        def race(client, winners):
            for index in range(50):
                if client.create(f"{root}/{index}").ok:
                    winners.append(index)

        winners = []
        in_threads([lambda client=connect(): race(client, winners) for _ in range(4)])
        assert sorted(winners) == list(range(50))

    def test_sequence_numbers_are_given_once(self, connect, root):
        def create(client, names):
            for _ in range(50):
                names.append(client.create(f"{root}/n-", flags=Flag.EPHEMERAL_SEQUENTIAL).value)

        names = []
        in_threads([lambda client=connect(): create(client, names) for _ in range(4)])
        assert sorted(names) == [f"{root}/n-{index:010d}" for index in range(200)]


class TestRestart:
    """The server is killed and started again; what only it remembers works on."""

    def test_keeps_every_stat_and_datum(self, start_server, connect):
        server = start_server()
        client = connect(to=server)
        client.create("/p", b"12345")
        client.set("/p", None)
        client.create("/p/s-", flags=Flag.PERSISTENT_SEQUENTIAL)
        client.create_container("/c", b"x")
        client.create_ttl("/t", 60_000, b"y")
        client.create("/\u00e4", bytes(range(256)))
        client.multi(Sub.create("/p/m"), Sub.delete("/p/s-0000000000"), Sub.set("/p/m", b"z"))
        paths = ("/", "/p", "/p/m", "/c", "/t", "/\u00e4", "/zookeeper", "/zookeeper/config")
        before = {path: (client.get(path).value, client.children(path).value) for path in paths}
        server.restart()
        again = connect(to=server)
        assert {path: (again.get(path).value, again.children(path).value) for path in paths} == before
        assert again.create("/p/s-", flags=Flag.PERSISTENT_SEQUENTIAL).value == "/p/s-0000000002"

    def test_collects_containers_and_ttl_nodes_of_before(self, start_server, connect):
        server = start_server()
        client = connect(to=server)
        client.create_container("/c")
        client.create("/c/child")
        client.create_ttl("/t", 500)
        server.restart()
        again = connect(to=server)
        assert gone_within(again, "/t", 5)
        assert again.delete("/c/child").ok
        assert gone_within(again, "/c", 5)

    def test_twice_in_a_row_changes_nothing(self, start_server, connect):
        server = start_server()
        zxid = connect(to=server).create("/n", b"x").zxid
        server.restart()
        server.restart()
        client = connect(to=server, last_zxid=zxid)
        assert client.get("/n").value[0] == b"x"
        assert client.set("/n", b"y").value.version == 1

"""Watches of every kind: what fires them, once or always, in which order with replies, who may see them."""

import queue

import pytest
from jute import Acl
from protocol import SYNC_CONNECTED, Err, Event, Flag, Mode, Perm, WatcherType
from rawclient import OPEN, Sub, WatchEvent, digest_id

ADMIN_ONLY = [Acl(Perm.ALL & ~Perm.READ, "world", "anyone")]


def seen(client) -> list[tuple]:
    """(type, path) of everything delivered so far."""
    return [(event.type, event.path) for event in client.take_events()]


@pytest.fixture
def other(connect):
    return connect()


class TestDataWatches:
    @pytest.mark.parametrize("arm", ["get", "exists"])
    def test_fire_on_set_data(self, raw, other, root, arm):
        getattr(raw, arm)(root, watch=True)
        other.set(root, b"x")
        assert seen(raw) == [(Event.DATA_CHANGED, root)]

    @pytest.mark.parametrize("arm", ["get", "exists"])
    def test_fire_on_delete(self, raw, other, root, arm):
        raw.create(f"{root}/n")
        getattr(raw, arm)(f"{root}/n", watch=True)
        other.delete(f"{root}/n")
        assert seen(raw) == [(Event.DELETED, f"{root}/n")]

    def test_of_exists_fire_on_create(self, raw, other, root):
        assert raw.exists(f"{root}/n", watch=True).err == Err.NO_NODE
        other.create(f"{root}/n")
        assert seen(raw) == [(Event.CREATED, f"{root}/n")]

    def test_of_get_on_a_missing_node_are_not_set(self, raw, other, root):
        assert raw.get(f"{root}/n", watch=True).err == Err.NO_NODE
        other.create(f"{root}/n")
        assert seen(raw) == []

    def test_fire_once(self, raw, other, root):
        raw.get(root, watch=True)
        other.set(root, b"x")
        other.set(root, b"y")
        assert seen(raw) == [(Event.DATA_CHANGED, root)]

    def test_set_twice_fire_once(self, raw, other, root):
        raw.get(root, watch=True)
        raw.exists(root, watch=True)
        raw.get(root, watch=True)
        other.set(root, b"x")
        assert seen(raw) == [(Event.DATA_CHANGED, root)]

    def test_do_not_fire_on_children_acls_or_refusals(self, raw, other, root):
        raw.get(root, watch=True)
        other.create(f"{root}/child")
        other.set_acl(root, OPEN)
        other.set(root, b"x", 77)
        other.sync(root)
        assert seen(raw) == []

    def test_fire_on_a_set_that_changes_nothing(self, raw, other, root):
        raw.get(root, watch=True)
        other.set(root, b"")
        assert seen(raw) == [(Event.DATA_CHANGED, root)]

    def test_without_the_flag_are_not_set(self, raw, other, root):
        raw.get(root)
        raw.exists(root)
        raw.children2(root)
        other.set(root, b"x")
        assert seen(raw) == []


class TestChildWatches:
    @pytest.mark.parametrize("arm", ["children", "children2"])
    def test_fire_on_create_and_delete_of_a_child(self, raw, other, root, arm):
        getattr(raw, arm)(root, watch=True)
        other.create(f"{root}/a")
        assert seen(raw) == [(Event.CHILDREN_CHANGED, root)]
        getattr(raw, arm)(root, watch=True)
        other.delete(f"{root}/a")
        assert seen(raw) == [(Event.CHILDREN_CHANGED, root)]

    def test_fire_on_delete_of_the_node(self, raw, other, root):
        raw.create(f"{root}/n")
        raw.children(f"{root}/n", watch=True)
        other.delete(f"{root}/n")
        assert seen(raw) == [(Event.DELETED, f"{root}/n")]

    def test_with_a_data_watch_fire_one_deletion(self, raw, other, root):
        raw.create(f"{root}/n")
        raw.children(f"{root}/n", watch=True)
        raw.get(f"{root}/n", watch=True)
        other.delete(f"{root}/n")
        assert seen(raw) == [(Event.DELETED, f"{root}/n")]

    def test_do_not_fire_on_data_or_grandchildren(self, raw, other, root):
        other.create(f"{root}/a")
        raw.children(root, watch=True)
        other.set(root, b"x")
        other.set(f"{root}/a", b"x")
        other.create(f"{root}/a/b")
        assert seen(raw) == []

    def test_of_the_root(self, raw, other, root):
        raw.children("/", watch=True)
        other.create(f"{root}-sibling")
        assert seen(raw) == [(Event.CHILDREN_CHANGED, "/")]

    def test_on_a_missing_node_are_not_set(self, raw, other, root):
        assert raw.children(f"{root}/n", watch=True).err == Err.NO_NODE
        other.create(f"{root}/n")
        other.create(f"{root}/n/a")
        assert seen(raw) == []


class TestOrder:
    def test_the_event_stands_before_the_reply_to_the_write_that_caused_it(self, raw, root):
        raw.get(root, watch=True)
        raw.set(root, b"x")
        assert [event.type for event in raw.events] == [Event.DATA_CHANGED]

    def test_the_event_stands_before_any_reply_that_shows_newer_data(self, raw, other, root):
        for index in range(100):
            before = raw.get(root, watch=True).zxid
            other.set(root, str(index).encode())
            reply = raw.get(root)
            assert reply.zxid > before
            assert reply.value[0] == str(index).encode()
            assert [event.type for event in raw.events] == [Event.DATA_CHANGED]
            raw.events.clear()

    def test_events_come_in_the_order_of_the_changes(self, raw, other, root):
        raw.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        for index in range(20):
            other.create(f"{root}/{index}")
        for index in range(20):
            other.set(f"{root}/{index}")
        for index in range(20):
            other.delete(f"{root}/{index}")
        kinds = (Event.CREATED, Event.DATA_CHANGED, Event.DELETED)
        assert seen(raw) == [(kind, f"{root}/{index}") for kind in kinds for index in range(20)]

    def test_a_delete_tells_of_the_node_before_its_parent(self, raw, other, root):
        raw.create(f"{root}/n")
        raw.children(root, watch=True)
        raw.get(f"{root}/n", watch=True)
        other.delete(f"{root}/n")
        assert seen(raw) == [(Event.DELETED, f"{root}/n"), (Event.CHILDREN_CHANGED, root)]

    def test_a_create_tells_of_the_node_before_its_parent(self, raw, other, root):
        raw.children(root, watch=True)
        raw.exists(f"{root}/n", watch=True)
        other.create(f"{root}/n")
        assert seen(raw) == [(Event.CREATED, f"{root}/n"), (Event.CHILDREN_CHANGED, root)]


class TestEventHeaders:
    def test_say_connected(self, raw, other, root):
        raw.get(root, watch=True)
        other.set(root, b"x")
        assert raw.read_event().state == SYNC_CONNECTED

    @pytest.mark.since(3, 9, because="its events carry no zxid")
    def test_carry_the_zxid_of_the_change(self, raw, other, root):
        raw.create(f"{root}/gone")
        raw.get(root, watch=True)
        raw.children(root, watch=True)
        raw.exists(f"{root}/new", watch=True)
        changed = other.set(root, b"x").zxid
        created = other.create(f"{root}/new").zxid
        assert raw.take_events() == [
            WatchEvent(Event.DATA_CHANGED, SYNC_CONNECTED, root, changed),
            WatchEvent(Event.CREATED, SYNC_CONNECTED, f"{root}/new", created),
            WatchEvent(Event.CHILDREN_CHANGED, SYNC_CONNECTED, root, created),
        ]


class TestPersistent:
    def test_fire_again_and_again_on_data_and_children(self, raw, other, root):
        assert raw.add_watch(root, Mode.PERSISTENT).ok
        for _ in range(2):
            other.set(root, b"x")
            other.create(f"{root}/a")
            other.delete(f"{root}/a")
        once = [(Event.DATA_CHANGED, root), (Event.CHILDREN_CHANGED, root), (Event.CHILDREN_CHANGED, root)]
        assert seen(raw) == once * 2

    def test_outlive_the_node(self, raw, other, root):
        path = f"{root}/n"
        raw.add_watch(path, Mode.PERSISTENT)
        other.create(path)
        other.delete(path)
        other.create(path)
        assert seen(raw) == [(Event.CREATED, path), (Event.DELETED, path), (Event.CREATED, path)]

    def test_do_not_tell_of_what_is_below_the_children(self, raw, other, root):
        other.create(f"{root}/a")
        raw.add_watch(root, Mode.PERSISTENT)
        other.create(f"{root}/a/b")
        other.set(f"{root}/a", b"x")
        assert seen(raw) == []

    @pytest.mark.since(3, 9, because="a one-shot watch there replaces the persistent one")
    def test_with_a_one_shot_watch_fire_one_event(self, raw, other, root):
        raw.add_watch(root, Mode.PERSISTENT)
        raw.get(root, watch=True)
        other.set(root, b"x")
        other.set(root, b"y")
        assert seen(raw) == [(Event.DATA_CHANGED, root)] * 2

    @pytest.mark.parametrize("mode", [2, -1, 7])
    def test_of_an_unknown_mode_are_an_error(self, raw, other, root, mode):
        assert raw.add_watch(root, mode).err < 0
        other.set(root, b"x")
        assert seen(raw) == []


class TestRecursive:
    def test_tell_of_the_whole_subtree_but_not_of_children_lists(self, raw, other, root):
        raw.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        other.set(root, b"x")
        other.create(f"{root}/a")
        other.create(f"{root}/a/b")
        other.set(f"{root}/a/b", b"x")
        other.delete(f"{root}/a/b")
        assert seen(raw) == [
            (Event.DATA_CHANGED, root),
            (Event.CREATED, f"{root}/a"),
            (Event.CREATED, f"{root}/a/b"),
            (Event.DATA_CHANGED, f"{root}/a/b"),
            (Event.DELETED, f"{root}/a/b"),
        ]

    def test_do_not_tell_of_names_that_only_begin_alike(self, raw, other, root):
        raw.add_watch(f"{root}/a", Mode.PERSISTENT_RECURSIVE)
        other.create(f"{root}/ab")
        assert seen(raw) == []

    def test_of_the_root_tell_of_everything(self, raw, other, root):
        raw.add_watch("/", Mode.PERSISTENT_RECURSIVE)
        other.create(f"{root}/n")
        assert seen(raw) == [(Event.CREATED, f"{root}/n")]

    def test_nested_ones_tell_once(self, raw, other, root):
        raw.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        raw.add_watch(f"{root}/a", Mode.PERSISTENT_RECURSIVE)
        other.create(f"{root}/a")
        other.create(f"{root}/a/b")
        assert seen(raw) == [(Event.CREATED, f"{root}/a"), (Event.CREATED, f"{root}/a/b")]

    def test_with_a_child_watch_tell_of_both(self, raw, other, root):
        raw.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        raw.children(root, watch=True)
        other.create(f"{root}/a")
        assert seen(raw) == [(Event.CREATED, f"{root}/a"), (Event.CHILDREN_CHANGED, root)]

    @pytest.mark.since(3, 9, because="a path has one mode there, the last one set")
    def test_beside_a_persistent_one_both_stay(self, raw, other, root):
        raw.add_watch(root, Mode.PERSISTENT)
        raw.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        other.create(f"{root}/a")
        assert seen(raw) == [(Event.CREATED, f"{root}/a"), (Event.CHILDREN_CHANGED, root)]

    def test_tell_of_ephemerals_that_go_with_their_session(self, raw, connect, root):
        raw.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        owner = connect()
        for name in ("a", "b"):
            owner.create(f"{root}/{name}", flags=Flag.EPHEMERAL)
        owner.close()
        assert sorted(seen(raw)[2:]) == [(Event.DELETED, f"{root}/a"), (Event.DELETED, f"{root}/b")]


class TestRemoving:
    def arm(self, raw, root):
        raw.create(f"{root}/n")
        raw.get(f"{root}/n", watch=True)
        raw.children(f"{root}/n", watch=True)

    def test_unset_watches_is_an_error(self, raw, root):
        for kind in (1, 2, 3):
            assert raw.check_watches(root, kind).err == Err.NO_WATCHER
            assert raw.remove_watches(root, kind).err == Err.NO_WATCHER

    def test_checking_finds_each_kind(self, raw, root):
        self.arm(raw, root)
        for kind in (WatcherType.CHILDREN, WatcherType.DATA, WatcherType.ANY):
            assert raw.check_watches(f"{root}/n", kind).ok
        assert raw.check_watches(root, WatcherType.ANY).err == Err.NO_WATCHER

    @pytest.mark.since(3, 9, because="it finds the watches of others")
    def test_of_another_connection_are_not_found(self, raw, other, root):
        self.arm(raw, root)
        assert other.check_watches(f"{root}/n", WatcherType.ANY).err == Err.NO_WATCHER
        assert other.remove_watches(f"{root}/n", WatcherType.ANY).err == Err.NO_WATCHER
        assert raw.check_watches(f"{root}/n", WatcherType.ANY).ok

    def test_one_kind_leaves_the_other(self, raw, other, root):
        self.arm(raw, root)
        assert raw.remove_watches(f"{root}/n", WatcherType.DATA).ok
        other.set(f"{root}/n", b"x")
        other.create(f"{root}/n/a")
        assert seen(raw) == [(Event.CHILDREN_CHANGED, f"{root}/n")]

    def test_any_takes_all(self, raw, other, root):
        self.arm(raw, root)
        raw.add_watch(f"{root}/n", Mode.PERSISTENT)
        assert raw.remove_watches(f"{root}/n", WatcherType.ANY).ok
        other.set(f"{root}/n", b"x")
        other.create(f"{root}/n/a")
        assert seen(raw) == []

    def test_is_not_told_by_an_event(self, raw, root):
        self.arm(raw, root)
        raw.remove_watches(f"{root}/n", WatcherType.ANY)
        assert seen(raw) == []

    def test_of_a_fired_watch_finds_nothing(self, raw, other, root):
        self.arm(raw, root)
        other.set(f"{root}/n", b"x")
        assert raw.check_watches(f"{root}/n", WatcherType.DATA).err == Err.NO_WATCHER
        assert raw.check_watches(f"{root}/n", WatcherType.CHILDREN).ok

    @pytest.mark.since(3, 9, because="it does not tell persistent watches from one-shot ones")
    def test_knows_persistent_and_recursive_ones_apart(self, raw, other, root):
        raw.add_watch(root, Mode.PERSISTENT)
        raw.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        assert raw.check_watches(root, WatcherType.PERSISTENT).ok
        assert raw.check_watches(root, WatcherType.PERSISTENT_RECURSIVE).ok
        assert raw.check_watches(root, WatcherType.DATA).err == Err.NO_WATCHER
        assert raw.check_watches(root, WatcherType.CHILDREN).err == Err.NO_WATCHER
        assert raw.remove_watches(root, WatcherType.PERSISTENT).ok
        assert raw.remove_watches(root, WatcherType.PERSISTENT).err == Err.NO_WATCHER
        other.set(root, b"x")
        other.create(f"{root}/a")
        assert seen(raw) == [(Event.DATA_CHANGED, root), (Event.CREATED, f"{root}/a")]

    @pytest.mark.since(3, 9, because="it does not tell persistent watches from one-shot ones")
    def test_a_one_shot_watch_leaves_the_persistent_one(self, raw, other, root):
        raw.add_watch(root, Mode.PERSISTENT)
        raw.get(root, watch=True)
        assert raw.remove_watches(root, WatcherType.DATA).ok
        other.set(root, b"x")
        assert seen(raw) == [(Event.DATA_CHANGED, root)]

    @pytest.mark.parametrize("kind", [0, 6, -1, 99])
    def test_an_unknown_kind_is_an_error(self, raw, root, kind):
        raw.get(root, watch=True)
        assert raw.check_watches(root, kind).err < 0
        assert raw.remove_watches(root, kind).err < 0
        assert raw.check_watches(root, WatcherType.DATA).ok


class TestSetWatches:
    """What a client asks for after a reconnect: fire what was missed, arm the rest."""

    def test_fire_what_changed_since(self, raw, root):
        for name in ("data", "gone", "child", "gone-child"):
            raw.create(f"{root}/{name}")
        zxid = raw.sync(root).zxid
        raw.set(f"{root}/data", b"x")
        raw.create(f"{root}/child/a")
        raw.create(f"{root}/new")
        raw.delete(f"{root}/gone")
        raw.delete(f"{root}/gone-child")
        reply = raw.set_watches(
            zxid,
            data=[f"{root}/data", f"{root}/gone"],
            exist=[f"{root}/new"],
            child=[f"{root}/child", f"{root}/gone-child"],
        )
        assert reply.ok
        assert [(event.type, event.path) for event in raw.events] == [
            (Event.DATA_CHANGED, f"{root}/data"),
            (Event.DELETED, f"{root}/gone"),
            (Event.CREATED, f"{root}/new"),
            (Event.CHILDREN_CHANGED, f"{root}/child"),
            (Event.DELETED, f"{root}/gone-child"),
        ]

    def test_fired_ones_are_not_armed(self, raw, root):
        zxid = raw.sync(root).zxid
        raw.set(root, b"x")
        raw.set_watches(zxid, data=[root])
        raw.set(root, b"y")
        assert seen(raw) == [(Event.DATA_CHANGED, root)]

    def test_arm_what_did_not_change(self, raw, root):
        zxid = raw.sync(root).zxid
        raw.set_watches(zxid, data=[root], exist=[f"{root}/new"], child=[root])
        assert raw.take_events() == []
        raw.set(root, b"x")
        raw.create(f"{root}/new")
        assert seen(raw) == [(Event.DATA_CHANGED, root), (Event.CREATED, f"{root}/new"), (Event.CHILDREN_CHANGED, root)]

    def test_an_exists_watch_of_a_node_that_is_there_fires(self, raw, root):
        raw.set_watches(raw.sync(root).zxid, exist=[root])
        assert seen(raw) == [(Event.CREATED, root)]

    def test_a_node_that_went_and_came_back_counts_as_changed(self, raw, root):
        raw.create(f"{root}/n")
        zxid = raw.sync(root).zxid
        raw.delete(f"{root}/n")
        raw.create(f"{root}/n")
        raw.set_watches(zxid, data=[f"{root}/n"])
        assert seen(raw) == [(Event.DATA_CHANGED, f"{root}/n")]

    def test_data_changes_do_not_fire_child_watches(self, raw, root):
        zxid = raw.sync(root).zxid
        raw.set(root, b"x")
        raw.set_watches(zxid, child=[root])
        assert raw.take_events() == []

    def test_a_deleted_child_fires_a_child_watch(self, raw, root):
        raw.create(f"{root}/a")
        zxid = raw.sync(root).zxid
        raw.delete(f"{root}/a")
        raw.set_watches(zxid, child=[root])
        assert seen(raw) == [(Event.CHILDREN_CHANGED, root)]

    def test_events_of_missed_changes_carry_no_zxid(self, raw, root):
        zxid = raw.sync(root).zxid
        raw.set(root, b"x")
        raw.set_watches(zxid, data=[root])
        assert [event.zxid for event in raw.events] == [-1]

    def test_the_second_form_arms_persistent_ones_and_replays_nothing(self, raw, root):
        raw.create(f"{root}/p")
        raw.create(f"{root}/r")
        zxid = raw.sync(root).zxid
        raw.set(f"{root}/p", b"x")
        raw.set(f"{root}/r", b"x")
        assert raw.set_watches2(zxid, persistent=[f"{root}/p"], recursive=[f"{root}/r"]).ok
        assert raw.take_events() == []
        for _ in range(2):
            raw.set(f"{root}/p", b"y")
        raw.create(f"{root}/p/a")
        raw.create(f"{root}/r/a")
        assert seen(raw) == [
            (Event.DATA_CHANGED, f"{root}/p"),
            (Event.DATA_CHANGED, f"{root}/p"),
            (Event.CHILDREN_CHANGED, f"{root}/p"),
            (Event.CREATED, f"{root}/r/a"),
        ]

    def test_a_zxid_of_the_future_arms_everything(self, raw, root):
        raw.set_watches(2**62, data=[root], child=[root])
        assert raw.take_events() == []
        raw.set(root, b"x")
        assert seen(raw) == [(Event.DATA_CHANGED, root)]

    def test_many_paths(self, raw, root):
        zxid = raw.sync(root).zxid
        raw.multi(*[Sub.create(f"{root}/{index:05d}") for index in range(3000)])
        raw.set_watches(zxid, exist=[f"{root}/{index:05d}" for index in range(3000)])
        assert seen(raw) == [(Event.CREATED, f"{root}/{index:05d}") for index in range(3000)]


class TestAcl:
    """Who may not read a node is not told of it (CVE-2024-23944)."""

    def test_a_one_shot_watch_on_a_node_that_closed_is_silent(self, raw, other, root):
        raw.create(f"{root}/n")
        raw.get(f"{root}/n", watch=True)
        other.set_acl(f"{root}/n", ADMIN_ONLY)
        other.set(f"{root}/n", b"x")
        assert raw.take_events() == []

    def test_an_exists_watch_is_not_told_of_a_closed_node(self, raw, other, root):
        raw.exists(f"{root}/n", watch=True)
        other.create(f"{root}/n", acl=ADMIN_ONLY)
        assert raw.take_events() == []

    def test_a_persistent_watch_on_a_closed_node_is_silent(self, raw, other, root):
        raw.create(f"{root}/n", acl=ADMIN_ONLY)
        raw.add_watch(f"{root}/n", Mode.PERSISTENT)
        other.set(f"{root}/n", b"x")
        other.create(f"{root}/n/a")
        assert raw.take_events() == []

    def test_a_recursive_watch_tells_of_open_nodes_only(self, raw, other, root):
        raw.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        other.create(f"{root}/closed", acl=ADMIN_ONLY)
        other.create(f"{root}/closed/open")
        other.set(f"{root}/closed", b"x")
        other.delete(f"{root}/closed/open")
        other.delete(f"{root}/closed")
        assert seen(raw) == [(Event.CREATED, f"{root}/closed/open"), (Event.DELETED, f"{root}/closed/open")]

    def test_children_events_follow_the_parent(self, raw, other, root):
        raw.create(f"{root}/n")
        raw.add_watch(f"{root}/n", Mode.PERSISTENT)
        other.create(f"{root}/n/a", acl=ADMIN_ONLY)
        other.set_acl(f"{root}/n", ADMIN_ONLY)
        other.create(f"{root}/n/b")
        assert seen(raw) == [(Event.CHILDREN_CHANGED, f"{root}/n")]

    def test_who_may_read_is_told(self, connect, root):
        reader, writer = connect(), connect()
        reader.auth("digest", b"alice:wonder")
        writer.auth("digest", b"alice:wonder")
        acl = [Acl(Perm.ALL, "digest", digest_id("alice", "wonder"))]
        reader.exists(f"{root}/n", watch=True)
        writer.create(f"{root}/n", acl=acl)
        assert seen(reader) == [(Event.CREATED, f"{root}/n")]

    def test_an_identity_gained_after_the_watch_counts(self, connect, root):
        reader, writer = connect(), connect()
        acl = [Acl(Perm.ALL, "digest", digest_id("alice", "wonder"))]
        writer.auth("digest", b"alice:wonder")
        reader.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        writer.create(f"{root}/n", acl=acl)
        reader.auth("digest", b"alice:wonder")
        writer.set(f"{root}/n", b"x")
        assert seen(reader) == [(Event.DATA_CHANGED, f"{root}/n")]

    def test_a_deletion_is_judged_by_the_acl_the_node_had(self, raw, other, root):
        raw.create(f"{root}/n")
        raw.get(f"{root}/n", watch=True)
        raw.add_watch(root, Mode.PERSISTENT_RECURSIVE)
        other.set_acl(f"{root}/n", ADMIN_ONLY)
        other.delete(f"{root}/n")
        assert raw.take_events() == []


class TestManyWatchers:
    def test_each_connection_is_told_once(self, connect, root):
        watchers = [connect() for _ in range(30)]
        for watcher in watchers:
            watcher.get(root, watch=True)
        watchers[0].set(root, b"x")
        assert [seen(watcher) for watcher in watchers] == [[(Event.DATA_CHANGED, root)]] * 30

    def test_watches_end_with_their_connection(self, connect, raw, root):
        gone = connect()
        gone.get(root, watch=True)
        gone.close()
        raw.set(root, b"x")
        assert raw.ping().ok


class TestKazoo:
    def test_watches_of_every_call(self, zk, raw, root):
        events = queue.Queue()
        zk.get(root, watch=events.put)
        zk.get_children(root, watch=events.put)
        zk.exists(f"{root}/n", watch=events.put)
        raw.create(f"{root}/n")
        raw.set(root, b"x")
        got = sorted((event.type, event.path) for event in (events.get(timeout=5) for _ in range(3)))
        assert got == [("CHANGED", root), ("CHILD", root), ("CREATED", f"{root}/n")]

    def test_children_watch_recipe(self, zk, raw, root):
        lists = queue.Queue()
        zk.ChildrenWatch(root, lambda children: lists.put(sorted(children)))
        assert lists.get(timeout=5) == []
        for names in (["a"], ["a", "b"]):
            raw.create(f"{root}/{names[-1]}")
            assert lists.get(timeout=5) == names

    def test_data_watch_recipe(self, zk, raw, root):
        values = queue.Queue()
        zk.DataWatch(f"{root}/n", lambda data, stat: values.put(data))
        assert values.get(timeout=5) is None
        raw.create(f"{root}/n", b"1")
        assert values.get(timeout=5) == b"1"
        raw.set(f"{root}/n", b"2")
        assert values.get(timeout=5) == b"2"
        raw.delete(f"{root}/n")
        assert values.get(timeout=5) is None

"""kazoo's own surface beyond single calls: errors, asynchronous calls, recipes."""

import time
from datetime import timedelta

import pytest
from kazoo import exceptions
from kazoo.client import KazooState
from kazoo.recipe.cache import TreeCache
from kazoo.recipe.lease import NonBlockingLease
from threads import in_threads


@pytest.fixture
def other(start_kazoo):
    return start_kazoo()


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class TestErrors:
    def test_each_has_its_class(self, zk, root):
        zk.create(f"{root}/full")
        zk.create(f"{root}/full/child")
        zk.create(f"{root}/e", ephemeral=True)
        for error, call in (
            (exceptions.NodeExistsError, lambda: zk.create(f"{root}/full")),
            (exceptions.NoNodeError, lambda: zk.create(f"{root}/no/child")),
            (exceptions.NoNodeError, lambda: zk.get(f"{root}/no")),
            (exceptions.NoNodeError, lambda: zk.get_children(f"{root}/no")),
            (exceptions.NoNodeError, lambda: zk.get_acls(f"{root}/no")),
            (exceptions.NoNodeError, lambda: zk.delete(f"{root}/no")),
            (exceptions.NotEmptyError, lambda: zk.delete(f"{root}/full")),
            (exceptions.BadVersionError, lambda: zk.set(f"{root}/full", b"", version=9)),
            (exceptions.BadVersionError, lambda: zk.delete(f"{root}/full/child", version=9)),
            (exceptions.NoChildrenForEphemeralsError, lambda: zk.create(f"{root}/e/child")),
            (exceptions.BadArgumentsError, lambda: zk.delete("/zookeeper")),
        ):
            with pytest.raises(error):
                call()

    def test_reconfiguration_is_disabled(self, zk):
        with pytest.raises(exceptions.ReconfigDisabledError):
            zk.reconfig(joining=None, leaving="1", new_members=None)


class TestAsynchronousCalls:
    def test_complete_in_order(self, zk, root):
        done = []
        results = []
        for index in range(300):
            result = zk.set_async(root, str(index).encode())
            result.rawlink(lambda finished: done.append(finished.get().version))
            results.append(result)
        for result in results:
            result.get(timeout=10)
        wait_for(lambda: len(done) == 300)
        assert done == list(range(1, 301))

    def test_tell_their_errors(self, zk, root):
        result = zk.get_async(f"{root}/no")
        result.wait(timeout=10)
        assert isinstance(result.exception, exceptions.NoNodeError)

    def test_sync(self, zk, root):
        assert zk.sync(root) == root


class TestLocks:
    def test_are_exclusive(self, zk, other, root):
        inside = []

        def turns(client):
            for _ in range(10):
                with client.Lock(f"{root}/lock", "me"):
                    inside.append(1)
                    assert len(inside) == 1
                    inside.pop()

        in_threads([lambda: turns(zk), lambda: turns(other)])

    def test_wait_for_their_holder(self, zk, other, root):
        held = zk.Lock(f"{root}/lock", "first")
        assert held.acquire()
        wanted = other.Lock(f"{root}/lock", "second")
        assert not wanted.acquire(blocking=False)
        assert wanted.contenders() == ["first"]
        held.release()
        assert wanted.acquire(timeout=5)
        wanted.release()

    def test_pass_on_from_a_lost_client(self, start_kazoo, zk, root):
        doomed = start_kazoo()
        assert doomed.Lock(f"{root}/lock").acquire()
        doomed.stop()
        wanted = zk.Lock(f"{root}/lock")
        assert wanted.acquire(timeout=10)
        wanted.release()

    def test_of_readers_and_writers(self, zk, other, root):
        first, second = zk.ReadLock(f"{root}/rw"), other.ReadLock(f"{root}/rw")
        assert first.acquire(timeout=5) and second.acquire(timeout=5)
        writer = zk.WriteLock(f"{root}/rw")
        assert not writer.acquire(blocking=False)
        first.release()
        second.release()
        assert writer.acquire(timeout=5)
        writer.release()

    def test_semaphore(self, zk, other, root):
        first, second = zk.Semaphore(f"{root}/s", max_leases=1), other.Semaphore(f"{root}/s", max_leases=1)
        assert first.acquire()
        assert not second.acquire(blocking=False)
        first.release()
        assert second.acquire(timeout=5)
        second.release()

    def test_lease(self, zk, other, root):
        minute = timedelta(seconds=60)
        assert NonBlockingLease(zk, f"{root}/lease", minute, identifier="first")
        assert not NonBlockingLease(other, f"{root}/lease", minute, identifier="second")


class TestOthers:
    def test_election(self, zk, other, root):
        order = []
        elections = [zk.Election(f"{root}/election", "first"), other.Election(f"{root}/election", "second")]
        in_threads([lambda election=election: election.run(lambda: order.append(election.lock.data)) for election in elections])
        assert len(order) == 2

    def test_barriers(self, zk, other, root):
        barrier = zk.Barrier(f"{root}/barrier")
        barrier.create()
        assert not other.Barrier(f"{root}/barrier").wait(timeout=0.2)
        barrier.remove()
        assert other.Barrier(f"{root}/barrier").wait(timeout=5)

    def test_double_barrier(self, zk, other, root):
        passed = []

        def enter(client):
            barrier = client.DoubleBarrier(f"{root}/double", 2)
            barrier.enter()
            passed.append(1)
            barrier.leave()

        in_threads([lambda: enter(zk), lambda: enter(other)])
        assert len(passed) == 2

    def test_counter_under_contention(self, zk, other, root):
        def count(client):
            counter = client.Counter(f"{root}/counter")
            for _ in range(25):
                counter += 1

        in_threads([lambda: count(zk), lambda: count(other)])
        assert zk.Counter(f"{root}/counter").value == 50

    def test_queues(self, zk, other, root):
        queue = zk.Queue(f"{root}/queue")
        for item in (b"1", b"2"):
            queue.put(item)
        queue.put(b"first", priority=1)
        taker = other.Queue(f"{root}/queue")
        assert [taker.get() for _ in range(4)] == [b"first", b"1", b"2", None]

    def test_locking_queue(self, zk, other, root):
        queue = zk.LockingQueue(f"{root}/queue")
        queue.put_all([b"1", b"2"])
        assert other.LockingQueue(f"{root}/queue").get(timeout=5) == b"1"
        taker = zk.LockingQueue(f"{root}/queue")
        assert taker.get(timeout=5) == b"2"
        assert taker.consume()

    def test_parties(self, start_kazoo, zk, root):
        guest = start_kazoo()
        party = zk.Party(f"{root}/party", "host")
        party.join()
        guest.Party(f"{root}/party", "guest").join()
        assert sorted(party) == ["guest", "host"]
        guest.stop()
        assert sorted(party) == ["host"]

    def test_tree_cache(self, zk, other, root):
        cache = TreeCache(zk, root)
        cache.start()
        other.create(f"{root}/a/b", b"1", makepath=True)
        wait_for(lambda: cache.get_data(f"{root}/a/b") and cache.get_data(f"{root}/a/b").data == b"1")
        other.set(f"{root}/a/b", b"2")
        wait_for(lambda: cache.get_data(f"{root}/a/b").data == b"2")
        other.delete(f"{root}/a", recursive=True)
        wait_for(lambda: cache.get_data(f"{root}/a") is None)
        cache.close()

    def test_state_listener(self, start_kazoo):
        client = start_kazoo()
        states = []
        client.add_listener(states.append)
        client.stop()
        assert states == [KazooState.LOST]

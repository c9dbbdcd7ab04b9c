"""multi and multiRead: all or nothing, one zxid, what each sub-operation sees and answers."""

import pytest
from jute import Reader, bool_, int_, string
from kazoo.exceptions import BadVersionError, NodeExistsError, RolledBackError, RuntimeInconsistency
from protocol import Err, Event, Flag, Op
from rawclient import READ_ONLY, Closed, Sub, multi_body


def failures(*codes):
    return [(Op.ERROR, code) for code in codes]


class TestSuccess:
    @pytest.mark.since(3, 9, because="it answers create2 like create")
    def test_answers_each_operation_in_its_own_way(self, raw, root):
        raw.create(f"{root}/old")
        reply = raw.multi(
            Sub.create(f"{root}/a", b"1"),
            Sub.create(f"{root}/b", b"22", op=Op.CREATE2),
            Sub.set(f"{root}/old", b"333"),
            Sub.check(f"{root}/old", 1),
            Sub.delete(f"{root}/a"),
            Sub.create(f"{root}/c", op=Op.CREATE_CONTAINER, flags=Flag.CONTAINER),
            Sub.create_ttl(f"{root}/t", 60_000),
        )
        created = raw.stat(f"{root}/b")
        assert reply.value == [
            (Op.CREATE, f"{root}/a"),
            (Op.CREATE2, f"{root}/b", created),
            (Op.SET_DATA, raw.stat(f"{root}/old")),
            (Op.CHECK,),
            (Op.DELETE,),
            (Op.CREATE2, f"{root}/c", raw.stat(f"{root}/c")),
            (Op.CREATE2, f"{root}/t", raw.stat(f"{root}/t")),
        ]
        assert (created.czxid, created.dataLength) == (reply.zxid, 2)

    def test_has_one_zxid_and_one_time(self, raw, root):
        reply = raw.multi(*[Sub.create(f"{root}/{index}") for index in range(20)])
        stats = [raw.stat(f"{root}/{index}") for index in range(20)]
        assert {stat.czxid for stat in stats} == {reply.zxid}
        assert len({stat.ctime for stat in stats}) == 1
        assert raw.set(root).zxid == reply.zxid + 1

    def test_counts_each_change_of_the_parent(self, raw, root):
        raw.multi(*[Sub.create(f"{root}/{index}") for index in range(4)], Sub.delete(f"{root}/0"))
        stat = raw.stat(root)
        assert (stat.cversion, stat.numChildren) == (5, 3)

    def test_later_operations_see_earlier_ones(self, raw, root):
        reply = raw.multi(
            Sub.create(f"{root}/a"),
            Sub.create(f"{root}/a/b"),
            Sub.set(f"{root}/a/b", b"x", 0),
            Sub.set(f"{root}/a/b", b"y", 1),
            Sub.check(f"{root}/a/b", 2),
            Sub.delete(f"{root}/a/b", 2),
            Sub.delete(f"{root}/a"),
        )
        assert [result[0] for result in reply.value] == [1, 1, 5, 5, 13, 2, 2]
        assert raw.children(root).value == []

    def test_sequences_go_on_inside(self, raw, root):
        sequential = Sub.create(f"{root}/n-", flags=Flag.PERSISTENT_SEQUENTIAL)
        reply = raw.multi(sequential, sequential, Sub.delete(f"{root}/n-0000000000"), sequential)
        assert [result[1] for result in reply.value if len(result) > 1] == [f"{root}/n-{n:010d}" for n in range(3)]

    def test_a_node_may_go_and_come_back(self, raw, root):
        raw.create(f"{root}/n", b"old")
        raw.set(f"{root}/n", b"older")
        reply = raw.multi(Sub.delete(f"{root}/n"), Sub.create(f"{root}/n", b"new"))
        data, stat = raw.get(f"{root}/n").value
        assert (data, stat.czxid, stat.version) == (b"new", reply.zxid, 0)

    def test_the_stat_of_a_set_is_of_its_moment(self, raw, root):
        reply = raw.multi(Sub.set(root, b"1"), Sub.set(root, b"22"))
        assert [(stat.version, stat.dataLength) for _, stat in reply.value] == [(1, 1), (2, 2)]

    def test_ephemerals_belong_to_the_session(self, raw, connect, root):
        client = connect()
        client.multi(Sub.create(f"{root}/e", flags=Flag.EPHEMERAL), Sub.create(f"{root}/p"))
        assert raw.stat(f"{root}/e").ephemeralOwner == client.session.session_id
        client.close()
        assert raw.children(root).value == ["p"]

    def test_checks_alone_are_a_transaction_too(self, raw, root):
        zxid = raw.set(root).zxid
        assert raw.multi(Sub.check(root, 1)).zxid == zxid + 1

    def test_two_thousand_operations(self, raw, root):
        reply = raw.multi(*[Sub.create(f"{root}/{index}") for index in range(2000)])
        assert len(reply.value) == 2000
        assert raw.stat(root).numChildren == 2000


class TestFailure:
    def test_names_the_failed_one_zeroes_before_and_runtime_inconsistency_after(self, raw, root):
        reply = raw.multi(
            Sub.create(f"{root}/a"),
            Sub.create(f"{root}/b"),
            Sub.set(f"{root}/missing"),
            Sub.create(f"{root}/c"),
            Sub.delete(f"{root}/d"),
        )
        assert reply.ok
        assert reply.value == failures(0, 0, Err.NO_NODE, Err.RUNTIME_INCONSISTENCY, Err.RUNTIME_INCONSISTENCY)
        assert raw.children(root).value == []

    @pytest.mark.parametrize(
        "operation, code",
        [
            (lambda n: Sub.create(n), Err.NODE_EXISTS),
            (lambda n: Sub.create(f"{n}/x/y"), Err.NO_NODE),
            (lambda n: Sub.create(f"{n}/ephemeral/x"), Err.NO_CHILDREN_FOR_EPHEMERALS),
            (lambda n: Sub.create(f"{n}/x", acl=[]), Err.INVALID_ACL),
            (lambda n: Sub.create(f"{n}/."), Err.BAD_ARGUMENTS),
            (lambda n: Sub.create_ttl(f"{n}/x", -5), Err.BAD_ARGUMENTS),
            (lambda n: Sub.create(f"{n}/closed/x"), Err.NO_AUTH),
            (lambda n: Sub.delete(f"{n}/x"), Err.NO_NODE),
            (lambda n: Sub.delete(n), Err.NOT_EMPTY),
            (lambda n: Sub.delete(f"{n}/ephemeral", 3), Err.BAD_VERSION),
            (lambda n: Sub.delete("/"), Err.BAD_ARGUMENTS),
            (lambda n: Sub.set(n, b"", 3), Err.BAD_VERSION),
            (lambda n: Sub.set(f"{n}/closed"), Err.NO_AUTH),
            (lambda n: Sub.check(n, 3), Err.BAD_VERSION),
            (lambda n: Sub.check(f"{n}/x"), Err.NO_NODE),
        ],
    )
    def test_has_the_code_of_the_operation_alone(self, raw, root, operation, code):
        raw.create(f"{root}/ephemeral", flags=Flag.EPHEMERAL)
        raw.create(f"{root}/closed", acl=READ_ONLY)
        before = raw.children2(root).value
        reply = raw.multi(Sub.create(f"{root}/new"), operation(root), Sub.create(f"{root}/never"))
        assert reply.value == failures(0, code, Err.RUNTIME_INCONSISTENCY)
        assert raw.children2(root).value == before

    @pytest.mark.since(3, 9, because="it answers BadArguments for that operation")
    def test_of_an_unknown_create_mode_is_of_the_whole(self, raw, root):
        assert raw.multi(Sub.create(f"{root}/a"), Sub.create(f"{root}/x", flags=9)).err == Err.MARSHALLING_ERROR
        assert raw.children(root).value == []

    def test_of_the_first_of_several_is_the_one_named(self, raw, root):
        reply = raw.multi(Sub.check(root, 5), Sub.check(f"{root}/missing"))
        assert reply.value == failures(Err.BAD_VERSION, Err.RUNTIME_INCONSISTENCY)

    def test_leaves_stats_and_sequences_untouched(self, raw, root):
        raw.create(f"{root}/n")
        before = (raw.stat(root), raw.stat(f"{root}/n"))
        raw.multi(Sub.set(f"{root}/n", b"x"), Sub.create(f"{root}/s-", flags=Flag.PERSISTENT_SEQUENTIAL), Sub.delete(f"{root}/n"), Sub.check(root, 9))
        assert (raw.stat(root), raw.stat(f"{root}/n")) == before
        assert raw.create(f"{root}/s-", flags=Flag.PERSISTENT_SEQUENTIAL).value == f"{root}/s-0000000001"

    def test_fires_no_watch(self, raw, root):
        raw.children(root, watch=True)
        raw.get(root, watch=True)
        raw.multi(Sub.create(f"{root}/a"), Sub.set(root, b"x"), Sub.check(root, 9))
        assert raw.take_events() == []

    def test_of_a_pipelined_one_leaves_its_neighbours(self, raw, root):
        raw.send(Op.MULTI, multi_body([Sub.create(f"{root}/a"), Sub.check(root, 9)]))
        raw.send(Op.MULTI, multi_body([Sub.create(f"{root}/a"), Sub.create(f"{root}/b")]))
        raw.send(Op.MULTI, multi_body([Sub.delete(f"{root}/a"), Sub.delete(f"{root}/missing")]))
        raw.send(Op.MULTI, multi_body([Sub.delete(f"{root}/a")]))
        for _ in range(4):
            raw.read_reply()
        assert raw.children(root).value == ["b"]
        assert raw.stat(root).cversion == 3


class TestWatches:
    def test_of_one_transaction_carry_its_zxid(self, raw, connect, root):
        raw.get(root, watch=True)
        raw.children(root, watch=True)
        raw.exists(f"{root}/a", watch=True)
        zxid = connect().multi(Sub.create(f"{root}/a"), Sub.set(root, b"x"), Sub.create(f"{root}/b")).zxid
        events = raw.take_events()
        assert [(event.type, event.path) for event in events] == [
            (Event.CREATED, f"{root}/a"),
            (Event.CHILDREN_CHANGED, root),
            (Event.DATA_CHANGED, root),
        ]
        assert raw.get(root).zxid == zxid

    @pytest.mark.since(3, 9, because="its events carry no zxid")
    def test_of_one_transaction_name_its_zxid(self, raw, connect, root):
        raw.add_watch(root, 1)
        zxid = connect().multi(Sub.create(f"{root}/a"), Sub.create(f"{root}/b")).zxid
        assert [event.zxid for event in raw.take_events()] == [zxid, zxid]


class TestBadMultis:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            int_(Op.CREATE),
            multi_body([Sub.create("/never")])[:-9],
            multi_body([(Op.MULTI, multi_body([]))]),
            multi_body([(Op.SET_ACL, string("/") + int_(0) + int_(-1))]),
            multi_body([(Op.CREATE_SESSION, int_(1000))]),
            multi_body([(Op.CLOSE_SESSION, b"")]),
            multi_body([(99, b"")]),
            multi_body([Sub.create("/never"), Sub.get("/")]),
            multi_body([Sub.create("/never"), (Op.DELETE, int_(2**31 - 1) + b"x")]),
        ],
    )
    def test_do_nothing_and_are_errors_or_the_end(self, connect, raw, body):
        client = connect()
        try:
            reply = client.call(Op.MULTI, body)
            assert reply.err < 0 or any(result[0] == Op.ERROR for result in read_results(reply))
        except Closed:
            pass
        assert raw.exists("/never").err == Err.NO_NODE

    def test_nothing_at_all_changes_nothing(self, raw, root):
        assert raw.multi().value == []
        assert raw.exists(root).ok


def read_results(reply):
    from rawclient import read_multi

    return read_multi(Reader(reply.body))


class TestMultiRead:
    def test_reads_data_and_children(self, raw, root):
        raw.create(f"{root}/a", b"1")
        raw.create(f"{root}/b")
        reply = raw.multi_read(Sub.get(f"{root}/a"), Sub.children(root), Sub.get(f"{root}/b"))
        assert reply.value == [
            (Op.GET_DATA, b"1", raw.stat(f"{root}/a")),
            (Op.GET_CHILDREN, ["a", "b"]),
            (Op.GET_DATA, b"", raw.stat(f"{root}/b")),
        ]

    def test_errors_are_of_each_alone(self, raw, root):
        raw.create(f"{root}/closed", acl=[READ_ONLY[0]._replace(perms=2)])
        reply = raw.multi_read(Sub.get(f"{root}/missing"), Sub.get(f"{root}/closed"), Sub.children(root), Sub.children(f"{root}/closed"))
        assert reply.ok
        assert reply.value == [(Op.ERROR, Err.NO_NODE), (Op.ERROR, Err.NO_AUTH), (Op.GET_CHILDREN, ["closed"]), (Op.ERROR, Err.NO_AUTH)]

    def test_of_nothing_is_nothing(self, raw):
        assert raw.multi_read().value == []

    def test_costs_no_zxid(self, raw, root):
        zxid = raw.set(root).zxid
        assert raw.multi_read(Sub.get(root)).zxid == zxid
        assert raw.set(root).zxid == zxid + 1

    def test_sets_no_watches_whatever_it_asks_for(self, raw, root):
        assert raw.multi_read((Op.GET_DATA, string(root) + bool_(True)), (Op.GET_CHILDREN, string(root) + bool_(True))).ok
        raw.set(root, b"x")
        raw.create(f"{root}/a")
        assert raw.take_events() == []

    @pytest.mark.parametrize("sub", [Sub.create("/never"), Sub.set("/", b"x"), Sub.check("/"), (Op.EXISTS, string("/") + b"\0")])
    def test_of_something_else_is_an_error(self, connect, raw, sub):
        client = connect()
        try:
            client.send(Op.MULTI_READ, multi_body([sub]))
            assert client.read_reply().err < 0
        except Closed:
            pass
        assert raw.exists("/never").err == Err.NO_NODE


class TestKazoo:
    def test_transaction(self, zk, root):
        with zk.transaction() as transaction:
            transaction.create(f"{root}/a", b"1")
            transaction.create(f"{root}/s-", ephemeral=True, sequence=True)
            transaction.set_data(f"{root}/a", b"2")
            transaction.check(f"{root}/a", 1)
            transaction.delete(f"{root}/a")
        assert zk.get_children(root) == ["s-0000000001"]

    def test_failed_transaction(self, zk, root):
        transaction = zk.transaction()
        transaction.create(f"{root}/a")
        transaction.check(root, 9)
        transaction.create(f"{root}/b")
        results = transaction.commit()
        assert [type(result) for result in results] == [RolledBackError, BadVersionError, RuntimeInconsistency]
        assert zk.get_children(root) == []

    def test_failed_at_the_first(self, zk, root):
        transaction = zk.transaction()
        transaction.create(root)
        transaction.create(f"{root}/b")
        assert [type(result) for result in transaction.commit()] == [NodeExistsError, RuntimeInconsistency]

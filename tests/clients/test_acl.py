"""Who may do what: every scheme, every permission on every operation, expansion, masking, the super user."""

import pytest
from jute import Acl
from kazoo import security
from kazoo.exceptions import AuthFailedError, NoAuthError
from protocol import Err, Flag, Mode, Op, Perm
from rawclient import OPEN, READ_ONLY, Sub, digest_id


SUPER = digest_id("super", "secret")
CONFIG = {"DigestAuthenticationProvider.superDigest": SUPER}

ALICE = Acl(Perm.ALL, "digest", digest_id("alice", "wonder"))
BOB = Acl(Perm.ALL, "digest", digest_id("bob", "builder"))


@pytest.fixture
def alice(connect):
    client = connect()
    assert client.auth("digest", b"alice:wonder").ok
    return client


@pytest.fixture
def bob(connect):
    client = connect()
    assert client.auth("digest", b"bob:builder").ok
    return client


@pytest.fixture
def super_user(connect):
    client = connect()
    assert client.auth("digest", b"super:secret").ok
    return client


def world(perms) -> list[Acl]:
    return [Acl(perms, "world", "anyone")]


EXISTS_CHECKS = pytest.mark.since(3, 9, because="its exists needs no permission")

# What each operation on a node N (or below it) needs, and of whom.
NEEDS = {
    "get": (Perm.READ, lambda c, n: c.get(n)),
    "exists": (Perm.READ, lambda c, n: c.exists(n)),
    "children": (Perm.READ, lambda c, n: c.children(n)),
    "children2": (Perm.READ, lambda c, n: c.children2(n)),
    "all_children_number": (Perm.READ, lambda c, n: c.all_children_number(n)),
    "set": (Perm.WRITE, lambda c, n: c.set(n, b"x")),
    "create": (Perm.CREATE, lambda c, n: c.create(f"{n}/new")),
    "create2": (Perm.CREATE, lambda c, n: c.create2(f"{n}/new")),
    "create_container": (Perm.CREATE, lambda c, n: c.create_container(f"{n}/new")),
    "create_ttl": (Perm.CREATE, lambda c, n: c.create_ttl(f"{n}/new", 60_000)),
    "delete": (Perm.DELETE, lambda c, n: c.delete(f"{n}/child")),
    "set_acl": (Perm.ADMIN, lambda c, n: c.set_acl(n, OPEN)),
}


class TestPermissions:
    @pytest.mark.parametrize("name", NEEDS)
    def test_the_needed_one_is_enough(self, raw, root, name):
        perm, operation = NEEDS[name]
        raw.create(f"{root}/n")
        raw.create(f"{root}/n/child")
        raw.set_acl(f"{root}/n", world(perm))
        assert operation(raw, f"{root}/n").ok

    @pytest.mark.parametrize("name", [pytest.param(name, marks=EXISTS_CHECKS if name == "exists" else ()) for name in NEEDS])
    def test_all_others_are_not(self, raw, root, name):
        perm, operation = NEEDS[name]
        raw.create(f"{root}/n")
        raw.create(f"{root}/n/child")
        raw.set_acl(f"{root}/n", world(Perm.ALL & ~perm))
        before = raw.children(root).value
        assert operation(raw, f"{root}/n").err == Err.NO_AUTH
        assert raw.children(root).value == before

    @pytest.mark.parametrize("perm", [Perm.READ, Perm.ADMIN])
    def test_get_acl_needs_read_or_admin(self, raw, root, perm):
        raw.set_acl(root, world(perm))
        assert raw.get_acl(root).value[0] == world(perm)

    def test_get_acl_with_neither_is_refused(self, raw, root):
        raw.set_acl(root, world(Perm.ALL & ~Perm.READ & ~Perm.ADMIN))
        assert raw.get_acl(root).err == Err.NO_AUTH

    def test_of_the_parent_do_not_reach_the_child(self, raw, root):
        raw.create(f"{root}/n")
        raw.set_acl(root, world(Perm.CREATE))
        assert raw.get(f"{root}/n").ok
        assert raw.set(f"{root}/n", b"x").ok

    def test_of_the_node_itself_do_not_matter_for_its_deletion(self, raw, root):
        raw.create(f"{root}/n", acl=READ_ONLY)
        assert raw.delete(f"{root}/n").ok

    def test_sync_needs_none(self, raw, root):
        raw.set_acl(root, world(Perm.ADMIN))
        assert raw.sync(root).ok

    def test_add_watch_needs_none_to_be_set(self, raw, root):
        raw.set_acl(root, world(Perm.ADMIN))
        assert raw.add_watch(root, Mode.PERSISTENT).ok

    def test_check_needs_read(self, raw, root):
        raw.set_acl(root, world(Perm.ALL & ~Perm.READ))
        assert raw.multi(Sub.check(root)).value == [(Op.ERROR, Err.NO_AUTH)]

    def test_nobody_is_told_whether_a_version_fits(self, raw, root):
        raw.set_acl(root, world(Perm.READ))
        assert raw.set(root, b"", 99).err == Err.NO_AUTH
        assert raw.set_acl(root, OPEN, 99).err == Err.NO_AUTH

    def test_missing_nodes_are_missing_before_they_are_forbidden(self, raw, root):
        raw.set_acl(root, world(Perm.READ))
        assert raw.delete(f"{root}/missing").err == Err.NO_AUTH
        assert raw.get(f"{root}/missing").err == Err.NO_NODE


class TestDigest:
    def test_lets_in_who_knows_the_password(self, alice, bob, raw, root):
        alice.create(f"{root}/n", b"secret", [ALICE])
        assert alice.get(f"{root}/n").value[0] == b"secret"
        assert bob.get(f"{root}/n").err == Err.NO_AUTH
        assert raw.get(f"{root}/n").err == Err.NO_AUTH

    def test_several_identities_add_up(self, connect, root):
        client = connect()
        client.create(f"{root}/a", acl=[ALICE])
        client.create(f"{root}/b", acl=[BOB])
        client.auth("digest", b"alice:wonder")
        client.auth("digest", b"bob:builder")
        assert client.get(f"{root}/a").ok
        assert client.get(f"{root}/b").ok

    def test_a_wrong_password_is_another_identity(self, connect, raw, root):
        raw.create(f"{root}/n", acl=[ALICE])
        client = connect()
        assert client.auth("digest", b"alice:wrong").ok
        assert client.get(f"{root}/n").err == Err.NO_AUTH

    def test_belongs_to_the_connection_not_the_session(self, connect, root):
        client = connect()
        client.auth("digest", b"alice:wonder")
        client.create(f"{root}/n", acl=[ALICE])
        again = connect(session_id=client.session.session_id, password=client.session.password)
        assert again.get(f"{root}/n").err == Err.NO_AUTH
        again.auth("digest", b"alice:wonder")
        assert again.get(f"{root}/n").ok

    def test_permissions_of_entries_add_up_per_identity(self, connect, alice, root):
        acl = [ALICE._replace(perms=Perm.WRITE), Acl(Perm.READ, "world", "anyone")]
        alice.create(f"{root}/n", b"x", acl)
        assert alice.get(f"{root}/n").ok
        assert alice.set(f"{root}/n", b"y").ok
        other = connect()
        assert other.get(f"{root}/n").ok
        assert other.set(f"{root}/n", b"z").err == Err.NO_AUTH

    def test_password_may_hold_colons_and_be_empty(self, connect, raw, root):
        raw.create(f"{root}/colon", acl=[Acl(Perm.ALL, "digest", digest_id("u", "a:b:c"))])
        raw.create(f"{root}/empty", acl=[Acl(Perm.ALL, "digest", digest_id("u", ""))])
        client = connect()
        client.auth("digest", b"u:a:b:c")
        assert client.get(f"{root}/colon").ok
        client.auth("digest", b"u:")
        assert client.get(f"{root}/empty").ok

    @pytest.mark.parametrize("scheme", ["nonsense", "", "world", "auth", "DIGEST"])
    def test_unknown_schemes_fail_and_end_the_connection(self, connect, scheme):
        client = connect()
        assert client.auth(scheme, b"x").err == Err.AUTH_FAILED
        assert client.is_closed()

    def test_kazoo_is_told_of_a_failed_scheme(self, start_kazoo):
        with pytest.raises(AuthFailedError):
            start_kazoo().add_auth("nonsense", "x")

    def test_through_kazoo(self, start_kazoo, root):
        owner = start_kazoo(auth_data=[("digest", "alice:wonder")])
        stranger = start_kazoo()
        owner.create(f"{root}/n", b"x", acl=[security.make_digest_acl("alice", "wonder", all=True)])
        assert owner.get(f"{root}/n")[0] == b"x"
        for refused in (stranger.get, stranger.get_acls, stranger.get_children):
            with pytest.raises(NoAuthError):
                refused(f"{root}/n")


class TestAuthScheme:
    def test_expands_to_the_identity_of_the_creator(self, alice, root):
        alice.create(f"{root}/n", acl=[Acl(Perm.READ | Perm.ADMIN, "auth", "")])
        assert alice.get_acl(f"{root}/n").value[0] == [ALICE._replace(perms=Perm.READ | Perm.ADMIN)]

    def test_expands_to_every_identity_of_the_creator(self, alice, root):
        alice.auth("digest", b"bob:builder")
        alice.create(f"{root}/n", acl=[Acl(Perm.ALL, "auth", "ignored")])
        assert sorted(alice.get_acl(f"{root}/n").value[0]) == sorted([ALICE, BOB])

    def test_expands_in_set_acl_and_multi_too(self, alice, root):
        alice.set_acl(root, [Acl(Perm.ALL, "auth", "")])
        alice.multi(Sub.create(f"{root}/n", acl=[Acl(Perm.ALL, "auth", "")]))
        assert alice.get_acl(root).value[0] == [ALICE]
        assert alice.get_acl(f"{root}/n").value[0] == [ALICE]

    def test_without_an_identity_is_invalid(self, raw, root):
        assert raw.create(f"{root}/n", acl=[Acl(Perm.ALL, "auth", "")]).err == Err.INVALID_ACL
        assert raw.set_acl(root, [Acl(Perm.ALL, "auth", "")]).err == Err.INVALID_ACL

    def test_does_not_take_the_address_for_an_identity(self, raw, root):
        assert raw.who_am_i().value[0][0] == "ip"
        assert raw.create(f"{root}/n", acl=[Acl(Perm.ALL, "auth", "")]).err == Err.INVALID_ACL


class TestIp:
    @pytest.mark.parametrize("pattern", ["127.0.0.1", "127.0.0.1/32", "127.0.0.0/24", "127.255.255.255/8", "0.0.0.0/0", "127.0.0.0/30"])
    def test_lets_in_who_is_in_the_range(self, raw, root, pattern):
        assert raw.create(f"{root}/n", acl=[Acl(Perm.ALL, "ip", pattern)]).ok
        assert raw.get(f"{root}/n").ok

    @pytest.mark.parametrize("pattern", ["127.0.0.2", "10.0.0.0/8", "127.0.0.2/32", "126.0.0.0/8"])
    def test_keeps_out_who_is_not(self, raw, root, pattern):
        assert raw.create(f"{root}/n", acl=[Acl(Perm.ALL, "ip", pattern)]).ok
        assert raw.get(f"{root}/n").err == Err.NO_AUTH

    @pytest.mark.parametrize("pattern", ["", "127.0.0", "127.0.0.256", "127.0.0.1/33", "127.0.0.1/-1", "127.0.0.1/x", "localhost", "127.0.0.1/8/8", "1.2.3.4.5"])
    def test_nonsense_is_invalid(self, raw, root, pattern):
        assert raw.create(f"{root}/n", acl=[Acl(Perm.ALL, "ip", pattern)]).err == Err.INVALID_ACL


class TestInvalid:
    @pytest.mark.parametrize(
        "acl",
        [
            [],
            None,
            [Acl(Perm.ALL, "nonsense", "x")],
            [Acl(Perm.ALL, "world", "someone")],
            [Acl(Perm.ALL, "digest", "no-colon")],
            [Acl(Perm.ALL, "digest", "a:b:c")],
            [Acl(Perm.ALL, "", "")],
            [Acl(Perm.ALL, "super", "")],
            [Acl(Perm.ALL, None, "x")],
            [Acl(Perm.ALL, "world", "anyone"), Acl(Perm.ALL, "nonsense", "x")],
        ],
    )
    def test_lists_are_refused(self, raw, root, acl):
        assert raw.create(f"{root}/n", acl=acl).err == Err.INVALID_ACL
        assert raw.set_acl(root, acl).err == Err.INVALID_ACL
        assert raw.get_acl(root).value[0] == OPEN

    def test_comes_before_a_missing_parent(self, raw, root):
        assert raw.create(f"{root}/missing/n", acl=[]).err == Err.INVALID_ACL

    @pytest.mark.parametrize("perms", [0, 32, -1, 63])
    def test_odd_permissions_are_kept_as_they_are(self, raw, root, perms):
        raw.create(f"{root}/n", acl=[Acl(perms, "world", "anyone"), *world(Perm.ADMIN)])
        assert raw.get_acl(f"{root}/n").value[0] == [Acl(perms, "world", "anyone"), *world(Perm.ADMIN)]

    def test_repeated_entries_are_dropped(self, raw, root):
        twice = [ALICE, *OPEN, ALICE, *OPEN]
        raw.create(f"{root}/n", acl=twice)
        assert raw.get_acl(f"{root}/n").value[0] == [ALICE, *OPEN]


class TestMasking:
    """Who may not change an ACL does not see the digests in it."""

    def test_shows_all_to_an_administrator(self, raw, root):
        acl = [ALICE, Acl(Perm.ADMIN, "world", "anyone")]
        raw.create(f"{root}/n", acl=acl)
        assert raw.get_acl(f"{root}/n").value[0] == acl

    def test_hides_digests_from_readers(self, raw, root):
        acl = [ALICE, BOB, Acl(Perm.READ, "world", "anyone"), Acl(Perm.ALL, "ip", "10.0.0.1")]
        stat = raw.create2(f"{root}/n", acl=acl).value[1]
        masked = [ALICE._replace(id="alice:x"), BOB._replace(id="bob:x"), *acl[2:]]
        assert raw.get_acl(f"{root}/n").value == (masked, stat)

    def test_hides_them_from_the_one_they_name_too(self, alice, root):
        reader = [ALICE._replace(perms=Perm.READ)]
        alice.create(f"{root}/n", acl=reader)
        assert alice.get_acl(f"{root}/n").value[0] == [reader[0]._replace(id="alice:x")]


class TestSuper:
    def test_may_do_everything(self, super_user, raw, root):
        raw.create(f"{root}/n", b"x", [BOB._replace(perms=Perm.READ)])
        raw.set_acl(root, [BOB])
        assert super_user.get(f"{root}/n").ok
        assert super_user.set(f"{root}/n", b"y").ok
        assert super_user.create(f"{root}/n/child").ok
        assert super_user.get_acl(f"{root}/n").value[0] == [BOB._replace(perms=Perm.READ)]
        assert super_user.set_acl(f"{root}/n", OPEN).ok
        assert super_user.delete(f"{root}/n/child").ok

    def test_needs_the_right_password(self, connect, raw, root):
        raw.create(f"{root}/n", acl=[BOB])
        client = connect()
        assert client.auth("digest", b"super:wrong").ok
        assert client.get(f"{root}/n").err == Err.NO_AUTH

    def test_may_write_the_configuration_node(self, super_user):
        data, stat = super_user.get("/zookeeper/config").value
        assert super_user.set("/zookeeper/config", data).value.version == stat.version + 1


class TestWhoAmI:
    def test_names_the_address_first(self, raw):
        assert raw.who_am_i().value == [("ip", "127.0.0.1")]

    def test_names_users_without_their_digests(self, raw):
        raw.auth("digest", b"alice:wonder")
        raw.auth("digest", b"bob:builder")
        assert sorted(raw.who_am_i().value) == [("digest", "alice"), ("digest", "bob"), ("ip", "127.0.0.1")]

    def test_knows_each_identity_once(self, raw):
        raw.auth("digest", b"alice:wonder")
        raw.auth("digest", b"alice:wonder")
        assert sorted(raw.who_am_i().value) == [("digest", "alice"), ("ip", "127.0.0.1")]

    def test_names_the_super_user(self, super_user):
        assert ("super", "") in super_user.who_am_i().value


class TestRestart:
    def test_keeps_acls(self, start_server, connect):
        server = start_server()
        client = connect(to=server)
        client.create("/n", b"x", [ALICE])
        client.create("/o", acl=[ALICE, Acl(Perm.READ, "world", "anyone")], flags=Flag.PERSISTENT)
        server.restart()
        again = connect(to=server)
        assert again.get("/n").err == Err.NO_AUTH
        assert again.get_acl("/o").value[0] == [ALICE._replace(id="alice:x"), Acl(Perm.READ, "world", "anyone")]
        again.auth("digest", b"alice:wonder")
        assert again.get("/n").value[0] == b"x"

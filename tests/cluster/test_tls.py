"""Servers that prove who they are to each other: `sslQuorum` and `ssl.quorum.*`."""

import time

import pytest
from certificates import Authority

from test_kills import LIMIT_SECONDS

LOCAL = "IP:127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates") / "ours")


@pytest.fixture
def tls(authority) -> dict:
    """What a member's `zoo.cfg` says that speaks TLS."""
    return {"sslQuorum": "true"} | stores(authority.sign("member", LOCAL), authority.trust)


def stores(key_store, trust_store) -> dict:
    return {"ssl.quorum.keyStore.location": key_store, "ssl.quorum.trustStore.location": trust_store}


def test_an_ensemble_with_tls_goes_on_without_its_leader(begin, tls):
    run = begin(3, **tls)
    leader = run.ensemble.leader()
    leader.kill()
    run.goes_on(LIMIT_SECONDS, "the leader killed")
    leader.start()
    run.judge()


def test_who_is_no_member_stays_outside(begin, tls, authority, tmp_path, flavour):
    """A server with a certificate of another authority, for another host, and one in plaintext."""
    run = begin(3, **tls)
    other = Authority(tmp_path / "others")
    strange = {
        "tls_handshakes_failed": stores(other.sign("other", LOCAL), authority.trust),
        "wrong_certificates": stores(authority.sign("elsewhere", "DNS:elsewhere.example"), authority.trust),
        "plaintext_on_tls_port": {"sslQuorum": "false"},
    }
    outside = run.ensemble.followers()[0]
    for counter, config in strange.items():
        outside.stop()
        usual = dict(outside.config)
        outside.config |= config
        outside.spawn()
        if flavour.is_zooid:
            wait_for_refusal([member for member in run.ensemble.members if member is not outside], counter)
        run.goes_on(LIMIT_SECONDS, f"a follower is refused ({counter})")
        assert outside.alive() and outside.mode == ""
        outside.kill()
        outside.config = usual
        outside.start()
        run.ensemble.wait_until_serving([outside])
    run.judge()


def wait_for_refusal(members, counter: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not any(count(member, counter) for member in members):
        assert time.monotonic() < deadline, f"nobody refused a server (peer_{counter})"
        time.sleep(0.05)


def count(member, counter: str) -> int:
    lines = (line.split("\t") for line in member.ask("mntr").splitlines() if "\t" in line)
    return next(int(value) for name, value in lines if name == f"zk_zooid_peer_{counter}")


def test_from_plaintext_to_tls_without_a_stop(begin, tls):
    run = begin(3)
    encrypted_only = tls | {"portUnification": "false"}
    for config in (tls | {"sslQuorum": "false", "portUnification": "true"}, tls | {"portUnification": "true"}, encrypted_only):
        for member in [*run.ensemble.followers(), run.ensemble.leader()]:
            member.stop()
            member.config |= config
            member.start()
            run.ensemble.wait_until_serving(run.ensemble.members)
        run.goes_on(LIMIT_SECONDS, "all restarted")
    run.judge()


def test_files_that_cannot_be_used_are_said(start_ensemble, tls, tmp_path, flavour):
    """Before it is a member of anything: exit code 2, and a sentence that names the file."""
    if not flavour.is_zooid:
        return
    ensemble = start_ensemble(3, **tls)
    member = ensemble.followers()[0]
    assert member.stop() == 0
    missing = tmp_path / "missing.pem"
    for config, says in (
        ({"ssl.quorum.keyStore.location": missing}, f"cannot read the key store {missing}"),
        ({"ssl.quorum.keyStore.location": "store.jks"}, "a store in one of Java's formats"),
    ):
        usual = dict(member.config)
        member.config |= config
        member.spawn()
        assert member.process.wait(timeout=LIMIT_SECONDS) == 2
        assert says in member.log_tail()
        member.config = usual

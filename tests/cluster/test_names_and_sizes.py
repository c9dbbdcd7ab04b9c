"""What an ensemble takes that is not usual: names that come to mean another address, and very long entries."""

import os
import time

import pytest
from ensemble import Ensemble
from ports import HOST
from rawclient import RawClient
from server import Flavour

from test_kills import LIMIT_SECONDS

# Read only where they come with `/etc/hosts`: Zooid asks the system's resolver.
NAME = "third-member.test"
MOVED = "127.0.0.3"
LONG = 15_000_000


@pytest.fixture
def hosts(tmp_path, flavour):
    """What the servers see as `/etc/hosts`."""
    if os.geteuid() != 0:
        pytest.skip("only root can give processes an /etc/hosts of their own")
    file = tmp_path / "hosts"
    file.write_text(f"127.0.0.1 localhost\n127.0.0.99 {NAME}\n")
    return file


def seeing(flavour: Flavour, hosts) -> Flavour:
    """The same servers, in a mount namespace of their own."""
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return Flavour(flavour.name, flavour.version, lambda config: ["unshare", "--mount", "sh", "-c", script, str(hosts), *flavour.command(config)])


def test_a_name_is_looked_up_anew(flavour, hosts):
    """A member that moved is found, however long its name meant nobody."""
    ensemble = Ensemble(seeing(flavour, hosts), 3, {"tickTime": 500})
    try:
        for member in ensemble.members:
            member.config["server.3"] = member.config["server.3"].replace(HOST, NAME, 1)
        first, second, third = ensemble.members
        hosts.write_text(f"127.0.0.1 localhost {NAME}\n")
        ensemble.start()
        third.kill()
        hosts.write_text(f"127.0.0.1 localhost\n127.0.0.99 {NAME}\n")
        ensemble.wait_until_serving([first, second], LIMIT_SECONDS)
        time.sleep(3)
        # In place: a mount shows a file, not a name.
        hosts.write_text(f"127.0.0.1 localhost\n{MOVED} {NAME}\n")
        third.start()
        other = ensemble.leader()
        assert other is not third, "it comes back as a follower"
        other.kill()
        ensemble.wait_until_serving([member for member in ensemble.members if member is not other], LIMIT_SECONDS)
    finally:
        ensemble.discard()


def test_an_entry_may_be_as_long_as_the_longest_request(start_ensemble, flavour):
    """`jute.maxbuffer` says how long; what servers say to each other has room for it."""
    if not flavour.is_zooid:
        return
    ensemble = start_ensemble(3, **{"jute.maxbuffer": 20_000_000})
    leader, (follower, other) = ensemble.leader(), ensemble.followers()
    data = os.urandom(LONG)
    client = RawClient(follower.address)
    assert client.create("/long", data).ok
    client.close()
    other.kill()
    client = RawClient(leader.address)
    assert client.set("/long", data[::-1]).ok
    client.close()
    other.start()
    ensemble.wait_until_serving(ensemble.members)
    for member in ensemble.members:
        client = RawClient(member.address)
        assert client.get("/long").value[0] == data[::-1], member.number
        client.close()
    refusals = [member.ask("mntr") for member in ensemble.members]
    assert all("zk_zooid_peer_oversized_messages\t0" in text for text in refusals)

"""Says what kazoo can say to a server, once. Asks to be cut off by printing "drop"."""

import sys
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import BadVersionError, NoNodeError, NotEmptyError
from kazoo.security import make_digest_acl


def main(address: str) -> None:
    client = KazooClient(hosts=address, timeout=10)
    client.start()
    creates(client)
    reads_and_writes(client)
    transactions(client)
    watches(client)
    reconnect(client)
    access(client)
    client.stop()
    client.close()


def creates(client) -> None:
    client.create("/k")
    client.create("/k/data", b"data", include_data=True)
    client.create("/k/mine-", b"", ephemeral=True, sequence=True)
    client.ensure_path("/k/deep/path")


def reads_and_writes(client) -> None:
    client.exists("/k/data")
    client.get("/k/data")
    client.get_children("/k")
    client.get_children("/k", include_data=True)
    client.get_acls("/k/data")
    client.set_acls("/k/data", [make_digest_acl("user", "password", all=True)], version=0)
    client.set("/k/deep", b"other", version=0)
    client.sync("/k")
    client.delete("/k/deep/path")
    fails(NoNodeError, lambda: client.get("/k/none"))
    fails(NotEmptyError, lambda: client.delete("/k"))
    fails(BadVersionError, lambda: client.set("/k/deep", b"", version=9))


def fails(error, step) -> None:
    try:
        step()
    except error:
        return
    raise AssertionError(f"not {error}")


def transactions(client) -> None:
    good = client.transaction()
    good.create("/k/t", b"t")
    good.set_data("/k/t", b"u", version=0)
    good.check("/k/t", version=1)
    good.delete("/k/t")
    good.commit()
    bad = client.transaction()
    bad.create("/k/t", b"t")
    bad.check("/k/t", version=7)
    bad.delete("/k/t")
    results = bad.commit()
    assert any(isinstance(result, Exception) for result in results), results


def watches(client) -> None:
    client.exists("/k/missing", watch=print_nothing)
    client.get("/k/deep", watch=print_nothing)
    client.get_children("/k", watch=print_nothing)
    client.create("/k/missing")
    client.set("/k/deep", b"seen")


def print_nothing(event) -> None:
    del event


def reconnect(client) -> None:
    lost = []
    client.add_listener(lambda state: lost.append(state))
    print("drop", flush=True)
    while KazooState.SUSPENDED not in lost or client.state != KazooState.CONNECTED:
        time.sleep(0.01)
    client.exists("/k/deep")


def access(client) -> None:
    client.add_auth("digest", "user:password")
    client.create("/k/acl", acl=[make_digest_acl("user", "password", all=True)])
    client.get_acls("/k/acl")


main(sys.argv[1])

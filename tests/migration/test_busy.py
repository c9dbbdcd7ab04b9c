"""A ZooKeeper that is killed while many write and it takes snapshots: what is imported is what it finds itself.

`MIGRATION_ROUNDS` says how often; once is for every day.
"""

import os
import random
import threading
import time

import pytest
from conftest import zooid
from protocol import Flag
from rawclient import Closed, RawClient, Sub

import tree

ROUNDS = int(os.environ.get("MIGRATION_ROUNDS", "1"))
WRITERS = 4


def write(address, seed: int) -> None:
    """Sessions come and go, with all kinds of writes, until the server is gone."""
    dice = random.Random(seed)
    try:
        while True:
            client = tree.client(address)
            for _ in range(dice.randrange(5, 60)):
                write_once(client, dice)
            # Some sessions end, others are only left.
            if dice.randrange(2):
                client.close()
            else:
                client.abandon()
    except (Closed, OSError, AssertionError):
        return


def write_once(client: RawClient, dice: random.Random) -> None:
    parent = f"/busy/{dice.randrange(8)}"
    path = f"{parent}/{dice.randrange(30)}"
    data = bytes(dice.randrange(200))
    match dice.randrange(9):
        case 0 | 1:
            client.create(path, data, dice.choice([tree.OPEN, tree.MIXED]))
        case 2:
            client.create(f"{parent}/n-", data, flags=Flag.EPHEMERAL_SEQUENTIAL)
        case 3:
            client.delete(path)
        case 4 | 5:
            client.set(path, data)
        case 6:
            client.multi(Sub.create(path), Sub.set(parent, data), Sub.delete(path))
        case 7:
            client.create_container(f"{parent}/container{dice.randrange(3)}")
            client.create2(f"{parent}/container{dice.randrange(3)}/below")
        case 8:
            client.set_acl(path, dice.choice([tree.OPEN, tree.MIXED]))
            client.create_ttl(f"{parent}/ttl{dice.randrange(3)}", 1 << 35)


@pytest.mark.parametrize("zookeeper", ["zookeeper-3.8", "zookeeper-3.9"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_a_killed_zookeeper_finds_is_imported(prepare, zookeeper, seed):
    there = prepare(zookeeper, snapCount=200).start()
    client = tree.client(there.address)
    assert client.create("/busy").ok
    assert all(client.create(f"/busy/{number}").ok for number in range(8))
    writers = [threading.Thread(target=write, args=(there.address, seed * WRITERS + number)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(2 + seed % 3)
    there.kill()
    for writer in writers:
        writer.join()
    ours = prepare("zooid")
    print(zooid("import", there.data_dir, ours.data_dir))
    found = tree.read(tree.client(there.start().address))
    tree.check_equal(found, tree.read(tree.client(ours.start().address)))
    assert len(found) > 50

"""SIGKILL, again and again, under load, while checkpoints are written and merged."""

import random
import time

from rawclient import RawClient
from writers import Writers, check_all

# So that a checkpoint is begun many times a second, and a merge every few.
OFTEN = {"snapCount": 200, "commitLogCount": 50}


def test_everything_acknowledged_is_there_after_each_kill(start, request):
    server = start(**OFTEN)
    until = time.monotonic() + 60 * request.config.getoption("--minutes")
    kills, chance = 0, random.Random(7)
    writers = Writers(server)
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.2, 2.0))
        before = [writer.acknowledged for writer in writers.all]
        server.kill()
        server.start()
        kills += 1
        check_not_behind(server, writers, before)
    writers.end()
    check_all(server, writers.all)
    assert server.stop() == 0
    server.start()
    check_all(server, writers.all)
    log = server.log_file.read_text(errors="replace")
    checkpoints, merges = log.count("checkpoint zxid="), log.count("merged the checkpoint's runs")
    print(f"{kills} kills, {writers.acknowledged} rounds of writes acknowledged, {checkpoints} checkpoints, {merges} merges, none lost")
    assert kills and checkpoints and merges
    assert "panicked" not in log


def check_not_behind(server, writers: Writers, before: list[int]) -> None:
    """The writers are at work again already: nobody may be behind what it was told before the kill."""
    client = RawClient(server.address)
    for writer, acknowledged in zip(writers.all, before, strict=True):
        if acknowledged:
            number = int(client.get(writer.path).value[0])
            assert number >= acknowledged, f"{writer.path} is at {number}, and {acknowledged} was acknowledged before the kill"
    client.close()

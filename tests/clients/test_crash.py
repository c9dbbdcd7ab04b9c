"""SIGKILL under load, again and again: what was acknowledged is there, what was not is there whole and in order or not at all.

What the load is and how it is checked: `workload`.
"""

import random

import pytest
from workload import SEED, check_after_restart, run_until_killed, start_workers

ROUNDS = 10


@pytest.mark.parametrize("seed", [SEED])
def test_kill_under_load(start_server, seed):
    server = start_server(tickTime=3000)
    workers = start_workers(server)
    dice = random.Random(seed)
    for round_number in range(ROUNDS):
        before = sum(worker.acknowledged for worker in workers)
        run_until_killed(server, workers, dice.uniform(0.2, 1.5))
        server.start()
        check_after_restart(server, workers)
        print(f"round {round_number}: {sum(worker.acknowledged for worker in workers) - before} acknowledged")
    assert sum(worker.acknowledged for worker in workers) > 100 * ROUNDS
    for worker in workers:
        worker.client.close()

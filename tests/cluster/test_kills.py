"""SIGKILL, of one, of several, of all: the others go on, and nothing that was acknowledged is lost."""

import time

# How long nobody may be able to write while a majority is there.
LIMIT_SECONDS = 20


def test_leader(begin, rounds):
    run = begin(3)
    for number in rounds:
        leader = run.ensemble.leader()
        leader.kill()
        run.goes_on(LIMIT_SECONDS, f"leader {leader.number} killed, round {number}")
        leader.start()
        run.goes_on(LIMIT_SECONDS, f"member {leader.number} is back")
    run.judge()


def test_follower(begin, rounds):
    run = begin(3)
    for number in rounds:
        follower = run.ensemble.followers()[number % 2]
        follower.kill()
        run.goes_on(LIMIT_SECONDS, f"follower {follower.number} killed, round {number}")
        follower.start()
        run.goes_on(LIMIT_SECONDS, f"follower {follower.number} is back")
    run.judge()


def test_all(begin, rounds):
    run = begin(3)
    for number in rounds:
        run.ensemble.kill()
        run.ensemble.start()
        run.goes_on(LIMIT_SECONDS, f"all killed, round {number}")
        time.sleep(0.5)
    run.judge()


def test_leader_and_another_of_five(begin, rounds):
    run = begin(5)
    for number in rounds:
        killed = [run.ensemble.leader(), run.ensemble.followers()[number % 4]]
        for member in killed:
            member.kill()
        run.goes_on(LIMIT_SECONDS, f"members {[member.number for member in killed]} of five killed")
        for member in killed:
            member.start()
    run.goes_on(LIMIT_SECONDS, "all are there")
    run.judge()


def test_leader_before_the_last_is_back(begin, rounds):
    """Kills that follow each other so closely that a member is in the midst of catching up when the next comes."""
    run = begin(3)
    for number in rounds:
        leader = run.ensemble.leader()
        leader.kill()
        leader.spawn()
        run.goes_on(LIMIT_SECONDS, f"leader {leader.number} killed, round {number}")
    run.ensemble.wait_until_serving(run.ensemble.members)
    run.judge()

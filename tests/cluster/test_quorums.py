"""Quorums that are no majorities of all processes: groups, weights, observers. What counts is not how many are there."""

import time

import pytest
from ports import HOST, free_ports
from rawclient import RawClient

from test_kills import LIMIT_SECONDS

# Longer than followers are waited for, so that a leader without a quorum has noticed.
UNNOTICED_SECONDS = 4

# The members 1 and 2 of five are a quorum, and the three others are not.
FEWER_ARE_MORE = {
    "weights": {"group.1": "1:2:3:4:5", "weight.1": 3},
    "groups": {"group.1": "1", "group.2": "2", "group.3": "3:4:5"},
}


@pytest.mark.parametrize("lines", FEWER_ARE_MORE.values(), ids=FEWER_ARE_MORE)
def test_two_of_five_decide(begin, lines):
    run = begin(5, **lines)
    two, three = run.ensemble.members[:2], run.ensemble.members[2:]
    for name in lines:
        check_shown(run.ensemble.members, f"{name}={lines[name]}")
    for member in three:
        member.kill()
    run.goes_on(LIMIT_SECONDS, "three of five killed, which are no quorum")
    for member in three:
        member.start()
    run.goes_on(LIMIT_SECONDS, "all are there")
    for member in two:
        member.kill()
    check_nobody_serves(run, three)
    for member in two:
        member.start()
    run.goes_on(LIMIT_SECONDS, "all are there again")
    run.judge()


def test_observers_serve_and_decide_nothing(begin):
    run = begin(5, observers=2)
    voters, observers = run.ensemble.members[:3], run.ensemble.members[3:]
    assert run.ensemble.leader() in voters
    for observer in observers:
        assert observer.mode == "observer" and "zk_server_state\tobserver" in observer.ask("mntr")
        check_serves(observer, voters[0])
    monitored = set(run.ensemble.leader().ask("mntr").splitlines())
    expected = {"zk_quorum_size\t3", "zk_synced_followers\t2", "zk_synced_observers\t2"}
    assert monitored >= expected, expected - monitored
    for observer in observers:
        observer.kill()
    run.goes_on(LIMIT_SECONDS, "the observers are killed")
    for observer in observers:
        observer.start()
    killed = [run.ensemble.leader(), next(member for member in voters if member.mode == "follower")]
    for member in killed:
        member.kill()
    check_nobody_serves(run, [member for member in run.ensemble.members if member not in killed])
    for member in killed:
        member.start()
    run.goes_on(LIMIT_SECONDS, "all are there again")
    run.ensemble.wait_until_serving(observers, LIMIT_SECONDS)
    assert [member.mode for member in observers] == ["observer", "observer"]
    run.judge()


def test_a_file_with_other_voters_than_the_log_is_refused(begin, flavour):
    """Its own file does not make a server decide with others than the ensemble does; observers may come by the file."""
    if not flavour.is_zooid:
        return
    run = begin(3)
    follower = run.ensemble.followers()[0]
    assert follower.stop() == 0
    port, election_port = free_ports(2)
    line = f"{HOST}:{port}:{election_port}"
    follower.config["server.4"] = line
    follower.spawn()
    assert follower.process.wait(timeout=LIMIT_SECONDS) == 2
    said = follower.log_tail(1)
    assert "has as servers with a vote: 1, 2, 3, 4; but the log" in said and ": 1, 2, 3. This version cannot change" in said
    follower.config["server.4"] = f"{line}:observer"
    follower.start()
    run.goes_on(LIMIT_SECONDS, "the file has another observer")
    run.judge()


def check_serves(observer, voter) -> None:
    """It forwards what is written at it, and reads what it has itself."""
    there, here = RawClient(voter.address), RawClient(observer.address)
    path = f"/of-{observer.number}"
    assert here.create(path, b"1").ok and there.sync(path).ok and there.get(path).value[0] == b"1"
    assert there.set(path, b"2").ok and here.sync(path).ok and here.get(path).value[0] == b"2"
    here.close()
    there.close()


def check_shown(members, line: str) -> None:
    for member in members:
        client = RawClient(member.address)
        shown = client.get("/zookeeper/config").value[0].decode().splitlines()
        client.close()
        assert line in shown, f"/zookeeper/config of member {member.number}: {shown}"
        assert line in member.ask("conf").splitlines()


def check_nobody_serves(run, members) -> None:
    """Those that are left are no quorum: nothing is acknowledged any more."""
    time.sleep(UNNOTICED_SECONDS)
    assert [member.mode for member in members] == [""] * len(members)
    asleep = sum(write.zxid is not None for writer in run.workload.writers for write in writer.writes)
    time.sleep(1)
    assert asleep == sum(write.zxid is not None for writer in run.workload.writers for write in writer.writes)

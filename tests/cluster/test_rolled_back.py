"""Disks that are older copies of themselves. They look sound to their own server; only the others can tell."""

import shutil
import time

import pytest

from test_kills import LIMIT_SECONDS

# The leader says every two seconds what everybody has, and every two seconds it is recorded.
RECORDED_SECONDS = 6


@pytest.fixture(autouse=True)
def zooid_only(flavour):
    if not flavour.is_zooid:
        pytest.skip("ZooKeeper takes such a disk as it is")


def test_after_all_were_down_the_others_tell_who_lost_what_it_had(begin):
    run = begin(3)
    victim, *others = by_role(run.ensemble)
    roll_back(run, victim)
    run.ensemble.kill()
    put_back(victim)
    run.ensemble.start()
    run.goes_on(LIMIT_SECONDS, "all are there")
    check_taken_in_again(victim)
    others[-1].kill()
    run.goes_on(LIMIT_SECONDS, f"only {others[0].number} and {victim.number}, which was taken in again, are there")
    others[-1].start()
    run.judge()


def test_a_member_that_lost_what_it_had_is_no_part_of_a_majority(begin):
    """The other one has everything, and a majority of processes is there; but one of them has no vote."""
    run = begin(3)
    victim, other, last = by_role(run.ensemble)
    roll_back(run, victim)
    run.ensemble.kill()
    put_back(victim)
    for member in (victim, other):
        member.spawn()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        assert (victim.mode, other.mode) == ("", ""), "they serve without a majority that has everything"
        time.sleep(0.1)
    last.start()
    run.goes_on(LIMIT_SECONDS, "all are there")
    check_taken_in_again(victim)
    run.judge()


def by_role(ensemble):
    """Followers, then the leader."""
    return [*ensemble.followers(), ensemble.leader()]


def roll_back(run, member) -> None:
    """Copies its disk, and lets the others record that it acknowledged more than that."""
    assert member.stop() == 0
    shutil.copytree(member.data_dir, copy_of(member))
    member.start()
    run.goes_on(LIMIT_SECONDS, f"the disk of member {member.number} was copied")
    time.sleep(RECORDED_SECONDS)


def put_back(member) -> None:
    shutil.rmtree(member.data_dir)
    copy_of(member).rename(member.data_dir)


def copy_of(member):
    return member.directory / "copy"


def check_taken_in_again(member) -> None:
    """It found out, kept what it had aside, and has a vote again."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while "was taken in again and has a vote" not in member.log_file.read_text():
        assert time.monotonic() < deadline, member.log_tail()
        time.sleep(0.1)
    said = member.log_file.read_text()
    assert "the disk is an older copy; what is here is set aside, and this server starts over" in said
    assert "this server cannot know that it has everything" in said
    assert list((member.data_dir / "zooid").glob("suspect-*/witness"))
    assert not (member.data_dir / "zooid/suspect").exists()

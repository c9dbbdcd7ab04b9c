"""Members that are late, asleep, damaged or asked to stop: they come back with everything, and nobody else notices."""

import shutil
import time

from test_kills import LIMIT_SECONDS

# A checkpoint is taken often, and little of the log is kept: whoever was away for long needs a checkpoint.
FORGETFUL = {"snapCount": 200, "commitLogCount": 50}


def test_a_late_follower_is_sent_a_checkpoint(begin, flavour):
    # An observer keeps the whole log, for the judge: it never leads, so nobody else is given it.
    run = begin(4, observers=1, config_of_observers={"commitLogCount": None}, **FORGETFUL)
    follower = run.ensemble.followers()[0]
    follower.kill()
    time.sleep(4)
    follower.start()
    run.goes_on(LIMIT_SECONDS, f"follower {follower.number} is back")
    if flavour.is_zooid:
        assert "installed the leader's checkpoint" in follower.log_file.read_text()
    run.judge()


def test_a_wiped_member_gets_everything_and_has_a_vote_again(begin):
    run = begin(3)
    follower, other = run.ensemble.followers()
    follower.kill()
    follower.wipe()
    follower.start()
    run.ensemble.wait_until_serving([follower])
    # It is taken in by an entry, which comes soon after it serves.
    time.sleep(1)
    other.kill()
    run.goes_on(LIMIT_SECONDS, f"only the leader and the wiped member {follower.number} are there")
    other.start()
    run.goes_on(LIMIT_SECONDS, "all are there")
    run.judge()


def test_a_member_that_lost_its_witness_is_taken_in_again(begin, flavour):
    """A file that says how far the log reached is gone: it cannot know that it has everything."""
    if not flavour.is_zooid:
        return
    run = begin(3)
    follower, other = run.ensemble.followers()
    follower.kill()
    (follower.data_dir / "zooid/witness").unlink()
    follower.start()
    run.ensemble.wait_until_serving([follower])
    time.sleep(1)
    said = follower.log_file.read_text()
    assert "cannot know that it has everything" in said and "was taken in again and has a vote" in said
    other.kill()
    run.goes_on(LIMIT_SECONDS, f"only the leader and member {follower.number} are there")
    other.start()
    run.judge()


def test_a_leader_that_slept_does_not_lead_when_it_wakes(begin, rounds):
    run = begin(3)
    for number in rounds[:1]:
        leader = run.ensemble.leader()
        leader.pause()
        # Longer than the session timeout of six seconds.
        time.sleep(8)
        run.goes_on(LIMIT_SECONDS, f"leader {leader.number} sleeps, round {number}")
        leader.resume()
        run.goes_on(LIMIT_SECONDS, f"leader {leader.number} woke up")
    # Its own clients could not be heard meanwhile, and may have been given up.
    run.judge(expired=len(run.workload.clients))


def test_a_rolling_restart(begin, rounds):
    run = begin(3)
    for member in [*run.ensemble.followers(), run.ensemble.leader()]:
        assert member.stop() == 0, member.log_tail()
        member.start()
        run.goes_on(LIMIT_SECONDS, f"member {member.number} was restarted")
    run.judge()


def test_two_wiped_of_three_lose_nothing_by_themselves(begin, flavour):
    """Who is left alone with the data must not be outvoted by two that know nothing."""
    if not flavour.is_zooid:
        return
    run = begin(3)
    run.workload.stop()
    run.ensemble.kill()
    for member in run.ensemble.members[:2]:
        shutil.rmtree(member.data_dir / "zooid")
    for member in run.ensemble.members:
        member.spawn()
    time.sleep(4)
    assert [member.mode for member in run.ensemble.members] == ["", "", ""], "an ensemble formed without its data"

"""What is done to a running Flink cluster, and what must be true afterwards.

Each scenario is a function that acts on a `Setting`, asserts, and yields sentences on what it observed. They
build on each other: `plan` gives them in order. Whatever a scenario does, the job's own journal has to
stay free of contradictions (`journal.py`) and no znode may point to a file that is not there.
"""

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ensemble import Ensemble, Member
from server import Server

from cluster import Cluster
from configuration import JOBMANAGERS, RETAINED_CHECKPOINTS, SESSION_SECONDS, SLOTS
from waiting import Clock, until

START_SECONDS = 90
RECOVERY_SECONDS = 90
GONE_SECONDS = 20
QUORUM_LOST_SECONDS = 20
# A client pings every third of its timeout: when it dies, its session has at least two thirds left.
EARLIEST_EXPIRY_SECONDS = SESSION_SECONDS * 2 / 3 - 1
LATEST_EXPIRY_SECONDS = SESSION_SECONDS + 10
# After a completed checkpoint, so that outages fall on different phases of the next one.
PAUSES_SECONDS = (0, 0.35, 0.7)
# What stands below a cluster's znode while it has JobManagers and no job.
WITHOUT_JOB = re.compile(
    r"applications|execution-plans|jobs|leader|leader/latch|leader/latch/_c_[0-9a-f-]{36}-latch-\d{10}"
    r"|leader/(dispatcher|resource_manager|rest_server)(/connection_info)?"
)


@dataclass
class Setting:
    """What the scenarios act on. The job's id is known once it is submitted."""

    servers: Server | Ensemble
    cluster: Cluster
    jar: Path
    job: str = ""
    # Once true, Flink may leave files of checkpoints behind: those that the former leader had locked.
    leadership_moved_in_outage: bool = False


@dataclass(frozen=True)
class Scenario:
    """`act` yields its observations; `does` says for a reader what happens."""

    title: str
    does: str
    act: Callable[[Setting], Iterator[str]]


def plan_for_ensemble(tolerates_suspended: bool) -> list[Scenario]:
    """The scenarios for one cluster on several servers, in order."""
    kill, restart = kill_leading_server, restart_all_servers
    if tolerates_suspended:
        kill, restart = kill_leading_server_calmly, restart_all_servers_calmly
    return [
        BEGIN,
        Scenario("kill the leading server", "SIGKILL the coordination server that leads, then start it on its data", kill),
        Scenario("restart all servers", "SIGTERM one coordination server after the other and start it on its data, the leader last", restart),
        Scenario("lose the quorum", f"SIGKILL the leading server and another one; both come back after {QUORUM_LOST_SECONDS} s", lose_quorum),
        END,
    ]


def plan(tolerates_suspended: bool) -> list[Scenario]:
    """The scenarios for one cluster on one server, in order."""
    if tolerates_suspended:
        outages = Scenario("restart the server", "SIGKILL the coordination server three times and start it on its data", restart_server_thrice)
        handover = Scenario("stop the leader", "SIGTERM the leading JobManager; it closes its session, the standby must follow at once", terminate_leader)
        return [BEGIN, outages, handover, END]
    takeover = Scenario("kill the leader", "SIGKILL the leading JobManager; the standby must resume the job", kill_leader)
    restarted = Scenario("restart the server", "SIGKILL the coordination server while the job runs and start it on its data", restart_server)
    return [BEGIN, takeover, restarted, END]


def start(setting: Setting) -> Iterator[str]:
    cluster, clock = setting.cluster, Clock()
    cluster.start()
    until("a leader in the znodes", START_SECONDS, lambda: cluster.leader() in range(JOBMANAGERS))
    yield f"leader is JobManager {cluster.leader()} after {clock}"
    until("the TaskManager's slots", START_SECONDS, lambda: cluster.rest().free_slots() == SLOTS)
    cluster.wait_for_standby(START_SECONDS)
    setting.job = cluster.submit(setting.jar)
    yield f"job {setting.job} submitted after {clock}"
    completed = cluster.moved_on(setting.job, beyond=RETAINED_CHECKPOINTS, limit=START_SECONDS)
    yield f"job runs, checkpoint {completed} complete after {clock}"
    yield check_znodes(setting, completed)
    check_witnesses(setting)


def check_znodes(setting: Setting, completed: int) -> str:
    """The znodes of a running job: leader, standby, plan, checkpoints, counter, and their owners."""
    znodes, job = setting.cluster.znodes, setting.job
    tree = znodes.tree()
    for component in ("dispatcher", "resource_manager", "rest_server", f"job-{job}"):
        assert tree.get(f"leader/{component}/connection_info"), f"no ephemeral leader/{component}/connection_info in {sorted(tree)}"
    leaders = {owner for path, owner in tree.items() if path.endswith("/connection_info")}
    assert leaders <= znodes.latch_sessions(), f"connection_info belongs to {leaders}, the latch to others"
    assert len(leaders) == 1, f"more than one leader: sessions {leaders}"
    assert znodes.execution_plan(job).exists(), "the execution plan's file is not there"
    kept = znodes.checkpoints(job)
    assert max(kept, default=0) >= completed, f"checkpoint {completed} is complete, but the znodes are {sorted(kept)}"
    assert znodes.checkpoint_counter(job) > completed, "the checkpoint counter stands at a checkpoint that is complete"
    return f"{len(tree)} znodes; checkpoints {sorted(kept)}, next id {znodes.checkpoint_counter(job)}"


def kill_leader(setting: Setting) -> Iterator[str]:
    took = yield from replace_leader(setting, setting.cluster.kill)
    assert took >= EARLIEST_EXPIRY_SECONDS, f"the dead leader's session of {SESSION_SECONDS} s ended after {took:.1f} s"
    assert took <= LATEST_EXPIRY_SECONDS, f"the dead leader's session of {SESSION_SECONDS} s ended only after {took:.1f} s"


def terminate_leader(setting: Setting) -> Iterator[str]:
    took = yield from replace_leader(setting, setting.cluster.terminate)
    assert took < EARLIEST_EXPIRY_SECONDS, f"the leader closed its session, but was replaced only after {took:.1f} s"


def replace_leader(setting: Setting, end_process: Callable[[str], None]) -> Generator[str, None, float]:
    """Ends the leader, sees the standby resume the job, starts a new standby. Seconds without a leader."""
    cluster, job, journal = setting.cluster, setting.job, setting.cluster.journal
    old, starts, completed = cluster.leader(), journal.starts(), cluster.rest().completed(job)
    end_process(f"jobmanager-{old}")
    clock = Clock()
    completed = max(completed, journal.completed())
    until("another leader", RECOVERY_SECONDS, lambda: cluster.leader() != old)
    took = clock.seconds()
    yield f"JobManager {cluster.leader()} leads after {took:.1f} s"
    later = cluster.moved_on(job, beyond=completed, limit=RECOVERY_SECONDS)
    yield f"job runs, checkpoint {later} complete after {clock}"
    restored = cluster.rest().restored(job)
    assert restored >= completed, f"checkpoint {restored} was restored, but {completed} was complete before the leader's end"
    assert journal.last_start() == restored, f"the job says it restored {journal.last_start()}, Flink says {restored}"
    assert journal.starts() > starts, "the job was not started by the new leader"
    yield f"restored checkpoint {restored}; complete at the leader's end: {completed}; counted since: {journal.count()}"
    check_witnesses(setting)
    cluster.start_jobmanager(old)
    cluster.wait_for_standby(START_SECONDS)
    yield f"JobManager {old} is standby again after {clock}"
    return took


def restart_server_thrice(setting: Setting) -> Iterator[str]:
    with no_restarts(setting):
        for pause in PAUSES_SECONDS:
            time.sleep(pause)
            yield from restart_server(setting)


@contextmanager
def no_restarts(setting: Setting):
    starts = setting.cluster.journal.starts()
    yield
    restarts = setting.cluster.journal.starts() - starts
    assert restarts == 0, f"the job was restarted {restarts} times although all sessions outlived the outages"


def restart_server(setting: Setting) -> Iterator[str]:
    server = setting.servers

    def mend(clock: Clock) -> Iterator[str]:
        server.start()
        yield f"server serves again after {clock}"

    yield from outage(setting, server.kill, mend)
    assert not setting.cluster.exited(), f"Flink processes ended: {setting.cluster.exited()}"


def kill_leading_server(setting: Setting) -> Iterator[str]:
    ensemble = setting.servers
    leader = ensemble.leader()

    def mend(clock: Clock) -> Iterator[str]:
        yield f"server {leader.number} led; server {ensemble.leader().number} leads after {clock}"
        leader.spawn()
        ensemble.wait_until_serving([leader])
        yield f"server {leader.number} is back as {leader.mode} after {clock}"

    yield from outage(setting, leader.kill, mend)


def kill_leading_server_calmly(setting: Setting) -> Iterator[str]:
    with no_restarts(setting):
        yield from kill_leading_server(setting)


def restart_all_servers(setting: Setting) -> Iterator[str]:
    """The leader last, as operators do it."""
    ensemble = setting.servers
    for member in [*ensemble.followers(), ensemble.leader()]:

        def mend(clock: Clock, member: Member = member) -> Iterator[str]:
            member.spawn()
            ensemble.wait_until_serving([member])
            yield f"server {member.number} is back as {member.mode} after {clock}"

        yield from outage(setting, member.stop, mend)


def restart_all_servers_calmly(setting: Setting) -> Iterator[str]:
    with no_restarts(setting):
        yield from restart_all_servers(setting)


def lose_quorum(setting: Setting) -> Iterator[str]:
    ensemble = setting.servers
    lost = [ensemble.leader(), ensemble.followers()[0]]

    def kill_both() -> None:
        for member in lost:
            member.kill()

    def mend(clock: Clock) -> Iterator[str]:
        time.sleep(QUORUM_LOST_SECONDS)
        for member in lost:
            member.spawn()
        ensemble.wait_until_serving(ensemble.members)
        yield f"servers {' and '.join(str(member.number) for member in lost)} were gone; all serve again after {clock}"

    # Flink's clients give up when they find no server for as long as a session lasts.
    with setting.cluster.supervised():
        yield from outage(setting, kill_both, mend, sessions_stay=QUORUM_LOST_SECONDS < SESSION_SECONDS)
    revived = ", ".join(setting.cluster.revived)
    yield f"JobManagers that had given up, and were started again as whoever supervises them does: {revived or 'none'}"


def outage(setting: Setting, disturb: Callable[[], object], mend: Callable[[Clock], Iterator[str]], sessions_stay: bool = True) -> Iterator[str]:
    """Servers go and come back: the job goes on, or is restarted from the last checkpoint that was complete."""
    cluster, job, znodes = setting.cluster, setting.job, setting.cluster.znodes
    leader, sessions, starts = cluster.leader(), znodes.latch_sessions(), cluster.journal.starts()
    kept = set(znodes.checkpoints(job))
    clock = Clock()
    disturb()
    completed, newest = cluster.journal.completed(), cluster.journal.newest()
    yield from mend(clock)
    check_nothing_lost(setting, completed, newest, kept)
    later = cluster.moved_on(job, beyond=newest, limit=RECOVERY_SECONDS)
    moved = cluster.leader() != leader
    setting.leadership_moved_in_outage |= moved
    restarts = cluster.journal.starts() - starts
    restored = f", restored checkpoint {cluster.journal.last_start()}" if restarts else ""
    yield (
        f"job runs, checkpoint {later} complete after {clock} (before: {completed}); "
        f"{'another' if moved else 'the same'} leader, job restarts: {restarts}{restored}"
    )
    cluster.wait_for_standby(RECOVERY_SECONDS)
    now = znodes.latch_sessions()
    assert now == sessions or not sessions_stay, f"the JobManagers' sessions were {sessions}, now they are {now}: not all were re-attached"
    check_witnesses(setting)


def check_nothing_lost(setting: Setting, completed: int, newest: int, kept: set[int]) -> None:
    """What the server acknowledged before its end is there, or newer checkpoints have pushed it out."""
    znodes, job = setting.cluster.znodes, setting.job
    now = set(until("a session with the restarted server", RECOVERY_SECONDS, lambda: [znodes.checkpoints(job)])[0])
    assert max(now, default=0) >= completed, f"checkpoint {completed} was complete, but the znodes are {sorted(now)}"
    due = set(sorted(kept | now)[-RETAINED_CHECKPOINTS:])
    assert due <= now, f"checkpoints {sorted(due - now)} are lost: before {sorted(kept)}, now {sorted(now)}"
    counter = until("the checkpoint counter", RECOVERY_SECONDS, lambda: znodes.checkpoint_counter(job))
    assert counter > newest, f"checkpoint {newest} was begun, but the counter would give {counter} to the next"
    check_witnesses(setting)


def cancel_and_stop(setting: Setting) -> Iterator[str]:
    cluster, job, clock = setting.cluster, setting.job, Clock()
    check_witnesses(setting)
    cluster.rest().cancel(job)
    until("the job to be CANCELED", GONE_SECONDS, lambda: cluster.rest().state(job) == "CANCELED")
    until("the job's znodes to be gone", GONE_SECONDS, lambda: not [path for path in cluster.znodes.tree() if job in path])
    left = cluster.znodes.tree()
    strangers = [path for path in left if not WITHOUT_JOB.fullmatch(path)]
    assert not strangers, f"these znodes should not be there without a job: {strangers}"
    yield f"the job's znodes are gone after {clock}; {len(left)} of the cluster stay"
    yield check_files(setting)
    assert not cluster.exited(), f"Flink processes ended: {cluster.exited()}"
    clock = Clock()
    cluster.terminate_all()
    ephemerals = [path for path, owner in cluster.znodes.tree().items() if is_ephemeral(owner)]
    assert not ephemerals, f"sessions were not closed: {ephemerals} are still there"
    yield f"all processes ended and all sessions were closed after {clock}"


def is_ephemeral(owner: int) -> bool:
    """Containers and nodes with a time to live use the sign bit of the owner."""
    return owner > 0


def check_files(setting: Setting) -> str:
    """Flink removes what its znodes pointed to. Locks that a former leader still holds prevent that: allowed."""
    storage = setting.cluster.directory / "ha-storage"
    left = [file.name for file in storage.rglob("*") if file.name.startswith(("completedCheckpoint", "submittedExecutionPlan"))]
    assert not left or setting.leadership_moved_in_outage, f"files of the cancelled job are left: {left}"
    dirty = list(storage.rglob("*_DIRTY.json"))
    assert not dirty, f"Flink did not finish its clean-up: {dirty}"
    return f"{len(left)} of its files are left" + (" (leadership moved in an outage)" if left else "")


def check_witnesses(setting: Setting) -> None:
    """What must hold at any time while the job exists."""
    setting.cluster.journal.check()
    dangling = until("the checkpoints' znodes", RECOVERY_SECONDS, lambda: [setting.cluster.znodes.dangling(setting.job)])[0]
    assert not dangling, f"znodes point to files that are not there: {dangling}"


BEGIN = Scenario("start", "two JobManagers, a TaskManager, the counting job with a checkpoint every second", start)
END = Scenario("cancel", "cancel the job, then SIGTERM to all Flink processes, the leader last", cancel_and_stop)

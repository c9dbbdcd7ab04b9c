"""What is measured on one kind of server: kills of the leader, starts, a wiped follower. Start with `measure`."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field

from ensemble import Ensemble, Member
from load import fill
from rawclient import Closed, RawClient
from server import Flavour

from writers import Writer, Writing, read_back

LIMIT_SECONDS = 60
FILL_DATA = bytes(100)
POLL_SECONDS = 0.01
# Between a member's return and the next kill.
SETTLE_SECONDS = 1.0


@dataclass
class Figures:
    """Seconds of each measurement by what was measured."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    acknowledged: int = 0
    in_doubt: int = 0
    expired: int = 0
    lost: list[str] = field(default_factory=list)

    def add(self, row: str, seconds: float) -> None:
        self.seconds.setdefault(row, []).append(seconds)

    def summary(self, row: str) -> tuple[float, float] | None:
        values = self.seconds.get(row)
        return (statistics.median(values), max(values)) if values else None

    def verdict(self) -> str:
        lost = f"LOST {len(self.lost)}: {self.lost[:5]}" if self.lost else "none lost"
        return f"{self.acknowledged} writes acknowledged, {lost}; {self.in_doubt} without an answer, {self.expired} sessions expired"

    def as_json(self) -> dict:
        counts = {"acknowledged": self.acknowledged, "in_doubt": self.in_doubt, "expired_sessions": self.expired, "lost": self.lost}
        return {"seconds": self.seconds, **counts}


def measure(kind: Flavour, kills: int, starts: int, znodes: int) -> Figures:
    figures = Figures()
    for _ in range(starts):
        figures.add("start", seconds_to_first_write(kind))
    show(kind, f"three started, to the first write: {', '.join(f'{each:.2f}' for each in figures.seconds.get('start', []))} s")
    if kills:
        asyncio.run(kill_leaders(kind, kills, figures))
    if znodes:
        figures.add("wiped", seconds_of_wiped_follower(kind, znodes))
        show(kind, f"follower wiped beside {znodes:,} znodes: back after {figures.seconds['wiped'][0]:.2f} s")
    return figures


def show(kind: Flavour, text: str) -> None:
    print(f"  {kind.name}: {text}", flush=True)


# Kills.


async def kill_leaders(kind: Flavour, kills: int, figures: Figures) -> None:
    ensemble = Ensemble(kind)
    try:
        ensemble.start()
        writing = await Writing.begin(ensemble.addresses)
        await asyncio.sleep(SETTLE_SECONDS)
        for number in range(kills):
            await kill_leader(ensemble, writing, figures)
            first, all_of_them = (figures.seconds[row][-1] for row in ("kill", "kill_all"))
            show(kind, f"kill {number + 1} of {kills}: next write after {first:.3f} s, of every client after {all_of_them:.3f} s")
        await writing.end()
        settle_accounts(ensemble, writing.writers, figures)
        show(kind, await asyncio.to_thread(ensemble.check_equal))
    finally:
        ensemble.discard()


async def kill_leader(ensemble: Ensemble, writing: Writing, figures: Figures) -> None:
    leader = await asyncio.to_thread(ensemble.leader)
    new_epoch = writing.expect_new_epoch()
    killed = time.perf_counter()
    leader.process.kill()
    async with asyncio.timeout(LIMIT_SECONDS):
        figures.add("kill", await new_epoch.first - killed)
        figures.add("kill_all", await new_epoch.of_all - killed)
    leader.process.wait()
    leader.spawn()
    await asyncio.to_thread(wait_until_back, ensemble, leader)
    await asyncio.sleep(SETTLE_SECONDS)
    writing.check()


def wait_until_back(ensemble: Ensemble, member: Member) -> None:
    """Until it serves and has what the leader had when it began to."""
    ensemble.wait_until_serving([member], LIMIT_SECONDS)
    there, deadline = ensemble.leader().zxid, time.monotonic() + LIMIT_SECONDS
    while member.zxid < there:
        assert time.monotonic() < deadline, f"member {member.number} does not catch up:\n{member.log_tail()}"
        time.sleep(POLL_SECONDS)


def settle_accounts(ensemble: Ensemble, writers: list[Writer], figures: Figures) -> None:
    """Every acknowledged znode must be on every member, and no other than those without an answer."""
    figures.acknowledged = sum(len(writer.acknowledged) for writer in writers)
    figures.in_doubt = sum(len(writer.in_doubt) for writer in writers)
    figures.expired = sum(writer.expired for writer in writers)
    for member in ensemble.members:
        figures.lost += [f"{name} on member {member.number}" for name in read_back(member.address, writers)]
    if panics := ensemble.panics():
        figures.lost += panics


# Starts.


def seconds_to_first_write(kind: Flavour) -> float:
    ensemble = Ensemble(kind)
    try:
        begun = time.perf_counter()
        for member in ensemble.members:
            member.spawn()
        while not try_to_write(ensemble.members):
            assert time.perf_counter() < begun + LIMIT_SECONDS, f"no write within {LIMIT_SECONDS} s:\n{ensemble.log_tails()}"
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - begun
    finally:
        ensemble.discard()


def try_to_write(members: list[Member]) -> bool:
    for member in members:
        try:
            client = RawClient(member.address)
            is_written = client.create("/first").ok
            client.close()
            return is_written
        except (OSError, Closed):
            continue
    return False


# A wiped follower.


def seconds_of_wiped_follower(kind: Flavour, znodes: int) -> float:
    ensemble = Ensemble(kind)
    try:
        ensemble.start()
        took = fill(ensemble.leader().address, znodes, FILL_DATA)
        show(kind, f"{znodes:,} znodes written in {took:.0f} s")
        follower = ensemble.followers()[0]
        follower.kill()
        follower.wipe()
        begun = time.perf_counter()
        follower.spawn()
        wait_until_back(ensemble, follower)
        seconds = time.perf_counter() - begun
        assert follower.znodes >= znodes, f"the follower has {follower.znodes} znodes"
        return seconds
    finally:
        ensemble.discard()

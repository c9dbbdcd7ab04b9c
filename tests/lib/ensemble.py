"""Several servers as one ensemble, each a real process on this machine: started, killed, paused, wiped, asked.

Start with `Ensemble`. A member is a `Server` with a number; the `zoo.cfg` and the `myid` it gets are those of an
Apache ZooKeeper ensemble. Knows nothing of what a test checks.
"""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from ports import HOST, free_ports
from server import Flavour, Server

# ZooKeeper's own sample configuration.
TIMING = {"tickTime": 2000, "initLimit": 10, "syncLimit": 5}
START_SECONDS = 60
POLL_SECONDS = 0.02
# Should the test itself be killed, no server outlives it.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"]


@dataclass
class Member(Server):
    """One server of an ensemble; `number` is its `myid`."""

    number: int = 0

    def spawn(self) -> None:
        """Starts the process, and waits for nothing. Only the main thread may do so: its end would be the server's."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / "myid").write_text(f"{self.number}\n")
        super().spawn()

    @property
    def mode(self) -> str:
        """`leader`, `follower`, `observer`; empty while it does not serve."""
        return self.fields("srvr").get("Mode", "")

    @property
    def zxid(self) -> int:
        """The last transaction that it applied; 0 while it does not serve."""
        return int(self.fields("srvr").get("Zxid", "0x0"), 16)

    @property
    def znodes(self) -> int:
        return int(self.fields("srvr").get("Node count", "0"))

    def fields(self, word: str) -> dict[str, str]:
        """The lines `name: value` that it answers to a four-letter word."""
        lines = (line.partition(": ") for line in self.ask(word, seconds=1).splitlines())
        return {name: value for name, colon, value in lines if colon}

    def digests(self) -> dict[str, str]:
        """The digests of its tree by the zxids that they stand behind."""
        return {zxid: digest for zxid, digest in self.fields("hash").items() if digest.lstrip("-").isdigit()}

    def wipe(self) -> None:
        """All that it ever wrote, as after the exchange of a disk."""
        assert not self.alive(), "a server that runs is not wiped"
        shutil.rmtree(self.data_dir)


@dataclass
class Ensemble:
    """`size` servers of one flavour, the last ones observers. `config` is added to (or overrides) `TIMING` in each
    member's `zoo.cfg`, `config_of_observers` in those of the observers."""

    flavour: Flavour
    size: int = 3
    config: dict = field(default_factory=dict)
    observers: int = 0
    config_of_observers: dict = field(default_factory=dict)
    directory: Path = None
    members: list[Member] = field(default_factory=list)

    def __post_init__(self):
        self.directory = self.directory or Path(tempfile.mkdtemp(prefix=f"{self.flavour.name}-ensemble-"))
        ports = free_ports(3 * self.size)
        numbers = range(1, self.size + 1)
        roles = {number: "observer" if number > self.size - self.observers else "participant" for number in numbers}
        lines = {f"server.{n}": f"{HOST}:{ports[3 * n - 3]}:{ports[3 * n - 2]}:{roles[n]};{HOST}:{ports[3 * n - 1]}" for n in numbers}
        config = TIMING | {"clientPort": None, "clientPortAddress": None} | lines | self.config
        flavour = Flavour(self.flavour.name, self.flavour.version, lambda file: DIE_WITH_PARENT + self.flavour.command(file))
        for number in numbers:
            directory = self.directory / str(number)
            directory.mkdir(parents=True)
            of_one = config | {"peerType": roles[number]} | (self.config_of_observers if roles[number] == "observer" else {})
            self.members.append(Member(flavour, of_one, directory=directory, port=ports[3 * number - 1], number=number))

    @property
    def hosts(self) -> str:
        """The connect string of all members."""
        return ",".join(member.hosts for member in self.members)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [member.address for member in self.members]

    def start(self) -> "Ensemble":
        """All at once; returns when all serve."""
        for member in self.members:
            member.spawn()
        self.wait_until_serving(self.members)
        return self

    def wait_until_serving(self, members: list[Member], seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        for member in members:
            while not member.mode:
                assert member.alive(), f"{member.flavour.name} {member.number} ended with {member.process.returncode}:\n{member.log_tail()}"
                assert time.monotonic() < deadline, f"{member.flavour.name} {member.number} did not serve within {seconds} s:\n{member.log_tail()}"
                time.sleep(POLL_SECONDS)

    def leader(self) -> Member:
        """Who leads now; waits until somebody does."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for member in self.members:
                if member.alive() and member.mode == "leader":
                    return member
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"nobody led within {START_SECONDS} s:\n{self.log_tails()}")

    def followers(self) -> list[Member]:
        leader = self.leader()
        return [member for member in self.members if member is not leader]

    def wait_until_level(self, seconds: float = START_SECONDS) -> int:
        """Until all serve and have applied the same; that zxid. Somebody must have written, and nobody
        may be writing: of an epoch without a write a ZooKeeper's followers do not show the zxid."""
        deadline = time.monotonic() + seconds
        while True:
            zxids = [member.zxid for member in self.members]
            if len(set(zxids)) == 1 and zxids[0]:
                return zxids[0]
            assert time.monotonic() < deadline, f"after {seconds} s the members are at {[hex(zxid) for zxid in zxids]}:\n{self.log_tails()}"
            time.sleep(POLL_SECONDS)

    def check_equal(self) -> str:
        """All members have the same tree, as far as they say: zxid, number of znodes, digests. Somebody must have
        written, and nobody may be writing."""
        zxid = self.wait_until_level()
        counts = {member.znodes for member in self.members}
        assert len(counts) == 1, f"at {zxid:#x} the members have {counts} znodes"
        digests = [member.digests() for member in self.members]
        common = set.intersection(*map(set, digests))
        unequal = [at for at in common if len({each[at] for each in digests}) > 1]
        assert not unequal, f"digests differ at {sorted(unequal)}"
        return f"all at {zxid:#x} with {counts.pop()} znodes, {len(common)} digests compared"

    def log_tails(self) -> str:
        return "\n".join(f"--- {member.flavour.name} {member.number}:\n{member.log_tail(15)}" for member in self.members)

    def panics(self) -> list[str]:
        """Lines of the logs that a broken invariant leaves behind."""
        logs = (member.log_file for member in self.members if member.log_file.exists())
        return [line for log in logs for line in log.read_text(errors="replace").splitlines() if "panicked at" in line]

    def kill(self) -> None:
        """SIGKILL to all that run, as near to at once as may be."""
        running = [member for member in self.members if member.alive()]
        for member in running:
            member.process.kill()
        for member in running:
            member.process.wait()

    def discard(self) -> None:
        """Ends all processes and removes all directories; what was kept aside is named by `KEEP_SERVERS`."""
        self.kill()
        if not os.environ.get("KEEP_SERVERS"):
            shutil.rmtree(self.directory, ignore_errors=True)

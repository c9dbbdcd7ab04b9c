"""Clients that write under the kills, and know what must be found afterwards. Start with `Writing.begin`."""

import asyncio
import time
from dataclasses import dataclass, field

from protocol import Op
from rawclient import OPEN, RawClient, create_body
from session import Address, Expired, Lost, Session

CLIENTS = 24
SESSION_MILLISECONDS = 20_000
# Between two writes of one client: at most 100 a second, so that the tree stays small.
PAUSE_SECONDS = 0.01
DATA = bytes(100)


class NewEpoch:
    """Two moments: the first write that is acknowledged in an epoch later than `after`, and that of the last client."""

    def __init__(self, after: int, clients: int):
        self.after = after
        self.missing = set(range(clients))
        loop = asyncio.get_running_loop()
        self.first: asyncio.Future[float] = loop.create_future()
        self.of_all: asyncio.Future[float] = loop.create_future()

    def acknowledged(self, client: int, zxid: int, moment: float) -> None:
        if zxid >> 32 <= self.after:
            return
        self.missing.discard(client)
        if not self.first.done():
            self.first.set_result(moment)
        if not self.missing and not self.of_all.done():
            self.of_all.set_result(moment)


@dataclass
class Writer:
    """One client, which writes one znode after the other below its own."""

    number: int
    session: Session
    acknowledged: dict[str, int] = field(default_factory=dict)
    in_doubt: set[str] = field(default_factory=set)
    expired: int = 0
    highest: int = 0

    @property
    def root(self) -> str:
        return f"/writer-{self.number}"

    async def write(self, name: str) -> int | None:
        """The write's zxid; `None` if the connection was lost meanwhile, and is there again now."""
        path = f"{self.root}/{name}" if name else self.root
        try:
            reply = await self.session.call(Op.CREATE, create_body(path, DATA, OPEN, 0))
        except Lost:
            self.in_doubt.add(name)
            await self.connect()
            return None
        assert reply.ok, f"create {path} was answered with error {reply.err}"
        assert reply.zxid > self.highest, f"{path}: zxid {reply.zxid:#x} after {self.highest:#x}"
        self.acknowledged[name] = self.highest = reply.zxid
        return reply.zxid

    async def connect(self) -> None:
        try:
            await self.session.open()
        except Expired:
            self.expired += 1
            self.session = Session(self.session.addresses, SESSION_MILLISECONDS)
            await self.session.open()


class Writing:
    """All clients at work."""

    def __init__(self, writers: list[Writer]):
        self.writers = writers
        self.ends = False
        self.new_epoch: NewEpoch | None = None
        self.tasks: list[asyncio.Task] = []

    @classmethod
    async def begin(cls, addresses: list[Address]) -> "Writing":
        """Clients that are spread evenly over the members."""
        sessions = [Session(addresses, SESSION_MILLISECONDS, first=number % len(addresses)) for number in range(CLIENTS)]
        writing = cls([Writer(number, session) for number, session in enumerate(sessions)])
        for writer in writing.writers:
            await writer.connect()
            assert await writer.write(""), "a connection was lost before anything was killed"
        writing.tasks = [asyncio.create_task(writing.write_on(writer)) for writer in writing.writers]
        return writing

    async def write_on(self, writer: Writer) -> None:
        count = 0
        while not self.ends:
            count += 1
            zxid = await writer.write(str(count))
            if zxid and self.new_epoch:
                self.new_epoch.acknowledged(writer.number, zxid, time.perf_counter())
            await asyncio.sleep(PAUSE_SECONDS)

    def expect_new_epoch(self) -> NewEpoch:
        """Moments of the epoch after the one that the clients have seen."""
        now = max(writer.highest for writer in self.writers) >> 32
        self.new_epoch = NewEpoch(now, len(self.writers))
        return self.new_epoch

    def check(self) -> None:
        """Raises what a client failed with."""
        for task in self.tasks:
            if task.done():
                task.result()

    async def end(self) -> None:
        """Lets each client finish its write, and closes the sessions."""
        self.ends = True
        await asyncio.gather(*self.tasks)
        await asyncio.gather(*(writer.session.close() for writer in self.writers))


def read_back(address: Address, writers: list[Writer]) -> list[str]:
    """What a member does not have although it was acknowledged; anything that nobody wrote is told too."""
    client, wrong = RawClient(address, timeout=SESSION_MILLISECONDS), []
    client.sync("/")
    for writer in writers:
        found = set(client.children(writer.root).value)
        acknowledged = writer.acknowledged.keys() - {""}
        wrong += [f"{writer.root}/{name}" for name in sorted(acknowledged - found)]
        wrong += [f"{writer.root}/{name}, which nobody wrote," for name in sorted(found - acknowledged - writer.in_doubt)]
    client.close()
    return wrong

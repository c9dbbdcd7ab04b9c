"""Clients that work on an ensemble while a test breaks it, each knowing what it was promised.

Writers create, set and number znodes; readers read, sync and watch. They live in one thread with an event loop of its
own, so that a test may kill and wait in the main thread. What a single reply can contradict is found at once, and
raised by `Workload.stop`; what only the whole shows is for `judgement`. Start with `Workload`.
"""

import asyncio
import json
import random
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from jute import Reader as Jute
from jute import Stat, bool_, buffer, int_, string
from protocol import Err, Event, Flag, Op
from rawclient import OPEN, Reply, Sub, create_body, multi_body, read_multi
from session import Address, Expired, Lost, Session

SHARED = "/shared"
LIVE = "/live"
SEED = 20260301
# Between two requests of one client. The load is to be there, not to be high.
PAUSE_SECONDS = 0.01
STOP_SECONDS = 60


@dataclass
class Write:
    """A write as its client saw it; `zxid` is `None` if no reply came."""

    kind: str
    number: int
    sent: float
    zxid: int | None = None
    answered: float | None = None
    # Of `set` and `multi` the Stat of the writer's znode afterwards, of `numbered` the path.
    value: Stat | str | None = None


class Recorder:
    """Keeps every frame of every connection, for those who judge the whole history."""

    def __init__(self):
        self.frames: list[tuple] = []
        self.sessions = 0

    def of_new_session(self):
        """What a session is to call with each frame."""
        self.sessions += 1
        client = self.sessions

        def on_frame(session: Session, is_sent: bool, frame: bytes) -> None:
            self.frames.append((client, session.connections, session.address[1], is_sent, time.monotonic_ns() // 1000, frame))

        return on_frame

    def write(self, file: Path) -> None:
        """A line for each frame, in the order in which they were seen; times in microseconds."""
        names = ("client", "connection", "port", "sent", "at", "frame")
        with file.open("w") as out:
            for *values, frame in self.frames:
                out.write(json.dumps(dict(zip(names, (*values, frame.hex())))) + "\n")


class Client:
    """What readers and writers have in common: a session that goes on after a lost connection."""

    def __init__(self, number: int, workload: "Workload"):
        self.number = number
        self.workload = workload
        self.dice = random.Random(SEED + number)
        self.expired = 0
        self.highest = 0
        self.session = self.new_session()

    def new_session(self) -> Session:
        addresses = self.workload.addresses
        return Session(addresses, self.workload.timeout, self.number % len(addresses), self.workload.recorder.of_new_session())

    async def connect(self) -> None:
        try:
            await self.session.open()
        except Expired:
            self.expired += 1
            self.session = self.new_session()
            await self.session.open()
            await self.begin_session()

    async def begin_session(self) -> None:
        """What a new session needs."""

    async def call(self, op: Op, body: bytes, read=None) -> Reply | None:
        """`None` if the connection was lost before the reply; it is there again then."""
        try:
            reply = await self.session.call(op, body, read)
        except Lost:
            await self.connect()
            return None
        assert reply.zxid >= self.highest, f"client {self.number}: {op.name} at zxid {reply.zxid:#x} after {self.highest:#x}"
        self.highest = reply.zxid
        return reply

    async def work(self) -> None:
        await self.connect()
        await self.begin_session()
        step = 0
        while not self.workload.ends:
            step += 1
            await self.step(step)
            await asyncio.sleep(PAUSE_SECONDS)


class Writer(Client):
    """Writes below a znode of its own, and numbered znodes below one that all share; keeps one ephemeral."""

    def __init__(self, number: int, workload: "Workload"):
        super().__init__(number, workload)
        self.writes: list[Write] = []

    @property
    def root(self) -> str:
        return f"/writer-{self.number}"

    @property
    def ephemeral(self) -> str:
        return f"{LIVE}/{self.number}"

    async def begin_session(self) -> None:
        """Its ephemeral. That of a session before is gone, or goes."""
        for path, flags in ((self.root, Flag.PERSISTENT), (self.ephemeral, Flag.EPHEMERAL)):
            reply = None
            while reply is None:
                reply = await self.call(Op.CREATE, create_body(path, b"", OPEN, flags))
            assert reply.err in (Err.OK, Err.NODE_EXISTS), f"create {path}: {reply.err}"

    async def step(self, number: int) -> None:
        kind = ("create", "create", "set", "create", "numbered", "multi")[number % 6]
        write = Write(kind, number, time.monotonic())
        self.writes.append(write)
        if reply := await getattr(self, kind)(number):
            assert reply.ok, f"{kind} {self.root}/{number}: error {reply.err}"
            write.answered, write.zxid, write.value = time.monotonic(), reply.zxid, reply.value
            if isinstance(reply.value, Stat):
                self.workload.versions[self.root] = reply.value.version

    async def create(self, number: int) -> Reply | None:
        return await self.call(Op.CREATE, create_body(f"{self.root}/{number}", self.data(number), OPEN, 0), Jute.string)

    async def set(self, number: int) -> Reply | None:
        body = string(self.root) + buffer(self.data(number)) + int_(-1)
        return await self.call(Op.SET_DATA, body, Jute.stat)

    async def multi(self, number: int) -> Reply | None:
        ops = [Sub.create(f"{self.root}/{number}", self.data(number)), Sub.set(self.root, self.data(number))]
        return await self.call(Op.MULTI, multi_body(ops), lambda reader: read_multi(reader)[1][1])

    async def numbered(self, number: int) -> Reply | None:
        body = create_body(f"{SHARED}/n-", f"{self.number}/{number}".encode(), OPEN, Flag.PERSISTENT_SEQUENTIAL)
        return await self.call(Op.CREATE, body, Jute.string)

    def data(self, number: int) -> bytes:
        return str(number).encode()


class Reader(Client):
    """Reads what the writers write. No version it has seen may be followed by an older one, none that it is told by a
    watch may be read before the event, and after `sync` it must see what was acknowledged before."""

    def __init__(self, number: int, workload: "Workload"):
        super().__init__(number, workload)
        self.seen: dict[str, int] = {}
        self.watched: dict[str, int] = {}
        self.watched_on = None
        self.reads = self.events = 0

    async def step(self, number: int) -> None:
        path = self.dice.choice(self.workload.writers).root
        due = self.workload.versions.get(path, 0) if number % 4 == 0 else 0
        if due and not await self.call(Op.SYNC, string(path)):
            return
        is_watching = number % 3 == 0
        reply = await self.call(Op.GET_DATA, string(path) + bool_(is_watching), lambda r: (r.buffer(), r.stat()))
        # The watch that the read left may have been told already, in the same breath as the reply.
        self.take_events(reply.zxid if reply else None)
        if reply and reply.ok:
            self.check(path, reply.value[1], due)
            if is_watching:
                self.watched.setdefault(path, reply.value[1].version)
        self.take_events()

    def take_events(self, through: int | None = None) -> None:
        """Those of changes up to this zxid, or all. A connection that is lost takes its watches along."""
        connection = (self.session, self.session.connections)
        if self.watched_on != connection:
            self.watched, self.watched_on = {}, connection
        events = [event for event in self.session.events if through is None or event.zxid <= through]
        self.session.events = [event for event in self.session.events if event not in events]
        for event in events:
            self.events += 1
            assert event.type == Event.DATA_CHANGED, f"reader {self.number}: {event}"
            self.watched.pop(event.path, None)

    def check(self, path: str, stat: Stat, due: int) -> None:
        self.reads += 1
        who = f"reader {self.number}: {path} has version {stat.version}"
        assert stat.version >= self.seen.get(path, 0), f"{who} after {self.seen[path]}"
        assert stat.version >= due, f"{who} after a sync, but {due} was acknowledged before"
        assert stat.version <= self.watched.get(path, stat.version), f"{who}, but no event has come to the watch at {self.watched[path]}"
        self.seen[path] = stat.version


class Workload:
    """All clients at work, in a thread with an event loop. `timeout` is that of their sessions, in milliseconds."""

    def __init__(self, addresses: list[Address], writers: int = 6, readers: int = 3, timeout: int = 6_000):
        self.addresses = addresses
        self.timeout = timeout
        self.recorder = Recorder()
        # The newest version of each writer's znode that was acknowledged.
        self.versions: dict[str, int] = {}
        self.ends = False
        self.writers = [Writer(number, self) for number in range(writers)]
        self.readers = [Reader(writers + number, self) for number in range(readers)]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.working: list[Future] = []

    @property
    def clients(self) -> list[Client]:
        return [*self.writers, *self.readers]

    def start(self) -> "Workload":
        """Returns when every writer has been answered."""
        self.thread.start()
        self.run(self.prepare())
        self.working = [asyncio.run_coroutine_threadsafe(client.work(), self.loop) for client in self.clients]
        self.goes_on(STOP_SECONDS)
        return self

    async def prepare(self) -> None:
        session = Session(self.addresses, self.timeout, on_frame=self.recorder.of_new_session())
        await session.open()
        for path in (SHARED, LIVE):
            assert (await session.call(Op.CREATE, create_body(path, b"", OPEN, 0))).ok
        await session.close()

    def run(self, coroutine):
        """In the clients' thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(STOP_SECONDS)

    def goes_on(self, seconds: float) -> float:
        """Waits until every writer has a later write acknowledged than any before; the seconds it took."""
        begun = time.monotonic()
        while not all(any(write.answered and write.sent > begun for write in reversed(writer.writes[-5:])) for writer in self.writers):
            self.raise_failures()
            assert time.monotonic() < begun + seconds, f"not every client could write within {seconds} s"
            time.sleep(0.01)
        return time.monotonic() - begun

    def raise_failures(self) -> None:
        for client in self.working:
            if client.done():
                client.result()

    def stop(self) -> None:
        """Lets each client finish what it does. The sessions stay."""
        self.ends = True
        for client in self.working:
            client.result(STOP_SECONDS)

    def close(self) -> None:
        """Closes the sessions and ends the thread."""
        for client in self.clients:
            self.run(client.session.close())
        self.end_thread()

    def end_thread(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(STOP_SECONDS)

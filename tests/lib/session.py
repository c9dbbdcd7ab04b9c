"""A ZooKeeper client on asyncio that goes from member to member and keeps its session, as stock clients do.

It pings, gives up a connection that has been silent for two thirds of the timeout, and takes its session up again
elsewhere. Unlike stock clients it tells the wire as it is: each reply with its zxid, and `Lost` for a request whose
fate nobody knows. Start with `Session.open` and `Session.call`.
"""

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable

import jute
from jute import Reader
from protocol import XID_NOTIFICATION, XID_PING, Event, Op
from rawclient import NO_PASSWORD, ConnectResponse, Reply, WatchEvent, connect_request

RETRY_SECONDS = 0.02
REQUEST, REPLY = struct.Struct(">ii"), struct.Struct(">iqi")
Address = tuple[str, int]


class Lost(Exception):
    """The connection ended before the reply came: the request may have taken effect or not."""


class Expired(Exception):
    """The ensemble says that the session is over."""


class Session:
    """One session. `on_frame(session, is_sent, frame)` is told every frame that is sent or received."""

    def __init__(self, addresses: list[Address], timeout: int = 10_000, first: int = 0, on_frame: Callable | None = None):
        self.addresses = addresses[first:] + addresses[:first]
        self.timeout = timeout
        self.on_frame = on_frame
        self.address: Address | None = None
        self.session_id, self.password = 0, NO_PASSWORD
        self.last_zxid = 0
        self.connections = 0
        self.events: list[WatchEvent] = []
        self.attempts = 0
        self.connected = False
        self.writer: asyncio.StreamWriter | None = None
        self.tasks: list[asyncio.Task] = []
        self.waiting: deque[tuple[int, asyncio.Future]] = deque()
        self.next_xid = 1
        self.failure: AssertionError | None = None

    async def open(self) -> None:
        """Connects to one member after the other until one takes the session, or gives a new one."""
        await self.drop()
        if self.failure:
            raise self.failure
        while True:
            address = self.addresses[self.attempts % len(self.addresses)]
            self.attempts += 1
            try:
                # What a stock client allows: the timeout, shared among the members.
                async with asyncio.timeout(self.timeout / 1000 / len(self.addresses)):
                    await self.attach(address)
                return
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                if self.writer:
                    self.writer.close()
            await asyncio.sleep(RETRY_SECONDS)

    async def attach(self, address: Address) -> None:
        reader, self.writer = await asyncio.open_connection(*address)
        self.address, self.connections = address, self.connections + 1
        self.send(connect_request(self.timeout, self.session_id, self.password, self.last_zxid))
        answer = Reader(await self.read_frame(reader))
        response = ConnectResponse(answer.int(), answer.int(), answer.long(), answer.buffer(), None)
        if response.timeout <= 0:
            raise Expired(f"session {self.session_id:#x}")
        assert self.session_id in (0, response.session_id), f"{self.session_id:#x} was wished, {response.session_id:#x} given"
        self.session_id, self.password, self.timeout = response.session_id, response.password, response.timeout
        self.connected = True
        self.heard = self.said = time.monotonic()
        self.tasks = [asyncio.create_task(self.receive(reader)), asyncio.create_task(self.keep_alive())]

    async def call(self, op: int, body: bytes = b"", read: Callable | None = None) -> Reply:
        """One request, and the reply to it. An error reply is a reply."""
        if not self.connected:
            raise Lost("not connected")
        xid, self.next_xid = self.next_xid, self.next_xid + 1
        answered = asyncio.get_running_loop().create_future()
        self.waiting.append((xid, answered))
        self.send(REQUEST.pack(xid, op) + body)
        reply = await answered
        if reply.ok and read is not None:
            reply.value = read(Reader(reply.body))
        return reply

    async def close(self) -> None:
        """Closes the session; leaves it behind if nobody answers."""
        try:
            async with asyncio.timeout(5):
                await self.call(Op.CLOSE_SESSION)
        except (Lost, TimeoutError):
            pass
        await self.drop()

    async def drop(self) -> None:
        """Ends the connection and keeps the session."""
        self.lose("dropped by the client")
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # The connection.

    def send(self, frame: bytes) -> None:
        self.tell(True, frame)
        self.said = time.monotonic()
        self.writer.write(jute.int_(len(frame)) + frame)

    async def read_frame(self, reader: asyncio.StreamReader) -> bytes:
        frame = await reader.readexactly(int.from_bytes(await reader.readexactly(4), signed=True))
        self.heard = time.monotonic()
        self.tell(False, frame)
        return frame

    def tell(self, is_sent: bool, frame: bytes) -> None:
        if self.on_frame:
            self.on_frame(self, is_sent, frame)

    async def receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                self.take(await self.read_frame(reader))
        except (OSError, asyncio.IncompleteReadError):
            self.lose("the server closed the connection")
        except AssertionError as failure:
            self.failure = failure
            self.lose(str(failure))

    def take(self, frame: bytes) -> None:
        xid, zxid, err = REPLY.unpack_from(frame)
        if xid == XID_NOTIFICATION:
            reader = Reader(frame[REPLY.size :])
            self.events.append(WatchEvent(Event(reader.int()), reader.int(), reader.string(), zxid))
        elif xid != XID_PING:
            self.last_zxid = max(self.last_zxid, zxid)
            due, answered = self.waiting.popleft()
            assert due == xid, f"a reply to xid {xid} where {due} was due"
            if not answered.done():
                answered.set_result(Reply(xid, zxid, err, frame[REPLY.size :]))

    async def keep_alive(self) -> None:
        """Pings after a third of the timeout without a word; gives up after two thirds without hearing one."""
        third = self.timeout / 3000
        while self.connected:
            await asyncio.sleep(third / 4)
            if time.monotonic() - self.heard > 2 * third:
                return self.lose("the server was silent for two thirds of the timeout")
            if time.monotonic() - self.said > third and self.connected:
                self.send(REQUEST.pack(XID_PING, Op.PING))

    def lose(self, why: str) -> None:
        self.connected = False
        if self.writer:
            self.writer.close()
        waiting, self.waiting = self.waiting, deque()
        for _, answered in waiting:
            if not answered.done():
                answered.set_exception(Lost(why))

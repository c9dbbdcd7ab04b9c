"""Load: one request after another on one connection, or many on their way at once on one or more.

Knows requests and replies, and nothing of servers, processes or tables. The measured side is the server: requests
are encoded before the clock runs. Start with `Load.one_by_one` and `pipelined`.
"""

import selectors
import struct
import time

import jute
from protocol import Op
from rawclient import OPEN, RawClient, connect_request, create_body

CHILDREN = 1_000
FILL_WINDOW = 200
HEADER = struct.Struct(">ii")
# Of a reply: length of its frame, xid, zxid, error.
REPLY = struct.Struct(">iiqi")


class Refused(Exception):
    """The server answered a request of the load with an error."""


def create(path: str, data: bytes) -> bytes:
    return HEADER.pack(0, Op.CREATE) + create_body(path, data, OPEN, 0)


def get(path: str) -> bytes:
    return HEADER.pack(0, Op.GET_DATA) + jute.string(path) + jute.bool_(False)


def framed(request: bytes) -> bytes:
    return jute.int_(len(request)) + request


class Load:
    """One connection with one session."""

    def __init__(self, address):
        self.client = RawClient(address, connect=False)
        self.client.connect(connect_request(timeout=40_000))
        self.unread = b""

    def close(self) -> None:
        self.client.close()

    def one_by_one(self, requests: list[bytes]) -> list[float]:
        """Sends each request when the one before is answered; the seconds that each took."""
        took = []
        for frame in map(framed, requests):
            begun = time.perf_counter()
            self.client.send_bytes(frame)
            while not self.take_replies():
                pass
            took.append(time.perf_counter() - begun)
        return took

    def take_replies(self) -> int:
        """Waits for bytes; how many replies they complete."""
        piece = self.client.sock.recv(1 << 18)
        if not piece:
            raise ConnectionError("the server closed the connection")
        data, at, count = self.unread + piece, 0, 0
        while at + REPLY.size <= len(data):
            length, _xid, _zxid, error = REPLY.unpack_from(data, at)
            if at + 4 + length > len(data):
                break
            if error:
                raise Refused(f"a request of the load was answered with error {error}")
            at, count = at + 4 + length, count + 1
        self.unread = data[at:]
        return count


class Pipeline:
    """Requests for one connection, of which up to `window` are on their way."""

    def __init__(self, load: Load, requests: list[bytes], window: int):
        self.load, self.window = load, window
        self.frames = [framed(request) for request in requests]
        self.sent = self.answered = 0

    def send(self) -> None:
        """Fills the window, if half of it is free or nothing else is left to send."""
        free = min(self.window - (self.sent - self.answered), len(self.frames) - self.sent)
        if free and (free >= self.window // 2 or self.sent + free == len(self.frames)):
            self.load.client.send_bytes(b"".join(self.frames[self.sent : self.sent + free]))
            self.sent += free

    def receive(self) -> bool:
        """Takes the replies that are there; whether all are."""
        self.answered += self.load.take_replies()
        return self.answered == len(self.frames)


def pipelined(loads: list[Load], requests: list[bytes], window: int) -> float:
    """Deals the requests out to the connections, each with up to `window` on their way; the seconds for all."""
    lines = [Pipeline(load, requests[number :: len(loads)], window) for number, load in enumerate(loads)]
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line.load.client.sock, selectors.EVENT_READ, line)
        begun = time.perf_counter()
        for line in lines:
            line.send()
        while selector.get_map():
            for key, _ in selector.select():
                if key.data.receive():
                    selector.unregister(key.fileobj)
                else:
                    key.data.send()
        return time.perf_counter() - begun


def fill(address, znodes: int, data: bytes) -> float:
    """So many znodes, `CHILDREN` under each parent; the seconds it took."""
    load, took = Load(address), 0.0
    for parent in range(0, znodes, CHILDREN):
        children = range(parent, min(parent + CHILDREN, znodes))
        requests = [create(f"/p{parent}", b"")] + [create(f"/p{parent}/n{number}", data) for number in children]
        took += pipelined([load], requests, FILL_WINDOW)
    load.close()
    return took

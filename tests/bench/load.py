"""Load from one connection: one request after another, or many on their way at once.

Knows requests and replies, and nothing of servers, processes or tables. The measured side is the server: requests
are encoded before the clock runs. Start with `Load`.
"""

import struct
import time

import jute
from protocol import Op
from rawclient import OPEN, RawClient, connect_request, create_body

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

    def pipelined(self, requests: list[bytes], window: int) -> float:
        """Keeps up to `window` requests on their way; the seconds for all."""
        frames = [framed(request) for request in requests]
        sent = answered = 0
        begun = time.perf_counter()
        while answered < len(frames):
            free = min(window - (sent - answered), len(frames) - sent)
            if free >= window // 2 or sent + free == len(frames):
                self.client.send_bytes(b"".join(frames[sent : sent + free]))
                sent += free
            answered += self.take_replies()
        return time.perf_counter() - begun

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

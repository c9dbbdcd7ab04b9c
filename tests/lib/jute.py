"""The jute encoding of ZooKeeper's wire records: big-endian numbers, counted strings, buffers and vectors.

Knows nothing of operations or sockets. Start with `Reader`; the functions above it write.
"""

import struct
from typing import Callable, Iterable, NamedTuple


def int_(value: int) -> bytes:
    return struct.pack(">i", value)


def long_(value: int) -> bytes:
    return struct.pack(">q", value)


def bool_(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def buffer(value: bytes | None) -> bytes:
    """A counted byte string; `None` is written as length -1."""
    if value is None:
        return int_(-1)
    return int_(len(value)) + value


def string(value: str | bytes | None) -> bytes:
    """Bytes pass through unchanged, so that malformed text can be written."""
    return buffer(value.encode() if isinstance(value, str) else value)


def vector(items: Iterable | None, write: Callable = string) -> bytes:
    if items is None:
        return int_(-1)
    written = [write(item) for item in items]
    return int_(len(written)) + b"".join(written)


class Stat(NamedTuple):
    """The eleven fields of a znode's Stat, in wire order."""

    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeralOwner: int
    dataLength: int
    numChildren: int
    pzxid: int


STAT = struct.Struct(">qqqqiiiqiiq")


class Acl(NamedTuple):
    perms: int
    scheme: str
    id: str


def acl(entry: Acl) -> bytes:
    return int_(entry.perms) + string(entry.scheme) + string(entry.id)


class Reader:
    """Reads records off a byte string; reading past the end raises `EOFError`."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise EOFError(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]

    def left(self) -> int:
        return len(self.data) - self.at

    def int(self) -> int:
        return struct.unpack(">i", self.take(4))[0]

    def long(self) -> int:
        return struct.unpack(">q", self.take(8))[0]

    def bool(self) -> bool:
        return self.take(1) != b"\x00"

    def buffer(self) -> bytes | None:
        length = self.int()
        return None if length == -1 else self.take(length)

    def string(self) -> str | None:
        value = self.buffer()
        return None if value is None else value.decode()

    def vector(self, read: Callable = None) -> list | None:
        count = self.int()
        return None if count == -1 else [(read or Reader.string)(self) for _ in range(count)]

    def stat(self) -> Stat:
        return Stat(*STAT.unpack(self.take(STAT.size)))

    def acl(self) -> Acl:
        return Acl(self.int(), self.string(), self.string())

    def client_info(self) -> tuple[str, str]:
        """An entry of whoAmI: authentication scheme and user."""
        return self.string(), self.string()

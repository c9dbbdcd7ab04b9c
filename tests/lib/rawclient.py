"""A ZooKeeper client that shows the wire: every reply header, every event, in the order they came.

It can send what no stock client sends (unknown operations, broken frames, stale sessions), does nothing
by itself (no pings, no reconnect, no watch bookkeeping) and raises nothing for error replies: a `Reply`
holds the code. Start with `RawClient`.
"""

import base64
import hashlib
import select
import socket
import struct
from dataclasses import dataclass
from typing import Any

import jute
from jute import Acl, Reader
from protocol import XID_AUTH, XID_NOTIFICATION, XID_PING, XID_SET_WATCHES, Err, Event, Flag, Op, Perm

OPEN = [Acl(Perm.ALL, "world", "anyone")]
READ_ONLY = [Acl(Perm.READ, "world", "anyone")]
NO_PASSWORD = bytes(16)
REPLY_SECONDS = 15


def digest_id(user: str, password: str) -> str:
    """The id of the digest scheme: the name and the hash of name and password."""
    digest = hashlib.sha1(f"{user}:{password}".encode()).digest()
    return f"{user}:{base64.b64encode(digest).decode()}"


class Closed(Exception):
    """The server closed the connection."""


@dataclass
class Reply:
    xid: int
    zxid: int
    err: int
    body: bytes
    value: Any = None

    @property
    def ok(self) -> bool:
        return self.err == Err.OK


@dataclass(frozen=True)
class WatchEvent:
    type: Event
    state: int
    path: str
    zxid: int


@dataclass
class ConnectResponse:
    protocol: int
    timeout: int
    session_id: int
    password: bytes
    read_only: bool | None


def connect_request(timeout=10_000, session_id=0, password=NO_PASSWORD, last_zxid=0, protocol=0, read_only: bool | None = False) -> bytes:
    """The body of a connect frame; `read_only=None` leaves the byte out, as clients before 3.4 do."""
    body = jute.int_(protocol) + jute.long_(last_zxid) + jute.int_(timeout) + jute.long_(session_id) + jute.buffer(password)
    return body if read_only is None else body + jute.bool_(read_only)


class Sub:
    """Sub-operations of a multi, as (operation, body)."""

    @staticmethod
    def create(path, data=b"", acl=OPEN, flags=Flag.PERSISTENT, op=Op.CREATE):
        return op, create_body(path, data, acl, flags)

    @staticmethod
    def create_ttl(path, ttl, data=b"", acl=OPEN, flags=Flag.TTL):
        return Op.CREATE_TTL, create_body(path, data, acl, flags) + jute.long_(ttl)

    @staticmethod
    def delete(path, version=-1):
        return Op.DELETE, jute.string(path) + jute.int_(version)

    @staticmethod
    def set(path, data=b"", version=-1):
        return Op.SET_DATA, jute.string(path) + jute.buffer(data) + jute.int_(version)

    @staticmethod
    def check(path, version=-1):
        return Op.CHECK, jute.string(path) + jute.int_(version)

    @staticmethod
    def get(path):
        return Op.GET_DATA, jute.string(path) + jute.bool_(False)

    @staticmethod
    def children(path):
        return Op.GET_CHILDREN, jute.string(path) + jute.bool_(False)


def create_body(path, data, acl, flags) -> bytes:
    return jute.string(path) + jute.buffer(data) + jute.vector(acl, jute.acl) + jute.int_(flags)


def multi_body(ops) -> bytes:
    out = b"".join(jute.int_(op) + jute.bool_(False) + jute.int_(-1) + body for op, body in ops)
    return out + jute.int_(-1) + jute.bool_(True) + jute.int_(-1)


SUB_RESULTS = {
    Op.CREATE: lambda r: (Op.CREATE, r.string()),
    Op.CREATE2: lambda r: (Op.CREATE2, r.string(), r.stat()),
    Op.DELETE: lambda r: (Op.DELETE,),
    Op.SET_DATA: lambda r: (Op.SET_DATA, r.stat()),
    Op.CHECK: lambda r: (Op.CHECK,),
    Op.GET_DATA: lambda r: (Op.GET_DATA, r.buffer(), r.stat()),
    Op.GET_CHILDREN: lambda r: (Op.GET_CHILDREN, sorted(r.vector())),
    Op.ERROR: lambda r: (Op.ERROR, r.int()),
}


def read_multi(reader: Reader) -> list[tuple]:
    results = []
    while True:
        kind, done, _err = reader.int(), reader.bool(), reader.int()
        if done:
            return results
        results.append(SUB_RESULTS[kind](reader))


class RawClient:
    """One TCP connection. `events` collects the notifications that came before the replies asked for."""

    def __init__(self, address, timeout=10_000, session_id=0, password=NO_PASSWORD, last_zxid=0, read_only=False, connect=True):
        self.sock = socket.create_connection(address, timeout=REPLY_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.events: list[WatchEvent] = []
        self.next_xid = 1
        self.session: ConnectResponse | None = None
        if connect:
            self.connect(connect_request(timeout, session_id, password, last_zxid, read_only=read_only))

    def connect(self, request: bytes) -> ConnectResponse:
        self.send_frame(request)
        reader = Reader(self.read_frame())
        self.session = ConnectResponse(reader.int(), reader.int(), reader.long(), reader.buffer(), None)
        self.session.read_only = reader.bool() if reader.left() else None
        return self.session

    # Frames.

    def send_frame(self, body: bytes) -> None:
        self.sock.sendall(jute.int_(len(body)) + body)

    def send_bytes(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read_exact(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                piece = self.sock.recv(count - len(data))
            except ConnectionError as error:
                raise Closed(str(error)) from error
            if not piece:
                raise Closed(f"closed after {len(data)} of {count} bytes")
            data += piece
        return data

    def read_frame(self) -> bytes:
        (length,) = struct.unpack(">i", self.read_exact(4))
        return self.read_exact(length)

    # Requests and replies.

    def send(self, op: int, body: bytes = b"", xid: int | None = None) -> int:
        if xid is None:
            xid, self.next_xid = self.next_xid, self.next_xid + 1
        self.send_frame(jute.int_(xid) + jute.int_(op) + body)
        return xid

    def read_packet(self) -> Reply | WatchEvent:
        frame = self.read_frame()
        reader = Reader(frame)
        xid, zxid, err = reader.int(), reader.long(), reader.int()
        if xid == XID_NOTIFICATION:
            return WatchEvent(Event(reader.int()), reader.int(), reader.string(), zxid)
        return Reply(xid, zxid, err, frame[16:])

    def read_reply(self, xid: int | None = None) -> Reply:
        """The next reply; notifications before it are appended to `events`."""
        while True:
            packet = self.read_packet()
            if isinstance(packet, WatchEvent):
                self.events.append(packet)
                continue
            if xid is not None:
                assert packet.xid == xid, f"reply to xid {packet.xid} where {xid} was due"
            return packet

    def read_event(self) -> WatchEvent:
        """The next notification: an earlier one that was collected, else the next packet, which must be one."""
        if self.events:
            return self.events.pop(0)
        packet = self.read_packet()
        assert isinstance(packet, WatchEvent), f"a reply {packet} where a notification was due"
        return packet

    def take_events(self) -> list[WatchEvent]:
        """Everything that was delivered up to the answer to a ping."""
        self.ping()
        events, self.events = self.events, []
        return events

    def call(self, op: int, body: bytes = b"", read=None, xid: int | None = None) -> Reply:
        reply = self.read_reply(self.send(op, body, xid))
        if reply.ok and read is not None:
            reader = Reader(reply.body)
            reply.value = read(reader)
            assert reader.left() == 0, f"{reader.left()} bytes too many in the reply to {op}"
        elif not reply.ok:
            assert reply.body == b"", f"an error reply to {op} has a body"
        return reply

    def readable(self, seconds: float) -> bool:
        return bool(select.select([self.sock], [], [], seconds)[0])

    def is_closed(self, seconds: float = 5) -> bool:
        """Reads whatever still comes, up to the end of the connection."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def abandon(self) -> None:
        """Drops the connection and leaves the session behind."""
        self.sock.close()

    def close(self) -> None:
        """Closes the session, then the connection; silent if the server already ended it."""
        try:
            if self.session and self.session.session_id:
                self.sock.settimeout(5)
                self.read_reply_to_close(self.send(Op.CLOSE_SESSION))
        except (OSError, Closed):
            pass
        self.sock.close()

    def read_reply_to_close(self, xid: int) -> None:
        while True:
            packet = self.read_packet()
            if isinstance(packet, Reply) and packet.xid == xid:
                return

    # Operations, in the order of their numbers.

    def create(self, path, data=b"", acl=OPEN, flags=Flag.PERSISTENT) -> Reply:
        return self.call(Op.CREATE, create_body(path, data, acl, flags), Reader.string)

    def delete(self, path, version=-1) -> Reply:
        return self.call(Op.DELETE, jute.string(path) + jute.int_(version), lambda r: None)

    def exists(self, path, watch=False) -> Reply:
        return self.call(Op.EXISTS, jute.string(path) + jute.bool_(watch), Reader.stat)

    def get(self, path, watch=False) -> Reply:
        return self.call(Op.GET_DATA, jute.string(path) + jute.bool_(watch), lambda r: (r.buffer(), r.stat()))

    def stat(self, path) -> jute.Stat:
        reply = self.exists(path)
        assert reply.ok, f"exists {path}: {reply.err}"
        return reply.value

    def set(self, path, data=b"", version=-1) -> Reply:
        return self.call(Op.SET_DATA, jute.string(path) + jute.buffer(data) + jute.int_(version), Reader.stat)

    def get_acl(self, path) -> Reply:
        return self.call(Op.GET_ACL, jute.string(path), lambda r: (r.vector(Reader.acl), r.stat()))

    def set_acl(self, path, acl, version=-1) -> Reply:
        return self.call(Op.SET_ACL, jute.string(path) + jute.vector(acl, jute.acl) + jute.int_(version), Reader.stat)

    def children(self, path, watch=False) -> Reply:
        return self.call(Op.GET_CHILDREN, jute.string(path) + jute.bool_(watch), lambda r: sorted(r.vector()))

    def sync(self, path) -> Reply:
        return self.call(Op.SYNC, jute.string(path), Reader.string)

    def ping(self) -> Reply:
        return self.call(Op.PING, xid=XID_PING)

    def children2(self, path, watch=False) -> Reply:
        return self.call(Op.GET_CHILDREN2, jute.string(path) + jute.bool_(watch), lambda r: (sorted(r.vector()), r.stat()))

    def multi(self, *ops) -> Reply:
        return self.call(Op.MULTI, multi_body(ops), read_multi)

    def create2(self, path, data=b"", acl=OPEN, flags=Flag.PERSISTENT) -> Reply:
        return self.call(Op.CREATE2, create_body(path, data, acl, flags), lambda r: (r.string(), r.stat()))

    def check_watches(self, path, kind) -> Reply:
        return self.call(Op.CHECK_WATCHES, jute.string(path) + jute.int_(kind), lambda r: None)

    def remove_watches(self, path, kind) -> Reply:
        return self.call(Op.REMOVE_WATCHES, jute.string(path) + jute.int_(kind), lambda r: None)

    def create_container(self, path, data=b"", acl=OPEN, flags=Flag.CONTAINER) -> Reply:
        return self.call(Op.CREATE_CONTAINER, create_body(path, data, acl, flags), lambda r: (r.string(), r.stat()))

    def create_ttl(self, path, ttl, data=b"", acl=OPEN, flags=Flag.TTL) -> Reply:
        body = create_body(path, data, acl, flags) + jute.long_(ttl)
        return self.call(Op.CREATE_TTL, body, lambda r: (r.string(), r.stat()))

    def multi_read(self, *ops) -> Reply:
        return self.call(Op.MULTI_READ, multi_body(ops), read_multi)

    def auth(self, scheme, credentials: bytes) -> Reply:
        return self.call(Op.AUTH, jute.int_(0) + jute.string(scheme) + jute.buffer(credentials), xid=XID_AUTH)

    def set_watches(self, zxid, data=(), exist=(), child=()) -> Reply:
        body = jute.long_(zxid) + jute.vector(data) + jute.vector(exist) + jute.vector(child)
        return self.call(Op.SET_WATCHES, body, lambda r: None, XID_SET_WATCHES)

    def set_watches2(self, zxid, data=(), exist=(), child=(), persistent=(), recursive=()) -> Reply:
        lists = (data, exist, child, persistent, recursive)
        body = jute.long_(zxid) + b"".join(jute.vector(paths) for paths in lists)
        return self.call(Op.SET_WATCHES2, body, lambda r: None, XID_SET_WATCHES)

    def ephemerals(self, prefix) -> Reply:
        return self.call(Op.GET_EPHEMERALS, jute.string(prefix), lambda r: sorted(r.vector()))

    def all_children_number(self, path) -> Reply:
        return self.call(Op.GET_ALL_CHILDREN_NUMBER, jute.string(path), Reader.int)

    def add_watch(self, path, mode) -> Reply:
        return self.call(Op.ADD_WATCH, jute.string(path) + jute.int_(mode), Reader.int)

    def who_am_i(self) -> Reply:
        return self.call(Op.WHO_AM_I, read=lambda r: r.vector(Reader.client_info))

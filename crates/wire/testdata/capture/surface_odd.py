"""Says to a server what no stock client says, for its answers. Each oddity has a connection of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tests/lib"))

import jute  # noqa: E402
from protocol import Flag, Op  # noqa: E402
from rawclient import OPEN, Closed, RawClient, Sub, connect_request, create_body, multi_body  # noqa: E402

CREATE = create_body("/odd", None, OPEN, 0)

ODDITIES = [
    (Op.CREATE, CREATE),
    (99, b""),
    (500, jute.string("/odd")),
    (Op.CHECK, Sub.check("/odd")[1]),
    (Op.RECONFIG, jute.string("") * 3 + jute.long_(-1)),
    (Op.NOTIFICATION, b""),
    (Op.ERROR, b""),
    (Op.DELETE_CONTAINER, jute.string("/odd")),
    (Op.GET_DATA, b""),
    (Op.GET_DATA, jute.string(None) + b"\0"),
    (Op.GET_DATA, jute.string("/odd") + b"\2" + b"more"),
    (Op.GET_DATA, jute.int_(2**31 - 1)),
    (Op.CREATE, create_body("/odd1", None, OPEN, 7)),
    (Op.CREATE, create_body("/odd2", None, None, 0)),
    (Op.CREATE, create_body("/odd3", None, OPEN, Flag.CONTAINER)),
    (Op.EXISTS, jute.string("/odd3") + b"\0"),
    (Op.CREATE, create_body("/odd4", None, OPEN, Flag.TTL)),
    (Op.CREATE_CONTAINER, create_body("/odd5", None, OPEN, 0)),
    (Op.EXISTS, jute.string("/odd5") + b"\0"),
    (Op.CREATE_TTL, create_body("/odd6", None, OPEN, 0) + jute.long_(5000)),
    (Op.SET_WATCHES, jute.long_(0) + jute.int_(-1) * 3),
    (Op.SET_WATCHES2, jute.long_(0) + jute.int_(0) * 5),
    (Op.ADD_WATCH, jute.string("/odd") + jute.int_(2)),
    (Op.CHECK_WATCHES, jute.string("/odd") + jute.int_(0)),
    (Op.REMOVE_WATCHES, jute.string("/odd") + jute.int_(6)),
    (Op.GET_EPHEMERALS, jute.string(None)),
    (Op.SYNC, jute.string(None)),
    (Op.MULTI, b""),
    (Op.MULTI, multi_body([])),
    (Op.MULTI, multi_body([Sub.get("/odd")])),
    (Op.MULTI, multi_body([(Op.MULTI, multi_body([]))])),
    (Op.MULTI, multi_body([(Op.SET_ACL, jute.string("/odd") + jute.int_(0) + jute.int_(-1))])),
    (Op.MULTI, multi_body([Sub.create("/odd7", flags=7)])),
    (Op.MULTI, multi_body([Sub.create("/odd8", flags=Flag.CONTAINER)])),
    (Op.MULTI, multi_body([Sub.create("/odd9", flags=Flag.TTL)])),
    (Op.MULTI, multi_body([Sub.create_ttl("/odd10", 5000, flags=0)])),
    (Op.MULTI, multi_body([Sub.create_ttl("/odd11", 5000, flags=7)])),
    (Op.MULTI, multi_body([Sub.create("/odd12", flags=0, op=Op.CREATE2), Sub.create("/odd13", flags=0, op=Op.CREATE_CONTAINER)])),
    (Op.EXISTS, jute.string("/odd13") + b"\0"),
    (Op.MULTI_READ, multi_body([Sub.delete("/odd")])),
    (Op.MULTI_READ, multi_body([Sub.get("/odd"), Sub.delete("/odd")])),
    (Op.MULTI_READ, multi_body([Sub.get("/none"), Sub.children("/odd")])),
    (Op.AUTH, jute.int_(0) + jute.string("nonsense") + jute.buffer(b"x")),
    (Op.AUTH, jute.int_(0) + jute.string(None) + jute.buffer(None)),
    (Op.AUTH, jute.int_(0) + jute.string("ip") + jute.buffer(None)),
    (Op.AUTH, jute.int_(0) + jute.string("digest") + jute.buffer(b"")),
    (Op.AUTH, jute.int_(0) + jute.string("digest") + jute.buffer(None)),
    (Op.AUTH, b""),
    (Op.CLOSE_SESSION, b"body"),
]


def main(host: str, port: str) -> None:
    address = (host, int(port))
    for op, body in ODDITIES:
        client = RawClient(address)
        try:
            reply = client.call(op, body)
            closed = " and closes" if client.is_closed(0.2) else ""
            print(f"{getattr(op, 'name', op)} {body.hex()[:60]}: {reply.err}, zxid {reply.zxid}, {len(reply.body)} bytes{closed}")
        except Closed:
            print(f"{getattr(op, 'name', op)} {body.hex()[:60]}: closed")
        except AssertionError as error:
            print(f"{getattr(op, 'name', op)} {body.hex()[:60]}: {error}")
        client.close()
    first_frames(address)


def first_frames(address) -> None:
    for request in (
        connect_request(read_only=None),
        connect_request(read_only=False) + b"more",
        connect_request(protocol=7, password=None, read_only=True),
        connect_request(timeout=-1, last_zxid=-1, password=b"short"),
        connect_request(session_id=77),
    ):
        client = RawClient(address, connect=False)
        print(f"first frame {request.hex()}: {client.connect(request)}")
        client.close()


main(*sys.argv[1].split(":"))

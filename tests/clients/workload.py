"""Load that knows what must be found after a kill, for the tests that kill the server under it.

Each worker writes to a subtree of its own, pipelined, and predicts every answer with a model. When the server is
killed, the requests without an answer are in doubt. After the restart the subtree must look exactly as after some
number of them, taken from the front: that covers lost and half-done writes, order, versions and sequence numbers.
All workers also create sequential nodes under one shared parent: no number may come twice, none may be missing.

Start with `start_workers`, `run_until_killed` and `check_after_restart`.
"""

import copy
import random
import threading
import time
from dataclasses import dataclass, field

from jute import Reader, buffer, int_, string
from protocol import Err, Flag, Op
from rawclient import OPEN, Closed, RawClient, Sub, create_body, multi_body, read_multi

SEED = 20260201
WORKERS = 3
SHARED = "/shared"


def start_workers(server) -> list["Worker"]:
    setup = RawClient(server.address)
    assert setup.create(SHARED).ok
    setup.close()
    return [Worker(number, server.address) for number in range(WORKERS)]


@dataclass
class Model:
    """What a worker's subtree holds: data and version of each child of its root, and how many were ever created."""

    children: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    creates: int = 0
    shared_tags: set[bytes] = field(default_factory=set)

    def create(self, name, data):
        if name in self.children:
            return Err.NODE_EXISTS
        self.children[name] = (data, 0)
        self.creates += 1
        return Err.OK

    def create_sequential(self, prefix, data):
        return self.create(f"{prefix}{self.creates:010d}", data)

    def set(self, name, data, version):
        if name not in self.children:
            return Err.NO_NODE
        if version not in (-1, self.children[name][1]):
            return Err.BAD_VERSION
        self.children[name] = (data, self.children[name][1] + 1)
        return Err.OK

    def delete(self, name):
        return Err.OK if self.children.pop(name, None) else Err.NO_NODE

    def multi(self, *steps):
        trial = copy.deepcopy(self)
        for index, (method, *arguments) in enumerate(steps):
            code = getattr(trial, method)(*arguments)
            if code:
                return [Err.OK] * index + [code] + [Err.RUNTIME_INCONSISTENCY] * (len(steps) - index - 1)
        self.children, self.creates = trial.children, trial.creates
        return [Err.OK] * len(steps)

    def create_shared(self, tag):
        self.shared_tags.add(tag)
        return Err.OK


@dataclass
class Request:
    """`step` is the model's method and its arguments; `op` and `body` the same for the server."""

    step: tuple
    op: Op
    body: bytes


class Worker:
    def __init__(self, number: int, address):
        self.number = number
        self.root = f"/worker-{number}"
        self.dice = random.Random(SEED + number)
        self.model = Model()
        self.acknowledged = 0
        self.in_doubt: list[Request] = []
        self.shared_names: dict[str, bytes] = {}
        self.highest_zxid = 0
        self.serial = 0
        self.failure: BaseException | None = None
        self.client = RawClient(address, timeout=60_000)
        assert self.client.create(self.root).ok
        assert self.client.create(f"{self.root}-ephemeral", flags=Flag.EPHEMERAL).ok

    # Making requests.

    def request(self) -> Request:
        kinds = (self.make_create, self.make_sequential, self.make_set, self.make_delete, self.make_multi, self.make_shared)
        self.serial += 1
        return self.dice.choices(kinds, weights=(2, 3, 5, 2, 3, 2))[0]()

    def payload(self) -> bytes:
        return f"{self.number}/{self.serial}/".encode() + b"x" * self.dice.randrange(0, 300)

    def name(self) -> str:
        return f"n{self.dice.randrange(12)}"

    def make_create(self) -> Request:
        name, data = self.name(), self.payload()
        return Request(("create", name, data), Op.CREATE, create_body(f"{self.root}/{name}", data, OPEN, 0))

    def make_sequential(self) -> Request:
        data = self.payload()
        body = create_body(f"{self.root}/s-", data, OPEN, Flag.PERSISTENT_SEQUENTIAL)
        return Request(("create_sequential", "s-", data), Op.CREATE, body)

    def make_set(self) -> Request:
        name, data = self.name(), self.payload()
        version = self.dice.choice((-1, self.model.children.get(name, (b"", 0))[1]))
        return Request(("set", name, data, version), Op.SET_DATA, string(f"{self.root}/{name}") + buffer(data) + int_(version))

    def make_delete(self) -> Request:
        name = self.name()
        return Request(("delete", name), Op.DELETE, string(f"{self.root}/{name}") + int_(-1))

    def make_multi(self) -> Request:
        first, second, data = self.name(), self.name(), self.payload()
        steps = ("multi", ("delete", first), ("create", first, data), ("set", second, data, -1), ("create_sequential", "m-", data))
        subs = [
            Sub.delete(f"{self.root}/{first}"),
            Sub.create(f"{self.root}/{first}", data),
            Sub.set(f"{self.root}/{second}", data),
            Sub.create(f"{self.root}/m-", data, flags=Flag.PERSISTENT_SEQUENTIAL),
        ]
        return Request(steps, Op.MULTI, multi_body(subs))

    def make_shared(self) -> Request:
        tag = f"{self.number}/{self.serial}".encode()
        return Request(("create_shared", tag), Op.CREATE, create_body(f"{SHARED}/n-", tag, OPEN, Flag.PERSISTENT_SEQUENTIAL))

    # Running until the server dies.

    def run(self) -> None:
        try:
            while True:
                self.run_batch([self.request() for _ in range(self.dice.randrange(1, 9))])
        except (Closed, OSError):
            pass
        except BaseException as failure:  # handed to the test, which raises it
            self.failure = failure

    def run_batch(self, batch: list[Request]) -> None:
        self.in_doubt = batch
        sent = [self.client.send(request.op, request.body) for request in batch]
        for xid in sent:
            reply = self.client.read_reply(xid)
            self.check_reply(self.in_doubt.pop(0), reply)

    def check_reply(self, request: Request, reply) -> None:
        expected = apply(self.model, request)
        got = [sub[1] if sub[0] == Op.ERROR else Err.OK for sub in read_multi(Reader(reply.body))] if request.op == Op.MULTI else reply.err
        assert got == expected, f"{request.step}: {got} where {expected} was due"
        if request.step[0] == "create_shared":
            self.shared_names[Reader(reply.body).string()] = request.step[1]
        assert reply.zxid > self.highest_zxid, f"zxid {reply.zxid} after {self.highest_zxid}"
        self.highest_zxid = reply.zxid
        self.acknowledged += 1

    # After the restart.

    def reattach(self, address) -> None:
        session = self.client.session
        self.client.abandon()
        self.client = RawClient(address, timeout=60_000, session_id=session.session_id, password=session.password, last_zxid=self.highest_zxid)
        assert self.client.session.session_id == session.session_id, "the session was lost"
        assert self.client.stat(f"{self.root}-ephemeral").ephemeralOwner == session.session_id

    def settle(self, found: Model) -> None:
        """Finds how many requests in doubt took effect, from the front, and goes on from there."""
        candidate = copy.deepcopy(self.model)
        for count in range(len(self.in_doubt) + 1):
            if candidate == found:
                self.model, self.in_doubt = candidate, []
                return
            if count < len(self.in_doubt):
                apply(candidate, self.in_doubt[count])
        raise AssertionError(f"worker {self.number}: no prefix of {self.in_doubt} explains\n{difference(self.model, found)}")


def apply(model: Model, request: Request):
    method, *arguments = request.step
    return getattr(model, method)(*arguments)


def difference(model: Model, found: Model) -> str:
    lines = [f"creates {model.creates} acknowledged, {found.creates} found"]
    for name in sorted(model.children.keys() | found.children.keys()):
        if model.children.get(name) != found.children.get(name):
            lines.append(f"{name}: {model.children.get(name)} acknowledged, {found.children.get(name)} found")
    lines.append(f"shared: {sorted(model.shared_tags ^ found.shared_tags)}")
    return "\n".join(lines)


def read_shared(client) -> dict[str, bytes]:
    names = client.children(SHARED).value
    assert names == [f"n-{index:010d}" for index in range(len(names))], "shared sequence numbers have gaps or repeat"
    assert client.stat(SHARED).cversion == len(names)
    return {f"{SHARED}/{name}": client.get(f"{SHARED}/{name}").value[0] for name in names}


def read_subtree(client, worker: Worker, shared: dict[str, bytes]) -> Model:
    names, stat = client.children2(worker.root).value
    children = {}
    for name in names:
        data, child = client.get(f"{worker.root}/{name}").value
        children[name] = (data, child.version)
    assert (stat.cversion + len(names)) % 2 == 0
    tags = {tag for tag in shared.values() if tag.startswith(f"{worker.number}/".encode())}
    return Model(children, (stat.cversion + len(names)) // 2, tags)


def run_until_killed(server, workers, seconds) -> None:
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    server.kill()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive(), "a worker hangs though the server is dead"
    for worker in workers:
        if worker.failure:
            raise worker.failure


def check_after_restart(server, workers) -> None:
    checker = RawClient(server.address)
    shared = read_shared(checker)
    assert len(set(shared.values())) == len(shared), "a shared create took effect twice"
    for worker in workers:
        missing = worker.shared_names.items() - shared.items()
        assert not missing, f"acknowledged shared nodes are gone or have other data: {missing}"
        worker.settle(read_subtree(checker, worker, shared))
        worker.reattach(server.address)
    checker.close()

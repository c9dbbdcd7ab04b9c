"""What every test here starts from: a server of the chosen flavour, and clients that are closed afterwards.

A test file gets one server; it may set `CONFIG` (lines of zoo.cfg) and `JVM_FLAGS` for it. A test that needs
a server of its own takes `start_server`.
"""

import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

pytest.register_assert_rewrite("workload")

from kazoo.client import KazooClient  # noqa: E402

import server as servers  # noqa: E402
from rawclient import RawClient  # noqa: E402

_numbers = itertools.count(1)


def pytest_addoption(parser):
    parser.addoption("--server", default="zooid", help="zooid, zookeeper-3.8 or zookeeper-3.9")


@pytest.fixture(scope="session")
def flavour(request) -> servers.Flavour:
    return servers.flavour(request.config.getoption("--server"))


@pytest.fixture(autouse=True)
def only_on(request, flavour):
    """`@pytest.mark.since(3, 9)`: older ZooKeepers behave otherwise, so they are no proof of that test."""
    mark = request.node.get_closest_marker("since")
    if mark and flavour.version < mark.args:
        pytest.skip(f"ZooKeeper {flavour.version} differs: {mark.kwargs['because']}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its server's log."""
    report = yield
    server = item.funcargs.get("server") if hasattr(item, "funcargs") else None
    if report.failed and isinstance(server, servers.Server):
        report.sections.append((f"end of the log of {server.flavour.name}", server.log_tail(15)))
    return report


def started(flavour, config, jvm_flags="") -> servers.Server:
    return servers.Server(flavour, config, jvm_flags).start()


def discard(one: servers.Server) -> None:
    """A panic of a task that only serves one connection does not end the server: it is found here."""
    panics = [line for line in one.log_file.read_text(errors="replace").splitlines() if "panicked at" in line]
    one.discard()
    assert not panics, panics


@pytest.fixture(scope="module")
def server(request, flavour):
    one = started(flavour, getattr(request.module, "CONFIG", {}), getattr(request.module, "JVM_FLAGS", ""))
    yield one
    alive, log = one.alive(), one.log_tail()
    discard(one)
    assert alive, f"the server died:\n{log}"


@pytest.fixture
def start_server(flavour):
    """Starts servers of the test's own: `start_server(**lines_of_zoo_cfg)`."""
    begun = []

    def start(jvm_flags="", **config):
        begun.append(started(flavour, config, jvm_flags))
        return begun[-1]

    yield start
    for one in begun:
        discard(one)


@pytest.fixture
def connect(server):
    """Opens raw connections: `connect()`, or `connect(to=other_server, session_id=...)`."""
    opened = []

    def open_one(to=None, **options) -> RawClient:
        opened.append(RawClient((to or server).address, **options))
        return opened[-1]

    yield open_one
    for client in opened:
        client.close()


@pytest.fixture
def raw(connect) -> RawClient:
    return connect()


@pytest.fixture
def start_kazoo(server):
    """Started kazoo clients: `start_kazoo(timeout=4)`, or `start_kazoo(to=other_server)`."""
    begun = []

    def start(to=None, **options) -> KazooClient:
        client = KazooClient(hosts=(to or server).hosts, **({"timeout": 4} | options))
        begun.append(client)
        client.start(timeout=15)
        return client

    yield start
    for client in begun:
        client.stop()
        client.close()


@pytest.fixture
def zk(start_kazoo) -> KazooClient:
    return start_kazoo()


@pytest.fixture
def root(server) -> str:
    """A fresh, empty znode for this test."""
    path = f"/test-{next(_numbers):04d}"
    client = RawClient(server.address)
    reply = client.create(path)
    client.close()
    assert reply.ok, f"create {path}: {reply.err}"
    return path

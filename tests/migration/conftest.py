"""What every test here starts from: servers of both kinds that end with the test, and `zooid` on the command line."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

pytest.register_assert_rewrite("tree")

from kazoo.client import KazooClient  # noqa: E402

import server as servers  # noqa: E402
from ensemble import Ensemble  # noqa: E402

# Sessions outlive the move.
CONFIG = {"maxSessionTimeout": 120_000}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its servers' logs."""
    report = yield
    if report.failed:
        for one in getattr(item, "servers", []):
            tails = one.log_tails() if isinstance(one, Ensemble) else one.log_tail()
            report.sections.append((f"end of the log of {one.flavour.name}", tails))
    return report


@pytest.fixture
def prepare(request):
    """Servers that are not started: `prepare("zookeeper-3.8", port=2181, snapCount=50)`."""
    request.node.servers = []

    def one(name: str, jvm_flags: str = "", port: int = 0, **config) -> servers.Server:
        server = servers.Server(servers.flavour(name), CONFIG | config, jvm_flags, port=port)
        request.node.servers.append(server)
        return server

    yield one
    for server in request.node.servers:
        server.discard()


@pytest.fixture
def prepare_ensemble(request, prepare):
    """Ensembles that are not started."""

    def some(name: str, size: int = 3, **config) -> Ensemble:
        ensemble = Ensemble(servers.flavour(name), size, {"tickTime": 500} | CONFIG | config)
        request.node.servers.append(ensemble)
        return ensemble

    return some


@pytest.fixture
def start_kazoo():
    """Stock clients, which go on by themselves when their server moves."""
    begun = []

    def start(hosts: str) -> KazooClient:
        # By default it tries less and less often, up to once a minute.
        retry = {"max_tries": -1, "delay": 0.1, "max_delay": 0.5}
        begun.append(KazooClient(hosts, timeout=60, connection_retry=retry))
        begun[-1].start()
        return begun[-1]

    yield start
    for client in begun:
        client.stop()
        client.close()


def zooid(*arguments, fails: bool = False) -> str:
    """Runs `zooid` to its end; what it says, on both streams."""
    command = [servers.zooid_binary(), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == (1 if fails else 0), done.stdout
    return done.stdout


def wait_for(what, seconds: float = 30):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s"
        time.sleep(0.05)
    return found

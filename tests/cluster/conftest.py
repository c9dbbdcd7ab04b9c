"""What every test here starts from: an ensemble of real processes of the chosen flavour, with clients at work."""

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

pytest.register_assert_rewrite("judgement", "workload")

import server as servers  # noqa: E402
from ensemble import Ensemble  # noqa: E402
from judgement import judge, judge_by_logs  # noqa: E402
from workload import Workload  # noqa: E402

# Short ticks, so that what takes ticks does not take minutes: followers are given up after 2.5 s.
CONFIG = {"tickTime": 500}


def pytest_addoption(parser):
    parser.addoption("--server", default="zooid", help="zooid, zookeeper-3.8 or zookeeper-3.9")
    parser.addoption("--rounds", type=int, default=3, help="how often what is done again and again is done")


@pytest.fixture(scope="session")
def flavour(request) -> servers.Flavour:
    return servers.flavour(request.config.getoption("--server"))


@pytest.fixture(scope="session")
def rounds(request) -> range:
    return range(request.config.getoption("--rounds"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its members' logs."""
    report = yield
    if report.failed:
        for ensemble in getattr(item, "ensembles", []):
            report.sections.append(("ends of the logs", ensemble.log_tails()))
    return report


@pytest.fixture
def start_ensemble(request, flavour):
    """Ensembles of the test's own: `start_ensemble(3, snapCount=100)`. `KEEP_SERVERS` keeps their files."""
    request.node.ensembles = []

    def start(size: int = 3, observers: int = 0, config_of_observers: dict | None = None, **config) -> Ensemble:
        ensemble = Ensemble(flavour, size, CONFIG | config, observers, config_of_observers or {})
        request.node.ensembles.append(ensemble)
        return ensemble.start()

    yield start
    for ensemble in request.node.ensembles:
        ensemble.discard()


class Run:
    """An ensemble with clients at work."""

    def __init__(self, ensemble: Ensemble, workload: Workload):
        self.ensemble = ensemble
        self.workload = workload

    def goes_on(self, limit: float, what: str) -> None:
        print(f"{what}: every client writes again after {self.workload.goes_on(limit):.2f} s")

    def judge(self, expired: int = 0) -> None:
        """The end of the ensemble as well: the logs are read by another program."""
        print(judge(self.ensemble, self.workload, expired))
        digests = [(member.number, *shown) for member in self.ensemble.members for shown in member.digests().items()]
        self.ensemble.kill()
        if self.ensemble.flavour.is_zooid:
            assert {number for number, _, _ in digests} == {member.number for member in self.ensemble.members}, digests
            print(judge_by_logs(self.ensemble, self.workload.recorder, digests))


@pytest.fixture
def begin(start_ensemble):
    """Starts an ensemble and clients: `begin(5, snapCount=100)`."""
    begun = []

    def start(size: int = 3, timeout: int = 6_000, **of_ensemble) -> Run:
        ensemble = start_ensemble(size, **of_ensemble)
        begun.append(Run(ensemble, Workload(ensemble.addresses, timeout=timeout).start()))
        time.sleep(0.5)
        return begun[-1]

    yield start
    for run in begun:
        run.workload.end_thread()

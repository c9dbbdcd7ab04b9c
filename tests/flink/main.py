"""Runs the Flink scenarios against a server and reports. `run` installs what this needs and starts it.

Start with `main`; what is tested stands in `scenarios.py`.
"""

import argparse
import hashlib
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import needs  # noqa: E402
from ensemble import Ensemble  # noqa: E402
from ports import free_ports  # noqa: E402
from server import Flavour, Server, flavour, zooid_binary  # noqa: E402

from cluster import Cluster  # noqa: E402
from scenarios import Scenario, Setting, plan, plan_for_ensemble  # noqa: E402
from waiting import Clock  # noqa: E402

LIMIT_SECONDS = 540
FLINK_JARS = ("flink-dist-", "log4j-api-", "log4j-core-", "log4j-1.2-api-", "log4j-slf4j-impl-")
SERVER_CONFIG = {"tickTime": 2000}


class OutOfTime(BaseException):
    """The whole run took longer than its limit, or was asked to end."""


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGALRM, lambda *_: end_run(f"the whole run took longer than {options.limit} s"))
    signal.signal(signal.SIGTERM, lambda *_: end_run("asked to end by SIGTERM"))
    server_flavour = prepare_server(options.server)
    classpath = flink_classpath()
    jar = counting_job(classpath)
    directory = Path(tempfile.mkdtemp(prefix="zooid-flink-"))
    print(f"Flink on {options.members} x {server_flavour.name}; logs and data in {directory}", flush=True)
    signal.alarm(options.limit)
    passed, failed, left = run_all(servers(server_flavour, directory, options.members), directory, classpath, jar)
    signal.alarm(0)
    if failed or options.keep:
        print(f"logs and data are kept in {directory}")
    else:
        shutil.rmtree(directory)
    print(f"{passed} passed, {failed} failed" + (f", {left} skipped" if left else ""), flush=True)
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/flink/run", description="Runs a real, highly available Flink cluster on a coordination server.")
    parser.add_argument("--server", default="zooid", choices=["zooid", "zookeeper", "zookeeper-3.8", "zookeeper-3.9"])
    parser.add_argument("--members", type=int, default=1, choices=[1, 3, 5], help="servers: one, or an ensemble of so many (default %(default)s)")
    parser.add_argument("--limit", type=int, default=LIMIT_SECONDS, help="seconds after which the run is ended as failed (default %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep logs and data after success as well")
    return parser.parse_args()


def end_run(why: str) -> None:
    raise OutOfTime(why)


def prepare_server(name: str) -> Flavour:
    if name == "zooid" and not zooid_binary().exists():
        raise SystemExit(f"there is no Zooid at {zooid_binary()}: run `cargo build --release`, or set ZOOID_BIN")
    name = "zookeeper-3.8" if name == "zookeeper" else name
    if name == "zookeeper-3.8":
        needs.debian_java_clients()
    elif name == "zookeeper-3.9":
        needs.pyspark_jars()
    return flavour(name)


def flink_classpath() -> str:
    library = Path(sysconfig.get_paths()["purelib"]) / "pyflink/lib"
    return ":".join(str(jar) for jar in sorted(library.glob("*.jar")) if jar.name.startswith(FLINK_JARS))


def counting_job(classpath: str) -> Path:
    """The counting job as a jar; compiled once per version of its source."""
    source = HERE / "job/CountingJob.java"
    jar = needs.CACHE / f"counting-job-{hashlib.sha256(source.read_bytes() + classpath.encode()).hexdigest()[:12]}.jar"
    if not jar.exists():
        needs.say("compiling the counting job")
        with tempfile.TemporaryDirectory(dir=needs.CACHE) as folder:
            needs.run_quietly(["javac", "-d", f"{folder}/classes", "-cp", classpath, source])
            needs.run_quietly(["jar", "--create", "--file", f"{folder}/job.jar", "-C", f"{folder}/classes", "."])
            Path(folder, "job.jar").rename(jar)
    return jar


def servers(server_flavour: Flavour, directory: Path, members: int) -> Server | Ensemble:
    """What Flink's clusters run on; nothing is started yet."""
    place = directory / "server"
    place.mkdir()
    if members > 1:
        return Ensemble(server_flavour, members, config=SERVER_CONFIG, directory=place)
    return Server(server_flavour, config=SERVER_CONFIG, directory=place, port=free_ports(1)[0])


def run_all(on: Server | Ensemble, directory: Path, classpath: str, jar: Path) -> tuple[int, int, int]:
    """Both clusters, one after the other, on the same servers. How many scenarios passed, failed, were not reached."""
    planned = plan_for_ensemble if isinstance(on, Ensemble) else plan
    passed, total = 0, len(planned(False)) + len(planned(True))
    cluster = None
    try:
        on.start()
        for tolerates in (False, True):
            name = "tolerant" if tolerates else "strict"
            cluster = Cluster(name, directory / name, on.hosts, classpath, tolerates)
            setting = Setting(on, cluster, jar)
            print(f"\ncluster {name}: tolerate-suspended-connections {str(tolerates).lower()}", flush=True)
            for scenario in planned(tolerates):
                perform(scenario, setting, passed + 1, total)
                passed += 1
        return passed, 0, 0
    except (Exception, OutOfTime, KeyboardInterrupt) as error:
        report_failure(error)
        return passed, 1, total - passed - 1
    finally:
        signal.alarm(0)
        if cluster:
            cluster.kill_all()
        if isinstance(on, Ensemble) or on.alive():
            on.kill()


def perform(scenario: Scenario, setting: Setting, number: int, total: int) -> None:
    print(f"[{number}/{total}] {scenario.title}: {scenario.does}", flush=True)
    clock = Clock()
    for observation in scenario.act(setting):
        print(f"      {observation}", flush=True)
    print(f"      ok in {clock}", flush=True)


def report_failure(error: BaseException) -> None:
    """An assertion speaks for itself; anything else needs its traceback."""
    if isinstance(error, (AssertionError, OutOfTime)):
        place = traceback.extract_tb(error.__traceback__)[-1]
        print(f"      FAILED: {error} ({Path(place.filename).name}:{place.lineno})", flush=True)
    else:
        print("      FAILED:", flush=True)
        traceback.print_exception(error, file=sys.stdout)


if __name__ == "__main__":
    sys.exit(main())

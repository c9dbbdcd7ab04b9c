"""Starts, kills and asks the server under test: Zooid, or a real Apache ZooKeeper to prove the tests right.

A `Server` owns a data directory and a port and can be stopped and started again on both. Which program
it runs is a `Flavour`; `flavour(name)` finds one. Knows nothing of what a test checks.
"""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import needs
from ports import HOST, free_ports

REPO = Path(__file__).resolve().parents[2]
START_SECONDS = 30

# Quick ticks make quick expiries; the container check runs on a system property that zoo.cfg cannot reach.
DEFAULT_CONFIG = {
    "tickTime": 200,
    "maxClientCnxns": 0,
    "4lw.commands.whitelist": "*",
    "extendedTypesEnabled": "true",
    "admin.enableServer": "false",
}
JVM_FLAGS = "-Dznode.container.checkIntervalMs=300"


@dataclass(frozen=True)
class Flavour:
    """A server program: `command(config)` is the command line, `version` the ZooKeeper behaviour it shows."""

    name: str
    version: tuple[int, int]
    command: object

    @property
    def is_zooid(self) -> bool:
        return self.name == "zooid"


def zooid_command(config: Path) -> list[str]:
    return [str(zooid_binary()), "server", str(config)]


def zooid_binary() -> Path:
    return Path(os.environ.get("ZOOID_BIN") or REPO / "target/release/zooid")


def java_command(classpath: str):
    def command(config: Path) -> list[str]:
        # What zkServer.sh would add: the flags of the environment, then the main class.
        flags = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dzookeeper.preAllocSize=1024"]
        flags += shlex.split(os.environ.get("SERVER_JVMFLAGS", JVM_FLAGS))
        return ["java", *flags, "-cp", classpath, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)]

    return command


def java_defaults_command(classpath: str):
    """As ZooKeeper's own script runs it, with a heap of 1 GB: for measurements."""
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    return lambda config: ["java", "-Xmx1g", "-cp", classpath, main, str(config)]


def flavour(name: str) -> Flavour:
    match name:
        case "zooid":
            return Flavour(name, (3, 9), zooid_command)
        case "zookeeper-3.8":
            return Flavour(name, (3, 8), java_command(needs.debian_classpath()))
        case "zookeeper-3.9":
            return Flavour(name, (3, 9), java_command(needs.pyspark_classpath()))
        case "zookeeper-3.9-as-it-comes":
            return Flavour(name, (3, 9), java_defaults_command(needs.pyspark_classpath()))
    raise ValueError(f"no server is called {name}: zooid, zookeeper-3.8, zookeeper-3.9, zookeeper-3.9-as-it-comes")


@dataclass
class Server:
    """One server process on a directory of its own. `config` is added to (or overrides) `DEFAULT_CONFIG`; a key
    whose value is `None` is left out."""

    flavour: Flavour
    config: dict = field(default_factory=dict)
    jvm_flags: str = ""
    directory: Path = None
    port: int = 0
    process: subprocess.Popen = None

    def __post_init__(self):
        self.directory = self.directory or Path(tempfile.mkdtemp(prefix=f"{self.flavour.name}-"))
        self.port = self.port or free_ports(1)[0]

    @property
    def address(self) -> tuple[str, int]:
        return HOST, self.port

    @property
    def hosts(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    @property
    def log_file(self) -> Path:
        return self.directory / "server.log"

    def write_config(self) -> Path:
        values = DEFAULT_CONFIG | {"dataDir": self.data_dir, "clientPort": self.port, "clientPortAddress": HOST} | self.config
        path = self.directory / "zoo.cfg"
        path.write_text("".join(f"{key}={value}\n" for key, value in values.items() if value is not None))
        return path

    def start(self) -> "Server":
        """Returns when the server serves; raises with the end of its log if it does not."""
        self.spawn()
        self.wait_until_serving()
        return self

    def spawn(self) -> None:
        """Starts the process, and waits for nothing."""
        self.data_dir.mkdir(exist_ok=True)
        environment = os.environ | {"SERVER_JVMFLAGS": f"{JVM_FLAGS} {self.jvm_flags}".strip()}
        command = self.flavour.command(self.write_config())
        if not self.flavour.is_zooid and self.jvm_flags:
            command[1:1] = shlex.split(self.jvm_flags)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, cwd=self.directory)

    def wait_until_serving(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.flavour.name} ended with {self.process.returncode}:\n{self.log_tail()}")
            # A ZooKeeper that is still starting may take the connection and never answer.
            if "Mode:" in self.ask("srvr", seconds=0.5):
                return
            time.sleep(0.02)
        raise RuntimeError(f"{self.flavour.name} did not serve within {START_SECONDS} s:\n{self.log_tail()}")

    def ask(self, word: str, seconds: float = 5) -> str:
        """The answer to a four-letter word; empty if nobody listens."""
        try:
            with socket.create_connection(self.address, timeout=seconds) as sock:
                sock.sendall(word.encode())
                pieces = []
                while piece := sock.recv(65536):
                    pieces.append(piece)
                return b"".join(pieces).decode()
        except OSError:
            return ""

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> "Server":
        """A crash and a start on the same data and port."""
        self.kill()
        return self.start()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"{self.flavour.name} did not stop within 10 s of SIGTERM") from None

    def pause(self) -> None:
        """SIGSTOP: it is there and does nothing, as in a long pause of a virtual machine."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def discard(self) -> None:
        """Ends the process and removes its directory."""
        if self.alive():
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def log_tail(self, lines: int = 30) -> str:
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

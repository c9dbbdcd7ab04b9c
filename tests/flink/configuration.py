"""What Flink is told: its configuration files and the options of its JVMs.

All values that a scenario depends on stand here: the session timeout, the pace of checkpoints, which
ports. Knows nothing of processes. Start with `common`.
"""

from pathlib import Path

from ports import HOST

SESSION_SECONDS = 10
RETAINED_CHECKPOINTS = 3
SLOTS = 2
JOBMANAGERS = 2

# Flink reflects on these parts of the JDK; its own scripts open them with the same options.
OPENED = ("lang", "lang.reflect", "io", "net", "nio", "text", "time", "util", "util.concurrent", "util.concurrent.atomic", "util.concurrent.locks")
JVM_OPTIONS = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in OPENED),
]

LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1} - %m%n
"""


def common(quorum: str, cluster: str, directory: Path, tolerate_suspended: bool) -> dict:
    """The keys that all processes of one cluster share; everything else is Flink's default."""
    return {
        "high-availability.type": "zookeeper",
        "high-availability.zookeeper.quorum": quorum,
        "high-availability.zookeeper.path.root": "/flink",
        "high-availability.cluster-id": f"/{cluster}",
        "high-availability.storageDir": f"file://{directory}/ha-storage",
        "high-availability.zookeeper.client.session-timeout": f"{SESSION_SECONDS * 1000} ms",
        "high-availability.zookeeper.client.connection-timeout": "5000 ms",
        "high-availability.zookeeper.client.tolerate-suspended-connections": str(tolerate_suspended).lower(),
        "execution.checkpointing.interval": "1 s",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": f"file://{directory}/checkpoints",
        "execution.checkpointing.num-retained": RETAINED_CHECKPOINTS,
        "state.backend.type": "hashmap",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": 1_000_000,
        "restart-strategy.fixed-delay.delay": "500 ms",
        "heartbeat.interval": "2 s",
        "heartbeat.timeout": "15 s",
        "rest.address": HOST,
        "rest.bind-address": HOST,
        # How old an answer of the REST interface may be.
        "web.refresh-interval": "200 ms",
    }


def jobmanager(ports: list[int]) -> dict:
    """The keys of one JobManager, on three ports of its own: REST, RPC, blobs."""
    return {
        "jobmanager.rpc.address": HOST,
        "jobmanager.bind-host": HOST,
        "rest.port": ports[0],
        "high-availability.jobmanager.port": ports[1],
        "blob.server.port": ports[2],
    }


def taskmanager() -> dict:
    """The keys of the TaskManager. Flink's scripts would compute the sizes; without them all must be given."""
    return {
        "taskmanager.host": HOST,
        "taskmanager.bind-host": HOST,
        "taskmanager.numberOfTaskSlots": SLOTS,
        "taskmanager.cpu.cores": "2.0",
        "taskmanager.memory.framework.heap.size": "64m",
        "taskmanager.memory.framework.off-heap.size": "64m",
        "taskmanager.memory.task.heap.size": "128m",
        "taskmanager.memory.task.off-heap.size": "0m",
        "taskmanager.memory.managed.size": "16m",
        "taskmanager.memory.network.min": "32m",
        "taskmanager.memory.network.max": "32m",
        "taskmanager.memory.jvm-metaspace.size": "128m",
        "taskmanager.memory.jvm-overhead.min": "64m",
        "taskmanager.memory.jvm-overhead.max": "64m",
    }


def write(directory: Path, values: dict) -> Path:
    """A configuration directory with these keys and a directory for temporary files."""
    directory.mkdir(parents=True)
    scratch = directory / "tmp"
    scratch.mkdir()
    lines = [f"{key}: {value}\n" for key, value in (values | {"io.tmp.dirs": scratch}).items()]
    (directory / "config.yaml").write_text("".join(lines))
    (directory / "log4j.properties").write_text(LOG4J)
    return directory

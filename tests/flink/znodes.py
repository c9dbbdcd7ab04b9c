"""Reads the znodes in which a Flink cluster keeps its high availability, with an independent client (kazoo).

Layout, under `/flink/<cluster>`: `leader/latch/*` (one ephemeral per JobManager), `leader/*/connection_info`
(ephemerals of the leader), `execution-plans/<job>` and `jobs/<job>/checkpoints/<id>` (serialised handles to
files), `jobs/<job>/checkpoint_id_counter`. Each reading uses a session of its own, so that none depends on
how kazoo gets over an outage. Start with `HaZnodes`.
"""

import re
import struct
from contextlib import contextmanager
from pathlib import Path

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, NoNodeError, SessionExpiredError
from kazoo.handlers.threading import KazooTimeoutError

from waiting import NotYet

ROOT = "/flink"
CONNECT_SECONDS = 5
# Handles are Java objects; of one, only the path of its file matters here.
FILE_IN_HANDLE = re.compile(rb"file:(/[\x21-\x7e]*?/(?:completedCheckpoint|submittedExecutionPlan)[0-9a-f]+)")
PORT_IN_ADDRESS = re.compile(rb"http://127\.0\.0\.1:(\d+)")


class HaZnodes:
    """The znodes of one Flink cluster."""

    def __init__(self, hosts: str, cluster: str):
        self.hosts = hosts
        self.path = f"{ROOT}/{cluster}"

    @contextmanager
    def session(self):
        """A connected client; loss of the connection means `NotYet`."""
        client = KazooClient(self.hosts, timeout=10)
        try:
            client.start(timeout=CONNECT_SECONDS)
            yield client
        except (KazooTimeoutError, ConnectionLoss, SessionExpiredError) as error:
            raise NotYet(f"the coordination server is away: {error!r}") from error
        finally:
            client.stop()
            client.close()

    def leader_port(self) -> int:
        """The REST port of the leading JobManager."""
        with self.session() as client:
            data, _stat = get(client, f"{self.path}/leader/rest_server/connection_info")
        return int(PORT_IN_ADDRESS.search(data)[1])

    def latch_sessions(self) -> set[int]:
        """The sessions that hold a place in the election: one per JobManager."""
        with self.session() as client:
            return {get(client, f"{self.path}/leader/latch/{name}")[1].ephemeralOwner for name in self.latch(client)}

    def latch(self, client: KazooClient) -> list[str]:
        return children(client, f"{self.path}/leader/latch")

    def checkpoints(self, job: str) -> dict[int, Path]:
        """Completed checkpoints by id, each with the file that its handle points to."""
        parent = f"{self.path}/jobs/{job}/checkpoints"
        with self.session() as client:
            handles = {int(name): data_if_any(client, f"{parent}/{name}") for name in children(client, parent)}
        return {id: file_of(handle) for id, handle in handles.items() if handle is not None}

    def dangling(self, job: str) -> list[str]:
        """Checkpoints whose file is missing. Flink deletes the znode first, so a second look decides."""
        suspects = {id: file for id, file in self.checkpoints(job).items() if not file.exists()}
        still_there = self.checkpoints(job) if suspects else {}
        return [f"checkpoint {id} -> {file}" for id, file in suspects.items() if id in still_there]

    def checkpoint_counter(self, job: str) -> int:
        """The id that the next checkpoint gets."""
        with self.session() as client:
            data, _stat = get(client, f"{self.path}/jobs/{job}/checkpoint_id_counter")
        return struct.unpack(">i", data)[0]

    def execution_plan(self, job: str) -> Path:
        with self.session() as client:
            data, _stat = get(client, f"{self.path}/execution-plans/{job}")
        return file_of(data)

    def tree(self) -> dict[str, int]:
        """Every path below the cluster's znode, without the prefix, with its ephemeral owner (0: none)."""
        found: dict[str, int] = {}
        with self.session() as client:
            self.walk(client, self.path, found)
        return found

    def walk(self, client: KazooClient, path: str, found: dict[str, int]) -> None:
        for name in children(client, path):
            child = f"{path}/{name}"
            if stat := client.exists(child):
                found[child.removeprefix(f"{self.path}/")] = stat.ephemeralOwner
                self.walk(client, child, found)


def get(client: KazooClient, path: str):
    try:
        return client.get(path)
    except NoNodeError as error:
        raise NotYet(f"{path} is not there") from error


def data_if_any(client: KazooClient, path: str) -> bytes | None:
    try:
        return client.get(path)[0]
    except NoNodeError:
        return None


def children(client: KazooClient, path: str) -> list[str]:
    try:
        return client.get_children(path)
    except NoNodeError:
        return []


def file_of(handle: bytes) -> Path:
    match = FILE_IN_HANDLE.search(handle)
    assert match, f"no file is named in the handle {handle!r}"
    return Path(match[1].decode())

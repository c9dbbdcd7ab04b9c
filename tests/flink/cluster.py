"""A real Flink cluster of processes: JobManagers, one TaskManager, and the command line that submits a job.

The processes are started as plain JVMs on Flink's jars; Flink's scripts are not needed. A `Cluster` ends
only processes that it started itself. Start with `Cluster`.
"""

import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path

import configuration
from configuration import JOBMANAGERS, JVM_OPTIONS
from journal import Journal
from ports import free_ports
from rest import Rest
from waiting import until
from znodes import HaZnodes

STOP_SECONDS = 30
SUBMIT_SECONDS = 90
# A JVM that ends by SIGTERM in good order says 128 + 15.
CLEAN_EXITS = {0, 143}
JOBMANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASKMANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
COMMAND_LINE = "org.apache.flink.client.cli.CliFrontend"
NUMBERS_PER_SECOND = 500


class Cluster:
    """One Flink cluster under a cluster id (`name`) of its own, in a directory of its own."""

    def __init__(self, name: str, directory: Path, quorum: str, classpath: str, tolerate_suspended: bool):
        self.name = name
        self.directory = directory
        self.classpath = classpath
        self.tolerates_suspended = tolerate_suspended
        self.znodes = HaZnodes(quorum, name)
        self.journal = Journal(directory / "journal")
        self.processes: dict[str, subprocess.Popen] = {}
        self.rest_ports: list[int] = []
        # JobManagers that end by themselves are started again; those that were.
        self.is_supervised = False
        self.revived: list[str] = []
        self.write_configuration(quorum)

    def write_configuration(self, quorum: str) -> None:
        self.journal.directory.mkdir(parents=True)
        (self.directory / "plugins").mkdir()
        shared = configuration.common(quorum, self.name, self.directory, self.tolerates_suspended)
        ports = free_ports(3 * JOBMANAGERS)
        for number in range(JOBMANAGERS):
            own = ports[3 * number : 3 * number + 3]
            configuration.write(self.conf(f"jobmanager-{number}"), shared | configuration.jobmanager(own))
            self.rest_ports.append(own[0])
        configuration.write(self.conf("taskmanager"), shared | configuration.taskmanager())
        configuration.write(self.conf("command-line"), shared)

    def conf(self, process: str) -> Path:
        return self.directory / "conf" / process

    # Processes.

    def start(self) -> None:
        for number in range(JOBMANAGERS):
            self.start_jobmanager(number)
        self.start_jvm("taskmanager", "384m", TASKMANAGER, "--configDir", self.conf("taskmanager"))

    def start_jobmanager(self, number: int) -> None:
        name = f"jobmanager-{number}"
        self.start_jvm(name, "320m", JOBMANAGER, "--configDir", self.conf(name), "--executionMode", "cluster")

    def start_jvm(self, name: str, heap: str, main_class: str, *arguments) -> None:
        with self.log_file(name).open("ab") as log:
            # setpriv: should this test itself be killed, none of its JVMs outlives it.
            command = ["setpriv", "--pdeathsig", "KILL", *self.java(name, heap), main_class, *map(str, arguments)]
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment(name), cwd=self.directory
            )

    def java(self, name: str, heap: str) -> list[str]:
        log4j = f"-Dlog4j.configurationFile=file://{self.conf(name)}/log4j.properties"
        return ["java", f"-Xmx{heap}", *JVM_OPTIONS, log4j, "-cp", self.classpath]

    def environment(self, name: str) -> dict:
        return os.environ | {"FLINK_CONF_DIR": str(self.conf(name)), "FLINK_PLUGINS_DIR": str(self.directory / "plugins")}

    def log_file(self, process: str) -> Path:
        return self.directory / f"{process}.log"

    def exited(self) -> list[str]:
        """Processes that ended although nobody ended them."""
        return [f"{name} (exit {process.returncode})" for name, process in self.processes.items() if process.poll() is not None]

    @contextmanager
    def supervised(self):
        """Within this, JobManagers that end by themselves are started again, as those who run Flink do it: a
        JobManager ends when its client has found no server after all of its attempts."""
        self.is_supervised = True
        yield
        self.is_supervised = False

    def revive(self) -> None:
        for number in range(JOBMANAGERS):
            name = f"jobmanager-{number}"
            if name in self.processes and self.processes[name].poll() is not None:
                self.revived.append(name)
                self.start_jobmanager(number)

    def kill(self, name: str) -> None:
        """SIGKILL; the cluster goes on without this process until it is started again."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def terminate(self, name: str) -> None:
        """SIGTERM, and an orderly end."""
        process = self.processes.pop(name)
        process.terminate()
        status = process.wait(timeout=STOP_SECONDS)
        assert status in CLEAN_EXITS, f"{name} did not end cleanly: {status}"

    def terminate_all(self) -> None:
        """SIGTERM to one after the other, the leader last: a standby that is granted leadership in the midst of its
        own end, since the leader's session was gone first, ends with 239. That is a race within Flink."""
        leader = f"jobmanager-{self.leader()}"
        for name in sorted(self.processes, key=lambda name: name == leader):
            self.terminate(name)

    def kill_all(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    # The job.

    def submit(self, jar: Path) -> str:
        """Submits the counting job by Flink's command line, which finds the leader in the znodes; the job's id."""
        run = [COMMAND_LINE, "run", "--detached", "--class", "CountingJob", jar, self.journal.directory, NUMBERS_PER_SECOND]
        done = subprocess.run(
            [*self.java("command-line", "256m"), *map(str, run)],
            env=self.environment("command-line"),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=SUBMIT_SECONDS,
        )
        self.log_file("command-line").write_text(done.stdout + done.stderr)
        match = re.search(r"JobID ([0-9a-f]{32})", done.stdout)
        assert match, f"the job was not submitted:\n{(done.stdout + done.stderr)[-2000:]}"
        return match[1]

    # Leadership.

    def leader(self) -> int:
        """The number of the JobManager that the znodes name as leader."""
        return self.rest_ports.index(self.znodes.leader_port())

    def rest(self) -> Rest:
        """The leader's REST interface, by the znodes."""
        return Rest(self.znodes.leader_port())

    def is_complete(self) -> bool:
        """True if every JobManager runs and has its place in the election."""
        if self.is_supervised:
            self.revive()
        return len(self.znodes.latch_sessions()) == JOBMANAGERS and not self.exited()

    def wait_for_standby(self, limit: float) -> None:
        """Until that is so."""
        until("every JobManager in the latch", limit, self.is_complete)

    def moved_on(self, job: str, beyond: int, limit: float) -> int:
        """Waits until the job runs and a checkpoint later than `beyond` is complete; that checkpoint's id."""

        def later_checkpoint() -> int:
            rest = self.rest()
            completed = rest.completed(job) if rest.is_running(job) else 0
            return completed if completed > beyond else 0

        return until(f"a completed checkpoint after {beyond}", limit, later_checkpoint)

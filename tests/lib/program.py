"""Runs a check program of another language against a server, and restarts that server when the program asks.

The program prints `ok NAME` or `FAILED NAME why` per check and ends with 0 if none failed. On its line
`RESTART-SERVER` the server is killed and started again, and the program is told `done`.
"""

import os
import subprocess
import threading
from dataclasses import dataclass, field

from server import Server

LIMIT_SECONDS = 180


@dataclass
class Outcome:
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def run(command: list, server: Server, show=print) -> Outcome:
    """Every check the program made; a program that ends badly counts as one more that failed."""
    outcome = Outcome()
    behaviour = ".".join(map(str, server.flavour.version))
    environment = os.environ | {"ZOOKEEPER_BEHAVIOUR": behaviour}
    process = subprocess.Popen([*map(str, command), server.hosts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment)
    watchdog = threading.Timer(LIMIT_SECONDS, process.kill)
    watchdog.start()
    for line in process.stdout:
        take(line.rstrip("\n"), outcome, process, server, show)
    status = process.wait()
    timed_out = not watchdog.is_alive()
    watchdog.cancel()
    if timed_out or status != (1 if outcome.failed else 0) or not outcome.passed:
        outcome.failed.append(f"the program itself: status {status}" + (f", killed after {LIMIT_SECONDS} s" if timed_out else ""))
        show(f"FAILED {outcome.failed[-1]}")
    return outcome


def take(line: str, outcome: Outcome, process, server: Server, show) -> None:
    word, _, rest = line.partition(" ")
    match word:
        case "ok":
            outcome.passed.append(rest)
        case "FAILED":
            outcome.failed.append(rest)
        case "RESTART-SERVER":
            server.restart()
            process.stdin.write("done\n")
            process.stdin.flush()
            return
    show(line)

"""Asks a JobManager by its REST interface. A JobManager that is away, or does not lead yet, raises `OSError`."""

import json
import urllib.request

from ports import HOST
from waiting import NotYet

REPLY_SECONDS = 5


class Rest:
    """The REST interface on one port."""

    def __init__(self, port: int):
        self.base = f"http://{HOST}:{port}"

    def call(self, path: str, method: str = "GET") -> dict:
        request = urllib.request.Request(f"{self.base}{path}", method=method)
        with urllib.request.urlopen(request, timeout=REPLY_SECONDS) as answer:
            return json.load(answer)

    def free_slots(self) -> int:
        return sum(taskmanager["freeSlots"] for taskmanager in self.call("/taskmanagers")["taskmanagers"])

    def state(self, job: str) -> str:
        return self.call(f"/jobs/{job}")["state"]

    def is_running(self, job: str) -> bool:
        """The job and each of its tasks: a job whose tasks wait for slots also calls itself RUNNING."""
        details = self.call(f"/jobs/{job}")
        states = {details["state"], *(vertex["status"] for vertex in details["vertices"])}
        if states != {"RUNNING"}:
            raise NotYet(f"the job is {details['state']}, its tasks are {sorted(states)}")
        return True

    def completed(self, job: str) -> int:
        """The id of the latest completed checkpoint; 0 if there is none."""
        latest = self.call(f"/jobs/{job}/checkpoints")["latest"]["completed"]
        return latest["id"] if latest else 0

    def restored(self, job: str) -> int:
        """The id of the checkpoint that the job was last restored from; 0 if none."""
        latest = self.call(f"/jobs/{job}/checkpoints")["latest"]["restored"]
        return latest["id"] if latest else 0

    def cancel(self, job: str) -> None:
        self.call(f"/jobs/{job}?mode=cancel", "PATCH")

"""Waiting with a bound: everything this test waits for has a name and a limit in seconds."""

import time

POLL_SECONDS = 0.1


class NotYet(Exception):
    """A probe's way to say: ask again, and if time runs out, this was the reason."""


def until(what: str, limit: float, probe):
    """The first true answer of `probe`; an assertion fails once `limit` seconds have passed without one.

    A probe that cannot reach a server that is down raises `OSError`; that and `NotYet` mean "not yet".
    """
    deadline = time.monotonic() + limit
    reason = "no answer yet"
    while True:
        try:
            if answer := probe():
                return answer
            reason = "still not so"
        except (OSError, NotYet) as error:
            reason = str(error) or repr(error)
        assert time.monotonic() < deadline, f"waited {limit:g} s in vain for {what} ({reason})"
        time.sleep(POLL_SECONDS)


class Clock:
    """Seconds since it was made."""

    def __init__(self):
        self.start = time.monotonic()

    def __str__(self) -> str:
        return f"{self.seconds():.1f} s"

    def seconds(self) -> float:
        return time.monotonic() - self.start

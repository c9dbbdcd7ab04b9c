"""Runs functions at once, and raises what any of them raised."""

import threading

LIMIT_SECONDS = 60


def in_threads(bodies) -> None:
    """One thread for each; returns when all have ended."""
    failures = []

    def guarded(body):
        try:
            body()
        except BaseException as failure:  # handed to the caller's thread
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=LIMIT_SECONDS)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]

"""Clients that write and remember what was acknowledged, so that it can be looked for afterwards.

Each writer has a subtree of its own. It counts upwards: the data of its node, and children of which only the newest
few stay. What was asked and not answered may or may not have happened; everything else is certain.
"""

import threading
import time
from collections import deque

from rawclient import Closed, RawClient
from protocol import Err

# Children that stay.
KEPT = 5


class Writer(threading.Thread):
    """Writes until it is told to stop, however often the server goes away. Its session may end; what it wrote stays."""

    def __init__(self, address, name: str, data_bytes: int = 100):
        super().__init__(daemon=True)
        self.address = address
        self.path = f"/{name}"
        self.filling = b"." * data_bytes
        self.asked = 0
        self.acknowledged = 0
        # Rounds that ended well, the newest ones; others may have happened or not.
        self.complete = deque(maxlen=KEPT)
        self.wrong: list[str] = []
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                self.write(RawClient(self.address))
            except (OSError, Closed):
                time.sleep(0.01)

    def write(self, client: RawClient) -> None:
        self.expect(client.create(self.path), Err.OK, Err.NODE_EXISTS)
        while not self.ending.is_set():
            self.asked += 1
            number = self.asked
            self.expect(client.create(f"{self.path}/{number}", self.filling), Err.OK)
            self.expect(client.set(self.path, str(number).encode()), Err.OK)
            if number > KEPT:
                self.expect(client.delete(f"{self.path}/{number - KEPT}"), Err.OK, Err.NO_NODE)
            self.complete.append(number)
            self.acknowledged = number
        client.close()

    def expect(self, reply, *errors) -> None:
        if reply.err not in errors:
            self.wrong.append(f"{self.path}: {reply}")

    def end(self) -> None:
        self.ending.set()
        self.join(timeout=30)
        assert not self.is_alive(), f"{self.path} did not end"

    def check(self, client: RawClient) -> None:
        """All that is certain is there; the writer must not be at work."""
        assert not self.wrong, self.wrong
        acknowledged, asked = self.acknowledged, self.asked
        if not acknowledged:
            return
        number = int(client.get(self.path).value[0])
        assert acknowledged <= number <= asked, f"{self.path}: {number} is not between {acknowledged} and {asked}"
        children = {int(name) for name in client.children(self.path).value}
        certain = set(self.complete)
        # What was asked after it may have deleted one more of those each time.
        gone = set(range(1, asked - KEPT + 1))
        missing = certain - gone - children
        assert not missing, f"{self.path}: {missing} were acknowledged and are gone"
        surplus = {child for child in children if child > asked}
        assert not surplus, f"{self.path}: {surplus} were never asked for"


def check_all(server, writers: list[Writer]) -> None:
    client = RawClient(server.address)
    for writer in writers:
        writer.check(client)
    client.close()


class Writers:
    """Several at work."""

    def __init__(self, server, count: int = 8, data_bytes: int = 100):
        self.server = server
        self.all = [Writer(server.address, f"w{number}", data_bytes) for number in range(count)]
        for writer in self.all:
            writer.start()

    @property
    def acknowledged(self) -> int:
        return sum(writer.acknowledged for writer in self.all)

    def end(self) -> None:
        for writer in self.all:
            writer.end()

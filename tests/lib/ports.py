"""Ports for servers that may be stopped and started again."""

import random
import socket

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, outside the range that the system hands to clients: none is taken meanwhile,
    and no client that retries while its server is down can connect to itself."""
    ports: list[int] = []
    candidates = list(range(20_000, 32_000))
    random.shuffle(candidates)
    while len(ports) < count:
        port = candidates.pop()
        if is_bindable(port):
            ports.append(port)
    return ports


def is_bindable(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True

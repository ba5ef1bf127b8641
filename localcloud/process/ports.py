"""Loopback ports that nobody listens on."""

import random
import socket

from localcloud.errors import PortTakenError

HOST = "127.0.0.1"
# Below the range from which systems give ports to outgoing connections: nobody takes one by accident
# between this choice and its use.
_RANGE = range(20_000, 32_000)
_TRIES = 200


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` different free ports. Raises PortTakenError if the machine has too few."""
    found: set[int] = set()
    for port in random.SystemRandom().sample(_RANGE, _TRIES):
        if len(found) < count and is_free(port):
            found.add(port)
    if len(found) < count:
        raise PortTakenError("This machine has hardly any free port. End some servers and start again.")
    return tuple(found)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it: connections of an ended server that linger do not count as a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def require_free(port: int) -> None:
    """Raise PortTakenError if something listens on `port`."""
    if not is_free(port):
        raise PortTakenError(f"Port {port} is taken by another program. Choose another one with --port.")

"""Loopback ports: which are free, and whether a server responds on one."""

import json
import random
import socket
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from localcloud.errors import PortTakenError

HOST = "127.0.0.1"
# Below the range that systems use for outgoing connections, so that none takes a port
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
        raise PortTakenError("This machine has too few free ports. End some servers and start again.")
    return tuple(found)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers set it: the lingering connections of a server that ended do not keep its port.
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


def host_runs(port: int) -> bool:
    """Return whether a Functions host on a loopback port reports that it is running."""
    response = _get(port, "/admin/host/status")
    if response is None or response[0] != HTTPStatus.OK:
        return False
    try:
        status = json.loads(response[1])
    except ValueError:
        return False
    return isinstance(status, dict) and status.get("state") == "Running"


def responds(port: int) -> bool:
    """Return whether an HTTP server responds on a loopback port, with any status."""
    return _get(port, "/") is not None


def _get(port: int, path: str) -> tuple[int, bytes] | None:
    """Return status and body of a GET, or None if there is no response."""
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()

"""Azurite as a supervised process."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from localcloud.azurite.install import Node, ensure_installed
from localcloud.private_files import base64_key, private_directory
from localcloud.process.children import ChildRecord
from localcloud.process.member import Command, Member
from localcloud.process.ports import HOST, free_ports, responds

ACCOUNT = "localcloud"
_SCRIPT = Path(__file__).parent / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
_START_TIMEOUT = 60.0


@dataclass(frozen=True)
class AzuritePorts:
    blob: int
    queue: int
    table: int


def connection_string(data: Path, ports: AzuritePorts) -> str:
    """Return the connection string for Azure clients. The account key is kept in `data`."""
    endpoints = {"BlobEndpoint": ports.blob, "QueueEndpoint": ports.queue, "TableEndpoint": ports.table}
    parts = [
        "DefaultEndpointsProtocol=http",
        f"AccountName={ACCOUNT}",
        f"AccountKey={_account_key(data)}",
        *(f"{name}=http://{HOST}:{port}/{ACCOUNT}" for name, port in endpoints.items()),
    ]
    return ";".join(parts) + ";"


class Azurite(Member):
    """Azurite on a data directory. Only SIGTERM makes it write everything: kill() loses the last seconds."""

    def __init__(
        self,
        data: Path,
        ports: AzuritePorts,
        *,
        node: Node,
        log: Path,
        record: ChildRecord,
        environment: Mapping[str, str] = MappingProxyType({}),
        access_log: bool = False,
    ) -> None:
        """`environment` is added to this process's own; `access_log` logs each request to `log`."""
        self.ports = ports
        self.connection_string = connection_string(data, ports)
        account = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{_account_key(data)}"}
        settings = {**os.environ, **environment, **account}
        command = Command("azurite", _arguments(node, data, ports, access_log), settings, data, log)
        # The table service is the last one to listen.
        super().__init__(command, record, lambda: responds(ports.table))

    def start_and_wait(self) -> None:
        """Start it and wait until it is ready. Raises MemberError."""
        self.start()
        self.wait_ready(_START_TIMEOUT)


@contextmanager
def running(data: Path) -> Iterator[Azurite]:
    """Run Azurite alone, on `data` and free ports, while the context is open."""
    private_directory(data)
    ports = AzuritePorts(*free_ports(3))
    record = ChildRecord(data / "children.json")
    azurite = Azurite(data, ports, node=ensure_installed(), log=data / "azurite.log", record=record)
    try:
        azurite.start_and_wait()
        yield azurite
    finally:
        azurite.stop()


def _arguments(node: Node, data: Path, ports: AzuritePorts, access_log: bool) -> tuple[str, ...]:
    listen = {"blob": ports.blob, "queue": ports.queue, "table": ports.table}
    addresses = [
        argument
        for service, port in listen.items()
        for argument in (f"--{service}Host", HOST, f"--{service}Port", str(port))
    ]
    flags = ("--skipApiVersionCheck", "--disableTelemetry", *(() if access_log else ("--silent",)))
    return (str(node.binary), str(_SCRIPT), "--location", str(data / "azurite"), *flags, *addresses)


def _account_key(data: Path) -> str:
    return base64_key(data / "azurite-account-key")

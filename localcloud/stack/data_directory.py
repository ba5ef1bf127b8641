"""The data directory of one service: its files, and the addresses of the service that runs on it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from localcloud.azurite import AzuritePorts
from localcloud.errors import DamagedFileError, DataDirectoryBusyError
from localcloud.private_files import make_private, private_directory, read_or_create, replace_private
from localcloud.process.ports import HOST, free_ports


@dataclass(frozen=True)
class Addresses:
    """The ports of the running service."""

    host: int
    mail: int
    azurite: AzuritePorts
    controls: str = ""
    """The base URL for the clock and the mails."""

    @classmethod
    def with_free_ports(cls, host: int) -> "Addresses":
        """Choose free ports; `host` is kept unless it is 0."""
        free, mail, *storage = free_ports(5)
        return cls(host or free, mail, AzuritePorts(*storage))

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.host}"

    @property
    def mail_url(self) -> str:
        return f"http://{HOST}:{self.mail}"

    def write(self, file: Path) -> None:
        replace_private(file, json.dumps(asdict(self), indent=2).encode())

    @classmethod
    def read(cls, file: Path) -> "Addresses | None":
        """Read `file`; None if there is no such file. Raises DamagedFileError."""
        try:
            content = json.loads(file.read_bytes())
            return cls(
                content["host"], content["mail"], AzuritePorts(**content["azurite"]), content["controls"]
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFileError(
                f"{file} is damaged. Start the service again; it rewrites the file."
            ) from error


@dataclass(frozen=True)
class DataDirectory:
    """The files below `path`, which is absolute."""

    path: Path

    @classmethod
    def prepared(cls, path: Path) -> "DataDirectory":
        """Create the directories of `path` if necessary, and make what is there private. Raises UnusableDataError."""
        data = cls(make_private(path.resolve()))
        private_directory(data.logs)
        private_directory(data.host)
        return data

    def claim_for(self, host: str) -> None:
        """Bind the directory to its first host. Raises DataDirectoryBusyError if it belongs to another one.

        The clock and the orchestrations are stored by the host; another host would start without them.
        """
        first = read_or_create(self.path / "host", host.encode).decode()
        if first != host:
            raise DataDirectoryBusyError(
                f"The data directory {self.path} was created with {first}. Start with --host {first}, or choose "
                "another directory with --data."
            )

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def host(self) -> Path:
        return self.path / "devhost"

    @property
    def clock_offset(self) -> Path:
        return self.host / "clock-offset"

    @property
    def children(self) -> Path:
        return self.path / "children.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def addresses(self) -> Path:
        return self.path / "addresses.json"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

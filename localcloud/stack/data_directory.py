"""Where everything of one service lies on disk."""

from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import DataDirectoryBusyError
from localcloud.private_files import private_directory, read_or_create


@dataclass(frozen=True)
class DataDirectory:
    """The layout below `path`, which is absolute."""

    path: Path

    @classmethod
    def prepared(cls, path: Path) -> "DataDirectory":
        """Return the layout of `path`, created if necessary (mode 0700)."""
        data = cls(private_directory(path.resolve()))
        private_directory(data.logs)
        private_directory(data.host)
        return data

    def claim_for(self, host: str) -> None:
        """Keep the directory to the host that it was made on. Raises DataDirectoryBusyError.

        Clock and waiting orchestrations are the host's own, and another one would begin from others.
        """
        made_on = read_or_create(self.path / "host", host.encode).decode()
        if made_on != host:
            raise DataDirectoryBusyError(
                f"The data directory {self.path} was made on {made_on}. Start with --host {made_on}, or choose "
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

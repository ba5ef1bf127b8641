"""Where everything of one service lies on disk."""

from dataclasses import dataclass
from pathlib import Path

from localcloud.private_files import private_directory


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

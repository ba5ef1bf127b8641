"""The record of started processes, so that the next start finds what a killed one left behind."""

import json
from collections.abc import Callable
from pathlib import Path

from localcloud.errors import DamagedFileError, MemberError
from localcloud.private_files import replace_private
from localcloud.process.identity import ProcessIdentity, identify

Report = Callable[[str], None]


class ChildRecord:
    """A file of names and process identities, in the order of their start."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, name: str, pid: int) -> None:
        process = identify(pid)
        if process is not None:
            self._write({**self._read(), name: process})

    def remove(self, name: str) -> None:
        self._write({other: process for other, process in self._read().items() if other != name})

    def end_leftovers(self, grace: float, report: Report) -> None:
        """End what still runs, last started first. Raises MemberError if a process does not go."""
        for name, process in reversed(self._read().items()):
            if process.alive():
                report(f"Ending {name} (pid {process.pid}) of an earlier start")
                if not process.end(grace):
                    raise MemberError(
                        f"{name} (pid {process.pid}) of an earlier start does not end. End it yourself."
                    )
            self.remove(name)

    def _read(self) -> dict[str, ProcessIdentity]:
        try:
            content = json.loads(self._path.read_bytes())
            return {name: ProcessIdentity(**process) for name, process in content.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError) as error:
            raise DamagedFileError(
                f"{self._path} is damaged. Make sure that no earlier start still runs, then delete it."
            ) from error

    def _write(self, processes: dict[str, ProcessIdentity]) -> None:
        content = {name: {"pid": one.pid, "started": one.started} for name, one in processes.items()}
        replace_private(self._path, json.dumps(content, indent=2).encode())

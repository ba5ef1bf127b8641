"""The runtime status of an orchestration instance."""

from enum import StrEnum


class Status(StrEnum):
    """As status queries name it."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self not in (Status.PENDING, Status.RUNNING)

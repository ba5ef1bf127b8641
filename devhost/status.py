"""The runtime status of an orchestration instance."""

from enum import StrEnum


class Status(StrEnum):
    """The names that status queries use."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"

    @property
    def is_final(self) -> bool:
        """Whether the instance has ended."""
        return self not in (Status.PENDING, Status.RUNNING)

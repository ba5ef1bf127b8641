"""The free space on a disk that the service fills: where little is left, nothing new is begun.

On one machine the tables, the engine and the mails lie on the same disk, and what is acknowledged must still fit on
it. What is left then is for what was begun: it goes on. On Azure no disk is watched.
"""

import shutil
from collections.abc import Callable

from shared.errors import ConfigurationError, DiskFull

MIN_FREE_BYTES = 200_000_000
"""In bytes: what may be taken by work that was begun, until somebody frees space."""


def free_bytes(folder: str) -> int:
    """What is free on the disk of a folder. Raises `OSError`."""
    return shutil.disk_usage(folder).free


def require_free_space(folder: str | None, free: Callable[[str], int] = free_bytes) -> None:
    """Raise `DiskFull` if less than `MIN_FREE_BYTES` is free on the disk of `folder`; None is not looked at.

    Raises `ConfigurationError` if there is no such folder.
    """
    if folder is None:
        return
    try:
        left = free(folder)
    except OSError as failure:
        raise ConfigurationError(
            f"Set WATCHED_DISK to a folder whose disk is to be watched, or leave it out: {failure.strerror}."
        ) from failure
    if left < MIN_FREE_BYTES:
        raise DiskFull(left, MIN_FREE_BYTES)

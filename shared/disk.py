"""Free disk space: when it runs low, commands are refused so that work in progress can finish.

When everything runs on one machine, the tables, the engine and the mails share a disk, and what the service has
acknowledged must still fit on it. On Azure no disk is watched.
"""

import shutil
from collections.abc import Callable

from shared.errors import ConfigurationError, DiskFull

MIN_FREE_BYTES = 200_000_000
"""In bytes: the space reserved for work in progress."""


def free_bytes(folder: str) -> int:
    """Free bytes on the disk that holds a folder. Raises `OSError`."""
    return shutil.disk_usage(folder).free


def require_free_space(folder: str | None, free: Callable[[str], int] = free_bytes) -> None:
    """Raise `DiskFull` if less than `MIN_FREE_BYTES` is free on the disk of `folder`; None is not checked.

    Raises `ConfigurationError` if the folder does not exist.
    """
    if folder is None:
        return
    try:
        available = free(folder)
    except OSError as failure:
        raise ConfigurationError(
            f"Set WATCHED_DISK to a folder that exists, or remove the setting: {failure.strerror}."
        ) from failure
    if available < MIN_FREE_BYTES:
        raise DiskFull(available, MIN_FREE_BYTES)

"""Files and directories that only their owner may read, and what to do when they cannot be used."""

import errno
import os
import secrets
import stat
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from localcloud.errors import UnusableDataError

PRIVATE = 0o077
"""The umask of every process that writes into a data directory."""
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NO_DIRECTORY = frozenset({errno.EEXIST, errno.ENOTDIR})
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Turn an OSError at `path` into an UnusableDataError that says what to do."""
    try:
        yield
    except OSError as failure:
        raise UnusableDataError(_sentence(path, failure)) from failure


def _sentence(path: Path, failure: OSError) -> str:
    if failure.errno in _NO_DIRECTORY:
        return f"{path} cannot be made: a file is in its place. Choose another directory with --data."
    if failure.errno in _NO_SPACE:
        return f"{path} cannot be written: its disk is full. Free space there, or choose another with --data."
    return f"{path} cannot be used ({failure.strerror}). Make it writable, or choose another directory with --data."


def private_directory(path: Path) -> Path:
    """Create `path` with mode 0700, parents included, and return it. Raises UnusableDataError."""
    with usable(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def make_private(path: Path) -> Path:
    """Create a directory with mode 0700, or take group and others all rights to it and to what is in it; return it.

    Raises UnusableDataError, also for a directory that is shared: of another user, or one such as /tmp or a home.
    """
    private_directory(path)
    with usable(path):
        if _is_shared(path):
            raise UnusableDataError(
                f"{path} is used for other things too. Choose another directory with --data."
            )
        path.chmod(0o700)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                _take_from_others(Path(folder, name))
    return path


def _is_shared(path: Path) -> bool:
    status = path.stat()
    is_foreign = status.st_uid != os.getuid() or bool(status.st_mode & stat.S_ISVTX)
    return is_foreign or Path.home().resolve().is_relative_to(path.resolve())


def _take_from_others(path: Path) -> None:
    """Links stay: what they lead to is elsewhere. A file that a running service has just deleted needs nothing."""
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _OF_OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OF_OTHERS)


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the content of `path`; if there is no such file, create it from `make` with mode 0600.

    Safe when several processes call it at once: all return the content of the one that came first, and none reads
    a half-written file. Raises UnusableDataError.
    """
    with usable(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            _publish(path, make())
        return path.read_bytes()


def base64_key(path: Path) -> str:
    """Return the key in `path`, 64 bytes in base64; the first call creates it. Raises UnusableDataError."""
    return read_or_create(path, lambda: b64encode(secrets.token_bytes(64))).decode("ascii")


def _publish(path: Path, content: bytes) -> None:
    private_directory(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_private(draft, content)
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def replace_private(path: Path, content: bytes) -> None:
    """Replace the content of `path` atomically, mode 0600. Raises UnusableDataError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with usable(path):
        try:
            _write_private(draft, content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

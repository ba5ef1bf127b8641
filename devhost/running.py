"""Runs an app: opens the port and the store, publishes the clock, loads the app, starts and stops the host."""

import fcntl
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from azure.functions import FunctionRegister

from devhost.clock import OFFSET_FILE, OFFSET_VARIABLE, DomainClock, shown_offset
from devhost.discovery import discover, load_app
from devhost.errors import StartError
from devhost.functions import Function
from devhost.host import HOST, Host, Options
from devhost.host_json import HostSettings, host_settings, read_host_json
from devhost.store import Store, reads
from devhost.store.schema import FILE, START_OVER


def listen(port: int) -> socket.socket:
    """Listen on a loopback port; 0 means a free one. Raises StartError if it is in use."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
    except (OSError, OverflowError) as failure:
        listener.close()
        raise StartError(
            f"Port {port} on {HOST} cannot be used ({failure}); free it or choose another --port."
        ) from failure
    return listener


@asynccontextmanager
async def running(
    app: Path | FunctionRegister, data: Path, *, host_json: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[Host]:
    """Run an app, given as its folder or as an app object, until the block ends.

    `host_json` replaces the file if the app is an object. `options` are the members of Options. Sets
    `CLOCK_OFFSET_FILE` before the app is imported, and restores its value at the end. Raises StartError.
    """
    chosen = _options(data, options)
    async with _listening(chosen.port) as listener, _stored(chosen) as (store, clock):
        settings, functions = _load(app, host_json or {})
        host = Host(
            functions=functions,
            settings=settings,
            options=chosen,
            store=store,
            clock=clock,
            listener=listener,
        )
        try:
            await host.start()
            yield host
        finally:
            await host.stop()


def _is_shared(folder: Path) -> bool:
    """Whether a folder is another user's, or one such as /tmp or a home: others need it as it is."""
    status = folder.stat()
    is_foreign = status.st_uid != os.getuid() or bool(status.st_mode & stat.S_ISVTX)
    return is_foreign or Path.home().resolve().is_relative_to(folder)


def _options(data: Path, options: Mapping[str, Any]) -> Options:
    """Make the folder absolute, because importing an app changes the current directory; only its owner can enter."""
    folder = data.resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_shared(folder):
            raise StartError(f"The folder {folder} is used for other things too; choose another --data.")
        folder.chmod(0o700)
    except OSError as failure:
        raise StartError(
            f"The folder {folder} cannot be made ({failure.strerror}); choose another --data."
        ) from failure
    return Options(folder, **options)


def _load(
    app: Path | FunctionRegister, host_json: Mapping[str, Any]
) -> tuple[HostSettings, tuple[Function, ...]]:
    if isinstance(app, FunctionRegister):
        return host_settings(host_json), discover(app)
    folder = app.resolve()
    return read_host_json(folder), discover(load_app(folder))


@asynccontextmanager
async def _stored(options: Options) -> AsyncIterator[tuple[Store, DomainClock]]:
    """Open the store and publish its clock, which the app may read while it is imported."""
    with _held(options.data):
        store = _open_store(options.data)
        try:
            with _variable(OFFSET_VARIABLE, str(options.data / OFFSET_FILE)):
                yield store, _clock(store, options.data / OFFSET_FILE)
        finally:
            await store.close()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock the folder; the system releases the lock when this process ends, however it ends."""
    try:
        file = (folder / "lock").open("w", encoding="ascii")
    except OSError as failure:
        raise StartError(_unwritable(folder, failure)) from failure
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as failure:
            raise StartError(
                f"Another devhost uses {folder}; stop it, or choose another --data."
            ) from failure
        yield


def _open_store(folder: Path) -> Store:
    """Open the state. An empty file counts as new only if no host has published a clock yet. Raises StartError."""
    file = folder / FILE
    if (folder / OFFSET_FILE).exists() and file.is_file() and not file.stat().st_size:
        raise StartError(
            f"{file} is damaged (it is empty, and was not); restore it from a copy, or {START_OVER}"
        )
    return Store.open(folder)


def _clock(store: Store, offset_file: Path) -> DomainClock:
    """Restore the clock. It never goes back, not even if the state is new. Raises StartError."""
    offset = store.read(reads.clock_offset)
    try:
        return DomainClock(offset_file, shown_offset(offset_file) if offset is None else offset)
    except OSError as failure:
        raise StartError(_unwritable(offset_file.parent, failure)) from failure


def _unwritable(folder: Path, failure: OSError) -> str:
    return (
        f"Nothing can be written in {folder} ({failure.strerror}); free space on its disk, make it writable, or "
        "choose another --data."
    )


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


@asynccontextmanager
async def _listening(port: int) -> AsyncIterator[socket.socket]:
    listener = listen(port)
    try:
        yield listener
    finally:
        listener.close()

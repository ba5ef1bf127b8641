"""Runs an app: takes the port, opens the store, shows the clock, loads the app, starts and stops the host."""

import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from azure.functions import FunctionRegister

from devhost.clock import OFFSET_FILE, OFFSET_VARIABLE, DomainClock
from devhost.discovery import Function, discover, load_app
from devhost.errors import StartError
from devhost.host import HOST, Host, Options
from devhost.host_json import HostSettings, host_settings, read_host_json
from devhost.store import Store, reads


def listen(port: int) -> socket.socket:
    """Take a port on the loopback interface; 0 means a free one. Raises StartError if it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
    except OSError as failure:
        listener.close()
        raise StartError(
            f"Port {port} on {HOST} cannot be used ({failure.strerror}); stop what holds it or choose another --port."
        ) from failure
    return listener


@asynccontextmanager
async def running(
    app: Path | FunctionRegister, data: Path, *, host_json: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[Host]:
    """Run an app, given as its folder or as an app object, until the block ends.

    `host_json` stands in for the file where the app is an object. `options` are the members of Options. Sets
    `CLOCK_OFFSET_FILE` before the app is imported, and puts back what was there at the end. Raises StartError.
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


def _options(data: Path, options: Mapping[str, Any]) -> Options:
    """Importing an app changes the current directory, so the folder must not depend on it."""
    folder = data.resolve()
    folder.mkdir(parents=True, exist_ok=True)
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
    """Open the store and show its clock to the app, which may look at it while it is imported."""
    store = Store.open(options.data)
    try:
        with _variable(OFFSET_VARIABLE, str(options.data / OFFSET_FILE)):
            yield store, DomainClock(options.data / OFFSET_FILE, store.read(reads.clock_offset))
    finally:
        await store.close()


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

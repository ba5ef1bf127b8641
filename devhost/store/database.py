"""The store: opened per host, written by units of work, read directly."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from devhost.store.schema import connect, create_tables
from devhost.store.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """One SQLite file. `write` commits before its awaitable settles; `read` never waits for a commit."""

    def __init__(self, reader: sqlite3.Connection, writer: sqlite3.Connection, thread: Writer) -> None:
        self._reader = reader
        self._connection = writer
        self._writer = thread

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open or create the file in the folder; must run on the event loop that will use it."""
        folder.mkdir(parents=True, exist_ok=True)
        connection = connect(folder)
        create_tables(connection)
        thread = Writer(connection, asyncio.get_running_loop())
        thread.start()
        return cls(connect(folder), connection, thread)

    async def close(self) -> None:
        """Commit what is queued, then close the file."""
        await self._writer.stop()
        self._reader.close()
        self._connection.close()

    def read(
        self, query: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a query of `devhost.store.reads` on committed data."""
        return query(self._reader, *args, **kwargs)

    def write(
        self, unit: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Queue a unit of `devhost.store.writes`; the future settles once it is on the disk."""
        return self._writer.submit(lambda connection: unit(connection, *args, **kwargs))

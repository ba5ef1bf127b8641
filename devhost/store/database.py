"""The store of one host: written by units of work, read directly."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from devhost.store.failures import is_damage
from devhost.store.schema import connect, open_checked
from devhost.store.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """One SQLite file. `write` commits before its awaitable settles; `read` never waits for a commit."""

    def __init__(self, reader: sqlite3.Connection, writer: sqlite3.Connection, thread: Writer) -> None:
        self._reader = reader
        self._connection = writer
        self._writer = thread
        self.damage: asyncio.Future[sqlite3.Error] = asyncio.get_running_loop().create_future()
        """Settles with the first error that shows that the file is damaged."""

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open or create the file in the folder; must run on the event loop that will use it. Raises StartError."""
        folder.mkdir(parents=True, exist_ok=True)
        connection = open_checked(folder)
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
        try:
            return query(self._reader, *args, **kwargs)
        except sqlite3.Error as failure:
            self._look_for_damage(failure)
            raise

    def write(
        self, unit: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Queue a unit of `devhost.store.writes`; the future settles once it is on disk."""
        written = self._writer.submit(lambda connection: unit(connection, *args, **kwargs))
        written.add_done_callback(self._written)
        return written

    def _written(self, written: asyncio.Future[Any]) -> None:
        if not written.cancelled():
            self._look_for_damage(written.exception())

    def _look_for_damage(self, failure: BaseException | None) -> None:
        if isinstance(failure, sqlite3.Error) and is_damage(failure) and not self.damage.done():
            self.damage.set_result(failure)

"""The routing table of Microsoft's invitations (rule P3): one row, since it is read and changed as a whole."""

from shared.domain.routing import RoutingTable
from shared.domain.vocabulary import MICROSOFT
from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Insert, Operation, Replace, Tables, Upsert

_TABLES = Codec[RoutingTable](RoutingTable)
_KEY = "r"


class Routing:
    """The repository of the routing table.

    Its methods raise as `Tables` does, `RecordTooLarge`, `RecordUnreadable`.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self) -> RoutingTable:
        """The table as it is now; an empty one before the first."""
        row = await self._tables.get(keys.DIRECTORY, MICROSOFT, _KEY)
        return _TABLES.read(row) if row else RoutingTable()

    async def put(self, table: RoutingTable) -> None:
        """Write the next version over the one before. Raises `StoreConflict` if that is not what is there."""
        row = _TABLES.row(_KEY, table)
        stored = await self._tables.get(keys.DIRECTORY, MICROSOFT, _KEY)
        if (_TABLES.read(stored).version if stored else 0) != table.version - 1:
            raise StoreConflict("The routing table has changed meanwhile.")
        operation: Operation = Replace(row, stored.etag) if stored else Insert(row)
        await self._tables.write(keys.DIRECTORY, MICROSOFT, [operation])

    async def enter(self, table: RoutingTable) -> None:
        """Write a table whatever is there, for an import."""
        await self._tables.write(keys.DIRECTORY, MICROSOFT, [Upsert(_TABLES.row(_KEY, table))])

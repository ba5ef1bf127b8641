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
        """The current table; an empty one if none is stored."""
        row = await self._tables.get(keys.DIRECTORY, MICROSOFT, _KEY)
        return _TABLES.read(row) if row else RoutingTable()

    async def put(self, table: RoutingTable) -> None:
        """Replace the table by its next version. Raises `StoreConflict` if another version is stored."""
        row = _TABLES.row(_KEY, table)
        stored = await self._tables.get(keys.DIRECTORY, MICROSOFT, _KEY)
        if (_TABLES.read(stored).version if stored else 0) != table.version - 1:
            raise StoreConflict("The routing table has changed since it was read.")
        operation: Operation = Replace(row, stored.etag) if stored else Insert(row)
        await self._tables.write(keys.DIRECTORY, MICROSOFT, [operation])

    async def overwrite(self, table: RoutingTable) -> None:
        """Insert or replace the table without a version check, for imports."""
        await self._tables.write(keys.DIRECTORY, MICROSOFT, [Upsert(_TABLES.row(_KEY, table))])

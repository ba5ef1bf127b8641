"""The routing table of Microsoft's invitations (rule P3): one row, since it is read and changed as a whole."""

from shared.domain.routing import RoutingTable
from shared.domain.vocabulary import MICROSOFT
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Tables, Upsert
from shared.storage.versions import put_next_version

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
        await put_next_version(self._tables, _TABLES, MICROSOFT, _KEY, table)

    async def overwrite(self, table: RoutingTable) -> None:
        """Insert or replace the table without a version check, for imports."""
        await self._tables.write(keys.DIRECTORY, MICROSOFT, [Upsert(_TABLES.row(_KEY, table))])

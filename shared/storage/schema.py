"""The tables of the service, created when a process starts."""

from shared.storage import keys
from shared.storage.tables import Tables


async def create_all_tables(tables: Tables) -> None:
    """Create the tables that do not exist yet. Raises as `Tables` does."""
    await tables.create_tables(keys.TABLES)

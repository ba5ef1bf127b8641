"""The tables of the service, created when a process starts, and the version of what is stored in them.

The version is a row in table `status`. Code of one version never works on data of another one: `migrations` brings
the data to the next version while the app is stopped.
"""

from shared.errors import DataOfAnotherVersion, RecordUnreadable, StoreConflict
from shared.storage import keys
from shared.storage.directory import Directory
from shared.storage.tables import Insert, Row, Tables, Upsert

FIRST_VERSION = 1
"""What data without the row is: version 1 did not write it."""
CURRENT_VERSION = 4
"""The version that this code reads and writes."""
_PARTITION, _KEY, _VERSION = "schema", "version", "version"


async def create_all_tables(tables: Tables) -> None:
    """Create the tables that do not exist yet. Raises as `Tables` does."""
    await tables.create_tables(keys.TABLES)


async def prepare_storage(tables: Tables) -> None:
    """Create missing tables, and mark new storage with the current version.

    Raises `DataOfAnotherVersion`, `RecordUnreadable`, `StoreUnavailable`.
    """
    await create_all_tables(tables)
    if await _current_or_none(tables) is None:
        try:
            await tables.write(keys.STATUS, _PARTITION, [Insert(_row(CURRENT_VERSION))])
        except StoreConflict:  # another process was faster, and may be of another version
            await require_current_version(tables)


async def require_current_version(tables: Tables) -> None:
    """Check that the data, if there is any, is of the current version: one request, and two without a version.

    Raises `DataOfAnotherVersion`, `RecordUnreadable`, `StoreUnavailable`.
    """
    await _current_or_none(tables)


async def version_of_data(tables: Tables) -> int | None:
    """The version of the stored data, or None if there is neither data nor a version yet. The tables must exist.

    The directory tells data of the first version from new storage: all other data refers to an organization in it.
    Raises `RecordUnreadable`, `StoreUnavailable`.
    """
    row = await tables.get(keys.STATUS, _PARTITION, _KEY)
    if row is None:
        return None if await Directory(tables).is_empty() else FIRST_VERSION
    version = row.values.get(_VERSION)
    if not isinstance(version, int):
        raise RecordUnreadable(f"{row.table}/{row.partition}/{row.key}", f"no number at {_VERSION}")
    return version


async def write_version(tables: Tables, version: int) -> None:
    """Store the version, after a migration. Raises `StoreUnavailable`."""
    await tables.write(keys.STATUS, _PARTITION, [Upsert(_row(version))])


async def _current_or_none(tables: Tables) -> int | None:
    version = await version_of_data(tables)
    if version is not None and version != CURRENT_VERSION:
        raise DataOfAnotherVersion(stored=version, known=CURRENT_VERSION)
    return version


def _row(version: int) -> Row:
    return Row(_KEY, {_VERSION: version})

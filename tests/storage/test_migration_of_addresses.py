"""Data of version 3: people are found by addresses and referrals by words, whatever ends the migration (M11, N4)."""

import copy

from shared.storage.directory import Directory
from shared.storage.memory_tables import MemoryTables
from shared.storage.migrations import migrate
from shared.storage.schema import version_of_data
from tests.doubles.ending_tables import EndingTables
from tests.examples.stored_data import data_of_version_3


class Dying(EndingTables):
    """Storage under an operator's machine that goes off after so many writes."""

    def end(self) -> BaseException:
        return Died()


class Died(BaseException):
    """The operator's machine went off."""


async def step(tables: MemoryTables) -> list[str]:
    said: list[str] = []
    await migrate(tables, 3, said.append, until=4)
    return said


async def rows(tables: MemoryTables) -> set[tuple[str, str, str]]:
    """All rows that the migration writes."""
    return {
        (row.partition, row.key, str(dict(row.values)))
        for table in ("directory", "referrals")
        async for row in tables.scan_table(table)
    }


async def test_people_and_referrals_are_found_after_a_migration_that_ended_anywhere() -> None:
    begun, ends = Dying(), 0
    await data_of_version_3().load(begun)
    whole = copy.deepcopy(begun)
    await step(whole)
    wanted = await rows(whole)
    assert wanted > await rows(begun)
    assert await Directory(begun).organizations_of_address("kim@fabrikam.com") == frozenset()
    while True:
        tables = copy.deepcopy(begun)
        tables.left = ends
        try:
            (said,) = await step(tables)
        except Died:
            assert await version_of_data(tables) == 3, "the version is written last"
            tables.left = None
            (said,) = await step(tables)
            ends += 1
        else:
            break
        assert "people lead to their entries" in said
        found = Directory(tables)
        assert await found.organizations_of_address("Kim@Fabrikam.com") == {"fabrikam"}
        assert await found.organizations_of_address("dee@microsoft.com") == {"msft"}
        assert await rows(tables) == wanted
        assert await version_of_data(tables) == 4
    assert ends > 10

"""Stored data of an earlier version of the service, as that version wrote it."""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.storage.tables import Insert, Row, Tables, in_transactions


@dataclass(frozen=True)
class Sample:
    """Rows to load, the moment at which they were recorded, and the operations that the mail service accepted."""

    now: datetime
    accepted: frozenset[str]
    rows: dict[tuple[str, str], list[Row]]

    async def load(self, tables: Tables) -> None:
        """Put the rows into empty tables."""
        await tables.create_tables(sorted({table for table, _ in self.rows}))
        for (table, partition), rows in self.rows.items():
            for group in in_transactions(rows):
                await tables.write(table, partition, [Insert(row) for row in group])


def data_of_version_1() -> Sample:
    """What version 1 stored.

    The small world: of a first deal Fabrikam has accepted, Microsoft has declined (the mail about it was accepted,
    and the answer lost), and Northwind Traders has not answered; one of its addresses was refused. Then the mail
    service went away: Northwind's first reminder failed in two languages, and the invitation to a second deal waits.
    """
    return _sample("data_of_version_1.json")


def data_of_version_2() -> Sample:
    """What version 2 stored.

    The small world: in Contoso's first deal, which Northwind Traders has accepted, the two have written the messages
    `Message 1` to `Message 70`. Every third is Northwind's, every tenth has an idempotency key (`key-10`). There is
    one message in a second deal, and none in a third.
    """
    return _sample("data_of_version_2.json")


def data_of_version_3() -> Sample:
    """What version 3 stored.

    The small world: of a first deal, whose name has accents, Fabrikam has accepted, Northwind Traders declined, and
    Microsoft not answered; Contoso and Fabrikam have written a message each. Contoso has three more deals: one won,
    one won and registered, one private. A request for information went to two companies that have not answered.
    """
    return _sample("data_of_version_3.json")


def _sample(name: str) -> Sample:
    file = Path(__file__).with_name(name)
    recorded = json.loads(file.read_text(encoding="utf-8"))
    rows = defaultdict(list)
    for table, stored in recorded["tables"].items():
        for partition, key, values in stored:
            rows[table, partition].append(Row(key, values))
    return Sample(datetime.fromisoformat(recorded["now"]), frozenset(recorded["accepted"]), dict(rows))

"""Migrations of the stored data from one version to the next (docs/operations.md, Version of the stored data).

A migration runs while the app is stopped. It can be repeated after it ended at any point, since the version is
written last. It works on rows and not on the records of the present code, whose types go on changing.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from shared.domain.ids import ReferralId, is_uuid
from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.codec import text_of, values_of
from shared.storage.schema import CURRENT_VERSION, write_version
from shared.storage.tables import Discard, Insert, Row, StoredRow, Tables, in_transactions

Migration = Callable[[Tables], Awaitable[str]]
"""Brings all data to the next version; says in a sentence what it did. Raises as `Tables` does."""


async def migrate(tables: Tables, version: int, report: Callable[[str], None]) -> None:
    """Bring data of this version to the current one, step by step, and report each. Raises as `Tables` does."""
    for each in range(version, CURRENT_VERSION):
        done = await MIGRATIONS[each](tables)
        await write_version(tables, each + 1)
        report(f"Version {each} to {each + 1}: {done}")


async def _mails_are_found_by_their_operations(tables: Tables) -> str:
    """Version 1 had the mails about a referral in a partition of its id, with the language in their keys.

    Their operation ids stay, since the mail service knows them. The rows `operation:{id}` stay as well, and lead from
    the reports about these mails to their referrals.
    """
    referrals = {row.partition async for row in tables.scan_table(keys.MAIL) if is_uuid(row.partition)}
    moved = [await _move_mails(tables, ReferralId(each)) for each in sorted(referrals)]
    return f"{sum(moved)} mails of {len(moved)} referrals have new keys."


async def _move_mails(tables: Tables, referral_id: ReferralId) -> int:
    """Copy all mails about a referral, then delete the old rows.

    So while the numbers of the rows depend on all of them, all are there; and of rows that are left when a run ends
    while it deletes, the copies exist, and the next run changes none.
    """
    rows = await tables.between(keys.MAIL, referral_id, "0", chr(ord("z") + 1))
    for row, key in _with_numbered_keys(rows):
        copy = Row(keys.mail(referral_id, key), _with_key(row, key))
        try:
            await tables.write(keys.MAIL, keys.mail_partition(referral_id), [Insert(copy)])
        except StoreConflict:
            continue  # copied by an earlier run
    for group in in_transactions(rows):
        await tables.write(keys.MAIL, referral_id, [Discard(row.key) for row in group])
    return len(rows)


_PART = re.compile(r":\d\d$")


def _with_numbered_keys(rows: Iterable[StoredRow]) -> Iterator[tuple[StoredRow, str]]:
    """The rows with their new keys: the mails of a message are numbered in the order of their old keys.

    A key was `{message}:{group}`, and that of a part of a split mail `{message}:{group}:{part}`.
    """
    groups: dict[str, list[str]] = {}
    for row in rows:
        whole = _PART.sub("", row.key)
        message = whole.rpartition(":")[0]
        numbered = groups.setdefault(message, [])
        if whole not in numbered:
            numbered.append(whole)
        yield row, f"{message}:{numbered.index(whole):02d}{row.key.removeprefix(whole)}"


def _with_key(row: StoredRow, key: str) -> dict[str, Any]:
    """The properties of a mail's row with its new key in the record; of a damaged row as they are."""
    try:
        record = json.loads(text_of(row.values))
    except ValueError:
        return dict(row.values)
    if not isinstance(record, dict):
        return dict(row.values)
    return values_of(json.dumps({**record, "key": key}, ensure_ascii=False, separators=(",", ":")))


MIGRATIONS: dict[int, Migration] = {1: _mails_are_found_by_their_operations}
"""By the version that each starts from."""

"""Migrations of the stored data from one version to the next (docs/operations.md, Version of the stored data).

A migration runs while the app is stopped. It can be repeated after it ended at any point, since the version is
written last. It works on rows and not on the records of the present code, whose types go on changing.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from shared.domain.ids import OrganizationId, PersonId, ReferralId, is_uuid
from shared.domain.search_words import words_among
from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.codec import text_of, values_of
from shared.storage.schema import CURRENT_VERSION, write_version
from shared.storage.tables import (
    Discard,
    Insert,
    Operation,
    Row,
    StoredRow,
    Tables,
    Upsert,
    in_transactions,
)

Migration = Callable[[Tables], Awaitable[str]]
"""One part of the way to the next version; says in a sentence what it did. Raises as `Tables` does."""


async def migrate(
    tables: Tables, version: int, report: Callable[[str], None], until: int = CURRENT_VERSION
) -> None:
    """Bring data of this version to another, step by step, and report each. Raises as `Tables` does."""
    for each in range(version, until):
        done = [await part(tables) for part in MIGRATIONS[each]]
        await write_version(tables, each + 1)
        report(f"Version {each} to {each + 1}: {' '.join(done)}")


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


async def _conversations_are_read_from_their_end(tables: Tables) -> str:
    """Version 2 had the messages of a deal in the order in which they were written, and counted none by party."""
    deals = {
        row.partition async for row in tables.scan_table(keys.ENGAGEMENTS) if row.key.startswith(_OLD_MESSAGE)
    }
    moved = [await _move_messages(tables, deal) for deal in sorted(deals)]
    return f"{sum(moved)} messages of {len(moved)} deals have new keys."


_OLD_MESSAGE = "m:"


async def _move_messages(tables: Tables, deal: str) -> int:
    """Move the messages of a deal. Each is moved in one transaction, so a run that ends leaves none of them twice."""
    rows = await tables.between(keys.ENGAGEMENTS, deal, *keys.starting_with(_OLD_MESSAGE))
    for group in in_transactions(rows, operations_each=3):
        await tables.write(keys.ENGAGEMENTS, deal, [op for row in group for op in _move_message(row)])
    return len(rows)


def _move_message(row: StoredRow) -> Iterator[Operation]:
    sequence = int(row.key.removeprefix(_OLD_MESSAGE))
    yield Upsert(Row(keys.message(sequence), row.values))
    if counted := _count_of_party(row, sequence):
        yield Upsert(Row(counted, {}))
    yield Discard(row.key)


def _count_of_party(row: StoredRow, sequence: int) -> str | None:
    """The key that counts a message for its party; None of a damaged row, whose party is not known."""
    try:
        record = json.loads(text_of(row.values))
        at = datetime.fromisoformat(record["at"])
        return keys.message_of_party(OrganizationId(record["organization_id"]), at, sequence)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


async def _who_declined_keeps_none_of_the_inviters_people(tables: Tables) -> str:
    """Version 2 left them in the records of parties that declined or let their invitation expire (V1, N3).

    A referral's list rows repeat the referral, so they are changed as its document is.
    """
    changed = 0
    async for row in tables.scan_table(keys.REFERRALS):
        if values := _without_inviters_people(row):
            await tables.write(keys.REFERRALS, row.partition, [Upsert(Row(row.key, values))])
            changed += row.key.startswith(keys.OLDEST)
    return f"{changed} referrals of parties that take no part are without the inviter's people."


def _without_inviters_people(row: StoredRow) -> dict[str, Any] | None:
    """The properties of a changed row; None of one that stays, as damaged rows do."""
    try:
        record = json.loads(text_of(row.values))
        if record["substatus"] not in {"Declined", "Expired"} or not record["invite_context"]["team"]:
            return None
    except (ValueError, LookupError, TypeError):
        return None
    record["invite_context"]["team"] = []
    others = {name: value for name, value in row.values.items() if not name.startswith("json")}
    return {**others, **values_of(json.dumps(record, ensure_ascii=False, separators=(",", ":")))}


async def _ids_of_callers_are_in_lower_case(tables: Tables) -> str:
    """Version 2 stored the ids of people and tenants as they were spelled, and now they are looked up in lower case.

    An entry that is there in lower case as well is the newer one, and stays.
    """
    renamed = 0
    for table in (keys.DIRECTORY, keys.REFERRALS):
        async for row in tables.scan_table(table):
            if new := _in_lower_case(table, row):
                try:
                    await tables.write(table, row.partition, [Insert(new), Discard(row.key)])
                except StoreConflict:
                    await tables.write(table, row.partition, [Discard(row.key)])
                renamed += 1
    return f"{renamed} rows have the ids of people and tenants in lower case."


def _in_lower_case(table: str, row: StoredRow) -> Row | None:
    """The row in place of one that has an id with capital letters in its key; None of others, and of damaged ones.

    Ids of people and tenants are GUIDs, so there are no escaped characters in such keys.
    """
    prefix = "" if row.partition == "tenants" else row.key[:2]
    is_of_caller = prefix in {"", "p:"} if table == keys.DIRECTORY else prefix == "f:"
    if not is_of_caller or row.key == row.key.lower() or "_" in row.key:
        return None
    if prefix != "p:":
        return Row(row.key.lower(), row.values)
    try:
        record = json.loads(text_of(row.values))
        lower = {**record, "id": record["id"].lower()}
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return Row(row.key.lower(), values_of(json.dumps(lower, ensure_ascii=False, separators=(",", ":"))))


async def _addresses_lead_to_people(tables: Tables) -> str:
    """Version 3 had no rows that lead from the addresses of people to their entries (M11)."""
    listed = 0
    async for row in tables.scan_table(keys.DIRECTORY):
        if not row.key.startswith(keys.PEOPLE):
            continue
        try:
            person = json.loads(text_of(row.values))
            organization_id, person_id = OrganizationId(person["organization_id"]), PersonId(person["id"])
            key = keys.email(person["email"], organization_id, person_id)
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
        place = {"organization_id": organization_id, "person_id": person_id}
        values = values_of(json.dumps(place, ensure_ascii=False, separators=(",", ":")))
        await tables.write(keys.DIRECTORY, keys.EMAILS, [Upsert(Row(key, values))])
        listed += 1
    return f"The addresses of {listed} people lead to their entries."


async def _referrals_are_found_by_words(tables: Tables) -> str:
    """Version 3 had no rows by which referrals are found by words (N4)."""
    found = 0
    async for row in tables.scan_table(keys.REFERRALS):
        if row.key.startswith(keys.OLDEST) and (words := _words_of(row)):
            referral_id = ReferralId(row.key.removeprefix(keys.OLDEST))
            rows = [Row(keys.of_word(word, referral_id), {}) for word in sorted(words)]
            await tables.write(keys.REFERRALS, row.partition, [Upsert(each) for each in rows])
            found += 1
    return f"{found} referrals are found by their words."


def _words_of(row: StoredRow) -> frozenset[str]:
    """The words of a referral's document; none of a damaged one."""
    try:
        record = json.loads(text_of(row.values))
        ids = (record.get("external_reference_id"), record.get("campaign_id"))
        return words_among(record["name"], record["customer"]["name"], *ids)
    except (ValueError, LookupError, TypeError, AttributeError):
        return frozenset()


MIGRATIONS: dict[int, tuple[Migration, ...]] = {
    1: (_mails_are_found_by_their_operations,),
    2: (
        _conversations_are_read_from_their_end,
        _who_declined_keeps_none_of_the_inviters_people,
        _ids_of_callers_are_in_lower_case,
    ),
    3: (_addresses_lead_to_people, _referrals_are_found_by_words),
}
"""By the version that each starts from: the parts of the way to the next, in order. Each part can be repeated."""

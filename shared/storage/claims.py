"""Which deployment slot a storage account belongs to, so that no two slots work on the same tables or task hub.

The host of another slot on the same task hub takes half of the work, and does it with its own settings. A claim is
written once, by the first slot that starts, and never changes hands by itself: whoever has it may be running.
"""

from dataclasses import dataclass

from shared.errors import ClaimedByAnotherSlot, RecordUnreadable, StoreConflict
from shared.storage import keys
from shared.storage.tables import Insert, Row, StoredRow, Tables

_PARTITION, _SLOT = "slots", "slot"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a slot needs for itself: the row's key, words for people, and the setting that names the account."""

    key: str
    resource: str
    setting: str


def tables_claim(setting: str) -> Claim:
    """The tables of the service."""
    return Claim(keys.claimed_tables(), "the table storage of the service", setting)


def hub_claim(hub: str, setting: str) -> Claim:
    """A task hub."""
    return Claim(keys.claimed_hub(hub), f"the task hub {hub}", setting)


async def claim(tables: Tables, wanted: Claim, slot: str) -> None:
    """Claim storage for a slot: one request if the slot has it already, at most four.

    Raises `ClaimedByAnotherSlot`, `RecordUnreadable`, or `StoreUnavailable`.
    """
    held = await tables.get(keys.CLAIMS, _PARTITION, wanted.key) or await _insert(tables, wanted, slot)
    owner = _owner(held) if held else slot
    if owner.casefold() != slot.casefold():
        raise ClaimedByAnotherSlot(
            resource=wanted.resource,
            setting=wanted.setting,
            slot=slot,
            owner=owner,
            row=f"{keys.CLAIMS}/{_PARTITION}/{wanted.key}",
        )


def _owner(held: StoredRow) -> str:
    owner = held.values.get(_SLOT)
    if not isinstance(owner, str):
        raise RecordUnreadable(f"{held.table}/{held.partition}/{held.key}", f"no text at {_SLOT}")
    return owner


async def _insert(tables: Tables, wanted: Claim, slot: str) -> StoredRow | None:
    """Insert the claim; the row of whoever was faster, or our own whose answer was lost."""
    await tables.create_tables([keys.CLAIMS])
    try:
        await tables.write(keys.CLAIMS, _PARTITION, [Insert(Row(wanted.key, {_SLOT: slot}))])
    except StoreConflict:
        return await tables.get(keys.CLAIMS, _PARTITION, wanted.key)
    return None

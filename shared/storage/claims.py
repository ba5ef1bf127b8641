"""Claims: the deployment slot that owns a storage account, so that no two slots share tables or a task hub.

If two slots shared a task hub, each would do half of the work, with its own settings. The first slot that starts
writes the claim, and it never changes by itself, because its owner may be running.
"""

from dataclasses import dataclass

from shared.errors import ClaimedByAnotherSlot, RecordUnreadable, StoreConflict
from shared.storage import keys
from shared.storage.tables import Insert, Row, StoredRow, Tables

_PARTITION, _SLOT = "slots", "slot"


@dataclass(frozen=True, slots=True)
class Claim:
    """A resource to claim: the key of its row, its description, and the setting that names its account."""

    key: str
    description: str
    setting: str


def tables_claim(setting: str) -> Claim:
    """The claim of the service's tables."""
    return Claim(keys.claimed_tables(), "the table storage of the service", setting)


def hub_claim(hub: str, setting: str) -> Claim:
    """The claim of a task hub."""
    return Claim(keys.claimed_hub(hub), f"the task hub {hub}", setting)


async def claim(tables: Tables, resource: Claim, slot: str) -> None:
    """Claim storage for a slot: one request if the slot owns it already, at most four.

    Raises `ClaimedByAnotherSlot`, `RecordUnreadable`, `StoreUnavailable`.
    """
    row = await tables.get(keys.CLAIMS, _PARTITION, resource.key) or await _insert(tables, resource, slot)
    owner = _owner(row) if row else slot
    if owner.casefold() != slot.casefold():
        raise ClaimedByAnotherSlot(
            resource=resource.description,
            setting=resource.setting,
            slot=slot,
            owner=owner,
            row=f"{keys.CLAIMS}/{_PARTITION}/{resource.key}",
        )


def _owner(row: StoredRow) -> str:
    owner = row.values.get(_SLOT)
    if not isinstance(owner, str):
        raise RecordUnreadable(f"{row.table}/{row.partition}/{row.key}", f"no text at {_SLOT}")
    return owner


async def _insert(tables: Tables, resource: Claim, slot: str) -> StoredRow | None:
    """Insert the claim. If the row exists, return it: another slot was faster, or our own response was lost."""
    await tables.create_tables([keys.CLAIMS])
    try:
        await tables.write(keys.CLAIMS, _PARTITION, [Insert(Row(resource.key, {_SLOT: slot}))])
    except StoreConflict:
        return await tables.get(keys.CLAIMS, _PARTITION, resource.key)
    return None

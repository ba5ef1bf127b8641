"""Check the records for unfinished business, and wake it: `python -m shared.operations.check [--wake]`.

The tables hold all of the truth, so this repairs a task hub that was lost or a backup that was restored: for each
record that is open or has open work it leaves an intent, and the sweep starts or wakes the orchestration within a
minute. To be repeated freely.
"""

import argparse
import asyncio
from dataclasses import dataclass

from shared import clock
from shared.domain.ids import RegistrationId
from shared.domain.referral import Party
from shared.protocol.sweep import WAKE_ONLY
from shared.settings import read_settings
from shared.storage.azure_tables import AzureTables
from shared.storage.inquiries import Inquiries, party_of
from shared.storage.intents import Intent, Intents
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations, lies_with
from shared.storage.tables import Tables
from shared.wiring import new_operation_id, table_service


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A record that an orchestration should be looking after; of a registration, with its deal."""

    party: Party
    registration: RegistrationId | None = None


async def unfinished(tables: Tables) -> list[Unfinished]:
    """Referrals that are not closed or have open work, requests not delivered yet, registrations in review."""
    referrals, found = Referrals(tables), list[Unfinished]()
    async for referral in referrals.everyone():
        if not referral.is_closed or await _has_open_work(referrals, referral.party):
            found.append(Unfinished(party=referral.party))
    async for taken in Inquiries(tables).everyone():
        if await _has_open_work(referrals, party_of(taken)):
            found.append(Unfinished(party=party_of(taken)))
    async for registration in Registrations(tables).in_review():
        found.append(Unfinished(party=lies_with(registration), registration=registration.id))
    return found


async def leave_intents(intents: Intents, found: list[Unfinished]) -> None:
    """Ask the sweep to wake these records."""
    for each in found:
        await intents.announce(
            Intent(
                operation_id=new_operation_id(),
                party=each.party,
                label=WAKE_ONLY,
                at=clock.wall_clock(),
                registration=each.registration,
            )
        )


async def _has_open_work(referrals: Referrals, party: Party) -> bool:
    return any(row.value.open for row in await referrals.work(party))


async def _run(*, wake: bool) -> int:
    tables = AzureTables(table_service(read_settings()))
    try:
        found = await unfinished(tables)
        if wake:
            await leave_intents(Intents(tables), found)
    finally:
        await tables.close()
    return len(found)


def main() -> None:
    """Count, and wake if asked to."""
    parser = argparse.ArgumentParser(prog="check", description=__doc__)
    parser.add_argument("--wake", action="store_true", help="have the sweep wake everything unfinished")
    arguments = parser.parse_args()
    count = asyncio.run(_run(wake=arguments.wake))
    done = "will be woken within a minute" if arguments.wake else "are open; --wake has them woken"
    print(f"{count} records {done}.")  # noqa: T201 - its answer


if __name__ == "__main__":
    main()

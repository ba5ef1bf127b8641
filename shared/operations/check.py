"""Check the records for unfinished business, and wake it: `python -m shared.operations.check [--wake]`.

The tables hold all of the truth, so this repairs a task hub that was lost or a backup that was restored: for each
record that is open, or has open work, a registration in review or one that reviewers do not find, it leaves an
intent, and the sweep starts or wakes its orchestrations and files its registrations within a minute. To be repeated
freely.
"""

import argparse
import asyncio
import logging

from shared import clock
from shared.domain.referral import Party, Referral
from shared.protocol.sweep import WAKE_ONLY
from shared.settings import read_settings
from shared.storage.azure_tables import AzureTables
from shared.storage.inquiries import Inquiries, party_of
from shared.storage.intents import Intent, Intents
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.storage.tables import Tables
from shared.wiring import new_operation_id, table_service

logger = logging.getLogger(__name__)


async def unfinished(tables: Tables) -> list[Party]:
    """The records that somebody should be looking after.

    Referrals that are not closed, have open work, a registration in review or one that is filed as it is not;
    requests for information with open work.
    """
    referrals, registrations = Referrals(tables), Registrations(tables)
    deals = [
        referral.party
        async for referral in referrals.everyone()
        if not referral.is_closed
        or any(registered.in_review for registered in referral.registrations)
        or await _has_open_work(referrals, referral.party)
        or not await _all_filed(registrations, referral)
    ]
    requests = [party_of(taken) async for taken in Inquiries(tables).everyone()]
    return deals + [party for party in requests if await _has_open_work(referrals, party)]


async def leave_intents(intents: Intents, parties: list[Party]) -> None:
    """Ask the sweep to wake these records."""
    for party in parties:
        await intents.announce(
            Intent(operation_id=new_operation_id(), party=party, label=WAKE_ONLY, at=clock.wall_clock())
        )


async def _has_open_work(referrals: Referrals, party: Party) -> bool:
    return any(row.value.open for row in await referrals.work(party))


async def _all_filed(registrations: Registrations, deal: Referral) -> bool:
    found = await registrations.of_deal(deal.party) if deal.registrations else ()
    return all([await registrations.is_filed(each) for each in found])


async def _run(*, wake: bool) -> int:
    tables = AzureTables(table_service(read_settings()))
    try:
        parties = await unfinished(tables)
        if wake:
            if lost := await Registrations(tables).drop_lost():
                logger.warning("reviews_dropped rows=%d: they led to no registration", lost)
            await leave_intents(Intents(tables), parties)
    finally:
        await tables.close()
    return len(parties)


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

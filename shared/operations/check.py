"""Check the records for unfinished business, and wake it: `python -m shared.operations.check [--wake | --restart]`.

The tables hold all of the truth, so this repairs a task hub that was lost or a backup that was restored: for each
record that is open, or has open work, a registration in review or one that reviewers do not find, it leaves an
intent, and the next sweep starts or wakes its orchestrations and files its registrations. `--restart` has their
orchestrations ended first, after a deployment that changed the shape of a turn, and waits until all have begun anew.
To be repeated freely.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable

from shared import clock
from shared.domain.ids import OperationId
from shared.domain.referral import Party, Referral
from shared.protocol.restart import RESTART
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

LOOK_SECONDS = 2


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


async def leave_intents(intents: Intents, parties: list[Party], label: str = WAKE_ONLY) -> set[OperationId]:
    """Ask the sweep to wake these records, or to restart them; the ids of the intents."""
    left = {new_operation_id(): party for party in parties}
    for operation_id, party in left.items():
        await intents.announce(
            Intent(operation_id=operation_id, party=party, label=label, at=clock.wall_clock())
        )
    return set(left)


async def until_restarted(
    intents: Intents, asked: set[OperationId], looks: int, pause: Callable[[], Awaitable[None]]
) -> int:
    """Look until the sweep has taken up all that was asked for, and tell how far it is; how many are left at the end.

    At most so many looks, with a pause before each.
    """
    left = len(asked)
    for _ in range(looks):
        if not left:
            break
        await pause()
        now_left = len(asked & {intent.operation_id async for intent in intents.all()})
        if now_left != left:
            print(f"{len(asked) - now_left} of {len(asked)} records are restarted.", flush=True)  # noqa: T201
        left = now_left
    return left


async def _has_open_work(referrals: Referrals, party: Party) -> bool:
    return any(row.value.open for row in await referrals.work(party))


async def _all_filed(registrations: Registrations, deal: Referral) -> bool:
    found = await registrations.of_deal(deal.party) if deal.registrations else ()
    return all([await registrations.is_filed(each) for each in found])


async def look_after(tables: Tables, options: argparse.Namespace) -> tuple[int, int]:
    """How many records are unfinished, and how many of them are not restarted although it was asked for."""
    parties = await unfinished(tables)
    if not (options.wake or options.restart):
        return len(parties), 0
    if lost := await Registrations(tables).drop_lost():
        logger.warning("reviews_dropped rows=%d: they led to no registration", lost)
    intents = Intents(tables)
    if options.wake:
        await leave_intents(intents, parties)
        return len(parties), 0
    asked = await leave_intents(intents, parties, RESTART)
    return len(parties), await until_restarted(intents, asked, options.minutes * 60 // LOOK_SECONDS, _pause)


async def _run(options: argparse.Namespace) -> tuple[int, int]:
    tables = AzureTables(table_service(read_settings()))
    try:
        return await look_after(tables, options)
    finally:
        await tables.close()


async def _pause() -> None:
    await asyncio.sleep(LOOK_SECONDS)


def main() -> int:
    """Count, and wake or restart if asked to; 1 if records are left that were to be restarted."""
    options = _parse()
    count, left = asyncio.run(_run(options))
    if left:
        print(  # noqa: T201 - its answer
            f"{left} of {count} records are not restarted after {options.minutes} minutes. The sweep goes on with "
            "them; its log names those whose orchestrations do not end (restart_waits)."
        )
        return 1
    done = "will be woken by the next sweep" if options.wake else "are open; --wake has them woken"
    print(f"{count} records {'are restarted' if options.restart else done}.")  # noqa: T201 - its answer
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="check", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--wake", action="store_true", help="have the sweep wake everything unfinished")
    action.add_argument(
        "--restart",
        action="store_true",
        help="have the sweep end and begin anew all orchestrations of what is unfinished, and wait for it",
    )
    parser.add_argument(
        "--minutes", type=int, default=30, metavar="N", help="how long to wait; default: %(default)s"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

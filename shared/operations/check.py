"""Check the records for unfinished business, and wake it: `python -m shared.operations.check [--wake | --restart]`.

The tables hold all of the truth, so this repairs a task hub that was lost or a backup that was restored: for each
record that is open, or has open work, a registration in review or one that reviewers do not find, it leaves an
intent, and the next sweep starts or wakes its orchestrations and files its registrations. `--restart` has their
orchestrations ended first, after a deployment that changed the shape of a turn, and waits until all run again.
To be repeated freely.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared import clock
from shared.domain.ids import OperationId
from shared.domain.referral import Party, Referral
from shared.errors import ConfigurationError
from shared.protocol.restart import MOST_AT_ONCE, instances_of, label_of_restart
from shared.protocol.sweep import WAKE_ONLY
from shared.settings import read_tables
from shared.storage.azure_tables import AzureTables
from shared.storage.inquiries import Inquiries, party_of
from shared.storage.intents import Intent, Intents
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.storage.tables import Tables
from shared.wiring import new_operation_id, tables_client

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


async def leave_intents(intents: Intents, parties: list[Party]) -> None:
    """Ask the sweep to wake these records."""
    for party in parties:
        await _announce(intents, party, WAKE_ONLY)


async def ask_for_restarts(tables: Tables, parties: list[Party]) -> set[OperationId]:
    """Ask the sweep to restart all instances of these records; the ids of the intents, one for each instance."""
    referrals, intents = Referrals(tables), Intents(tables)
    return {
        await _announce(intents, party, label_of_restart(instance_id))
        for party in parties
        for instance_id in await instances_of(referrals, party)
    }


async def _announce(intents: Intents, party: Party, label: str) -> OperationId:
    operation_id = new_operation_id()
    await intents.announce(Intent(operation_id=operation_id, party=party, label=label, at=clock.wall_clock()))
    return operation_id


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
            print(f"{len(asked) - now_left} of {len(asked)} orchestrations are restarted.", flush=True)  # noqa: T201
        left = now_left
    return left


async def _has_open_work(referrals: Referrals, party: Party) -> bool:
    return any(row.value.open for row in await referrals.work(party))


async def _all_filed(registrations: Registrations, deal: Referral) -> bool:
    found = await registrations.of_deal(deal.party) if deal.registrations else ()
    return all([await registrations.is_filed(each) for each in found])


@dataclass(frozen=True)
class Summary:
    """How many records are unfinished; of how many orchestrations a restart was asked, and how many are left.

    `minutes` is how long they were waited for.
    """

    records: int
    asked: int = 0
    left: int = 0
    minutes: int = 0


async def look_after(tables: Tables, options: argparse.Namespace) -> Summary:
    """Count, and ask for what the options say."""
    parties = await unfinished(tables)
    if not (options.wake or options.restart):
        return Summary(len(parties))
    if lost := await Registrations(tables).drop_lost():
        logger.warning("reviews_dropped rows=%d: they led to no registration", lost)
    if options.wake:
        await leave_intents(Intents(tables), parties)
        return Summary(len(parties))
    asked = await ask_for_restarts(tables, parties)
    minutes = patience(len(asked)) if options.minutes is None else options.minutes
    left = await until_restarted(Intents(tables), asked, minutes * 60 // LOOK_SECONDS, _pause)
    return Summary(len(parties), len(asked), left, minutes)


def patience(instances: int) -> int:
    """How many minutes a restart may take, with a sweep each minute: two for each `MOST_AT_ONCE`, and half more."""
    return 30 + 3 * instances // MOST_AT_ONCE


async def _run(options: argparse.Namespace) -> Summary:
    account = read_tables()
    client = tables_client(account)
    print(f"The records at {client.url}, which {account.setting} names:", flush=True)  # noqa: T201
    tables = AzureTables(client)
    try:
        return await look_after(tables, options)
    finally:
        await tables.close()


async def _pause() -> None:
    await asyncio.sleep(LOOK_SECONDS)


def main() -> int:
    """Count, and wake or restart if asked to: 1 if a restart is not through, 2 if a setting is at fault."""
    options = _parse()
    try:
        summary = asyncio.run(_run(options))
    except ConfigurationError as malformed:
        print(malformed, file=sys.stderr)  # noqa: T201 - its answer
        return 2
    print(_told(options, summary))  # noqa: T201 - its answer
    return 1 if summary.left else 0


def _told(options: argparse.Namespace, summary: Summary) -> str:
    if summary.left:
        return (
            f"{summary.left} of {summary.asked} orchestrations are not restarted after {summary.minutes} minutes. "
            "Look whether /healthz is ready, and how often the sweep runs (SWEEP_SCHEDULE): it goes on with them. "
            "Its log names those that do not end (restart_waits)."
        )
    if options.restart:
        return f"{summary.records} records are open; their {summary.asked} orchestrations are restarted."
    done = "will be woken by the next sweep" if options.wake else "are open; --wake has them woken"
    return f"{summary.records} records {done}."


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="check", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--wake", action="store_true", help="have the sweep wake everything unfinished")
    action.add_argument(
        "--restart",
        action="store_true",
        help="have the sweep end and start again all orchestrations of what is unfinished, and wait for it",
    )
    parser.add_argument(
        "--minutes", type=_positive, metavar="N", help="how long to wait; default: 30, and more for many"
    )
    options = parser.parse_args()
    if options.minutes is not None and not options.restart:
        parser.error("--minutes goes with --restart")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of minutes; give 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

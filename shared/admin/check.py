"""Check the records for unfinished business, and wake it: `python -m shared.admin.check [--wake | --restart]`.

The tables hold all of the truth, so this repairs a task hub that was lost or a backup that was restored: for each
record that is open, or has open work, a registration in review or one that reviewers do not find, it leaves an
intent, and the sweep starts or wakes its orchestrations and files its registrations. Whoever does not move then is
started anew. `--restart` has all of them ended first, after a deployment that changed the shape of a turn. Both wait
until all move, and name those that did not. To be repeated freely.
"""

import argparse
import asyncio
import logging
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared import clock
from shared.domain.referral import Referral, ReferralKey
from shared.errors import ConfigurationError, RecordUnreadable
from shared.settings import read_tables
from shared.storage.azure_tables import AzureTables
from shared.storage.codec import SetAside, log_set_aside
from shared.storage.inquiries import Inquiries, party_of
from shared.storage.intents import Intent, Intents, Reason
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.storage.tables import Tables, in_transactions
from shared.wiring import new_operation_id, tables_client
from shared.workflow.observe import Plan, observe
from shared.workflow.restart import instances_of
from shared.workflow.sweep import ENDS_PER_SECOND

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2
OVERDUE = timedelta(minutes=5)
"""An intent that was due so long ago is not looked at: the sweep does not run, or does not get through."""
MOST_LISTED = 50


async def unfinished(tables: Tables, set_aside: SetAside = log_set_aside) -> list[ReferralKey]:
    """The records that somebody should be looking after.

    Referrals that are not closed, have open work, a registration in review or one that is filed as it is not;
    requests for information with open work.
    """
    referrals, registrations = Referrals(tables), Registrations(tables)
    deals = [
        referral.key
        async for referral in referrals.everyone(set_aside)
        if not referral.is_closed
        or any(registered.in_review for registered in referral.registrations)
        or await _has_open_work(referrals, referral.key)
        or not await _all_filed(registrations, referral)
    ]
    requests = [party_of(taken) async for taken in Inquiries(tables).everyone(set_aside)]
    return deals + [record for record in requests if await _has_open_work(referrals, record)]


@dataclass(frozen=True, slots=True)
class RecordStates:
    """How unfinished records stand, by the ids of their orchestrations.

    `waiting` ones have nothing to do before people act or the clock does. `moving` ones have something to do and will
    be looked at. `dead` ones were woken for it and did not move, or should have been looked at long ago.
    `unwatched` ones have something to come and nothing that finds it.
    """

    waiting: tuple[str, ...] = ()
    moving: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    unwatched: tuple[str, ...] = ()


async def record_states(tables: Tables, parties: list[ReferralKey], now: datetime) -> RecordStates:
    """Tell waiting records from dead ones; `now` is the domain clock's."""
    referrals, registrations = Referrals(tables), Registrations(tables)
    watched: dict[str, list[Intent]] = defaultdict(list)
    async for intent in Intents(tables).all():
        watched[intent.instance_id].append(intent)
    found: dict[str, list[str]] = defaultdict(list)
    for record in parties:
        for each in await instances_of(referrals, record):
            plan = await observe(referrals, registrations, record, each, now)
            name = each or record.referral_id
            found[_stands(plan, watched[name], now)].append(name)
    return RecordStates(**{name: tuple(ids) for name, ids in found.items()})


def _stands(plan: Plan, intents: Sequence[Intent], now: datetime) -> str:
    if any(_is_dead(intent, now) for intent in intents):
        return "dead"
    if not intents and (plan.steps or plan.next_at):
        return "unwatched"
    return "moving" if plan.steps else "waiting"


def _is_dead(intent: Intent, now: datetime) -> bool:
    watch = intent.watch
    return bool(watch.unmoved or watch.restarts or watch.tells > 1) or now - intent.due > OVERDUE


async def ask_to_wake(tables: Tables, parties: list[ReferralKey], now: datetime) -> set[str]:
    """Ask the sweep to wake all instances of these records; the ids of the intents, one for each instance."""
    return await _ask(tables, parties, "wake", now)


async def ask_for_restarts(tables: Tables, parties: list[ReferralKey], now: datetime) -> set[str]:
    """Ask the sweep to restart all instances of these records; the ids of the intents, one for each instance."""
    return await _ask(tables, parties, "restart", now)


async def _ask(tables: Tables, parties: list[ReferralKey], reason: Reason, now: datetime) -> set[str]:
    asked = [
        Intent(
            id=new_operation_id(),
            reason=reason,
            party=record,
            registration=registration,
            at=clock.wall_clock(),
            due=now,
        )
        for record in parties
        for registration in await instances_of(Referrals(tables), record)
    ]
    for group in in_transactions(asked):
        await Intents(tables).announce(*group)
    return {intent.id for intent in asked}


async def until_taken_up(
    intents: Intents, asked: set[str], looks: int, pause: Callable[[], Awaitable[None]]
) -> list[Intent]:
    """Look until the sweep has taken up all that was asked for, and tell how far it is; what is left at the end.

    At most so many looks, with a pause before each.
    """
    left = await _left(intents, asked)
    for _ in range(looks):
        if not left:
            break
        await pause()
        now_left = await _left(intents, asked)
        if len(now_left) != len(left):
            print(f"{len(asked) - len(now_left)} of {len(asked)} orchestrations move.", flush=True)  # noqa: T201
        left = now_left
    return left


async def _left(intents: Intents, asked: set[str]) -> list[Intent]:
    """Those that are left, each once: one that is moved while the table is read may come twice."""
    return list({intent.id: intent async for intent in intents.all() if intent.id in asked}.values())


async def _has_open_work(referrals: Referrals, record: ReferralKey) -> bool:
    return any(row.value.open for row in await referrals.work(record))


async def _all_filed(registrations: Registrations, deal: Referral) -> bool:
    found = await registrations.of_deal(deal.key) if deal.registrations else ()
    return all([await registrations.is_indexed(each) for each in found])


@dataclass(frozen=True)
class Summary:
    """How unfinished records stand; of how many orchestrations more was asked, and those that did not move.

    `minutes` is how long they were waited for, `unreadable` how many intents were set aside; `damaged` are the rows
    of records that could not be read.
    """

    record_states: RecordStates
    unreadable: int = 0
    asked: int = 0
    left: tuple[str, ...] = ()
    minutes: int = 0
    damaged: tuple[str, ...] = ()

    @property
    def records(self) -> int:
        """How many orchestrations unfinished records need."""
        each = self.record_states
        return len(each.waiting) + len(each.moving) + len(each.dead) + len(each.unwatched)


async def check_records(tables: Tables, options: argparse.Namespace, now: datetime) -> Summary:
    """Count, and ask for what the options say. `now` is the domain clock's."""
    damaged: list[RecordUnreadable] = []
    parties = await unfinished(tables, damaged.append)
    stand, intents = await record_states(tables, parties, now), Intents(tables)
    summary = Summary(stand, await intents.unreadable(), damaged=tuple(each.row for each in damaged))
    if not (options.wake or options.restart):
        return summary
    if lost := await Registrations(tables).prune():
        logger.warning("reviews_dropped rows=%d: they led to no registration", lost)
    ask = ask_to_wake if options.wake else ask_for_restarts
    asked = await ask(tables, parties, now)
    minutes = patience(len(asked)) if options.minutes is None else options.minutes
    left = await until_taken_up(intents, asked, minutes * 60 // LOOK_SECONDS, _pause)
    unmoved = tuple(sorted({intent.instance_id for intent in left}))
    return replace(summary, asked=len(asked), left=unmoved, minutes=minutes)


def patience(instances: int) -> int:
    """How many minutes so many may take, at the rate at which the sweep ends them, and twice as long."""
    return 10 + instances // (30 * ENDS_PER_SECOND)


async def _run(options: argparse.Namespace) -> Summary:
    account = read_tables()
    client = tables_client(account)
    print(f"The records at {client.url}, which {account.setting} names:", flush=True)  # noqa: T201
    tables = AzureTables(client)
    try:
        return await check_records(tables, options, clock.now())
    finally:
        await tables.close()


async def _pause() -> None:
    await asyncio.sleep(LOOK_SECONDS)


def main() -> int:
    """Count, and wake or restart if asked to: 1 if not all move after that, 2 if a setting is at fault."""
    options = _parse()
    try:
        summary = asyncio.run(_run(options))
    except ConfigurationError as malformed:
        print(malformed, file=sys.stderr)  # noqa: T201 - its answer
        return 2
    print(_told(options, summary))  # noqa: T201 - its answer
    return 1 if summary.left else 0


def _told(options: argparse.Namespace, summary: Summary) -> str:
    stand = summary.record_states
    lines = [
        (
            f"{summary.records} orchestrations are needed: {len(stand.waiting)} wait for people or for the clock, "
            f"{len(stand.moving)} are being worked on."
        )
    ]
    if stand.dead:
        lines.append(
            f"{len(stand.dead)} should have moved and did not; the sweep starts them anew:{_listed(stand.dead)}"
        )
    if stand.unwatched:
        lines.append(
            f"{len(stand.unwatched)} are watched by nothing; --wake repairs that:{_listed(stand.unwatched)}"
        )
    if summary.unreadable:
        lines.append(
            f"{summary.unreadable} intents could not be read and were set aside; --wake has all records looked at."
        )
    if summary.damaged:
        lines.append(
            f"{len(summary.damaged)} records cannot be read (docs/operations.md, Damaged rows):"
            f"{_listed(summary.damaged)}"
        )
    if summary.asked and not summary.left:
        lines.append(f"All {summary.asked} orchestrations move.")
    if summary.left:
        lines.append(
            f"{len(summary.left)} of {summary.asked} orchestrations did not move within {summary.minutes} minutes. "
            "Look whether /healthz is ready, and how often the sweep runs (SWEEP_SCHEDULE): it goes on with them."
            f"{_listed(summary.left)}"
        )
    if not (options.wake or options.restart):
        lines.append("--wake has all of them woken.")
    return "\n".join(lines)


def _listed(ids: Sequence[str]) -> str:
    shown = "".join(f"\n  {each}" for each in ids[:MOST_LISTED])
    return shown if len(ids) <= MOST_LISTED else f"{shown}\n  and {len(ids) - MOST_LISTED} more"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="check", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--wake", action="store_true", help="have the sweep wake everything unfinished, and wait for it"
    )
    action.add_argument(
        "--restart",
        action="store_true",
        help="have the sweep end and start again all orchestrations of what is unfinished, and wait for it",
    )
    parser.add_argument(
        "--minutes", type=_positive, metavar="N", help="how long to wait; default: 10, and more for many"
    )
    options = parser.parse_args()
    if options.minutes is not None and not (options.wake or options.restart):
        parser.error("--minutes goes with --wake and --restart")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of minutes; give 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

"""Check for unfinished records, and wake them: `python -m shared.admin.check [--wake | --restart]`.

All data is in the tables, so this recovers from a lost task hub or a restored backup. For each record that is open,
or has open work, a registration in review or one that is not indexed, `--wake` writes an intent. The sweep then does
what is due on it, starts its orchestrations if they are not running, and indexes its registrations. `--restart` has
the orchestrations terminated first, for use after a deployment that changed the shape of a turn. Both wait until the
sweep is done with all, and list those that are left. They can be repeated.
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
from shared.domain.eligibility import wants_registration
from shared.domain.referral import Referral, ReferralKey
from shared.errors import ConfigurationError, RecordUnreadable
from shared.settings import read_tables
from shared.storage.azure_tables import AzureTables
from shared.storage.codec import SetAside, log_set_aside
from shared.storage.inquiries import Inquiries, inquiry_key
from shared.storage.intents import Intent, Intents, Reason
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.storage.schema import require_current_version
from shared.storage.tables import Tables, in_transactions
from shared.wiring import new_operation_id, tables_client
from shared.workflow.observe import Plan, observe
from shared.workflow.restart import instances_of
from shared.workflow.sweep import TERMINATIONS_PER_SECOND

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2
OVERDUE = timedelta(minutes=5)
"""An intent that is due for so long is not processed: the sweep does not run, or cannot keep up."""
MOST_LISTED = 50


async def unfinished(tables: Tables, set_aside: SetAside = log_set_aside) -> list[ReferralKey]:
    """The records that somebody or something is still to look at.

    Referrals that are not closed, that wait for a registration (M12), or have open work, a registration in review or
    one that is not indexed as it is; requests for information with open work.
    """
    referrals, registrations = Referrals(tables), Registrations(tables)
    deals = [
        referral.key
        async for referral in referrals.scan_all(set_aside)
        if not referral.is_closed
        or wants_registration(referral)
        or any(registration.in_review for registration in referral.registrations)
        or await _has_open_work(referrals, referral.key)
        or not await _all_indexed(registrations, referral)
    ]
    requests = [inquiry_key(taken) async for taken in Inquiries(tables).scan_all(set_aside)]
    return deals + [record for record in requests if await _has_open_work(referrals, record)]


@dataclass(frozen=True, slots=True)
class RecordStates:
    """The orchestrations of unfinished records, by state.

    `waiting` ones wait for people or for a due time. `moving` ones have something to do and will be looked at.
    `stuck` ones should have been looked at long ago, or the sweep did not come to an end with them. `unwatched` ones
    have something due, now or later, but no intent.
    """

    waiting: tuple[str, ...] = ()
    moving: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    unwatched: tuple[str, ...] = ()


async def record_states(tables: Tables, parties: list[ReferralKey], now: datetime) -> RecordStates:
    """Determine the states of records; `now` is the domain clock's."""
    referrals, registrations = Referrals(tables), Registrations(tables)
    watched: dict[str, list[Intent]] = defaultdict(list)
    async for intent in Intents(tables).all():
        watched[intent.instance_id].append(intent)
    found: dict[str, list[str]] = defaultdict(list)
    for record in parties:
        for each in await instances_of(referrals, record):
            plan = (await observe(referrals, registrations, record, each)).plan(now)
            name = each or record.referral_id
            found[_state(plan, watched[name], now)].append(name)
    return RecordStates(**{name: tuple(ids) for name, ids in found.items()})


def _state(plan: Plan, intents: Sequence[Intent], now: datetime) -> str:
    if any(_is_stuck(intent, now) for intent in intents):
        return "stuck"
    if not intents and (plan.steps or plan.next_at):
        return "unwatched"
    return "moving" if plan.steps else "waiting"


def _is_stuck(intent: Intent, now: datetime) -> bool:
    return intent.tries > 1 or intent.requests > 1 or now - intent.due > OVERDUE


async def ask_to_wake(tables: Tables, parties: list[ReferralKey], now: datetime) -> set[str]:
    """Write intents that have the sweep wake all instances of these records; returns their ids, one per instance."""
    return await _ask(tables, parties, "wake", now)


async def ask_for_restarts(tables: Tables, parties: list[ReferralKey], now: datetime) -> set[str]:
    """Write intents that have the sweep restart all instances of these records; returns their ids."""
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


async def wait_for_sweep(
    intents: Intents, asked: set[str], looks: int, pause: Callable[[], Awaitable[None]]
) -> list[Intent]:
    """Wait until the sweep has processed the intents, and print the progress; returns those that are left.

    Looks at most `looks` times, with a pause before each.
    """
    left = await _left(intents, asked)
    for _ in range(looks):
        if not left:
            break
        await pause()
        now_left = await _left(intents, asked)
        if len(now_left) != len(left):
            done = len(asked) - len(now_left)
            print(f"{done} of {len(asked)} orchestrations make progress.", flush=True)  # noqa: T201
        left = now_left
    return left


async def _left(intents: Intents, asked: set[str]) -> list[Intent]:
    """The intents that are left, each once: one that moves while the table is read may appear twice."""
    return list({intent.id: intent async for intent in intents.all() if intent.id in asked}.values())


async def _has_open_work(referrals: Referrals, record: ReferralKey) -> bool:
    return any(row.value.open for row in await referrals.work(record))


async def _all_indexed(registrations: Registrations, deal: Referral) -> bool:
    found = await registrations.list_for_deal(deal.key) if deal.registrations else ()
    return all([await registrations.is_indexed(each) for each in found])


@dataclass(frozen=True)
class Summary:
    """The result of a check: states, and of `asked` orchestrations those `left` without progress after `minutes`.

    `unreadable` is the number of damaged intents; `damaged` are the rows of records that could not be read.
    """

    record_states: RecordStates
    unreadable: int = 0
    asked: int = 0
    left: tuple[str, ...] = ()
    minutes: int = 0
    damaged: tuple[str, ...] = ()

    @property
    def records(self) -> int:
        """How many orchestrations the unfinished records need."""
        each = self.record_states
        return len(each.waiting) + len(each.moving) + len(each.stuck) + len(each.unwatched)


async def check_records(tables: Tables, options: argparse.Namespace, now: datetime) -> Summary:
    """Check the records, then wake or restart them as the options say. `now` is the domain clock's."""
    damaged: list[RecordUnreadable] = []
    parties = await unfinished(tables, damaged.append)
    states, intents = await record_states(tables, parties, now), Intents(tables)
    summary = Summary(states, await intents.unreadable(), damaged=tuple(each.row for each in damaged))
    if not (options.wake or options.restart):
        return summary
    if lost := await Registrations(tables).prune():
        logger.warning("index_pruned rows=%d: they pointed to no registration", lost)
    ask = ask_to_wake if options.wake else ask_for_restarts
    asked = await ask(tables, parties, now)
    minutes = patience(len(asked)) if options.minutes is None else options.minutes
    left = await wait_for_sweep(intents, asked, minutes * 60 // LOOK_SECONDS, _pause)
    unmoved = tuple(sorted({intent.instance_id for intent in left}))
    return replace(summary, asked=len(asked), left=unmoved, minutes=minutes)


def patience(instances: int) -> int:
    """How many minutes to wait: twice the time that the sweep needs to terminate so many, and 10 minutes."""
    return 10 + instances // (30 * TERMINATIONS_PER_SECOND)


async def _run(options: argparse.Namespace) -> Summary:
    account = read_tables()
    client = tables_client(account)
    print(f"The records at {client.url}, which {account.setting} names:", flush=True)  # noqa: T201
    tables = AzureTables(client)
    try:
        await require_current_version(tables)
        return await check_records(tables, options, clock.now())
    finally:
        await tables.close()


async def _pause() -> None:
    await asyncio.sleep(LOOK_SECONDS)


def main() -> int:
    """Check, and wake or restart if requested; 1 if some make no progress after that, 2 if a setting is wrong."""
    options = _parse()
    try:
        summary = asyncio.run(_run(options))
    except ConfigurationError as malformed:
        print(malformed, file=sys.stderr)  # noqa: T201 - the command's output
        return 2
    print(_report(options, summary))  # noqa: T201 - the command's output
    return 1 if summary.left else 0


def _report(options: argparse.Namespace, summary: Summary) -> str:
    states = summary.record_states
    lines = [
        (
            f"{summary.records} orchestrations are needed: {len(states.waiting)} wait for people or for a due time, "
            f"{len(states.moving)} have work in progress."
        )
    ]
    if states.stuck:
        lines.append(
            f"{len(states.stuck)} make no progress; the sweep tries them again, see its log:{_id_list(states.stuck)}"
        )
    if states.unwatched:
        lines.append(
            f"{len(states.unwatched)} have no intent; --wake repairs that:{_id_list(states.unwatched)}"
        )
    if summary.unreadable:
        lines.append(f"{summary.unreadable} intents are damaged and were set aside; --wake replaces them.")
    if summary.damaged:
        lines.append(
            f"{len(summary.damaged)} records are damaged (docs/operations.md, Damaged rows):"
            f"{_id_list(summary.damaged)}"
        )
    if summary.asked and not summary.left:
        lines.append(f"All {summary.asked} orchestrations make progress.")
    if summary.left:
        lines.append(
            f"{len(summary.left)} of {summary.asked} orchestrations made no progress within "
            f"{summary.minutes} minutes. Check /healthz and how often the sweep runs (SWEEP_SCHEDULE); "
            "the sweep continues with them."
            f"{_id_list(summary.left)}"
        )
    if not (options.wake or options.restart):
        lines.append("Use --wake to wake all of them.")
    return "\n".join(lines)


def _id_list(ids: Sequence[str]) -> str:
    shown = "".join(f"\n  {each}" for each in ids[:MOST_LISTED])
    return shown if len(ids) <= MOST_LISTED else f"{shown}\n  and {len(ids) - MOST_LISTED} more"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="check", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--wake", action="store_true", help="have the sweep wake all unfinished records, and wait for it"
    )
    action.add_argument(
        "--restart",
        action="store_true",
        help="have the sweep restart all orchestrations of unfinished records, and wait for it",
    )
    parser.add_argument(
        "--minutes", type=_positive, metavar="N", help="how long to wait; default: 10, and more for many"
    )
    options = parser.parse_args()
    if options.minutes is not None and not (options.wake or options.restart):
        parser.error("--minutes needs --wake or --restart")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes; use 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

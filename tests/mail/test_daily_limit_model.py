"""The limit of a day and the summaries, whatever dies between any two requests (M9).

Some attempts end before or after a request to storage took effect, some lose what the mail service said, some run at
once. In the end each request was told of exactly once, and no day had more mails than its limit.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import MailUnavailable, ServiceError, StoreUnavailable
from shared.storage.mail import MailRecord
from shared.storage.tables import Operation
from tests.doubles.customer_mails import BEGIN, CustomerMails, DatedMailService
from tests.doubles.yielding_tables import YieldingTables

MAILS = 7
SCHEDULES = int(os.environ.get("MODEL_SCHEDULES", "150"))
HOUR = timedelta(hours=1)
When = Literal["before", "after"]


class Died(Exception):
    """The process ended."""


@dataclass(frozen=True)
class Fault:
    """The request, counted from 0 in its step, at which something happens: before or after it takes effect.

    `dies`: the process ends; otherwise the response is lost.
    """

    at: int
    when: When
    dies: bool


@dataclass(frozen=True)
class Step:
    """So many hours later these mails are tried at once; the mail service may be away, or lose its response."""

    hours: int
    mails: tuple[int, ...]
    fault: Fault | None
    service: When | None


class FaultyTables(YieldingTables):
    """Storage with a fault at one of its next writes."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Fault | None = None
        self.writes = 0

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        fault = self.fault if self.fault and self.fault.at == self.writes else None
        self.writes += 1
        if fault and fault.when == "before":
            raise Died if fault.dies else StoreUnavailable("not stored")
        etags = await super().write(table, partition, operations)
        if fault:
            raise Died if fault.dies else StoreUnavailable("stored, and the response is lost")
        return etags


class FaultyMail(DatedMailService):
    """A mail service that may be away, or lose its response."""

    fault: When | None = None

    async def send(self, record: MailRecord, now: datetime) -> None:
        await asyncio.sleep(0)
        if self.fault == "before":
            raise MailUnavailable("not taken")
        await super().send(record, now)
        if self.fault:
            raise MailUnavailable("taken, and the response is lost")


LONGEST_HOURS = 6 * 24
"""After seven days in which the mail service takes nothing, a mail is given up."""

faults = st.builds(Fault, at=st.integers(0, 5), when=st.sampled_from(("before", "after")), dies=st.booleans())
steps = st.builds(
    Step,
    hours=st.sampled_from((0, 0, 1, 9, 16, 24, 50)),
    mails=st.lists(st.integers(0, MAILS - 1), min_size=1, max_size=3).map(tuple),
    fault=st.none() | faults,
    service=st.sampled_from((None, None, None, "before", "after")),
)


async def take(mails: CustomerMails, tables: FaultyTables, service: FaultyMail, step: Step) -> None:
    mails.at(mails.now + step.hours * HOUR)
    tables.fault, tables.writes, service.fault = step.fault, 0, step.service
    ended = await asyncio.gather(*map(mails.attempt, step.mails), return_exceptions=True)
    unexpected = [
        end for end in ended if isinstance(end, BaseException) and not isinstance(end, ServiceError | Died)
    ]
    assert unexpected == []
    tables.fault = service.fault = None


async def play(most: int, schedule: Sequence[Step]) -> None:
    tables, service = FaultyTables(), FaultyMail()
    mails = CustomerMails(tables, most, service)
    hours = 0
    for step in schedule:
        passing = step.hours if hours + step.hours < LONGEST_HOURS else 0
        hours += passing
        await take(mails, tables, service, replace(step, hours=passing))
    for _ in range(2 * MAILS + 2):
        left = [number for number in range(MAILS) if not await mails.is_done(number)]
        for number in left:
            await take(mails, tables, service, Step(0, (number,), None, None))
        mails.at(mails.now + 24 * HOUR)
    assert [number for number in range(MAILS) if not await mails.is_done(number)] == [], "not lost"
    assert [mails.times_told(number) for number in range(MAILS)] == [1] * MAILS, "told once"
    assert all(len(service.on(day)) <= most for day in set(service.days.values())), "within the limit"
    for number in range(MAILS):
        record = await mails.state(number)
        assert record
        assert record.state in {"accepted", "summarized"}


@settings(max_examples=SCHEDULES, deadline=None)
@given(most=st.integers(1, 3), schedule=st.lists(steps, max_size=14))
def test_every_request_is_told_once_and_no_day_has_more_mails_than_its_limit(
    most: int, schedule: list[Step]
) -> None:
    asyncio.run(play(most, schedule))


def test_the_schedules_reach_summaries() -> None:
    """So that the test above says something: one that goes well ends in a summary."""

    async def summarized() -> set[str]:
        tables, service = FaultyTables(), FaultyMail()
        mails = CustomerMails(tables, 1, service)
        for hours in (0, 16):
            for number in range(MAILS):
                await take(mails, tables, service, Step(hours if number == 0 else 0, (number,), None, None))
        return {record.state for number in range(MAILS) if (record := await mails.state(number))}

    assert asyncio.run(summarized()) == {"accepted", "summarized"}
    assert BEGIN.hour + 16 > 24, "the next day"

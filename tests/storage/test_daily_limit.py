"""At most so many mails a day to one customer's address; the others are told in one on the next day (M9).

The same on the twin and on Azurite.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.errors import MailHeld, MailPaused, MailServiceDown, MailUnavailable
from shared.mail.delivery import GIVE_UP_AFTER
from shared.mail.gate import FAILURES
from shared.storage.azure_tables import AzureTables
from shared.storage.mailboxes import key_of_summary, mailbox_of
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables
from tests.doubles.customer_mails import BEGIN, CustomerMails

DAY = timedelta(days=1)
TOMORROW = datetime(2026, 12, 1, tzinfo=UTC)


def to_somebody(tables: Tables, most: int) -> CustomerMails:
    """An address that only this test uses."""
    return CustomerMails(tables, most, address=f"{uuid4().hex[:12]}@relecloud.com")


async def held(mails: CustomerMails, number: int) -> timedelta:
    """An attempt that has to wait; says for how long."""
    with pytest.raises(MailHeld) as waits:
        await mails.attempt(number)
    return waits.value.retry_after


async def test_the_mails_beyond_a_days_limit_are_told_together_in_one_on_the_next_day(tables: Tables) -> None:
    mails = to_somebody(tables, 2)
    for number in (0, 1):
        assert (await mails.attempt(number)).state == "accepted"
    for number in (2, 3, 4):
        assert await held(mails, number) == TOMORROW - BEGIN
        assert await held(mails, number) == TOMORROW - BEGIN, "again, and it waits still"
    assert len(mails.service.taken) == 2
    mails.at(TOMORROW)
    told = [await mails.attempt(number) for number in (4, 2, 3)]
    assert [each.state for each in told] == ["summarized"] * 3
    (summary,) = mails.service.on(TOMORROW.date())
    assert summary.message == "customerSummary"
    assert summary.recipients == (mails.address,)
    assert summary.reader.organization_id == "company-4", "of the one that made it"
    assert [mails.times_told(number) for number in range(5)] == [1] * 5
    assert {each.reason for each in told} == {summary.operation_id}


async def test_a_summary_counts_among_the_mails_of_its_day(tables: Tables) -> None:
    mails = to_somebody(tables, 2)
    for number in range(3):
        if number < 2:
            await mails.attempt(number)
        else:
            await held(mails, number)
    mails.at(TOMORROW)
    await mails.attempt(2)
    assert (await mails.attempt(3)).state == "accepted"
    await held(mails, 4)
    assert len(mails.service.on(TOMORROW.date())) == 2


async def test_new_mails_leave_a_place_to_the_summary_that_is_due(tables: Tables) -> None:
    """However many come right after midnight, those of the day before are told."""
    mails = to_somebody(tables, 2)
    for number in range(2):
        await mails.attempt(number)
    await held(mails, 2)
    mails.at(TOMORROW)
    assert (await mails.attempt(3)).state == "accepted"
    await held(mails, 4)
    assert (await mails.attempt(2)).state == "summarized"
    assert [mails.times_told(number) for number in range(5)] == [1, 1, 1, 1, 1], (
        "the last one with the others"
    )


async def test_the_summary_of_each_day_tells_only_what_none_has_told(tables: Tables) -> None:
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    for day in range(1, 4):
        await held(mails, day)
        mails.at(BEGIN + day * DAY)
        assert (await mails.attempt(day)).state == "summarized"
    assert [mails.times_told(number) for number in range(4)] == [1] * 4
    assert len(mails.service.taken) == 4


async def test_one_address_does_not_use_up_anothers_day_and_letter_case_makes_no_other_address(
    tables: Tables,
) -> None:
    mails = to_somebody(tables, 1)
    shouted = CustomerMails(tables, 1, mails.service, mails.address.upper())
    await mails.attempt(0)
    assert await held(shouted, 1) > timedelta()
    other = to_somebody(tables, 1)
    assert (await other.attempt(0)).state == "accepted"


async def test_without_a_limit_all_are_sent_and_nothing_is_counted(tables: Tables) -> None:
    mails = to_somebody(tables, 0)
    for number in range(12):
        assert (await mails.attempt(number)).state == "accepted"
    assert await mails.mailboxes.get(mailbox_of(mails.address)) is None


async def test_what_waits_is_told_although_there_is_no_limit_any_more(tables: Tables) -> None:
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    await held(mails, 1)
    without = CustomerMails(tables, 0, mails.service, mails.address)
    without.at(TOMORROW)
    assert (await without.attempt(1)).state == "summarized"
    assert mails.times_told(1) == 1


async def test_a_mail_needs_its_place_on_the_day_on_which_it_is_sent(tables: Tables) -> None:
    """An outage of days does not end in as many mails at once."""
    mails = to_somebody(tables, 2)
    mails.service.away = True
    for day in range(3):
        mails.at(BEGIN + day * DAY)
        for number in (2 * day, 2 * day + 1):
            with pytest.raises(MailUnavailable):
                await mails.attempt(number)
    mails.service.away = False
    mails.at(BEGIN + 3 * DAY)
    for number in range(6):
        try:
            await mails.attempt(number)
        except MailPaused:
            continue
    assert len(mails.service.on(mails.now.date())) <= 2


async def test_of_many_at_once_no_more_than_the_limit_are_sent_and_all_the_others_are_told_once(
    tables: Tables,
) -> None:
    mails = to_somebody(tables, 3)
    await asyncio.gather(*map(mails.attempt, range(10)), return_exceptions=True)
    assert len(mails.service.taken) == 3
    mails.at(TOMORROW)
    for _ in range(3):  # of those at once, one plans and sends the summary; the others may have to look again
        left = [number for number in range(10) if not await mails.is_done(number)]
        await asyncio.gather(*map(mails.attempt, left), return_exceptions=True)
    assert [mails.times_told(number) for number in range(10)] == [1] * 10
    assert len(mails.service.on(TOMORROW.date())) == 1


async def test_a_held_mail_is_not_given_up_and_says_nothing_about_the_mail_service(tables: Tables) -> None:
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    for number in range(1, FAILURES + 2):
        await held(mails, number)
    other = to_somebody(tables, 1)
    assert (await other.attempt(0)).state == "accepted", "the gate is open"
    mails.at(BEGIN + GIVE_UP_AFTER + DAY)
    assert (await mails.attempt(1)).state == "summarized"


async def test_what_becomes_of_a_summary_becomes_of_all_that_it_tells(tables: Tables) -> None:
    """M6: each company's timeline says that its customer was not reached."""
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    for number in (1, 2):
        await held(mails, number)
    mails.at(TOMORROW)
    mails.service.refuses = {mails.address}
    for number in (1, 2):
        refused = await mails.attempt(number)
        assert (refused.state, refused.reason) == ("refused", "InvalidRecipient")


async def test_a_summary_that_fails_is_tried_again_by_any_that_it_tells_of(tables: Tables) -> None:
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    for number in (1, 2):
        await held(mails, number)
    mails.at(TOMORROW)
    mails.service.away = True
    with pytest.raises(MailServiceDown):
        await mails.attempt(1)
    mails.service.away = False
    assert (await mails.attempt(2)).state == "summarized"
    assert (await mails.attempt(1)).state == "summarized"
    assert len(mails.service.on(TOMORROW.date())) == 1


async def test_a_summary_that_nobody_takes_for_seven_days_is_given_up(tables: Tables) -> None:
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    await held(mails, 1)
    mails.service.away = True
    for day in range(1, 8):
        mails.at(BEGIN + day * DAY)
        with pytest.raises(MailServiceDown):
            await mails.attempt(1)
    mails.at(BEGIN + DAY + GIVE_UP_AFTER)
    given_up = await mails.attempt(1)
    assert (given_up.state, given_up.reason) == ("refused", "notAcceptedWithinSevenDays")


async def test_a_summary_that_could_not_be_sent_on_its_day_counts_on_the_day_on_which_it_is(
    tables: Tables,
) -> None:
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    await held(mails, 1)
    mails.at(TOMORROW)
    mails.service.away = True
    with pytest.raises(MailServiceDown):
        await mails.attempt(1)
    mails.service.away = False
    mails.at(TOMORROW + DAY)
    assert (await mails.attempt(2)).state == "accepted"
    assert await held(mails, 1) == DAY
    mails.at(TOMORROW + 2 * DAY)
    assert (await mails.attempt(1)).state == "summarized"
    assert [len(mails.service.on((TOMORROW + days * DAY).date())) for days in range(3)] == [0, 1, 1]


async def test_a_mail_that_may_have_been_sent_is_not_told_in_a_summary_as_well(tables: Tables) -> None:
    """Its response was lost; on the next day there is no place left to ask and send it again."""
    mails = to_somebody(tables, 1)

    async def loses_the_response(record: object, now: datetime) -> None:
        await type(mails.service).send(mails.service, record, now)  # type: ignore[arg-type]
        raise MailUnavailable("the connection was lost")

    mails.service.send = loses_the_response  # type: ignore[method-assign]
    with pytest.raises(MailUnavailable):
        await mails.attempt(0)
    del mails.service.send
    mails.at(TOMORROW)
    await mails.attempt(1)
    await held(mails, 0)
    mails.at(TOMORROW + DAY)
    assert (await mails.attempt(0)).state == "accepted"
    assert [mails.times_told(number) for number in (0, 1)] == [1, 1]


async def test_what_finds_no_place_for_a_week_is_sent_on_the_first_day_that_has_one(tables: Tables) -> None:
    """A mail that may have been sent waits for no summary, and others may take each day's place before it."""
    mails = to_somebody(tables, 1)
    mails.service.away = True
    with pytest.raises(MailServiceDown):
        await mails.attempt(0)
    mails.service.away = False
    for day in range(1, 10):
        mails.at(BEGIN + day * DAY)
        assert (await mails.attempt(day)).state == "accepted"
        await held(mails, 0)
    mails.at(BEGIN + 10 * DAY)
    assert (await mails.attempt(0)).state == "accepted"
    assert [mails.times_told(number) for number in range(10)] == [1] * 10


async def test_a_clock_that_is_a_little_ahead_begins_the_day_for_all_and_one_that_is_wrong_for_nobody(
    tables: Tables,
) -> None:
    mails = to_somebody(tables, 1)
    mails.at(TOMORROW)
    await mails.attempt(0)
    mails.at(BEGIN)
    assert await held(mails, 1) == TOMORROW + DAY - BEGIN
    wrong = to_somebody(tables, 1)
    wrong.at(BEGIN + 365 * DAY)
    await wrong.attempt(0)
    await held(wrong, 1)
    wrong.at(BEGIN)
    assert (await wrong.attempt(2)).state == "accepted"
    wrong.at(TOMORROW)
    assert (await wrong.attempt(1)).state == "summarized"


async def test_a_report_about_a_summary_finds_it(tables: Tables) -> None:
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    await held(mails, 1)
    mails.at(TOMORROW)
    await mails.attempt(1)
    (summary,) = mails.service.on(TOMORROW.date())
    found = await mails.records.get_by_operation(summary.operation_id)
    assert found
    assert (found.value.state, found.value.key) == ("accepted", key_of_summary(0))


async def test_mails_planned_before_there_was_a_limit_are_sent_as_they_are(tables: Tables) -> None:
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    old = replace(mails.mail(1), line=None, recipients=(mails.address, "dan@relecloud.com"))
    (stored,) = await mails.records.insert([old])
    assert (await mails.delivery.attempt(stored, mails.now, pointless=False)).state == "accepted"


async def test_an_ordinary_mail_costs_two_requests_more(tables: Tables) -> None:
    mails = to_somebody(tables, 10)
    assert isinstance(tables, MemoryTables | AzureTables)
    await mails.attempt(0)
    before = tables.requests
    await mails.attempt(1)
    counted = tables.requests - before
    without = to_somebody(tables, 0)
    await without.attempt(0)
    before = tables.requests
    await without.attempt(1)
    assert counted == tables.requests - before + 2


async def test_a_summary_has_its_place_from_the_moment_it_is_planned(tables: Tables) -> None:
    """Whoever planned it may die then; no other mail takes the place meanwhile."""
    mails = to_somebody(tables, 1)
    await mails.attempt(0)
    await held(mails, 1)
    mails.at(TOMORROW)
    waiting = await mails.state(1)
    assert waiting
    assert waiting.line
    assert waiting.summary == 0
    assert await mails.delivery.limit.wait(waiting, waiting.line, waiting.summary, mails.now)
    assert await held(mails, 2) == DAY
    assert (await mails.attempt(1)).state == "summarized"

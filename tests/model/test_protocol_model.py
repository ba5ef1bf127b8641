"""The protocol under random deaths: whatever dies where, what clients were told holds, and all that follows happens.

Each schedule runs the real handlers, the real orchestrator and the real activities on tables in memory; whoever
makes a request of storage, engine or mail service may die or get no answer, before or after it took effect.
"""

import os
from collections import Counter

import pytest

from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.lifecycle import never_notified_operation
from shared.domain.messages import ARRIVAL_MAILS
from shared.domain.referral import Referral, ReferralKey
from shared.workflow.perform import LONGEST_DELAY
from tests.model.lead_schedule import COMPANIES, LeadSchedule
from tests.model.schedule import Schedule, play

SCHEDULES = int(os.environ.get("MODEL_SCHEDULES", "400"))
BATCHES = 8
LEAD_READERS = {"rae": "rae@contoso.com", "kim": "kim@fabrikam.com", "nia": "nia@northwindtraders.com"}
OUTCOMES = {"accepted", "declined", "expired", "withdrawn"}


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_nothing_is_lost_or_doubled_whoever_dies_where(batch: int) -> None:
    for seed in range(batch, SCHEDULES, BATCHES):
        await play(Schedule(seed), check)


async def test_without_deaths_the_model_plays_the_scenario_and_tells_everybody() -> None:
    told = Counter[str]()
    for seed in range(20):
        schedule = Schedule(seed, deadly=0.0, flaky=0.0)
        await schedule.run()
        await check(schedule)
        told.update(subject.split(" ")[1] for _, subject in schedule.mail.told())
    assert {"invites", "accepted", "declined", "won"} <= set(told)


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_every_company_of_a_request_gets_one_lead_that_ends_once_whoever_dies_where(batch: int) -> None:
    for seed in range(batch, SCHEDULES // 2, BATCHES):
        await play(LeadSchedule(seed), check_leads)


async def test_without_deaths_the_companies_and_the_customer_are_told() -> None:
    told = Counter[tuple[str, str]]()
    for seed in range(20):
        schedule = LeadSchedule(seed, deadly=0.0, flaky=0.0)
        await schedule.run()
        await check_leads(schedule)
        told.update(schedule.mail.told())
    assert {to for to, _ in told} == {*LEAD_READERS.values(), "cara@relecloud.com"}


async def check_leads(schedule: LeadSchedule) -> None:
    """R2, R4, L4, M1, M2: all or none are delivered; each ends once; each end is told to the customer."""
    records = [lead for who in COMPANIES.values() if (lead := await _document(schedule, who))]
    answered = [status for _, what, status in schedule.answers if what == "submit"]
    assert len(records) == (3 if records or 201 in answered else 0), "a lead is missing (R2)"
    for record in records:
        await _check_timeline_of_lead(schedule, record)
        work = await schedule.calm.referrals.work(record.key)
        assert not [row for row in work if row.value.open], "work was left open"
        assert record.status != "New", "a lead outlived its window (L4)"
    assert [intent async for intent in schedule.calm.intents.all()] == [], "an intent was left"
    if not await _was_given_up(schedule, records):
        await _check_mail_of_leads(schedule, records)
        await _check_never_notified(schedule, records)


async def _check_timeline_of_lead(schedule: LeadSchedule, record: Referral) -> None:
    entries = await schedule.calm.referrals.entries(record.key)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert sum(entry.kind in OUTCOMES for entry in entries) == 1, "not exactly one outcome (L4)"


async def _check_mail_of_leads(schedule: LeadSchedule, records: list[Referral]) -> None:
    told = Counter((mail.referral_id, mail.message) for mail in schedule.mail.taken.values())
    for record in records:
        closed = {"Declined": "customerDeclined", "Expired": "customerExpired"}.get(record.substatus)
        times = told[record.id, "leadReceived"]
        assert times == 1 or (record.is_closed and times == 0), "M1: once, or not once it is closed"
        for message in ("customerDeclined", "customerExpired"):
            assert told[record.id, message] == (message == closed), "M2"


async def check(schedule: Schedule) -> None:
    deal = await _document(schedule, "contoso")
    if deal is None:
        assert all(what != "create" or status != 201 for _, what, status in schedule.answers)
        return
    invited = await schedule.calm.referrals.get_many(deal.invited_keys)
    records = [deal, *invited]
    assert len(invited) == len(deal.invited), "an invitation is missing (C5)"
    expected = {"fabrikam", "northwind"} | ({"msft"} if deal.deal_type == "CoSell" else set())
    assert {record.organization_id for record in invited} == expected
    await _check_type(schedule, deal, records)
    _check_withdrawals(schedule, deal, records)
    for record in records:
        await _check_timeline(schedule, record)
    await _check_answers(schedule)
    await _check_nothing_open(schedule, records)
    await _check_mail(schedule, deal, records)
    await _check_news(schedule, deal, records)


async def _check_timeline(schedule: Schedule, record: Referral) -> None:
    entries = await schedule.calm.referrals.entries(record.key)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1)), (
        "the timeline has gaps (L9)"
    )
    assert entries[-1].sequence == record.sequence
    if not record.belongs_to_creator:
        assert sum(entry.kind in OUTCOMES for entry in entries) == 1, "not exactly one outcome (L4)"
    once = {(entry.operation_id, entry.kind) for entry in entries}
    assert len(once) == len(entries), "an operation was stored twice"


async def _check_type(schedule: Schedule, deal: Referral, records: list[Referral]) -> None:
    """The parties that still work on the deal have its type; sellers find it while it is partner-led (T1, V3)."""
    for record in records:
        if record.status == "Active":
            assert record.deal_type == deal.deal_type, f"{record.organization_id} has another type"
    shown = [party for _, party in await schedule.calm.referrals.list_partner_led(None, 10)]
    assert shown == ([deal.key] if deal.deal_type == "PartnerLed" else []), "the sellers' list is wrong"


def _check_withdrawals(schedule: Schedule, deal: Referral, records: list[Referral]) -> None:
    """Whoever had not answered a lost deal's invitation when all went well again has it withdrawn (L8).

    What was put off in the storm is tried again within the longest delay, and jitter.
    """
    by_then = schedule.calm_since + LONGEST_DELAY * 2
    for record in records:
        if deal.substatus == "Lost" and record.closed_at and record.closed_at > by_then:
            assert record.belongs_to_creator or record.accepted_at or record.status_reason, (
                f"{record.organization_id} was left with an open invitation into a lost deal"
            )


async def _check_answers(schedule: Schedule) -> None:
    """Who was told 200 finds it in the timeline."""
    organizations = {"rae": "contoso", "kim": "fabrikam", "nia": "northwind", "sam": "msft"}
    done = {"accept": "accepted", "decline": "declined", "win": "won", "lose": "lost"}
    for who, what, status in schedule.answers:
        if what == "invite" and status == 201:
            assert await _document(schedule, "msft"), "Microsoft was not invited"
        if status == 200:
            record = await _document(schedule, organizations[who])
            assert record
            kinds = [entry.kind for entry in await schedule.calm.referrals.entries(record.key)]
            assert done[what] in kinds, f"{who} was told that {what} succeeded"


async def _check_nothing_open(schedule: Schedule, records: list[Referral]) -> None:
    for record in records:
        work = await schedule.calm.referrals.work(record.key)
        assert not [row.value.label for row in work if row.value.open], "work was left open"
        assert record.status != "New", "an invitation outlived its window (L4)"
    assert [intent async for intent in schedule.calm.intents.all()] == [], "an intent was left"


async def _check_mail(schedule: Schedule, deal: Referral, records: list[Referral]) -> None:
    """Each message that the timelines call for was taken once (M1 to M4, M6); none that they do not call for."""
    told = Counter(
        record.key.split(":")[0:2][1] + record.referral_id for record in schedule.mail.taken.values()
    )
    assert max(told.values(), default=0) <= max(3, len(records)), "a message was doubled"
    sent = {(mail.referral_id, mail.key.split(":")[0]) for mail in schedule.mail.taken.values()}
    if await _was_given_up(schedule, records):
        return
    for record in records:
        entries = await schedule.calm.referrals.entries(record.key)
        for entry in entries:
            key = (record.id, f"{entry.sequence:06d}")
            if entry.kind in {"accepted", "declined", "expired"}:
                assert key in sent, f"nobody was told that {record.organization_id} {entry.kind} (M2)"
            if entry.kind == "withdrawn" and entry.sequence > 1:
                assert key in sent, f"{record.organization_id} was not told of the withdrawal (L8)"
            if entry.kind == "received" and record.substatus != "Expired":
                assert key in sent, f"{record.organization_id} was not told of its invitation (M1)"
            if entry.kind in {"won", "lost"} and record is deal:
                await _check_news_of_outcome(schedule, entry.sequence, deal, records)
    await _check_never_notified(schedule, records)


async def _was_given_up(schedule: Schedule, records: list[Referral]) -> bool:
    """Whether a mail that could not be handed over for seven days was given up, and told to its readers (M6)."""
    timelines = [await schedule.calm.referrals.entries(record.key) for record in records]
    return any(entry.kind == "mailFailed" for entries in timelines for entry in entries)


async def _check_news_of_outcome(
    schedule: Schedule, sequence: int, deal: Referral, records: list[Referral]
) -> None:
    readers = {
        mail.key.split(":")[2]
        for mail in schedule.mail.taken.values()
        if mail.referral_id == deal.id and mail.key.startswith(f"{sequence:06d}:")
    }
    for record in records:
        if record is not deal and record.substatus in {"Accepted", "Won", "Lost"}:
            assert record.id in readers, f"{record.organization_id} was not told of the outcome (M4)"


async def _check_news(schedule: Schedule, deal: Referral, records: list[Referral]) -> None:
    heard = Counter(
        (entry.actor.organization_id, entry.to_state)
        for entry in await schedule.calm.referrals.entries(deal.key)
        if entry.kind == "partyChanged"
    )
    happened = Counter[tuple[str, str | None]]()
    for record in records:
        for entry in await schedule.calm.referrals.entries(record.key):
            if entry.kind in {"accepted", "declined", "expired"} and record is not deal:
                happened[record.organization_id, entry.to_state] += 1
    for news, times in happened.items():
        assert heard[news] == times, "the creator did not hear of it once (L7)"


async def _check_never_notified(schedule: Schedule, records: list[Referral]) -> None:
    """It is said once of whoever let a referral expire that no mail had told of, and of nobody else (M8)."""
    notified = {mail.referral_id for mail in schedule.mail.taken.values() if mail.message in ARRIVAL_MAILS}
    for record in records:
        if record.belongs_to_creator and not record.inquiry:
            continue
        operation_id = never_notified_operation(record.id)
        entries = await schedule.calm.referrals.entries(record.creator)
        said = sum(entry.operation_id == operation_id for entry in entries)
        untold = record.substatus == "Expired" and not record.status_reason and record.id not in notified
        assert said == untold, (
            f"of {record.organization_id} it was said {said} times that nobody told it (M8)"
        )


async def _document(schedule: Schedule, organization: str) -> Referral | None:
    referral_id = await schedule.referral_of(organization)
    if referral_id is None:
        return None
    party = ReferralKey(organization_id=OrganizationId(organization), referral_id=ReferralId(referral_id))
    stored = await schedule.calm.referrals.get(party)
    return stored.value if stored else None

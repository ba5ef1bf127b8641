"""U1, U2 in storage: what is used is counted from rows, remembered for a minute, and given back if it fails."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.ids import EngagementId, InquiryId, OperationId, OrganizationId, ReferralId, uuid7
from shared.domain.inquiry import SubmittedInquiry
from shared.domain.quotas import QuotaReached
from shared.domain.work import Deliver, label_of, work_of
from shared.errors import StoreConflict
from shared.storage import keys, quotas
from shared.storage.engagements import Engagements, Message
from shared.storage.inquiries import Inquiries
from shared.storage.memory_tables import MemoryTables
from shared.storage.quotas import COUNT_TTL, Quotas
from shared.storage.referrals import Referrals
from shared.storage.tables import Insert, Row, Tables
from tests.doubles.service import NO_LIMITS
from tests.doubles.yielding_tables import YieldingTables
from tests.examples.referrals import begun, referral

MOMENT = datetime(2027, 3, 1, 12, 30, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
LIMITS = replace(
    NO_LIMITS, invitations_per_day=5, inquiries_per_day=3, messages_per_hour=3, messages_per_deal=5
)


async def invite(tables: Tables, organization: OrganizationId, number: int, at: datetime, seed: int) -> None:
    """Store a step that invites so many."""
    deal = referral(
        id=ReferralId(uuid7(at, bytes([seed]) * 16)),
        organization_id=organization,
        created_at=at,
        updated_at=at,
    )
    invited = tuple(referral(id=ReferralId(uuid7(at, bytes([seed, each + 1]) * 8))) for each in range(number))
    change = begun(deal)
    entries = tuple(replace(entry, at=at) for entry in change.entries)
    await Referrals(tables).commit(replace(change, entries=entries, invitations=invited), None)


async def inquire(tables: Tables, organization: OrganizationId, at: datetime, seed: int) -> None:
    """Store a request for information without recipients."""
    identifier = InquiryId(uuid7(at, bytes([seed]) * 16))
    taken = SubmittedInquiry(
        id=identifier, organization_id=organization, operation_id=OperationId(identifier), at=at, outcomes=()
    )
    work = work_of(ReferralId(identifier), label_of(1), taken.operation_id, (Deliver(),))
    await Inquiries(tables).insert(taken, (), work, None)


async def say(tables: Tables, deal: EngagementId, organization: OrganizationId, at: datetime) -> None:
    message = Message(sequence=0, at=at, organization_id=organization, author="Rae", text="Hi")
    await Engagements(tables).append(deal, message)


async def left(quota: Quotas, organization: OrganizationId, now: datetime) -> int:
    """How many invitations a request that wants too many is told of."""
    try:
        async with quota.invitations(organization, 1000, now):
            raise AssertionError("there is always less room than that")
    except QuotaReached as reached:
        return reached.left


async def test_invitations_of_a_day_of_utc_are_counted_step_by_step(tables: Tables, partition: str) -> None:
    organization, other = OrganizationId(partition), OrganizationId(f"other-{partition}")
    midnight = datetime(2027, 3, 1, tzinfo=UTC)
    for seed, (number, at) in enumerate(
        [(4, midnight - SECOND), (2, midnight), (1, MOMENT), (3, midnight + DAY)], start=1
    ):
        await invite(tables, organization, number, at, seed)
    await invite(tables, other, 5, MOMENT, 9)
    assert await left(Quotas(tables, LIMITS), organization, MOMENT) == 2
    assert await left(Quotas(tables, LIMITS), organization, midnight - SECOND) == 1
    assert await left(Quotas(tables, LIMITS), organization, midnight + DAY) == 2
    async with Quotas(tables, LIMITS).invitations(organization, 2, MOMENT):
        pass
    with pytest.raises(QuotaReached) as reached:
        async with Quotas(tables, LIMITS).invitations(organization, 3, MOMENT):
            pass
    assert reached.value.retry_after == timedelta(hours=11, minutes=30)


async def test_requests_for_information_of_a_day_are_counted_by_their_own_rows(
    tables: Tables, partition: str
) -> None:
    organization = OrganizationId(partition)
    midnight = datetime(2027, 3, 1, tzinfo=UTC)
    for seed, at in enumerate([midnight - SECOND, midnight, MOMENT, midnight + DAY], start=1):
        await inquire(tables, organization, at, seed)
    async with Quotas(tables, LIMITS).inquiry(organization, MOMENT):
        pass
    await inquire(tables, organization, MOMENT, 7)
    with pytest.raises(QuotaReached):
        async with Quotas(tables, LIMITS).inquiry(organization, MOMENT):
            pass
    async with Quotas(tables, LIMITS).inquiry(organization, midnight + DAY):
        pass


async def test_messages_are_counted_for_each_party_of_each_deal(tables: Tables, partition: str) -> None:
    deal, other = EngagementId(f"a-{partition}"), EngagementId(f"b-{partition}")
    contoso, longer = OrganizationId("contoso"), OrganizationId("contoso-more")
    for at in (MOMENT - timedelta(hours=1), MOMENT, MOMENT + SECOND):
        await say(tables, deal, contoso, at)
        await say(tables, deal, longer, at)
    await say(tables, other, contoso, MOMENT)
    async with Quotas(tables, LIMITS).message(deal, contoso, MOMENT) as written:
        assert written == 3
    await say(tables, deal, contoso, MOMENT)
    with pytest.raises(QuotaReached) as reached:
        async with Quotas(tables, LIMITS).message(deal, contoso, MOMENT):
            pass
    assert reached.value.retry_after == timedelta(minutes=30)
    async with Quotas(tables, LIMITS).message(deal, contoso, MOMENT + timedelta(hours=1)) as written:
        assert written == 4
    only_hourly = replace(LIMITS, messages_per_deal=0)
    with pytest.raises(QuotaReached):
        async with Quotas(tables, only_hourly).message(deal, contoso, MOMENT):
            pass


async def every_quota(quota: Quotas, now: datetime = MOMENT) -> None:
    async with (
        quota.invitations(OrganizationId("contoso"), 1, now),
        quota.inquiry(OrganizationId("portal"), now),
        quota.message(EngagementId("deal"), OrganizationId("contoso"), now),
    ):
        pass


async def test_without_limits_nothing_is_read() -> None:
    tables = MemoryTables()
    await every_quota(Quotas(tables, NO_LIMITS))
    async with Quotas(tables, LIMITS).invitations(OrganizationId("contoso"), 0, MOMENT):
        pass
    assert tables.requests == 0


async def test_what_was_counted_holds_for_a_minute_and_each_count_is_one_request() -> None:
    tables = MemoryTables()
    quota = Quotas(tables, LIMITS)
    await every_quota(quota)
    assert tables.requests == 3
    await every_quota(quota, MOMENT + COUNT_TTL - SECOND)
    assert tables.requests == 3
    await every_quota(quota, MOMENT + COUNT_TTL)
    assert tables.requests == 6


async def test_what_the_process_does_itself_counts_at_once_and_once() -> None:
    """Also when the count is read again: what was stored since is in it."""
    tables = MemoryTables()
    quota, contoso = Quotas(tables, LIMITS), OrganizationId("contoso")
    async with quota.invitations(contoso, 3, MOMENT):
        await invite(tables, contoso, 3, MOMENT, 1)
    assert await left(quota, contoso, MOMENT) == 2
    assert await left(quota, contoso, MOMENT + COUNT_TTL) == 2
    async with quota.invitations(contoso, 1, MOMENT + COUNT_TTL):
        assert await left(quota, contoso, MOMENT + 3 * COUNT_TTL) == 1, "and while it is not stored yet"


async def test_what_fails_gives_back_what_it_took() -> None:
    quota, contoso = Quotas(MemoryTables(), LIMITS), OrganizationId("contoso")

    async def fail() -> None:
        async with quota.invitations(contoso, 5, MOMENT):
            assert await left(quota, contoso, MOMENT) == 0
            raise StoreConflict("another was faster")

    with pytest.raises(StoreConflict):
        await fail()
    assert await left(quota, contoso, MOMENT) == 5


async def test_of_requests_at_once_only_as_many_begin_as_fit_and_they_share_one_look() -> None:
    tables = YieldingTables()
    quota, contoso = Quotas(tables, LIMITS), OrganizationId("contoso")

    async def take(stack: AsyncExitStack) -> None:
        await stack.enter_async_context(quota.invitations(contoso, 2, MOMENT))

    async with AsyncExitStack() as stack:
        outcomes = await asyncio.gather(*(take(stack) for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(outcome, QuotaReached) for outcome in outcomes) == 18
    assert tables.requests == 1


async def test_a_count_reads_no_more_rows_than_the_limit() -> None:
    class Bounded(MemoryTables):
        async def between(self, *arguments: object, **options: object):  # type: ignore[override]
            rows = await super().between(*arguments, **options)  # type: ignore[arg-type]
            assert len(rows) <= 5
            return rows

    tables, contoso = Bounded(), OrganizationId("contoso")
    for seed in range(1, 20):
        await invite(tables, contoso, 1, MOMENT, seed)
    await tables.write(
        keys.ENGAGEMENTS,
        "deal",
        [Insert(Row(keys.message_of_party(contoso, MOMENT, n), {})) for n in range(50)],
    )
    assert await left(Quotas(tables, LIMITS), contoso, MOMENT) == 0
    with pytest.raises(QuotaReached):
        async with Quotas(tables, LIMITS).message(EngagementId("deal"), contoso, MOMENT):
            pass


async def test_a_process_remembers_a_bounded_number_of_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "MAX_COUNTS", 3)
    tables = MemoryTables()
    quota = Quotas(tables, LIMITS)
    for name in ("a", "b", "c", "a", "d", "a", "b"):
        async with quota.invitations(OrganizationId(name), 1, MOMENT):
            pass
    assert tables.requests == 5, "of the four, b is forgotten for d and read again"
    assert len(quota._usages) == 3

"""Taking requests for information in, on the twin and on Azurite: once under a key, all leads or none (R2, C5)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.http.response import Response
from api.leads.submit import submit_leads
from shared.domain.ids import InquiryId, OperationId, OrganizationId, ReferralId
from shared.domain.inquiry import Outcome, SubmittedInquiry
from shared.domain.referral import Inquiry, InviteContext, Referral, ReferralKey
from shared.domain.work import Deliver, work_of
from shared.errors import RecordTooLarge, StoreUnavailable
from shared.storage.engagements import Engagements
from shared.storage.idempotency import IdempotencyKeys, IdempotencyRecord, RequestKey
from shared.storage.inquiries import Inquiries, inquiry_key
from shared.storage.intents import Intents
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.tables import Operation, Tables
from shared.workflow.announce import Announcements
from shared.workflow.commit import Commits
from shared.workflow.intake import Intake
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import import_small_world, inquiry
from tests.examples.referrals import NOW, context, referral, step


def intake(tables: Tables) -> Intake:
    announcements = Announcements(intents=Intents(tables), wall_clock=lambda: NOW)
    keys = IdempotencyKeys(tables)
    return Intake(
        inquiries=Inquiries(tables),
        idempotency_keys=keys,
        referrals=Referrals(tables),
        engagements=Engagements(tables),
        announcements=announcements,
        commits=Commits(
            referrals=Referrals(tables),
            engagements=Engagements(tables),
            idempotency_keys=keys,
            announcements=announcements,
            new_operation_id=lambda: OperationId("unused"),
        ),
    )


def taken(partition: str, number: int = 1) -> SubmittedInquiry:
    return SubmittedInquiry(
        id=InquiryId(f"00000000-0000-7000-8000-{number:012d}"),
        organization_id=OrganizationId(partition),
        operation_id=OperationId(f"{partition}-{number}"),
        at=NOW,
        outcomes=(Outcome(organization_id="nobody", reason="unknownRecipient"),),
    )


def lead(partition: str, number: int) -> Referral:
    own = ReferralKey(
        organization_id=OrganizationId(f"{partition}-{number}"),
        referral_id=ReferralId(f"10000000-0000-7000-8000-{number:012d}"),
    )
    inquiry_ = Inquiry(id=InquiryId("q"), recipients=(own.organization_id,), alternatives=0)
    return referral(
        id=own.referral_id,
        organization_id=own.organization_id,
        engagement_id=f"{partition}-{number}",
        creator=own,
        deal_type="Lead",
        inquiry=inquiry_,
    )


def key_in(partition: str) -> RequestKey:
    record = IdempotencyRecord(
        organization_id=OrganizationId(partition), key_hash="key", body_hash="body", record_id="", at=NOW
    )
    return RequestKey(record=record)


async def test_a_request_is_stored_with_its_leads_and_the_work_to_deliver_them(
    tables: Tables, partition: str
) -> None:
    desk, request_ = intake(tables), taken(partition)
    leads = [lead(partition, number) for number in (1, 2)]
    assert await desk.take(request_, leads, None) == request_
    assert await desk.inquiries.get(request_.organization_id, request_.id) == request_
    (work,) = await desk.referrals.work(inquiry_key(request_))
    assert work.value.open
    key = inquiry_key(request_)
    leads = await desk.referrals.invitations(key)
    delivered = await desk.deliver(key, leads, NOW)
    assert [each.after for each in delivered] == leads
    assert await desk.deliver(key, leads, NOW) == [], "it may be repeated, and delivers nothing twice"
    for each in leads:
        stored = await desk.referrals.get(each.key)
        assert stored
        assert stored.value.state == "New/Pending"
        assert [entry.kind for entry in await desk.referrals.entries(each.key)] == ["received"]
        membership = await desk.engagements.get(each.engagement_id)
        assert membership
        assert membership.creator == each.key


async def test_under_one_key_one_request_is_taken(tables: Tables, partition: str) -> None:
    """The one that comes second leaves nothing behind, neither its leads nor its intent."""
    desk, first, second = intake(tables), taken(partition), taken(partition, 2)
    key = key_in(partition)
    assert await desk.take(first, [], key) == first
    assert await desk.take(second, [lead(partition, 3)], key) is None
    assert await desk.inquiries.get(second.organization_id, second.id) is None
    stored = await desk.idempotency_keys.get(first.organization_id, "key")
    assert stored
    assert stored.value == replace(key.record, record_id=first.id)
    announced = [each.party async for each in desk.announcements.intents.all()]
    assert inquiry_key(first) in announced
    assert inquiry_key(second) not in announced


class Unsure(MemoryTables):
    """Takes the first transaction of requests and does not say so."""

    def __init__(self) -> None:
        super().__init__()
        self.unsure = True

    async def write(self, table: str, partition: str, operations: Any) -> tuple[str | None, ...]:
        written = await super().write(table, partition, operations)
        if self.unsure and any(_is_inquiry(operation) for operation in operations):
            self.unsure = False
            raise StoreUnavailable("time-out")
        return written


def _is_inquiry(operation: Operation) -> bool:
    return "row" in dir(operation) and operation.row.key.startswith("q:")  # type: ignore[union-attr]


async def test_what_storage_took_without_saying_so_counts() -> None:
    desk, request_ = intake(Unsure()), taken("portal")
    assert await desk.take(request_, [], key_in("portal")) == request_
    assert await desk.inquiries.get(request_.organization_id, request_.id) == request_


@pytest.mark.parametrize(
    ("later", "same"), [(timedelta(days=7), True), (timedelta(days=7, seconds=1), False)]
)
async def test_a_key_counts_for_seven_days(later: timedelta, same: bool) -> None:
    """C5: then the same request is a new one."""
    service = service_on(MemoryTables(), MemoryMailService())
    await import_small_world(service.tables)

    async def submit(now: datetime) -> Response:
        headers = {"Idempotency-Key": "k"}
        return await ask(service, "web", submit_leads, inquiry("fabrikam"), now=now, headers=headers)

    first, second = await submit(NOW), await submit(NOW + later)
    assert (first.body == second.body) == same


async def test_fifty_leads_with_the_longest_notes_in_korean_fit_and_can_be_accepted() -> None:
    """C6: 8,000 characters, whatever their script."""
    service = service_on(MemoryTables(), MemoryMailService())
    await import_small_world(service.tables)
    places = [{"organizationId": "fabrikam"}, {"organizationId": "contoso"}, {"organizationId": "northwind"}]
    body = {**inquiry(), "recipients": places, "details": {"notes": "가" * 8000}}
    answer = await ask(service, "web", submit_leads, body, now=NOW)
    assert answer.status == 201
    own = answer.body["recipients"][0]["referralId"]
    party = ReferralKey(organization_id=OrganizationId("fabrikam"), referral_id=ReferralId(own))
    stored = await service.referrals.get(party)
    assert stored
    fifty = [replace(stored.value, id=ReferralId(f"{own[:-2]}{number:02d}")) for number in range(50)]
    assert await service.intake.take(taken("portal", 9), fifty, None)
    accepted = step(stored.value, "accepted", context(name="Kim"), status="Active", notes="나" * 4000)
    await service.referrals.commit(accepted, stored)


class Sends(MemoryTables):
    """Remembers whether it was sent anything."""

    sent = False

    async def write(self, table: str, partition: str, operations: Any) -> tuple[str | None, ...]:
        self.sent = True
        return await super().write(table, partition, operations)


@pytest.mark.parametrize(
    ("leads", "letters", "taken_in"),
    [(1, 14_600, False), (1, 14_000, True), (40, 14_000, True), (50, 14_000, False)],
    ids=["one too long", "one", "many", "together too long"],
)
async def test_leads_that_take_too_much_are_refused_before_anything_is_sent(
    leads: int, letters: int, taken_in: bool
) -> None:
    """R2, R4: each leaves its reader room to answer, and all of them fit into one transaction."""
    tables = Sends()
    inquiries, request_ = Inquiries(tables), taken("portal")
    words = InviteContext(notes="서" * letters)
    wanted = [replace(lead("portal", number), invite_context=words) for number in range(leads)]
    work = work_of(inquiry_key(request_).referral_id, "000001", request_.operation_id, (Deliver(),))
    try:
        await inquiries.insert(request_, wanted, work, None)
    except RecordTooLarge:
        assert not tables.sent
    assert tables.sent == taken_in

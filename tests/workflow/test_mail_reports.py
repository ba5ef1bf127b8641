"""Delivery reports: kept with the mail, told once where it matters, whoever reports what how often (M6)."""

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.ids import OrganizationId, ReferralId, operation_within
from shared.domain.referral import ReferralKey
from shared.storage.mail import MailRecord
from shared.storage.memory_tables import MemoryTables
from shared.wiring import Service
from shared.workflow.mail_reports import DeliveryReport
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import service_on
from tests.examples.referrals import NOW, begun, referral

READER = referral(id=ReferralId("0199f3a2-7c41-7b1e-8f7a-2f6f0c9d1e55"))
MAIL = MailRecord(
    referral_id=READER.id,
    key="000001:invitee:own:00",
    operation_id=operation_within(READER.id, "mail", "000001:invitee:own:00"),
    message="invited",
    reader=READER.key,
    recipients=("kim@fabrikam.com", "Lee@fabrikam.com"),
    subject="s",
    text="t",
    html="h",
    planned_at=NOW,
    state="accepted",
)


async def desk(mail: MailRecord = MAIL) -> Service:
    """The service, with a referral and a mail about it that was taken."""
    service = service_on(MemoryTables(), MemoryMailService())
    await service.referrals.commit(begun(READER), None)
    await service.reports.records.insert([mail])
    return service


def report(status: Any, recipient: str = "kim@fabrikam.com", **fields: Any) -> DeliveryReport:
    values = {"operation_id": MAIL.operation_id, "recipient": recipient, "status": status}
    return DeliveryReport(**(values | fields))


async def state(service: Service) -> MailRecord:
    stored = await service.reports.records.get_by_operation(MAIL.operation_id)
    assert stored
    return stored.value


async def failures(service: Service) -> list[tuple[str | None, dict[str, str]]]:
    entries = await service.referrals.entries(READER.key)
    return [(entry.reason, dict(entry.details)) for entry in entries if entry.kind == "mailFailed"]


async def test_a_mail_is_delivered_once_everybody_has_it() -> None:
    service = await desk()
    assert await service.reports.take(report("Delivered"), NOW)
    assert (await state(service)).state == "accepted"
    assert await service.reports.take(report("Expanded", "LEE@fabrikam.com"), NOW)
    assert (await state(service)).state == "delivered"
    assert await failures(service) == []


@pytest.mark.parametrize("status", ["Bounced", "Failed", "FilteredSpam", "Quarantined", "Suppressed"])
async def test_that_a_mail_did_not_arrive_is_told_once_to_whom_and_why(status: Any) -> None:
    service = await desk()
    for _ in range(2):
        await service.reports.take(report(status, "lee@fabrikam.com", detail="550 no such user"), NOW)
    assert (await state(service)).state == "bounced"
    details = {"message": "invited", "to": "lee@fabrikam.com", "detail": "550 no such user"}
    assert await failures(service) == [(status, details)]


async def test_a_failure_is_the_last_word_in_whatever_order_reports_come() -> None:
    service = await desk()
    for each in ("Delivered", "Bounced", "Delivered"):
        await service.reports.take(report(each), NOW)
    kept = await state(service)
    assert (kept.state, kept.reports) == ("bounced", {"kim@fabrikam.com": "Bounced"})


async def test_a_report_moves_no_etag_and_opens_no_work() -> None:
    service = await desk()
    before = await service.referrals.get(READER.key)
    await service.reports.take(report("Bounced"), NOW)
    after = await service.referrals.get(READER.key)
    assert before
    assert after
    assert after.value.version == before.value.version
    assert await service.referrals.work(READER.key) == []


async def test_a_customers_address_is_not_told() -> None:
    """N3, V1, M6: after a decline the company does not see its contacts any more, nor what a server quotes."""
    service = await desk(replace(MAIL, private_of="customer", message="customerDeclined"))
    words = "550 5.1.1 <kim@fabrikam.com>: user unknown"
    await service.reports.take(report("Bounced", detail=words), NOW)
    assert await failures(service) == [("Bounced", {"message": "customerDeclined", "to": "customer"})]


async def test_what_the_review_team_did_not_get_is_not_its_partners_to_know(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """M6, G5: that a review was escalated is Microsoft's own, and those who keep the service are told."""
    service = await desk(replace(MAIL, private_of="reviewTeam", message="registrationEscalated"))
    await service.reports.take(report("Bounced"), NOW)
    assert await failures(service) == []
    assert (await state(service)).state == "bounced"
    assert f"mail_of_reviewers_failed operation={MAIL.operation_id} reason=Bounced" in caplog.text


async def test_it_is_told_where_the_readers_are_not_where_it_happened() -> None:
    """V1: whoever declined learns no address of the inviter's."""
    inviters = ReferralKey(organization_id=OrganizationId("contoso"), referral_id=READER.creator.referral_id)
    service = await desk(replace(MAIL, reader=inviters))
    creator = referral(id=inviters.referral_id, organization_id=inviters.organization_id)
    await service.referrals.commit(begun(creator), None)
    await service.reports.take(report("Bounced"), NOW)
    assert await failures(service) == []
    assert [entry.kind for entry in await service.referrals.entries(inviters)] == ["received", "mailFailed"]


@pytest.mark.parametrize(
    "strange",
    [report("Bounced", operation_id="unknown"), report("Bounced", "somebody@else.example")],
    ids=["operation", "recipient"],
)
async def test_a_report_of_no_mail_of_ours_is_passed_by(strange: DeliveryReport) -> None:
    service = await desk()
    assert not await service.reports.take(strange, NOW)
    assert (await state(service)).reports == {}
    assert await failures(service) == []

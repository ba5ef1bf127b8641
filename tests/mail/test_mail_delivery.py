"""One mail at a time: never lost, never sent twice where that can be known, and given up only in the end (M6)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.ids import OperationId, OrganizationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.errors import MailPaused, MailRefused, MailServiceDown, MailUnavailable
from shared.mail.delivery import GIVE_UP_AFTER, Delivery
from shared.mail.gate import SPREAD, MailGate
from shared.storage.mail import MailRecord, MailRecords
from shared.storage.memory_tables import MemoryTables
from tests.doubles.mail_service import MemoryMailService
from tests.examples.referrals import NOW

WALL = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECORD = MailRecord(
    referral_id=ReferralId("r"),
    key="000001:invitee:own:en",
    operation_id=OperationId("00000000-0000-5000-8000-000000000001"),
    message="invited",
    reader=ReferralKey(organization_id=OrganizationId("fabrikam"), referral_id=ReferralId("r")),
    recipients=("kim@fabrikam.com",),
    subject="s",
    text="t",
    html="h",
    planned_at=NOW,
)


class Moody(MemoryMailService):
    """Raises what it was told to, once each, before or after it takes the mail."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.bad_address = ""
        self.away = False
        self.questions = 0
        self.meanwhile: Callable[[], Exception] | None = None

    async def knows(self, record: MailRecord) -> bool:
        self.questions += 1
        if self.away:
            raise MailServiceDown("away")
        return await super().knows(record)

    async def send(self, record: MailRecord, now: datetime) -> None:
        if self.meanwhile:
            raise self.meanwhile()
        if self.before:
            raise self.before.pop(0)
        if self.away:
            raise MailServiceDown("away")
        if self.bad_address in record.recipients:
            raise MailRefused("InvalidRecipient")
        await super().send(record, now)
        if self.after:
            raise self.after.pop(0)


class Desk:
    """A delivery with its record planned."""

    def __init__(self, lease: timedelta = timedelta()) -> None:
        self.wall = WALL
        self.records = MailRecords(MemoryTables())
        self.service = Moody()
        self.delivery = Delivery(
            records=self.records,
            service=self.service,
            gate=MailGate(self.records),
            wall_clock=lambda: self.wall,
            lease=lease,
        )

    async def attempt(
        self, now: datetime = NOW, record: MailRecord = RECORD, *, pointless: bool = False
    ) -> MailRecord:
        if await self.records.get(record.referral_id, record.key) is None:
            await self.records.plan([record])
        stored = await self.records.get(record.referral_id, record.key)
        assert stored
        return await self.delivery.attempt(stored, now, pointless=pointless)

    async def state(self) -> MailRecord:
        stored = await self.records.get(RECORD.referral_id, RECORD.key)
        assert stored
        return stored.value


async def test_a_mail_that_is_taken_is_handed_over_once_however_often_it_is_tried() -> None:
    desk = Desk()
    for _ in range(3):
        assert (await desk.attempt()).state == "accepted"
    assert desk.service.attempts.total() == 1


async def test_a_mail_that_was_taken_without_our_knowing_is_not_sent_again() -> None:
    desk = Desk()
    desk.service.after = [MailUnavailable("connection lost")]
    with pytest.raises(MailUnavailable):
        await desk.attempt()
    assert (await desk.state()).state == "sending"
    assert (await desk.attempt()).state == "accepted"
    assert desk.service.attempts.total() == 1


async def test_a_mail_that_was_not_taken_is_sent_again_as_the_same_operation() -> None:
    desk = Desk()
    desk.service.before = [MailUnavailable("away"), MailUnavailable("away")]
    for _ in range(2):
        with pytest.raises(MailUnavailable):
            await desk.attempt()
    accepted = await desk.attempt()
    assert (accepted.state, accepted.attempts, accepted.first_sent_at) == ("accepted", 3, WALL)
    assert list(desk.service.taken) == [RECORD.operation_id]


async def test_another_attempts_lease_is_respected_until_it_is_over() -> None:
    desk = Desk(lease=timedelta(minutes=2))
    desk.service.before = [MailUnavailable("away")]
    with pytest.raises(MailUnavailable):
        await desk.attempt()
    desk.wall += timedelta(seconds=90)
    with pytest.raises(MailUnavailable) as later:
        await desk.attempt()
    assert later.value.retry_after == timedelta(seconds=30)
    desk.wall += timedelta(seconds=30)
    assert (await desk.attempt()).state == "accepted"


async def test_a_pause_that_the_service_asks_for_holds_for_every_mail() -> None:
    desk = Desk()
    desk.service.before = [MailUnavailable("429", retry_after=timedelta(minutes=7))]
    with pytest.raises(MailUnavailable):
        await desk.attempt()
    other = replace(RECORD, referral_id=ReferralId("other"), operation_id=OperationId("other"))
    with pytest.raises(MailPaused) as later:
        await desk.attempt(NOW + timedelta(minutes=5), other)
    assert timedelta(minutes=2) <= later.value.retry_after <= timedelta(minutes=2) + SPREAD
    assert desk.service.attempts.total() == 0
    assert (await desk.attempt(NOW + timedelta(minutes=7))).state == "accepted"
    assert (await desk.attempt(NOW + timedelta(minutes=7), other)).state == "accepted"


async def test_while_nobody_sends_the_service_is_not_asked_about_a_mail_either() -> None:
    desk = Desk()
    desk.service.before = [MailUnavailable("429", retry_after=timedelta(minutes=7))]
    with pytest.raises(MailUnavailable):
        await desk.attempt()
    assert (await desk.state()).state == "sending"
    with pytest.raises(MailPaused):
        await desk.attempt()
    assert desk.service.questions == 0


async def test_a_mail_that_was_never_tried_and_is_pointless_is_skipped_while_nobody_sends() -> None:
    desk = Desk()
    await desk.delivery.gate.failed(None, MailUnavailable("429", retry_after=timedelta(minutes=7)), NOW)
    assert (await desk.attempt(pointless=True)).state == "skipped"


async def test_a_pause_begins_when_the_call_that_causes_it_ends() -> None:
    desk = Desk()

    def hang() -> Exception:
        desk.wall += timedelta(seconds=20)
        return MailServiceDown("no answer")

    desk.service.meanwhile = hang
    for number in range(3):
        with pytest.raises(MailServiceDown):
            await desk.attempt(record=replace(RECORD, referral_id=ReferralId(f"r{number}")))
    gate = await desk.records.gate()
    assert gate
    assert gate.value.until == NOW + timedelta(seconds=20 + 30)


async def test_a_mail_that_is_refused_for_good_is_not_tried_again() -> None:
    desk = Desk()
    desk.service.before = [MailRefused("InvalidRecipient")]
    for _ in range(2):
        refused = await desk.attempt()
        assert (refused.state, refused.reason) == ("refused", "InvalidRecipient")
    assert desk.service.attempts.total() == 0


@pytest.mark.parametrize(
    ("age", "given_up"), [(GIVE_UP_AFTER - timedelta(seconds=1), False), (GIVE_UP_AFTER, True)]
)
async def test_after_seven_days_a_mail_counts_as_refused(age: timedelta, given_up: bool) -> None:
    desk = Desk()
    desk.service.before = [MailUnavailable("away")]
    if not given_up:
        with pytest.raises(MailUnavailable):
            await desk.attempt(NOW + age)
        return
    assert (await desk.attempt(NOW + age)).state == "refused"


async def test_a_mail_is_given_up_after_seven_days_although_its_service_never_answered_again() -> None:
    desk = Desk()
    desk.service.away = True
    for hours in (0, 24, 167):
        with pytest.raises(MailUnavailable):
            await desk.attempt(NOW + timedelta(hours=hours))
    given_up = await desk.attempt(NOW + GIVE_UP_AFTER)
    assert (given_up.state, given_up.reason) == ("refused", "notAcceptedWithinSevenDays")
    assert (await desk.state()).state == "refused"


async def test_a_mail_that_became_pointless_while_the_service_was_away_is_skipped() -> None:
    desk = Desk()
    desk.service.before = [MailUnavailable("away")]
    with pytest.raises(MailUnavailable):
        await desk.attempt()
    skipped = await desk.attempt(NOW + timedelta(hours=6), pointless=True)
    assert (skipped.state, skipped.reason) == ("skipped", "pointless")
    assert not desk.service.taken


async def test_a_mail_that_was_taken_counts_as_such_however_pointless_it_became() -> None:
    desk = Desk()
    desk.service.after = [MailUnavailable("connection lost")]
    with pytest.raises(MailUnavailable):
        await desk.attempt()
    assert (await desk.attempt(pointless=True)).state == "accepted"


async def test_one_bad_address_keeps_nobody_elses_mail_away() -> None:
    desk = Desk()
    desk.service.bad_address = "gone@fabrikam.com"
    together = replace(RECORD, recipients=("kim@fabrikam.com", "gone@fabrikam.com", "lee@fabrikam.com"))
    assert (await desk.attempt(record=together)).state == "split"
    parts = await desk.records.list_for_message(RECORD.referral_id, f"{RECORD.key}:")
    after = [await desk.delivery.attempt(part, NOW, pointless=False) for part in parts]
    assert {part.recipients: part.state for part in after} == {
        ("kim@fabrikam.com",): "accepted",
        ("gone@fabrikam.com",): "refused",
        ("lee@fabrikam.com",): "accepted",
    }
    assert len({part.operation_id for part in (*after, together)}) == 4


async def test_a_mail_is_found_by_its_operation_once_it_may_be_sent() -> None:
    desk = Desk()
    assert await desk.records.get_by_operation(RECORD.operation_id) is None
    await desk.attempt()
    found = await desk.records.get_by_operation(RECORD.operation_id)
    assert found
    assert found.value.key == RECORD.key

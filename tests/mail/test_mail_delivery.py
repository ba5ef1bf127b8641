"""One mail at a time: never lost, never sent twice where that can be known, and given up only in the end (M6)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.ids import OrganizationId, ReferralId, operation_within
from shared.domain.referral import ReferralKey
from shared.errors import MailPaused, MailRefused, MailServiceDown, MailUnavailable, StoreConflict
from shared.mail.daily_limit import DailyLimit
from shared.mail.delivery import GIVE_UP_AFTER, Delivery
from shared.mail.gate import FAILURES, FIRST_PAUSE, SPREAD, MailGate
from shared.storage.mail import MailRecord, MailRecords
from shared.storage.mailboxes import Mailboxes
from shared.storage.memory_tables import MemoryTables
from tests.doubles.mail_service import MemoryMailService
from tests.examples.referrals import NOW

WALL = datetime(2026, 11, 21, 12, tzinfo=UTC)
ID = ReferralId("0199f3a2-7c41-7b1e-8f7a-2f6f0c9d1e55")
KEY = "000001:invitee:own:00"


def about(referral_id: ReferralId) -> dict[str, Any]:
    """What ties a mail to its referral."""
    operation_id = operation_within(referral_id, "mail", KEY)
    reader = ReferralKey(organization_id=OrganizationId("fabrikam"), referral_id=referral_id)
    return {"referral_id": referral_id, "operation_id": operation_id, "reader": reader}


RECORD = MailRecord(
    **about(ID),
    key=KEY,
    message="invited",
    recipients=("kim@fabrikam.com",),
    subject="s",
    text="t",
    html="h",
    planned_at=NOW,
)


def another(number: int) -> ReferralId:
    """The id of another referral."""
    return ReferralId(f"0199f3a2-7c41-7{number:03x}-8f7a-2f6f0c9d1e55")


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
        tables = MemoryTables()
        self.records = MailRecords(tables)
        self.service = Moody()
        self.delivery = Delivery(
            records=self.records,
            service=self.service,
            gate=MailGate(self.records, lambda: self.wall),
            limit=DailyLimit(Mailboxes(tables), 0),
            wall_clock=lambda: self.wall,
            lease=lease,
        )

    async def attempt(
        self, now: datetime = NOW, record: MailRecord = RECORD, *, pointless: bool = False
    ) -> MailRecord:
        if await self.records.get(record.referral_id, record.key) is None:
            await self.records.insert([record])
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
    other = replace(RECORD, **about(another(1)))
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
            await desk.attempt(record=replace(RECORD, **about(another(number))))
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


LANGUAGES = ("00", "01", "02")


def message() -> list[MailRecord]:
    """The mails of a message to people of three languages."""
    return [
        replace(
            RECORD, key=f"{KEY[:-2]}{group}", operation_id=operation_within(ID, group), recipients=(group,)
        )
        for group in LANGUAGES
    ]


async def states(desk: Desk) -> list[str]:
    return [stored.value.state for stored in await desk.records.list_for_referral(ID)]


async def test_the_first_mail_of_a_message_is_inserted_as_being_sent_and_none_that_is_not_tried_yet() -> None:
    desk = Desk(lease=timedelta(minutes=2))
    attempts = await desk.delivery.insert(message(), NOW)
    assert await states(desk) == ["sending", "planned", "planned"]
    first, *_ = await desk.records.list_for_referral(ID)
    assert first.value.lease_until == WALL + timedelta(minutes=2)
    assert (first.value.first_sent_at, first.value.attempts) == (WALL, 1)
    assert [(await attempt()).state for attempt in attempts] == ["accepted"] * 3
    assert set(desk.service.attempts.values()) == {1}


async def test_a_message_of_which_only_one_mail_was_tried_goes_on_at_once() -> None:
    """The others have no lease that would have to be waited for, and nobody asks the service about them."""
    desk = Desk(lease=timedelta(minutes=2))
    first, *_ = await desk.delivery.insert(message(), NOW)
    await first()
    for stored in (await desk.records.list_for_referral(ID))[1:]:
        assert (await desk.delivery.attempt(stored, NOW, pointless=False)).state == "accepted"
    assert desk.service.questions == 0


async def test_while_nobody_sends_a_message_is_inserted_as_planned() -> None:
    desk = Desk()
    await desk.delivery.gate.failed(None, MailUnavailable("429", retry_after=timedelta(minutes=7)), NOW)
    attempts = await desk.delivery.insert(message(), NOW)
    for attempt in attempts:
        with pytest.raises(MailPaused):
            await attempt()
    assert await states(desk) == ["planned"] * 3
    assert (desk.service.attempts.total(), desk.service.questions) == (0, 0)


async def test_a_message_that_was_inserted_before_is_inserted_no_more() -> None:
    desk = Desk()
    await desk.delivery.insert(message(), NOW)
    with pytest.raises(StoreConflict):
        await desk.delivery.insert(message()[:1], NOW)


async def test_who_dies_after_inserting_leaves_a_mail_that_is_sent_once_its_lease_is_over() -> None:
    desk = Desk(lease=timedelta(minutes=2))
    await desk.delivery.insert([RECORD], NOW)
    with pytest.raises(MailUnavailable, match="Another attempt"):
        await desk.attempt()
    desk.wall += timedelta(minutes=2)
    assert (await desk.attempt()).state == "accepted"
    assert desk.service.questions == 1, "the one who died may have sent it"


async def test_who_dies_before_recording_that_a_mail_was_taken_leaves_it_to_a_question() -> None:
    desk = Desk()
    desk.service.after = [RuntimeError("the process is gone")]
    (attempt,) = await desk.delivery.insert([RECORD], NOW)
    with pytest.raises(RuntimeError):
        await attempt()
    assert (await desk.attempt()).state == "accepted"
    assert desk.service.attempts.total() == 1


async def test_a_new_mail_that_goes_first_after_an_outage_opens_the_gate() -> None:
    desk = Desk()
    for _ in range(FAILURES):
        await desk.delivery.gate.failed(None, MailServiceDown("away"), NOW)
    (attempt,) = await desk.delivery.insert([RECORD], NOW + FIRST_PAUSE)
    gate = await desk.records.gate()
    assert gate
    assert not gate.value.open
    await attempt()
    gate = await desk.records.gate()
    assert gate
    assert gate.value.open


async def test_a_new_mail_that_fails_for_all_counts_towards_closing_the_gate() -> None:
    desk = Desk()
    desk.service.away = True
    for number in range(FAILURES):
        record = replace(RECORD, **about(another(number)))
        (attempt,) = await desk.delivery.insert([record], NOW)
        with pytest.raises(MailServiceDown):
            await attempt()
    with pytest.raises(MailPaused):
        await desk.delivery.gate.enter(NOW)


async def test_a_new_mail_to_a_bad_address_is_split_and_its_parts_are_found_by_their_operations() -> None:
    desk = Desk()
    desk.service.bad_address = "gone@fabrikam.com"
    together = replace(RECORD, recipients=("kim@fabrikam.com", "gone@fabrikam.com"))
    (attempt,) = await desk.delivery.insert([together], NOW)
    assert (await attempt()).state == "split"
    parts = await desk.records.list_for_message(ID, f"{KEY}:")
    assert [part.value.state for part in parts] == ["planned", "planned"]
    for part in parts:
        found = await desk.records.get_by_operation(part.value.operation_id)
        assert found == part


async def test_a_report_that_comes_before_the_service_has_answered_is_not_overwritten() -> None:
    desk = Desk()

    async def report_first(record: MailRecord, now: datetime) -> None:
        stored = await desk.records.get_by_operation(record.operation_id)
        assert stored
        await desk.records.save(
            replace(stored.value, state="delivered", reports={record.recipients[0]: "Delivered"}), stored.etag
        )

    desk.service.send = report_first  # type: ignore[method-assign]
    (attempt,) = await desk.delivery.insert([RECORD], NOW)
    with pytest.raises(StoreConflict):
        await attempt()
    assert (await desk.attempt()).state == "delivered"

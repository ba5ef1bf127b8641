"""Whom no mail told of what it let expire: the inviter's timeline and mail say so, and agree (M8)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.referrals.transitions import accept_referral
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.errors import MailUnavailable
from shared.storage.codec import Stored
from shared.storage.mail import MailRecord
from shared.workflow.mail_reports import DeliveryReport
from tests.doubles.dying_handlers import with_dying_handlers
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.played_leads import PlayedLeads
from tests.doubles.small_world import WORLD, inquiry
from tests.examples.referrals import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIA, RAE = "nia@northwindtraders.com", "rae@contoso.com"
UNANSWERED = "Northwind Traders did not answer your invitation to the deal “Relecloud ERP”"
UNTOLD = "Northwind Traders could not be told of your invitation to the deal “Relecloud ERP”"
WHOSE = {"organizationId": "northwind", "organizationName": "Northwind Traders"}


async def passes(played: PlayedDeal, time: timedelta, step: timedelta = HOUR) -> None:
    """Let time pass, and each orchestration do what becomes due."""
    end = played.now + time
    while played.now < end:
        played.now += step
        await played.follow("contoso", "northwind")


async def begun() -> PlayedDeal:
    """A deal to which Northwind is invited, and nobody has done its work yet: its handlers die."""
    played = PlayedDeal(NOW)
    played.service = with_dying_handlers(played.service)
    await played.begin()
    return played


async def said(played: PlayedDeal) -> list[dict[str, str]]:
    """What the creator's timeline says of those who were never told."""
    entries = await played.service.referrals.entries(await played.party("contoso"))
    return [dict(entry.details) for entry in entries if entry.kind == "neverNotified"]


def mails_of_expiry(played: PlayedDeal) -> list[tuple[str, str]]:
    mails = [mail for mail in played.mail.taken.values() if mail.message == "expired"]
    return [(", ".join(mail.recipients), mail.subject) for mail in mails]


def messages(mail: MemoryMailService) -> list[str]:
    return [record.message for record in mail.taken.values()]


async def reported(played: PlayedDeal, status: Any, *messages: str) -> None:
    """The mail service reports the same of all mails of these messages."""
    for mail in list(played.mail.taken.values()):
        if mail.message in messages:
            report = DeliveryReport(
                operation_id=mail.operation_id, recipient=mail.recipients[0], status=status
            )
            assert await played.service.reports.take(report, played.now)


async def test_an_invitation_that_was_mailed_and_not_answered_is_not_said_to_be_untold() -> None:
    played = await begun()
    await passes(played, 15 * DAY)
    assert await said(played) == []
    assert mails_of_expiry(played) == [(RAE, UNANSWERED)]


async def test_a_mail_service_that_is_away_for_the_whole_window_is_told_of_once_it_is_back() -> None:
    played = await begun()
    played.mail.away = True
    await passes(played, 14 * DAY)
    assert (await played.record("northwind")).state == "Closed/Expired"
    assert await played.kinds("contoso") == ["created", "partyChanged"], "the expiry waits for no mail"
    played.mail.away = False
    await passes(played, 2 * HOUR)
    assert await said(played) == [WHOSE]
    assert mails_of_expiry(played) == [(RAE, UNTOLD)]
    assert messages(played.mail) == ["expired"], "nothing of the invitation goes out after its expiry"


async def test_a_mail_service_that_stays_away_is_waited_for_no_longer_than_for_any_mail() -> None:
    """M6: seven days after the last reminder was planned it counts as refused."""
    played = await begun()
    played.mail.away = True
    await passes(played, 17 * DAY)
    assert await said(played) == []
    await passes(played, 2 * DAY)
    assert await said(played) == [WHOSE]


async def test_refused_addresses_are_told_to_the_inviter_without_any_of_them() -> None:
    """V1: the invitee's timeline has address and reason (M6), the inviter reads neither."""
    played = await begun()
    played.mail.refuses = {NIA}
    await passes(played, 15 * DAY)
    assert await said(played) == [WHOSE]
    (mail,) = [each for each in played.mail.taken.values() if each.message == "expired"]
    for part in (mail.text, mail.html):
        assert NIA not in part
        assert "InvalidRecipient" not in part
    assert "mailFailed" in await played.kinds("northwind")


async def test_work_that_never_ran_before_the_deadline_told_nobody() -> None:
    """Whatever the engine did for two weeks."""
    played = await begun()
    await passes(played, 15 * DAY, step=15 * DAY)
    assert await said(played) == [WHOSE]
    assert mails_of_expiry(played) == [(RAE, UNTOLD)]
    assert messages(played.mail) == ["expired"]


async def test_an_expiry_that_a_late_command_makes_says_the_same() -> None:
    """L4."""
    played = await begun()
    played.now += 14 * DAY
    assert (await played.ask("nia", "northwind", accept_referral)).status == 409
    await played.follow("contoso", "northwind")
    assert await said(played) == [WHOSE]
    assert mails_of_expiry(played) == [(RAE, UNTOLD)]
    assert messages(played.mail) == ["expired"]


async def test_a_reminder_that_arrived_told_of_the_invitation_too() -> None:
    played = await begun()
    played.mail.away = True
    await passes(played, 10 * DAY)
    played.mail.away = False
    await passes(played, 5 * DAY)
    assert messages(played.mail) == ["reminder", "expired"]
    assert await said(played) == []
    assert mails_of_expiry(played) == [(RAE, UNANSWERED)]


async def test_where_one_mail_arrived_nobody_asks_what_became_of_another() -> None:
    """The mail about the expiry is written at once, as of any other."""
    played = await begun()
    await passes(played, 10 * DAY)
    played.mail.away = True
    await passes(played, 4 * DAY)
    party = await played.party("northwind")
    records = await played.service.reports.records.list_for_referral(party.referral_id)
    states = [(stored.value.message, stored.value.state) for stored in records]
    assert ("reminder", "sending") in states
    assert {"planned", "sending"}.intersection(state for message, state in states if message == "expired")
    assert await said(played) == []


async def test_a_mail_that_was_taken_without_our_knowing_told_of_it() -> None:
    """The service is asked before anything is said, though the mail's own turn comes later."""
    played = await begun()
    await played.follow("contoso")
    send = played.mail.send

    async def taken_and_lost(record: MailRecord, now: datetime) -> None:
        await send(record, now)
        raise MailUnavailable("connection lost")

    played.now += 14 * DAY - timedelta(seconds=30)
    played.mail.send = taken_and_lost  # type: ignore[method-assign]
    await played.follow("northwind")
    played.mail.send = send  # type: ignore[method-assign]
    party = await played.party("northwind")
    records = await played.service.reports.records.list_for_referral(party.referral_id)
    assert {stored.value.state for stored in records} == {"sending"}
    played.now += timedelta(seconds=30)
    await played.follow("contoso", "northwind")
    assert await said(played) == []
    assert mails_of_expiry(played) == [(RAE, UNANSWERED)]


@pytest.mark.parametrize(
    ("status", "untold"), [("Delivered", False), ("Bounced", True), ("Suppressed", True)]
)
async def test_mails_that_all_came_back_told_nobody(status: str, untold: bool) -> None:
    played = await begun()
    await passes(played, 13 * DAY)
    await reported(played, status, "invited", "reminder")
    await passes(played, 2 * DAY)
    assert await said(played) == ([WHOSE] if untold else [])
    assert mails_of_expiry(played) == [(RAE, UNTOLD if untold else UNANSWERED)]


async def test_one_mail_of_several_that_did_not_come_back_told_of_it() -> None:
    played = await begun()
    await passes(played, 13 * DAY)
    await reported(played, "Bounced", "invited")
    await passes(played, 2 * DAY)
    assert await said(played) == []


async def test_a_report_that_comes_after_the_mail_about_the_expiry_was_written_changes_nothing() -> None:
    """What was said is said: the mail is written, though it waits for its service."""
    played = await begun()
    await passes(played, 13 * DAY)
    played.mail.away = True
    await passes(played, 1 * DAY)
    await reported(played, "Bounced", "invited", "reminder")
    await passes(played, 1 * DAY)
    played.mail.away = False
    await passes(played, 2 * HOUR)
    assert await said(played) == []
    assert mails_of_expiry(played) == [(RAE, UNANSWERED)]


async def switch_mail_off(played: PlayedDeal, of: str) -> None:
    """The people of an organization want no mail any more (M5)."""
    document = WORLD.model_dump(mode="json", by_alias=True)
    for organization in document["organizations"]:
        for person in organization["people"]:
            person["global"] = person.pop("everywhere", person.get("global"))
            person["disableNotifications"] = organization["id"] == of
    await import_directory(played.service.tables, DirectoryDocument.model_validate(document))


async def test_that_people_switched_their_mail_off_is_not_told() -> None:
    """M5, V1: nothing failed, and how an organization reads its referrals is its own."""
    played = await begun()
    await switch_mail_off(played, "northwind")
    await passes(played, 15 * DAY)
    assert await said(played) == []
    assert mails_of_expiry(played) == [(RAE, UNANSWERED)]


async def test_what_is_said_is_said_once_however_often_the_work_is_done() -> None:
    """An activity runs at least once: its first run may have got as far as the timeline."""
    played = await begun()
    played.now += 14 * DAY
    records = played.service.follow_ups.performer.notices.records
    insert = records.insert

    async def dies(mails: Sequence[MailRecord]) -> list[Stored[MailRecord]]:
        if any(mail.message == "expired" for mail in mails):
            raise RuntimeError("the process is gone")
        return await insert(mails)

    records.insert = dies  # type: ignore[method-assign]
    assert (await played.ask("nia", "northwind", accept_referral)).status == 409
    with pytest.raises(RuntimeError):
        await played.follow("northwind")
    assert await said(played) == [WHOSE]
    records.insert = insert  # type: ignore[method-assign]
    await played.follow("northwind")
    assert await said(played) == [WHOSE]
    assert mails_of_expiry(played) == [(RAE, UNTOLD)]


async def test_an_inviter_without_mail_reads_it_in_the_timeline() -> None:
    played = await begun()
    await switch_mail_off(played, "contoso")
    await passes(played, 15 * DAY, step=15 * DAY)
    assert await said(played) == [WHOSE]
    assert mails_of_expiry(played) == []


async def test_the_invitee_reads_nothing_of_it_in_its_own_timeline() -> None:
    played = await begun()
    await passes(played, 15 * DAY, step=15 * DAY)
    assert await played.kinds("northwind") == ["received", "expired"]


async def test_a_lead_that_nobody_was_told_of_says_so_to_its_company_and_not_to_the_customer() -> None:
    """R4: whoever asked reads what it always does; the company learns why nobody answered."""
    played = PlayedLeads(NOW)
    played.service = with_dying_handlers(played.service)
    await played.begin()
    lead = await played.lead(inquiry("contoso"))
    played.now += 14 * DAY
    await played.follow(lead)
    entries = await played.service.referrals.entries(lead)
    assert [entry.kind for entry in entries] == ["received", "expired", "neverNotified"]
    assert entries[-1].details == {"organizationId": "contoso", "organizationName": "Contoso"}
    mail: Any = played.service.follow_ups.performer.notices.delivery.service
    (told,) = mail.taken.values()
    assert told.message == "customerExpired"
    assert "deliver" not in told.text


async def test_a_lead_whose_company_was_told_says_nothing() -> None:
    played = PlayedLeads(NOW)
    await played.begin()
    lead = await played.lead(inquiry("contoso"))
    await played.follow(lead)
    played.now += 14 * DAY
    await played.follow(lead)
    assert [e.kind for e in await played.service.referrals.entries(lead)] == ["received", "expired"]

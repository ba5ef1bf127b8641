"""The orchestration `referral_lifecycle` on the real SDK, day by day in virtual time (L1 to L4, M1 to M3)."""

from datetime import timedelta

import pytest

from shared import clock
from shared.admin.check import ask_for_restarts, ask_to_wake, unfinished
from tests.orchestrations.conftest import Story

INVITED = ("nia@northwindtraders.com", "Contoso invites you to the deal “Relecloud ERP”")
FIRST_REMINDER = (
    "nia@northwindtraders.com",
    "Reminder: Contoso waits for your answer to the deal “Relecloud ERP”",
)
LAST_REMINDER = (
    "nia@northwindtraders.com",
    "Last reminder: Contoso waits for your answer to the deal “Relecloud ERP”",
)
EXPIRED = ("rae@contoso.com", "Northwind Traders did not answer your invitation to the deal “Relecloud ERP”")
TOLD = {
    "accept": "Northwind Traders accepted your invitation to the deal “Relecloud ERP”",
    "decline": "Northwind Traders declined your invitation to the deal “Relecloud ERP”",
}
ENDS_IN = {"accept": "Active/Accepted", "decline": "Closed/Declined"}
COURSE = {0: [INVITED], 1: [FIRST_REMINDER], 11: [LAST_REMINDER], 14: [EXPIRED]}


async def test_fourteen_silent_days_bring_two_reminders_and_the_expiry(story: Story) -> None:
    for day in range(15):
        if day:
            await story.advance("P1D")
        assert (day, story.new_mails()) == (day, COURSE.get(day, []))
        assert await story.state() == ("Closed/Expired" if day == 14 else "New/Pending")
    assert await story.status(story.invited_id) == "Completed"
    assert await story.status(story.deal_id) is None, "the creator waits for nobody"
    await story.advance("P30D")
    assert story.new_mails() == []


@pytest.mark.parametrize("verb", ["accept", "decline"])
@pytest.mark.parametrize("day", range(14))
async def test_an_answer_on_any_day_is_told_at_once_and_ends_the_reminders(
    story: Story, day: int, verb: str
) -> None:
    if day:
        await story.advance(f"P{day}D")
    story.new_mails()
    assert await story.answer(verb) == 200
    await story.advance("PT0S")
    assert story.new_mails() == [("rae@contoso.com", TOLD[verb])]
    assert (await story.state(), await story.status(story.invited_id)) == (ENDS_IN[verb], "Completed")
    await story.advance("P30D")
    assert (await story.state(), await story.status(story.invited_id)) == (ENDS_IN[verb], "Completed")
    assert story.new_mails() == []


async def test_a_command_after_the_deadline_makes_the_expiry_itself_however_late_the_engine_is(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await story.advance("P13D")
    story.new_mails()
    monkeypatch.setattr("shared.clock._offset", lambda: timedelta(days=15))
    assert await story.answer("accept") == 409
    assert await story.state() == "Closed/Expired"


async def test_waking_too_often_changes_nothing(story: Story) -> None:
    story.new_mails()
    for _ in range(4):
        await story.engine.raise_event(story.invited_id, "changed")
    await story.advance("PT0S")
    assert story.new_mails() == []
    assert (await story.state(), await story.status(story.invited_id)) == ("New/Pending", "Running")


async def test_an_orchestration_of_a_record_that_does_not_exist_ends(story: Story) -> None:
    argument = {"organizationId": "northwind", "referralId": "unknown"}
    assert await story.engine.start("referral_lifecycle", "unknown", argument)
    await story.advance("PT0S")
    assert await story.status("unknown") == "Completed"


async def test_starting_what_runs_and_raising_to_what_has_finished_are_told_apart(story: Story) -> None:
    argument = {"organizationId": "northwind", "referralId": story.invited_id}
    assert not await story.engine.start("referral_lifecycle", story.invited_id, argument)
    assert await story.engine.raise_event(story.invited_id, "changed")
    assert not await story.engine.raise_event("nobody", "changed")
    assert await story.answer("decline") == 200
    await story.advance("PT0S")
    assert not await story.engine.raise_event(story.invited_id, "changed")


@pytest.mark.parametrize("state", ["waits", "was lost"])
async def test_one_that_an_operator_wakes_moves_and_is_not_ended(
    story: Story, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever waits for people or the clock has nothing to do but to begin a turn."""
    parties = await unfinished(story.tables)
    if state == "was lost":
        await story.engine.terminate(story.invited_id, "lost")
    await ask_to_wake(story.tables, parties, clock.now())
    for _ in range(2):
        await story.advance("PT15S")
    assert {each.reason async for each in story.service.intents.all()} == {"moment"}
    assert "orchestration_dead" not in caplog.text
    assert await story.status(story.invited_id) == "Running"


async def test_one_that_an_operator_has_restarted_begins_once(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    await ask_for_restarts(story.tables, await unfinished(story.tables), clock.now())
    for _ in range(4):
        await story.advance("PT15S")
    assert {each.reason async for each in story.service.intents.all()} == {"moment"}
    assert "restart_waits" not in caplog.text
    assert await story.status(story.invited_id) == "Running"

"""What an orchestration does while no sweep runs, and what it leaves to it (L4, M2)."""

from datetime import timedelta
from itertools import pairwise

import pytest

from orchestrators.one_turn import LONGEST_TIMER, MAX_PAUSE
from shared.errors import StoreUnavailable
from shared.workflow.wake import backup_time
from tests.orchestrations.conftest import Looks, Story
from tests.orchestrations.test_referral_lifecycle import EXPIRED, INVITED, LAST_REMINDER

SECOND = timedelta(seconds=1)


async def test_fourteen_silent_days_bring_the_expiry_and_its_mail_without_any_sweep(
    story: Story, looks: Looks
) -> None:
    expires_at = (await story.referral()).expires_at
    assert expires_at
    look_at = backup_time(story.invited_id, expires_at)
    assert timedelta(minutes=5) <= look_at - expires_at <= timedelta(minutes=15)
    await story.advance_without_sweep_to(look_at - SECOND)
    assert (await story.state(), story.new_mails()) == ("New/Pending", [INVITED])
    assert looks.of(story.invited_id) == []
    await story.advance_without_sweep_to(look_at + SECOND)
    assert (await story.state(), story.new_mails()) == ("Closed/Expired", [EXPIRED])
    assert await story.status(story.invited_id) == "Completed"
    assert len(looks.of(story.invited_id)) == 1
    await story.advance_without_sweep("P30D")
    assert story.new_mails() == []


async def test_an_orchestration_waits_in_slices_of_five_days_without_an_activity(
    story: Story, looks: Looks
) -> None:
    expires_at = (await story.referral()).expires_at
    assert expires_at
    look_at = backup_time(story.invited_id, expires_at)
    await story.advance_without_sweep_to(look_at - SECOND)
    fired = await story.fired_timers(story.invited_id)
    begun = expires_at - timedelta(days=14)
    assert fired == [pytest.approx(begun + number * LONGEST_TIMER, abs=SECOND) for number in (1, 2)]
    assert looks.of(story.invited_id) == []
    await story.advance_without_sweep_to(look_at + SECOND)
    assert await story.fired_timers(story.invited_id) == [*fired, look_at]
    assert len(looks.of(story.invited_id)) == 1


@pytest.mark.parametrize("event", ["accepted", "declined", "expired"])
@pytest.mark.parametrize("days", [0, 6])
async def test_an_orchestration_ends_with_the_answer_or_the_expiry_without_an_activity(
    story: Story, looks: Looks, event: str, days: int
) -> None:
    await story.advance_without_sweep(f"P{days}D")
    assert await story.engine.raise_event(story.invited_id, event)
    await story.advance_without_sweep("PT0S")
    assert await story.status(story.invited_id) == "Completed"
    assert looks.calls == []


@pytest.mark.parametrize("verb", ["accept", "decline"])
async def test_who_answers_ends_the_orchestration_which_calls_no_activity(
    story: Story, looks: Looks, verb: str
) -> None:
    assert await story.answer(verb) == 200
    await story.advance_without_sweep("PT0S")
    assert await story.status(story.invited_id) == "Completed"
    assert await story.status(story.deal_id) is None
    assert looks.calls == []


async def test_an_orchestration_looks_when_something_changed_and_waits_on(story: Story, looks: Looks) -> None:
    """What it finds due then it does, also a reminder, which otherwise is the sweep's."""
    await story.advance_without_sweep("P12D")
    story.new_mails()
    for looked in (1, 2):
        assert await story.engine.raise_event(story.invited_id, "changed")
        await story.advance_without_sweep("PT0S")
        assert len(looks.of(story.invited_id)) == looked
    assert story.new_mails() == [LAST_REMINDER]
    assert await story.status(story.invited_id) == "Running"
    await story.advance_without_sweep("P3D")
    assert (await story.state(), story.new_mails()) == ("Closed/Expired", [EXPIRED])
    assert len(looks.of(story.invited_id)) == 3


async def test_an_orchestration_that_ended_too_early_is_started_again_at_the_next_sweep_of_its_referral(
    story: Story,
) -> None:
    assert await story.engine.raise_event(story.invited_id, "accepted")
    await story.advance("PT0S")
    assert await story.status(story.invited_id) == "Completed"
    await story.advance("P1D")
    assert await story.status(story.invited_id) == "Running"
    await story.advance_without_sweep("P14D")
    assert await story.state() == "Closed/Expired"


async def test_a_turn_that_fails_pauses_longer_each_time_and_never_gives_up(
    story: Story, looks: Looks
) -> None:
    """Not even an event ends the pause. Once storage responds, the referral expires."""
    expires_at = (await story.referral()).expires_at
    assert expires_at
    story.new_mails()

    async def fails() -> None:
        await story.engine.raise_event(story.invited_id, "changed")
        raise StoreUnavailable("away")

    looks.before = fails
    await story.advance_without_sweep_to(expires_at + timedelta(hours=1))
    times = looks.of(story.invited_id)
    pauses = [(after - before).total_seconds() // 30 for before, after in pairwise(times)]
    longest = MAX_PAUSE.total_seconds() // 30
    assert pauses[:5] == [1, 2, 4, 8, longest]
    assert set(pauses[5:]) == {longest}
    assert (await story.state(), await story.status(story.invited_id)) == ("New/Pending", "Running")
    looks.before = None
    await story.advance_without_sweep(f"PT{MAX_PAUSE.total_seconds():.0f}S")
    assert await story.state() == "Closed/Expired"
    assert EXPIRED in story.new_mails()
    assert await story.status(story.invited_id) == "Completed"

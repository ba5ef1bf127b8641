"""A moment has come when the orchestration's clock and the worker's own both say so (L4, M3, G7)."""

from datetime import datetime, timedelta
from random import Random

import pytest

from activities.observe import RECHECK_AFTER
from shared import clock
from shared.domain.ids import RegistrationId
from shared.workflow.observe import observe
from shared.workflow.wake import backup_time
from tests.orchestrations.conftest import Looks, ReviewStory, Story
from tests.orchestrations.test_referral_lifecycle import EXPIRED, FIRST_REMINDER, LAST_REMINDER
from tests.orchestrations.test_registration_review import ESCALATED, FIRST

MOST_LOOKS = 30
"""In three minutes: two for each half a minute, and some for what happens besides."""
SKEW = timedelta(minutes=2)
LONG_SKEW = timedelta(minutes=20)
"""Longer than an orchestration waits after a deadline, so that it looks while one of the clocks is before it."""


class Clocks:
    """The engine's clock, and the worker's, which is behind it or ahead of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._common = clock._offset
        self._monkeypatch = monkeypatch

    def worker_is_ahead(self, by: timedelta) -> None:
        """Negative: it is behind."""
        self._monkeypatch.setattr("shared.clock._offset", lambda: self._common() + by)

    def workers_differ(self, behind: timedelta, seed: int) -> None:
        """Each call runs on one of two workers: one whose clock is the engine's, and one behind it."""
        chance = Random(seed)
        skew = (timedelta(), -behind)
        self._monkeypatch.setattr("shared.clock._offset", lambda: self._common() + chance.choice(skew))

    def engine_now(self) -> datetime:
        return clock.wall_clock() + self._common()


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


async def engine_comes_to(story: Story, clocks: Clocks, moment: datetime, *, sweep: bool = True) -> None:
    advance = story.advance if sweep else story.advance_without_sweep
    await advance(f"PT{(moment - clocks.engine_now()).total_seconds():.3f}S")


async def deadline(story: Story) -> datetime:
    referral = await story.referral()
    assert referral.expires_at
    return referral.expires_at


async def come_to_last_hour(story: Story, clocks: Clocks) -> datetime:
    """An hour before the deadline, with both reminders sent; returns the deadline."""
    end = await deadline(story)
    for before in (timedelta(days=13), timedelta(days=3), timedelta(hours=1)):
        await engine_comes_to(story, clocks, end - before)
    assert FIRST_REMINDER in story.new_mails()
    return end


async def expired_at(story: Story) -> datetime:
    """When the timeline says that Northwind's referral expired; it says it once."""
    entries = await story.service.referrals.entries(story.invited)
    (expired,) = [entry for entry in entries if entry.kind == "expired"]
    return expired.at


async def test_a_sweep_behind_a_fast_engine_expires_nothing_early(
    story: Story, clocks: Clocks, looks: Looks
) -> None:
    end = await deadline(story)
    await engine_comes_to(story, clocks, end - timedelta(hours=1))
    story.new_mails()
    clocks.worker_is_ahead(-SKEW)
    looks.calls.clear()
    for seconds in (1, 60, 118):
        await engine_comes_to(story, clocks, end + timedelta(seconds=seconds))
        assert (seconds, await story.state()) == (seconds, "New/Pending")
    await engine_comes_to(story, clocks, end + SKEW + RECHECK_AFTER + timedelta(seconds=1))
    assert await story.state() == "Closed/Expired"
    assert story.new_mails() == [EXPIRED]
    assert await story.status(story.invited_id) == "Completed"
    assert len(looks.of(story.invited_id)) <= MOST_LOOKS
    assert end <= await expired_at(story) <= end + RECHECK_AFTER + timedelta(seconds=5), (
        "told by the true time"
    )


async def test_an_engine_whose_clock_is_fast_expires_nothing_early_and_does_not_spin(
    story: Story, clocks: Clocks, looks: Looks
) -> None:
    end = await come_to_last_hour(story, clocks)
    clocks.worker_is_ahead(-LONG_SKEW)
    looks.calls.clear()
    for after in (timedelta(seconds=1), LONG_SKEW - timedelta(seconds=2)):
        await engine_comes_to(story, clocks, end + after, sweep=False)
        assert (after, await story.state()) == (after, "New/Pending")
    assert looks.of(story.invited_id), "the engine says that it is time"
    last = end + LONG_SKEW + RECHECK_AFTER + timedelta(seconds=1)
    await engine_comes_to(story, clocks, last, sweep=False)
    assert await story.state() == "Closed/Expired"
    assert story.new_mails() == [EXPIRED]
    assert await story.status(story.invited_id) == "Completed"
    longest = last - backup_time(story.invited_id, end)
    assert len(looks.of(story.invited_id)) <= longest / RECHECK_AFTER + 5
    assert end <= await expired_at(story) <= end + RECHECK_AFTER + timedelta(seconds=5), (
        "told by the true time"
    )


async def test_a_worker_whose_clock_is_fast_expires_nothing_early(
    story: Story, clocks: Clocks, looks: Looks
) -> None:
    end = await come_to_last_hour(story, clocks)
    clocks.worker_is_ahead(LONG_SKEW)
    await engine_comes_to(story, clocks, end - timedelta(minutes=1), sweep=False)
    assert await story.engine.raise_event(story.invited_id, "changed")
    await story.advance_without_sweep("PT0S")
    assert await story.state() == "New/Pending"
    assert looks.of(story.invited_id)
    looks.calls.clear()
    look_at = backup_time(story.invited_id, end) + timedelta(seconds=1)
    await engine_comes_to(story, clocks, look_at, sweep=False)
    assert await story.state() == "Closed/Expired"
    assert story.new_mails() == [EXPIRED]
    assert len(looks.of(story.invited_id)) <= MOST_LOOKS


async def test_reminders_come_by_both_clocks_and_once(story: Story, clocks: Clocks) -> None:
    """M3."""
    story.new_mails()
    clocks.worker_is_ahead(-SKEW)
    begun = await deadline(story) - timedelta(days=14)
    for day, mail in ((1, FIRST_REMINDER), (11, LAST_REMINDER)):
        await engine_comes_to(story, clocks, begun + timedelta(days=day, minutes=1))
        assert (day, story.new_mails()) == (day, [])
        await engine_comes_to(story, clocks, begun + timedelta(days=day, minutes=3))
        assert (day, story.new_mails()) == (day, [mail])


@pytest.mark.parametrize("seed", range(4))
async def test_workers_whose_clocks_differ_lose_no_reminder_and_double_none(
    story: Story, clocks: Clocks, looks: Looks, seed: int
) -> None:
    """M3: a reminder that the fast one opened is sent though the slow one thinks that it is early."""
    story.new_mails()
    clocks.workers_differ(SKEW, seed)
    begun = await deadline(story) - timedelta(days=14)
    for day, mail in ((1, FIRST_REMINDER), (11, LAST_REMINDER), (14, EXPIRED)):
        await engine_comes_to(story, clocks, begun + timedelta(days=day, minutes=-1))
        assert (day, story.new_mails()) == (day, [])
        looks.calls.clear()
        await engine_comes_to(story, clocks, begun + timedelta(days=day, minutes=3))
        assert (day, story.new_mails()) == (day, [mail])
        assert len(looks.of(story.invited_id)) <= MOST_LOOKS


@pytest.mark.parametrize("seed", range(4))
async def test_activities_on_workers_whose_clocks_differ_lose_no_expiry_and_double_none(
    story: Story, clocks: Clocks, looks: Looks, seed: int
) -> None:
    end = await come_to_last_hour(story, clocks)
    clocks.workers_differ(LONG_SKEW, seed)
    await engine_comes_to(story, clocks, end - timedelta(minutes=1), sweep=False)
    assert story.new_mails() == []
    looks.calls.clear()
    last = end + LONG_SKEW + RECHECK_AFTER + timedelta(seconds=1)
    await engine_comes_to(story, clocks, last, sweep=False)
    assert story.new_mails() == [EXPIRED]
    assert await expired_at(story) >= end
    assert len(looks.of(story.invited_id)) <= LONG_SKEW / RECHECK_AFTER + 5


@pytest.mark.parametrize("skew", [-SKEW, SKEW], ids=["behind", "ahead"])
async def test_a_mail_that_was_put_off_is_tried_again_without_haste_whosever_clock_is_ahead(
    story: Story, clocks: Clocks, looks: Looks, skew: timedelta
) -> None:
    await story.advance("PT23H")
    story.new_mails()
    story.mail.away = True
    clocks.worker_is_ahead(skew)
    await story.advance_by_minutes(120)
    row = await story.service.referrals.get_work(story.invited, "reminder-first")
    assert row
    assert 2 <= row.value.tasks[0].attempts <= 8, "after 1, 2, 4, 8, 16, 32 minutes, and the net of each"
    looks.calls.clear()
    await story.advance("PT3M")
    assert len(looks.of(story.invited_id)) <= MOST_LOOKS
    story.mail.away = False
    await story.advance("PT2H")
    assert story.new_mails() == [FIRST_REMINDER]


@pytest.mark.parametrize("skew", [-SKEW, SKEW], ids=["behind", "ahead"])
async def test_an_orchestration_tries_a_mail_again_without_haste_whosever_clock_is_ahead(
    story: Story, clocks: Clocks, looks: Looks, skew: timedelta
) -> None:
    await come_to_last_hour(story, clocks)
    await story.advance_without_sweep("PT1H")
    story.mail.away = True
    clocks.worker_is_ahead(skew)
    looks.calls.clear()
    await story.advance_without_sweep("PT2H")
    assert await story.state() == "Closed/Expired"
    tasks = [task for row in await story.service.referrals.work(story.invited) for task in row.value.tasks]
    (attempts,) = [task.attempts for task in tasks if not task.done]
    assert 2 <= attempts <= 8, "after 1, 2, 4, 8, 16, 32 minutes, and the net of each"
    assert len(looks.of(story.invited_id)) <= 120 / 5 + 2
    story.mail.away = False
    await story.advance_without_sweep("PT2H")
    assert story.new_mails() == [EXPIRED]
    assert await story.status(story.invited_id) == "Completed"


@pytest.mark.parametrize(("sweep", "skew"), [(True, SKEW), (False, LONG_SKEW)], ids=["swept", "alone"])
async def test_a_review_is_escalated_by_both_clocks_and_its_orchestration_does_not_spin(
    review: ReviewStory, clocks: Clocks, looks: Looks, sweep: bool, skew: timedelta
) -> None:
    """G7."""
    await review.register()
    await review.day(FIRST - 1)
    review.new_messages()
    registration = RegistrationId(review.deal.rid)
    service = review.service
    observed = await observe(service.referrals, service.registrations, review.deal.party, registration)
    due = observed.plan(clock.now()).next_at
    assert due
    clocks.worker_is_ahead(-skew)
    looks.calls.clear()
    await engine_comes_to(review, clocks, due + skew - timedelta(minutes=1), sweep=sweep)
    assert review.new_messages() == []
    await engine_comes_to(review, clocks, due + skew + timedelta(minutes=1), sweep=sweep)
    assert review.new_messages() == ESCALATED
    assert len(looks.of(registration)) <= skew / RECHECK_AFTER + 5
    assert sweep or looks.of(registration)

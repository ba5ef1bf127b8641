"""A moment has come when the orchestration's clock and the worker's own both say so (L4, M3, G7)."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

import activities.observe
from shared import clock
from shared.domain.ids import OrganizationId, ReferralId, RegistrationId
from shared.domain.referral import ReferralKey
from shared.workflow.observe import Plan, observe
from tests.orchestrations.conftest import ReviewStory, Story
from tests.orchestrations.test_referral_lifecycle import EXPIRED, FIRST_REMINDER, LAST_REMINDER
from tests.orchestrations.test_registration_review import ESCALATED, FIRST

MOST_LOOKS = 30
"""In three minutes: two for each half a minute, and some for what happens besides."""
SKEW = timedelta(minutes=2)


class Clocks:
    """The engine's clock, and the worker's, which is behind it or ahead of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._common = clock._offset
        self._monkeypatch = monkeypatch
        self.looks: list[datetime] = []

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
    pair = Clocks(monkeypatch)

    async def counted(*given: Any) -> Plan:
        pair.looks.append(given[-1])
        return await observe(*given)

    monkeypatch.setattr(activities.observe, "observe_record", counted)
    return pair


async def engine_comes_to(story: Story, clocks: Clocks, moment: datetime) -> None:
    await story.advance(f"PT{(moment - clocks.engine_now()).total_seconds():.3f}S")


def northwind(story: Story) -> ReferralKey:
    return ReferralKey(organization_id=OrganizationId("northwind"), referral_id=ReferralId(story.invited_id))


async def deadline(story: Story) -> datetime:
    stored = await story.service.referrals.get(northwind(story))
    assert stored
    assert stored.value.expires_at
    return stored.value.expires_at


async def test_an_engine_whose_clock_is_fast_expires_nothing_early_and_does_not_spin(
    story: Story, clocks: Clocks
) -> None:
    end = await deadline(story)
    await engine_comes_to(story, clocks, end - timedelta(hours=1))
    story.new_mails()
    clocks.worker_is_ahead(-SKEW)
    clocks.looks.clear()
    for seconds in (1, 60, 118):
        await engine_comes_to(story, clocks, end + timedelta(seconds=seconds))
        assert (seconds, await story.state()) == (seconds, "New/Pending")
    await engine_comes_to(story, clocks, end + SKEW + activities.observe.RECHECK_AFTER + timedelta(seconds=1))
    assert await story.state() == "Closed/Expired"
    assert story.new_mails() == [EXPIRED]
    assert await story.status(story.invited_id) == "Completed"
    assert len(clocks.looks) <= MOST_LOOKS
    entries = await story.service.referrals.entries(northwind(story))
    (expired,) = [entry for entry in entries if entry.kind == "expired"]
    assert end <= expired.at <= end + activities.observe.RECHECK_AFTER + timedelta(seconds=5), (
        "told by the true time"
    )


async def test_a_worker_whose_clock_is_fast_expires_nothing_early(story: Story, clocks: Clocks) -> None:
    end = await deadline(story)
    clocks.worker_is_ahead(SKEW)
    await engine_comes_to(story, clocks, end - timedelta(minutes=1))
    story.new_mails()
    assert await story.engine.raise_event(story.invited_id, "changed")
    await story.advance("PT0S")
    assert await story.state() == "New/Pending"
    clocks.looks.clear()
    await engine_comes_to(story, clocks, end + timedelta(seconds=1))
    assert await story.state() == "Closed/Expired"
    assert story.new_mails() == [EXPIRED]
    assert len(clocks.looks) <= MOST_LOOKS


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
    story: Story, clocks: Clocks, seed: int
) -> None:
    """M3: a reminder that the fast one opened is sent though the slow one thinks that it is early."""
    story.new_mails()
    clocks.workers_differ(SKEW, seed)
    begun = await deadline(story) - timedelta(days=14)
    for day, mail in ((1, FIRST_REMINDER), (11, LAST_REMINDER), (14, EXPIRED)):
        await engine_comes_to(story, clocks, begun + timedelta(days=day, minutes=-1))
        assert (day, story.new_mails()) == (day, [])
        clocks.looks.clear()
        await engine_comes_to(story, clocks, begun + timedelta(days=day, minutes=3))
        assert (day, story.new_mails()) == (day, [mail])
        assert len(clocks.looks) <= MOST_LOOKS


@pytest.mark.parametrize("skew", [-SKEW, SKEW], ids=["behind", "ahead"])
async def test_a_mail_that_was_put_off_is_tried_again_without_haste_whosever_clock_is_ahead(
    story: Story, clocks: Clocks, skew: timedelta
) -> None:
    await story.advance("PT23H")
    story.new_mails()
    story.mail.away = True
    clocks.worker_is_ahead(skew)
    await story.advance("PT2H")
    row = await story.service.referrals.get_work(northwind(story), "reminder-first")
    assert row
    assert 2 <= row.value.tasks[0].attempts <= 8, "after 1, 2, 4, 8, 16, 32 minutes, and the net of each"
    clocks.looks.clear()
    await story.advance("PT3M")
    assert len(clocks.looks) <= MOST_LOOKS
    story.mail.away = False
    await story.advance("PT2H")
    assert story.new_mails() == [FIRST_REMINDER]


async def test_a_review_is_escalated_by_both_clocks_and_its_orchestration_does_not_spin(
    review: ReviewStory, clocks: Clocks
) -> None:
    """G7."""
    await review.register()
    await review.day(FIRST - 1)
    review.new_messages()
    registration = RegistrationId(review.deal.rid)
    service = review.service
    plan = await observe(
        service.referrals, service.registrations, review.deal.party, registration, clock.now()
    )
    assert plan.next_at
    clocks.worker_is_ahead(-SKEW)
    clocks.looks.clear()
    await engine_comes_to(review, clocks, plan.next_at + timedelta(minutes=1))
    assert review.new_messages() == []
    await engine_comes_to(review, clocks, plan.next_at + timedelta(minutes=3))
    assert review.new_messages() == ESCALATED
    assert len(clocks.looks) <= MOST_LOOKS

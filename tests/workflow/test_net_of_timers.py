"""The timer of an orchestration is a net behind the sweep: later than the deadline, and each at another time."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.observe import RECHECK_AFTER, outcome
from shared.domain.ids import OperationId
from shared.domain.referral import Referral
from shared.domain.work import Publish, Work, work_of
from shared.storage.codec import Stored
from shared.workflow.observe import Observed
from shared.workflow.wake import backup_time
from tests.examples.referrals import NOW, creators, referral
from tests.examples.registrations import in_review

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ID = "fabrikam-1"


def told(
    observed: Observed, now: datetime = NOW, orchestration_now: datetime | None = None
) -> dict[str, Any]:
    """What an orchestration learns."""
    return outcome(observed, ID, now, orchestration_now or now)


def observed(record: Referral, *rows: Work) -> Observed:
    return Observed(record=record, rows={row.label: Stored(row, "") for row in rows})


def deferred(until: datetime | None) -> Work:
    """Work that is tried again then, or that is done."""
    work = work_of(referral().id, "000001", OperationId("op"), (Publish(),))
    (state,) = work.tasks
    return replace(work, tasks=(replace(state, due=until, done=until is None),))


def test_the_timer_of_an_instance_falls_five_to_fifteen_minutes_after_the_deadline_of_its_record() -> None:
    assert told(observed(referral())) == {
        "nextAt": backup_time(ID, NOW + 14 * DAY).isoformat(),
        "finished": False,
    }
    assert 5 * MINUTE <= backup_time(ID, NOW) - NOW < 15 * MINUTE
    assert backup_time(ID, NOW) == backup_time(ID, NOW)


def test_it_falls_earlier_for_work_that_was_put_off() -> None:
    found = told(observed(referral(), deferred(NOW + 30 * MINUTE)))
    assert found["nextAt"] == backup_time(ID, NOW + 30 * MINUTE).isoformat()
    assert told(observed(referral(), deferred(None))) == told(observed(referral()))


def test_a_review_is_looked_at_after_its_next_moment() -> None:
    record = in_review()
    due = Observed(record=record, rows={}).plan(NOW).next_at
    assert due
    found = outcome(Observed(record=record, rows={}), record.id, NOW, NOW)
    assert found["nextAt"] == backup_time(record.id, due).isoformat()


def test_two_thousand_timers_of_one_moment_do_not_fall_at_once() -> None:
    minutes = Counter((backup_time(f"referral-{number}", NOW) - NOW) // MINUTE for number in range(2_000))
    assert set(minutes) == set(range(5, 15))
    assert max(minutes.values()) < 300


@pytest.mark.parametrize(
    "record", [creators(), referral(status="Active", substatus="Accepted")], ids=["creator", "answered"]
)
def test_who_waits_for_people_alone_has_no_timer(record: Referral) -> None:
    assert told(observed(record)) == {"nextAt": None, "finished": True}


def test_what_was_left_for_lack_of_time_is_looked_at_again_and_is_not_finished() -> None:
    found = told(observed(creators(), deferred(NOW)))
    assert found == {"nextAt": backup_time(ID, NOW).isoformat(), "finished": False}


def test_a_timer_is_never_set_for_what_the_orchestrations_clock_has_passed() -> None:
    """Its clock may be ahead of the worker's, and the timer would fire at once, again and again."""
    ahead = NOW + 20 * DAY
    assert told(observed(referral()), NOW, ahead)["nextAt"] == (ahead + RECHECK_AFTER).isoformat()

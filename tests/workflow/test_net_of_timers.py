"""The timer of an orchestration is a net behind the sweep: later than the moment, and each at another time."""

from collections import Counter
from datetime import timedelta

from activities.observe import backup_timer_delay, plan_to_json
from shared.workflow.observe import Plan
from tests.examples.referrals import NOW

MINUTE = timedelta(minutes=1)


def test_the_timer_of_an_instance_falls_five_to_fifteen_minutes_after_the_moment_of_its_record() -> None:
    plan = plan_to_json(Plan(next_at=NOW), "fabrikam-1", NOW - timedelta(days=14))
    assert plan["nextAt"] == (NOW + backup_timer_delay("fabrikam-1")).isoformat()
    assert 5 * MINUTE <= backup_timer_delay("fabrikam-1") < 15 * MINUTE
    assert backup_timer_delay("fabrikam-1") == backup_timer_delay("fabrikam-1")


def test_two_thousand_timers_of_one_moment_do_not_fall_at_once() -> None:
    minutes = Counter(backup_timer_delay(f"referral-{number}") // MINUTE for number in range(2_000))
    assert set(minutes) == set(range(5, 15))
    assert max(minutes.values()) < 300


def test_who_waits_for_people_alone_has_no_timer() -> None:
    assert plan_to_json(Plan(), "fabrikam-1", NOW)["nextAt"] is None

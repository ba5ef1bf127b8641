"""Durable timers in virtual time."""

from datetime import datetime, timedelta

import azure.durable_functions as df
import pytest

from tests.devhost.conftest import Drive
from tests.devhost.driver import new_app


def kitchen() -> df.DFApp:  # noqa: C901 - an app is a list of functions
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def egg(context):
        begun = context.current_utc_datetime
        yield context.create_timer(begun + timedelta(seconds=context.get_input()))
        return (context.current_utc_datetime - begun).total_seconds()

    @app.orchestration_trigger(context_name="context")
    def order(context):
        deadline = context.create_timer(context.current_utc_datetime + timedelta(days=5))
        approval = context.wait_for_external_event("approved")
        winner = yield context.task_any([deadline, approval])
        if winner is deadline:
            return "expired"
        deadline.cancel()
        yield context.call_activity("ship", None)
        return "shipped"

    @app.orchestration_trigger(context_name="context")
    def past(context):
        yield context.create_timer(context.current_utc_datetime - timedelta(hours=1))
        return "at once"

    @app.orchestration_trigger(context_name="context")
    def raced_long_timer(context):
        deadline = context.create_timer(context.current_utc_datetime + timedelta(days=14))
        approval = context.wait_for_external_event("approved")
        yield context.task_any([deadline, approval])
        yield context.call_activity("ship", None)
        return context.current_utc_datetime.isoformat()

    @app.orchestration_trigger(context_name="context")
    def heartbeat(context):
        beats = context.get_input() or 0
        yield context.create_timer(context.current_utc_datetime + timedelta(days=1))
        context.continue_as_new(beats + 1)

    @app.orchestration_trigger(context_name="context")
    def patrol(context):
        for _ in range(5):
            round_ends = context.create_timer(context.current_utc_datetime + timedelta(days=1))
            alarm = context.wait_for_external_event("alarm")
            if (yield context.task_any([alarm, round_ends])) is alarm:
                round_ends.cancel()
                yield context.call_activity("ship", None)
                return "caught"
        return "quiet"

    @app.activity_trigger(input_name="nothing")
    def ship(nothing) -> None:
        return None

    return app


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("seconds", "duration"),
    [(1, "PT1S"), (60, "PT1M"), (86_400, "P1D"), (5 * 86_400, "P5D"), (14 * 86_400, "P14D")],
)
async def test_a_timer_fires_at_its_due_time_and_not_before(
    drive: Drive, seconds: int, duration: str
) -> None:
    async with drive(kitchen()) as d:
        await d.start("egg", data=seconds)
        assert await d.outcome() == ("Running", None)
        await d.advance(duration)
        status, waited = await d.outcome()
        assert status == "Completed"
        assert seconds <= waited < seconds + 60


async def test_a_timer_of_fourteen_days_is_cut_into_slices_and_fires_at_its_time(drive: Drive) -> None:
    async with drive(kitchen()) as d:
        await d.start("egg", data=14 * 86_400)
        await d.advance("P13D")
        history = (await d.status(showHistory="true"))["historyEvents"]
        fired = [event["FireAt"] for event in history if event["EventType"] == "TimerFired"]
        started = moment(history[0]["Timestamp"])
        assert [round((moment(at) - started) / timedelta(days=1)) for at in fired] == [3, 6, 9]
        assert (await d.outcome())[0] == "Running"
        await d.advance("P1D")
        assert (await d.outcome())[0] == "Completed"


async def test_an_approval_in_time_cancels_the_deadline(drive: Drive) -> None:
    async with drive(kitchen()) as d:
        await d.start("order")
        await d.advance("P4D")
        await d.raise_event("approved")
        assert await d.outcome() == ("Completed", "shipped")


async def test_without_an_approval_the_deadline_passes(drive: Drive) -> None:
    async with drive(kitchen()) as d:
        await d.start("order")
        await d.advance("P4D")
        assert await d.outcome() == ("Running", None)
        await d.advance("P1D")
        assert await d.outcome() == ("Completed", "expired")


async def test_a_timer_in_the_past_fires_at_once(drive: Drive) -> None:
    async with drive(kitchen()) as d:
        await d.start("past")
        assert await d.outcome() == ("Completed", "at once")


async def test_a_raced_long_timer_delays_what_follows_as_on_azure(drive: Drive) -> None:
    """The SDK's defect: the slice cannot be cancelled, and the next one is awaited before the activity."""
    async with drive(kitchen()) as d:
        await d.start("raced_long_timer")
        await d.advance("P4D")
        await d.raise_event("approved")
        await d.advance("PT0S")
        kinds = [event["EventType"] for event in (await d.status(showHistory="true"))["historyEvents"]]
        assert "TaskCompleted" not in kinds
        await d.advance("P3D")
        kinds = [event["EventType"] for event in (await d.status(showHistory="true"))["historyEvents"]]
        assert "TaskCompleted" in kinds
        assert (await d.outcome())[0] == "Running"
        await d.advance("P7D")
        assert (await d.outcome())[0] == "Completed"


async def test_a_loop_of_daily_timers_runs_once_a_day(drive: Drive) -> None:
    async with drive(kitchen()) as d:
        await d.start("heartbeat")
        await d.advance("P30DT1H")
        assert (await d.status())["input"] == "30"


async def test_an_event_goes_to_the_wait_of_the_current_round_not_to_an_abandoned_one(drive: Drive) -> None:
    async with drive(kitchen()) as d:
        await d.start("patrol")
        await d.advance("P2DT1H")
        await d.raise_event("alarm")
        assert await d.outcome() == ("Completed", "caught")


@pytest.mark.parametrize("milliseconds", [-1000, 0, 20])
async def test_timers_also_fire_without_an_advance(drive: Drive, milliseconds: int) -> None:
    """No clock is advanced here: each round of the loop is a timer and a continue-as-new."""
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def countdown(context):
        left = context.get_input()
        yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=milliseconds))
        if left == 0:
            return "lift-off"
        context.continue_as_new(left - 1)

    async with drive(app) as d:
        url = "/durabletask/orchestrators/countdown"
        answer = await d.http.post(url, params={"timeout": "10"}, content='"3"')
        assert (answer.status_code, answer.json()) == (200, "lift-off")

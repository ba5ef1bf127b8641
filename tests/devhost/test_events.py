"""External events: early, late, twice, in the wrong case, across continue-as-new."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

import azure.durable_functions as df
import pytest

from devhost.actions import WaitForEvent
from devhost.history import EventType, event_raised
from devhost.replay import Replay
from devhost.store import Store, writes
from devhost.timestamps import SECOND, Micros
from tests.devhost.conftest import Drive
from tests.devhost.driver import new_app


def crossing() -> df.DFApp:
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def pedestrian(context):
        return (yield context.wait_for_external_event("green"))

    @app.orchestration_trigger(context_name="context")
    def two_lights(context):
        first = yield context.wait_for_external_event("first")
        yield context.call_activity("walk", None)
        second = yield context.wait_for_external_event("second")
        return [first, second]

    @app.orchestration_trigger(context_name="context")
    def newest_waiter(context):
        older, newer = context.wait_for_external_event("green"), context.wait_for_external_event("green")
        winner = yield context.task_any([older, newer])
        return "newer" if winner is newer else "older"

    @app.orchestration_trigger(context_name="context")
    def deadline(context):
        ends = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        green = context.wait_for_external_event("green")
        winner = yield context.task_any([ends, green])
        return "event" if winner is green else "timer"

    @app.orchestration_trigger(context_name="context")
    def counter(context):
        count = context.get_input() or 0
        change = yield context.wait_for_external_event("change")
        if change == '"stop"':
            return count
        context.continue_as_new(count + int(change))

    @app.activity_trigger(input_name="nothing")
    def walk(nothing) -> None:
        return None

    return app


async def test_an_event_that_was_waited_for_arrives_as_the_json_text_the_client_sent(drive: Drive) -> None:
    async with drive(crossing()) as d:
        await d.start("pedestrian")
        assert await d.outcome() == ("Running", None)
        await d.raise_event("green", '{"seconds": 20}')
        assert await d.outcome() == ("Completed", '{"seconds": 20}')


async def test_an_event_posted_as_json_arrives_decoded(drive: Drive) -> None:
    async with drive(crossing()) as d:
        await d.start("pedestrian")
        await d.raise_event("green", {"seconds": 20})
        assert await d.outcome() == ("Completed", {"seconds": 20})


async def test_an_early_event_is_kept_until_it_is_waited_for(drive: Drive) -> None:
    async with drive(crossing()) as d:
        await d.start("two_lights")
        await d.raise_event("second", 2)
        await d.settle()
        await d.raise_event("first", 1)
        assert await d.outcome() == ("Completed", [1, 2])


async def test_of_two_waits_for_one_event_the_newest_gets_it(drive: Drive) -> None:
    async with drive(crossing()) as d:
        await d.start("newest_waiter")
        await d.raise_event("green")
        assert await d.outcome() == ("Completed", "newer")


async def test_an_event_for_an_ended_instance_is_410_and_for_an_unknown_one_404(drive: Drive) -> None:
    async with drive(crossing()) as d:
        await d.start("pedestrian")
        await d.raise_event("green")
        await d.settle()
        assert (await d.raise_event("green")).status_code == 410
        assert (await d.raise_event("green", instance_id="nobody")).status_code == 404


async def test_an_event_that_is_not_json_is_refused(drive: Drive) -> None:
    async with drive(crossing()) as d:
        await d.start("pedestrian")
        url = "/durabletask/instances/one/raiseEvent/green"
        broken = await d.http.post(url, content="{", headers={"Content-Type": "application/json"})
        text = await d.http.post(url, content='"green"', headers={"Content-Type": "text/plain"})
        assert (broken.status_code, text.status_code) == (400, 400)


async def test_an_event_in_another_letter_case_hangs_as_on_azure_and_is_logged(
    drive: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    async with drive(crossing()) as d:
        await d.start("pedestrian")
        with caplog.at_level(logging.WARNING, "devhost"):
            await d.raise_event("Green")
            assert await d.outcome() == ("Running", None)
        assert (
            "event.case_mismatch instance=one orchestrator=pedestrian raised=Green awaited=green"
            in caplog.text
        )
        await d.raise_event("unrelated")
        assert await d.outcome() == ("Running", None)
        await d.raise_event("green", 1)
        assert await d.outcome() == ("Completed", 1)


async def test_a_loop_of_events_loses_none_that_arrive_one_by_one(drive: Drive) -> None:
    async with drive(crossing()) as d:
        await d.start("counter")
        for _ in range(20):
            assert (await d.raise_event("change", 1)).status_code == 202
        await d.settle()
        await d.raise_event("change", '"stop"')
        assert await d.outcome() == ("Completed", 20)


async def test_events_that_arrive_with_the_one_that_causes_continue_as_new_are_carried_over(
    drive: Drive, tmp_path: Path
) -> None:
    store = Store.open(tmp_path / "data")
    await store.write(writes.start_instance, writes.Start("one", "counter", "", None), Micros(1))
    for moment in range(2, 5):
        await store.write(writes.raise_event, "one", "change", "1", Micros(moment))
    await store.close()
    async with drive(crossing()) as d:
        await d.settle()
        assert (await d.status())["input"] == "3"


def test_early_events_are_delivered_in_order_of_arrival() -> None:
    replay = Replay([WaitForEvent("go"), WaitForEvent("Go")])
    for name in ("go", "Go"):
        replay.feed(event_raised(Micros(0), name, "1"))
    replay.feed({"EventType": EventType.EXECUTION_STARTED})
    assert replay.may_complete
    assert replay.new_mismatches == ()


async def test_events_of_one_batch_are_delivered_in_order_of_arrival(drive: Drive, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data")
    await store.write(writes.start_instance, writes.Start("one", "pedestrian", "", None), Micros(9))
    for moment, data in ((11, "1"), (11, "2"), (12, "3")):
        await store.write(writes.raise_event, "one", "green", data, Micros(moment))
    await store.close()
    async with drive(crossing()) as d:
        assert await d.outcome() == ("Completed", 1)


async def test_an_event_before_the_deadline_wins_even_if_the_host_was_down_meanwhile(
    drive: Drive, tmp_path: Path
) -> None:
    async with drive(crossing()) as d:
        await d.start("deadline")
        await d.settle()
        now = d.host.clock.now()
    store = Store.open(tmp_path / "data")
    await store.write(writes.raise_event, "one", "green", "1", now)
    await store.write(writes.save_clock_offset, 2 * 3600 * SECOND)
    await store.close()
    async with drive(crossing()) as d:
        assert await d.outcome() == ("Completed", "event")


async def test_continuing_as_new_keeps_the_id_and_starts_a_new_history_with_its_own_time(
    drive: Drive,
) -> None:
    """On the real engine, too, each execution has its own creation time."""
    async with drive(crossing()) as d:
        await d.start("counter")
        await d.settle()
        before = await d.status()
        await d.advance("P1D")
        for _ in range(5):
            await d.raise_event("change", 1)
            await d.settle()
        after = await d.status(showHistory="true")
        created = [datetime.fromisoformat(each["createdTime"]) for each in (before, after)]
        assert created[1] - created[0] >= timedelta(days=1)
        assert [event["EventType"] for event in after["historyEvents"]] == ["ExecutionStarted"]
        assert after["input"] == "5"

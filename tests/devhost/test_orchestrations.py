"""Orchestrations on the real SDK."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df
import pytest

from devhost.store import reads, writes
from tests.devhost.conftest import Drive
from tests.devhost.driver import new_app


def greetings() -> df.DFApp:
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def chain(context):
        first = yield context.call_activity("greet", "Seoul")
        second = yield context.call_activity("greet", first)
        return [first, second]

    @app.orchestration_trigger(context_name="context")
    def fan_out(context):
        greeted = yield context.task_all(
            [context.call_activity("greet", name) for name in context.get_input()]
        )
        return greeted

    @app.orchestration_trigger(context_name="context")
    def race(context):
        quick = context.call_activity("greet", "quick")
        slow = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        winner = yield context.task_any([quick, slow])
        slow.cancel()
        return winner is quick

    @app.orchestration_trigger(context_name="context")
    def abandoning(context):
        quick = context.call_activity("greet", "quick")
        slow = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        yield context.task_any([quick, slow])
        return "abandoned"

    @app.orchestration_trigger(context_name="context")
    def echo(context):
        return context.get_input()

    @app.orchestration_trigger(context_name="context")
    def plain(context):
        return {"instance": context.instance_id}

    @app.activity_trigger(input_name="name")
    def greet(name: str) -> str:
        return f"Hello {name}!"

    return app


async def test_activities_in_a_chain_get_the_earlier_results(drive: Drive) -> None:
    async with drive(greetings()) as d:
        await d.start("chain")
        assert await d.outcome() == ("Completed", ["Hello Seoul!", "Hello Hello Seoul!!"])


async def test_results_of_fanned_out_activities_are_in_the_order_of_the_calls(drive: Drive) -> None:
    async with drive(greetings()) as d:
        names = [f"n{i}" for i in range(30)]
        await d.start("fan_out", data=names)
        assert await d.outcome() == ("Completed", [f"Hello {name}!" for name in names])


async def test_the_first_of_two_tasks_wins_and_the_other_is_cancelled(drive: Drive) -> None:
    async with drive(greetings()) as d:
        await d.start("race")
        assert await d.outcome() == ("Completed", True)


async def test_a_timer_that_is_left_open_keeps_the_instance_running_until_it_fires(drive: Drive) -> None:
    async with drive(greetings()) as d:
        await d.start("abandoning")
        assert await d.outcome() == ("Running", None)
        await d.advance("PT1H")
        assert await d.outcome() == ("Completed", "abandoned")


@pytest.mark.parametrize("data", [{"a": [1, 2]}, "text", 7, [True, None], "한국어 \u2028", "\ud83c"])
async def test_input_and_output_are_unchanged(drive: Drive, data: object) -> None:
    async with drive(greetings()) as d:
        await d.start("echo", data=data)
        assert await d.outcome() == ("Completed", data)


async def test_an_orchestrator_that_yields_nothing_completes_at_once(drive: Drive) -> None:
    async with drive(greetings()) as d:
        await d.start("plain")
        assert await d.outcome() == ("Completed", {"instance": "one"})


async def test_names_are_looked_up_ignoring_case(drive: Drive) -> None:
    async with drive(greetings()) as d:
        await d.start("PLAIN")
        assert (await d.outcome())[0] == "Completed"


async def test_a_hundred_instances_complete_each_with_its_own_result(drive: Drive) -> None:
    async with drive(greetings()) as d:
        for number in range(100):
            await d.start("chain", f"i{number}")
        await d.settle()
        listed = (await d.http.get("/durabletask/instances", params={"top": 1000})).json()
        assert {one["runtimeStatus"] for one in listed} == {"Completed"}
        assert len(listed) == 100


async def test_a_test_in_the_same_process_needs_no_http_to_move_the_clock(drive: Drive) -> None:
    async with drive(greetings()) as d:
        await d.start("abandoning")
        before = datetime.now(UTC)
        assert await d.host.advance("PT1H") - before >= timedelta(hours=1)
        await d.host.settle()
        assert (await d.status())["runtimeStatus"] == "Completed"


async def test_host_json_limits_how_many_activities_run_at_once(drive: Drive) -> None:
    app, running, most = new_app(), [], []

    @app.orchestration_trigger(context_name="context")
    def many(context):
        yield context.task_all([context.call_activity("count", None) for _ in range(12)])

    @app.activity_trigger(input_name="nothing")
    async def count(nothing) -> None:
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0)
        running.pop()

    limit = {"extensions": {"durableTask": {"maxConcurrentActivityFunctions": 3}}}
    async with drive(app, host_json=limit) as d:
        await d.start("many")
        assert (await d.outcome())[0] == "Completed"
    assert max(most) == 3


async def test_an_activity_may_hold_a_durable_client(drive: Drive) -> None:
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def parent(context):
        yield context.call_activity("start_another", "greeting")

    @app.orchestration_trigger(context_name="context")
    def child(context):
        return context.get_input()

    @app.activity_trigger(input_name="data")
    @app.durable_client_input(client_name="client")
    async def start_another(data: str, client: df.DurableOrchestrationClient) -> None:
        await client.start_new("child", "other", data)

    async with drive(app) as d:
        await d.start("parent")
        await d.settle()
        assert await d.outcome("other") == ("Completed", "greeting")


async def test_an_endless_orchestrator_blocks_neither_http_nor_others(drive: Drive) -> None:
    app, begun, enough = new_app(), threading.Event(), threading.Event()

    @app.orchestration_trigger(context_name="context")
    def endless(context):
        begun.set()
        enough.wait(30)
        return "late"

    @app.orchestration_trigger(context_name="context")
    def quick(context):
        return "quick"

    async with drive(app, host_json={"functionTimeout": "00:00:01"}) as d:
        await d.start("endless", "stuck")
        await d.start("quick")
        await d.settle()
        assert (await d.status())["output"] == "quick"
        assert "it ran for 1.0 s without yielding" in (await d.status("stuck"))["output"]
        enough.set()


async def test_an_episode_that_the_store_refuses_fails_only_its_instance(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = writes.commit_episode

    def refusing(connection, episode):
        if episode.instance.instance_id == "poisoned" and episode.outcome.status == "Completed":
            raise ValueError("it cannot be written")
        return commit(connection, episode)

    monkeypatch.setattr(writes, "commit_episode", refusing)
    async with drive(greetings()) as d:
        for instance_id in ("poisoned", "one"):
            await d.start("plain", instance_id)
        status, output = await d.outcome("poisoned")
        assert status == "Failed"
        assert "its episode could not be stored: ValueError: it cannot be written" in output
        assert (await d.outcome())[0] == "Completed"


async def test_an_instance_that_cannot_be_read_fails_and_does_not_stop_the_others(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = reads.history

    def failing(connection, key):
        if key == 1:
            raise ValueError("garbled")
        return read(connection, key)

    monkeypatch.setattr(reads, "history", failing)
    async with drive(greetings()) as d:
        await d.start("plain", "garbled")
        await d.start("plain")
        assert (await d.outcome())[0] == "Completed"
        assert await d.outcome("garbled") == ("Failed", "its state cannot be read: garbled")
        monkeypatch.undo()
        await d.start("plain", "garbled")
        assert (await d.outcome("garbled"))[0] == "Completed"

"""What orchestrations can do, on the real SDK."""

from datetime import timedelta

import azure.durable_functions as df
import pytest

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


async def test_activities_in_a_chain_see_the_results_of_those_before(drive: Drive) -> None:
    async with drive(greetings()) as d:
        await d.start("chain")
        assert await d.outcome() == ("Completed", ["Hello Seoul!", "Hello Hello Seoul!!"])


async def test_fanned_out_activities_come_back_in_the_order_they_were_asked_for(drive: Drive) -> None:
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


@pytest.mark.parametrize("data", [{"a": [1, 2]}, "text", 7, [True, None], "한국어 \u2028"])
async def test_input_and_output_survive_the_way_there_and_back(drive: Drive, data: object) -> None:
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

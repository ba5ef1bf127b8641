"""What devhost does not support, and what no durable host can run: each fails one instance with a helpful error."""

import json
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df
import pytest

from tests.devhost.conftest import Drive
from tests.devhost.driver import Driver, new_app


def mistaken() -> df.DFApp:  # noqa: C901 - an app is a list of functions
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def unknown_activity(context):
        yield context.call_activity("wrok", 1)

    @app.orchestration_trigger(context_name="context")
    def yields_a_number(context):
        context.set_custom_status("counting")
        yield context.call_activity("work", 1)
        yield 5

    @app.orchestration_trigger(context_name="context")
    def yields_none(context):
        yield context.call_activity("work", 1)
        yield None

    @app.orchestration_trigger(context_name="context")
    def sub_orchestration(context):
        yield context.call_sub_orchestrator("healthy")

    @app.orchestration_trigger(context_name="context")
    def entity(context):
        yield context.call_entity(df.EntityId("counter", "a"), "get")

    @app.orchestration_trigger(context_name="context")
    def http(context):
        yield context.call_http("GET", "http://127.0.0.1/")

    @app.orchestration_trigger(context_name="context")
    def signal(context):
        context.signal_entity(df.EntityId("counter", "a"), "add", 1)
        yield context.call_activity("work", 1)

    @app.orchestration_trigger(context_name="context")
    def chatty(context):
        context.set_custom_status("x" * 9_000)
        yield context.call_activity("work", 1)

    @app.orchestration_trigger(context_name="context")
    def healthy(context):
        return (yield context.call_activity("work", 1))

    @app.activity_trigger(input_name="number")
    def work(number: int) -> int:
        return number

    return app


@pytest.mark.parametrize(
    ("orchestrator", "sentence"),
    [
        (
            "unknown_activity",
            "at step 0 it called the activity 'wrok', which this app does not have (it has: work)",
        ),
        ("yields_a_number", "the orchestrator yielded a value of type 'int', which is not a durable task"),
        ("yields_none", "most likely it yielded None instead of a task"),
        ("sub_orchestration", "scheduled a sub-orchestration at step 0, which devhost does not support"),
        ("entity", "scheduled a call to an entity at step 0, which devhost does not support"),
        ("http", "scheduled call_http at step 0, which devhost does not support"),
        ("signal", "scheduled a signal to an entity at step 0, which devhost does not support"),
        ("chatty", "the custom status exceeds 16384 bytes in UTF-16"),
    ],
)
async def test_a_mistake_fails_only_its_own_instance(drive: Drive, orchestrator: str, sentence: str) -> None:
    async with drive(mistaken()) as d:
        await d.start(orchestrator)
        await d.start("healthy", "other")
        status, output = await d.outcome()
        assert status == "Failed"
        assert output.startswith(f"Orchestrator function '{orchestrator}' failed: ")
        assert sentence in output
        assert await d.outcome("other") == ("Completed", 1)


async def test_a_failure_of_that_kind_keeps_the_custom_status_there_was(drive: Drive) -> None:
    async with drive(mistaken()) as d:
        await d.start("yields_a_number")
        await d.settle()
        status = await d.status()
        assert (status["runtimeStatus"], status["customStatus"]) == ("Failed", "counting")


async def test_where_the_real_extension_would_hang_the_text_says_so(drive: Drive) -> None:
    async with drive(mistaken()) as d:
        for orchestrator in ("unknown_activity", "yields_none"):
            await d.start(orchestrator, orchestrator)
            _, output = await d.outcome(orchestrator)
            assert "The real extension would leave the instance Running for ever." in output


def changing(version: int) -> df.DFApp:
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def recipe(context):
        if version == 1:
            yield context.call_activity("boil", None)
        if version == 2:
            yield context.call_activity("fry", None)
        if version == 3:
            yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
        yield context.wait_for_external_event("served")

    @app.activity_trigger(input_name="nothing")
    def boil(nothing) -> None:
        return None

    @app.activity_trigger(input_name="nothing")
    def fry(nothing) -> None:
        return None

    return app


@pytest.mark.parametrize(("version", "attempted"), [(2, "activity 'fry'"), (3, "a timer"), (4, "nothing")])
async def test_a_replay_that_differs_says_what_was_recorded_and_what_was_attempted(
    drive: Drive, version: int, attempted: str
) -> None:
    async with drive(changing(1)) as d:
        await d.start("recipe")
        await d.settle()
    async with drive(changing(version)) as d:
        await d.raise_event("served")
        status, output = await d.outcome()
        assert status == "Failed"
        assert output.startswith(
            "Orchestrator function 'recipe' failed: Non-Deterministic workflow detected: at step 0"
        )
        assert f"scheduled activity 'boil', and its replay attempted {attempted}" in output
        assert "code changed while this instance was running" in output


async def test_an_instance_whose_orchestrator_is_gone_fails_and_says_so(drive: Drive) -> None:
    async with drive(changing(1)) as d:
        await d.start("recipe")
        await d.settle()
    async with drive(mistaken()) as d:
        await d.raise_event("served")
        assert "The function 'recipe' doesn't exist, is disabled" in (await d.outcome())[1]


async def unsupported(d: Driver, method: str, path: str) -> str:
    answer = await d.http.request(method, f"/durabletask{path}")
    assert answer.status_code == 501
    return answer.json()["ExceptionMessage"]


async def test_unsupported_management_calls_say_so(drive: Drive, tmp_path: Path) -> None:
    async with drive(mistaken()) as d:
        for operation in ("rewind", "restart", "suspend", "resume"):
            assert f"devhost does not support {operation}" in await unsupported(
                d, "POST", f"/instances/one/{operation}"
            )
        assert "devhost does not support entities" in await unsupported(d, "POST", "/entities/counter/a")
        assert "devhost does not support entities" in await unsupported(d, "GET", "/entities")


async def test_input_that_the_sdk_cannot_decode_fails_only_its_instance(drive: Drive) -> None:
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def reads(context):
        return context.get_input()

    async with drive(app) as d:
        await d.http.post("/durabletask/orchestrators/reads/one", content=json.dumps([1, 2]))
        assert (await d.outcome())[0] == "Failed"

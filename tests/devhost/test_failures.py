"""Failures: of activities, with and without retries, and of orchestrators."""

import re
from datetime import timedelta

import azure.durable_functions as df
import pytest

from tests.devhost.conftest import Drive
from tests.devhost.driver import new_app


def workshop(failures: int = 0, attempts: list[str] | None = None) -> df.DFApp:  # noqa: C901 - an app is a list of functions
    app = new_app()
    attempts = [] if attempts is None else attempts

    @app.orchestration_trigger(context_name="context")
    def careless(context):
        yield context.call_activity("break_down", "boom")

    @app.orchestration_trigger(context_name="context")
    def careful(context):
        try:
            yield context.call_activity("break_down", "boom")
        except Exception as failure:  # noqa: BLE001 - the SDK raises nothing narrower
            return str(failure)

    @app.orchestration_trigger(context_name="context")
    def persistent(context):
        options = df.RetryOptions(60_000, 3)
        return (yield context.call_activity_with_retry("try_hard", options, "x"))

    @app.orchestration_trigger(context_name="context")
    def raising(context):
        yield context.call_activity("work", 1)
        raise LookupError("nothing there")

    @app.orchestration_trigger(context_name="context")
    def one_fails_of_two(context):
        slow = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        try:
            yield context.task_all([context.call_activity("break_down", "early"), slow])
        except Exception:  # noqa: BLE001 - the SDK raises nothing narrower
            context.set_custom_status("caught")
            yield context.call_activity("work", 1)
            return "after"

    @app.activity_trigger(input_name="text")
    def break_down(text: str) -> None:
        raise ValueError(text)

    @app.activity_trigger(input_name="text")
    def try_hard(text: str) -> int:
        attempts.append(text)
        if len(attempts) <= failures:
            raise ValueError(f"attempt {len(attempts)}")
        return len(attempts)

    @app.activity_trigger(input_name="number")
    async def work(number: int) -> int:
        return number

    @app.orchestration_trigger(context_name="context")
    def unserialisable(context):
        yield context.call_activity("give_a_set", 1)

    @app.activity_trigger(input_name="number")
    def give_a_set(number: int) -> set:
        return {number}

    return app


async def test_an_activity_s_failure_fails_the_orchestration_with_the_extension_s_text(drive: Drive) -> None:
    async with drive(workshop()) as d:
        await d.start("careless")
        status, output = await d.outcome()
        assert status == "Failed"
        assert output.startswith(
            "Orchestrator function 'careless' failed: Activity function 'break_down' failed: ValueError: boom \n {"
        )


async def test_an_orchestrator_can_catch_an_activity_s_failure(drive: Drive) -> None:
    async with drive(workshop()) as d:
        await d.start("careful")
        status, output = await d.outcome()
        assert status == "Completed"
        assert re.fullmatch(
            r"Activity function 'break_down' failed: ValueError: boom \n "
            r'\{"\$type":"System.Exception, .*"Message":"ValueError: boom".*\}',
            output,
        )


async def test_a_result_that_is_not_json_is_a_failure(drive: Drive) -> None:
    async with drive(workshop()) as d:
        await d.start("unserialisable")
        status, output = await d.outcome()
        assert status == "Failed"
        assert "ValueError: activity trigger output must be json serializable" in output


@pytest.mark.parametrize("failures", [0, 1, 2])
async def test_a_retry_recovers_after_the_time_between_attempts(drive: Drive, failures: int) -> None:
    async with drive(workshop(failures)) as d:
        await d.start("persistent")
        for attempt in range(failures):
            assert (await d.outcome())[0] == "Running", attempt
            await d.advance("PT1M")
        assert await d.outcome() == ("Completed", failures + 1)


async def test_retries_that_are_exhausted_fail_with_the_last_failure(drive: Drive) -> None:
    attempts: list[str] = []
    async with drive(workshop(9, attempts)) as d:
        await d.start("persistent")
        await d.advance("PT1M")
        assert (await d.outcome())[0] == "Running"
        await d.advance("PT1M")
        status, output = await d.outcome()
        assert status == "Failed"
        assert "ValueError: attempt 3" in output
        assert len(attempts) == 3


async def test_an_orchestrator_s_own_error_is_its_output(drive: Drive) -> None:
    async with drive(workshop()) as d:
        await d.start("raising")
        assert await d.outcome() == ("Failed", "Orchestrator function 'raising' failed: nothing there")


async def test_code_after_a_caught_failure_waits_on_the_host_until_all_have_finished(drive: Drive) -> None:
    async with drive(workshop()) as d:
        await d.start("one_fails_of_two")
        assert (await d.outcome())[0] == "Running"
        assert (await d.status())["customStatus"] == "caught"
        await d.advance("PT1H")
        assert await d.outcome() == ("Completed", "after")

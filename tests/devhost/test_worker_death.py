"""The fault "the worker died": what happens to calls in flight, as measured on the real engine."""

import asyncio
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import azure.durable_functions as df
import azure.functions as func
import httpx
import pytest

from tests.devhost.conftest import Drive
from tests.devhost.driver import Driver, new_app

DIED = "The worker died with this call in flight."


@dataclass
class Hospital:
    """An app whose functions report their start and wait until the test releases them."""

    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    async_gate: asyncio.Event = field(default_factory=asyncio.Event)
    holds: bool = True

    def hold(self, name: str) -> None:
        self.begun.append(name)
        if self.holds:
            assert self.gate.wait(30)
        self.ended.append(name)

    async def hold_on_the_loop(self, name: str) -> None:
        self.begun.append(name)
        if self.holds:
            await self.async_gate.wait()
        self.ended.append(name)

    def let_go(self) -> None:
        self.holds = False
        self.gate.set()
        self.async_gate.set()

    def app(self) -> df.DFApp:  # noqa: C901 - an app is a list of functions
        app = new_app()

        @app.orchestration_trigger(context_name="context")
        def thinking(context):
            self.hold("thinking")
            yield context.call_activity("quick", None)
            return "thought"

        @app.orchestration_trigger(context_name="context")
        def careless(context):
            return (yield context.call_activity(context.get_input(), None))

        @app.orchestration_trigger(context_name="context")
        def careful(context):
            try:
                yield context.call_activity("slow", None)
            except Exception as failure:  # noqa: BLE001 - the SDK raises nothing narrower
                return str(failure)

        @app.orchestration_trigger(context_name="context")
        def parked(context):
            return (yield context.wait_for_external_event("go"))

        @app.activity_trigger(input_name="nothing")
        async def slow(nothing) -> str:
            await self.hold_on_the_loop("slow")
            return "slow"

        @app.activity_trigger(input_name="nothing")
        def slow_in_a_thread(nothing) -> str:
            self.hold("slow_in_a_thread")
            return "slow in a thread"

        @app.activity_trigger(input_name="nothing")
        async def deaf(nothing) -> str:
            try:
                await self.hold_on_the_loop("deaf")
            except asyncio.CancelledError:
                return "never"
            return "deaf"

        @app.activity_trigger(input_name="nothing")
        async def quick(nothing) -> str:
            return "quick"

        @app.route(route="page")
        async def page(req: func.HttpRequest) -> str:
            await self.hold_on_the_loop("page")
            return "page"

        @app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
        async def nightly(timer: func.TimerRequest) -> None:
            await self.hold_on_the_loop("nightly")

        return app

    async def until_begun(self, *names: str) -> None:
        async with asyncio.timeout(30):
            while not set(names) <= set(self.begun):  # noqa: ASYNC110 - threads append to it
                await asyncio.sleep(0.005)


@pytest.fixture
def hospital():
    made = Hospital()
    yield made
    made.let_go()


async def die(d: Driver) -> int:
    answer = await d.http.post("/admin/devhost/worker-died")
    assert answer.status_code == 200, answer.text
    return answer.json()["failedCalls"]


async def test_an_orchestration_whose_orchestrator_is_in_flight_fails(
    drive: Drive, hospital: Hospital
) -> None:
    async with drive(hospital.app()) as d:
        await d.start("thinking")
        await hospital.until_begun("thinking")
        assert await die(d) == 1
        expected = (
            "Failed",
            f"Orchestrator function 'thinking' failed: One or more errors occurred. ({DIED})",
        )
        assert await d.outcome() == expected
        hospital.let_go()
        await d.start("parked", "other")
        assert await d.outcome() == expected
        assert "quick" not in str(await d.status(showHistory=True))


@pytest.mark.parametrize("activity", ["slow", "slow_in_a_thread", "deaf"])
async def test_an_activity_in_flight_counts_as_failed_for_its_orchestration(
    drive: Drive, hospital: Hospital, activity: str
) -> None:
    async with drive(hospital.app()) as d:
        await d.start("careless", data=activity)
        await hospital.until_begun(activity)
        assert await die(d) == 1
        status, output = await d.outcome()
        assert status == "Failed"
        assert output.startswith(
            f"Orchestrator function 'careless' failed: Activity function '{activity}' failed: {DIED} \n "
        )


async def test_an_orchestrator_can_catch_the_failure_of_an_activity_in_flight(
    drive: Drive, hospital: Hospital
) -> None:
    async with drive(hospital.app()) as d:
        await d.start("careful")
        await hospital.until_begun("slow")
        await die(d)
        status, output = await d.outcome()
        assert status == "Completed"
        assert output.startswith(f"Activity function 'slow' failed: {DIED}")


async def test_a_late_result_of_a_dead_activity_is_ignored(drive: Drive, hospital: Hospital) -> None:
    async with drive(hospital.app()) as d:
        await d.start("careless", data="slow_in_a_thread")
        await hospital.until_begun("slow_in_a_thread")
        await die(d)
        before = await d.outcome()
        hospital.let_go()
        async with asyncio.timeout(30):
            while not hospital.ended:  # noqa: ASYNC110 - a thread appends to it
                await asyncio.sleep(0.005)
        assert await d.outcome() == before
    async with drive(hospital.app()) as d:
        assert await d.outcome() == before
        assert hospital.begun == ["slow_in_a_thread"]


async def test_waiting_instances_continue(drive: Drive, hospital: Hospital) -> None:
    async with drive(hospital.app()) as d:
        await d.start("parked")
        await d.settle()
        assert await die(d) == 0
        assert (await d.status())["runtimeStatus"] == "Running"
        await d.raise_event("go", "home")
        assert await d.outcome() == ("Completed", "home")


@pytest.mark.parametrize(("orchestrator", "data"), [("thinking", None), ("careless", "slow")])
async def test_a_failed_instance_can_be_started_again_with_the_same_id(
    drive: Drive, hospital: Hospital, orchestrator: str, data: str | None
) -> None:
    async with drive(hospital.app()) as d:
        await d.start(orchestrator, data=data)
        await hospital.until_begun(data or orchestrator)
        await die(d)
        assert (await d.outcome())[0] == "Failed"
        hospital.let_go()
        await d.start(orchestrator, data=data)
        assert await d.outcome() == ("Completed", "slow" if data else "thought")


async def test_a_dead_workers_threads_are_replaced(drive: Drive, hospital: Hospital) -> None:
    async with drive(hospital.app()) as d:
        for number in range(4):
            await d.start("thinking", str(number))
        async with asyncio.timeout(30):
            while len(hospital.begun) < 4:  # noqa: ASYNC110 - threads append to it
                await asyncio.sleep(0.005)
        assert await die(d) == 4
        hospital.holds = False
        await d.start("thinking", "next")
        assert await d.outcome("next") == ("Completed", "thought")


async def test_a_request_in_flight_gets_500_and_the_next_one_is_served(
    drive: Drive, hospital: Hospital
) -> None:
    async with drive(hospital.app()) as d:
        asked = asyncio.create_task(d.http.get("/api/page"))
        await hospital.until_begun("page")
        assert await die(d) == 1
        answer: httpx.Response = await asked
        assert (answer.status_code, answer.content) == (500, b"")
        hospital.let_go()
        assert (await d.http.get("/api/page")).text == "page"


async def test_a_timer_function_in_flight_runs_again_at_its_next_time(
    drive: Drive, hospital: Hospital
) -> None:
    async with drive(hospital.app()) as d:
        assert (await d.http.post("/admin/functions/nightly")).status_code == 202
        await hospital.until_begun("nightly")
        assert await die(d) == 1
        hospital.let_go()
        await d.settle()
        assert hospital.ended == []
        await d.advance("P1D")
        assert hospital.ended == ["nightly"]


async def test_a_failure_is_stored(drive: Drive, hospital: Hospital) -> None:
    async with drive(hospital.app()) as d:
        await d.start("thinking")
        await d.start("careless", "other", data="slow")
        await hospital.until_begun("thinking", "slow")
        assert await die(d) == 2
        before = [await d.outcome(), await d.outcome("other")]
    async with drive(hospital.app()) as d:
        assert [await d.outcome(), await d.outcome("other")] == before
        assert sorted(hospital.begun) == ["slow", "thinking"]


@pytest.mark.parametrize("dies", ["exiting", "exiting_in_a_thread", "exiting_orchestrator"])
async def test_a_function_that_ends_its_process_kills_the_worker(
    drive: Drive, hospital: Hospital, dies: str
) -> None:
    app = hospital.app()

    @app.activity_trigger(input_name="nothing")
    async def exiting(nothing) -> None:
        sys.exit(3)

    @app.activity_trigger(input_name="nothing")
    def exiting_in_a_thread(nothing) -> None:
        sys.exit(3)

    @app.orchestration_trigger(context_name="context")
    def exiting_orchestrator(context):
        sys.exit(3)
        yield

    async with drive(app) as d:
        await d.start("careless", "other", data="slow")
        await hospital.until_begun("slow")
        await d.start(*(("careless", "one", dies) if "orch" not in dies else (dies,)))
        status, output = await d.outcome()
        assert (status, DIED in output) == ("Failed", True)
        status, output = await d.outcome("other")
        assert (status, DIED in output) == ("Failed", True)


@pytest.mark.parametrize("raises", [asyncio.CancelledError, lambda: asyncio.CancelledError("by hand")])
async def test_an_activity_that_raises_cancelled_error_by_itself_fails(
    drive: Drive, raises: Callable[[], BaseException]
) -> None:
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def careless(context):
        yield context.call_activity("give_up", None)

    @app.activity_trigger(input_name="nothing")
    async def give_up(nothing) -> None:
        raise raises()

    async with drive(app) as d:
        await d.start("careless")
        status, output = await d.outcome()
        assert status == "Failed"
        assert "The function raised CancelledError by itself." in output

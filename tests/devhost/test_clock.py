"""The domain clock: how it is moved, where it stops on the way, and what it refuses."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func
import pytest

from devhost.clock import DomainClock
from tests.devhost.conftest import Drive
from tests.devhost.driver import Driver, idle_app, new_app

CLOCK = "/admin/devhost/clock"


class Diary:
    """An app that records what ran when, by the clock of the offset file."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, datetime]] = []
        self.app = new_app()
        self._add_functions(self.app)

    def note(self, what: str) -> None:
        offset = int(Path(os.environ["CLOCK_OFFSET_FILE"]).read_text())
        self.notes.append((what, datetime.now(UTC) + timedelta(microseconds=offset)))

    def whats(self) -> list[str]:
        return [what for what, _ in self.notes]

    def _add_functions(self, app: df.DFApp) -> None:
        @app.orchestration_trigger(context_name="context")
        def reminder(context):
            for days in context.get_input():
                yield context.create_timer(context.current_utc_datetime + timedelta(days=days))
                yield context.call_activity("remind", days)

        @app.orchestration_trigger(context_name="context")
        def endless(context):
            context.continue_as_new(None)

        @app.activity_trigger(input_name="days")
        async def remind(days: float) -> None:
            await asyncio.sleep(0)
            self.note(f"reminded {days}")

        @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
        def minutely(timer: func.TimerRequest) -> None:
            self.note("minute")

        @app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
        def nightly(timer: func.TimerRequest) -> None:
            self.note("night")


async def at_noon(d: Driver) -> datetime:
    """Move the clock to half a minute past noon, and forget what ran on the way."""
    noon = (datetime.now(UTC) + timedelta(days=2)).replace(hour=12, minute=0, second=30, microsecond=0)
    answer = await d.http.post(CLOCK, json={"to": noon.isoformat()})
    assert answer.status_code == 200
    return noon


async def test_the_clock_shows_utc_until_it_is_advanced(drive: Drive) -> None:
    async with drive(Diary().app) as d:
        shown = datetime.fromisoformat((await d.http.get(CLOCK)).json()["now"])
        assert abs(shown - datetime.now(UTC)) < timedelta(minutes=1)


async def test_advancing_answers_with_the_new_time_and_writes_the_offset_for_the_app(
    drive: Drive, tmp_path: Path
) -> None:
    async with drive(Diary().app) as d:
        now = datetime.fromisoformat(await d.advance("P14D"))
        assert (
            timedelta(days=14)
            <= now - datetime.now(UTC) + timedelta(minutes=1)
            < timedelta(days=14, minutes=2)
        )
        offset = int((tmp_path / "data" / "clock-offset").read_text())
        assert timedelta(days=13, hours=23) < timedelta(microseconds=offset) <= timedelta(days=14)


async def test_the_offset_survives_a_restart_and_a_lost_file(drive: Drive, tmp_path: Path) -> None:
    file = tmp_path / "data" / "clock-offset"
    async with drive(Diary().app) as d:
        await d.advance("P14D")
        offset = file.read_text()
    file.unlink()
    async with drive(Diary().app) as d:
        assert file.read_text() == offset
        now = datetime.fromisoformat((await d.http.get(CLOCK)).json()["now"])
        assert now - datetime.now(UTC) > timedelta(days=13, hours=23)


async def test_each_due_time_is_stepped_to_and_everything_due_is_done_before_the_next(drive: Drive) -> None:
    diary = Diary()
    async with drive(diary.app) as d:
        noon = await at_noon(d)
        diary.notes.clear()
        await d.start("reminder", "a", [1, 2])
        await d.start("reminder", "b", [2, 0.5])
        await d.advance("P4D")
        seen = [
            (what, round((at - noon) / timedelta(days=1), 3)) for what, at in diary.notes if "rem" in what
        ]
        assert seen == [("reminded 1", 1), ("reminded 2", 2), ("reminded 0.5", 2.5), ("reminded 2", 3)]


async def test_a_timer_function_runs_first_and_last_in_each_gap_between_durable_due_times(
    drive: Drive,
) -> None:
    diary = Diary()
    async with drive(diary.app) as d:
        noon = await at_noon(d)
        diary.notes.clear()
        await d.start("reminder", "a", [0.5])
        await d.advance("P1D")
        seen = [(what, round((at - noon).total_seconds())) for what, at in diary.notes]
        half, whole = 43_200, 86_400
        assert seen == [
            ("minute", 30),
            ("minute", half - 30),
            ("reminded 0.5", half),
            ("minute", half + 30),
            ("night", 15 * 3600 - 30),
            ("minute", whole - 30),
        ]


async def test_a_timer_function_runs_first_and_last_in_each_twelve_hours_without_a_durable_due_time(
    drive: Drive,
) -> None:
    diary = Diary()
    async with drive(diary.app) as d:
        noon = await at_noon(d)
        diary.notes.clear()
        await d.advance("P1DT6H")
        seen = [round((at - noon).total_seconds()) for what, at in diary.notes if what == "minute"]
        half, whole = 43_200, 86_400
        assert seen == [30, half - 30, half + 30, whole - 30, whole + 30, whole + half // 2 - 30]


async def test_every_occurrence_runs_on_request(drive: Drive) -> None:
    diary = Diary()
    async with drive(diary.app) as d:
        await at_noon(d)
        diary.notes.clear()
        await d.advance("PT1H", timers="every")
        assert diary.whats() == ["minute"] * 60


async def test_advancing_by_nothing_waits_for_what_is_due_now(drive: Drive) -> None:
    diary = Diary()
    async with drive(diary.app) as d:
        await d.start("reminder", "a", [0, 0, 0])
        await d.advance("PT0S")
        assert diary.whats().count("reminded 0") == 3
        assert (await d.status("a"))["runtimeStatus"] == "Completed"


async def test_advancing_waits_for_what_functions_left_running_after_their_answers(drive: Drive) -> None:
    app, done = new_app(), list[str]()
    started: set[asyncio.Task[None]] = set()

    async def later() -> None:
        for _ in range(1_000):
            await asyncio.sleep(0)
        done.append("later")

    @app.route(route="leave", methods=["POST"])
    async def leave(req: func.HttpRequest) -> func.HttpResponse:
        started.add(asyncio.create_task(later()))
        return func.HttpResponse(str(len(done)))

    async with drive(app) as d:
        answer = await d.http.post("/api/leave")
        assert answer.text == "0"
        await d.advance("PT0S")
        assert done == ["later"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"advance": "-P1D"}, "only goes forward"),
        ({"to": "2020-01-01T00:00:00Z"}, "only goes forward"),
        ({"advance": "-P1Y"}, "only goes forward"),
        ({"advance": "two days"}, "'two days' is not an ISO 8601 duration"),
        ({"advance": 14}, "'14' is not a text"),
        ({"to": "soon"}, "'soon' is not an ISO 8601 time"),
        ({"advance": "P1D", "to": "2100-01-01T00:00:00Z"}, "either 'advance' or 'to'"),
        ({}, "either 'advance' or 'to'"),
        ([], "either 'advance' or 'to'"),
        ({"advance": "P1D", "timers": "none"}, 'only "timers": "every"'),
        ({"advance": "P9999Y"}, "beyond the years 1 to 9999"),
    ],
)
async def test_an_impossible_move_is_refused_with_a_reason(drive: Drive, body: object, sentence: str) -> None:
    async with drive(idle_app()) as d:
        answer = await d.http.post(CLOCK, content=json.dumps(body))
        assert answer.status_code == 400
        assert sentence in answer.json()["error"]


async def test_a_body_that_is_not_json_is_refused(drive: Drive) -> None:
    async with drive(idle_app()) as d:
        answer = await d.http.post(CLOCK, content="P1D")
        assert answer.status_code == 400
        assert "not JSON" in answer.json()["error"]


async def test_an_instance_that_is_never_idle_ends_the_advance_and_is_named(drive: Drive) -> None:
    async with drive(Diary().app) as d:
        await d.start("endless", "restless")
        answer = await d.http.post(CLOCK, json={"advance": "PT0S"})
        assert answer.status_code == 409
        assert "Instance 'restless' ran more than" in answer.json()["error"]
        await d.http.post("/durabletask/instances/restless/terminate")
        await d.settle()
        assert (await d.status("restless"))["runtimeStatus"] == "Terminated"


async def test_advances_at_the_same_time_follow_one_another_while_requests_are_served(drive: Drive) -> None:
    diary = Diary()
    async with drive(diary.app) as d:
        await d.start("reminder", "a", [1] * 20)
        before = datetime.now(UTC)
        first, second = asyncio.create_task(d.advance("P10D")), asyncio.create_task(d.advance("P10D"))
        while not first.done():
            assert (await d.http.get("/admin/host/ping")).status_code == 200
        await first
        assert datetime.fromisoformat(await second) - before >= timedelta(days=20)


def test_the_clock_does_not_go_back_when_the_wall_clock_does(tmp_path: Path) -> None:
    wall = [5_000_000]
    clock = DomainClock(tmp_path / "clock-offset", 7, lambda: wall[0])
    assert clock.now() == 5_007
    wall[0] = 1_000_000
    assert clock.now() == 5_007

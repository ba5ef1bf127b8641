"""NCRONTAB and time spans, as pure functions; and timer functions on a host."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func
import pytest

from devhost import StartError
from devhost.schedule import parse_schedule
from devhost.timestamps import from_datetime, from_text, to_datetime
from tests.devhost.conftest import Drive
from tests.devhost.driver import new_app


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0 */5 * * * *", "2026-03-01T10:02:00Z", "2026-03-01T10:05:00Z"),
        ("*/5 * * * *", "2026-03-01T10:02:00Z", "2026-03-01T10:05:00Z"),
        ("30 * * * * *", "2026-03-01T10:02:30Z", "2026-03-01T10:03:30Z"),
        ("0 0 9 * * MON-FRI", "2026-03-06T09:00:00Z", "2026-03-09T09:00:00Z"),
        ("0 0 9 * * 0", "2026-03-06T09:00:00Z", "2026-03-08T09:00:00Z"),
        ("0 0 9 * * */7", "2026-03-06T09:00:00Z", "2026-03-08T09:00:00Z"),
        ("23:59:59", "2026-03-01T00:00:00Z", "2026-03-01T23:59:59Z"),
        ("0 0 0 13 * 5", "2026-03-14T00:00:00Z", "2026-11-13T00:00:00Z"),
        ("0 0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("00:30:00", "2026-03-01T10:02:00Z", "2026-03-01T10:32:00Z"),
        ("1.00:00:00", "2026-03-01T10:02:00Z", "2026-03-02T10:02:00Z"),
        ("%CLEANUP%", "2026-03-01T10:02:00Z", "2026-03-01T11:00:00Z"),
    ],
)
def test_the_next_occurrence(schedule: str, after: str, expected: str) -> None:
    parsed = parse_schedule(schedule, {"CLEANUP": "0 0 * * * *"})
    assert parsed.after(from_text(after)) == from_text(expected)


@pytest.mark.parametrize(
    ("schedule", "first", "until", "expected"),
    [
        ("0 * * * * *", "2026-03-01T10:00:00Z", "2026-03-15T10:00:30Z", "2026-03-15T10:00:00Z"),
        ("0 * * * * *", "2026-03-01T10:00:00Z", "2026-03-15T10:00:00Z", "2026-03-15T10:00:00Z"),
        ("0 * * * * *", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00.500000Z", "2026-03-01T10:00:00Z"),
        ("0 * * * * *", "2026-03-01T10:00:00Z", "2026-03-01T09:59:59Z", None),
        ("00:30:00", "2026-03-01T10:02:00Z", "2026-03-01T12:00:00Z", "2026-03-01T11:32:00Z"),
        ("00:30:00", "2026-03-01T10:02:00Z", "2026-03-01T10:00:00Z", None),
    ],
)
def test_the_last_occurrence_until(schedule: str, first: str, until: str, expected: str | None) -> None:
    last = parse_schedule(schedule, {}).last(from_text(first), from_text(until))
    assert last == (None if expected is None else from_text(expected))


def test_a_schedule_follows_the_time_zone_of_the_app() -> None:
    seoul = parse_schedule("0 0 9 * * *", {"WEBSITE_TIME_ZONE": "Asia/Seoul"})
    assert to_datetime(seoul.after(from_datetime(datetime(2026, 3, 1, tzinfo=UTC)))).hour == 0


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("0 61 * * * *", "Bad minute"),
        ("* *", "Wrong number of fields"),
        ("hourly", "'hourly' is not a time span"),
        ("00:00:00", "longer than zero"),
        ("%NOWHERE%", "the setting 'NOWHERE', which is not set"),
        ("0 0 0 31 2 *", "cannot be used"),
        ("0 0 0 L * *", "the platform does not accept 'L'"),
        ("0 0 0 LW * *", "the platform does not accept 'LW'"),
        ("0 0 0 * * 5L", "the platform does not accept '5L'"),
        ("0 0 0 * * 1#2", "the platform does not accept '1#2'"),
        ("0\t0 0 * * *", "the platform does not accept '0\t0'"),
        ("0 0 0 * * 7", "the platform does not accept 7"),
        ("0 0 0 * * 1-7", "the platform does not accept 7"),
        ("24:00:00", "write it as hh:mm:ss or d.hh:mm:ss"),
        ("00:60:00", "write it as hh:mm:ss or d.hh:mm:ss"),
        ("00:00:60", "write it as hh:mm:ss or d.hh:mm:ss"),
    ],
)
def test_a_schedule_that_cannot_be_used_is_refused(schedule: str, sentence: str) -> None:
    with pytest.raises(StartError, match=sentence):
        parse_schedule(schedule, {})


async def test_a_schedule_that_cannot_be_used_is_refused_with_the_function_s_name(drive: Drive) -> None:
    with pytest.raises(StartError, match="Timer function 'ring' cannot run"):
        async with drive(Bell("0 0 0 L * *").app):
            pass


class Bell:
    def __init__(self, schedule: str, *, on_startup: bool = False, failing: bool = False) -> None:
        self.rings: list[bool] = []
        self.statuses: list[dict] = []
        self.app = new_app()

        @self.app.orchestration_trigger(context_name="context")
        def rung(context):
            return None

        @self.app.timer_trigger(arg_name="timer", schedule=schedule, run_on_startup=on_startup)
        @self.app.durable_client_input(client_name="client")
        async def ring(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
            self.rings.append(timer.past_due)
            self.statuses.append(timer.schedule_status)
            await client.start_new("rung", f"ring-{len(self.rings)}")
            if failing:
                raise ValueError("broken bell")


async def test_a_timer_function_has_a_durable_client(drive: Drive) -> None:
    bell = Bell("0 0 * * * *")
    async with drive(bell.app) as d:
        await d.advance("PT1H")
        assert (await d.status("ring-1"))["runtimeStatus"] == "Completed"


async def test_a_timer_function_that_fails_is_logged_and_runs_again(
    drive: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    bell = Bell("0 0 * * * *", failing=True)
    async with drive(bell.app) as d:
        await d.advance("PT1H")
        await d.advance("PT1H")
        assert len(bell.rings) == 2
        assert "timer.failed name=ring" in caplog.text
        assert "broken bell" in caplog.text


async def test_a_timer_function_may_run_at_start(drive: Drive) -> None:
    bell = Bell("0 0 0 1 1 *", on_startup=True)
    async with drive(bell.app) as d:
        await d.settle()
        assert bell.rings == [False]


async def test_runs_missed_while_down_are_made_up_for_once_and_marked_as_past_due(
    drive: Drive, tmp_path: Path
) -> None:
    from devhost.store import Store, TimerStatus, writes

    async with drive(Bell("0 0 * * * *").app) as d:
        await d.advance("PT1H")
        now = d.host.clock.now()
    store = Store.open(tmp_path / "data")
    hour = 3_600_000_000
    missed = TimerStatus("0 0 * * * *", now - 5 * hour, now - 4 * hour, now - 5 * hour)
    await store.write(writes.save_timer_status, "ring", missed)
    await store.close()
    bell = Bell("0 0 * * * *")
    async with drive(bell.app) as d:
        await d.settle()
        assert bell.rings == [True]
        await d.advance("PT1H")
        assert bell.rings == [True, False]


async def test_a_run_gets_the_time_of_the_previous_one(drive: Drive) -> None:
    bell = Bell("0 0 * * * *")
    async with drive(bell.app) as d:
        await d.advance("PT1H")
        await d.advance("PT1H")
        last, following = (datetime.fromisoformat(bell.statuses[1][name]) for name in ("Last", "Next"))
        assert bell.statuses[0] == {}
        assert following - last in (timedelta(hours=1), timedelta(hours=2))


async def test_a_timer_function_can_be_run_by_hand_and_others_cannot(drive: Drive) -> None:
    bell = Bell("0 0 0 1 1 *")
    async with drive(bell.app) as d:
        assert (await d.http.post("/admin/functions/ring", json={"input": ""})).status_code == 202
        await d.settle()
        assert bell.rings == [False]
        assert (await d.http.post("/admin/functions/rung", json={})).status_code == 404


async def test_runs_of_one_timer_function_never_overlap(
    drive: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    import asyncio

    app, gate, runs = new_app(), asyncio.Event(), []

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
    async def slow(timer: func.TimerRequest) -> None:
        runs.append("begun")
        await gate.wait()
        runs.append("ended")

    async with drive(app) as d:
        with caplog.at_level(logging.WARNING, "devhost"):
            await d.http.post("/admin/functions/slow", json={})
            await d.http.post("/admin/functions/slow", json={})
        gate.set()
        await d.settle()
        assert runs == ["begun", "ended"]
        assert "timer.still_running name=slow" in caplog.text

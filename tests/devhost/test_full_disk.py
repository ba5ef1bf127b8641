"""A full disk: what is not stored is not acknowledged, and what must be stored waits for space."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func
import pytest

from devhost import activities
from devhost.history import Event, EventType
from devhost.meter import WorkMeter
from devhost.repeated_writes import RepeatedWrites
from devhost.store import ActivityRecord, Store, reads, writes
from devhost.store.writer import Writer
from devhost.timestamps import Micros
from tests.devhost.conftest import Drive
from tests.devhost.driver import Driver, new_app

LARGE = "x" * 100_000
"""What takes room; a small row may fit into a page that is there."""


def no_room(connection: sqlite3.Connection) -> None:
    """Stop the file from growing, as on a full disk."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def read_only(connection: sqlite3.Connection) -> None:
    """Refuse every write, as on a disk that became read-only."""
    connection.execute("PRAGMA query_only = ON")


def room(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = OFF")
    connection.execute("PRAGMA max_page_count = 1000000000")


class Storehouse:
    """An app whose functions wait until the test releases them."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gate = threading.Event()

    def app(self) -> df.DFApp:
        app = new_app()

        @app.orchestration_trigger(context_name="context")
        def carrying(context):
            return len((yield context.call_activity("carry", None)))

        @app.orchestration_trigger(context_name="context")
        def ordering(context):
            self.hold("ordering")
            return (yield context.call_activity("count", LARGE))

        @app.orchestration_trigger(context_name="context")
        def parked(context):
            return len((yield context.wait_for_external_event("go")))

        @app.activity_trigger(input_name="nothing")
        def carry(nothing) -> str:
            self.hold("carry")
            return LARGE

        @app.activity_trigger(input_name="text")
        def count(text: str) -> int:
            return len(text)

        @app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
        async def nightly(timer: func.TimerRequest) -> None:
            self.begun.append("nightly")

        return app

    def hold(self, name: str) -> None:
        self.begun.append(name)
        assert self.gate.wait(30)


@pytest.fixture
def storehouse():
    made = Storehouse()
    yield made
    made.gate.set()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads and in the log
            await asyncio.sleep(0.005)


def on(d: Driver, change: Callable[[sqlite3.Connection], None]) -> None:
    """Change the limits of the writing connection."""
    change(d.host._store._connection)


@pytest.mark.parametrize("disk", [no_room, read_only])
async def test_a_command_that_cannot_be_stored_is_not_acknowledged(
    drive: Drive, storehouse: Storehouse, disk: Callable[[sqlite3.Connection], None]
) -> None:
    async with drive(storehouse.app()) as d:
        await d.start("parked")
        await d.settle()
        on(d, disk)
        commands = {
            "/durabletask/orchestrators/parked/two": f'"{LARGE}"',
            "/durabletask/instances/one/raiseEvent/go": f'"{LARGE}"',
            f"/durabletask/instances/one/terminate?reason={LARGE[:7000]}": "",
        }
        headers = {"Content-Type": "application/json"}
        for path, content in commands.items():
            answer = await d.http.post(path, content=content, headers=headers)
            assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5"), path
            assert answer.json()["Message"].startswith("Nothing was stored: "), path
        assert (await d.http.get("/durabletask/instances/two")).status_code == 404
        on(d, room)
        assert (await d.outcome())[0] == "Running"
        await d.raise_event("go", LARGE)
        assert await d.outcome() == ("Completed", len(LARGE))


@pytest.mark.parametrize("disk", [no_room, read_only])
@pytest.mark.parametrize(("orchestrator", "holds"), [("carrying", "carry"), ("ordering", "ordering")])
async def test_a_result_or_a_turn_that_cannot_be_stored_waits_for_space(
    *,
    drive: Drive,
    storehouse: Storehouse,
    caplog: pytest.LogCaptureFixture,
    disk: Callable[[sqlite3.Connection], None],
    orchestrator: str,
    holds: str,
) -> None:
    async with drive(storehouse.app()) as d:
        await d.start(orchestrator)
        await until(lambda: holds in storehouse.begun)
        on(d, disk)
        storehouse.gate.set()
        await until(lambda: "store.waits_for_the_disk" in caplog.text)
        assert (await d.status())["runtimeStatus"] in {"Pending", "Running"}
        clock = await d.http.post("/admin/devhost/clock", json={"advance": "PT0S"})
        assert clock.status_code == 503
        assert "Work waits for the disk of the data directory" in clock.json()["error"]
        on(d, room)
        await until(lambda: d.host._meter.is_idle)
        assert await d.outcome() == ("Completed", len(LARGE))
    assert storehouse.begun.count("carry") == (orchestrator == "carrying")


@pytest.mark.parametrize(("orchestrator", "holds"), [("carrying", "carry"), ("ordering", "ordering")])
async def test_work_that_waits_for_space_at_the_stop_is_done_at_the_next_start(
    drive: Drive, storehouse: Storehouse, caplog: pytest.LogCaptureFixture, orchestrator: str, holds: str
) -> None:
    async with drive(storehouse.app()) as d:
        await d.start(orchestrator)
        await until(lambda: holds in storehouse.begun)
        on(d, read_only)
        storehouse.gate.set()
        await until(lambda: "store.waits_for_the_disk" in caplog.text)
    async with drive(storehouse.app()) as d:
        assert await d.outcome() == ("Completed", len(LARGE))


async def test_a_clock_that_cannot_be_stored_is_not_moved(drive: Drive, storehouse: Storehouse) -> None:
    async with drive(storehouse.app()) as d:
        before = await d.advance("PT1H")
        on(d, read_only)
        answer = await d.http.post("/admin/devhost/clock", json={"advance": "P1D"})
        assert answer.status_code == 503
        assert "could not be stored" in answer.json()["error"]
        assert (await d.http.get("/admin/devhost/clock")).json()["now"][:16] == before[:16]
        on(d, room)
        assert await d.advance("P1D") > before


async def test_an_instance_that_cannot_be_read_now_is_read_again(
    drive: Drive, storehouse: Storehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, refusals = reads.history, []

    def refusing(connection: sqlite3.Connection, key: int) -> str:
        if not refusals:
            refusals.append(sqlite3.OperationalError("disk I/O error"))
            refusals[0].sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
            raise refusals[0]
        return read(connection, key)

    monkeypatch.setattr(reads, "history", refusing)
    storehouse.gate.set()
    async with drive(storehouse.app()) as d:
        await d.start("carrying")
        async with asyncio.timeout(30):
            while (await d.outcome())[0] != "Completed":
                await d.http.get("/admin/host/ping")


async def test_a_result_that_can_never_be_stored_fails_its_task(
    drive: Drive, storehouse: Storehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(connection: sqlite3.Connection, activity: ActivityRecord, event: Event, now: Micros) -> bool:
        if event["EventType"] == EventType.TASK_COMPLETED:
            raise sqlite3.DataError("string or blob too big")
        return writes.complete_activity(connection, activity, event, now)

    monkeypatch.setattr(activities, "complete_activity", refusing)
    storehouse.gate.set()
    async with drive(storehouse.app()) as d:
        await d.start("carrying")
        status, output = await d.outcome()
        assert status == "Failed"
        assert "its result cannot be stored: DataError: string or blob too big" in output


async def test_a_timer_function_whose_run_cannot_be_recorded_has_run(
    drive: Drive, storehouse: Storehouse
) -> None:
    async with drive(storehouse.app()) as d:
        on(d, read_only)
        await d.http.post("/admin/functions/nightly")
        await until(lambda: d.host._meter.is_idle)
        await d.settle()
        assert storehouse.begun == ["nightly"]


async def test_the_time_between_attempts_grows(tmp_path: Path) -> None:
    store, pauses = Store.open(tmp_path), []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            room(store._connection)

    read_only(store._connection)
    repeated = RepeatedWrites(store, WorkMeter(), sleep)
    await repeated.write(lambda connection: connection.execute("INSERT INTO settings VALUES ('a', 'b')"))
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    await store.close()


async def test_a_unit_that_fails_for_another_reason_is_not_repeated(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await RepeatedWrites(store, WorkMeter()).write(
            lambda connection: connection.execute("DELETE FROM missing")
        )
    await store.close()


class Stubborn(sqlite3.Connection):
    """A connection whose next commit fails, and then the rollback, each once."""

    refused: set[str]

    def execute(self, statement: str, *parameters: object) -> sqlite3.Cursor:  # type: ignore[override]
        if statement in {"COMMIT", "ROLLBACK"} - self.refused:
            self.refused.add(statement)
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(statement, *parameters)


async def test_a_failed_rollback_is_repeated_before_the_next_commit(tmp_path: Path) -> None:
    connection = sqlite3.connect(
        tmp_path / "file", isolation_level=None, check_same_thread=False, factory=Stubborn
    )
    connection.refused = {"COMMIT", "ROLLBACK"}
    connection.execute("CREATE TABLE notes (text)")
    connection.refused.clear()
    writer = Writer(connection, asyncio.get_running_loop())
    writer.start()

    def note(text: str) -> Callable[[sqlite3.Connection], object]:
        return lambda c: c.execute("INSERT INTO notes VALUES (?)", (text,))

    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        await writer.submit(note("lost"))
    assert connection.in_transaction
    await writer.submit(note("kept"))
    assert connection.execute("SELECT text FROM notes").fetchall() == [("kept",)]
    await writer.stop()
    connection.close()

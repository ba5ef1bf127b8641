"""The command line: its one line at start, its signals, and the sentence for each thing that prevents a start."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]

HELLO = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return GREETING
"""
GREETING = "import os\nfrom pathlib import Path\nGREETING = os.environ.get('GREETING', 'Hello')\n"
SHOWS_CLOCK = GREETING + "GREETING = Path(os.environ['CLOCK_OFFSET_FILE']).read_text()\n"


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "devhost", "--app", str(folder), "--data", str(folder / "data"), *more]


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)} | more


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def refused(folder: Path, *more: str) -> str:
    done = subprocess.run(
        command(folder, "--port", "0", *more),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    return done.stderr


class Running:
    def __init__(self, folder: Path, **variables: str) -> None:
        self._process = subprocess.Popen(
            command(folder, "--port", "0"),
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("Ready: http://127.0.0.1:")
        self.url = line.removeprefix("Ready: ").strip()

    def end(self, number: int) -> int:
        self._process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        _, _ = self._process.communicate(timeout=60)
        return self._process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_ends_with_zero(tmp_path: Path, number: int) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    running = Running(tmp_path)
    assert httpx.get(f"{running.url}/api/hello").text == "Hello"
    assert running.end(number) == 0


def test_the_clock_file_is_there_before_the_app_is_imported(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=SHOWS_CLOCK + HELLO)
    running = Running(tmp_path)
    assert httpx.get(f"{running.url}/api/hello").text == "0\n"
    assert running.end(signal.SIGTERM) == 0


def test_the_app_is_told_that_the_task_hub_lies_elsewhere_than_in_azure_storage(tmp_path: Path) -> None:
    provider = "AzureFunctionsJobHost__extensions__durableTask__storageProvider__type"
    shows = GREETING + f"GREETING = os.environ['{provider}']\n"
    write(tmp_path, function_app__py=HELLO + shows)
    running = Running(tmp_path)
    assert httpx.get(f"{running.url}/api/hello").text == "devhost"
    running.end(signal.SIGTERM)


def test_local_settings_become_environment_variables_unless_they_are_set(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    write(tmp_path, local__settings__json='{"IsEncrypted": false, "Values": {"GREETING": "Good day"}}')
    for variables, greeting in (({}, "Good day"), ({"GREETING": "Hi"}, "Hi")):
        running = Running(tmp_path, **variables)
        assert httpx.get(f"{running.url}/api/hello").text == greeting
        running.end(signal.SIGTERM)


def test_it_ends_even_if_a_function_in_a_thread_does_not(tmp_path: Path) -> None:
    hanging = GREETING + HELLO.replace("return GREETING", "import threading; threading.Event().wait()")
    write(tmp_path, function_app__py=hanging)
    running = Running(tmp_path)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{running.url}/api/hello", timeout=0.2)
    assert running.end(signal.SIGTERM) == 0


def test_a_folder_without_an_app_is_refused(tmp_path: Path) -> None:
    assert "There is no function_app.py in" in refused(tmp_path)


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} on 127.0.0.1 cannot be used" in refused(tmp_path, "--port", str(port))


def test_an_app_that_cannot_be_imported_is_refused_with_its_traceback(tmp_path: Path) -> None:
    write(tmp_path, function_app__py="import nowhere_to_be_found\n")
    text = refused(tmp_path)
    assert (
        "cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found'"
        in text.splitlines()[0]
    )
    assert "Traceback" in text


def test_a_host_json_that_is_not_json_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO, host__json="{")
    assert "host.json is not valid JSON" in refused(tmp_path)


def test_a_local_settings_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO, local__settings__json="[]")
    assert "local.settings.json cannot be read" in refused(tmp_path)


def test_a_forward_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    assert "--forward 'mail' cannot be read" in refused(tmp_path, "--forward", "mail")


def test_an_app_with_an_unsupported_trigger_is_refused(tmp_path: Path) -> None:
    queue = (
        "import azure.functions as func\napp = func.FunctionApp()\n"
        "@app.queue_trigger(arg_name='m', queue_name='q', connection='c')\ndef take(m): ...\n"
    )
    write(tmp_path, function_app__py=queue)
    assert "Function 'take' has the trigger 'queueTrigger', which devhost does not support" in refused(
        tmp_path
    )


def test_an_impossible_port_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    assert "Port 70000 on 127.0.0.1 cannot be used" in refused(tmp_path, "--port", "70000")


def test_a_data_folder_that_another_host_uses_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    running = Running(tmp_path)
    assert f"Another devhost uses {tmp_path / 'data'}" in refused(tmp_path)
    running.end(signal.SIGTERM)


def state(folder: Path) -> Path:
    return folder / "data" / "devhost.sqlite3"


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A folder with an app that ran here, whose state takes a few hundred pages."""
    write(tmp_path, function_app__py=GREETING + HELLO)
    running = Running(tmp_path)
    for number in range(20):
        url = f"{running.url}/durabletask/orchestrators/nobody/{number}"
        assert httpx.post(url, json="x" * 50_000).status_code == 202
    moved = httpx.post(f"{running.url}/admin/devhost/clock", json={"advance": "P2D"})
    assert moved.status_code == 200
    assert running.end(signal.SIGTERM) == 0
    return tmp_path


def text_file(file: Path) -> None:
    file.write_text("something else " * 100)


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def overwritten(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(3 * 4096)
        opened.write(os.urandom(40 * 4096))


def of_another_program(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE notes (text)")


def of_another_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (text_file, "is damaged (file is not a database)"),
        (cut_short, "is damaged ("),
        (emptied, "is damaged (it is empty, and was not)"),
        (overwritten, "is damaged ("),
        (of_another_program, "is another program's"),
        (of_another_version, "has version 99 of the layout, and this devhost reads version 1"),
        (a_folder, "cannot be opened for writing (unable to open database file)"),
    ],
)
def test_the_error_for_a_damaged_or_foreign_state_is_one_line_that_says_what_to_do(
    used: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(state(used))
    before = state(used).read_bytes() if state(used).is_file() else b""
    text = refused(used)
    assert message in text
    assert len(text.splitlines()) == 1
    assert "choose another --data" in text or "`python3 dev.py check --wake`" in text
    assert state(used).is_dir() or state(used).read_bytes() == before


def test_after_the_state_is_moved_away_a_new_one_starts_and_the_clock_does_not_go_back(used: Path) -> None:
    for file in (used / "data").glob("devhost.sqlite3*"):
        file.rename(used / file.name)
    running = Running(used)
    assert httpx.get(f"{running.url}/durabletask/instances").json() == []
    now = httpx.get(f"{running.url}/admin/devhost/clock").json()["now"]
    assert datetime.fromisoformat(now) > datetime.now(UTC) + timedelta(days=1)
    running.end(signal.SIGTERM)


def test_a_state_from_before_files_were_marked_is_accepted(used: Path) -> None:
    with closing(sqlite3.connect(state(used))) as connection:
        connection.execute("PRAGMA application_id = 0")
        connection.execute("PRAGMA user_version = 0")
    running = Running(used)
    assert len(httpx.get(f"{running.url}/durabletask/instances").json()) == 20
    assert running.end(signal.SIGTERM) == 0
    of_another_version(state(used))
    assert "has version 99 of the layout" in refused(used)


def test_a_host_that_was_killed_before_it_wrote_anything_can_be_started(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    (tmp_path / "data").mkdir()
    state(tmp_path).touch()
    assert Running(tmp_path).end(signal.SIGTERM) == 0


def test_a_state_whose_file_is_damaged_while_the_host_runs_ends_it(used: Path) -> None:
    running = Running(used)
    overwritten(state(used))
    with suppress(httpx.TransportError):
        httpx.get(f"{running.url}/durabletask/instances", params={"top": 100})
    assert running.ended() == 1


def test_a_data_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO, data="a file")
    text = refused(tmp_path)
    assert "cannot be made (File exists); choose another --data." in text
    assert len(text.splitlines()) == 1


def test_a_disk_that_cannot_be_written_is_refused(used: Path) -> None:
    (used / "data" / "lock").unlink()
    (used / "data" / "lock").mkdir()
    text = refused(used)
    assert "Nothing can be written in" in text
    assert len(text.splitlines()) == 1

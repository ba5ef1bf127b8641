"""The command line: its one line at start, its signals, and the sentence for each thing that prevents a start."""

import os
import signal
import socket
import subprocess
import sys
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
        timeout=30,
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
        _, _ = self._process.communicate(timeout=20)
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


def test_an_app_with_a_trigger_that_is_left_out_is_refused(tmp_path: Path) -> None:
    queue = (
        "import azure.functions as func\napp = func.FunctionApp()\n"
        "@app.queue_trigger(arg_name='m', queue_name='q', connection='c')\ndef take(m): ...\n"
    )
    write(tmp_path, function_app__py=queue)
    assert "Function 'take' has the trigger 'queueTrigger', which devhost leaves out" in refused(tmp_path)


def test_a_port_that_cannot_be_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    assert "Port 70000 on 127.0.0.1 cannot be used" in refused(tmp_path, "--port", "70000")


def test_a_data_folder_that_another_host_uses_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    running = Running(tmp_path)
    assert f"Another devhost uses {tmp_path / 'data'}" in refused(tmp_path)
    running.end(signal.SIGTERM)


def test_a_state_that_is_no_database_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "devhost.sqlite3").write_text("something else " * 100)
    assert "file is not a database" in refused(tmp_path)


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    write(tmp_path, function_app__py=GREETING + HELLO, data="a file")
    assert "cannot be made" in refused(tmp_path)

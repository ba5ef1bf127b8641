"""`dev.py migrate` on a data directory of an earlier version, and the service on it before and after."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.data.tables.aio import TableServiceClient

from localcloud import PROJECT, azurite
from localcloud.commands import dispatch, parser
from localcloud.errors import MemberError
from localcloud.process.locks import DataLock
from localcloud.stack.data_directory import DataDirectory
from localcloud.stack.stack import Stack
from shared.storage.azure_tables import AzureTables
from tests.examples.stored_data import data_of_version_1


@pytest.fixture(autouse=True)
def _no_service_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TABLES_ENDPOINT", "TABLES_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data directory whose service was of version 1."""
    with azurite.running(tmp_path) as running:
        tables = AzureTables(TableServiceClient.from_connection_string(running.connection_string))
        await data_of_version_1().load(tables)
        await tables.close()
    return tmp_path


@pytest.fixture
def started(data: Path) -> Iterator[Stack]:
    """The service on it; not started yet."""
    stack = Stack(data)
    yield stack
    stack.stop()


def get(url: str) -> tuple[int, str | None, dict[str, object]]:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, None, json.load(response)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Retry-After"], json.load(refused)


def migrate(data: Path) -> int:
    return dispatch.dispatch(parser.parse(["migrate", "--data", str(data)]))


def test_a_service_refuses_the_data_says_what_to_do_and_runs_after_the_migration(
    data: Path, started: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    started.start()
    status, retry_after, body = get(f"{started.url}/v1.0/engagements/referrals")
    assert (status, retry_after, body["error"]["code"]) == (503, "2", "serviceNotAvailable")  # type: ignore[index]
    assert "not set up correctly" in body["error"]["message"]  # type: ignore[index]
    status, _, body = get(f"{started.url}/healthz")
    assert (status, body["status"]) == (503, "notReady")
    assert "run `python3 dev.py migrate`" in started.data.log("devhost").read_text(encoding="utf-8")
    world = PROJECT / "samples" / "world.json"
    for command in (["check"], ["check", "--wake"], ["directory", "import", str(world)]):
        assert dispatch.dispatch(parser.parse([*command, "--data", str(data)])) == 2
        assert "The stored data is of version 1" in capfd.readouterr().err
    assert migrate(data) == 1
    assert "End it first" in capfd.readouterr().err
    started.stop()

    assert migrate(data) == 0
    assert "Version 1 to 2: 11 mails of 4 referrals have new keys." in capfd.readouterr().out
    assert migrate(data) == 0
    assert "nothing to do" in capfd.readouterr().out
    started.start()
    assert get(f"{started.url}/healthz")[0] == 200


def test_a_start_with_samples_says_what_to_do(data: Path) -> None:
    with pytest.raises(MemberError, match=r"run `python3 dev\.py migrate`"), Stack(data, samples=True):
        pass


def test_a_directory_without_data_is_not_migrated(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert migrate(tmp_path / "nothing") == 1
    assert "There is no data directory" in capfd.readouterr().err
    assert migrate(tmp_path) == 1
    assert "There is no data in this storage" in capfd.readouterr().err


def test_the_directory_is_free_again_when_the_migration_ends(tmp_path: Path) -> None:
    migrate(tmp_path)
    lock = DataLock(DataDirectory.prepared(tmp_path).lock)
    lock.acquire(timeout=0, report=lambda _line: None)
    lock.release()

"""Hardly any space left on the watched disk: commands are refused, reading goes on, and readiness says so."""

import json
from dataclasses import replace
from pathlib import Path

import azure.functions as func
import pytest

from api.http.request import Request
from api.http.response import Response
from api.platform.health import Health
from api.platform.mail_events import receive
from shared import disk
from shared.clock import wall_clock
from shared.disk import MIN_FREE_BYTES, require_free_space
from shared.errors import ConfigurationError, DiskFull
from shared.settings import read_settings
from shared.wiring import wiring
from tests.doubles.frame import Frame
from tests.doubles.service import SETTINGS

TOLD = "The service has no space left, so it only reads: its operator has to free some."


@pytest.fixture(autouse=True)
def _young_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is old and has not swept is not ready."""
    monkeypatch.setattr("api.platform.health.STARTED_AT", wall_clock())


@pytest.fixture
async def free(frame: Frame, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, int]:
    """What is free in which folder; the service watches one of them."""
    space = {str(tmp_path): MIN_FREE_BYTES}
    service = await wiring.service()
    watching = replace(SETTINGS, watched_disk=str(tmp_path))
    monkeypatch.setattr(wiring, "_service", replace(service, settings=watching))
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": space[folder]}))
    return space


def run_out(free: dict[str, int]) -> None:
    free.update(dict.fromkeys(free, MIN_FREE_BYTES - 1))


async def done(_: Request) -> Response:
    return Response(body={"done": True})


async def answer(frame: Frame, method: str, token: str | None = "any") -> func.HttpResponse:
    frame.declare(done, method)
    return await frame.call(done, token=token)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_command_is_refused_until_there_is_room_again(
    frame: Frame, free: dict[str, int], method: str
) -> None:
    assert (await answer(frame, method)).status_code == 200
    run_out(free)
    refused = await answer(frame, method)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    error = json.loads(refused.get_body())["error"]
    assert (error["code"], error["message"]) == ("serviceNotAvailable", TOLD)
    free.update(dict.fromkeys(free, MIN_FREE_BYTES))
    assert (await answer(frame, method)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_reading_goes_on(frame: Frame, free: dict[str, int], method: str) -> None:
    run_out(free)
    assert (await answer(frame, method)).status_code == 200


async def test_who_has_no_token_learns_nothing_of_the_disk(frame: Frame, free: dict[str, int]) -> None:
    run_out(free)
    assert (await answer(frame, "POST", token=None)).status_code == 401


async def test_readiness_says_so(free: dict[str, int]) -> None:
    assert (await Health(wiring.service).answer()).status == 200
    run_out(free)
    told = await Health(wiring.service).answer()
    assert (told.status, told.json()) == (
        503,
        {"status": "notReady", "reason": "The service has no space left."},
    )


async def test_reports_about_mails_are_not_taken(free: dict[str, int]) -> None:
    run_out(free)
    request = func.HttpRequest("POST", "http://x/mail-events", params={"key": "events-key"}, body=b"[]")
    with pytest.raises(DiskFull):
        await receive(request, await wiring.service())


@pytest.mark.parametrize("left", [0, 199_999_999])
def test_less_than_200_megabytes_is_too_little(left: int) -> None:
    with pytest.raises(DiskFull, match=f"has {left // 10**6} MB left"):
        require_free_space("anywhere", lambda _: left)


def test_200_megabytes_are_enough() -> None:
    require_free_space("anywhere", lambda _: 200_000_000)


def test_no_disk_is_watched_unless_a_setting_names_one() -> None:
    def nothing_free(_: str) -> int:
        raise AssertionError("looked at")

    require_free_space(None, nothing_free)
    mandatory = dict.fromkeys(
        ("MAIL_ENDPOINT", "MAIL_SENDER", "AUTH_AUDIENCE", "PORTAL_URL", "PUBLIC_URL"), "https://x"
    )
    environment = {**mandatory, "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    assert read_settings(environment).watched_disk is None
    assert read_settings({**environment, "WATCHED_DISK": ""}).watched_disk is None
    assert read_settings({**environment, "WATCHED_DISK": "/data"}).watched_disk == "/data"


def test_a_folder_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Set WATCHED_DISK to a folder"):
        require_free_space(str(tmp_path / "missing"))

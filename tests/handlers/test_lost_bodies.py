"""Bodies that the Functions host loses: a request that announces one and has none is not taken for an empty one."""

import json
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

from api.http.json_body import UnreadableBody
from api.http.problems import describe
from api.http.request import Request, Response, respond
from api.platform.mail_events import taken
from shared.domain.permissions import Caller
from shared.errors import Unauthenticated
from shared.storage.memory_tables import MemoryTables
from shared.wiring import wiring
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import service_on

SERVICE = service_on(MemoryTables(), MemoryMailService())
ANNOUNCED: list[dict[str, str]] = [
    {"Transfer-Encoding": "chunked"},
    {"transfer-encoding": "gzip, chunked"},
    {"TRANSFER-ENCODING": ""},
    {"content-length": "1"},
    {"Content-Length": "10"},
    {"Content-Length": "9" * 5000},
    {"Content-Length": "two"},
    {"Content-Length": "-1"},
    {"Content-Length": "²"},
    {"Content-Length": "0,5"},
]
NOT_ANNOUNCED: list[dict[str, str]] = [
    {},
    {"Content-Length": ""},
    {"Content-Length": "0"},
    {"content-length": " 00 "},
]


class Callers:
    """Knows whoever sends a token."""

    async def recognize(self, authorization: str | None) -> Caller | None:
        if authorization is None:
            raise Unauthenticated("Send a token.")
        return None


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that the handler was given."""
    callers: Any = Callers()
    monkeypatch.setattr(wiring, "_service", replace(SERVICE, callers=callers))
    return []


async def answer_to(
    handled: list[bytes], headers: dict[str, str], body: bytes = b"", token: str | None = "any"
) -> func.HttpResponse:
    async def handler(request: Request) -> Response:
        handled.append(request.content)
        return Response()

    if token:
        headers = {**headers, "Authorization": token}
    return await respond(func.HttpRequest("POST", "http://x/win", headers=headers, body=body), handler)


@pytest.mark.parametrize("headers", ANNOUNCED)
async def test_a_body_that_was_announced_and_is_not_there_is_refused(
    handled: list[bytes], headers: dict[str, str]
) -> None:
    refused = await answer_to(handled, headers)
    error = json.loads(refused.get_body())["error"]
    assert (refused.status_code, error["code"], handled) == (411, "invalidRequest", [])
    assert "Content-Length" in error["message"]


@pytest.mark.parametrize("headers", ANNOUNCED)
async def test_a_body_that_arrived_counts_however_it_was_announced(
    handled: list[bytes], headers: dict[str, str]
) -> None:
    assert (await answer_to(handled, headers, b"{}")).status_code == 200
    assert handled == [b"{}"]


@pytest.mark.parametrize("headers", NOT_ANNOUNCED)
async def test_a_request_may_have_no_body(handled: list[bytes], headers: dict[str, str]) -> None:
    assert (await answer_to(handled, headers)).status_code == 200
    assert handled == [b""]


async def test_whoever_has_no_token_is_told_that_first(handled: list[bytes]) -> None:
    assert (await answer_to(handled, ANNOUNCED[0], token=None)).status_code == 401


@pytest.mark.parametrize(("key", "status"), [("events-key", 411), ("wrong", 401)])
async def test_mail_events_that_did_not_arrive_are_not_taken_for_none(key: str, status: int) -> None:
    """Event Grid sends again what is answered by an error."""
    request = func.HttpRequest(
        "POST", "http://x/mail-events", headers=ANNOUNCED[0], params={"key": key}, body=b""
    )
    with pytest.raises((Unauthenticated, UnreadableBody)) as refused:
        await taken(request, SERVICE)
    assert describe(refused.value)["status"] == status

"""Bodies that the Functions host loses: a request that announces one and has none is not taken for an empty one."""

import json

import azure.functions as func
import pytest

from api.http.json_body import UnreadableBody
from api.http.problems import describe
from api.http.request import Request
from api.http.response import Response
from api.platform.mail_events import receive
from shared.errors import Unauthenticated
from shared.wiring import Service
from tests.doubles.frame import Frame

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


@pytest.fixture
def handled() -> list[bytes]:
    """The bodies that the handler was given."""
    return []


async def answer_to(
    frame: Frame, handled: list[bytes], headers: dict[str, str], body: bytes = b"", token: str | None = "any"
) -> func.HttpResponse:
    async def handler(request: Request) -> Response:
        handled.append(request.http.get_body())
        return Response()

    frame.declare(handler)
    return await frame.call(handler, body, headers=headers, token=token)


@pytest.mark.parametrize("headers", ANNOUNCED)
async def test_a_body_that_was_announced_and_is_not_there_is_refused(
    frame: Frame, handled: list[bytes], headers: dict[str, str]
) -> None:
    refused = await answer_to(frame, handled, headers)
    error = json.loads(refused.get_body())["error"]
    assert (refused.status_code, error["code"], handled) == (411, "invalidRequest", [])
    assert "Content-Length" in error["message"]


@pytest.mark.parametrize("headers", ANNOUNCED)
async def test_a_body_that_arrived_counts_however_it_was_announced(
    frame: Frame, handled: list[bytes], headers: dict[str, str]
) -> None:
    assert (await answer_to(frame, handled, headers, b"{}")).status_code == 200
    assert handled == [b"{}"]


@pytest.mark.parametrize("headers", NOT_ANNOUNCED)
async def test_a_request_may_have_no_body(
    frame: Frame, handled: list[bytes], headers: dict[str, str]
) -> None:
    assert (await answer_to(frame, handled, headers)).status_code == 200
    assert handled == [b""]


async def test_whoever_has_no_token_is_told_that_first(frame: Frame, handled: list[bytes]) -> None:
    assert (await answer_to(frame, handled, ANNOUNCED[0], token=None)).status_code == 401


@pytest.mark.parametrize(("key", "status"), [("events-key", 411), ("wrong", 401)])
async def test_mail_events_that_did_not_arrive_are_not_taken_for_none(
    small_service: Service, key: str, status: int
) -> None:
    """Event Grid sends again what is answered by an error."""
    request = func.HttpRequest(
        "POST", "http://x/mail-events", headers=ANNOUNCED[0], params={"key": key}, body=b""
    )
    with pytest.raises((Unauthenticated, UnreadableBody)) as refused:
        await receive(request, small_service)
    assert describe(refused.value)["status"] == status

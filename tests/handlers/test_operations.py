"""The frame of every operation: who is asked first, what a handler is given, and what becomes of its refusals."""

import html
import json
import logging
from functools import cache
from typing import Any

import pytest
from pydantic import BaseModel

from api import operations
from api.contract.pages import page
from api.http import operation as frame_module
from api.http.json_body import MAX_BYTES, UnreadableBody
from api.http.operation import OPERATIONS, operation
from api.http.paging import TOP
from api.http.problems import (
    BadQuery,
    Forbidden,
    IdempotencyConflict,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from api.http.request import PublicRequest, Request
from api.http.response import Response
from function_app import app
from shared.domain.refusals import Fault, Invalid, NotAllowed, TerminalState
from shared.errors import Contended, RecordUnreadable, StoreUnavailable
from tests.doubles.frame import Frame

ANYTHING: dict[str, Any] = {"type": "object"}


class Handled:
    """A handler that remembers the requests that reached it, and refuses when it is told to."""

    __name__ = "tried"

    def __init__(self, refusal: Exception | None = None) -> None:
        self.requests: list[Request] = []
        self._refusal = refusal

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        if self._refusal:
            raise self._refusal
        return Response(body={"done": True})


@pytest.fixture
def handled() -> Handled:
    return Handled()


# Declaring


async def tried(_: Request) -> Response:
    """One line about it.

    And what else
    is to be said.
    """
    return Response()


def test_two_operations_of_one_name_are_refused(frame: Frame) -> None:
    declare = operation("GET", "v1.0/tried", returns={200: None})
    declare(tried)
    with pytest.raises(ValueError, match="two operations named tried: rename one"):
        declare(tried)


def test_name_and_words_of_an_operation_are_its_functions(frame: Frame) -> None:
    frame.declare(tried, "PUT")
    (declared,) = frame_module.OPERATIONS.values()
    assert (declared.name, declared.method, declared.route) == ("tried", "PUT", "v1.0/tried")
    assert (declared.summary, declared.description) == ("One line about it.", "And what else is to be said.")


def test_a_model_alone_is_what_200_returns(frame: Frame) -> None:
    operation("GET", "v1.0/tried", returns=BaseModel)(tried)
    (declared,) = frame_module.OPERATIONS.values()
    assert declared.returns == {200: BaseModel}


@cache
def http_triggers() -> dict[str, Any]:
    """The app's HTTP triggers by function, in the order of their registration; the app gives them once."""
    functions = {function.get_function_name(): function.get_trigger() for function in app.get_functions()}
    return {name: trigger for name, trigger in functions.items() if trigger.type == "httpTrigger"}


def test_each_operation_of_the_service_has_an_address_and_a_function_of_its_name() -> None:
    assert operations.OPERATIONS is OPERATIONS
    addresses = {(each.method, each.route) for each in OPERATIONS.values()}
    assert len(addresses) == len(OPERATIONS) > 40
    found = {name: (str(each.methods[0].value), each.route) for name, each in http_triggers().items()}
    assert found == {each.name: (each.method, each.route) for each in OPERATIONS.values()}


def test_a_host_that_takes_the_first_route_that_matches_takes_the_right_one() -> None:
    """Some hosts do: `GET /v1.0/engagements/referrals` asks for no engagement named referrals."""
    routes = [str(trigger.route).split("/") for trigger in http_triggers().values()]
    for number, route in enumerate(routes):
        address = [part.replace("{", "a").replace("}", "z") for part in route]
        first = next(each for each in routes if matches(each, address))
        assert first == route, f"{'/'.join(first)} comes before {'/'.join(route)}, number {number}"


def matches(route: list[str], address: list[str]) -> bool:
    return len(route) == len(address) and all(
        part.startswith("{") or part == here for part, here in zip(route, address, strict=True)
    )


def test_each_operation_of_the_service_says_what_it_is_for() -> None:
    assert [each.name for each in OPERATIONS.values() if not each.summary.endswith(".")] == []


def test_the_page_of_the_contract_shows_all_that_is_said_of_each_operation() -> None:
    shown = html.unescape(page())
    assert [each.name for each in OPERATIONS.values() if each.summary not in shown] == []
    described = [each for each in OPERATIONS.values() if each.description]
    assert described
    assert [each.name for each in described if each.description not in shown] == []


# Callers


async def test_an_operation_gives_its_handler_the_recognized_caller(frame: Frame, handled: Handled) -> None:
    frame.declare(handled, "GET")
    assert (await frame.call(handled)).status_code == 200
    (request,) = handled.requests
    assert request.caller.member.id == "rae"
    assert request.body is None


async def test_whoever_has_no_token_is_told_that_before_anything_else(frame: Frame, handled: Handled) -> None:
    """Whatever else is wrong: an unknown option, a body that is no JSON, one that was lost."""
    frame.declare(handled, body=ANYTHING, query=())
    wrong: list[dict[str, Any]] = [
        {"params": {"unknown": "1"}},
        {"body": b"{"},
        {"body": b"{}", "headers": {"Content-Type": "text/plain"}},
        {"headers": {"Content-Length": "7"}},
        {},
    ]
    for each in wrong:
        refused = await frame.call(handled, token=None, **each)
        assert (refused.status_code, code_of(refused.get_body())) == (401, "unauthenticated")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert handled.requests == []


async def test_a_public_operation_needs_no_token(frame: Frame) -> None:
    async def shown(request: PublicRequest) -> Response:
        return Response(body={"method": request.method})

    frame.declare_public(shown)
    answer = await frame.call(shown, token=None)
    assert (answer.status_code, json.loads(answer.get_body())) == (200, {"method": "GET"})


async def test_refusals_of_a_public_operation_are_answers_too(frame: Frame) -> None:
    async def refused(_: PublicRequest) -> Response:
        raise UnreadableBody(400, "Send an array.")

    frame.declare_public(refused)
    answer = await frame.call(refused, token=None)
    assert (answer.status_code, code_of(answer.get_body())) == (400, "invalidRequest")


# Query options


async def test_options_that_an_operation_does_not_declare_are_refused_by_name(
    frame: Frame, handled: Handled
) -> None:
    frame.declare(handled, "GET", query=(TOP,))
    assert (await frame.call(handled, params={"$top": "1"})).status_code == 200
    refused = await frame.call(handled, params={"$top": "1", "$skip": "1"})
    assert (refused.status_code, code_of(refused.get_body())) == (400, "invalidRequest")
    assert "does not support $skip; it supports $top." in message_of(refused.get_body())
    assert len(handled.requests) == 1


async def test_where_no_options_are_declared_none_is_looked_at(frame: Frame, handled: Handled) -> None:
    frame.declare(handled, "GET")
    assert (await frame.call(handled, params={"$skip": "1"})).status_code == 200


async def test_an_operation_may_declare_that_it_takes_no_option(frame: Frame, handled: Handled) -> None:
    frame.declare(handled, "GET", query=())
    assert (await frame.call(handled, params={"$skip": "1"})).status_code == 400


# Bodies


async def test_a_body_is_read_once_and_given_as_json(
    frame: Frame, handled: Handled, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    load = frame_module.load_json

    def counting(raw: bytes) -> Any:
        read.append(raw)
        return load(raw)

    monkeypatch.setattr(frame_module, "load_json", counting)
    frame.declare(handled, body=ANYTHING)
    await frame.call(handled, {"name": "A deal"})
    await frame.call(handled)
    assert [request.body for request in handled.requests] == [{"name": "A deal"}, {}]
    assert read == [b'{"name": "A deal"}', b""]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [(b"{}", "text/plain", 415), (b'"' + b"x" * MAX_BYTES + b'"', "application/json", 413)],
    ids=["another type", "too large"],
)
async def test_a_body_that_is_not_taken_does_not_reach_the_handler(
    frame: Frame, handled: Handled, body: bytes, content_type: str, status: int
) -> None:
    frame.declare(handled, body=ANYTHING)
    refused = await frame.call(handled, body, headers={"Content-Type": content_type})
    assert (refused.status_code, code_of(refused.get_body())) == (status, "invalidRequest")
    assert handled.requests == []


@pytest.mark.parametrize("body", [b"{", b"\xff"], ids=["no JSON", "no UTF-8"])
async def test_a_body_that_cannot_be_read_is_refused_when_the_handler_asks_for_it(
    frame: Frame, body: bytes
) -> None:
    """Not before: whoever may not see the record is told that first (V5)."""
    reached: list[Request] = []

    async def handler(request: Request) -> Response:
        reached.append(request)
        return Response(body=request.body)

    frame.declare(handler, body=ANYTHING)
    refused = await frame.call(handler, body)
    assert (refused.status_code, code_of(refused.get_body())) == (400, "invalidRequest")
    assert len(reached) == 1


async def test_an_operation_says_which_media_types_it_takes(frame: Frame, handled: Handled) -> None:
    frame.declare(handled, "PATCH", body=ANYTHING, media_types=("application/json-patch+json",))
    for content_type, status in (("application/json-patch+json", 200), ("application/json", 415)):
        answer = await frame.call(handled, b"[]", headers={"Content-Type": content_type})
        assert answer.status_code == status


async def test_a_body_that_an_operation_does_not_take_is_not_looked_at(
    frame: Frame, handled: Handled
) -> None:
    frame.declare(handled)
    assert (await frame.call(handled, b"{")).status_code == 200
    assert [request.body for request in handled.requests] == [None]


@pytest.mark.parametrize(
    "name", ["Idempotency-Key", "client-request-id", "If-Match", "If-None-Match", "Prefer"]
)
async def test_a_header_that_is_not_utf_8_is_refused(frame: Frame, name: str) -> None:
    """Hosts hand on bytes that are not UTF-8 as lone surrogates, of which no key and no hash can be made."""

    async def handler(request: Request) -> Response:
        request.repeatable_context("tried")
        return Response(body={"sent": request.header(name)})

    frame.declare(handler, headers=(name,))
    refused = await frame.call(handler, headers={name: "a\udcff"})
    assert (refused.status_code, code_of(refused.get_body())) == (400, "invalidRequest")
    assert name in message_of(refused.get_body())
    assert (await frame.call(handler, headers={name: "é"})).status_code == 200


# Answers


REFUSALS: list[tuple[Exception, int, str]] = [
    (BadQuery("?"), 400, "invalidRequest"),
    (UnreadableBody(411, "?"), 411, "invalidRequest"),
    (Forbidden("?"), 403, "accessDenied"),
    (NotFound("?"), 404, "itemNotFound"),
    (NotAllowed("?"), 409, "notAllowed"),
    (TerminalState("?"), 409, "terminalState"),
    (IdempotencyConflict("?"), 409, "idempotencyConflict"),
    (PreconditionFailed('"2"'), 412, "resourceModified"),
    (PreconditionRequired("?"), 428, "preconditionFailed"),
    (Invalid((Fault("required", "/name", "?"),)), 422, "invalidRequest"),
    (RecordUnreadable("referrals/x/d:y", "?"), 500, "recordUnreadable"),
    (StoreUnavailable("?"), 503, "serviceNotAvailable"),
    (Contended("?"), 503, "serviceNotAvailable"),
]


@pytest.mark.parametrize(("refusal", "status", "code"), REFUSALS, ids=lambda each: type(each).__name__)
async def test_refusals_become_answers(frame: Frame, refusal: Exception, status: int, code: str) -> None:
    handler = Handled(refusal)
    frame.declare(handler)
    answer = await frame.call(handler)
    assert (answer.status_code, code_of(answer.get_body())) == (status, code)
    assert ("Retry-After" in answer.headers) == (status == 503)


async def test_a_defect_is_left_to_the_host(frame: Frame) -> None:
    """It answers 500, and its log has the traceback."""
    handler = Handled(ZeroDivisionError())
    frame.declare(handler)
    with pytest.raises(ZeroDivisionError):
        await frame.call(handler)


async def test_every_answer_has_the_headers_of_all_answers(frame: Frame, handled: Handled) -> None:
    frame.declare(handled)
    own = await frame.call(handled, headers={"client-request-id": "mine"})
    assert own.headers["client-request-id"] == "mine"
    assert own.headers["Cache-Control"] == "no-store"
    refused = await frame.call(handled, headers={"client-request-id": "bell\x07"}, token=None)
    assert refused.headers["request-id"]
    assert refused.headers["client-request-id"] not in {"", "bell\x07"}


async def test_each_answer_is_a_line_in_the_log(
    frame: Frame, handled: Handled, caplog: pytest.LogCaptureFixture
) -> None:
    """Which operation, how it ended and how long it took; nothing of the address or the caller."""
    frame.declare(handled, "GET", query=())
    with caplog.at_level(logging.INFO, "api.http.operation"):
        await frame.call(handled)
        await frame.call(handled, params={"customer": "Relecloud"})
    done, refused = caplog.messages
    assert done.startswith("answered operation=tried status=200 ms=")
    assert done.partition("ms=")[2].isdecimal()
    assert refused.startswith("answered operation=tried status=400 ms=")
    assert "Relecloud" not in caplog.text


def code_of(body: bytes) -> str:
    return json.loads(body)["error"]["code"]


def message_of(body: bytes) -> str:
    return json.loads(body)["error"]["message"]

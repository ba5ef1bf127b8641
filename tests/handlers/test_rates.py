"""Limits on requests: of a person, of an organization, and of an address without a token (docs/api.md)."""

import asyncio
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

from api.contract import pages
from api.http import operation
from api.http.operation import OPERATIONS
from api.http.rates import client_address
from api.http.request import PublicRequest, Request
from api.http.response import Response
from shared.auth.rate_limits import RateLimits
from shared.wiring import wiring
from tests.doubles.frame import Frame
from tests.doubles.service import NO_LIMITS


def limit(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    """From now on these limits count, and no others."""
    monkeypatch.setattr(wiring, "_rate_limits", RateLimits(replace(NO_LIMITS, **limits)))


def left(answer: func.HttpResponse) -> tuple[int, str | None, str | None]:
    """The status, the limit and what is left of it."""
    headers = answer.headers
    return answer.status_code, headers.get("RateLimit-Limit"), headers.get("RateLimit-Remaining")


async def handler(_request: Request) -> Response:
    """An operation."""
    return Response()


async def public_handler(_request: PublicRequest) -> Response:
    """An operation that needs no token."""
    return Response()


async def test_a_persons_requests_are_counted_and_the_next_is_refused(
    frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, requests_per_person=2)
    frame.declare(handler)
    assert [left(await frame.call(handler, token="rae")) for _ in range(3)] == [
        (200, "2", "1"),
        (200, "2", "0"),
        (429, "2", "0"),
    ]
    refused = await frame.call(handler, token="rae")
    assert b'"tooManyRequests"' in refused.get_body()
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert 0 < int(refused.headers["RateLimit-Reset"]) <= 60
    assert (await frame.call(handler, token="kim")).status_code == 200, "another person"


async def test_an_organizations_requests_count_together(
    frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, requests_per_person=2, requests_per_organization=3)
    frame.declare(handler)
    answers = [left(await frame.call(handler, token=each)) for each in ("a", "b", "c", "d")]
    assert answers == [(200, "2", "1"), (200, "2", "1"), (200, "3", "0"), (429, "3", "0")]


async def test_requests_at_once_are_not_admitted_beyond_the_limit(
    frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, requests_per_person=10)
    frame.declare(handler)
    answers = await asyncio.gather(*(frame.call(handler, token="rae") for _ in range(30)))
    assert sorted(each.status_code for each in answers) == [200] * 10 + [429] * 20


async def test_a_token_is_checked_before_the_limit_and_the_limit_before_the_request(
    frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, requests_per_person=1)
    frame.declare(handler, query=(), body={"type": "object"})
    assert (await frame.call(handler, token="rae", params={"unknown": "1"})).status_code == 400
    assert (await frame.call(handler, token="rae", params={"unknown": "1"})).status_code == 429
    assert (await frame.call(handler, token=None)).status_code == 401


async def test_errors_say_what_is_left_too(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, requests_per_person=5)
    frame.declare(handler, query=())
    assert left(await frame.call(handler, token="rae", params={"unknown": "1"})) == (400, "5", "4")


async def test_without_a_limit_no_response_speaks_of_one(frame: Frame) -> None:
    frame.declare(handler)
    assert left(await frame.call(handler, token="rae")) == (200, None, None)


async def test_what_needs_no_token_is_limited_by_address_where_it_says_so(
    frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, requests_per_address=1)
    frame.declare_public(public_handler, limited=True)

    async def status(forwarded: str) -> int:
        return (await frame.call(public_handler, headers={"X-Forwarded-For": forwarded})).status_code

    assert await status("203.0.113.1:5000") == 200
    assert await status("203.0.113.1:6000") == 429, "another connection of the same address"
    assert await status("198.51.100.7, 203.0.113.1:7000") == 429, "the client may send what it likes before"
    assert await status("203.0.113.2:5000") == 200


async def test_other_public_operations_are_never_limited(
    frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, requests_per_address=1)
    frame.declare_public(public_handler)
    assert [(await frame.call(public_handler)).status_code for _ in range(3)] == [200] * 3


def test_the_contract_and_its_page_are_limited_and_health_and_reports_are_not() -> None:
    limited = {name: each.limited for name, each in OPERATIONS.items() if each.public}
    assert limited == {
        pages.get_openapi.__name__: True,
        pages.get_docs.__name__: True,
        "get_health": False,
        "receive_mail_events": False,
        "get_choice": True,
        "choose_company": True,
    }


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("203.0.113.1:443", "203.0.113.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::2", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("x" * 9000, ""),
        ("999.1.1.1:80", ""),
        ("198.51.100.7, 203.0.113.1:443", "203.0.113.1"),
        ("203.0.113.1, ", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_the_address_is_the_last_that_the_front_end_wrote(forwarded: str | None, address: str) -> None:
    headers: Any = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert client_address(headers) == address


async def test_a_limit_without_settings_is_the_documented_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIMIT_REQUESTS_PER_PERSON", raising=False)
    allowance = await operation.wiring.__class__().rate_limits().person.count("somebody")
    assert allowance
    assert (allowance.limit, allowance.remaining) == (600, 599)

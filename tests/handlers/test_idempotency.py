"""How long and for what a key counts (C5), with the real handlers on tables in memory."""

from datetime import timedelta
from typing import Any

import pytest

from api.http.idempotency import KEY_LIVES
from api.http.response import Response
from api.referrals.create import create_referral
from api.referrals.invitations import create_invitations
from shared.storage.memory_tables import MemoryTables
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import deal, import_small_world
from tests.examples.referrals import NOW


@pytest.fixture
async def service() -> Any:
    service = service_on(MemoryTables(), None)  # type: ignore[arg-type] # no mail is sent here
    await import_small_world(service.tables)
    return service


async def made(
    service: Any, body: dict[str, Any], after: timedelta = timedelta(), who: str = "rae"
) -> Response:
    return await ask(service, who, create_referral, body, now=NOW + after, headers={"Idempotency-Key": "k"})


async def test_a_key_counts_for_seven_days_and_then_makes_a_new_deal(service: Any) -> None:
    first = await made(service, deal("fabrikam"))
    within = await made(service, deal("fabrikam"), KEY_LIVES)
    other = await made(service, deal("northwind"), KEY_LIVES)
    later = await made(service, deal("northwind"), KEY_LIVES + timedelta(seconds=1))
    assert (first.status, within.status, other.status, later.status) == (201, 201, 409, 201)
    assert first.body["id"] == within.body["id"] != later.body["id"]
    again = await made(service, deal("northwind"), KEY_LIVES + timedelta(days=1))
    assert again.body["id"] == later.body["id"]


async def test_a_key_is_one_persons(service: Any) -> None:
    body = deal("northwind", microsoft=False)
    body["team"][0]["email"] = "kim@fabrikam.com"
    first, other = await made(service, deal()), await made(service, body, who="kim")
    assert (first.status, other.status) == (201, 201)
    assert first.body["id"] != other.body["id"]


async def test_invitations_under_a_key_are_sent_once_and_later_anew(service: Any) -> None:
    """After seven days the same request is a new one, and the rules judge it."""
    first = await made(service, deal())
    entry = deal("fabrikam")["invitations"][0]

    async def inviting(after: timedelta, **changes: Any) -> Response:
        return await ask(
            service,
            "rae",
            create_invitations,
            {"invitations": [{**entry, **changes}]},
            now=NOW + after,
            headers={"Idempotency-Key": "k"},
            route={"id": first.body["id"]},
        )

    sent = await inviting(timedelta())
    again = await inviting(timedelta(days=7))
    assert (sent.status, again.status) == (201, 201)
    assert sent.body == again.body
    assert (await inviting(timedelta(days=1), dealValue=7)).body["error"]["code"] == "idempotencyConflict"
    assert (await inviting(timedelta(days=8))).body["error"]["code"] == "notAllowed"

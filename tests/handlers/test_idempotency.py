"""Under which key a request counts, how long, and for what (C5): by itself, and with the real handlers."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.http.idempotency import KEY_LIFETIME, idempotent
from api.http.operation import OPERATIONS
from api.http.problems import IdempotencyConflict, PreconditionFailed
from api.http.response import Response
from api.referrals.create import create_referral
from api.referrals.invitations import create_invitations
from shared.domain.refusals import NotAllowed
from shared.errors import Contended
from shared.storage import keys
from shared.storage.idempotency import IdempotencyRecord, RequestKey
from shared.wiring import Service
from tests.doubles.engine import FakeEngine
from tests.doubles.service import ask, caller_of, http_request
from tests.doubles.small_world import deal
from tests.examples.referrals import NOW

KEY = {"Idempotency-Key": "k"}


@pytest.fixture
def service(small_service: Service) -> Service:
    return small_service


async def made(
    service: Service, body: dict[str, Any], after: timedelta = timedelta(), who: str = "rae"
) -> Response:
    return await ask(service, who, create_referral, body, now=NOW + after, headers=KEY)


async def test_a_key_counts_for_seven_days_and_then_makes_a_new_deal(service: Service) -> None:
    first = await made(service, deal("fabrikam"))
    within = await made(service, deal("fabrikam"), KEY_LIFETIME)
    other = await made(service, deal("northwind"), KEY_LIFETIME)
    later = await made(service, deal("northwind"), KEY_LIFETIME + timedelta(seconds=1))
    assert (first.status, within.status, other.status, later.status) == (201, 201, 409, 201)
    assert first.body["id"] == within.body["id"] != later.body["id"]
    again = await made(service, deal("northwind"), KEY_LIFETIME + timedelta(days=1))
    assert again.body["id"] == later.body["id"]


async def test_a_key_is_one_persons(service: Service) -> None:
    body = deal("northwind", microsoft=False)
    body["team"][0]["email"] = "kim@fabrikam.com"
    first, other = await made(service, deal()), await made(service, body, who="kim")
    assert (first.status, other.status) == (201, 201)
    assert first.body["id"] != other.body["id"]


async def test_invitations_under_a_key_are_sent_once_and_later_anew(service: Service) -> None:
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
            headers=KEY,
            route={"id": first.body["id"]},
        )

    sent = await inviting(timedelta())
    again = await inviting(timedelta(days=7))
    assert (sent.status, again.status) == (201, 201)
    assert sent.body == again.body
    assert (await inviting(timedelta(days=1), dealValue=7)).body["error"]["code"] == "idempotencyConflict"
    assert (await inviting(timedelta(days=8))).body["error"]["code"] == "notAllowed"


class Maker:
    """What a creation under a key does, on real tables: `make` stores one thing with the key, if it may."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.refusal: Exception | None = None
        self.is_beaten = False
        self.made: list[RequestKey | None] = []

    async def make(self, key: RequestKey | None) -> Response | None:
        self.made.append(key)
        if self.refusal:
            raise self.refusal
        if self.is_beaten:
            return None
        name = f"thing-{len(self.made)}"
        await self.store(key, name)
        return Response(status=201, body=name)

    async def store(self, key: RequestKey | None, name: str) -> None:
        if key:
            partition = keys.partition_of(key.record.organization_id)
            await self._service.tables.write(
                keys.REFERRALS, partition, [key.with_result(name, ("part",)).operation()]
            )

    async def replay(self, first: IdempotencyRecord) -> Response:
        return Response(status=201, body=f"{first.record_id} again")

    async def ask(
        self,
        body: object = None,
        *,
        after: timedelta = timedelta(),
        command: str | None = "create",
        headers: Mapping[str, str] = KEY,
    ) -> Any:
        """What is answered, or the refusal."""
        http: Any = http_request(OPERATIONS["create_referral"], body or {}, headers=headers)
        request = OPERATIONS["create_referral"].read(
            http, self._service, FakeEngine(), await caller_of(self._service, "rae"), NOW + after
        )
        return (await idempotent(request, command, self.make, self.replay)).body


@pytest.fixture
def maker(service: Service) -> Maker:
    return Maker(service)


async def test_a_request_without_a_key_is_made_each_time(maker: Maker) -> None:
    assert [await maker.ask(headers={}), await maker.ask(headers={})] == ["thing-1", "thing-2"]
    assert maker.made == [None, None]


async def test_a_request_is_made_once_under_its_key(maker: Maker) -> None:
    assert [await maker.ask({"a": 1}), await maker.ask({"a": 1})] == ["thing-1", "thing-1 again"]
    assert len(maker.made) == 1


async def test_keys_count_for_one_command(maker: Maker) -> None:
    assert [await maker.ask(), await maker.ask(command="other")] == ["thing-1", "thing-2"]


async def test_keys_do_not_count_without_a_command(maker: Maker) -> None:
    """As with `validateOnly`: nothing is stored that a repetition could be answered with."""
    assert [await maker.ask(command=None), await maker.ask(command=None)] == ["thing-1", "thing-2"]
    assert maker.made == [None, None]


async def test_a_body_is_the_same_in_whatever_order_its_names_come(maker: Maker) -> None:
    await maker.ask({"a": {"x": [1, 2], "y": None}, "b": 2})
    assert await maker.ask({"b": 2, "a": {"y": None, "x": [1, 2]}}) == "thing-1 again"


@pytest.mark.parametrize("other", [{"a": 2}, {"a": "1"}, {"a": 1, "b": None}, {"a": [1]}, {}])
async def test_another_body_under_a_key_conflicts(maker: Maker, other: object) -> None:
    await maker.ask({"a": 1})
    with pytest.raises(IdempotencyConflict, match="use a new key"):
        await maker.ask(other)
    assert len(maker.made) == 1


async def test_another_body_under_a_client_request_id_is_a_new_request(maker: Maker) -> None:
    """Clients send one with every request, and some the same with several."""
    sent = {"client-request-id": "id"}
    first, again, other = [await maker.ask({"a": n}, headers=sent) for n in (1, 1, 2)]
    assert (first, again, other) == ("thing-1", "thing-1 again", "thing-2")


async def test_after_seven_days_a_key_is_free_and_what_is_stored_replaces_the_first(maker: Maker) -> None:
    await maker.ask({"a": 1})
    assert await maker.ask({"a": 1}, after=KEY_LIFETIME) == "thing-1 again"
    later = KEY_LIFETIME + timedelta(seconds=1)
    assert await maker.ask({"a": 2}, after=later) == "thing-2"
    key = maker.made[-1]
    assert key
    assert key.expired
    assert key.expired.value.record_id == "thing-1"
    assert await maker.ask({"a": 2}, after=later + KEY_LIFETIME) == "thing-2 again"


@pytest.mark.parametrize("refusal", [NotAllowed("there is one"), PreconditionFailed('"2"')])
async def test_what_refuses_a_request_may_be_its_own_first_time(maker: Maker, refusal: Exception) -> None:
    """The first was stored after this one looked, and moved the version that both name."""
    store, maker.refusal = maker.store, refusal

    async def beaten(key: RequestKey | None) -> Response | None:
        await store(key, "thing-0")
        raise refusal

    maker.make = beaten  # type: ignore[method-assign]
    assert await maker.ask() == "thing-0 again"


@pytest.mark.parametrize("refusal", [NotAllowed("there is one"), PreconditionFailed('"2"')])
async def test_a_refusal_that_no_first_time_explains_stands(maker: Maker, refusal: Exception) -> None:
    maker.refusal = refusal
    with pytest.raises(type(refusal)):
        await maker.ask()


async def test_what_expired_explains_no_refusal(maker: Maker) -> None:
    await maker.ask()
    maker.refusal = NotAllowed("there is one")
    with pytest.raises(NotAllowed):
        await maker.ask(after=KEY_LIFETIME + timedelta(seconds=1))


async def test_whoever_comes_second_is_answered_as_the_first(maker: Maker) -> None:
    """`make` gives None: another request of the same key was stored first."""

    async def beaten(key: RequestKey | None) -> None:
        await maker.store(key, "thing-0")

    maker.make = beaten  # type: ignore[method-assign,assignment]
    assert await maker.ask() == "thing-0 again"


async def test_whoever_comes_second_with_another_body_is_told_so(maker: Maker) -> None:
    async def beaten(key: RequestKey | None) -> None:
        assert key
        other = replace(key, record=replace(key.record, body_hash="other"))
        await maker.store(other, "thing-0")

    maker.make = beaten  # type: ignore[method-assign,assignment]
    with pytest.raises(IdempotencyConflict):
        await maker.ask()


@pytest.mark.parametrize("headers", [KEY, {}], ids=["with a key", "without"])
async def test_a_request_that_was_not_stored_and_has_no_first_is_to_be_repeated(
    maker: Maker, headers: dict[str, str]
) -> None:
    maker.is_beaten = True
    with pytest.raises(Contended, match="repeat it in a second"):
        await maker.ask(headers=headers)

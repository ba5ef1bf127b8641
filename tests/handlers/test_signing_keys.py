"""The issuer's keys: fetched when needed, and a slow or broken issuer holds nobody up for longer than one fetch."""

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.auth.tokens import (
    KEYS_LIVE_SECONDS,
    KEYS_TRUSTED_SECONDS,
    REFETCH_SECONDS,
    KeysUnavailable,
    SigningKeys,
)

_PUBLIC = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)


class Issuer:
    """Publishes keys of these ids, or is away; while it is slow, a fetch ends when the test says so."""

    def __init__(self, *key_ids: str) -> None:
        self.now = 0.0
        self.key_ids = key_ids
        self.away = False
        self.fetches = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.keys = SigningKeys(self._fetch, lambda: self.now)

    async def _fetch(self) -> dict[str, Any]:
        self.fetches += 1
        key_ids = self.key_ids
        await self.answers.wait()
        if self.away:
            self.now += 10
            raise TimeoutError
        return {"keys": [{**_PUBLIC, "kid": each, "use": "sig"} for each in key_ids]}

    async def knows(self, key_id: str) -> bool:
        return await self.keys.key(key_id) is not None

    async def settled(self) -> None:
        """Let a fetch that nobody waits for run."""
        for _ in range(5):
            await asyncio.sleep(0)


async def test_keys_in_use_are_fetched_again_after_minutes_and_nobody_waits_for_it() -> None:
    issuer = Issuer("a", "b")
    assert [await issuer.knows(key_id) for key_id in ("a", "b", "a")] == [True] * 3
    issuer.now = KEYS_LIVE_SECONDS
    assert await issuer.knows("a")
    assert issuer.fetches == 1
    issuer.now += 1
    issuer.answers.clear()
    async with asyncio.timeout(10):
        assert [await issuer.knows("a") for _ in range(5)] == [True] * 5
    issuer.answers.set()
    await issuer.settled()
    assert await issuer.knows("a")
    assert issuer.fetches == 2


async def test_a_withdrawn_key_is_trusted_for_minutes() -> None:
    issuer = Issuer("old", "new")
    assert await issuer.knows("old")
    issuer.key_ids = ("new",)
    issuer.now = KEYS_LIVE_SECONDS + 1
    assert await issuer.knows("new")
    await issuer.settled()
    assert not await issuer.knows("old")
    assert KEYS_LIVE_SECONDS <= 600


async def test_nobody_is_let_in_with_a_withdrawn_key_after_hours_without_requests() -> None:
    issuer = Issuer("old")
    assert await issuer.knows("old")
    issuer.key_ids = ("new",)
    issuer.now = 8 * 3600
    assert not await issuer.knows("old")


async def test_old_keys_are_not_trusted_for_longer_because_their_issuer_is_away() -> None:
    """Whoever keeps the service from the issuer must not thereby keep a withdrawn key."""
    issuer = Issuer("a")
    assert await issuer.knows("a")
    issuer.away = True
    while issuer.now < KEYS_TRUSTED_SECONDS - 60:
        issuer.now += 60
        assert await issuer.knows("a")
        await issuer.settled()
    assert issuer.fetches > 5
    issuer.now = KEYS_TRUSTED_SECONDS + 1
    with pytest.raises(KeysUnavailable):
        await issuer.knows("a")
    assert KEYS_TRUSTED_SECONDS <= 1800
    issuer.away = False
    issuer.now += REFETCH_SECONDS + 1
    assert await issuer.knows("a")


async def test_an_issuer_that_is_away_is_asked_seldom_also_about_keys_that_are_no_longer_trusted() -> None:
    issuer = Issuer("a")
    assert await issuer.knows("a")
    issuer.now, issuer.away = KEYS_TRUSTED_SECONDS + 1, True
    for _ in range(20):
        with pytest.raises(KeysUnavailable):
            await issuer.knows("a")
    assert issuer.fetches == 2


async def test_the_age_of_keys_counts_from_when_they_were_asked_for() -> None:
    """What the issuer withdraws while its answer is on its way is not in that answer."""
    issuer = Issuer("a")
    issuer.answers.clear()
    asking = asyncio.create_task(issuer.knows("a"))
    await issuer.settled()
    issuer.now = KEYS_LIVE_SECONDS
    issuer.answers.set()
    assert await asking
    issuer.now += REFETCH_SECONDS + 1
    assert await issuer.knows("a")
    await issuer.settled()
    assert issuer.fetches == 2


async def test_a_request_that_is_cancelled_does_not_end_the_fetch_that_others_wait_for() -> None:
    issuer = Issuer("a")
    issuer.answers.clear()
    first, second = (asyncio.create_task(issuer.knows("a")) for _ in range(2))
    await issuer.settled()
    first.cancel()
    await issuer.settled()
    issuer.answers.set()
    assert await second
    assert issuer.fetches == 1


@pytest.mark.parametrize(
    "published",
    [
        *(None, [], "keys", 7, {}, {"keys": None}, {"keys": []}, {"keys": {}}, {"keys": "k"}),
        *({"keys": [7]}, {"keys": [None]}, {"keys": [{}]}, {"keys": [{**_PUBLIC, "n": 7}]}),
        *({"keys": [{"kty": "RSA", "kid": "a"}]}),
        {"keys": [{**_PUBLIC, "n": "*", "kid": "a"}]},
    ],
)
async def test_what_is_no_set_of_keys_is_no_answer(published: object) -> None:
    async def fetch() -> object:
        return published

    now = 0.0
    keys = SigningKeys(fetch, lambda: now)
    with pytest.raises(KeysUnavailable):
        await keys.key("a")


async def test_a_key_that_cannot_be_used_does_not_hide_the_others() -> None:
    broken = [
        {**_PUBLIC, "kid": "b", **each}
        for each in ({"n": 7}, {"n": None}, {"kty": "X"}, {"e": []}, {"kid": ["a"]})
    ]

    async def fetch() -> object:
        return {"keys": [*broken, {**_PUBLIC, "kid": "a"}]}

    assert await SigningKeys(fetch, lambda: 0.0).key("a")


async def test_a_key_that_is_new_is_looked_for_and_one_that_is_not_published_seldom() -> None:
    issuer = Issuer("a")
    assert await issuer.knows("a")
    issuer.key_ids = ("b",)
    issuer.now = REFETCH_SECONDS + 1
    assert [await issuer.knows("b"), await issuer.knows("a"), await issuer.knows("c")] == [True, False, False]
    assert issuer.fetches == 2


async def test_those_who_come_while_the_issuer_hangs_wait_for_one_fetch_together() -> None:
    issuer = Issuer()
    issuer.away = True
    outcomes = await asyncio.gather(*(issuer.knows(f"k{n}") for n in range(20)), return_exceptions=True)
    assert {type(each) for each in outcomes} == {KeysUnavailable}
    assert (issuer.fetches, issuer.now) == (1, 10)


async def test_after_a_failed_fetch_the_next_are_told_at_once_and_later_ones_try_again() -> None:
    issuer = Issuer("a")
    issuer.away = True
    for _ in range(5):
        with pytest.raises(KeysUnavailable, match="TimeoutError"):
            await issuer.knows("a")
    assert issuer.fetches == 1
    issuer.away = False
    issuer.now += REFETCH_SECONDS + 1
    assert await issuer.knows("a")


async def test_known_keys_stay_in_use_for_a_while_if_their_issuer_is_away_and_are_looked_for_again() -> None:
    issuer = Issuer("a")
    assert await issuer.knows("a")
    issuer.now, issuer.away = KEYS_LIVE_SECONDS + 1, True
    for _ in range(5):
        assert await issuer.knows("a")
        await issuer.settled()
    assert issuer.fetches == 2
    issuer.now += REFETCH_SECONDS + 1
    assert await issuer.knows("a")
    await issuer.settled()
    assert issuer.fetches == 3, "a failed look does not make old keys young"


async def test_whether_a_new_key_is_published_is_not_known_while_its_issuer_is_away() -> None:
    """It may be good: whoever is told that it is not would sign in again."""
    issuer = Issuer("a")
    assert await issuer.knows("a")
    issuer.now, issuer.away = REFETCH_SECONDS + 1, True
    with pytest.raises(KeysUnavailable):
        await issuer.knows("b")
    assert await issuer.knows("a")


async def test_nobody_whose_key_is_known_waits_for_the_fetch_of_another() -> None:
    issuer = Issuer("a")
    assert await issuer.knows("a")
    issuer.now = KEYS_LIVE_SECONDS + 1
    issuer.answers.clear()
    looking = asyncio.create_task(issuer.knows("b"))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await issuer.knows("a")
    issuer.answers.set()
    assert not await looking

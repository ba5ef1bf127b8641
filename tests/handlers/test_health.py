"""`GET /healthz` answers soon whatever hangs, says what is not ready, and costs little however often it is asked.

Why it is not ready is for the log: strangers learn nothing of how the service is built.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from api.http.response import Response
from api.platform import health
from api.platform.health import CACHE_SECONDS, CHECKS, TIMEOUT_SECONDS, Check, Health
from shared.clock import wall_clock
from shared.errors import ConfigurationError, StoreUnavailable
from shared.storage.memory_tables import MemoryTables
from shared.wiring import Service, Wiring
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import service_on

PATIENCE = 20
SECONDS = 0.1


@pytest.fixture(autouse=True)
def _young_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is old and has not swept is not ready."""
    monkeypatch.setattr("api.platform.health.STARTED_AT", wall_clock())


class Probed:
    """A service that is asked for its health."""

    def __init__(self, *checks: Check, seconds: float = SECONDS) -> None:
        self.now = 0.0
        self.built = 0
        self.service = service_on(MemoryTables(), MemoryMailService())
        self.health = Health(self._build, checks or CHECKS, seconds=seconds, clock=lambda: self.now)

    async def _build(self) -> Service:
        self.built += 1
        return self.service

    async def answer(self) -> Response:
        async with asyncio.timeout(PATIENCE):
            return await self.health.answer()

    async def reason(self) -> str:
        answer = await self.answer()
        assert (answer.status, answer.json()["status"]) == (503, "notReady")
        return answer.json()["reason"]


async def hangs(_: Service) -> str | None:
    await asyncio.Event().wait()
    return None


async def is_well(_: Service) -> str | None:
    return None


async def is_away(_: Service) -> str | None:
    raise StoreUnavailable("Table Storage answered 500.")


async def test_a_service_whose_checks_find_nothing_is_ready() -> None:
    answer = await Probed().answer()
    assert (answer.status, answer.json()) == (200, {"status": "ready", "reason": None})


async def test_whatever_hangs_is_named_beside_what_is_wrong_otherwise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    probed = Probed(Check("One hangs.", hangs), Check("Two?", is_well), Check("Three is away.", is_away))
    assert await probed.reason() == "One hangs. Three is away."
    assert "One hangs. There was no answer within 0.1 seconds." in caplog.text
    assert "Three is away. Table Storage answered 500." in caplog.text


async def test_a_service_that_is_still_being_built_is_not_ready_and_goes_on_being_built() -> None:
    wiring, may_end, begun = Wiring(), asyncio.Event(), 0

    async def build() -> Service:
        nonlocal begun
        begun += 1
        await may_end.wait()
        return service_on(MemoryTables(), MemoryMailService())

    wiring._build = build  # type: ignore[method-assign]
    asked = Health(wiring.service, [Check("All", is_well)], seconds=SECONDS, clock=lambda: begun * 0.0)
    reason = (await asked.answer()).json()["reason"]
    assert reason == "What the service needs at its start is not available."
    may_end.set()
    assert await wiring.service()
    assert begun == 1


async def test_a_start_that_fails_is_logged_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    wiring = Wiring()
    outcomes: list[Any] = [
        ConfigurationError("Set MAIL_SENDER."),
        service_on(MemoryTables(), MemoryMailService()),
    ]

    async def build() -> Service:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    wiring._build = build  # type: ignore[method-assign]
    now = 0.0
    asked = Health(wiring.service, [Check("All", is_well)], clock=lambda: now)
    assert (await asked.answer()).json()["reason"] == "The service is not set up correctly."
    assert "Set MAIL_SENDER." in caplog.text
    now += CACHE_SECONDS + 1
    assert (await asked.answer()).status == 200


async def test_however_often_it_is_asked_it_looks_every_few_seconds() -> None:
    probed = Probed()
    for _ in range(3):
        await asyncio.gather(*(probed.answer() for _ in range(10)))
        probed.now += CACHE_SECONDS
    assert probed.built == 1 + 1
    assert CACHE_SECONDS < 10


async def test_those_who_ask_while_it_looks_wait_no_longer_than_the_first() -> None:
    probed = Probed(Check("It", hangs))
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(*(probed.answer() for _ in range(200)))
    assert {answer.status for answer in answers} == {503}
    assert probed.built == 1


def test_an_answer_comes_within_two_seconds() -> None:
    assert TIMEOUT_SECONDS < 2


class Hub:
    """A task hub of which this is missing."""

    def __init__(self, *absent: str) -> None:
        self.absent = list(absent)

    async def missing(self) -> list[str]:
        return self.absent


@pytest.mark.parametrize("absent", [(), ("queue testhub-control-00", "table testhubHistory")])
async def test_a_task_hub_that_is_not_whole_is_no_place_to_work_with(
    absent: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health.wiring, "task_hub", lambda _: Hub(*absent))
    probed = Probed()
    if not absent:
        assert (await probed.answer()).status == 200
        return
    assert await probed.reason() == "The workflow engine is not available."
    assert all(name in caplog.text for name in ("testhub", "Restart", *absent))


async def test_the_address_of_a_hubs_queues_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    probed = Probed()
    settings = probed.service.settings
    hub = replace(settings.tables, setting="AzureWebJobsStorage", endpoint="https://t.example")
    probed.service = replace(probed.service, settings=replace(settings, hub=hub, hub_partitions=4))
    assert await probed.reason() == "The workflow engine is not available."
    assert "AzureWebJobsStorage__queueServiceUri" in caplog.text

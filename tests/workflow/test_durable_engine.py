"""The durable engine on the real SDK, whose host does not answer as it should."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import azure.durable_functions as df
import pytest

from api.referrals.transitions import accept_referral
from shared.errors import EngineUnavailable
from shared.storage.intents import Intent
from shared.workflow.durable import DurableEngine
from tests.doubles.played_deal import PlayedDeal
from tests.examples.referrals import NOW, begun, referral

RUNNING = {
    "name": "referral_lifecycle",
    "instanceId": "one",
    "createdTime": "2026-11-21T10:00:00Z",
    "lastUpdatedTime": "2026-11-21T10:00:00Z",
    "runtimeStatus": "Running",
}
Reply = tuple[int, Any]
Replies = Callable[[str], Reply]


class Host(df.DurableOrchestrationClient):
    """The SDK's client, whose host gives these replies to posts and to questions; no body reads as no text."""

    def __init__(self, posted: Reply | Replies, asked: Reply) -> None:
        bindings = {
            "taskHubName": "hub",
            "creationUrls": {},
            "managementUrls": {},
            "rpcBaseUrl": "http://host.example/durabletask/",
        }
        super().__init__(json.dumps(bindings))
        self._posted, self._asked = posted, asked
        self._post_async_request = self._post
        self._get_async_request = self._get
        self._delete_async_request = self._post

    async def _post(self, url: str, *_: Any, **__: Any) -> list[Any]:
        return list(self._posted(url) if callable(self._posted) else self._posted)

    async def _get(self, url: str, *_: Any, **__: Any) -> list[Any]:
        self.asked_for = url
        return list(self._asked)


AWAY: Reply = (503, "")
UNINTELLIGIBLE = [
    AWAY,
    (429, ""),
    (502, {"message": "?"}),
    (200, ["?"]),
    (200, {**RUNNING, "runtimeStatus": "?"}),
]


@pytest.mark.parametrize("status", UNINTELLIGIBLE)
async def test_a_host_that_answers_nothing_we_understand_is_unavailable(status: Reply) -> None:
    engine = DurableEngine(Host(posted=AWAY, asked=status))
    with pytest.raises(EngineUnavailable):
        await engine.raise_event("one", "changed")
    with pytest.raises(EngineUnavailable):
        await engine.start("referral_lifecycle", "one", {})


@pytest.mark.parametrize(
    "status", [AWAY, (429, ""), (502, {"message": "?"}), (200, [{"runtimeStatus": "?"}])]
)
async def test_a_host_that_does_not_list_instances_is_unavailable(status: Reply) -> None:
    with pytest.raises(EngineUnavailable):
        await DurableEngine(Host(posted=AWAY, asked=status)).finished(NOW)


async def test_the_finished_instances_before_a_moment_are_asked_for() -> None:
    host = Host(posted=AWAY, asked=(200, [{**RUNNING, "runtimeStatus": "Completed"}]))
    assert await DurableEngine(host).finished(datetime(2026, 11, 21, 10, 30, tzinfo=UTC)) == ["one"]
    query = parse_qs(urlsplit(host.asked_for).query)
    assert query["createdTimeTo"] == ["2026-11-21T10:30:00.000000Z"]
    assert set(query["runtimeStatus"][0].split(",")) == {"Completed", "Terminated", "Canceled"}


FINISHED = {**RUNNING, "runtimeStatus": "Completed"}


@pytest.mark.parametrize(
    ("deleted", "asked", "purged"),
    [
        ((200, {"instancesDeleted": 1}), AWAY, True),
        ((404, ""), AWAY, False),
        ((412, "not in a finished state"), (202, RUNNING), False),
        ((500, "not in a finished state"), (202, RUNNING), False),
    ],
    ids=["removed", "gone", "runs again: 412", "runs again: 500"],
)
async def test_an_instance_is_purged_unless_it_is_gone_or_runs_again(
    deleted: Reply, asked: Reply, purged: bool
) -> None:
    assert await DurableEngine(Host(posted=deleted, asked=asked)).purge("one") is purged


@pytest.mark.parametrize("asked", [AWAY, (200, FINISHED), (404, "")])
async def test_a_purge_that_is_refused_for_another_reason_is_an_engine_that_is_away(asked: Reply) -> None:
    with pytest.raises(EngineUnavailable):
        await DurableEngine(Host(posted=AWAY, asked=asked)).purge("one")


async def test_an_instance_that_is_not_there_or_runs_is_told_apart_from_a_host_that_is_away() -> None:
    unknown = DurableEngine(Host(posted=(404, "No instance with ID one found."), asked=(404, "")))
    assert await unknown.raise_event("one", "changed") is False
    running = DurableEngine(Host(posted=(409, "exists"), asked=(202, RUNNING)))
    assert await running.start("referral_lifecycle", "one", {}) is False


@pytest.mark.parametrize(
    ("asked", "begun"),
    [
        ((200, {**RUNNING, "createdTime": "2026-11-21T10:20:00Z"}), "10:20"),
        ((200, {**RUNNING, "lastUpdatedTime": "2026-11-21T10:30:00Z"}), "10:00"),
        ((200, {**RUNNING, "runtimeStatus": "Suspended"}), "00:00"),
        ((200, {**RUNNING, "runtimeStatus": "Pending"}), "00:00"),
        ((200, FINISHED), None),
        ((404, ""), None),
    ],
    ids=["runs", "took an event and began no turn", "suspended", "has not begun", "finished", "unknown"],
)
async def test_an_instance_began_its_turn_when_it_was_created_or_continued_as_new(
    asked: Reply, begun: str | None
) -> None:
    found = await DurableEngine(Host(posted=AWAY, asked=asked)).last_turn_at("one")
    assert (found.strftime("%H:%M") if found else None) == begun


async def test_a_verb_that_is_stored_is_answered_though_the_host_is_away() -> None:
    played = PlayedDeal(NOW)
    await played.begin()
    played.engine = DurableEngine(Host(posted=AWAY, asked=AWAY))
    assert (await played.ask("nia", "northwind", accept_referral)).status == 200
    assert (await played.record("northwind")).state == "Active/Accepted"


async def test_a_sweep_goes_on_though_the_host_is_away_for_one() -> None:
    played = PlayedDeal(NOW)
    intents = played.service.intents
    for number in range(3):
        record = referral(id=f"fabrikam-{number}")
        await played.service.referrals.commit(begun(record), None)
        await intents.announce(Intent(id=f"op-{number}", reason="wake", party=record.key, at=NOW, due=NOW))
    started = (202, {"id": "one"})
    engine = DurableEngine(Host(posted=lambda url: AWAY if "fabrikam-0" in url else started, asked=AWAY))
    assert await played.service.sweep.run(engine, NOW) == 3
    left = {(each.id, each.reason) async for each in intents.all()}
    assert left == {("op-0", "wake"), ("fabrikam-1", "moment"), ("fabrikam-2", "moment")}


@pytest.mark.parametrize(
    ("answered", "asked"),
    [
        ((202, ""), AWAY),
        ((410, ""), AWAY),
        ((404, ""), (404, "")),
        ((404, ""), (200, FINISHED)),
    ],
    ids=["ends", "has ended", "is not there", "is not there any more"],
)
async def test_an_instance_is_told_to_end_unless_none_runs(answered: Reply, asked: Reply) -> None:
    await DurableEngine(Host(posted=answered, asked=asked)).terminate("one", "Restarted.")


@pytest.mark.parametrize("asked", [AWAY, (202, RUNNING)])
async def test_an_end_that_is_refused_is_an_engine_that_is_away(asked: Reply) -> None:
    with pytest.raises(EngineUnavailable):
        await DurableEngine(Host(posted=(500, "?"), asked=asked)).terminate("one", "Restarted.")


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        ((202, RUNNING), True),
        ((202, {**RUNNING, "runtimeStatus": "Pending"}), True),
        ((202, {**RUNNING, "runtimeStatus": "Suspended"}), True),
        ((200, {**RUNNING, "runtimeStatus": "Failed"}), False),
        ((200, {**RUNNING, "runtimeStatus": "Terminated"}), False),
        ((200, FINISHED), False),
        ((404, ""), False),
    ],
)
async def test_an_instance_runs_as_long_as_it_has_not_finished(asked: Reply, *, runs: bool) -> None:
    assert await DurableEngine(Host(posted=AWAY, asked=asked)).is_running("one") is runs

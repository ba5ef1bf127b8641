"""Histories of parked instances, recorded once, replayed on today's code.

A deployment meets instances that have waited for days. What the orchestrator did before it parked must come out the
same, or they fail as non-deterministic. If this test fails, the shape of a turn has changed: drain or restart the
running instances with the deployment (docs/architecture.md), then record anew with RECORD_HISTORIES=1.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import azure.durable_functions as df
import pytest
from azure.durable_functions.models import DurableOrchestrationContext

from orchestrators.referral_lifecycle import referral_lifecycle
from orchestrators.registration_review import registration_review
from tests.orchestrations.conftest import ReviewStory, Story
from tests.orchestrations.parked import CREATE_TIMER, HISTORIES, fired, name_of, raised, read, woken

CALL_ACTIVITY, WAIT, WHEN_ANY = 0, 6, 11
ORCHESTRATORS = {
    each._function.get_function_name(): each._function.get_user_function().orchestrator_function
    for each in (referral_lifecycle, registration_review)
}
OBSERVERS = {"referral_lifecycle": "observe", "registration_review": "observe_registration"}
PARKED = {
    "new": [WAIT, WAIT, WAIT, CREATE_TIMER],
    "accepted": [WAIT] * 3,
    "creator": [WAIT] * 3,
    "in_review": [WAIT, WAIT, WAIT, CREATE_TIMER],
    "sent_back": [WAIT, WAIT, WAIT, CREATE_TIMER],
    "reminded_for_the_last_time": [WAIT] * 3,
}
"""What each recorded instance waits for."""


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What the host gives to the orchestrator, turn by turn."""
    seen: list[dict[str, Any]] = []
    read = DurableOrchestrationContext.from_json

    def remember(_cls: type, body: str) -> DurableOrchestrationContext:
        seen.append(json.loads(body))
        return read(body)

    monkeypatch.setattr(DurableOrchestrationContext, "from_json", classmethod(remember))
    yield seen
    monkeypatch.undo()


def replay(context: dict[str, Any]) -> dict[str, Any]:
    """Today's decisions on a history."""
    orchestrator = df.Orchestrator(ORCHESTRATORS[name_of(context)])
    return json.loads(orchestrator.handle(DurableOrchestrationContext.from_json(json.dumps(context))))


def record(name: str, context: dict[str, Any]) -> None:
    (HISTORIES / f"{name}.json").write_text(json.dumps(context, indent=1) + "\n")


@pytest.mark.skipif("RECORD_HISTORIES" not in os.environ, reason="records only when asked to")
async def test_record_the_histories(contexts: list[dict[str, Any]], story: Story) -> None:
    await story.answer("accept")
    await story.advance("PT0S")
    told = list(contexts)
    parked = {context["instanceId"]: context for context in told if _is_parked(replay(context))}
    for name, instance_id in {"accepted": story.invited_id, "creator": story.deal_id}.items():
        record(name, parked[instance_id])
    waiting = next(c for c in told if c["instanceId"] == story.invited_id and _is_parked(replay(c)))
    record("new", waiting)


@pytest.mark.skipif("RECORD_HISTORIES" not in os.environ, reason="records only when asked to")
async def test_record_the_histories_of_a_review(contexts: list[dict[str, Any]], review: ReviewStory) -> None:
    def parked() -> dict[str, Any]:
        own = [each for each in contexts if each["instanceId"] == review.deal.rid]
        return [each for each in own if _is_parked(replay(each))][-1]

    await review.register()
    record("in_review", parked())
    await review.deal.review("requestAction")
    await review.advance("PT0S")
    record("sent_back", parked())
    await review.day(120)
    record("reminded_for_the_last_time", parked())


def _is_parked(state: dict[str, Any]) -> bool:
    actions = state["actions"][0]
    return not state["isDone"] and len(actions) == 2 and actions[-1]["actionType"] == WHEN_ANY


@pytest.mark.parametrize("name", PARKED)
def test_a_parked_instance_of_an_older_deployment_waits_for_the_same_things(name: str) -> None:
    context = read(name)
    observe, wait = replay(context)["actions"][0]
    assert (observe["actionType"], observe["functionName"]) == (CALL_ACTIVITY, OBSERVERS[name_of(context)])
    assert [child["actionType"] for child in wait["compoundActions"]] == PARKED[name]


@pytest.mark.parametrize("name", PARKED)
@pytest.mark.parametrize("event", ["accepted", "declined", "changed"])
def test_a_parked_instance_of_an_older_deployment_looks_again_when_it_is_woken(name: str, event: str) -> None:
    context = read(name)
    again = replay(woken(context, replay(context), raised(event)))["actions"][0][-1]
    assert (again["actionType"], again["functionName"]) == (CALL_ACTIVITY, OBSERVERS[name_of(context)])


@pytest.mark.parametrize("name", [name for name, waits_for in PARKED.items() if CREATE_TIMER in waits_for])
def test_a_parked_instance_of_an_older_deployment_looks_again_when_its_timer_fires(name: str) -> None:
    context = read(name)
    state = replay(context)
    again = replay(woken(context, state, fired(state)))["actions"][0][-1]
    assert (again["actionType"], again["functionName"]) == (CALL_ACTIVITY, OBSERVERS[name_of(context)])

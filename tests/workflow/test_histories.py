"""Histories of parked instances, recorded once, replayed on today's code.

A deployment meets instances that have waited for days. What the orchestrator did before it parked must come out the
same, or they fail as non-deterministic. If this test fails, the shape of a turn has changed: drain or restart the
running instances with the deployment (docs/architecture.md), then record anew with RECORD_HISTORIES=1.
"""

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest
from azure.durable_functions.models import DurableOrchestrationContext

from orchestrators.one_turn import one_turn
from tests.workflow.conftest import Story

HISTORIES = Path(__file__).parent / "histories"
CALL_ACTIVITY, CREATE_TIMER, WAIT, WHEN_ANY = 0, 5, 6, 11


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
    handled = df.Orchestrator(one_turn).handle(DurableOrchestrationContext.from_json(json.dumps(context)))
    return json.loads(handled)


@pytest.mark.skipif("RECORD_HISTORIES" not in os.environ, reason="records only when asked to")
async def test_record_the_histories(contexts: list[dict[str, Any]], story: Story) -> None:
    await story.answer("accept")
    await story.advance("PT0S")
    told = list(contexts)
    parked = {context["instanceId"]: context for context in told if _is_parked(replay(context))}
    for name, instance_id in {"accepted": story.invited_id, "creator": story.deal_id}.items():
        (HISTORIES / f"{name}.json").write_text(json.dumps(parked[instance_id], indent=1) + "\n")
    waiting = next(c for c in told if c["instanceId"] == story.invited_id and _is_parked(replay(c)))
    (HISTORIES / "new.json").write_text(json.dumps(waiting, indent=1) + "\n")


def _is_parked(state: dict[str, Any]) -> bool:
    actions = state["actions"][0]
    return not state["isDone"] and len(actions) == 2 and actions[-1]["actionType"] == WHEN_ANY


@pytest.mark.parametrize(
    ("name", "waits_for"),
    [("new", [WAIT, WAIT, WAIT, CREATE_TIMER]), ("accepted", [WAIT] * 3), ("creator", [WAIT] * 3)],
)
def test_a_parked_instance_of_an_older_deployment_waits_for_the_same_things(
    name: str, waits_for: list[int]
) -> None:
    state = replay(json.loads((HISTORIES / f"{name}.json").read_text()))
    observe, wait = state["actions"][0]
    assert (observe["actionType"], observe["functionName"]) == (CALL_ACTIVITY, "observe")
    assert [child["actionType"] for child in wait["compoundActions"]] == waits_for


@pytest.mark.parametrize("name", ["new", "accepted", "creator"])
@pytest.mark.parametrize("event", ["accepted", "declined", "changed"])
def test_a_parked_instance_of_an_older_deployment_looks_again_when_it_is_woken(name: str, event: str) -> None:
    context = json.loads((HISTORIES / f"{name}.json").read_text())
    parked = replay(context)
    woken = deepcopy(context)
    started = next(each for each in reversed(woken["history"]) if each["EventType"] == 12)
    woken["history"] += _decisions_of(parked, started["Timestamp"])
    woken["history"].append({**started, "IsPlayed": False})
    woken["history"].append(
        {
            "EventType": 15,
            "EventId": -1,
            "IsPlayed": False,
            "Timestamp": started["Timestamp"],
            "Name": event,
            "Input": "null",
        }
    )
    again = replay(woken)["actions"][0][-1]
    assert (again["actionType"], again["functionName"]) == (CALL_ACTIVITY, "observe")


def _decisions_of(state: dict[str, Any], at: str) -> list[dict[str, Any]]:
    """The host's record of a timer that the last turn asked for."""
    timers = [a for a in state["actions"][0][-1]["compoundActions"] if a["actionType"] == CREATE_TIMER]
    return [
        {"EventType": 10, "EventId": 1, "IsPlayed": False, "Timestamp": at, "FireAt": timer["fireAt"]}
        for timer in timers
    ]

"""Histories of instances, recorded once, replayed on today's code.

A deployment meets instances that have waited for days. What the orchestrator did before it parked must come out the
same, or they fail as non-deterministic. If this test fails, the shape of a turn has changed: restart the running
instances with the deployment (docs/operations.md), and record their histories with RECORD_HISTORIES=1.

`LOOKED_FIRST` are of a version whose activity only said what is due, and whose instances looked before they waited.
They are kept as that version left them, and cannot be recorded any more.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import azure.durable_functions as df
import pytest
from azure.durable_functions.models import DurableOrchestrationContext

from orchestrators.one_turn import ENDING_EVENTS, LONGEST_TIMER, LOOK, WAIT_UNTIL
from orchestrators.referral_lifecycle import referral_lifecycle
from orchestrators.registration_review import registration_review
from tests.orchestrations.conftest import ReviewStory, Story
from tests.orchestrations.parked import (
    COMPLETED,
    FIRED,
    RAISED,
    call_of,
    events_of,
    fired,
    name_of,
    now_of,
    raised,
    read,
    record,
    recorded_steps,
    steps_of,
    time_of,
    timer_of,
    waits_of,
    woken,
)

ORCHESTRATORS = {
    each._function.get_function_name(): each._function.get_user_function().orchestrator_function
    for each in (referral_lifecycle, registration_review)
}
OBSERVERS = {"referral_lifecycle": "observe", "registration_review": "observe_registration"}
EVENTS_BEFORE = ["accepted", "declined", "changed"]
"""What the recorded instances of `LOOKED_FIRST` waited for, in this order."""
LOOKED_FIRST = {
    "new": True,
    "accepted": False,
    "creator": False,
    "in_review": True,
    "sent_back": True,
    "reminded_for_the_last_time": False,
}
"""Whether each of them also waited for a time."""
WAIT_FIRST = ("waiting", "slice_over", "review_waiting")
"""Instances of today's shape that wait: the first turn, one after a timer, and a review that has looked before."""
EVENTS = [*ENDING_EVENTS, LOOK]
MOST_SLICES = 10


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
    """Today's decisions on a history; what the history has on record must come out the same."""
    orchestrator = df.Orchestrator(ORCHESTRATORS[name_of(context)])
    state = json.loads(orchestrator.handle(DurableOrchestrationContext.from_json(json.dumps(context))))
    before = recorded_steps(context)
    assert steps_of(state)[: len(before)] == before
    return state


def due_of(context: dict[str, Any]) -> datetime | None:
    """Until when an instance waits, according to its input or to what its activity said."""
    input_ = json.loads(json.loads(next(each["Input"] for each in context["history"] if "Input" in each)))
    looks = [json.loads(each["Result"]) for each in events_of(context, COMPLETED)]
    until = looks[-1]["nextAt"] if looks else input_[WAIT_UNTIL]
    return time_of(until) if until else None


@pytest.mark.skipif("RECORD_HISTORIES" not in os.environ, reason="records only when asked to")
async def test_record_the_histories(contexts: list[dict[str, Any]], story: Story) -> None:
    def last(instance_id: str, kind: int | None = None) -> dict[str, Any]:
        own = [each for each in contexts if each["instanceId"] == instance_id]
        return next(each for each in reversed(own) if kind is None or events_of(each, kind))

    record("waiting", last(story.invited_id))
    await story.advance("P6D")
    record("slice_over", last(story.invited_id, FIRED))
    await story.answer("accept")
    await story.advance("PT0S")
    record("answered", last(story.invited_id, RAISED))
    await story.engine.raise_event(story.microsofts_id, "changed")
    await story.advance("PT0S")
    record("changed", next(each for each in contexts if "changed" in _raised_in(each)))


@pytest.mark.skipif("RECORD_HISTORIES" not in os.environ, reason="records only when asked to")
async def test_record_the_history_of_a_review(contexts: list[dict[str, Any]], review: ReviewStory) -> None:
    await review.register()
    await review.deal.review("requestAction")
    await review.advance("PT0S")
    own = [each for each in contexts if each["instanceId"] == review.deal.rid]
    record("review_waiting", next(each for each in reversed(own) if WAIT_UNTIL in each["input"]))


def _raised_in(context: dict[str, Any]) -> list[str]:
    return [each["Name"] for each in events_of(context, RAISED)]


@pytest.mark.parametrize(("name", "timed"), LOOKED_FIRST.items())
def test_a_parked_instance_of_an_older_deployment_waits_for_the_same_things(name: str, timed: bool) -> None:
    context = read(name)
    state, due = replay(context), due_of(context)
    assert recorded_steps(context) == [("activity", OBSERVERS[name_of(context)])]
    assert [event for event in waits_of(state) if event in EVENTS_BEFORE] == EVENTS_BEFORE
    assert set(waits_of(state)) == set(EVENTS)
    assert (due is not None) == timed
    assert timer_of(state) == (due and min(due, now_of(context) + LONGEST_TIMER))


@pytest.mark.parametrize("name", WAIT_FIRST)
def test_a_parked_instance_waits_for_the_same_things(name: str) -> None:
    context = read(name)
    state, due = replay(context), due_of(context)
    assert due
    assert waits_of(state) == EVENTS
    assert timer_of(state) == min(due, now_of(context) + LONGEST_TIMER)
    assert not [step for step, _ in steps_of(state) if step == "activity"]


@pytest.mark.parametrize("name", [*LOOKED_FIRST, *WAIT_FIRST])
def test_a_parked_instance_looks_when_it_is_told_that_something_changed(name: str) -> None:
    context = read(name)
    again = replay(woken(context, replay(context), raised("changed")))
    assert call_of(again) == OBSERVERS[name_of(context)]


@pytest.mark.parametrize("name", [*LOOKED_FIRST, *WAIT_FIRST])
@pytest.mark.parametrize("event", ["accepted", "declined", "expired"])
def test_a_parked_instance_ends_with_the_answer_or_the_expiry_and_looks_no_more(
    name: str, event: str
) -> None:
    context = read(name)
    waiting = replay(context)
    ended = replay(woken(context, waiting, raised(event)))
    assert ended["isDone"]
    assert steps_of(ended) == steps_of(waiting)


@pytest.mark.parametrize("name", [*(name for name, timed in LOOKED_FIRST.items() if timed), *WAIT_FIRST])
def test_a_parked_instance_looks_again_when_its_time_has_come(name: str) -> None:
    context = read(name)
    state, due = replay(context), due_of(context)
    slices = 0
    while waits_of(state):
        assert slices < MOST_SLICES
        slices += 1
        context = woken(context, state, fired(context, state))
        state = replay(context)
    assert call_of(state) == OBSERVERS[name_of(context)]
    assert now_of(context) == due


def test_an_answered_instance_has_ended() -> None:
    state = replay(read("answered"))
    assert state["isDone"]
    assert {step for step, _ in steps_of(state)} == {"timer"}


def test_an_instance_that_was_told_of_a_change_is_looking() -> None:
    assert call_of(replay(read("changed"))) == "observe"

"""Orchestrators and activities on the platform's runtime, with histories as the engine gives them."""

import json
from datetime import datetime
from typing import Any

import pytest

from devhost.durable_urls import client_json
from localcloud.process.ports import free_ports
from orchestrators.one_turn import SHORTEST_PAUSE
from tests.live import REFERRALS, Service, deal
from tests.orchestrations.parked import CREATE_TIMER, fired, name_of, raised, read, woken
from tests.platform.http_messages import Response, request
from tests.platform.worker import Worker

CALL_ACTIVITY, CONTINUE_AS_NEW, WHEN_ANY = 0, 4, 11
TASK_FAILED = 6
FIRST_TURN, UP_TO_THE_RESULT = 2, 5
"""How many events of the history "new" an instance has when it begins, and when its first activity answers."""
OBSERVERS = {"new": "observe", "in_review": "observe_registration"}


def turn(worker: Worker, context: dict[str, Any]) -> dict[str, Any]:
    """What an orchestrator decides."""
    return json.loads(worker.invoke(name_of(context), {"string": json.dumps(context)})["json"])


def actions(state: dict[str, Any]) -> list[tuple[int, str | None]]:
    return [(each["actionType"], each.get("functionName")) for each in state["actions"][0]]


def created(name: str, events: int) -> dict[str, Any]:
    """A recorded history, cut off."""
    context = read(name)
    return {**context, "history": context["history"][:events]}


def failed(name: str) -> dict[str, Any]:
    """The history of an instance whose first activity has failed."""
    answer = read(name)["history"][UP_TO_THE_RESULT]
    failure = {**answer, "EventType": TASK_FAILED, "Reason": "Activity failed", "Details": "Storage is away."}
    del failure["Result"]
    context = created(name, UP_TO_THE_RESULT)
    return {**context, "history": [*context["history"], failure]}


@pytest.mark.parametrize("name", OBSERVERS)
def test_the_first_turn_looks_at_the_record(worker: Worker, name: str) -> None:
    state = turn(worker, created(name, FIRST_TURN))
    assert (state["isDone"], actions(state)) == (False, [(CALL_ACTIVITY, OBSERVERS[name])])


@pytest.mark.parametrize("name", OBSERVERS)
def test_an_instance_with_nothing_to_do_parks(worker: Worker, name: str) -> None:
    assert actions(turn(worker, read(name))) == [(CALL_ACTIVITY, OBSERVERS[name]), (WHEN_ANY, None)]


@pytest.mark.parametrize("name", OBSERVERS)
@pytest.mark.parametrize("event", ["accepted", "declined", "changed"])
def test_an_event_makes_a_parked_instance_look_again(worker: Worker, name: str, event: str) -> None:
    context = read(name)
    state = turn(worker, woken(context, turn(worker, context), raised(event)))
    assert actions(state)[-1] == (CALL_ACTIVITY, OBSERVERS[name])


@pytest.mark.parametrize("name", OBSERVERS)
def test_a_timer_makes_a_parked_instance_look_again(worker: Worker, name: str) -> None:
    context = read(name)
    parked = turn(worker, context)
    state = turn(worker, woken(context, parked, fired(parked)))
    assert actions(state)[-1] == (CALL_ACTIVITY, OBSERVERS[name])


@pytest.mark.parametrize("name", OBSERVERS)
def test_after_a_failed_activity_an_instance_pauses_and_begins_again(worker: Worker, name: str) -> None:
    context = failed(name)
    paused = turn(worker, context)
    assert actions(paused) == [(CALL_ACTIVITY, OBSERVERS[name]), (CREATE_TIMER, None)]
    assert paused["customStatus"]["pausedAfter"] == "Exception"
    at = datetime.fromisoformat(paused["customStatus"]["at"])
    assert datetime.fromisoformat(paused["actions"][0][-1]["fireAt"]) == at + SHORTEST_PAUSE

    again = turn(worker, woken(context, paused, fired(paused)))
    assert actions(again)[-1] == (CONTINUE_AS_NEW, None)


def test_the_activities_do_the_work_of_a_real_record(worker: Worker, service: Service) -> None:
    """A turn played by hand: no engine knows the deal."""
    (closed,) = free_ports(1)
    away = client_json(f"http://127.0.0.1:{closed}", "cosellreferrals")
    asked = request("POST", REFERRALS, token=service.rae.token, body=deal("Observed deal", "fabrikam"))
    made = Response.of(worker.invoke("create_referral", asked, client=away)).json()
    record = {"organizationId": "contoso", "referralId": made["id"], "now": made["createdDateTime"]}

    def observed() -> Any:
        return json.loads(worker.invoke("observe", {"string": json.dumps(record)})["json"])

    assert observed()["steps"] == [], "the handler did its own work, and put off what needs the engine"
    worker.invoke("remind", {"string": json.dumps({**record, "label": "reminder-first"})})
    steps = observed()["steps"]
    assert steps == [{"activity": "perform", "label": "reminder-first"}]
    worker.invoke("perform", {"string": json.dumps({**record, **steps[0]})})
    after = observed()
    assert (after["steps"], after["finished"]) == ([], False)

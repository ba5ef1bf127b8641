"""Orchestrators and activities on the platform's runtime, with histories as the engine gives them."""

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient

from devhost.durable_urls import client_json
from localcloud.process.ports import free_ports
from orchestrators.one_turn import ENDING_EVENTS, SHORTEST_PAUSE
from shared.domain.due import reminder_work
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.storage.azure_tables import AzureTables
from shared.storage.referrals import Referrals
from shared.workflow.wake import backup_time
from tests.live import REFERRALS, Service, eventually, invitation, private
from tests.orchestrations.parked import CREATE_TIMER, fired, name_of, now_of, raised, read, time_of, woken
from tests.platform.http_messages import Response, request
from tests.platform.waiting_deals import INVITED, REMINDED
from tests.platform.worker import Worker

CALL_ACTIVITY, CONTINUE_AS_NEW, WHEN_ANY = 0, 4, 11
TASK_FAILED = 6
FIRST_TURN, UP_TO_THE_RESULT = 2, 5
"""How many events of the history "new" an instance has when it begins, and when its first activity answers."""
OBSERVERS = {"new": "observe", "in_review": "observe_registration"}
MOST_SLICES = 10


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


def test_an_instance_that_is_told_its_time_parks_without_a_look(worker: Worker) -> None:
    state = turn(worker, read("waiting"))
    assert (state["isDone"], actions(state)) == (False, [(WHEN_ANY, None)])


@pytest.mark.parametrize("name", OBSERVERS)
def test_a_change_makes_a_parked_instance_look_again(worker: Worker, name: str) -> None:
    context = read(name)
    state = turn(worker, woken(context, turn(worker, context), raised("changed")))
    assert actions(state)[-1] == (CALL_ACTIVITY, OBSERVERS[name])


@pytest.mark.parametrize("name", [*OBSERVERS, "waiting"])
@pytest.mark.parametrize("event", ENDING_EVENTS)
def test_an_answer_or_an_expiry_ends_a_parked_instance(worker: Worker, name: str, event: str) -> None:
    context = read(name)
    parked = turn(worker, context)
    ended = turn(worker, woken(context, parked, raised(event)))
    assert (parked["isDone"], ended["isDone"]) == (False, True)
    assert actions(ended) == actions(parked)


@pytest.mark.parametrize("name", OBSERVERS)
def test_a_parked_instance_looks_again_when_its_time_has_come(worker: Worker, name: str) -> None:
    context = read(name)
    due = datetime.fromisoformat(json.loads(context["history"][UP_TO_THE_RESULT]["Result"])["nextAt"])
    state, slices = turn(worker, context), 0
    while actions(state)[-1] == (WHEN_ANY, None):
        slices += 1
        assert slices <= MOST_SLICES
        context = woken(context, state, fired(context, state))
        state = turn(worker, context)
    assert actions(state)[-1] == (CALL_ACTIVITY, OBSERVERS[name])
    assert now_of(context) == time_of(due.isoformat())


@pytest.mark.parametrize("name", OBSERVERS)
def test_after_a_failed_activity_an_instance_pauses_and_begins_again(worker: Worker, name: str) -> None:
    context = failed(name)
    paused = turn(worker, context)
    assert actions(paused) == [(CALL_ACTIVITY, OBSERVERS[name]), (CREATE_TIMER, None)]
    assert paused["customStatus"]["pausedAfter"] == "Exception"
    at = datetime.fromisoformat(paused["customStatus"]["at"])
    assert datetime.fromisoformat(paused["actions"][0][-1]["fireAt"]) == at + SHORTEST_PAUSE

    again = turn(worker, woken(context, paused, fired(context, paused)))
    assert actions(again)[-1] == (CONTINUE_AS_NEW, None)


def test_an_activity_does_the_work_of_a_real_record_once(worker: Worker, service: Service) -> None:
    """A turn played by hand: no engine knows the deal."""
    (closed,) = free_ports(1)
    away = client_json(f"http://127.0.0.1:{closed}", "cosellreferrals")
    asked = request(
        "POST",
        REFERRALS,
        token=service.rae.token,
        body=private("Observed deal", invitations=[invitation("fabrikam")]),
    )
    made = Response.of(worker.invoke("create_referral", asked, client=away)).json()
    own = service.kim.referral_in(made["engagementId"])
    eventually(lambda: service.told("Observed deal") == {INVITED: 1})
    record = {"organizationId": "fabrikam", "referralId": own["id"], "now": made["createdDateTime"]}
    asyncio.run(leave_a_reminder_to_do(service, own["id"]))

    deadline = datetime.fromisoformat(own["expirationDateTime"])
    for _ in range(2):
        answer = worker.invoke("observe", {"string": json.dumps(record)}, client=away)
        assert json.loads(answer["json"]) == {
            "nextAt": backup_time(own["id"], deadline).isoformat(),
            "finished": False,
        }
        assert service.told("Observed deal") == {INVITED: 1, REMINDED: 1}


async def leave_a_reminder_to_do(service: Service, referral_id: str) -> None:
    """As whoever ends between storing a reminder and sending it."""
    tables = AzureTables(TableServiceClient.from_connection_string(service.stack.azurite.connection_string))
    identifier = ReferralId(referral_id)
    record = ReferralKey(organization_id=OrganizationId("fabrikam"), referral_id=identifier)
    await Referrals(tables).insert_work(record, reminder_work(identifier, "reminder-first"))
    await tables.close()

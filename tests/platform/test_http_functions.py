"""HTTP functions on the platform's runtime: tokens, reading, writing, and the durable client that wakes an engine."""

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient

from devhost.durable_urls import WEBHOOK_PATH, client_json
from localcloud.process.ports import free_ports
from shared.admin.check import ask_to_wake
from shared.clock import wall_clock
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.storage.azure_tables import AzureTables
from shared.workflow.wake import backup_time
from tests.live import REFERRALS, Service, deal, eventually
from tests.platform.http_messages import Response, request
from tests.platform.worker import Failed, Worker


def create(worker: Worker, service: Service, name: str, **options: Any) -> dict[str, Any]:
    """A deal of rae's that is made through the worker."""
    asked = request("POST", REFERRALS, token=service.rae.token, body=deal(name, "fabrikam"))
    answer = Response.of(worker.invoke("create_referral", asked, **options))
    assert answer.status == 201, answer.body
    return answer.json()


def instance(service: Service, instance_id: str) -> Any:
    """What the engine says of an instance; None if there is none."""
    answer = service.http.get(f"{service.stack.url}{WEBHOOK_PATH}/instances/{instance_id}")
    return answer.json() if answer.status_code != 404 else None


def running(service: Service, instance_id: str) -> Any:
    """What the engine says of an instance once it has begun."""
    asked = eventually(lambda: instance(service, instance_id))
    eventually(lambda: instance(service, instance_id)["runtimeStatus"] == "Running")
    return asked


def test_the_service_is_ready(worker: Worker) -> None:
    answer = Response.of(worker.invoke("get_health", request("GET", "/healthz")))
    assert (answer.status, answer.json()) == (200, {"status": "ready", "reason": None})


@pytest.mark.parametrize("token", [None, "no.token.ofours"])
def test_who_has_no_token_of_the_issuer_is_turned_away(worker: Worker, token: str | None) -> None:
    answer = Response.of(worker.invoke("list_referrals", request("GET", REFERRALS, token=token)))
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"] == "unauthenticated"


def test_what_is_created_is_on_the_list_and_can_be_read(worker: Worker, service: Service) -> None:
    made = create(worker, service, "Listed deal")
    listed = Response.of(worker.invoke("list_referrals", request("GET", REFERRALS, token=service.rae.token)))
    assert listed.status == 200
    assert made["id"] in [each["id"] for each in listed.json()["value"]]
    one = request("GET", f"{REFERRALS}/{made['id']}", token=service.rae.token, id=made["id"])
    read = Response.of(worker.invoke("get_referral", one))
    assert (read.status, read.json()["name"], read.headers["etag"]) == (200, "Listed deal", made["eTag"])


def test_a_fault_in_a_body_is_answered_and_not_raised(worker: Worker, service: Service) -> None:
    asked = request("POST", REFERRALS, token=service.rae.token, body={"name": 7})
    answer = Response.of(worker.invoke("create_referral", asked))
    assert answer.status == 422
    assert "/name" in {each["target"] for each in answer.json()["error"]["details"]}


def test_the_durable_client_starts_an_orchestration_in_the_engine(worker: Worker, service: Service) -> None:
    made = create(worker, service, "Started deal")
    own = service.kim.referral_in(made["engagementId"])
    started = running(service, own["id"])
    assert started["name"] == "referral_lifecycle"
    deadline = datetime.fromisoformat(own["expirationDateTime"])
    assert json.loads(started["input"]) == {
        "organizationId": "fabrikam",
        "referralId": own["id"],
        "waitUntil": backup_time(own["id"], deadline).isoformat(),
    }
    assert instance(service, made["id"]) is None


def test_the_durable_client_raises_the_event_that_ends_an_orchestration(
    worker: Worker, service: Service
) -> None:
    """Nothing else ends it: it has parked, the sweep is off, and its deadline is days away."""
    made = create(worker, service, "Accepted deal")
    own = service.kim.referral_in(made["engagementId"])
    running(service, own["id"])
    service.advance("PT0S")
    asked = request("POST", f"{REFERRALS}/{own['id']}/accept", token=service.kim.token, body={}, id=own["id"])
    assert Response.of(worker.invoke("accept_referral", asked)).status == 200
    news = ("rae@contoso.com", "Fabrikam accepted your invitation to the deal")
    eventually(lambda: instance(service, own["id"])["runtimeStatus"] == "Completed")
    assert service.told("Accepted deal")[news] == 1


def test_an_engine_that_is_away_is_made_up_for_by_the_timer(worker: Worker, service: Service) -> None:
    (closed,) = free_ports(1)
    away = client_json(f"http://127.0.0.1:{closed}", "cosellreferrals")
    made = create(worker, service, "Swept deal", client=away)
    own = service.kim.referral_in(made["engagementId"])
    assert instance(service, own["id"]) is None
    asyncio.run(ask_for(service, own["id"]))
    due = '{"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": false}'
    assert worker.invoke("sweep_intents", {"json": due}) == {}
    assert running(service, own["id"])


async def ask_for(service: Service, referral_id: str) -> None:
    """As an operator does: by itself the sweep would look after a minute."""
    tables = AzureTables(TableServiceClient.from_connection_string(service.stack.azurite.connection_string))
    party = ReferralKey(organization_id=OrganizationId("fabrikam"), referral_id=ReferralId(referral_id))
    await ask_to_wake(tables, [party], wall_clock())
    await tables.close()


def test_an_exception_of_a_function_is_reported_to_the_host(worker: Worker) -> None:
    with pytest.raises(Failed, match="KeyError: 'now'"):
        worker.invoke("observe", {"string": "{}"})

"""The contract against the running service: whatever is sent, no 500, and every answer as the document says."""

from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.openapi.checks import JsonSchemaError
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import operations  # noqa: F401 - declares every operation
from api.contract.pages import document
from tests.doubles.registration_form import FORM
from tests.live import ESTIMATE, REFERRALS, Person, Service, deal, lead, private, won

CHECKS: list[Callable[..., object]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {
    operation.definition.raw["operationId"]: operation
    for result in SCHEMA.get_all_operations()
    for operation in [result.ok()]
}


@pytest.fixture(scope="module")
def service(service_of_its_own: Service) -> Service:
    """Whatever is sent may be stored, as a table that routes all of Microsoft's invitations elsewhere."""
    return service_of_its_own


@pytest.fixture(scope="module")
def ids(service: Service) -> dict[str, str]:
    """A referral and an engagement that exist, for the paths."""
    made = service.rae.create(deal("Contract", "fabrikam"))
    return {"id": made["id"], "engagementId": made["engagementId"], "eTag": made["eTag"]}


def _whose(service: Service, operation: str) -> Person:
    """Somebody who may: a contract is tried behind its doors."""
    if operation in {"submitLeads", "findProviders"}:
        return service.web
    if operation in {"reviewRegistration", "assignRegistration"}:
        return service.dee
    return service.ops if operation.endswith("RoutingRules") else service.ana


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_conforms_whatever_is_sent(
    service: Service, ids: dict[str, str], name: str, request: pytest.FixtureRequest
) -> None:
    operation = OPERATIONS[name]

    @settings(
        max_examples=request.config.getoption("--contract-examples"),
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=operation.as_strategy())
    def fuzz(case: schemathesis.Case) -> None:
        if "referrals/{id}" in case.path and len(str(case.body)) % 2:
            case.path_parameters["id"] = ids["id"]
        if "organizations" in case.path:
            case.path_parameters["id"] = "contoso"
        if "engagementId" in (case.path_parameters or {}):
            case.path_parameters["engagementId"] = ids["engagementId"]
        case.call_and_validate(
            base_url=service.stack.url,
            headers={"Authorization": f"Bearer {_whose(service, name).token}"},
            checks=CHECKS,
        )

    fuzz()


@pytest.mark.parametrize("path", ["", "?$count=true", "?$select=id", "?$filter=status eq 'Active'&$top=1"])
def test_real_lists_conform(service: Service, path: str) -> None:
    service.rae.create(private("Contract list"))
    operation = OPERATIONS["listReferrals"]
    answer = service.rae.get(REFERRALS + path)
    operation.validate_response(answer)


def test_real_resources_conform(service: Service, ids: dict[str, str]) -> None:
    path = f"{REFERRALS}/{ids['id']}"
    for name, answer in {
        "getReferral": service.rae.get(path),
        "listTimeline": service.rae.get(f"{path}/timeline?$top=1"),
        "getEngagement": service.rae.get(f"/v1.0/engagements/{ids['engagementId']}"),
        "findCustomers": service.rae.get("/v1.0/customers?country=US&name=ad"),
        "findPartners": service.rae.get("/v1.0/partners?name=fa"),
        "findSolutions": service.rae.get("/v1.0/solutions"),
        "findRecentContacts": service.rae.get("/v1.0/contacts/recent"),
        "getReferenceData": service.rae.get("/v1.0/reference-data"),
        "listPeople": service.ana.get("/v1.0/organizations/contoso/people"),
        "getStageMap": service.ana.get("/v1.0/organizations/contoso/stage-map"),
        "listProfiles": service.rae.get("/v1.0/organizations/contoso/profiles"),
        "getProfile": service.rae.get("/v1.0/organizations/contoso/profiles/US"),
        "findProviders": service.web.get("/v1.0/providers?country=US"),
        "getRoutingRules": service.ops.get("/v1.0/routing-rules"),
        "evaluateRoutingRules": service.ops.post("/v1.0/routing-rules/evaluate", {"country": "US"}),
        "getHealth": service.rae.get("/healthz"),
    }.items():
        assert answer.status_code == 200, name
        OPERATIONS[name].validate_response(answer)


def test_real_leads_conform(service: Service) -> None:
    answer = service.web.post("/v1.0/leads", lead("Contract lead", "contoso", "nobody"))
    OPERATIONS["submitLeads"].validate_response(answer)
    path = f"{REFERRALS}/{answer.json()['recipients'][0]['referralId']}"
    OPERATIONS["getReferral"].validate_response(service.rae.get(path))
    OPERATIONS["acceptReferral"].validate_response(service.rae.post(f"{path}/accept", ESTIMATE))


def test_real_registrations_conform(service: Service) -> None:
    own = won(service, "Contract registration")
    path = f"{REFERRALS}/{own}"
    OPERATIONS["getEligibility"].validate_response(service.rae.get(f"{path}/registration-eligibility"))
    made = service.rae.post(f"{path}/registrations", FORM)
    OPERATIONS["registerDeal"].validate_response(made)
    record = made.json()["value"][1]
    OPERATIONS["listDealRegistrations"].validate_response(service.rae.get(f"{path}/registrations"))
    OPERATIONS["listRegistrations"].validate_response(service.dee.get("/v1.0/registrations?$top=1"))
    OPERATIONS["getRegistration"].validate_response(service.dee.get(f"/v1.0/registrations/{record['id']}"))
    recalled = service.rae.post(f"{path}/registrations/{record['id']}/recall")
    assert recalled.status_code == 200
    OPERATIONS["recallRegistration"].validate_response(recalled)
    headers = {"If-Match": recalled.json()["eTag"]}
    deleted = service.rae.call("DELETE", f"{path}/registrations/{record['id']}", headers=headers)
    assert deleted.status_code == 204
    OPERATIONS["deleteRegistration"].validate_response(deleted)
    record = service.rae.post(f"{path}/registrations", FORM).json()["value"][0]
    OPERATIONS["reviewRegistration"].validate_response(service.dee.review(record, "approve"))
    OPERATIONS["getReferral"].validate_response(service.rae.get(path))


def test_a_wrong_answer_would_be_noticed(service: Service, ids: dict[str, str]) -> None:
    answer = service.rae.get(f"{REFERRALS}/{ids['id']}/timeline")
    with pytest.raises(JsonSchemaError):
        OPERATIONS["getReferral"].validate_response(answer)


def test_the_document_and_its_page_need_no_token(service: Service) -> None:
    served = service.http.get(f"{service.stack.url}/v1.0/openapi.json")
    assert served.json() == document()
    page = service.http.get(f"{service.stack.url}/docs")
    assert page.headers["content-type"].startswith("text/html")
    for operation in OPERATIONS:
        assert f'id="{operation}"' in page.text


def test_limits_of_texts_and_lists_are_stated() -> None:
    schemas = document()["components"]["schemas"]
    name, notes = schemas["CreationBody"]["properties"]["name"], schemas["DetailsBody"]["properties"]["notes"]
    assert name["maxLength"] == 255
    assert notes["anyOf"][0]["maxLength"] == 8000
    assert set(schemas["CreationBody"]["required"]) == {"name", "team"}
    assert schemas["CreationBody"]["additionalProperties"] is False

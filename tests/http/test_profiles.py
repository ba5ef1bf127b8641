"""Business profiles, and finding partners by them (P1, P4)."""

from typing import Any

import pytest

from tests.live import ESTIMATE, Service, lead

ONE = "/v1.0/organizations/contoso/profiles"
PROVIDERS = "/v1.0/providers"
CONTACT = {
    "firstName": "Rae",
    "lastName": "Lindqvist",
    "email": "rae@contoso.com",
    "phoneNumber": "+1-206-555-0112",
    "locale": "en-US",
}


def profile(*places: str, **changes: Any) -> dict[str, Any]:
    return {
        "active": True,
        "locations": [{"id": place, "contacts": [CONTACT]} for place in places],
        **changes,
    }


def faults(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {each["target"]: each["code"] for each in answer.json()["error"]["details"]}


def found(running: Service, **params: str) -> list[str]:
    answer = running.web.get(PROVIDERS, params={"country": "US", **params})
    assert answer.status_code == 200, answer.text
    return [each["organizationId"] for each in answer.json()["value"]]


def test_a_profile_is_read_and_replaced_under_its_tag(service_of_its_own: Service) -> None:
    """P1, E2: two editors cannot overwrite each other."""
    rae = service_of_its_own.rae
    before = rae.get(f"{ONE}/DE")
    assert before.json()["eTag"] == before.headers["ETag"] == '"1"'
    body = profile("contoso-munich", active=False)
    assert rae.put(f"{ONE}/DE", body).status_code == 428
    written = rae.put(f"{ONE}/de", body, headers={"If-Match": '"1"'})
    assert (written.status_code, written.headers["ETag"]) == (200, '"2"')
    assert written.json()["locations"][0] == {
        "id": "contoso-munich",
        "name": "Contoso Munich",
        "contacts": [CONTACT],
        **{n: [] for n in ("languages", "industries", "products", "services", "keywords", "customerSizes")},
    }
    stale = rae.put(f"{ONE}/DE", body, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.headers["ETag"]) == (412, '"2"')
    assert rae.get(f"{ONE}/DE").json() == written.json()
    listed = rae.get(ONE).json()["value"]
    assert [each["country"] for each in listed] == ["DE", "KR", "US"]
    assert rae.put(f"{ONE}/DE", {**before.json()}, headers={"If-Match": '"2"'}).status_code == 200


def test_a_country_without_a_profile_is_unknown(service: Service) -> None:
    assert service.rae.get(f"{ONE}/FR").status_code == 404
    assert service.rae.get(f"{ONE}/Atlantis").status_code == 404
    assert service.rae.put(f"{ONE}/FR", {}, headers={"If-Match": '"1"'}).status_code == 412


def test_a_profile_names_its_organizations_places_each_once(service: Service) -> None:
    """P1: every fault at once; at most five locations."""
    body = profile("contoso-munich", "contoso-seattle", "contoso-munich", more=1)
    body["locations"][0] |= {"customerSizes": ["huge"], "contacts": [{"firstName": "A", "email": "x"}]}
    assert faults(service.rae.put(f"{ONE}/DE", body, headers={"If-Match": "*"})) == {
        "/more": "unknownField",
        "/locations/0/customerSizes/0": "invalidValue",
        "/locations/0/contacts/0/email": "invalidFormat",
        "/locations/0/contacts/0/lastName": "required",
        "/locations/0/contacts/0/phoneNumber": "required",
        "/locations/1/id": "notInCatalogue",
        "/locations/2/id": "invalidValue",
    }
    six = profile(*["contoso-munich"] * 6)
    assert faults(service.rae.put(f"{ONE}/DE", six, headers={"If-Match": "*"})) == {"/locations": "tooLong"}
    assert faults(service.rae.put(f"{ONE}/DE", {}, headers={"If-Match": "*"})) == {
        "/active": "required",
        "/locations": "required",
    }


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, {"contoso", "litware", "tailspin"}),
        ({"industry": "manufacturing"}, {"contoso", "litware"}),
        ({"industry": "Manufacturing", "keyword": "analytics"}, {"litware"}),
        ({"product": "Dynamics 365"}, {"contoso"}),
        ({"service": "Consulting"}, {"tailspin"}),
        ({"customerSize": "1to9employees"}, {"contoso", "tailspin"}),
        ({"industry": "Fishing"}, set()),
        ({"country": "KR"}, {"contoso", "fabrikam"}),
    ],
)
def test_providers_are_found_by_every_criterion(
    service: Service, criteria: dict[str, str], expected: set[str]
) -> None:
    """P4."""
    assert set(found(service, **criteria)) == expected


@pytest.mark.parametrize(
    "query", ["", "country=XX", "country=US&customerSize=some", "country=US&colour=red", "country=US&$top=0"]
)
def test_a_search_that_cannot_be_understood_is_refused(service: Service, query: str) -> None:
    assert service.web.get(f"{PROVIDERS}?{query}").status_code == 400


def test_fast_responders_rank_higher_and_no_figure_is_told(service_of_its_own: Service) -> None:
    """P4: Litware answers at once, Tailspin lets its time pass, Contoso has not answered often enough."""
    service = service_of_its_own
    for number in range(3):
        leads = service.web.submit(lead(f"Speed {number}", "litware", "tailspin"))
        service.lou.act(leads["litware"], "accept", ESTIMATE)
    contoso = service.web.submit(lead("Speed of Contoso", "contoso"))["contoso"]
    service.rae.act(contoso, "decline", {"reason": "RequirementNotMet"})
    assert found(service) == ["litware", "contoso", "tailspin"]
    service.advance("P15D")
    answer = service.web.get(PROVIDERS, params={"country": "US"}).json()["value"]
    assert [(each["organizationId"], each["responseSpeed"]) for each in answer] == [
        ("litware", "withinADay"),
        ("contoso", "notMeasured"),
        ("tailspin", "slower"),
    ]
    assert answer[0]["explanation"] == "Serves this country; usually answers within a day."
    assert not any(character.isdigit() for each in answer for character in each["explanation"])
    named = service.web.get(PROVIDERS, params={"country": "US", "industry": "Manufacturing"}).json()["value"]
    assert named[0]["matched"] == ["Manufacturing"]
    assert named[0]["locations"] == [{"id": "litware-chicago", "name": "Litware Chicago", "country": "US"}]

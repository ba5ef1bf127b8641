"""Partner admins keep the locations of their organization (P5)."""

from typing import Any

import pytest

from tests.live import REFERRALS, Person, Service, deal

ONE = "/v1.0/organizations/contoso/locations"
OSLO = {"name": "Contoso Oslo", "country": "NO"}


@pytest.fixture
def ana(service_of_its_own: Service) -> Person:
    """Contoso's partner admin."""
    return service_of_its_own.ana


def tag(answer: Any) -> dict[str, str]:
    return {"If-Match": answer.headers["ETag"]}


def made(ana: Person, location: str = "contoso-oslo", **changes: Any) -> Any:
    answer = ana.put(f"{ONE}/{location}", {**OSLO, **changes})
    assert answer.status_code == 201, answer.text
    return answer


def refusal(answer: Any, status: int = 409) -> str:
    assert answer.status_code == status, answer.text
    return answer.json()["error"]["message"]


def test_a_location_is_made_changed_and_deleted_under_its_tag(
    ana: Person, service_of_its_own: Service
) -> None:
    first = made(ana)
    assert first.json() == {"id": "contoso-oslo", **OSLO, "isDefault": False, "eTag": first.headers["ETag"]}
    assert ana.get(ONE).json()["value"][-1] == first.json()
    other = {**OSLO, "name": "Contoso Bergen"}
    assert ana.put(f"{ONE}/contoso-oslo", other).status_code == 428
    second = ana.put(f"{ONE}/contoso-oslo", other, headers=tag(first))
    assert (second.status_code, second.json()["name"]) == (200, "Contoso Bergen")
    assert ana.put(f"{ONE}/contoso-oslo", OSLO, headers=tag(first)).status_code == 412
    assert service_of_its_own.kim.get("/v1.0/partners?name=contoso").json()["value"][0]["locations"][-1] == {
        "id": "contoso-oslo",
        **other,
    }
    assert ana.call("DELETE", f"{ONE}/contoso-oslo").status_code == 428
    assert ana.call("DELETE", f"{ONE}/contoso-oslo", headers=tag(second)).status_code == 204
    assert ana.get(f"{ONE}/contoso-oslo").status_code == 404


def test_deals_use_a_new_location_and_the_new_default_at_once(
    ana: Person, service_of_its_own: Service
) -> None:
    made(ana, "contoso-bodo", isDefault=True)
    body = {
        **deal("From Oslo"),
        "team": [
            {"firstName": "Ana", "lastName": "A", "phoneNumber": "+4722000000", "email": "ana@contoso.com"}
        ],
    }
    body.pop("location", None)
    created = ana.post(REFERRALS, body)
    assert (created.status_code, created.json()["location"]) == (201, "contoso-bodo"), created.text


def test_what_is_in_use_stays(ana: Person, service_of_its_own: Service) -> None:
    """An open referral, a person's scope, a profile, and the default."""
    oslo = made(ana, "contoso-narvik")
    own = ana.get("/v1.0/organizations/contoso/people").json()["value"]
    someone = next(each for each in own if not each["global"] and "MpnPartnerAdmin" not in each["roles"])
    person = f"/v1.0/organizations/contoso/people/{someone['oid']}"
    body = {k: v for k, v in someone.items() if k not in {"oid", "organizationId", "eTag"}}
    changed = ana.put(
        person, {**body, "locations": ["contoso-narvik"]}, headers={"If-Match": someone["eTag"]}
    )
    assert changed.status_code == 200, changed.text
    gone = ana.call("DELETE", f"{ONE}/contoso-narvik", headers=tag(oslo))
    assert someone["firstName"] in refusal(gone)
    assert ana.put(person, body, headers=tag(changed)).status_code == 200

    profile = "/v1.0/organizations/contoso/profiles/NO"
    contact = {
        "firstName": "Rae",
        "lastName": "L",
        "email": "rae@contoso.com",
        "phoneNumber": "+47 22 00 00 00",
    }
    there = {"id": "contoso-narvik", "contacts": [contact]}
    put = ana.put(profile, {"active": True, "locations": [there]})
    assert put.status_code == 201, put.text
    assert "profile of NO" in refusal(ana.call("DELETE", f"{ONE}/contoso-narvik", headers=tag(oslo)))
    abroad = {**OSLO, "country": "SE"}
    assert "profile of NO" in refusal(ana.put(f"{ONE}/contoso-narvik", abroad, headers=tag(oslo)))
    emptied = ana.put(profile, {"active": False, "locations": []}, headers=tag(put))
    assert emptied.status_code == 200, emptied.text

    created = ana.create({**deal("In Oslo"), "location": "contoso-narvik"})
    assert "open" in refusal(ana.call("DELETE", f"{ONE}/contoso-narvik", headers=tag(oslo)))
    assert ana.act(created["id"], "lose", {"reason": "BudgetNotAdequate"}).status_code == 200
    assert ana.call("DELETE", f"{ONE}/contoso-narvik", headers=tag(oslo)).status_code == 204

    default = next(each for each in ana.get(ONE).json()["value"] if each["isDefault"])
    bergen = made(ana, "contoso-bergen", isDefault=True)
    assert "default" in refusal(ana.call("DELETE", f"{ONE}/contoso-bergen", headers=tag(bergen)))
    refused = ana.put(f"{ONE}/contoso-bergen", {**OSLO, "isDefault": False}, headers=tag(bergen))
    assert refused.status_code == 422
    back = {"name": default["name"], "country": default["country"], "isDefault": True}
    again = ana.get(f"{ONE}/{default['id']}")
    assert ana.put(f"{ONE}/{default['id']}", back, headers=tag(again)).status_code == 200
    bergen = ana.get(f"{ONE}/contoso-bergen")
    assert ana.call("DELETE", f"{ONE}/contoso-bergen", headers=tag(bergen)).status_code == 204


def test_only_admins_change_locations_and_an_id_is_one_organizations_alone(service: Service) -> None:
    for who, status in ((service.rae, 200), (service.mia, 200), (service.kim, 404), (service.dee, 404)):
        assert who.get(ONE).status_code == status
    assert service.kim.put(f"{ONE}/contoso-oslo", OSLO).status_code == 404
    assert service.mia.put(f"{ONE}/contoso-oslo", OSLO).status_code == 403
    assert service.mia.call("DELETE", f"{ONE}/contoso-munich", headers={"If-Match": "*"}).status_code == 403
    assert "taken" in refusal(service.ana.put(f"{ONE}/fabrikam-seoul", OSLO))
    assert service.ana.put(f"{ONE}/contoso-oslo", {"name": "", "country": "no"}).status_code == 422
    assert service.ana.call("DELETE", f"{ONE}/nowhere", headers={"If-Match": "*"}).status_code == 404

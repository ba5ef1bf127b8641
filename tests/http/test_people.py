"""The directory of people, kept by partner admins (V7), and the organization's names of stages (S3)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.live import WORLD, Service

PEOPLE = "/v1.0/organizations/contoso/people"
MAP = "/v1.0/organizations/northwind/stage-map"


def somebody(**changes: Any) -> dict[str, Any]:
    return {
        "email": "new@contoso.com",
        "firstName": "New",
        "lastName": "Person",
        "roles": ["ReferralsUser"],
        "locations": ["contoso-seattle"],
        **changes,
    }


def test_an_admin_enters_changes_and_removes_a_person(service: Service) -> None:
    ana, path = service.ana, f"{PEOPLE}/{uuid4()}"
    made = ana.put(path, somebody())
    assert made.status_code == 201, made.text
    assert made.json()["locale"] == "en-US"
    read = ana.get(path)
    assert (read.json(), read.headers["ETag"]) == (made.json(), made.json()["eTag"])
    assert read.json()["oid"] in {each["oid"] for each in ana.get(PEOPLE).json()["value"]}
    assert ana.put(path, somebody(title="Boss")).status_code == 428
    tag = {"If-Match": made.json()["eTag"]}
    changed = ana.put(path, somebody(title="Boss"), headers=tag)
    assert (changed.status_code, changed.json()["title"]) == (200, "Boss")
    stale = ana.put(path, somebody(), headers=tag)
    assert (stale.status_code, stale.headers["ETag"]) == (412, changed.json()["eTag"])
    assert ana.call("DELETE", path).status_code == 428
    assert ana.call("DELETE", path, headers=tag).status_code == 412
    assert ana.call("DELETE", path, headers={"If-Match": changed.json()["eTag"]}).status_code == 204
    assert ana.get(path).status_code == 404
    assert ana.put(path, somebody(), headers=tag).status_code == 412


def test_letter_case_of_a_persons_id_does_not_matter(service: Service) -> None:
    ana, oid = service.ana, str(uuid4())
    made = ana.put(f"{PEOPLE}/{oid.upper()}", somebody())
    assert (made.status_code, made.json()["oid"]) == (201, oid)
    assert ana.get(f"{PEOPLE}/{oid}").json() == made.json()
    assert ana.put(f"{PEOPLE}/{oid}", somebody()).status_code == 428, "it is the same person"
    tag = {"If-Match": made.json()["eTag"]}
    assert ana.call("DELETE", f"{PEOPLE}/{oid.upper()}", headers=tag).status_code == 204
    assert ana.get(f"{PEOPLE}/{oid}").status_code == 404


@pytest.mark.parametrize("oid", ["名" * 90, "a" * 101, "a%0Ab"])
def test_an_id_that_nobody_can_have_is_nobodys(service: Service, oid: str) -> None:
    assert service.ana.get(f"{PEOPLE}/{oid}").status_code == 404
    assert service.ana.put(f"{PEOPLE}/{oid}", somebody()).status_code == 404


def test_what_an_admin_may_not_say_of_a_person_is_refused_at_its_field(service: Service) -> None:
    """V7: Microsoft's roles and LeadIntake are not a partner's to give."""
    body = somebody(
        email="nowhere",
        roles=["ReferralsUser", "MicrosoftSeller", "LeadIntake"],
        locations=["contoso-seattle", "fabrikam-seoul"],
        colour="blue",
    )
    refused = service.ana.put(f"{PEOPLE}/{uuid4()}", body)
    faults = {fault["target"]: fault["code"] for fault in refused.json()["error"]["details"]}
    assert faults == {
        "/email": "invalidFormat",
        "/roles/1": "invalidValue",
        "/roles/2": "invalidValue",
        "/locations/1": "notInCatalogue",
        "/colour": "unknownField",
    }
    missing = service.ana.put(f"{PEOPLE}/{uuid4()}", {}).json()["error"]["details"]
    assert {fault["target"] for fault in missing} == {"/email", "/firstName", "/lastName", "/roles"}


def test_the_last_admin_neither_goes_nor_loses_the_role(service: Service) -> None:
    ana = service.ana
    path = f"{PEOPLE}/{WORLD['ana'][1]}"
    me = ana.get(path).json()
    tag = {"If-Match": me["eTag"]}
    assert ana.call("DELETE", path, headers=tag).json()["error"]["code"] == "notAllowed"
    demoted = ana.put(path, {**me, "roles": ["ReferralsUser"]}, headers=tag)
    assert (demoted.status_code, ana.get(path).json()) == (409, me)


def test_a_role_that_is_taken_away_ends_in_this_process_at_once(service: Service) -> None:
    ana = service.ana
    path = f"{PEOPLE}/{WORLD['mia'][1]}"
    mia = ana.get(path).json()
    reviewer = ana.put(path, {**mia, "locations": ["contoso-seoul"]}, headers={"If-Match": mia["eTag"]})
    assert reviewer.status_code == 200
    assert (
        service.mia.get("/v1.0/engagements/referrals?$filter=location eq 'contoso-munich'").json()["value"]
        == []
    )
    ana.put(path, mia, headers={"If-Match": reviewer.json()["eTag"]})


def test_a_stage_map_is_replaced_whole_and_by_version(service: Service) -> None:
    """S3: by partner admins and global referrals admins; nia is neither more nor less."""
    nia = service.nia
    empty = nia.get(MAP)
    assert (empty.json(), empty.headers["ETag"]) == ({"stages": []}, '"0"')
    stages = [{"name": "Offer", "stage": "Proposed"}, {"name": "Kick-off", "stage": "SecureCustomerLoe"}]
    stored = nia.put(MAP, {"stages": stages}, headers={"If-Match": '"0"'})
    assert (stored.status_code, stored.json()["stages"], stored.headers["ETag"]) == (200, stages, '"1"')
    assert nia.put(MAP, {"stages": []}, headers={"If-Match": '"0"'}).status_code == 412
    assert nia.put(MAP, {"stages": stages[:1]}).headers["ETag"] == '"2"'
    faulty = {"stages": [{"name": "A", "stage": "Won"}, {"name": "a ", "stage": "Proposed"}, {"stage": "X"}]}
    refused = nia.put(MAP, faulty).json()["error"]["details"]
    assert {fault["target"] for fault in refused} == {
        "/stages/0/stage",
        "/stages/1/name",
        "/stages/2/name",
        "/stages/2/stage",
    }
    assert (
        nia.put(MAP, {"stages": [{"name": f"n{i}", "stage": "Proposed"} for i in range(101)]}).status_code
        == 422
    )

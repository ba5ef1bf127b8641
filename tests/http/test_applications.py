"""Applications as entries of the directory, kept by partner admins (V7): what they may do, and how they are shown."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from localcloud import issuer
from tests.live import REFERRALS, WORLD, Service, deal, lead

APPLICATIONS = "/v1.0/organizations/contoso/applications"
PEOPLE = "/v1.0/organizations/contoso/people"
TENANT = WORLD["ana"][0]


def now(service: Service) -> datetime:
    """The time of the domain clock."""
    clock = service.http.get(f"{service.stack.controls}/admin/devhost/clock").json()["now"]
    return datetime.fromisoformat(clock)


def crm(service: Service, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Contoso CRM",
        "roles": ["ReferralsAdmin"],
        "global": True,
        "expiresDateTime": (now(service) + timedelta(days=365)).isoformat(),
        **changes,
    }


class Client:
    """An application of Contoso's that calls with a token of its own."""

    def __init__(self, service: Service, oid: str) -> None:
        signed = issuer.token(service.stack.data.path, tid=TENANT, oid=oid, application=True)
        self._service, self._headers = service, {"Authorization": f"Bearer {signed}"}

    def call(self, method: str, path: str, headers: Any = None, **options: Any) -> httpx.Response:
        url = self._service.stack.url + path
        return self._service.http.request(
            method, url, headers={**self._headers, **(headers or {})}, **options
        )


def entered(service: Service, **changes: Any) -> tuple[Client, str]:
    """An application that ana enters, and the path of its entry."""
    oid = str(uuid4())
    made = service.ana.put(f"{APPLICATIONS}/{oid}", crm(service, **changes))
    assert made.status_code == 201, made.text
    return Client(service, oid), f"{APPLICATIONS}/{oid}"


def faults(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {fault["target"]: fault["code"] for fault in answer.json()["error"]["details"]}


def test_an_admin_enters_changes_and_removes_an_application(service: Service) -> None:
    ana, oid = service.ana, str(uuid4())
    path, body = f"{APPLICATIONS}/{oid}", crm(service, locations=["contoso-munich"])
    made = ana.put(path, body)
    assert made.status_code == 201, made.text
    view = made.json()
    assert datetime.fromisoformat(view.pop("expiresDateTime")) == datetime.fromisoformat(
        body["expiresDateTime"]
    )
    assert view == {
        "oid": oid,
        "organizationId": "contoso",
        "name": "Contoso CRM",
        "roles": ["ReferralsAdmin"],
        "global": True,
        "locations": ["contoso-munich"],
        "eTag": made.headers["ETag"],
    }
    read = ana.get(path)
    assert (read.json(), read.headers["ETag"]) == (made.json(), view["eTag"])
    assert made.json() in ana.get(APPLICATIONS).json()["value"]
    assert ana.put(path, body).status_code == 428
    tag = {"If-Match": view["eTag"]}
    changed = ana.put(path, {**made.json(), "name": "CRM"}, headers=tag)  # with all that was read
    assert (changed.status_code, changed.json()["name"]) == (200, "CRM")
    stale = ana.put(path, body, headers=tag)
    assert (stale.status_code, stale.headers["ETag"]) == (412, changed.json()["eTag"])
    assert ana.call("DELETE", path).status_code == 428
    assert ana.call("DELETE", path, headers=tag).status_code == 412
    assert ana.call("DELETE", path, headers={"If-Match": changed.json()["eTag"]}).status_code == 204
    assert ana.get(path).status_code == 404
    assert ana.put(path, body, headers=tag).status_code == 412


def test_what_an_admin_may_not_say_of_an_application_is_refused_at_its_field(service: Service) -> None:
    """V7: no role and no location beyond the admin's own, no address, and an end in sight."""
    path = f"{APPLICATIONS}/{uuid4()}"
    body = crm(
        service,
        name=" ",
        roles=["ReferralsUser", "MicrosoftSeller", "LeadIntake", "DealReviewer", "RoutingAdmin"],
        locations=["contoso-seattle", "fabrikam-seoul"],
        email="crm@contoso.com",
        phoneNumber="+1 206 555 0100",
        expiresDateTime="soon",
    )
    assert faults(service.ana.put(path, body)) == {
        "/name": "required",
        "/roles/1": "invalidValue",
        "/roles/2": "invalidValue",
        "/roles/3": "invalidValue",
        "/roles/4": "invalidValue",
        "/locations/1": "notInCatalogue",
        "/email": "unknownField",
        "/phoneNumber": "unknownField",
        "/expiresDateTime": "invalidFormat",
    }
    assert faults(service.ana.put(path, {})).keys() == {"/name", "/roles", "/expiresDateTime"}
    ends = (timedelta(days=-1), timedelta(), timedelta(days=732), timedelta(days=9999))
    for end in ((now(service) + each).isoformat() for each in ends):
        body = crm(service, expiresDateTime=end)
        assert faults(service.ana.put(path, body)) == {"/expiresDateTime": "outOfRange"}
    two_years = (now(service) + timedelta(days=730)).isoformat()
    assert service.ana.put(path, crm(service, expiresDateTime=two_years)).status_code == 201


@pytest.mark.parametrize("who", ["rae", "mia", "ulf"])
def test_only_partner_admins_see_and_change_applications(service: Service, who: str) -> None:
    _, path = entered(service)
    person = getattr(service, who)
    for answer in (
        *(person.get(APPLICATIONS), person.get(path), person.call("DELETE", path)),
        *(person.put(path, crm(service)), person.put(f"{APPLICATIONS}/{uuid4()}", crm(service))),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "accessDenied")


@pytest.mark.parametrize("who", ["kim", "sam", "web"])
def test_applications_of_other_organizations_are_not_there(service: Service, who: str) -> None:
    """V5."""
    _, path = entered(service)
    stranger = getattr(service, who)
    for answer in (
        *(stranger.get(APPLICATIONS), stranger.get(path), stranger.call("DELETE", path)),
        stranger.put(path, crm(service)),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "itemNotFound")


def test_an_application_of_an_admin_changes_neither_applications_nor_people(service: Service) -> None:
    """V7: it could outlive its own expiry."""
    client, path = entered(service, roles=["MpnPartnerAdmin"])
    own = client.call("GET", path)
    assert own.status_code == client.call("GET", PEOPLE).status_code == 200
    tag = {"If-Match": own.json()["eTag"]}
    person = {"email": "x@contoso.com", "firstName": "X", "lastName": "Y", "roles": ["MpnPartnerAdmin"]}
    for answer in (
        client.call("PUT", path, json=crm(service), headers=tag),
        client.call("DELETE", path, headers=tag),
        client.call("PUT", f"{APPLICATIONS}/{uuid4()}", json=crm(service)),
        client.call("PUT", f"{PEOPLE}/{uuid4()}", json=person),
        client.call("DELETE", f"{PEOPLE}/{WORLD['mia'][1]}", headers={"If-Match": "*"}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "accessDenied"), answer.text
    assert client.call("GET", path).json() == own.json()


def test_an_id_is_a_persons_or_an_applications(service: Service) -> None:
    ana = service.ana
    of_mia = ana.put(f"{APPLICATIONS}/{WORLD['mia'][1].upper()}", crm(service))
    assert (of_mia.status_code, of_mia.json()["error"]["code"]) == (409, "notAllowed")
    _, path = entered(service)
    person = {"email": "x@contoso.com", "firstName": "X", "lastName": "Y", "roles": ["ReferralsUser"]}
    taken = ana.put(path.replace("/applications/", "/people/"), person)
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "notAllowed")


def test_letter_case_of_its_id_does_not_matter(service: Service) -> None:
    oid = str(uuid4())
    made = service.ana.put(f"{APPLICATIONS}/{oid.upper()}", crm(service))
    assert (made.status_code, made.json()["oid"]) == (201, oid)
    assert service.ana.get(f"{APPLICATIONS}/{oid}").json() == made.json()
    for spelled in (oid, oid.upper()):
        assert Client(service, spelled).call("GET", REFERRALS).status_code == 200


def test_an_application_acts_under_its_own_name_and_is_told_from_a_person(
    service: Service, name: str
) -> None:
    client, _ = entered(service, name="Ana Duarte")
    made = client.call("POST", REFERRALS, json=deal(name, "northwind"))
    assert made.status_code == 201, made.text
    path = f"{REFERRALS}/{made.json()['id']}"
    (created, *_) = service.rae.get(f"{path}/timeline").json()["value"]
    assert created["actor"] == {"organizationId": "contoso", "name": "Ana Duarte"}
    assert created["details"]["actor"] == "application"
    engagement = made.json()["engagementId"]
    theirs = service.nia.get(f"{REFERRALS}/{service.nia.referral_in(engagement)['id']}/timeline").json()
    assert [each["actor"]["name"] for each in theirs["value"]] == [None] * len(theirs["value"])
    assert all("actor" not in each["details"] for each in theirs["value"])
    edited = service.rae.patch(
        service.rae.read(made.json()["id"]), {"op": "replace", "path": "/name", "value": name + "!"}
    )
    assert edited.status_code == 200, edited.text
    entries = service.rae.get(f"{path}/timeline").json()["value"]
    assert [each["details"].get("actor") for each in entries if each["kind"] == "edited"] == [None]
    assert client.call("PUT", f"{path}/favorite").status_code == 204
    assert client.call("GET", path).json()["favorite"]
    assert not service.rae.read(made.json()["id"])["favorite"]
    with_favorites = client.call("GET", f"{REFERRALS}?$filter=favorite eq true").json()["value"]
    assert [each["id"] for each in with_favorites] == [made.json()["id"]]


def test_an_application_gets_no_mail_and_is_nobodys_contact(service_of_its_own: Service, name: str) -> None:
    """M1, M3, V7: neither with the contacts, nor with the admins who are reminded."""
    service = service_of_its_own
    entered(service, name="crm@contoso.com", roles=["MpnPartnerAdmin", "ReferralsAdmin"])
    service.web.submit(lead(name, "contoso:contoso-munich"))
    service.advance("P12D")
    mails = service.mails(name)
    assert {"rae@contoso.com", "mia@contoso.com"} <= {address for mail in mails for address in mail["to"]}
    assert all("crm@contoso.com" not in mail["to"] for mail in mails)
    recent = service.rae.get("/v1.0/contacts/recent").json()["value"]
    assert all(each["email"] != "crm@contoso.com" for each in recent)


def test_an_application_is_on_no_team(service: Service, name: str) -> None:
    """V4: with the role of a referrals user it sees and creates nothing."""
    client, _ = entered(
        service,
        name="rae@contoso.com",
        roles=["ReferralsUser"],
        **{"global": False, "locations": ["contoso-seattle"]},
    )
    raes = service.rae.create(deal(name))
    listed = client.call("GET", REFERRALS)
    assert (listed.status_code, listed.json()["value"]) == (200, [])
    assert client.call("GET", f"{REFERRALS}/{raes['id']}").status_code == 404
    refused = client.call("POST", REFERRALS, json=deal(f"{name} again"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "accessDenied")
    assert client.call("GET", "/v1.0/contacts/recent").json() == {"value": []}


def test_an_application_whose_entry_has_expired_may_do_nothing_until_it_is_renewed(
    service_of_its_own: Service,
) -> None:
    service = service_of_its_own
    client, path = entered(service, expiresDateTime=(now(service) + timedelta(hours=1)).isoformat())
    assert client.call("GET", REFERRALS).status_code == 200
    service.advance("PT2H")
    refused = client.call("GET", REFERRALS)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "accessDenied")
    assert "an MPN partner admin of Contoso can renew it" in refused.json()["error"]["message"]
    expired = service.ana.get(path)
    assert expired.status_code == 200
    renewed = service.ana.put(path, crm(service), headers={"If-Match": expired.headers["ETag"]})
    assert renewed.status_code == 200, renewed.text
    assert client.call("GET", REFERRALS).status_code == 200

"""Who the caller is, and what people decide about themselves (V8)."""

import pytest

from tests.http.test_applications import entered
from tests.live import Service

ME = "/v1.0/me"
PEOPLE = "/v1.0/organizations/contoso/people"


def test_everybody_is_told_who_they_are_where_their_roles_apply_and_what_they_may_do(
    service: Service,
) -> None:
    ana = service.ana.get(ME)
    assert ana.headers["ETag"] == ana.json()["eTag"]
    assert (ana.json()["kind"], ana.json()["roles"]) == ("person", ["MpnPartnerAdmin"])
    assert ana.json()["organization"] == {
        "id": "contoso",
        "name": "Contoso",
        "kind": "partner",
        "defaultLocation": "contoso-seattle",
        "vettedForAssessments": True,
    }
    rights = {
        who: set(getattr(service, who).get(ME).json()["rights"]) for who in ("ana", "mia", "sam", "dee")
    }
    assert {"keepLocations", "manageMembers", "configure", "registerDeals"} <= rights["ana"]
    assert "useReferrals" in rights["mia"]
    assert not rights["mia"] & {"keepLocations", "manageMembers"}
    assert rights["sam"] == {"useReferrals", "readRouting"}
    assert rights["dee"] == {"reviewRegistrations"}
    mia = service.mia.get(ME).json()
    assert mia["locations"] == [{"id": "contoso-munich", "name": "Contoso Munich", "country": "DE"}]
    assert service.web.get(ME).json()["rights"] == ["submitLeads"]
    assert service.http.get(service.stack.url + ME).status_code == 401


def test_an_application_is_told_so_and_has_nothing_to_change(service_of_its_own: Service) -> None:
    client, _ = entered(service_of_its_own)
    me = client.call("GET", ME).json()
    assert (me["kind"], me["name"], me["email"], me["eTag"]) == ("application", "Contoso CRM", None, None)
    assert me["expiresDateTime"]
    assert client.call("PATCH", ME, json={"locale": "ko-KR"}).status_code == 403


def test_people_choose_their_language_and_whether_they_get_mail_and_nothing_else(
    service_of_its_own: Service,
) -> None:
    mia = service_of_its_own.mia
    before = mia.get(ME).json()
    changed = mia.call("PATCH", ME, json={"locale": "ko-KR", "disableNotifications": True})
    assert changed.status_code == 200, changed.text
    assert changed.json() == {
        **before,
        "locale": "ko-KR",
        "disableNotifications": True,
        "eTag": changed.headers["ETag"],
    }
    assert changed.headers["ETag"] != before["eTag"]
    kept = mia.call("PATCH", ME, json={"disableNotifications": False})
    assert (kept.json()["locale"], kept.json()["disableNotifications"]) == ("ko-KR", False)
    entry = next(
        each for each in service_of_its_own.ana.get(PEOPLE).json()["value"] if each["oid"] == before["oid"]
    )
    assert (entry["locale"], entry["eTag"]) == ("ko-KR", kept.headers["ETag"])

    stale = mia.call("PATCH", ME, json={"locale": "en-US"}, headers={"If-Match": before["eTag"]})
    assert (stale.status_code, stale.headers["ETag"]) == (412, kept.headers["ETag"])
    fresh = mia.call("PATCH", ME, json={"locale": "en-US"}, headers={"If-Match": kept.headers["ETag"]})
    assert fresh.status_code == 200


@pytest.mark.parametrize(
    "body", [{"roles": ["MpnPartnerAdmin"]}, {"global": True}, {"locale": "?"}, {"email": "a@b.co"}]
)
def test_nobody_gives_themselves_more(service: Service, body: dict[str, object]) -> None:
    before = service.mia.get(ME).json()
    assert service.mia.call("PATCH", ME, json=body).status_code == 422
    assert service.mia.get(ME).json() == before

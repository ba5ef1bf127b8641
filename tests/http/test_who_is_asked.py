"""Who is asked can answer, over HTTP: a contact of a location that its own role does not reach (V4, M1, M3, L2)."""

from typing import Any

import pytest

from tests.live import ESTIMATE, REFERRALS, Person, Service, invitation, lead, private

SEOUL = "contoso-seoul"
PROFILE = "/v1.0/organizations/contoso/profiles/KR"
ULF = {
    "firstName": "Ulf",
    "lastName": "Sandberg",
    "email": "ULF@contoso.com",
    "phoneNumber": "+1 206 555 0114",
}
QUERIES = (
    "?$count=true",
    "?$count=true&$filter=status eq 'New'",
    "?$orderby=updatedDateTime desc",
    "?$orderby=createdDateTime",
)


@pytest.fixture(scope="module")
def service(service_of_its_own: Service) -> Service:
    """Seoul's contact is ulf, a referrals user of Seattle."""
    body = {"active": True, "locations": [{"id": SEOUL, "contacts": [ULF]}]}
    written = service_of_its_own.rae.put(PROFILE, body, headers={"If-Match": "*"})
    assert written.status_code == 200, written.text
    return service_of_its_own


def listed(person: Person, query: str) -> set[str]:
    answer = person.get(REFERRALS + query)
    assert answer.status_code == 200, answer.text
    found = {each["id"] for each in answer.json()["value"]}
    assert answer.json().get("@odata.count", len(found)) == len(found)
    return found


def sent(service: Service, kind: str) -> dict[str, Any]:
    """A New referral that was sent to Seoul, as rae reads it."""
    if kind == "lead":
        return service.rae.read(service.web.submit(lead(f"Asked by {kind}", f"contoso:{SEOUL}"))["contoso"])
    target = {"type": "BusinessProfileLocation", "id": SEOUL}
    body = private(
        f"Asked by {kind}", location="fabrikam-seoul", invitations=[invitation("contoso", target=target)]
    )
    return service.rae.referral_in(service.kim.create(body)["engagementId"])


@pytest.mark.parametrize("verb", ["accept", "decline"])
@pytest.mark.parametrize("kind", ["lead", "invitation"])
def test_a_contact_sees_what_it_is_asked_and_answers_it(service: Service, kind: str, verb: str) -> None:
    own, ulf = sent(service, kind), service.ulf
    path = f"{REFERRALS}/{own['id']}"
    assert ulf.read(own["id"])["allowedActions"] == ["accept", "decline"]
    assert ulf.get(f"{path}/timeline").status_code == 200
    assert ulf.get(f"/v1.0/engagements/{own['engagementId']}").status_code == 200
    for query in (*QUERIES, f"?$filter=engagementId eq '{own['engagementId']}'"):
        assert listed(ulf, query) == {own["id"]}, query
    assert service.mia.get(path).status_code == 404
    body = ESTIMATE if verb == "accept" else {"reason": "RequirementNotMet"}
    answered = ulf.act(own["id"], verb, body)
    assert answered.status_code == 200, answered.text
    assert [each["email"] for each in answered.json()["team"]] == (
        ["ulf@contoso.com"] if verb == "accept" else []
    )
    unknown = ulf.get(f"{REFERRALS}/00000000-0000-7000-8000-000000000000").json()
    assert ulf.get(path).json() == unknown
    for query in QUERIES:
        assert listed(ulf, query) == set(), query
    assert service.rae.read(own["id"])["substatus"] == ("Accepted" if verb == "accept" else "Declined")


def test_a_contact_is_told_and_reminded(service: Service) -> None:
    """M3: as are those whose role covers the location."""
    own = sent(service, "lead")
    service.advance("PT25H")
    told = [address for mail in service.mails_to_readers_of(own["id"]) for address in mail["to"]]
    assert sorted(address.casefold() for address in told) == [
        "rae@contoso.com",
        "ulf@contoso.com",
        "ulf@contoso.com",
    ]

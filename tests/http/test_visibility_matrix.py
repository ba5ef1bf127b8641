"""Every operation as every sample person on every kind of referral, cell by cell (V1 to V6).

Requests are sent so that they change nothing: with the tag of another version, or with a body that is refused after
the caller's right to the record was looked at. So 404 means "not seen", and anything else that it was.
"""

from typing import Any

import pytest

from tests.doubles.registration_form import FORM
from tests.live import (
    ESTIMATE,
    REFERRALS,
    REGISTRATIONS,
    Service,
    assessment,
    deal,
    invitation,
    lead,
    partner_led,
    private,
    sellers_deal,
    won,
)

PEOPLE = (
    *("ana", "rae", "mia", "ulf", "kim", "lee", "nia", "tom", "sam", "dee"),
    *("hana", "ops", "lou", "web"),
)
NO_REFERRALS = {"dee", "ops", "web"}
RAE = {"firstName": "Rae", "lastName": "L", "phoneNumber": "+1 206 555 0102", "email": "rae@contoso.com"}
ULF = {**RAE, "firstName": "Ulf", "email": "Ulf@Contoso.com"}
MUNICH = "contoso-munich"

WHO_SEES = """
referral                 ana rae mia ulf kim lee nia tom sam dee hana ops lou web
Private Seattle          x   x   -   -   -   -   -   -   -   -   -    -   -   -
Private Munich           x   x   x   -   -   -   -   -   -   -   -    -   -   -
Private Seattle, ulf     x   x   -   x   -   -   -   -   -   -   -    -   -   -
Private Munich, ulf      x   x   x   -   -   -   -   -   -   -   -    -   -   -
PartnerLed Seattle       x   x   -   -   -   -   -   -   -   -   -    -   -   -
PartnerToPartner Seattle x   x   -   -   -   -   -   -   -   -   -    -   -   -
its invitation to kim    -   -   -   -   x   -   -   -   -   -   -    -   -   -
CoSell Munich            x   x   x   -   -   -   -   -   -   -   -    -   -   -
its invitation to nia    -   -   -   -   -   -   x   -   -   -   -    -   -   -
its invitation to sam    -   -   -   -   -   -   -   -   x   -   x    -   -   -
SolutionAssessment       x   x   -   -   -   -   -   -   -   -   -    -   -   -
created by sam           -   -   -   -   -   -   -   -   x   -   x    -   -   -
its invitation to mia    x   x   x   -   -   -   -   -   -   -   -    -   -   -
accepted, lee in team    -   -   -   -   x   x   -   -   -   -   -    -   -   -
Private Seattle, won     x   x   -   -   -   -   -   -   -   -   -    -   -   -
lead to Seattle          x   x   -   -   -   -   -   -   -   -   -    -   -   -
lead to Munich           x   x   x   -   -   -   -   -   -   -   -    -   -   -
lead with ulf, accepted  x   x   -   x   -   -   -   -   -   -   -    -   -   -
lead to Litware          -   -   -   -   -   -   -   -   -   -   -    -   x   -
"""
_, HEAD, *LINES = WHO_SEES.splitlines()
SEES = {line[:24].strip(): dict(zip(HEAD[24:].split(), line[24:].split(), strict=True)) for line in LINES}
READS = {
    "get": 200,
    "timeline": 200,
    "favorite": 204,
    "unfavorite": 204,
    "engagement": 200,
    "eligibility": 200,
    "registrations": 200,
}
WRITES = ("patch", "put", "accept", "decline", "win", "lose", "stage", "invitations", "convert")


@pytest.fixture(scope="module")
def service(service_of_its_own: Service) -> Service:
    """Everybody reads whole lists here, which hold all deals of all tests elsewhere."""
    return service_of_its_own


@pytest.fixture(scope="module")
def referrals(service: Service) -> dict[str, dict[str, Any]]:
    """One referral of each kind, by the name of its line."""
    rae = service.rae
    shared = rae.create(private("Matrix P2P", invitations=[invitation("fabrikam")]))
    co_sell = rae.create(deal("Matrix co-sell", "northwind", location=MUNICH))
    target = {"type": "BusinessProfileLocation", "id": MUNICH}
    sams = service.sam.create(
        sellers_deal("Matrix of sam", invitations=[invitation("contoso", target=target)])
    )
    own = service.kim.referral_in(rae.create(deal("Matrix with lee", "fabrikam"))["engagementId"])
    service.kim.act(own["id"], "accept", {"team": [{**RAE, "email": "LEE@fabrikam.com"}]})
    leads = service.web.submit(lead("Matrix leads", "contoso", "litware"))
    munich = service.web.submit(lead("Matrix lead", f"contoso:{MUNICH}"))["contoso"]
    ulfs = service.web.submit(lead("Matrix lead of ulf", "contoso"))["contoso"]
    won = rae.create(private("Matrix won"))
    rae.act(won["id"], "win")
    return {
        "Private Seattle": rae.create(private("Matrix 1")),
        "Private Munich": rae.create(private("Matrix 2", location=MUNICH)),
        "Private Seattle, ulf": rae.create(private("Matrix 3", team=[RAE, ULF])),
        "Private Munich, ulf": rae.create(private("Matrix 4", team=[RAE, ULF], location=MUNICH)),
        "PartnerLed Seattle": rae.create(partner_led("Matrix led")),
        "PartnerToPartner Seattle": shared,
        "its invitation to kim": service.kim.referral_in(shared["engagementId"]),
        "CoSell Munich": co_sell,
        "its invitation to nia": service.nia.referral_in(co_sell["engagementId"]),
        "its invitation to sam": service.sam.referral_in(co_sell["engagementId"]),
        "SolutionAssessment": rae.create(assessment("Matrix SA")),
        "created by sam": sams,
        "its invitation to mia": service.mia.referral_in(sams["engagementId"]),
        "accepted, lee in team": service.kim.read(own["id"]),
        "Private Seattle, won": won,
        "lead to Seattle": rae.read(leads["contoso"]),
        "lead to Munich": rae.read(munich),
        "lead with ulf, accepted": rae.act(ulfs, "accept", {**ESTIMATE, "team": [ULF]}).json(),
        "lead to Litware": service.lou.read(leads["litware"]),
    }


def test_the_matrix_names_every_person_of_the_sample_world_who_signs_in(service: Service) -> None:
    assert tuple(HEAD[24:].split()) == PEOPLE


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("kind", SEES)
def test_every_operation_on_every_kind_of_referral(
    service: Service, referrals: dict[str, dict[str, Any]], kind: str, who: str
) -> None:
    """V5: what one may not see answers 404 exactly like an unknown id."""
    person, referral = getattr(service, who), referrals[kind]
    sees = SEES[kind][who] == "x"
    path, stale = f"{REFERRALS}/{referral['id']}", {"If-Match": '"999"'}
    answers = {
        "get": person.get(path),
        "timeline": person.get(f"{path}/timeline"),
        "eligibility": person.get(f"{path}/registration-eligibility"),
        "registrations": person.get(f"{path}/registrations"),
        "favorite": person.put(f"{path}/favorite"),
        "unfavorite": person.call("DELETE", f"{path}/favorite"),
        "patch": person.call("PATCH", path, json=[], headers=stale),
        "put": person.put(path, {}, headers=stale),
        **{
            verb: person.act(
                referral["id"], verb, {"invitations": []} if verb == "invitations" else {}, headers=stale
            )
            for verb in ("accept", "decline", "win", "lose", "stage", "invitations", "convert")
        },
    }
    statuses = {operation: answer.status_code for operation, answer in answers.items()}
    expected = {operation: READS[operation] for operation in READS if operation != "engagement"}
    expected |= dict.fromkeys(WRITES, 412)
    if who in {"sam", "hana"}:
        expected |= {"eligibility": 403, "registrations": 403}
    assert statuses == (expected if sees else dict.fromkeys(expected, 404))
    if not sees:
        unknown = person.get(f"{REFERRALS}/00000000-0000-7000-8000-000000000000").json()
        assert all(answer.json() == unknown for answer in answers.values())


@pytest.mark.parametrize("who", PEOPLE)
def test_every_list_holds_what_one_sees_and_nothing_else(
    service: Service, referrals: dict[str, dict[str, Any]], who: str
) -> None:
    """V2, V4: whatever range the list is read from."""
    person = getattr(service, who)
    wanted = {referrals[kind]["id"] for kind in SEES if SEES[kind][who] == "x"}
    everything = {referral["id"] for referral in referrals.values()}
    for query in (
        "",
        "?$orderby=updatedDateTime desc",
        "?$orderby=updatedDateTime",
        "?$orderby=createdDateTime",
        "?$filter=status in ('New','Active','Closed')",
        "?$filter=direction in ('Incoming','Outgoing')",
    ):
        if who in NO_REFERRALS:
            assert person.get(REFERRALS + query).status_code == 403
            continue
        assert everything & set(_ids(person, query)) == wanted, query
    for kind, referral in referrals.items():
        if who not in NO_REFERRALS:
            query = f"?$filter=engagementId eq '{referral['engagementId']}'"
            assert (referral["id"] in _ids(person, query)) == (SEES[kind][who] == "x")


def _ids(person: Any, query: str) -> list[str]:
    found, address = [], REFERRALS + query
    while address:
        page = person.get(address)
        assert page.status_code == 200, page.text
        found += [each["id"] for each in page.json()["value"]]
        address = page.json().get("@odata.nextLink")
    return found


ENGAGEMENTS = """
deal of                  ana rae mia ulf kim lee nia tom sam dee hana ops lou web
Private Seattle          x   x   -   -   -   -   -   -   -   -   -    -   -   -
Private Seattle, ulf     x   x   -   x   -   -   -   -   -   -   -    -   -   -
PartnerLed Seattle       x   x   -   -   -   -   -   -   led -   led  -   -   -
PartnerToPartner Seattle x   x   -   -   x   -   -   -   -   -   -    -   -   -
CoSell Munich            x   x   x   -   -   -   x   -   x   -   x    -   -   -
SolutionAssessment       x   x   -   -   -   -   -   -   -   -   -    -   -   -
created by sam           x   x   x   -   -   -   -   -   x   -   x    -   -   -
"""


@pytest.mark.parametrize("line", ENGAGEMENTS.splitlines()[2:])
def test_every_engagement_as_every_person(
    service: Service, referrals: dict[str, dict[str, Any]], line: str
) -> None:
    """V1, V3: through one's own referral, or as a seller of a partner-led deal."""
    path = f"/v1.0/engagements/{referrals[line[:24].strip()]['engagementId']}"
    for who, cell in zip(PEOPLE, line[24:].split(), strict=True):
        person = getattr(service, who)
        view, message = person.get(path), person.post(f"{path}/messages", {})
        assert view.status_code == (404 if cell == "-" else 200), who
        assert ("deal" in view.json()) == (cell == "led")
        assert message.status_code in {"-": {404}, "led": {403}, "x": {409, 422}}[cell], who


REGISTERED = """
operation           ana rae mia ulf kim lee nia tom sam dee hana ops lou web
read, in review     200 200 404 200 404 404 404 404 404 200 404  404 404 404
read, draft         200 200 404 200 404 404 404 404 404 404 404  404 404 404
read, ISV Connect   200 200 404 200 404 404 404 404 404 404 404  404 404 404
correct             412 412 404 403 404 404 404 404 404 404 404  404 404 404
recall              412 412 404 403 404 404 404 404 404 404 404  404 404 404
delete              412 412 404 403 404 404 404 404 404 404 404  404 404 404
register            409 409 404 403 404 404 404 404 404 404 404  404 404 404
review              403 403 404 403 404 404 404 404 404 412 404  404 404 404
assign              403 403 404 403 404 404 404 404 404 412 404  404 404 404
list                200 200 200 200 200 200 200 200 403 200 403  403 200 403
report a deal       422 422 403 403 422 403 422 422 403 403 403  403 422 403
"""


@pytest.fixture(scope="module")
def registered(service: Service) -> dict[str, Any]:
    """A won deal with ulf in its team, its two records, and another deal with a draft."""
    own = won(service, "Matrix registered", team=[RAE, ULF])
    records = service.rae.register(own, FORM)
    other = won(service, "Matrix draft", team=[RAE, ULF])
    draft = service.rae.register(other, {"submit": False})["IpCoSell"]
    return {"deal": own, **records, "draft": draft}


@pytest.mark.parametrize("line", REGISTERED.splitlines()[2:])
def test_every_operation_on_registrations_as_every_person(
    service: Service, registered: dict[str, Any], line: str
) -> None:
    """V6: partners read their own, admins write; reviewers see what was submitted for review, and decide."""
    record, stale = registered["IpCoSell"]["id"], {"If-Match": '"999"'}
    operation, deal_path = line[:20].strip(), f"{REFERRALS}/{registered['deal']}/registrations"
    calls = {
        "read, in review": lambda p: p.get(f"{REGISTRATIONS}/{record}"),
        "read, draft": lambda p: p.get(f"{REGISTRATIONS}/{registered['draft']['id']}"),
        "read, ISV Connect": lambda p: p.get(f"{REGISTRATIONS}/{registered['IsvConnect']['id']}"),
        "correct": lambda p: p.put(f"{deal_path}/{record}", {}, headers=stale),
        "recall": lambda p: p.post(f"{deal_path}/{record}/recall", headers=stale),
        "delete": lambda p: p.call("DELETE", f"{deal_path}/{record}", headers=stale),
        "register": lambda p: p.post(deal_path, {}),
        "review": lambda p: p.post(f"{REGISTRATIONS}/{record}/review", {}, headers=stale),
        "assign": lambda p: p.post(f"{REGISTRATIONS}/{record}/assign", {}, headers=stale),
        "list": lambda p: p.get(REGISTRATIONS),
        "report a deal": lambda p: p.post(REGISTRATIONS, {}),
    }
    found = [calls[operation](getattr(service, who)).status_code for who in PEOPLE]
    assert found == [int(cell) for cell in line[20:].split()]


def test_a_list_of_registrations_holds_what_one_sees(service: Service, registered: dict[str, Any]) -> None:
    """V4, G5."""
    ids = {registered[kind]["id"] for kind in ("IsvConnect", "IpCoSell", "draft")}
    for who, expected in {
        "rae": ids,
        "ulf": ids,
        "mia": set(),
        "dee": {registered["IpCoSell"]["id"]},
    }.items():
        found = {
            each["id"] for each in getattr(service, who).get(f"{REGISTRATIONS}?$top=100").json()["value"]
        }
        assert ids & found == expected, who


WITHOUT_RECORD = """
operation           ana rae mia ulf kim lee nia tom sam dee hana ops lou web
list referrals      200 200 200 200 200 200 200 200 200 403 200  403 200 403
partner-led         403 403 403 403 403 403 403 403 200 403 200  403 403 403
recent contacts     200 200 200 200 200 200 200 200 200 403 200  403 200 403
customers           200 200 200 200 200 200 200 200 200 200 200  200 200 200
partners            200 200 200 200 200 200 200 200 200 200 200  200 200 200
solutions           200 200 200 200 200 200 200 200 200 200 200  200 200 200
reference data      200 200 200 200 200 200 200 200 200 200 200  200 200 200
create, Seattle     201 201 403 403 422 422 422 422 422 403 422  403 422 403
create, Munich      201 201 201 403 422 422 422 422 422 403 422  403 422 403
create, ulf's own   201 201 403 201 422 422 422 422 422 403 422  403 422 403
own stage map       200 200 200 200 200 200 200 200 403 403 403  403 200 403
write stage map     422 422 403 403 422 403 422 422 403 403 403  403 422 403
another's stage map 404 404 404 404 404 404 404 404 404 404 404  404 404 404
own people          200 403 403 403 403 403 403 403 403 403 403  403 403 403
own applications    200 403 403 403 403 403 403 403 403 403 403  403 403 403
another's programs  404 404 404 404 404 404 404 404 404 404 404  404 404 404
own profiles        200 200 200 200 200 200 200 200 403 403 403  403 200 403
write profile       422 422 403 403 422 403 422 422 403 403 403  403 422 403
another's profiles  404 404 404 404 404 404 404 404 404 404 404  404 404 404
submit leads        403 403 403 403 403 403 403 403 403 403 403  403 403 422
providers           403 403 403 403 403 403 403 403 403 403 403  403 403 200
routing             403 403 403 403 403 403 403 403 200 403 200  200 403 403
try routing         403 403 403 403 403 403 403 403 200 403 200  200 403 403
write routing       403 403 403 403 403 403 403 403 403 403 403  428 403 403
another's people    404 404 404 404 404 404 404 404 404 404 404  404 404 404
"""


@pytest.mark.parametrize("line", WITHOUT_RECORD.splitlines()[2:])
def test_every_operation_on_no_single_record(service: Service, line: str) -> None:
    """V6: 403 where the role says no; another organization reads like an unknown one (V5)."""
    operation = line[:20].strip()
    statuses = [_status(getattr(service, who), operation) for who in PEOPLE]
    assert statuses == [int(cell) for cell in line[20:].split()]


def _status(person: Any, operation: str) -> int:
    own, other = person.organization, "tailspin" if person.organization != "tailspin" else "contoso"
    faulty = {"stages": [{"name": "Done", "stage": "Won"}]}
    creations = {
        "create, Seattle": private("Matrix created"),
        "create, Munich": private("Matrix created", location=MUNICH),
        "create, ulf's own": private("Matrix created", team=[RAE, ULF]),
    }
    reads = {
        "list referrals": REFERRALS,
        "partner-led": "/v1.0/engagements?dealType=PartnerLed",
        "recent contacts": "/v1.0/contacts/recent",
        "customers": "/v1.0/customers?country=US&name=ad",
        "partners": "/v1.0/partners?name=fa",
        "solutions": "/v1.0/solutions",
        "reference data": "/v1.0/reference-data",
        "own stage map": f"/v1.0/organizations/{own}/stage-map",
        "another's stage map": f"/v1.0/organizations/{other}/stage-map",
        "own people": f"/v1.0/organizations/{own}/people",
        "another's people": f"/v1.0/organizations/{other}/people",
        "own applications": f"/v1.0/organizations/{own}/applications",
        "another's programs": f"/v1.0/organizations/{other}/applications",
        "own profiles": f"/v1.0/organizations/{own}/profiles",
        "another's profiles": f"/v1.0/organizations/{other}/profiles",
        "providers": "/v1.0/providers?country=US",
        "routing": "/v1.0/routing-rules",
    }
    writes = {
        "submit leads": lambda: person.post("/v1.0/leads", {}),
        "try routing": lambda: person.post("/v1.0/routing-rules/evaluate", {"country": "US"}),
        "write routing": lambda: person.put("/v1.0/routing-rules", {}),
        "write profile": lambda: person.put(f"/v1.0/organizations/{own}/profiles/FR", {}),
        "write stage map": lambda: person.put(f"/v1.0/organizations/{own}/stage-map", faulty),
    }
    if operation in creations:
        return person.post(REFERRALS, creations[operation]).status_code
    if operation in writes:
        return writes[operation]().status_code
    return person.get(reads[operation]).status_code

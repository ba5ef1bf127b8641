"""`allowedActions` and `editableFields` tell the truth: each that is listed succeeds, each that is not is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.doubles.registration_form import FORM
from tests.live import (
    ESTIMATE,
    MICROSOFT,
    Person,
    Service,
    assessment,
    deal,
    invitation,
    lead,
    partner_led,
    private,
    replacing,
    sellers_deal,
    won,
)

Referral = dict[str, Any]
SOLUTION = {"requirements": {"solutions": [{"id": "SOL-CONTOSO-ERP"}]}}
Q2 = "/consent/consentToShareReferralWithMicrosoftSellers"
CONTACT = {"firstName": "C", "lastName": "D", "phoneNumber": "+1 206 555 0100", "email": "c@example.com"}


def _invited(
    service: Service, who: str, *partners: str, answer: str | None = None
) -> tuple[Person, Referral]:
    made = service.rae.create(deal("Actions", *partners))
    person = getattr(service, who)
    own = person.referral_in(made["engagementId"])
    if answer:
        person.act(own["id"], answer, {"reason": "BudgetNotAdequate"} if answer == "decline" else {})
    return person, person.read(own["id"])


def _after_microsofts(service: Service, answer: str) -> tuple[Person, Referral]:
    made = service.rae.create(deal("Actions"))
    own = service.sam.referral_in(made["engagementId"])["id"]
    service.sam.act(own, answer, {"reason": "BudgetNotAdequate"} if answer == "decline" else {})
    return service.rae, service.rae.read(made["id"])


def _made(body: Callable[[], Referral], who: str = "rae") -> Callable[[Service], tuple[Person, Referral]]:
    def make(service: Service) -> tuple[Person, Referral]:
        person = getattr(service, who)
        return person, person.create(body())

    return make


def _staged(service: Service) -> tuple[Person, Referral]:
    made = service.rae.create(assessment("Actions"))
    for stage in ("SecureCustomerLoe", "CollectData", "PrepareAssessmentReport", "PresentToCustomer"):
        service.rae.act(made["id"], "stage", {"stage": stage})
    return service.rae, service.rae.read(made["id"])


def _won(service: Service) -> tuple[Person, Referral]:
    made = service.rae.create(private("Actions"))
    service.rae.act(made["id"], "win")
    return service.rae, service.rae.read(made["id"])


def _lead(service: Service, answer: str | None = None, *, hot: bool = False) -> tuple[Person, Referral]:
    details = {"customerRequestedContact": hot}
    own = service.web.submit(lead("Actions", "contoso", details=details))["contoso"]
    if answer:
        service.rae.act(own, answer, {**ESTIMATE, "team": [CONTACT]})
    return service.rae, service.rae.read(own)


def _registered(service: Service) -> tuple[Person, Referral]:
    own = won(service, "Actions")
    service.rae.register(own, FORM)
    return service.rae, service.rae.read(own)


KINDS: dict[str, Callable[[Service], tuple[Person, Referral]]] = {
    "Private": _made(lambda: private("Actions")),
    "Private without contact": _made(lambda: private("Actions", consent={})),
    "PartnerLed": _made(lambda: partner_led("Actions")),
    "PartnerToPartner": _made(lambda: private("Actions", invitations=[invitation("fabrikam")])),
    "CoSell, Microsoft pending": _made(lambda: deal("Actions")),
    "CoSell, Microsoft accepted": lambda service: _after_microsofts(service, "accept"),
    "CoSell, Microsoft declined": lambda service: _after_microsofts(service, "decline"),
    "Assessment begun": _made(lambda: assessment("Actions")),
    "Assessment through": _staged,
    "Created by Microsoft": _made(lambda: sellers_deal("Actions", "fabrikam"), "sam"),
    "Invitation new": lambda service: _invited(service, "kim", "fabrikam"),
    "Invitation accepted": lambda service: _invited(service, "kim", "fabrikam", answer="accept"),
    "Invitation declined": lambda service: _invited(service, "kim", "fabrikam", answer="decline"),
    "Won": _won,
    "Won and eligible": lambda service: (service.rae, service.rae.read(won(service, "Actions"))),
    "Won and registered": _registered,
    "Lead new": _lead,
    "Lead accepted": lambda service: _lead(service, "accept"),
    "Hot lead new": lambda service: _lead(service, hot=True),
    "Hot lead accepted": lambda service: _lead(service, "accept", hot=True),
}
LISTED = {
    "Private": "edit stage win lose inviteMicrosoft invitePartner shareWithMicrosoft message",
    "Private without contact": "edit stage win lose invitePartner shareWithMicrosoft message",
    "PartnerLed": "edit stage win lose inviteMicrosoft invitePartner message",
    "PartnerToPartner": "edit stage win lose inviteMicrosoft invitePartner shareWithMicrosoft message",
    "CoSell, Microsoft pending": "edit stage win lose invitePartner message",
    "CoSell, Microsoft accepted": "edit stage win lose invitePartner message",
    "CoSell, Microsoft declined": "edit stage win lose inviteMicrosoft invitePartner message",
    "Assessment begun": "edit stage lose message",
    "Assessment through": "edit stage win lose message",
    "Created by Microsoft": "edit stage win lose invitePartner message",
    "Invitation new": "accept decline",
    "Invitation accepted": "edit stage win lose message",
    "Invitation declined": "",
    "Won": "",
    "Won and eligible": "register",
    "Won and registered": "",
    "Lead new": "accept decline",
    "Lead accepted": "edit stage win lose message convert",
    "Hot lead new": "accept decline contacted",
    "Hot lead accepted": "edit stage win lose message convert contacted",
}


def _stage(referral: Referral) -> str:
    if referral["dealType"] != "SolutionAssessment":
        return "Qualified"
    return "SecureCustomerLoe" if referral["salesStage"] == "Created" else "CollectData"


def _invite(person: Person, referral: Referral, entry: Referral) -> int:
    return person.invite(referral["id"], entry).status_code


ACTIONS: dict[str, Callable[[Person, Referral], int]] = {
    "edit": lambda p, r: p.patch(r, replacing("/name", "Another name")).status_code,
    "accept": lambda p, r: p.act(r["id"], "accept", ESTIMATE).status_code,
    "decline": lambda p, r: p.act(r["id"], "decline", {"reason": "BudgetNotAdequate"}).status_code,
    "stage": lambda p, r: p.act(r["id"], "stage", {"stage": _stage(r)}).status_code,
    "win": lambda p, r: p.act(r["id"], "win").status_code,
    "lose": lambda p, r: p.act(r["id"], "lose", {"reason": "BudgetNotAdequate"}).status_code,
    "inviteMicrosoft": lambda p, r: _invite(p, r, MICROSOFT),
    "invitePartner": lambda p, r: _invite(p, r, invitation("northwind")),
    "shareWithMicrosoft": lambda p, r: p.patch(r, replacing(Q2, True)).status_code,
    "convert": lambda p, r: p.act(r["id"], "convert", {"details": SOLUTION}).status_code,
    "contacted": lambda p, r: p.act(r["id"], "contacted").status_code,
    "register": lambda p, r: p.act(r["id"], "registrations", FORM).status_code,
    "message": lambda p, r: (
        p.post(f"/v1.0/engagements/{r['engagementId']}/messages", {"text": "Hello."}).status_code
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_listed_succeeds_and_what_is_not_is_refused(service: Service, kind: str) -> None:
    """What is refused changes nothing, so that the next action is tried on the same referral, by the same tag."""
    person, referral = KINDS[kind](service)
    listed = set(referral["allowedActions"])
    assert listed == set(LISTED[kind].split())
    for action, attempt in ACTIONS.items():
        status = attempt(person, referral)
        already_visible = action == "shareWithMicrosoft" and referral["dealType"] == "PartnerLed"
        assert (status in {200, 201}) == (action in listed or already_visible), (action, status)
        if status in {200, 201}:
            person, referral = KINDS[kind](service)
    assert person.read(referral["id"])["eTag"] == referral["eTag"]


VALUES: dict[str, Any] = {
    "/name": "Another name",
    "/externalReferenceId": "CRM-9",
    "/campaignId": "CAMPAIGN-9",
    "/details/notes": "Other notes.",
    "/details/dealValue": 4711,
    "/details/currency": "EUR",
    "/details/closingDateTime": "2031-01-31T00:00:00Z",
    "/details/requirements/solutions": [{"id": "SOL-MS-D365"}],
    "/details/requirements/industries": [{"id": "Retail"}],
    "/details/customerRequestedContact": True,
    "/team": [CONTACT],
    "/customerProfile/team": [CONTACT],
    "/customerProfile/name": "Somebody else",
    "/customerProfile/size": "1to9employees",
    "/customerProfile/address/city": "Elsewhere",
    "/consent/consentToToShareInfoWithOthers": None,  # the other of what it is
    "/consent/consentToContact": None,
    Q2: None,
    "/inviteContext/assistanceRequestCode": "QuotesOrLicensing",
    "/inviteContext/notes": "Other words.",
    "/salesStage": None,
    "/location": "contoso-munich",
    "/mpnId": "contoso-munich",
    "/type": "Shared",
    "/dealType": "Private",
    "/sellerTeam": "korea",
    "/contactAlert": "hot",
    "/direction": "Outgoing",
    "/qualification": "Direct",
    "/engagementId": "x",
    "/id": "x",
    "/organizationId": "northwind",
    "/createdDateTime": "2026-01-01T00:00:00Z",
    "/expirationDateTime": "2026-01-01T00:00:00Z",
    "/statusReason": "Other",
    "/registrationStatus": "Approved",
    "/registrations": [{"id": "x"}],
    "/favorite": True,
    "/target": [],
    "/allowedActions": [],
}


def _value(referral: Referral, path: str) -> Any:
    present: Any = referral
    for part in path.split("/")[1:]:
        present = present[part]
    if path == "/salesStage":
        return _stage(referral)
    return not present if isinstance(present, bool) else VALUES[path]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "Assessment through" not in kind])
def test_what_is_editable_can_be_edited_and_nothing_else(service: Service, kind: str) -> None:
    person, referral = KINDS[kind](service)
    assert set(referral["editableFields"]) <= VALUES.keys()
    edited = False
    for path in VALUES:
        if edited and path.startswith(("/invite", "/consent")):
            person, referral = KINDS[kind](service)
        value = _value(referral, path)
        operations = [replacing(path, value)]
        if path == "/inviteContext/assistanceRequestCode":
            operations.append(replacing("/consent/consentToToShareInfoWithOthers", True))
        status = person.patch(referral, *operations).status_code
        listed = path in referral["editableFields"]
        unchanged = referral["status"] != "Closed" and value == _present(referral, path)
        assert (status == 200) == (listed or unchanged), (path, status)
        if status == 200:
            edited, referral = True, person.read(referral["id"])


def _present(referral: Referral, path: str) -> Any:
    present: Any = referral
    for part in path.split("/")[1:]:
        present = present[part]
    return present

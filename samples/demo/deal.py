"""The request bodies of the demo's deals (docs/api.md, creation)."""

from datetime import datetime, timedelta
from typing import Any

from samples.world import SamplePerson, load

CUSTOMER = "Adventure Works"
SIZE = "251to1000employees"  # there are two companies of this name in Redmond; they differ in size
DEAL_VALUE = 250_000
OTHER_VALUE = 265_000
CURRENCY = "USD"
_TIME_TO_CLOSE = timedelta(days=120)


def creation(creator: SamplePerson, now: datetime) -> dict[str, Any]:
    """A deal that invites Microsoft, Fabrikam and Northwind."""
    return {
        "name": "ERP renewal",
        "externalReferenceId": "CRM-004711",
        "location": "contoso-seattle",
        "customerProfile": _customer(),
        "consent": {"consentToToShareInfoWithOthers": True, "consentToContact": True},
        "details": {
            "notes": "Internal: the budget is decided in the spring.",
            "dealValue": DEAL_VALUE,
            "currency": CURRENCY,
            "closingDateTime": f"{now + _TIME_TO_CLOSE:%Y-%m-%dT00:00:00Z}",
            "requirements": {"solutions": [_solution("SOL-CONTOSO-ERP", "MyCompany")]},
        },
        "team": [member(creator)],
        "inviteContext": {
            "notes": "We need an architect for the migration workshop.",
            "assistanceRequestCode": "CustomerTechnicalArchitecture",
        },
        "invitations": [
            invitation_of_fabrikam(),
            _invitation("northwind", "The warehouse part is yours.", "SOL-NORTHWIND-LOGISTICS"),
        ],
    }


def private(creator: SamplePerson, now: datetime, name: str) -> dict[str, Any]:
    """A private deal: nobody is invited, and Microsoft does not see it."""
    body = creation(creator, now)
    return {**body, "name": name, "inviteContext": {}, "invitations": []}


def assessment(creator: SamplePerson, now: datetime) -> dict[str, Any]:
    """A solution assessment in Seattle."""
    body = private(creator, now, "Cloud migration assessment")
    requirements = {"solutions": [_solution("SA-CLOUD-MIGRATION", "SolutionAssessment")]}
    return {**body, "details": {**body["details"], "requirements": requirements}}


def of_microsoft(seller: SamplePerson, now: datetime) -> dict[str, Any]:
    """A deal that a seller of Microsoft's creates, with Fabrikam invited; it has no location."""
    body = private(seller, now, "Sensors for the warehouse")
    return {**body, "location": None, "invitations": [invitation_of_fabrikam()]}


BUYER = "jo.everhart@adventure-works.com"


def request_for_information(*organizations: str) -> dict[str, Any]:
    """A request for information of Adventure Works to these organizations, with up to two alternatives."""
    customer = {name: value for name, value in _customer().items() if name != "ids"}
    return {
        "name": "Plant modernization",
        "customerProfile": customer,
        "consent": {"consentToToShareInfoWithOthers": True, "consentToContact": True},
        "details": {
            "notes": "Our plant in Redmond runs on spreadsheets. Who can help us?",
            "requirements": {
                "industries": [{"id": "Manufacturing"}],
                "products": [{"id": "Azure"}],
                "services": [],
            },
            "customerRequestedContact": True,
        },
        "alternatives": 2,
        "recipients": [{"organizationId": each} for each in organizations],
    }


def invitation_of_fabrikam() -> dict[str, Any]:
    """The invitation of Fabrikam."""
    return _invitation("fabrikam", "Please bring your sensors into the proof of concept.", "SOL-FABRIKAM-IOT")


def member(person: SamplePerson) -> dict[str, str]:
    """A person as a member of a deal's team."""
    return {
        "firstName": person.first_name,
        "lastName": person.last_name,
        "phoneNumber": person.phone_number,
        "email": person.email,
        "title": person.title,
    }


def _customer() -> dict[str, Any]:
    (entity,) = (each for each in load()["customers"] if each["name"] == CUSTOMER and each["size"] == SIZE)
    buyer = {
        "firstName": "Jo",
        "lastName": "Everhart",
        "phoneNumber": "+1-206-555-0199",
        "email": BUYER,
    }
    return {**entity, "team": [buyer]}


def _invitation(organization: str, notes: str, solution: str) -> dict[str, Any]:
    return {
        "organizationId": organization,
        "notes": notes,
        "assistanceRequestCode": "ProofOfConceptOrDemo",
        "dealValue": DEAL_VALUE,
        "currency": CURRENCY,
        "solutions": [_solution(solution, "ThirdParty")],
    }


def _solution(identifier: str, kind: str) -> dict[str, str]:
    (name,) = (each["name"] for each in load()["solutions"] if each["id"] == identifier)
    return {"id": identifier, "name": name, "type": kind}

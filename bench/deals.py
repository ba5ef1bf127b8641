"""The deal that is measured, and its people of the sample world."""

from typing import Any

from localcloud import issuer
from localcloud.stack.stack import Stack
from samples.world import SampleApplication, SampleCaller, load, person

REFERRALS = "/v1.0/engagements/referrals"
CREATOR = "rae@contoso.com"
INVITED = ("sam@microsoft.com", "kim@fabrikam.com")
"""Of the two parties that a deal invites, in the order in which they accept."""
CLIENTS = 8
MAILS_PER_DEAL = 4
"""Two invitations, and the creator's mail about each acceptance."""


def headers(stack: Stack, email: str) -> dict[str, str]:
    """The Authorization header of a person of the sample world."""
    return headers_of(stack, person(email))


def headers_of(stack: Stack, caller: SampleCaller) -> dict[str, str]:
    """The Authorization header of a person or an application of the sample world."""
    signed = issuer.token(
        stack.data.path,
        tid=caller.tenant_id,
        oid=caller.oid,
        application=isinstance(caller, SampleApplication),
    )
    return bearer(signed)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def deal(index: int) -> dict[str, Any]:
    """The body of a deal that invites Microsoft and Fabrikam."""
    contact = {"firstName": "C", "lastName": "D", "phoneNumber": "+1 206 555 0123", "email": "c@example.com"}
    customer = load()["customers"][10 + index % 100]
    return {
        "name": deal_name(index),
        "customerProfile": {**customer, "team": [contact]},
        "consent": {"consentToToShareInfoWithOthers": True},
        "details": {
            "dealValue": 1000,
            "currency": "USD",
            "closingDateTime": "2035-01-01T00:00:00Z",
            "requirements": {"solutions": [{"id": "SOL-CONTOSO-ERP"}]},
        },
        "team": [{**contact, "email": CREATOR}],
        "inviteContext": {"assistanceRequestCode": "GeneralOrOther"},
        "invitations": [
            {
                "organizationId": "fabrikam",
                "assistanceRequestCode": "GeneralOrOther",
                "dealValue": 500,
                "currency": "USD",
                "solutions": [{"id": "SOL-FABRIKAM-IOT"}],
            }
        ],
    }


def deal_name(index: int) -> str:
    return f"Measured deal {index}"

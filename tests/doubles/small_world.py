"""Three partners, Microsoft and a web site, a customer, and the requests that make a deal and leads of them."""

from typing import Any

from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.storage.tables import Tables

PEOPLE = {
    "rae": ("contoso", "rae@contoso.com"),
    "kim": ("fabrikam", "kim@fabrikam.com"),
    "nia": ("northwind", "nia@northwindtraders.com"),
    "mia": ("contoso", "mia@contoso.com"),
    "sam": ("msft", "sam@microsoft.com"),
    "dee": ("msft", "dee@microsoft.com"),
    "vera": ("msft", "vera@microsoft.com"),
}
APPLICATIONS = {"web": "portal"}
_ROLES = {"msft": "MicrosoftSeller"}
_REVIEWERS = {"dee", "vera"}
_OF_NO_LOCATION = {"mia"}


def organization(organization_id: str, name: str, location: str, country: str) -> dict[str, Any]:
    return {
        "id": organization_id,
        "name": name,
        "kind": "partner",
        "tenantId": f"tenant-{organization_id}",
        "transacting": True,
        "defaultLocation": location,
        "locations": [{"id": location, "name": location, "country": country}],
        "people": [person(o, e) for o, e in PEOPLE.values() if o == organization_id],
        "profiles": [{"country": "US", "active": True, "locations": [{"id": location, "name": location}]}],
    }


def person(organization_id: str, email: str) -> dict[str, Any]:
    name = email.partition("@")[0]
    return {
        "oid": name,
        "email": email,
        "firstName": name.title(),
        "lastName": "Example",
        "roles": ["DealReviewer" if name in _REVIEWERS else _ROLES.get(organization_id, "ReferralsAdmin")],
        "global": name not in _OF_NO_LOCATION,
    }


def application(name: str, *roles: str) -> dict[str, Any]:
    return {
        "oid": name,
        "name": f"{name.title()} Example",
        "roles": list(roles),
        "global": True,
        "expiresDateTime": "2099-12-31T00:00:00Z",
    }


WORLD = DirectoryDocument.model_validate(
    {
        "organizations": [
            organization("contoso", "Contoso", "contoso-seattle", "US"),
            organization("fabrikam", "Fabrikam", "fabrikam-seoul", "KR"),
            organization("northwind", "Northwind Traders", "northwind-sydney", "AU"),
            {
                "id": "msft",
                "name": "Microsoft",
                "kind": "microsoft",
                "tenantId": "tenant-msft",
                "reviewLead": "vera@microsoft.com",
                "people": [person(*PEOPLE[name]) for name in ("sam", "dee", "vera")],
            },
            {
                "id": "portal",
                "name": "Portal",
                "kind": "application",
                "tenantId": "tenant-portal",
                "applications": [application("web", "LeadIntake")],
            },
        ],
        "solutions": [
            {"id": "SOL-CONTOSO-ERP", "name": "Contoso ERP", "owner": "contoso", "coSellReady": True},
            {
                "id": "SOL-CONTOSO-IP",
                "name": "Contoso IP",
                "owner": "contoso",
                "coSellReady": True,
                "incentives": ["IsvConnect", "AzureIpCoSell"],
            },
        ],
        "customers": [
            {
                "name": "Relecloud",
                "address": {"country": "US", "city": "Portland"},
                "ids": [{"profileType": "Duns", "id": "000000001"}],
            }
        ],
    }
)


async def import_small_world(tables: Tables) -> None:
    """Put the small world into the directory."""
    await import_directory(tables, WORLD)


def deal(*partners: str, microsoft: bool = True) -> dict[str, Any]:
    """The body of a creation that invites Microsoft and these partners."""
    contact = {
        "firstName": "Cara",
        "lastName": "Buyer",
        "phoneNumber": "+1 206 555 0101",
        "email": "cara@relecloud.com",
    }
    return {
        "name": "Relecloud ERP",
        "customerProfile": {"name": "Relecloud", "address": {"country": "US"}, "team": [contact]},
        "consent": {"consentToToShareInfoWithOthers": True},
        "details": {
            "dealValue": 1000,
            "currency": "USD",
            "closingDateTime": "2027-12-31T00:00:00Z",
            "requirements": {"solutions": [{"id": "SOL-CONTOSO-ERP"}]},
        },
        "team": [{**contact, "firstName": "Rae", "email": "rae@contoso.com"}],
        "inviteContext": {"assistanceRequestCode": "GeneralOrOther"} if microsoft else {},
        "invitations": [_invitation(partner) for partner in partners],
    }


def inquiry(*organizations: str) -> dict[str, Any]:
    """The body of a request for information to these companies."""
    contact = {"firstName": "Cara", "lastName": "Buyer", "email": "cara@relecloud.com"}
    return {
        "name": "Relecloud plant",
        "customerProfile": {
            "name": "Relecloud",
            "address": {"country": "US"},
            "size": "51to250employees",
            "team": [contact],
        },
        "consent": {"consentToToShareInfoWithOthers": True},
        "recipients": [{"organizationId": each} for each in organizations],
    }


def _invitation(partner: str) -> dict[str, Any]:
    return {
        "organizationId": partner,
        "assistanceRequestCode": "GeneralOrOther",
        "dealValue": 500,
        "currency": "USD",
        "solutions": [{"id": "SOL-CONTOSO-ERP"}],
    }

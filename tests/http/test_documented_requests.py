"""The requests that the Partner Center API documents, their ids and dates replaced, work as they are."""

from typing import Any

import pytest

from tests.live import REFERRALS, Service

CONTACT_PREFERENCE = {"locale": "en-us", "disableNotifications": False}
SUE = {
    "contactPreference": CONTACT_PREFERENCE,
    "firstName": "Sue",
    "lastName": "Green",
    "phoneNumber": "1234567890",
    "email": "sue.green@relecloud.example.com",
}


def documented(name: str, **changes: Any) -> dict[str, Any]:
    """A creation as that API's clients send it: with server-owned fields and without a location."""
    return {
        "name": name,
        "status": "New",
        "substatus": "Pending",
        "statusReason": "We look forward to it.",
        "qualification": "SalesQualified",
        "type": "Shared",
        "target": [{"type": "SolutionProfile", "id": "SOL-34104-EBB"}],
        "customerProfile": {
            "name": "Proseware Retail Group",
            "address": {
                "addressLine1": "1 Main Street",
                "addressLine2": "34",
                "city": "Redmond",
                "state": "WA",
                "postalCode": "98052",
                "country": "US",
            },
            "size": "10to50employees",
            "team": [SUE],
            "ids": {},
        },
        "consent": {
            "consentToToShareInfoWithOthers": True,
            "consentToContact": True,
            "consentToMicrosoftToContactSpecificPartners": True,
        },
        "details": {
            "notes": "The customer renews its supply chain.",
            "dealValue": 50000,
            "currency": "USD",
            "closingDateTime": "2030-11-14T00:00:00Z",
            "requirements": {
                "industries": [{"id": "Manufacturing"}],
                "products": [{"id": "Dynamics365Enterprise"}],
                "services": [{"id": "DeploymentOrMigration"}],
                "solutions": [{"name": "Dynamics 365", "type": "Category", "id": "SOL-MS-D365"}],
            },
        },
        "team": [
            {**SUE, "firstName": "Rae", "email": "rae@contoso.com"},
        ],
        "inviteContext": {
            "notes": "We hope that you can help.",
            "invitedBy": {"organizationId": "msft"},
            "assistanceRequestCode": "Unknown",
        },
        **changes,
    }


def test_a_documented_creation_works_and_names_what_is_not_kept(service: Service, name: str) -> None:
    made = service.rae.create(documented(name))
    assert (made["status"], made["substatus"], made["type"], made["direction"]) == (
        *("Active", "Accepted", "Shared", "Outgoing"),
    )
    assert (made["dealType"], made["location"]) == ("Private", "contoso-seattle")
    assert made["target"] == [{"type": "SolutionProfile", "id": "SOL-34104-EBB"}]
    assert made["details"]["requirements"]["industries"] == [{"id": "Manufacturing"}]
    assert made["customerProfile"]["ids"] == []
    at = "/consent/consentToMicrosoftToContactSpecificPartners"
    assert {"code": "notKept", "target": at} in made["warnings"]


def test_a_party_addressed_without_an_engagement_is_not_invited_in_silence(
    service: Service, name: str
) -> None:
    target = [{"type": "BusinessProfileLocation", "id": "msft"}]
    made = service.rae.create(documented(name, target=target))
    assert (made["dealType"], made["target"]) == ("Private", [])
    assert {"code": "notKept", "target": "/target"} in made["warnings"]


def test_the_two_call_creation_invites_microsoft(service: Service, name: str) -> None:
    """First one's own shared referral, then one with its engagement and Microsoft as the target."""
    rae = service.rae
    first = rae.create(documented(name))
    target = [{"type": "BusinessProfileLocation", "id": "msft"}]
    body = documented(name, engagementId=first["engagementId"], target=target)
    second = rae.post(REFERRALS, body, headers={"client-request-id": f"22222222-{name}"})
    assert second.status_code == 201, second.text
    assert set(second.json()) == {
        *("id", "engagementId", "organizationId", "status", "substatus", "expirationDateTime"),
    }
    again = rae.post(REFERRALS, body, headers={"client-request-id": f"22222222-{name}"})
    assert (again.status_code, again.json()) == (201, second.json())
    own = service.sam.referral_in(first["engagementId"])
    assert (own["id"], own["inviteContext"]["assistanceRequestCode"]) == (
        *(second.json()["id"], "GeneralOrOther"),
    )
    assert rae.read(first["id"])["dealType"] == "CoSell"


def test_the_two_call_creation_invites_a_partner_at_its_location(service: Service, name: str) -> None:
    rae = service.rae
    first = rae.create(documented(name))
    target = [{"type": "BusinessProfileLocation", "id": "fabrikam-london"}]
    context = {"notes": "Please.", "assistanceRequestCode": "ProofOfConceptOrDemo"}
    body = documented(name, engagementId=first["engagementId"], target=target, inviteContext=context)
    assert rae.post(REFERRALS, body).status_code == 201
    own = service.kim.referral_in(first["engagementId"])
    assert (own["location"], own["details"]["dealValue"]) == ("fabrikam-london", 50000)
    assert rae.read(first["id"])["dealType"] == "PartnerToPartner"


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"target": None}, "/target"),
        ({"target": [{"type": "BusinessProfileLocation", "id": "nowhere"}]}, "/target/0/id"),
        (
            {
                "target": [{"type": "BusinessProfileLocation", "id": "tailspin-austin"}],
                "inviteContext": {"assistanceRequestCode": "GeneralOrOther"},
            },
            "/target/0/id",
        ),
        (
            {"target": [{"type": "BusinessProfileLocation", "id": "fabrikam-seoul"}]},
            "/inviteContext/assistanceRequestCode",
        ),
        (
            {
                "target": [{"type": "BusinessProfileLocation", "id": "fabrikam-seoul"}],
                "inviteContext": {"assistanceRequestCode": "GeneralOrOther"},
                "details": {"dealValue": 1, "requirements": {"solutions": [{"id": "SOL-MS-D365"}]}},
            },
            "/details/currency",
        ),
    ],
)
def test_a_second_call_tells_its_faults_where_its_body_has_them(
    service: Service, name: str, changes: dict, target: str
) -> None:
    first = service.rae.create(documented(name))
    body = documented(name, engagementId=first["engagementId"], **changes)
    refused = service.rae.post(REFERRALS, body)
    assert refused.status_code == 422, refused.text
    assert [fault["target"] for fault in refused.json()["error"]["details"]] == [target]


def test_a_second_call_names_an_engagement_that_the_caller_sees(service: Service, name: str) -> None:
    """V5: else it reads like an unknown one."""
    first = service.rae.create(documented(name))
    target = [{"type": "BusinessProfileLocation", "id": "msft"}]
    for who, engagement in (
        (service.tom, first["engagementId"]),
        (service.rae, "00000000-0000-7000-8000-000000000000"),
    ):
        body = documented(name, engagementId=engagement, target=target)
        assert who.post(REFERRALS, body).status_code == 404


def test_the_documented_patch_works(service: Service, name: str) -> None:
    """With If-Match, which this service asks for."""
    made = service.rae.create(documented(name))
    operations = [
        {"op": "replace", "path": "/details/dealValue", "value": "10000"},
        {
            "op": "add",
            "path": "/team/-",
            "value": {
                "email": "jane.doe@contoso.com",
                "firstName": "Jane",
                "lastName": "Doe",
                "phoneNumber": "0000000001",
            },
        },
    ]
    done = service.rae.patch(made, *operations)
    assert done.status_code == 200, done.text
    assert (done.json()["details"]["dealValue"], len(done.json()["team"])) == (10000, 2)


@pytest.mark.parametrize(
    "query",
    [
        "$filter=engagementId eq '65edc0b5-3485-41b7-a17e-dfa9ef4706e2'",
        "$filter=engagementId eq 65edc0b5-3485-41b7-a17e-dfa9ef4706e2",
        "$filter=status eq 'New' and qualification eq 'SalesQualified'",
        "$filter=customerProfile/address/country eq 'US' and direction eq 'Incoming'",
        "$orderby=createdDateTime desc",
        "$select=id,status,customerProfile",
        "$filter=direction eq 'Outgoing'&$top=10&$orderby=updatedDateTime desc",
    ],
)
def test_the_documented_queries_work(service: Service, query: str) -> None:
    assert service.rae.get(f"{REFERRALS}?{query}").status_code == 200


def test_validate_only_judges_by_every_rule_and_stores_nothing(service: Service, name: str) -> None:
    rae = service.rae
    before = rae.get(f"{REFERRALS}?$count=true&$top=1").json()["@odata.count"]
    checked = rae.post(f"{REFERRALS}?validateOnly=true", documented(name))
    assert (checked.status_code, checked.json()["dealType"]) == (200, "Private")
    faulty = documented(name, team=[])
    refused = rae.post(f"{REFERRALS}?validateOnly=true", faulty)
    assert (refused.status_code, refused.json()) == (422, rae.post(REFERRALS, faulty).json())
    assert service.dee.post(f"{REFERRALS}?validateOnly=true", documented(name)).status_code == 403
    assert rae.post(f"{REFERRALS}?validateOnly=perhaps", documented(name)).status_code == 400
    assert rae.get(f"{REFERRALS}?$count=true&$top=1").json()["@odata.count"] == before


def test_invitations_are_idempotent_by_key(service: Service, name: str) -> None:
    """C5: the same answer; another body is a conflict."""
    rae = service.rae
    made = rae.create(documented(name))
    entry = {
        "organizationId": "fabrikam",
        "assistanceRequestCode": "QuotesOrLicensing",
        "dealValue": 1,
        "currency": "USD",
        "solutions": [{"id": "SOL-MS-D365"}],
    }
    key = {"Idempotency-Key": name}
    first, again = (rae.invite(made["id"], entry, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = rae.invite(made["id"], {**entry, "dealValue": 2}, headers=key)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotencyConflict")
    assert rae.kinds(made["id"]) == ["created", "invited", "typeChanged"]

"""Who is asked can answer (V4, M1, M3), and who took it is known (L2)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from api.http.operation import Handler
from api.http.response import Response
from api.leads.submit import submit_leads
from api.referrals.create import create_referral
from api.referrals.edit import patch_referral
from api.referrals.engagements import get_engagement
from api.referrals.invitations import create_invitations
from api.referrals.list import list_referrals
from api.referrals.read import add_favorite, get_referral, list_timeline
from api.referrals.transitions import accept_referral, decline_referral
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.domain.ids import OrganizationId, PersonId
from shared.storage.memory_tables import MemoryTables
from shared.wiring import Service
from tests.doubles.engine import FakeEngine
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_deal import replacing
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import deal, import_small_world, inquiry, organization, person
from tests.examples.referrals import NOW

MIA = "MIA@contoso.com"  # the directory writes it small
ESTIMATE = {"dealValue": 30000, "currency": "USD", "closingDateTime": "2030-06-30T00:00:00Z"}


def contact(email: str) -> dict[str, Any]:
    return {"firstName": "Mia", "lastName": "Example", "email": email, "phoneNumber": "+1 206 555 0108"}


def contoso(*contacts: str, role: str = "ReferralsUser", places: tuple[str, ...] = ()) -> dict[str, Any]:
    """Contoso with these contacts at its location, and mia with this role for these locations alone."""
    own = organization("contoso", "Contoso", "contoso-seattle", "US")
    (place,) = own["profiles"][0]["locations"]
    place["contacts"] = [contact(each) for each in contacts]
    mia = {**person("contoso", "mia@contoso.com"), "roles": [role], "locations": list(places)}
    return {**own, "people": [person("contoso", "rae@contoso.com"), mia]}


async def change(service: Service, own: dict[str, Any]) -> None:
    await import_directory(service.tables, DirectoryDocument.model_validate({"organizations": [own]}))
    service.directory.invalidate_people(OrganizationId("contoso"), PersonId("mia"))


class Asked:
    """The service with mia as a contact of Contoso's location, which is not among those of her role."""

    def __init__(self) -> None:
        self.mail = MemoryMailService()
        self.service = service_on(MemoryTables(), self.mail)
        self.engine = FakeEngine()
        self.now = NOW

    async def ask(self, who: str, handler: Handler, body: object = None, **more: Any) -> Response:
        return await ask(self.service, who, handler, body, now=self.now, engine=self.engine, **more)

    async def on(self, who: str, handler: Handler, referral_id: str, body: object = None) -> Response:
        return await self.ask(who, handler, body, route={"id": referral_id})

    async def lead(self) -> str:
        sent = await self.ask("web", submit_leads, inquiry("contoso"))
        return str(sent.body["recipients"][0]["referralId"])

    async def listed(self, who: str, **params: str) -> list[str]:
        answer = await self.ask(
            who, list_referrals, params={f"${name}": each for name, each in params.items()}
        )
        assert answer.status == 200, answer.body
        if "count" in params:
            assert answer.body["@odata.count"] == len(answer.body["value"])
        return [each["id"] for each in answer.body["value"]]


@pytest.fixture
async def asked() -> Asked:
    asked = Asked()
    await import_small_world(asked.service.tables)
    await change(asked.service, contoso(MIA, "guest@contoso.com"))
    return asked


LISTS = [
    {},
    {"count": "true"},
    {"filter": "status eq 'New'", "count": "true"},
    {"orderby": "updatedDateTime desc"},
    {"orderby": "createdDateTime"},
]


async def test_a_contact_sees_a_new_lead_as_any_reader_until_it_is_answered(asked: Asked) -> None:
    lead = await asked.lead()
    read = await asked.on("mia", get_referral, lead)
    assert (read.status, read.body["allowedActions"]) == (200, ["accept", "decline"])
    assert (await asked.on("mia", list_timeline, lead)).status == 200
    assert (await asked.on("mia", add_favorite, lead)).status == 204
    engagement = {"engagementId": read.body["engagementId"]}
    assert (await asked.ask("mia", get_engagement, route=engagement)).status == 200
    for params in (*LISTS, {"filter": "favorite eq true"}):
        assert await asked.listed("mia", **params) == [lead], params
    assert (await asked.on("rae", accept_referral, lead, ESTIMATE)).status == 200
    for handler in (get_referral, list_timeline):
        assert (await asked.on("mia", handler, lead)).status == 404
    for params in (*LISTS, {"filter": "favorite eq true"}):
        assert await asked.listed("mia", **params) == [], params


@pytest.mark.parametrize("role", ["ReferralsUser", "ReferralsAdmin"])
async def test_a_contact_answers_whatever_its_locations(asked: Asked, role: str) -> None:
    """The response is the referral as it is then; afterwards the team and the locations decide."""
    await change(asked.service, contoso(MIA, role=role))
    first, second = await asked.lead(), await asked.lead()
    assert set(await asked.listed("mia")) == {first, second}
    accepted = await asked.on("mia", accept_referral, first, ESTIMATE)
    declined = await asked.on("mia", decline_referral, second, {"reason": "RequirementNotMet"})
    assert [each.body["substatus"] for each in (accepted, declined)] == ["Accepted", "Declined"]
    assert await asked.listed("mia") == []
    assert (await asked.on("mia", get_referral, first)).status == 404


@pytest.mark.parametrize("later", [False, True])
async def test_a_contact_of_the_location_nearest_to_the_customer_is_asked(asked: Asked, later: bool) -> None:
    """P2, M1: by an invitation with the deal as by a later one."""
    own = contoso(MIA)
    munich = {"id": "contoso-munich", "name": "Munich", "country": "DE"}
    await change(asked.service, {**own, "locations": [munich, *own["locations"]]})
    body = deal("contoso", microsoft=False)
    body["team"] = [contact("kim@fabrikam.com")]
    first = {**body, "invitations": []} if later else body
    made = await asked.ask("kim", create_referral, first)
    assert made.status == 201, made.body
    if later:
        more = {"invitations": body["invitations"]}
        headers = {"If-Match": made.body["eTag"]}
        sent = await asked.ask(
            "kim", create_invitations, more, route={"id": made.body["id"]}, headers=headers
        )
        assert sent.status == 201, sent.body
    (invitation,) = await asked.listed("mia")
    assert (await asked.on("mia", accept_referral, invitation)).status == 200
    (mail,) = [each for each in asked.mail.taken.values() if each.message == "invited"]
    assert mail.recipients == (MIA,)


async def test_the_inviter_does_not_see_whom_its_invitation_was_sent_to(asked: Asked) -> None:
    """V1, M8."""
    body = {**deal("contoso", microsoft=False), "team": [contact("kim@fabrikam.com")]}
    made = await asked.ask("kim", create_referral, body)
    engagement = {"engagementId": made.body["engagementId"]}
    seen = [
        made,
        await asked.on("kim", get_referral, made.body["id"]),
        await asked.on("kim", list_timeline, made.body["id"]),
        await asked.ask("kim", get_engagement, route=engagement),
    ]
    assert "mia@" not in str([each.body for each in seen]).casefold()


async def test_a_role_that_uses_no_referrals_opens_none(asked: Asked) -> None:
    lead = await asked.lead()
    await change(
        asked.service,
        contoso(MIA, role="ReferralsAdmin")
        | {
            "people": [
                person("contoso", "rae@contoso.com"),
                {**person("contoso", "mia@contoso.com"), "roles": []},
            ]
        },
    )
    assert (await asked.on("mia", get_referral, lead)).status == 404
    assert (await asked.ask("mia", list_referrals)).status == 403


async def test_who_was_asked_is_decided_when_the_referral_is_sent(asked: Asked) -> None:
    """M1: record and mail agree, also if the profile changes before a reminder goes out."""
    lead = await asked.lead()
    await change(asked.service, contoso("other@contoso.com"))
    assert await asked.listed("mia") == [lead]
    assert await asked.service.sweep.run(asked.engine, NOW + timedelta(days=1)) == 1
    told = [address for mail in asked.mail.taken.values() for address in mail.recipients]
    assert sorted(told) == ["MIA@contoso.com", "MIA@contoso.com", "guest@contoso.com", "rae@contoso.com"]


async def test_an_answer_that_names_fifty_people_fits_with_the_rows_of_ten_contacts(asked: Asked) -> None:
    """L2: a transaction takes 100 operations."""
    await change(asked.service, contoso(*(f"contact{number}@contoso.com" for number in range(10))))
    lead = await asked.lead()
    assert len(await asked.service.tables.between("referrals", "contoso", "m:", "m;")) == 10
    team = [contact(f"member{number}@contoso.com") for number in range(50)]
    accepted = await asked.on("rae", accept_referral, lead, {**ESTIMATE, "team": team})
    assert accepted.status == 200, accepted.body
    assert len(await asked.service.tables.between("referrals", "contoso", "m:", "m;")) == 50


async def test_an_edit_of_the_accepted_referral_leaves_no_row_for_who_was_asked(asked: Asked) -> None:
    """Lists hold no outdated copy: the answer removes the rows."""
    lead = await asked.lead()
    rows = asked.service.tables

    async def people() -> int:
        return len(await rows.between("referrals", "contoso", "m:", "m;"))

    assert await people() == 2
    accepted = await asked.on("rae", accept_referral, lead, ESTIMATE)
    assert await people() == 1
    headers = {"If-Match": accepted.body["eTag"]}
    edited = await asked.ask(
        "rae", patch_referral, [replacing("/name", "Another name")], route={"id": lead}, headers=headers
    )
    assert edited.status == 204
    assert await people() == 1


async def test_a_withdrawn_invitation_is_closed_to_who_was_asked(asked: Asked) -> None:
    """L4: nobody answers; the expiry removes the rows too."""
    await asked.lead()
    now: datetime = NOW + timedelta(days=15)
    await asked.service.sweep.run(asked.engine, now)
    asked.now = now
    assert await asked.listed("mia") == []
    assert await asked.service.tables.between("referrals", "contoso", "m:", "m;") == []


async def test_who_accepts_with_an_empty_team_is_its_first_member_and_sees_it_where_its_role_reaches(
    asked: Asked,
) -> None:
    """L2, V4: complete with the phone number of the profile, since the directory has none."""
    await change(asked.service, contoso(MIA, places=("contoso-seattle",)))
    lead = await asked.lead()
    accepted = await asked.on("mia", accept_referral, lead, ESTIMATE)
    (member,) = accepted.body["team"]
    assert (member["email"], member["phoneNumber"]) == ("mia@contoso.com", "+1 206 555 0108")
    assert await asked.listed("mia") == [lead]
    assert (await asked.on("mia", get_referral, lead)).status == 200


async def test_the_inviter_is_told_who_took_it(asked: Asked) -> None:
    """L2, M2: and a first member without any phone number can be kept when other fields are edited."""
    made = await asked.ask("rae", create_referral, deal("fabrikam", microsoft=False))
    (own,) = await asked.listed("kim")
    accepted = await asked.on("kim", accept_referral, own)
    assert [(each["email"], each["phoneNumber"]) for each in accepted.body["team"]] == [
        ("kim@fabrikam.com", None)
    ]
    (mail,) = [each for each in asked.mail.taken.values() if each.message == "accepted"]
    assert mail.recipients == ("rae@contoso.com",)
    assert "kim@fabrikam.com" in mail.text
    engagement = await asked.ask("rae", get_engagement, route={"engagementId": made.body["engagementId"]})
    assert "kim@fabrikam.com" in str(engagement.body)
    edited = await asked.ask(
        "kim",
        patch_referral,
        [replacing("/name", "Another name")],
        route={"id": own},
        headers={"If-Match": accepted.body["eTag"]},
    )
    assert edited.status == 204, edited.body


def test_an_import_refuses_a_location_with_more_contacts_than_can_be_asked() -> None:
    own = contoso(*(f"contact{number}@contoso.com" for number in range(11)))
    with pytest.raises(ValidationError, match="at most 10 items"):
        DirectoryDocument.model_validate({"organizations": [own]})

"""Requests for information from the web site to the customer's mail, step by step (rules R, C7, M3)."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.referrals.convert import convert_lead
from api.referrals.transitions import accept_referral, decline_referral
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.domain.directory import Profile, ProfileLocation
from shared.domain.ids import LocationId, OrganizationId
from shared.domain.inquiry import MAX_CONTACTS
from shared.domain.referral import ReferralKey
from shared.errors import MailUnavailable
from shared.storage.codec import text_of, values_of
from shared.storage.keys import document
from shared.storage.mail import MailRecord
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Row, StoredRow, Upsert
from tests.doubles.dying_handlers import with_dying_handlers
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_deal import faults
from tests.doubles.played_leads import ESTIMATE, PlayedLeads
from tests.doubles.small_world import inquiry
from tests.examples.referrals import NOW, contact

ERP = {"requirements": {"solutions": [{"id": "SOL-CONTOSO-ERP"}]}}
RAE = {"firstName": "Rae", "lastName": "E", "phoneNumber": "+1 206 555 0102", "email": "rae@contoso.com"}
DECLINED = {"reason": "RequirementNotMet"}


class Outage(MemoryMailService):
    """A mail service that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    async def send(self, record: MailRecord, now: datetime) -> None:
        if self.away:
            raise MailUnavailable("away")
        await super().send(record, now)

    def messages(self) -> list[str]:
        return [mail.message for mail in self.taken.values()]


@pytest.fixture
def mail() -> Outage:
    return Outage()


@pytest.fixture
async def world(mail: Outage) -> PlayedLeads:
    played = PlayedLeads(NOW, mail=mail)
    await played.begin()
    return played


def crowd(people: int) -> list[dict[str, Any]]:
    """As many contacts of the customer, with long names in Korean."""
    return [
        {
            "firstName": "가" * 100,
            "lastName": "나" * 100,
            "title": "다" * 100,
            "email": f"c{number}@relecloud.com",
        }
        for number in range(people)
    ]


@pytest.mark.parametrize("needs", [80, 90, 100, 110, 120, 130])
async def test_whatever_lead_is_taken_can_be_accepted_and_whatever_is_too_long_is_refused_at_once(
    world: PlayedLeads, needs: int
) -> None:
    """R4, L1."""
    body = inquiry("contoso")
    body["customerProfile"]["team"] = crowd(MAX_CONTACTS)
    words = [{"id": f"{'라' * 97}{number:03}"} for number in range(needs // 2)]
    body["details"] = {"notes": "x" * 2000, "requirements": {"industries": words, "products": words}}
    answer = await world.submit(body)
    if answer.status == 201:
        lead = ReferralKey(
            organization_id=OrganizationId("contoso"),
            referral_id=answer.body["recipients"][0]["referralId"],
        )
        assert (
            await world.ask("rae", lead, accept_referral, {**ESTIMATE, "notes": "n" * 1000})
        ).status == 200
    else:
        assert faults(answer) == [("", "tooLong")]
    assert (answer.status == 201) == (needs <= 120)


@pytest.mark.parametrize("people", [MAX_CONTACTS, MAX_CONTACTS + 1])
async def test_a_request_names_few_contacts_of_the_customer(world: PlayedLeads, people: int) -> None:
    """R2: each of them gets mail from us."""
    body = inquiry("contoso")
    body["customerProfile"]["team"] = crowd(people)
    answer = await world.submit(body)
    assert (answer.status == 201) == (people == MAX_CONTACTS)
    if answer.status != 201:
        assert faults(answer) == [("/customerProfile/team", "tooLong")]


async def test_of_two_ways_to_name_one_location_the_first_makes_the_lead(world: PlayedLeads) -> None:
    """R2: a location gets a request once."""
    body = inquiry("contoso", "contoso", "fabrikam")
    body["recipients"][1]["target"] = {"id": "contoso-seattle"}
    first, second, other = await world.leads(body)
    assert first == second
    assert other
    assert await world.received("contoso") == [first]


@pytest.mark.parametrize("qualification", ["Direct", "MarketingQualified"])
@pytest.mark.parametrize("own", [None, "Please help."])
async def test_microsoft_reads_no_words_of_the_customers_as_the_inviters(
    world: PlayedLeads, qualification: str, own: str | None
) -> None:
    """R4, R7, M7: only notes that the company writes itself."""
    body = {**inquiry("contoso"), "qualification": qualification, "details": {"notes": "Secret words."}}
    lead = await world.lead(body)
    await world.ask("rae", lead, accept_referral, {**ESTIMATE, "team": [RAE]})
    wanted = {
        "details": ERP,
        "inviteContext": {"assistanceRequestCode": "GeneralOrOther"} | ({"notes": own} if own else {}),
        "customerProfile": {"team": [{**RAE, "email": "cara@relecloud.com"}]},
    }
    converted = await world.ask("rae", lead, convert_lead, wanted)
    assert converted.status == 200, converted.body
    await world.follow(lead)
    (microsofts,) = await world.received("msft")
    assert (await world.record(microsofts)).invite_context.notes == own
    assert (await world.record(lead)).invite_context.notes == "Secret words."


async def test_a_conversion_takes_nothing_for_an_amount(world: PlayedLeads) -> None:
    """C6: 0 is an amount that is out of range, not one that was left out."""
    lead = await world.lead(inquiry("contoso"))
    await world.ask("rae", lead, accept_referral, {**ESTIMATE, "team": [RAE]})
    refused = await world.ask("rae", lead, convert_lead, {"details": {**ERP, "dealValue": 0}})
    assert faults(refused) == [("/details/dealValue", "outOfRange")]


async def test_a_number_of_a_company_in_another_country_is_refused(world: PlayedLeads) -> None:
    """C7: a known D-U-N-S number settles the customer."""
    body = inquiry("contoso")
    body["customerProfile"] |= {"ids": [{"profileType": "Duns", "id": "000000001"}]}
    lead = await world.lead(body)
    assert (await world.record(lead)).customer.address.city == "Portland"
    body["customerProfile"]["address"] = {"country": "KR"}
    assert faults(await world.submit(body)) == [("/customerProfile/address/country", "invalidValue")]


async def test_of_several_companies_of_one_name_a_lead_takes_what_was_sent(world: PlayedLeads) -> None:
    """R2: whoever asks for information need not tell namesakes apart."""
    twins = [{"name": "Twin", "address": {"country": "US", "city": city}} for city in ("Rome", "Troy")]
    await import_directory(world.tables, DirectoryDocument.model_validate({"customers": twins}))
    body = inquiry("contoso")
    body["customerProfile"] |= {"name": "Twin"}
    customer = (await world.record(await world.lead(body))).customer
    assert (customer.name, customer.address.city, customer.ids) == ("Twin", None, ())


async def test_nobody_who_was_asked_is_offered_as_another_partner(world: PlayedLeads) -> None:
    """R4: not even those that the request did not reach."""
    body = inquiry("contoso", "fabrikam", "unheard-of")
    body["recipients"][1]["target"] = {"id": "fabrikam-mars"}
    first, *others = await world.leads(body)
    assert others == [None, None]
    assert first
    inquiry_ = (await world.record(first)).inquiry
    assert inquiry_
    assert inquiry_.recipients == ("contoso", "fabrikam")


@pytest.mark.parametrize(
    ("wished", "body", "expected"),
    [
        (True, DECLINED, ["customerDeclined"]),
        (True, {"reason": "AbuseSpamOrPhishing"}, []),
        (False, DECLINED, ["customerDeclined"]),
    ],
)
async def test_a_lead_that_was_declined_while_mail_was_away_is_announced_to_nobody(
    world: PlayedLeads, mail: Outage, wished: bool, body: dict[str, str], expected: list[str]
) -> None:
    """M1, M3, R5."""
    mail.away = True
    lead = await world.lead({**inquiry("contoso"), "details": {"customerRequestedContact": wished}})
    await world.follow(lead)
    world.now += timedelta(hours=1)
    assert (await world.ask("rae", lead, decline_referral, body)).status == 200
    mail.away = False
    world.now += timedelta(hours=2)
    await world.follow(lead)
    assert mail.messages() == expected


async def test_a_reminder_that_went_out_late_says_nothing_that_is_no_longer_true(
    world: PlayedLeads, mail: Outage
) -> None:
    """M3: it is frozen when it is planned."""
    lead = await world.lead(inquiry("contoso"))
    await world.follow(lead)
    world.now = NOW + timedelta(days=11, minutes=1)
    mail.away = True
    await world.follow(lead)
    mail.away = False
    world.now = NOW + timedelta(days=13, hours=12)
    await world.follow(lead)
    reminder = list(mail.taken.values())[-1]
    assert reminder.message == "leadReminder"
    assert "left" not in reminder.subject + reminder.text
    assert reminder.subject.startswith("Last reminder: ")
    assert "December 5, 2026 at 10:00 UTC" in reminder.text


@pytest.mark.parametrize("switched_off", [False, True])
async def test_the_contacts_of_a_profile_are_told_as_they_were_when_the_lead_was_sent(
    world: PlayedLeads, mail: Outage, switched_off: bool
) -> None:
    """R3, V4: also if the profile is switched off before the mail goes out; they see the lead and may answer it."""
    desk = ProfileLocation(
        id=LocationId("contoso-seattle"), name="Seattle", contacts=(contact("desk@contoso.com"),)
    )
    profile = Profile(
        organization_id=OrganizationId("contoso"), country="US", active=True, locations=(desk,), version=2
    )
    await world.service.profiles.put(profile)
    world.service = with_dying_handlers(world.service)
    lead = await world.lead(inquiry("contoso"))
    if switched_off:
        await world.service.profiles.put(replace(profile, active=False, version=3))
    await world.follow(lead)
    assert [each.recipients for each in mail.taken.values()] == [("desk@contoso.com",)]


async def test_a_lead_that_arrived_before_its_contacts_were_kept_is_told_to_those_of_its_location(
    world: PlayedLeads, mail: Outage
) -> None:
    """R3, M3: its mail as before; its reminders go to those who can answer, which its contacts cannot."""
    world.service = with_dying_handlers(world.service)
    lead = await world.lead(inquiry("contoso"))
    key = document(lead.referral_id)
    row = await world.tables.get("referrals", "contoso", key)
    assert row
    record = json.loads(text_of(row.values))
    del record["asked"]
    await world.tables.write("referrals", "contoso", [Upsert(Row(key, values_of(json.dumps(record))))])
    desk = ProfileLocation(
        id=LocationId("contoso-seattle"), name="Seattle", contacts=(contact("mia@contoso.com"),)
    )
    profile = Profile(
        organization_id=OrganizationId("contoso"), country="US", active=True, locations=(desk,), version=2
    )
    await world.service.profiles.put(profile)
    await world.follow(lead)
    world.now = NOW + timedelta(days=1)
    await world.follow(lead)
    assert (await world.record(lead)).asked is None
    told = [each.recipients for each in mail.taken.values()]
    assert told == [("mia@contoso.com",), ("rae@contoso.com",)]


@pytest.mark.parametrize("given", [{}, {"consentToContact": True}])
async def test_consent_to_be_contacted_is_no_consent_to_pass_the_contact_on(
    world: PlayedLeads, given: dict[str, bool]
) -> None:
    """R2."""
    refused = await world.submit({**inquiry("contoso"), "consent": given})
    assert faults(refused) == [("/consent/consentToToShareInfoWithOthers", "required")]


class Counting(MemoryTables):
    """Counts the solutions and organizations that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_up = 0

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        self.looked_up += partition == "solutions" or partition.startswith("strange-")
        return await super().get(table, partition, key)


async def test_lists_that_are_refused_for_their_length_are_not_looked_up() -> None:
    """C6."""
    tables = Counting()
    world = PlayedLeads(NOW, tables)
    await world.begin()
    tables.looked_up = 0
    body = inquiry(*(f"strange-{number}" for number in range(51)))
    body["details"] = {"requirements": {"solutions": [{"id": f"S{number}"} for number in range(51)]}}
    refused = await world.submit(body)
    assert sorted(faults(refused)) == [
        ("/details/requirements/solutions", "tooLong"),
        ("/recipients", "tooLong"),
    ]
    assert tables.looked_up == 0

"""Who gets which mail: audience by audience, and as everybody wishes it (M1 to M5, R3 to R5)."""

from typing import Any

import pytest

from shared.domain.directory import Person
from shared.domain.ids import LocationId, OrganizationId, PersonId
from shared.domain.recipients import Readers, Recipient, recipients_of
from shared.domain.referral import Address, Customer, Referral
from shared.domain.work import Audience
from tests.examples.referrals import contact, referral


def person(
    email: str,
    role: Any,
    *,
    everywhere: bool = False,
    place: str = "",
    off: bool = False,
    locale: str = "en-US",
) -> Person:
    return Person(
        id=PersonId(email),
        organization_id=OrganizationId("fabrikam"),
        email=email,
        first_name="P",
        last_name="Q",
        roles=frozenset({role}),
        everywhere=everywhere,
        locations=frozenset({LocationId(place)} if place else ()),
        locale=locale,
        disable_notifications=off,
    )


ADMIN = person("admin@f.com", "MpnPartnerAdmin")
GLOBAL = person("global@f.com", "ReferralsAdmin", everywhere=True, locale="ko-KR")
SEOUL = person("seoul@f.com", "ReferralsAdmin", place="fabrikam-seoul")
LONDON = person("london@f.com", "ReferralsAdmin", place="fabrikam-london")
USER = person("user@f.com", "ReferralsUser", place="fabrikam-seoul")
SILENT = person("silent@f.com", "ReferralsAdmin", everywhere=True, off=True)
SAM, SUE = person("sam@m.com", "MicrosoftSeller"), person("sue@m.com", "MicrosoftSeller")
MUTE = person("mute@m.com", "MicrosoftSeller", off=True)
DEE = person("dee@m.com", "DealReviewer")
VERA, HUSH = person("vera@m.com", "DealReviewer"), person("hush@m.com", "DealReviewer", off=True)
DESK = contact("desk@f.com")
DESK_OFF = contact("desk@f.com", disable_notifications=True)
INVITED = referral()
TEAM = referral(team=(contact("kim@f.com"), contact("lee@f.com")))
SILENT_TEAM = referral(team=(contact("silent@f.com"),))
MICROSOFTS = referral(organization_id=OrganizationId("msft"), location=None)
LEAD = referral(
    deal_type="Lead",
    customer=Customer(
        name="Relecloud",
        address=Address(country="US"),
        team=(contact("cara@r.com"), contact("off@r.com", disable_notifications=True)),
    ),
)
EVERYBODY = (ADMIN, GLOBAL, SEOUL, LONDON, USER)

# One case to a line reads as the table that it is.
# ruff: noqa: E501
CASES: list[tuple[str, Audience, Referral, Readers, list[str]]] = [
    ("contacts of the place", "invitee", INVITED, Readers(people=(ADMIN, GLOBAL), contacts=(DESK,)), ["desk@f.com"]),
    ("else admins of the place", "invitee", INVITED, Readers(people=EVERYBODY), ["global@f.com", "seoul@f.com"]),
    ("else partner admins", "invitee", INVITED, Readers(people=(ADMIN, LONDON, USER)), ["admin@f.com"]),
    ("admins who want no mail", "invitee", INVITED, Readers(people=(ADMIN, SILENT)), ["admin@f.com"]),
    ("contacts who want no mail", "invitee", INVITED, Readers(people=(ADMIN, GLOBAL), contacts=(DESK_OFF,)), ["global@f.com"]),
    ("nobody there", "invitee", INVITED, Readers(people=()), []),
    ("a reminder passes the contacts by", "answerers", INVITED, Readers(people=(ADMIN, GLOBAL, LONDON), contacts=(DESK,)), ["global@f.com"]),
    ("a reminder reaches contacts who can answer", "answerers", INVITED, Readers(people=(ADMIN, SEOUL, USER, DEE), contacts=(contact("USER@f.com"), contact("dee@m.com"), DESK)), ["seoul@f.com", "user@f.com"]),
    ("and without an admin the partner admins", "answerers", INVITED, Readers(people=(ADMIN, USER), contacts=(contact("user@f.com"),)), ["admin@f.com", "user@f.com"]),
    ("but not if they want no mail", "answerers", INVITED, Readers(people=(SEOUL, USER), contacts=(contact("user@f.com", disable_notifications=True),)), ["seoul@f.com"]),
    ("a hot lead reaches both", "alerted", LEAD, Readers(people=(GLOBAL, LONDON), contacts=(DESK,)), ["desk@f.com", "global@f.com"]),
    ("each of them once", "alerted", LEAD, Readers(people=(GLOBAL,), contacts=(contact("GLOBAL@f.com"),)), ["global@f.com"]),
    ("the routed team", "invitee", MICROSOFTS, Readers(people=(SAM, SUE, DEE), team=("SUE@m.com",)), ["sue@m.com"]),
    ("the routed team is reminded", "answerers", MICROSOFTS, Readers(people=(SAM, SUE, DEE), team=("sue@m.com",)), ["sue@m.com"]),
    ("a team of nobody", "invitee", MICROSOFTS, Readers(people=(SAM, SUE, DEE), team=("gone@m.com",)), ["sam@m.com", "sue@m.com"]),
    ("no team", "invitee", MICROSOFTS, Readers(people=(SAM, SUE, DEE)), ["sam@m.com", "sue@m.com"]),
    ("a team that wants no mail", "invitee", MICROSOFTS, Readers(people=(SAM, MUTE), team=("mute@m.com",)), []),
    ("the inviter's team", "inviter", TEAM, Readers(people=()), ["kim@f.com", "lee@f.com"]),
    ("another party's team", "party", TEAM, Readers(people=(SEOUL,)), ["kim@f.com", "lee@f.com"]),
    ("a party without a team", "party", INVITED, Readers(people=(ADMIN, SEOUL)), ["seoul@f.com"]),
    ("a team that is silent", "party", SILENT_TEAM, Readers(people=(SILENT, SEOUL)), []),
    ("all reviewers", "reviewers", TEAM, Readers(people=(SAM, DEE, HUSH, VERA)), ["dee@m.com", "vera@m.com"]),
    ("the reviewer it was given to", "reviewers", TEAM, Readers(people=(DEE, VERA), reviewers=("VERA@m.com",)), ["vera@m.com"]),
    ("a reviewer who is gone", "reviewers", TEAM, Readers(people=(SAM, DEE), reviewers=("sam@m.com",)), ["dee@m.com"]),
    ("a reviewer who wants no mail", "reviewers", TEAM, Readers(people=(DEE, HUSH), reviewers=("hush@m.com",)), ["dee@m.com"]),
    ("the lead", "reviewLead", TEAM, Readers(people=(DEE, VERA), reviewers=("vera@m.com",)), ["vera@m.com"]),
    ("a lead who wants no mail", "reviewLead", TEAM, Readers(people=(DEE, HUSH), reviewers=("hush@m.com",)), ["dee@m.com"]),
    ("the contact of a registration and the team", "registrants", TEAM, Readers(people=(), registrant=(DESK,)), ["desk@f.com", "kim@f.com", "lee@f.com"]),
    ("one of the team", "registrants", TEAM, Readers(people=(), registrant=(contact("LEE@f.com"),)), ["lee@f.com", "kim@f.com"]),
    ("a contact who wants no mail by the directory", "registrants", TEAM, Readers(people=(SILENT,), registrant=(contact("silent@f.com"),)), ["kim@f.com", "lee@f.com"]),
    ("a contact who wants no mail by the team", "registrants", referral(team=(DESK_OFF, contact("kim@f.com"))), Readers(people=(), registrant=(DESK,)), ["kim@f.com"]),
    ("a contact alone", "registrants", INVITED, Readers(people=(SEOUL,), registrant=(DESK,)), ["desk@f.com", "seoul@f.com"]),
    ("the customer", "customer", LEAD, Readers(people=EVERYBODY, contacts=(DESK,)), ["cara@r.com"]),
]  # fmt: skip


def emails(recipients: tuple[Recipient, ...]) -> list[str]:
    return [recipient.email.casefold() for recipient in recipients]


@pytest.mark.parametrize(
    ("audience", "record", "readers", "told"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_an_audience_is_these_people(
    audience: Audience, record: Referral, readers: Readers, told: list[str]
) -> None:
    assert emails(recipients_of(audience, record, readers)) == told


def test_a_team_gets_its_mail_once_in_its_language_and_not_if_it_switched_it_off() -> None:
    """M2, M5, V7: once, and as they wish."""
    team = (
        contact("GLOBAL@f.com"),
        contact("global@f.com", locale="fr-FR"),
        contact("silent@f.com"),
        contact("quiet@f.com", disable_notifications=True),
        contact("guest@g.com"),
    )
    told = recipients_of("party", referral(team=team), Readers(people=(GLOBAL, SILENT)))
    assert {r.email.lower(): r.locale for r in told} == {"global@f.com": "fr-FR", "guest@g.com": "en-US"}


def test_a_contact_that_names_no_language_gets_its_mail_in_that_of_the_directory() -> None:
    """M5, V7: the contact's own word counts first, English last."""
    desks = (contact("GLOBAL@f.com"), contact("admin@f.com", locale="de-DE"), contact("guest@g.com"))
    told = recipients_of("invitee", INVITED, Readers(people=EVERYBODY, contacts=desks))
    assert [each.locale for each in told] == ["ko-KR", "de-DE", "en-US"]


def test_a_customers_mail_is_in_the_language_of_its_contact() -> None:
    korean = Customer(name="R", address=Address(country="KR"), team=(contact("c@r.kr", locale="ko-KR"),))
    (told,) = recipients_of("customer", referral(customer=korean), Readers(people=()))
    assert told.locale == "ko-KR"


def test_the_contact_of_a_registration_is_written_to_as_the_team_knows_it() -> None:
    """M5: the form has no language."""
    team = referral(team=(contact("desk@f.com", locale="ko-KR"),))
    (told,) = recipients_of("registrants", team, Readers(people=(), registrant=(DESK,)))
    assert told.locale == "ko-KR"

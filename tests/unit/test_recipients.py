"""Who gets which mail (M1 to M5)."""

import pytest

from shared.domain.directory import Person
from shared.domain.ids import LocationId, OrganizationId, PersonId
from shared.domain.recipients import Readers, answerers, deal_team, invitees
from tests.unit.examples import contact, referral


def person(
    email: str,
    role: str,
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


def emails(recipients) -> list[str]:
    return [recipient.email for recipient in recipients]


@pytest.mark.parametrize(
    ("people", "contacts", "told"),
    [
        ((ADMIN, GLOBAL), (contact("desk@f.com"),), ["desk@f.com"]),
        ((ADMIN, GLOBAL, SEOUL, LONDON, USER), (), ["global@f.com", "seoul@f.com"]),
        ((ADMIN, LONDON, USER), (), ["admin@f.com"]),
        ((ADMIN, SILENT), (), ["admin@f.com"]),
        ((ADMIN, GLOBAL), (contact("desk@f.com", disable_notifications=True),), ["global@f.com"]),
        ((), (), []),
    ],
)
def test_an_invitation_is_announced_to_contacts_else_admins_of_the_place_else_partner_admins(
    people: tuple, contacts: tuple, told: list[str]
) -> None:
    """M1: in this order."""
    assert emails(invitees(referral(), Readers(people=people, contacts=contacts))) == told


def test_reminders_go_to_those_who_can_answer_whatever_the_profile_says() -> None:
    """M3: not the profile's contacts."""
    readers = Readers(people=(ADMIN, GLOBAL, LONDON), contacts=(contact("desk@f.com"),))
    assert emails(answerers(referral(), readers)) == ["global@f.com"]


def test_microsofts_mail_goes_to_all_its_sellers() -> None:
    """M1: until there is routing."""
    sellers = (person("sam@m.com", "MicrosoftSeller"), person("sue@m.com", "MicrosoftSeller"))
    readers = Readers(people=(*sellers, person("dee@m.com", "DealReviewer")))
    invited = referral(organization_id=OrganizationId("msft"), location=None)
    assert (
        emails(invitees(invited, readers))
        == emails(answerers(invited, readers))
        == ["sam@m.com", "sue@m.com"]
    )


def test_a_team_gets_its_mail_once_in_its_language_and_not_if_it_switched_it_off() -> None:
    """M2, M5, V7: once, and as they wish."""
    team = (
        contact("GLOBAL@f.com"),
        contact("global@f.com", locale="fr-FR"),
        contact("silent@f.com"),
        contact("quiet@f.com", disable_notifications=True),
        contact("guest@g.com"),
    )
    told = deal_team(referral(team=team), Readers(people=(GLOBAL, SILENT)))
    assert {r.email.lower(): r.locale for r in told} == {"global@f.com": "fr-FR", "guest@g.com": "en-US"}


def test_a_party_without_a_team_is_told_through_those_it_was_announced_to() -> None:
    """L2: pre-filled."""
    assert emails(deal_team(referral(), Readers(people=(ADMIN, SEOUL)))) == ["seoul@f.com"]
    silent_team = referral(team=(contact("silent@f.com"),))
    assert emails(deal_team(silent_team, Readers(people=(SILENT, SEOUL)))) == []

"""Who sees what (V1, V4, V6), as a table."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.directory import Application, Organization, Person
from shared.domain.ids import ApplicationId, LocationId, OrganizationId, PersonId
from shared.domain.permissions import (
    Caller,
    is_retained,
    may_configure,
    may_create,
    may_manage_members,
    may_read_members,
    may_see,
    may_see_partner_led,
    may_submit_leads,
    may_use_referrals,
)
from tests.examples.referrals import NOW, contact, creators, referral

IN_SEOUL = referral()
ON_TEAM = referral(team=(contact("Lee@Fabrikam.com"),))
IN_LONDON = referral(location=LocationId("fabrikam-london"), team=(contact("lee@fabrikam.com"),))
OTHERS = referral(organization_id=OrganizationId("northwind"))
TABLE = [
    # role, everywhere, locations,        Seoul, Seoul on the team, London on the team, another organization's
    ("MpnPartnerAdmin", False, (), "yes yes yes no"),
    ("ReferralsAdmin", True, (), "yes yes yes no"),
    ("ReferralsAdmin", False, ("fabrikam-seoul",), "yes yes no no"),
    ("ReferralsAdmin", False, (), "no no no no"),
    ("ReferralsUser", False, ("fabrikam-seoul",), "no yes no no"),
    ("ReferralsUser", True, (), "no no no no"),
    ("MicrosoftSeller", True, (), "no no no no"),
    ("DealReviewer", True, (), "no no no no"),
    ("LeadIntake", True, (), "no no no no"),
]


def caller(role: str, everywhere: bool, locations: tuple[str, ...], kind: str = "partner") -> Caller:
    organization = OrganizationId("msft" if kind == "microsoft" else "fabrikam")
    return Caller(
        organization=Organization(id=organization, name="F", kind=kind),
        member=Person(
            id=PersonId("lee"),
            organization_id=organization,
            email="lee@fabrikam.com",
            first_name="Lee",
            last_name="H",
            roles=frozenset({role}),
            everywhere=everywhere,
            locations=frozenset(LocationId(place) for place in locations),
        ),
    )


def application(role: str, everywhere: bool, locations: tuple[str, ...], kind: str = "partner") -> Caller:
    """An application with the roles and locations of a caller."""
    person = caller(role, everywhere, locations, kind)
    member = Application(
        id=ApplicationId("crm"),
        organization_id=person.organization.id,
        name="lee@fabrikam.com",
        roles=person.member.roles,
        expires_at=NOW,
        everywhere=everywhere,
        locations=person.member.locations,
    )
    return replace(person, member=member)


@pytest.mark.parametrize(("role", "everywhere", "locations", "sees"), TABLE)
def test_who_sees_which_referral(role: str, everywhere: bool, locations: tuple[str, ...], sees: str) -> None:
    """V1, V4: by role, scope and team."""
    who = caller(role, everywhere, locations)
    seen = [may_see(who, each) for each in (IN_SEOUL, ON_TEAM, IN_LONDON, OTHERS)]
    assert seen == [word == "yes" for word in sees.split()]


@pytest.mark.parametrize(("role", "everywhere", "locations", "sees"), TABLE)
def test_an_application_sees_what_its_roles_say_and_nothing_by_a_team(
    role: str, everywhere: bool, locations: tuple[str, ...], sees: str
) -> None:
    """V4, V7: it is on no team, whatever its name."""
    who = application(role, everywhere, locations)
    seen = [may_see(who, each) for each in (IN_SEOUL, ON_TEAM, IN_LONDON, OTHERS)]
    expected = [word == "yes" for word in sees.split()]
    assert seen == ([False] * 4 if role == "ReferralsUser" else expected)


ASKED = (contact("Lee@Fabrikam.com"),)
AT_ANOTHER_PLACE = LocationId("fabrikam-london")


@pytest.mark.parametrize(
    ("role", "everywhere", "locations", "kind", "sees"),
    [
        ("ReferralsUser", False, (), "partner", True),
        ("ReferralsUser", False, ("fabrikam-seoul",), "partner", True),
        ("ReferralsAdmin", False, (), "partner", True),
        ("DealReviewer", False, (), "partner", False),
        ("LeadIntake", False, (), "partner", False),
        ("ReferralsUser", False, (), "microsoft", False),
    ],
)
def test_who_was_asked_sees_a_new_referral_if_its_role_may_use_referrals_at_all(
    role: str, everywhere: bool, locations: tuple[str, ...], kind: str, sees: bool
) -> None:
    """V4: whatever its team or locations."""
    who = caller(role, everywhere, locations, kind)
    new = referral(organization_id=who.organization.id, location=AT_ANOTHER_PLACE, asked=ASKED)
    assert may_see(who, new) is sees
    assert not may_see(who, replace(new, asked=(contact("kim@fabrikam.com"),)))
    assert not may_see(application(role, everywhere, locations, kind), new)


@pytest.mark.parametrize(
    ("status", "substatus"), [("Active", "Accepted"), ("Closed", "Declined"), ("Closed", "Expired")]
)
def test_after_the_answer_the_team_decides_again(status: str, substatus: str) -> None:
    """V4: those who were asked see an answered or closed referral only as its team and its location say."""
    lee = caller("ReferralsUser", False, ("fabrikam-seoul",))
    answered = referral(status=status, substatus=substatus, asked=ASKED)
    assert not may_see(lee, answered)
    assert may_see(lee, replace(answered, team=ASKED))


def test_who_was_asked_for_another_organization_sees_nothing() -> None:
    """V1: an address alone opens no other organization's referral."""
    lee = caller("ReferralsUser", False, ("fabrikam-seoul",))
    assert not may_see(lee, referral(organization_id=OrganizationId("northwind"), asked=ASKED))


def test_a_referral_that_arrived_before_those_who_are_asked_were_kept_is_seen_as_before() -> None:
    """V4: it does not say whom it was sent to."""
    assert not may_see(caller("ReferralsUser", False, ("fabrikam-seoul",)), referral(asked=None))


def test_an_application_creates_where_its_roles_reach_and_nothing_by_a_team() -> None:
    """V6, V7."""
    seoul, team = LocationId("fabrikam-seoul"), frozenset({"lee@fabrikam.com"})
    assert may_create(application("ReferralsAdmin", False, (seoul,)), seoul, team)
    assert not may_create(application("ReferralsUser", False, (seoul,)), seoul, team)


@pytest.mark.parametrize("role", ["MpnPartnerAdmin", "ReferralsAdmin"])
def test_an_application_changes_neither_people_nor_applications(role: str) -> None:
    """V7: it could outlive its own expiry. What it sees, and the other settings, follow from its roles."""
    crm, lee = application(role, True, ()), caller(role, True, ())
    assert not may_manage_members(crm)
    assert may_manage_members(lee) is (role == "MpnPartnerAdmin")
    assert may_read_members(crm) is may_read_members(lee) is (role == "MpnPartnerAdmin")
    assert may_configure(crm)


@pytest.mark.parametrize("kind", ["partner", "microsoft", "application"])
def test_leads_are_submitted_by_applications_of_such_organizations_alone(kind: str) -> None:
    """V6, V7."""
    assert may_submit_leads(application("LeadIntake", True, (), kind)) is (kind == "application")
    assert not may_submit_leads(application("ReferralsAdmin", True, (), kind))
    assert not may_submit_leads(caller("LeadIntake", True, (), kind))


@pytest.mark.parametrize(
    ("role", "kind", "may"),
    [
        ("ReferralsUser", "partner", True),
        ("DealReviewer", "microsoft", False),
        ("MicrosoftSeller", "microsoft", True),
        ("MicrosoftSeller", "partner", False),
        ("MpnPartnerAdmin", "microsoft", False),
    ],
)
def test_roles_count_only_in_their_kind_of_organization(role: str, kind: str, may: bool) -> None:
    """V6, V7: a role is bound to its kind."""
    assert may_use_referrals(caller(role, True, (), kind)) is may


@pytest.mark.parametrize(
    ("role", "everywhere", "locations", "on_team", "may"),
    [
        ("MpnPartnerAdmin", False, (), False, True),
        ("ReferralsAdmin", True, (), False, True),
        ("ReferralsAdmin", False, ("fabrikam-london",), True, False),
        ("ReferralsUser", False, ("fabrikam-seoul",), True, True),
        ("ReferralsUser", False, ("fabrikam-seoul",), False, False),
    ],
)
def test_who_may_create_where(
    role: str, everywhere: bool, locations: tuple[str, ...], on_team: bool, may: bool
) -> None:
    """V6: by role, location and team."""
    team = frozenset({"lee@fabrikam.com"} if on_team else {"kim@fabrikam.com"})
    assert may_create(caller(role, everywhere, locations), LocationId("fabrikam-seoul"), team) is may


def test_a_closed_referral_is_shown_until_its_retention_is_over() -> None:
    """N3: a setting; seven years if nothing else is said."""
    week = timedelta(days=7)
    assert is_retained(NOW, NOW + week - timedelta(seconds=1), week)
    assert not is_retained(NOW, NOW + week, week)
    assert is_retained(None, NOW + 999 * week, week)


@pytest.mark.parametrize(
    ("role", "record", "sees"),
    [
        ("MicrosoftSeller", creators(deal_type="PartnerLed"), True),
        ("MicrosoftSeller", referral(deal_type="PartnerLed"), False),
        ("DealReviewer", creators(deal_type="PartnerLed"), False),
        *(
            ("MicrosoftSeller", creators(deal_type=kind), False)
            for kind in ("Private", "PartnerToPartner", "CoSell", "SolutionAssessment")
        ),
    ],
)
def test_sellers_look_at_partner_led_deals_of_others_and_at_no_other(role, record, sees: bool) -> None:
    """V2, V3."""
    microsoft = Organization(id=OrganizationId("msft"), name="Microsoft", kind="microsoft")
    sam = Person(
        id=PersonId("sam"),
        organization_id=microsoft.id,
        email="sam@microsoft.com",
        first_name="Sam",
        last_name="O",
        roles=frozenset({role}),
    )
    assert may_see_partner_led(Caller(organization=microsoft, member=sam), record) is sees

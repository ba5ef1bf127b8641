"""docs/security.md says who may what as the rules decide it.

To write the table anew after a change of the rules: `python -m tests.project.test_security_page`.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from shared.domain import permissions
from shared.domain.directory import Application, Location, Organization, Person
from shared.domain.ids import ApplicationId, LocationId, OrganizationId, PersonId
from shared.domain.permissions import Caller, may_create, may_see, may_see_partner_led
from shared.domain.vocabulary import OrganizationKind, Role
from tests.examples.referrals import NOW, contact, creators, referral

PAGE = Path(__file__).parents[2] / "docs/security.md"
PLACE = re.compile(r"<!-- permissions -->\n.*?(?=\n[^|])", re.DOTALL)
HERE, THERE = LocationId("here"), LocationId("there")
EMAIL = "member@example.com"
_OWN = {"partner": "contoso", "microsoft": "msft", "application": "portal"}


def organization(kind: OrganizationKind) -> Organization:
    places = tuple(Location(id=each, name=each, country="US") for each in (HERE, THERE))
    return Organization(
        id=OrganizationId(_OWN[kind]),
        name=kind,
        kind=kind,
        locations=places if kind == "partner" else (),
    )


def person(kind: OrganizationKind, *roles: Role, everywhere: bool = False) -> Caller:
    own = organization(kind)
    member = Person(
        id=PersonId("p"),
        organization_id=own.id,
        email=EMAIL,
        first_name="A",
        last_name="Member",
        roles=frozenset(roles),
        everywhere=everywhere,
        locations=frozenset({HERE}) if kind == "partner" and not everywhere else frozenset(),
    )
    return Caller(organization=own, member=member)


def application(kind: OrganizationKind, *roles: Role, everywhere: bool = False) -> Caller:
    own = organization(kind)
    member = Application(
        id=ApplicationId("a"),
        organization_id=own.id,
        name="An application",
        roles=frozenset(roles),
        everywhere=everywhere,
        locations=frozenset() if everywhere or kind != "partner" else frozenset({HERE}),
        expires_at=NOW + timedelta(days=1),
    )
    return Caller(organization=own, member=member)


CALLERS: dict[str, Caller] = {
    "partner admin": person("partner", "MpnPartnerAdmin"),
    "referrals admin, all locations": person("partner", "ReferralsAdmin", everywhere=True),
    "referrals admin, some": person("partner", "ReferralsAdmin"),
    "referrals user": person("partner", "ReferralsUser"),
    "application as partner admin": application("partner", "MpnPartnerAdmin"),
    "application as referrals user": application("partner", "ReferralsUser"),
    "Microsoft seller": person("microsoft", "MicrosoftSeller", everywhere=True),
    "deal reviewer": person("microsoft", "DealReviewer", everywhere=True),
    "routing admin": person("microsoft", "RoutingAdmin", everywhere=True),
    "lead application": application("application", "LeadIntake"),
}


def sees(location: LocationId, *, on_team: bool = False) -> Callable[[Caller], bool]:
    """Whether a caller sees a referral of its organization there; Microsoft's have no location."""
    team = (contact(EMAIL),) if on_team else (contact("other@example.com"),)

    def ask(caller: Caller) -> bool:
        own = caller.organization
        where = location if own.kind == "partner" else None
        return may_see(caller, referral(organization_id=own.id, location=where, team=team))

    return ask


def creates(location: LocationId, *, on_team: bool = False) -> Callable[[Caller], bool]:
    team = frozenset({EMAIL if on_team else "other@example.com"})
    return lambda caller: may_create(caller, location, team)


def sees_anothers(caller: Caller) -> bool:
    return may_see(
        caller, referral(organization_id=OrganizationId("another"), location=HERE, team=(contact(EMAIL),))
    )


def answers_when_asked(caller: Caller) -> bool:
    """Whether a caller whose address is among those asked sees a New referral; Microsoft's name none."""
    own = caller.organization
    place, asked = (THERE, (contact(EMAIL),)) if own.kind == "partner" else (None, ())
    return may_see(caller, referral(organization_id=own.id, location=place, asked=asked))


def sees_partner_led(caller: Caller) -> bool:
    return may_see_partner_led(caller, replace(creators(), deal_type="PartnerLed"))


RIGHTS: dict[str, Callable[[Caller], bool]] = {
    "works on its organization's referrals: at any location": sees(THERE),
    "at its own locations": sees(HERE),
    "at its own locations, being on their team": sees(HERE, on_team=True),
    "answers a new one that it was asked to answer, at any location": answers_when_asked,
    "sees another organization's referral": sees_anothers,
    "reads partner-led deals of partners": sees_partner_led,
    "creates deals: at any location": creates(THERE),
    "for its own locations": creates(HERE),
    "for its own locations, with itself in the team": creates(HERE, on_team=True),
    "registers the won deals that it sees": permissions.may_write_registrations,
    "reports closed deals without a referral": permissions.may_report_deals,
    "changes business profiles and the stage map": permissions.may_configure,
    "changes its organization's locations": permissions.may_keep_locations,
    "sees its organization's people and applications": permissions.may_read_members,
    "changes them": permissions.may_manage_members,
    "reads the routing table": permissions.may_read_routing,
    "changes it": permissions.may_manage_routing,
    "reviews registrations": permissions.may_review,
    "submits leads, searches providers": permissions.may_submit_leads,
}
"""What a caller may do, in the order of the page."""


def table() -> str:
    """The table as the page has it."""
    head = f"| | {' | '.join(CALLERS)} |"
    rows = [
        f"| {right} | {' | '.join('yes' if may(caller) else '' for caller in CALLERS.values())} |"
        for right, may in RIGHTS.items()
    ]
    return "\n".join(["<!-- permissions -->", head, "|---" * (len(CALLERS) + 1) + "|", *rows])


def test_the_page_says_who_may_what_as_the_rules_decide() -> None:
    (found,) = PLACE.findall(PAGE.read_text(encoding="utf-8"))
    assert found.strip() == table()


if __name__ == "__main__":
    PAGE.write_text(
        PLACE.sub(lambda _: table() + "\n", PAGE.read_text(encoding="utf-8"), count=1), encoding="utf-8"
    )

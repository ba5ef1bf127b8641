"""Who may see and do what (rules V).

One question per function; the same answers serve reading, acting and `allowedActions`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.directory import Organization, Person
from shared.domain.ids import LocationId
from shared.domain.referral import Referral
from shared.domain.vocabulary import OrganizationKind, Role

_REFERRAL_ROLES: dict[OrganizationKind, frozenset[Role]] = {
    "partner": frozenset({"MpnPartnerAdmin", "ReferralsAdmin", "ReferralsUser"}),
    "microsoft": frozenset({"MicrosoftSeller"}),
    "application": frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A signed-in person, as the directory knows it (V7)."""

    organization: Organization
    person: Person

    @property
    def referral_roles(self) -> frozenset[Role]:
        """The person's roles that concern referrals and exist in its kind of organization (V6, V7)."""
        return self.person.roles & _REFERRAL_ROLES[self.organization.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessScope:
    """Which of its organization's referrals a caller sees (V4).

    Everything; or those of `locations`; or, of `team_locations`, those whose team has the caller's email.
    """

    everything: bool = False
    locations: frozenset[LocationId] = frozenset()
    team_locations: frozenset[LocationId] = frozenset()


def access_scope(caller: Caller) -> AccessScope:
    """What a caller's roles add up to (V2 to V4). No role, no scope: nothing."""
    roles, person = caller.referral_roles, caller.person
    admin = "ReferralsAdmin" in roles
    return AccessScope(
        everything=bool(roles & {"MpnPartnerAdmin", "MicrosoftSeller"}) or (admin and person.everywhere),
        locations=person.locations if admin else frozenset(),
        team_locations=person.locations if "ReferralsUser" in roles else frozenset(),
    )


def may_use_referrals(caller: Caller) -> bool:
    """Whether the caller has any business with referrals (V6); if not, 403 where no single record is asked for."""
    return bool(caller.referral_roles)


def may_see(caller: Caller, referral: Referral) -> bool:
    """Whether the caller sees this referral (V1, V4). If not, it must read like an unknown id (V5)."""
    if referral.organization_id != caller.organization.id:
        return False
    reach = access_scope(caller)
    if reach.everything or referral.location in reach.locations:
        return True
    return referral.location in reach.team_locations and is_on_team(caller.person, referral)


def is_retained(closed_at: datetime | None, now: datetime, retention: timedelta) -> bool:
    """Whether a record is still shown: a closed one until its retention period is over (N3)."""
    return closed_at is None or now < closed_at + retention


def may_see_partner_led(caller: Caller, deal: Referral) -> bool:
    """Whether the caller is a seller who sees a partner's deal because it is partner-led (V2, V3)."""
    return (
        "MicrosoftSeller" in caller.referral_roles
        and deal.deal_type == "PartnerLed"
        and deal.belongs_to_creator
    )


def is_on_team(person: Person, referral: Referral) -> bool:
    """Whether a referral's team has this person, by email, whatever its case (V4)."""
    return any(contact.email.casefold() == person.email.casefold() for contact in referral.team)


def may_create(caller: Caller, location: LocationId, team_emails: frozenset[str]) -> bool:
    """Whether the caller may create a deal of this location with this team (V6). Emails are case-folded."""
    if caller.organization.kind != "partner":
        return False
    reach = access_scope(caller)
    if reach.everything or location in reach.locations:
        return True
    return location in reach.team_locations and caller.person.email.casefold() in team_emails


def may_configure(caller: Caller) -> bool:
    """Whether the caller keeps its organization's profiles and names of stages (V6): admins of all locations do."""
    return _is_admin_of_all(caller)


def may_manage_people(caller: Caller) -> bool:
    """Whether the caller keeps its organization's directory of people: its partner admins do (V7)."""
    return "MpnPartnerAdmin" in caller.referral_roles


def may_submit_leads(caller: Caller) -> bool:
    """Whether the caller is an application that takes in leads (V6, V7)."""
    return caller.organization.kind == "application" and "LeadIntake" in caller.person.roles


def may_manage_routing(caller: Caller) -> bool:
    """Whether the caller keeps the routing table: Microsoft's routing admins do (V6)."""
    return caller.organization.kind == "microsoft" and "RoutingAdmin" in caller.person.roles


def may_read_routing(caller: Caller) -> bool:
    """Whether the caller may look at the routing table: sellers and routing admins (V6)."""
    return may_manage_routing(caller) or "MicrosoftSeller" in caller.referral_roles


def may_write_registrations(caller: Caller) -> bool:
    """Whether the caller registers its organization's deals: admins do, in their scope (V6)."""
    return bool(caller.referral_roles & {"MpnPartnerAdmin", "ReferralsAdmin"})


def may_report_deals(caller: Caller) -> bool:
    """Whether the caller reports deals that were never co-sold, and sees these reports (G8, V4).

    They have no location, so admins of all locations do.
    """
    return _is_admin_of_all(caller)


def may_review(caller: Caller) -> bool:
    """Whether the caller reviews registrations: Microsoft's deal reviewers do (V6)."""
    return caller.organization.kind == "microsoft" and "DealReviewer" in caller.person.roles


def _is_admin_of_all(caller: Caller) -> bool:
    """Partner's roles alone: nobody else has them (V7)."""
    roles = caller.referral_roles
    return "MpnPartnerAdmin" in roles or ("ReferralsAdmin" in roles and caller.person.everywhere)

"""Who may see and do what (rules V).

The same functions decide about reading, about commands and about `allowedActions`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.directory import Application, Member, Organization
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
    """An authenticated person or application, with its directory entry (V7)."""

    organization: Organization
    member: Member

    @property
    def is_application(self) -> bool:
        """Whether this is an application, not a person."""
        return isinstance(self.member, Application)

    @property
    def email(self) -> str | None:
        """The address that names the caller in teams; None for an application, which is on none."""
        return None if isinstance(self.member, Application) else self.member.email

    @property
    def referral_roles(self) -> frozenset[Role]:
        """The caller's roles for referrals that its kind of organization has (V6, V7)."""
        return referral_roles(self.member, self.organization.kind)


def referral_roles(member: Member, kind: OrganizationKind) -> frozenset[Role]:
    """The roles for referrals of a person or an application that an organization of this kind has (V6, V7)."""
    return member.roles & _REFERRAL_ROLES[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessScope:
    """Which referrals of its organization a caller sees besides those that it was asked to answer (V4).

    All of them (`everything`); or those of `locations`; or those of `team_locations` with the caller's email in the
    team.
    """

    everything: bool = False
    locations: frozenset[LocationId] = frozenset()
    team_locations: frozenset[LocationId] = frozenset()


def access_scope(caller: Caller) -> AccessScope:
    """The scope that a caller's roles give in total (V2 to V4); empty without a role."""
    roles, member = caller.referral_roles, caller.member
    admin = "ReferralsAdmin" in roles
    return AccessScope(
        everything=bool(roles & {"MpnPartnerAdmin", "MicrosoftSeller"}) or (admin and member.everywhere),
        locations=member.locations if admin else frozenset(),
        team_locations=member.locations if "ReferralsUser" in roles else frozenset(),
    )


def may_use_referrals(caller: Caller) -> bool:
    """Whether the caller may use referrals at all (V6); if not, requests that name no single record get 403."""
    return bool(caller.referral_roles)


def may_see(caller: Caller, referral: Referral) -> bool:
    """Whether the caller sees this referral (V1, V4). If not, respond as to an unknown id (V5)."""
    if referral.organization_id != caller.organization.id:
        return False
    scope = access_scope(caller)
    if scope.everything or referral.location in scope.locations:
        return True
    if referral.location in scope.team_locations and is_on_team(caller, referral):
        return True
    return may_use_referrals(caller) and is_asked(caller, referral)


def is_retained(closed_at: datetime | None, now: datetime, retention: timedelta) -> bool:
    """Whether a record is still shown: a closed one until its retention period ends (N3)."""
    return closed_at is None or now < closed_at + retention


def may_see_partner_led(caller: Caller, deal: Referral) -> bool:
    """Whether the caller is a Microsoft seller and the deal is partner-led (V2, V3)."""
    return (
        "MicrosoftSeller" in caller.referral_roles
        and deal.deal_type == "PartnerLed"
        and deal.belongs_to_creator
    )


def is_on_team(caller: Caller, referral: Referral) -> bool:
    """Whether the caller is on a referral's team, by case-insensitive email (V4); an application never is."""
    own = _folded_email(caller)
    return own is not None and any(contact.email.casefold() == own for contact in referral.team)


def is_asked(caller: Caller, referral: Referral) -> bool:
    """Whether a referral is New and was sent to the caller's email, in whatever case (M1, V4)."""
    own = _folded_email(caller)
    return own is not None and own in emails_of_asked(referral)


def emails_of_asked(referral: Referral) -> frozenset[str]:
    """The case-folded emails of those who see a referral because they were asked: until it is answered or closed."""
    asked = referral.asked if referral.status == "New" else None
    return frozenset(contact.email.casefold() for contact in asked or ())


def may_create(caller: Caller, location: LocationId, team_emails: frozenset[str]) -> bool:
    """Whether the caller may create a deal of this location with this team (V6). Emails are case-folded."""
    if caller.organization.kind != "partner":
        return False
    scope = access_scope(caller)
    if scope.everything or location in scope.locations:
        return True
    return location in scope.team_locations and _folded_email(caller) in team_emails


def may_configure(caller: Caller) -> bool:
    """Whether the caller manages its organization's profiles and stage map (V6): admins of all locations."""
    return _is_admin_of_all(caller)


def may_keep_locations(caller: Caller) -> bool:
    """Whether the caller changes the locations of its organization: partner admins (P5)."""
    return "MpnPartnerAdmin" in caller.referral_roles


def may_read_members(caller: Caller) -> bool:
    """Whether the caller sees the people and applications of its organization: partner admins (V7)."""
    return "MpnPartnerAdmin" in caller.referral_roles


def may_manage_members(caller: Caller) -> bool:
    """Whether the caller changes them: partner admins who are people (V7).

    An application could otherwise renew itself, or enter others that outlive it.
    """
    return may_read_members(caller) and not caller.is_application


def may_submit_leads(caller: Caller) -> bool:
    """Whether the caller is an application that submits leads, which an operator entered (V6, V7)."""
    return (
        caller.is_application
        and caller.organization.kind == "application"
        and "LeadIntake" in caller.member.roles
    )


def may_manage_routing(caller: Caller) -> bool:
    """Whether the caller manages the routing table: Microsoft's routing admins (V6)."""
    return caller.organization.kind == "microsoft" and "RoutingAdmin" in caller.member.roles


def may_read_routing(caller: Caller) -> bool:
    """Whether the caller may read the routing table: sellers and routing admins (V6)."""
    return may_manage_routing(caller) or "MicrosoftSeller" in caller.referral_roles


def may_write_registrations(caller: Caller) -> bool:
    """Whether the caller may register deals of its organization: admins, in their scope (V6)."""
    return bool(caller.referral_roles & {"MpnPartnerAdmin", "ReferralsAdmin"})


def may_report_deals(caller: Caller) -> bool:
    """Whether the caller may report deals that were never co-sold, and see the reports (G8, V4).

    The reports have no location, so this takes an admin of all locations.
    """
    return _is_admin_of_all(caller)


def may_review(caller: Caller) -> bool:
    """Whether the caller may review registrations: Microsoft's deal reviewers (V6)."""
    return caller.organization.kind == "microsoft" and "DealReviewer" in caller.member.roles


def _is_admin_of_all(caller: Caller) -> bool:
    """Whether the caller is an admin of all locations of a partner; only partners have these roles (V7)."""
    roles = caller.referral_roles
    return "MpnPartnerAdmin" in roles or ("ReferralsAdmin" in roles and caller.member.everywhere)


def _folded_email(caller: Caller) -> str | None:
    return None if caller.email is None else caller.email.casefold()

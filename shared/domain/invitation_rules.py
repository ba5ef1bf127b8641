"""Validation of invitations, in a new deal or later (C3, T3, P2)."""

from collections.abc import Iterator
from datetime import date

from shared.domain.catalogue import Catalogue
from shared.domain.draft import ContactDraft, InvitationDraft
from shared.domain.field_rules import faults_of_missing, faults_of_solutions, faults_of_team, faults_of_terms
from shared.domain.referral import Contact, Referral
from shared.domain.refusals import Fault
from shared.domain.vocabulary import MICROSOFT, NO_HELP

MAX_INVITATIONS = 20
"""In one request (C6)."""


def faults_of_invitations(
    invitations: tuple[InvitationDraft, ...], catalogue: Catalogue, today: date
) -> Iterator[Fault]:
    """All faults of `invitations`."""
    if len(invitations) > MAX_INVITATIONS:
        yield Fault(
            "tooLong", "/invitations", f"Invite at most {MAX_INVITATIONS} organizations in one request."
        )
        return
    seen: set[str] = set()
    for index, invitation in enumerate(invitations):
        at = f"/invitations/{index}"
        if invitation.organization_id in seen:
            yield Fault(
                "notAllowed", f"{at}/organizationId", "Remove this: the organization is already in the list."
            )
        if invitation.organization_id:
            seen.add(invitation.organization_id)
        yield from _faults_of_invitation(invitation, catalogue, today, at)


def faults_of_later_invitations(
    invitations: tuple[InvitationDraft, ...], deal: Referral, catalogue: Catalogue, today: date
) -> Iterator[Fault]:
    """All faults of invitations into an existing deal, which must already have what Microsoft requires."""
    yield from faults_of_invitations(invitations, catalogue, today)
    for index, invitation in enumerate(invitations):
        if invitation.organization_id != MICROSOFT:
            continue
        at = f"/invitations/{index}/organizationId"
        if missing := missing_for_microsoft(deal):
            yield Fault("required", at, missing)
        yield from faults_of_readiness(catalogue, at)


def missing_for_microsoft(deal: Referral) -> str | None:
    """What a deal lacks to invite Microsoft, as an error message; None if nothing."""
    if not deal.customer.team or not all(_is_complete(contact) for contact in deal.customer.team):
        return "Microsoft can be invited once /customerProfile/team has a contact with name, phone and email."
    if not deal.consent.share_contact:
        return "Microsoft can be invited once /consent/consentToToShareInfoWithOthers is true."
    return None


def faults_of_readiness(catalogue: Catalogue, at: str) -> Iterator[Fault]:
    """Who invites Microsoft has a co-sell-ready solution in the catalogue (T3); `at` is what invites it."""
    if not catalogue.co_sell_ready:
        message = (
            f"{catalogue.creator.name} has no co-sell-ready solution of its own in the catalogue, and needs one to "
            "invite Microsoft: have a solution made co-sell ready first, or leave Microsoft out."
        )
        yield Fault("notAllowed", at, message)


def faults_of_microsofts_needs(team: tuple[ContactDraft, ...], share_contact: bool) -> Iterator[Fault]:
    """A deal that invites Microsoft has a contact of the customer, and the customer's consent (rules C)."""
    at = "/customerProfile/team"
    if not team:
        message = "Name at least one contact of the customer: a deal that invites Microsoft needs one."
        yield Fault("required", at, message)
    yield from faults_of_team(team, at)
    if not share_contact:
        message = (
            "Microsoft can be invited only with the customer's consent to share its contact: set it to true."
        )
        yield Fault("required", "/consent/consentToToShareInfoWithOthers", message)


def _faults_of_invitation(
    invitation: InvitationDraft, catalogue: Catalogue, today: date, at: str
) -> Iterator[Fault]:
    if invitation.help_code == NO_HELP:
        yield Fault("invalidValue", f"{at}/assistanceRequestCode", "Choose the kind of help that you need.")
    yield from _faults_of_invitee(invitation, catalogue, at)
    if invitation.organization_id == MICROSOFT:
        return
    yield from faults_of_terms(invitation.terms, catalogue.decimals, today, at)
    yield from faults_of_solutions(invitation.terms.solutions, catalogue.solutions, f"{at}/solutions")
    yield from _missing_of_invitation(invitation, at)
    if invitation.team == ():
        message = "Name who works with the partner, or omit this to use the deal's team."
        yield Fault("required", f"{at}/team", message)
    yield from faults_of_team(invitation.team or (), f"{at}/team")


def _missing_of_invitation(invitation: InvitationDraft, at: str) -> Iterator[Fault]:
    required = {
        f"{at}/assistanceRequestCode": invitation.help_code,
        f"{at}/dealValue": invitation.terms.deal_value,
        f"{at}/currency": invitation.terms.currency,
        f"{at}/solutions": invitation.terms.solutions,
    }
    yield from faults_of_missing(required, "An invitation of a partner needs this.")


def _faults_of_invitee(invitation: InvitationDraft, catalogue: Catalogue, at: str) -> Iterator[Fault]:
    """An invitee is a transacting partner at one of its locations, and not the creator (C3, T3, P2)."""
    if not invitation.organization_id:
        return
    at_organization = f"{at}/organizationId"
    organization = catalogue.organizations.get(invitation.organization_id)
    if organization is None:
        yield Fault("notInCatalogue", at_organization, "Use the id of a partner in the co-sell ecosystem.")
    elif organization.id == catalogue.creator.id:
        yield Fault("notAllowed", at_organization, "Remove this: an organization cannot invite itself.")
    elif organization.id == MICROSOFT:
        return
    elif not organization.transacting:
        message = f"{organization.name} is not transacting, so it cannot be invited."
        yield Fault("notAllowed", at_organization, message)
    elif invitation.target is not None and organization.location(invitation.target) is None:
        locations = ", ".join(place.id for place in organization.locations)
        message = f"Use a location of {organization.name}: {locations}."
        yield Fault("notInCatalogue", f"{at}/target/id", message)


def _is_complete(contact: Contact) -> bool:
    return bool(contact.first_name and contact.last_name and contact.phone_number and contact.email)

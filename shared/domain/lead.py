"""Leads: who gets one, its first state, and its contact alert (rules R2, R3, R5, R6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.catalogue import Catalogue
from shared.domain.change import Change, ChangeBuilder, CommandContext, EntryDraft, created
from shared.domain.creation import arrival_entries
from shared.domain.customer import build_customer, match_customer
from shared.domain.directory import (
    Location,
    Organization,
    Profile,
    ProfileLocation,
    Profiles,
    contacts_to_ask,
)
from shared.domain.ids import EngagementId, InquiryId, LocationId, OrganizationId, ReferralId
from shared.domain.inquiry import InquiryDraft, NotDelivered, Outcome, RecipientDraft
from shared.domain.inviting import chosen_solution
from shared.domain.lifecycle import require_open
from shared.domain.referral import Contact, Inquiry, InviteContext, Referral, ReferralKey, Target, Terms
from shared.domain.refusals import NotAllowed
from shared.domain.timeline import Actor
from shared.domain.vocabulary import MICROSOFT, ContactAlert
from shared.domain.work import Notify

HOT_DURATION = timedelta(hours=72)
"""How long the contact alert of a lead is `hot` (R5)."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A recipient that gets no lead, and why."""

    reason: NotDelivered


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFactory:
    """Creates the leads of one request. `ids` has two ids for each recipient: the referral's and the engagement's."""

    draft: InquiryDraft
    catalogue: Catalogue
    profiles: Profiles
    inquiry: InquiryId
    ids: Sequence[str]
    now: datetime
    response_window: timedelta

    def create(self) -> tuple[tuple[Outcome, ...], tuple[Referral, ...]]:
        """The outcome for each recipient, and the new leads.

        Recipients that resolve to the same location share one lead.
        """
        outcomes: list[Outcome] = []
        leads: dict[tuple[str, LocationId], Referral] = {}
        for number, recipient in enumerate(self.draft.recipients):
            location = self._location_for(recipient)
            organization_id = recipient.organization_id or ""
            if isinstance(location, Undelivered):
                outcomes.append(Outcome(organization_id=organization_id, reason=location.reason))
                continue
            lead = leads.get((organization_id, location))
            if lead is None:
                lead = self._lead(self.catalogue.organizations[organization_id], location, number)
                leads[organization_id, location] = lead
            outcomes.append(Outcome(organization_id=organization_id, referral_id=lead.id))
        inquiry = Inquiry(
            id=self.inquiry, recipients=self._recipients(), alternatives=self.draft.alternatives
        )
        return tuple(outcomes), tuple(replace(lead, inquiry=inquiry) for lead in leads.values())

    def _recipients(self) -> tuple[OrganizationId, ...]:
        """All known recipients, delivered or not: none of them is suggested as an alternative (R4)."""
        ids = (recipient.organization_id or "" for recipient in self.draft.recipients)
        organizations = (self.catalogue.organizations.get(organization_id) for organization_id in ids)
        return tuple(dict.fromkeys(each.id for each in organizations if each))

    def _location_for(self, recipient: RecipientDraft) -> LocationId | Undelivered:
        organization = self.catalogue.organizations.get(recipient.organization_id or "")
        if organization is None or organization.kind != "partner":
            return Undelivered("unknownRecipient")
        customer = self.draft.customer
        home = self.profiles.get((organization.id, customer.address.country or ""))
        return resolve_location(
            organization, recipient.target, home, self._profile_of_target(recipient), customer.size
        )

    def _profile_of_target(self, recipient: RecipientDraft) -> Profile | None:
        organization = self.catalogue.organizations[recipient.organization_id or ""]
        return self._profile_at(organization, organization.location(recipient.target))

    def _profile_at(self, organization: Organization, location: Location | None) -> Profile | None:
        return self.profiles.get((organization.id, location.country)) if location else None

    def _asked(self, organization: Organization, location_id: LocationId) -> tuple[Contact, ...]:
        location = organization.location(location_id)
        return contacts_to_ask(location, self._profile_at(organization, location))

    def _lead(self, recipient: Organization, location: LocationId, number: int) -> Referral:
        draft, now = self.draft, self.now
        record = ReferralKey(organization_id=recipient.id, referral_id=ReferralId(self.ids[2 * number]))
        match = match_customer(draft.customer, self.catalogue.customers).entity
        return Referral(
            id=record.referral_id,
            engagement_id=EngagementId(self.ids[2 * number + 1]),
            organization_id=recipient.id,
            organization_name=recipient.name,
            creator=record,
            name=draft.name or "",
            location=location,
            target=(Target(type="BusinessProfileLocation", id=location),),
            direction="Incoming",
            sharing="Independent",
            qualification=draft.qualification,
            deal_type="Lead",
            status="New",
            substatus="Pending",
            customer=build_customer(draft.customer, match),
            consent=draft.consent,
            terms=self._terms(recipient.id),
            industries=draft.industries,
            products=draft.products,
            services=draft.services,
            customer_requested_contact=draft.customer_requested_contact,
            asked=self._asked(recipient, location),
            invite_context=self._context(),
            created_at=now,
            updated_at=now,
            expires_at=now + self.response_window,
        )

    def _terms(self, organization_id: OrganizationId) -> Terms:
        """A new lead has no value, currency and close date: the acceptance sets them (L2)."""
        chosen = [self.catalogue.solutions[solution_id or ""] for solution_id in self.draft.solutions]
        solutions = tuple(chosen_solution(each, organization_id) for each in chosen)
        return Terms(deal_value=None, currency=None, closing_at=None, solutions=solutions)

    def _context(self) -> InviteContext:
        """The customer's notes; the `notes` of the referral itself are the company's own, and start empty (C2)."""
        if self.draft.qualification == "Direct":
            return InviteContext(notes=self.draft.notes)
        return InviteContext(
            notes=self.draft.notes, invited_by=OrganizationId(MICROSOFT), invited_by_name="Microsoft"
        )


def resolve_location(
    organization: Organization,
    target: str | None,
    home: Profile | None,
    of_target: Profile | None,
    size: str | None,
) -> LocationId | Undelivered:
    """The location of an organization that gets a lead, or why it gets none (R3, R6).

    `home` is the organization's profile in the customer's country, which must be active; `of_target` is the profile
    in the country of the target location. Without a target, it is the first location of `home` that accepts customers
    of this size.
    """
    if target is not None and organization.location(target) is None:
        return Undelivered("unknownRecipient")
    if home is None or not home.active:
        return Undelivered("noActiveProfile")
    chosen = home if target is None else of_target
    locations = chosen.locations if chosen and chosen.active else ()
    locations = tuple(each for each in locations if target in {None, each.id})
    if not locations:
        return Undelivered("noActiveProfile")
    accepting = [each for each in locations if wants_size(each, size)]
    return accepting[0].id if accepting else Undelivered("customerSizeNotWanted")


def wants_size(location: ProfileLocation, size: str | None) -> bool:
    """Whether a location accepts customers of a size; a location without sizes accepts all (R6)."""
    return not location.customer_sizes or size in location.customer_sizes


def receive_lead(lead: Referral, by: OrganizationId, context: CommandContext) -> Change:
    """Create a lead: New / Pending, with a mail to those who can answer (R3, M3)."""
    source = lead.invite_context.invited_by or by
    received = replace(context, actor=Actor(organization_id=source))
    if lead.customer_requested_contact:
        task = Notify(message="hotLead", audience="alerted")
    else:
        task = Notify(message="leadReceived", audience="invitee")
    return created(lead, arrival_entries(lead), received, (task,))


def contact_alert(referral: Referral, now: datetime) -> ContactAlert | None:
    """The contact alert of an open lead: `hot` for 72 hours, then `overdue` (R5).

    None if the customer did not ask for it, or was contacted.
    """
    is_requested = referral.inquiry is not None and referral.customer_requested_contact
    if not is_requested or referral.contacted_at or referral.is_closed:
        return None
    return "hot" if now < referral.created_at + HOT_DURATION else "overdue"


def mark_contacted(referral: Referral, context: CommandContext) -> Change:
    """The customer was reached: settles the contact alert; the lead itself stays to be answered (R5).

    Raises `TerminalState` if the referral is closed, `NotAllowed` if there is no alert. After the deadline of a New
    lead the change is its expiry, with a refusal (L4).
    """
    if expiry := require_open(referral, "mark the customer as contacted for", context):
        return expiry
    if contact_alert(referral, context.now) is None:
        settled = "has been contacted already" if referral.contacted_at else "did not ask to be contacted"
        raise NotAllowed(f"There is no contact alert to settle: the customer {settled}.")
    return (
        ChangeBuilder.of(referral).then(EntryDraft(kind="contacted"), contacted_at=context.now).build(context)
    )

"""A customer chooses again, by the link in the mail about a company that did not take up its request (rule R8)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.directory import Organization, ProfileLocation
from shared.domain.ids import EngagementId, InquiryId, OrganizationId, ReferralId
from shared.domain.referral import Contact, Inquiry, InviteContext, Referral, ReferralKey, Solution, Target

CHOICE_LASTS = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a link leads to: the lead that was not taken up, and the id that the next request will have.

    The id is fixed, so that one link makes one request, whatever dies and whoever else follows the link.
    """

    lead: ReferralKey
    inquiry: InquiryId
    expires_at: datetime
    used: bool = False

    def is_open(self, now: datetime) -> bool:
        """Whether a company can be chosen."""
        return not self.used and now < self.expires_at


def first_request(lead: Referral) -> InquiryId | None:
    """The customer's first request, from which this lead comes, whichever links are between them."""
    return (lead.inquiry.first or lead.inquiry.id) if lead.inquiry else None


def without_companies(lead: Referral, organizations: Iterable[OrganizationId]) -> Referral:
    """A lead whose customer is offered these companies no more: they were chosen by other links of its request."""
    if lead.inquiry is None:
        return lead
    recipients = dict.fromkeys((*lead.inquiry.recipients, *organizations))
    return replace(lead, inquiry=replace(lead.inquiry, recipients=tuple(recipients)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The company that a customer chose: its location that fits, whom to ask there, and how it sees the solutions."""

    organization: Organization
    location: ProfileLocation
    asked: tuple[Contact, ...]
    solutions: tuple[Solution, ...]


def chosen_lead(
    lead: Referral,
    chosen: Chosen,
    inquiry: InquiryId,
    ids: tuple[ReferralId, EngagementId],
    times: tuple[datetime, datetime],
) -> Referral:
    """The same request as a new lead of the company that was chosen: of `lead` only what the customer sent (C2).

    `ids` are the new referral's and its engagement's, `times` when it is created and when it expires.
    """
    (referral_id, engagement_id), (now, expires_at) = ids, times
    record = ReferralKey(organization_id=chosen.organization.id, referral_id=referral_id)
    before = lead.inquiry.recipients if lead.inquiry else ()
    context = lead.invite_context
    return Referral(
        id=referral_id,
        engagement_id=engagement_id,
        organization_id=chosen.organization.id,
        organization_name=chosen.organization.name,
        creator=record,
        name=lead.name,
        location=chosen.location.id,
        target=(Target(type="BusinessProfileLocation", id=chosen.location.id),),
        direction="Incoming",
        sharing="Independent",
        qualification=lead.qualification,
        deal_type="Lead",
        status="New",
        substatus="Pending",
        customer=lead.customer,
        consent=lead.consent,
        terms=replace(
            lead.terms, deal_value=None, currency=None, closing_at=None, solutions=chosen.solutions
        ),
        industries=lead.industries,
        products=lead.products,
        services=lead.services,
        customer_requested_contact=lead.customer_requested_contact,
        asked=chosen.asked,
        invite_context=InviteContext(
            notes=context.notes, invited_by=context.invited_by, invited_by_name=context.invited_by_name
        ),
        inquiry=Inquiry(
            id=inquiry,
            recipients=(*before, chosen.organization.id),
            alternatives=lead.inquiry.alternatives if lead.inquiry else 0,
            first=first_request(lead),
        ),
        created_at=now,
        updated_at=now,
        expires_at=expires_at,
    )

"""The bodies of the lead operations (docs/api.md): a request for information, and a lead's conversion (R2, R7)."""

from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from api.common.parts import (
    MANY,
    ConsentBody,
    CustomerBody,
    DetailsBody,
    InvitationBody,
    InviteContextBody,
    Solutions,
    TargetBody,
    Team,
    Words,
)
from api.http.body import Body, Required
from api.http.fields import Code, Flag, Name, Notes
from shared.domain.draft import CustomerDraft, DealDraft, TermsDraft
from shared.domain.editing import drafts_of
from shared.domain.inquiry import (
    DEFAULT_ALTERNATIVES,
    MAX_ALTERNATIVES,
    InquiryDraft,
    LeadQualification,
    RecipientDraft,
)
from shared.domain.referral import Consent, Referral
from shared.domain.vocabulary import CustomerSize


class LeadCustomerBody(CustomerBody):
    """The customer of a lead; companies choose their customers by size (R6)."""

    size: Annotated[CustomerSize | None, Required()] = None
    team: Annotated[Team | None, Required()] = None


class LeadRequirementsBody(Body):
    unused: ClassVar[frozenset[str]] = frozenset({"additionalRequirements", "offers", "salesPlays"})
    industries: Words | None = None
    products: Words | None = None
    services: Words | None = None
    solutions: Solutions | None = None


class LeadDetailsBody(Body):
    """What a customer asks for. What a deal is worth is the accepting company's to estimate."""

    unused: ClassVar[frozenset[str]] = frozenset(
        {"additionalRequirements", "publisherName", "customerAction", "incentiveLevel"}
    )
    notes: Notes | None = None
    requirements: LeadRequirementsBody = LeadRequirementsBody()
    customer_requested_contact: Flag | None = None


class RecipientBody(Body):
    organization_id: Annotated[Code | None, Required()] = None
    target: TargetBody | None = None


class LeadBody(Body):
    """`POST /v1.0/leads`."""

    name: Annotated[Name | None, Required()] = None
    qualification: LeadQualification | None = None
    customer_profile: LeadCustomerBody = LeadCustomerBody()
    consent: ConsentBody = ConsentBody()
    details: LeadDetailsBody = LeadDetailsBody()
    alternatives: Annotated[int | None, Field(ge=0, le=MAX_ALTERNATIVES, strict=True)] = None
    recipients: Annotated[tuple[RecipientBody, ...] | None, Field(max_length=MANY), Required()] = None

    def draft(self) -> InquiryDraft:
        """What the request says, for the rules."""
        details, requirements = self.details, self.details.requirements
        return InquiryDraft(
            name=self.name,
            qualification=self.qualification or "Direct",
            customer=self.customer_profile.draft(),
            consent=self.consent.consent(),
            notes=details.notes,
            industries=requirements.industries or (),
            products=requirements.products or (),
            services=requirements.services or (),
            solutions=tuple(solution.id for solution in requirements.solutions or ()),
            customer_requested_contact=bool(details.customer_requested_contact),
            alternatives=DEFAULT_ALTERNATIVES if self.alternatives is None else self.alternatives,
            recipients=tuple(
                RecipientDraft(
                    organization_id=each.organization_id, target=each.target.id if each.target else None
                )
                for each in self.recipients or ()
            ),
        )


class ConvertedCustomerBody(Body):
    """Of the customer only its contacts can be changed (E1)."""

    team: Team | None = None


class ConversionBody(Body):
    """`POST …/convert`: what the lead lacks; what is left out stays as the lead has it."""

    name: Name | None = None
    external_reference_id: Code | None = None
    campaign_id: Code | None = None
    customer_profile: ConvertedCustomerBody = ConvertedCustomerBody()
    consent: ConsentBody = ConsentBody()
    details: DetailsBody = DetailsBody()
    team: Team | None = None
    invite_context: InviteContextBody = InviteContextBody()
    invitations: Annotated[tuple[InvitationBody, ...] | None, Field(max_length=MANY)] = None

    def draft(self, lead: Referral) -> DealDraft:
        """The deal that the lead would become. A close date that is not sent is left out, and so not judged."""
        details = self.details
        needs = details.requirements
        own = tuple(solution.id for solution in lead.terms.solutions)
        team, contacts = self.team, self.customer_profile.team
        return DealDraft(
            name=self.name or lead.name,
            external_reference_id=self.external_reference_id or lead.external_reference_id,
            campaign_id=self.campaign_id or lead.campaign_id,
            location=lead.location,
            customer=CustomerDraft(
                name=lead.customer.name,
                team=drafts_of(lead.customer.team)
                if contacts is None
                else tuple(contact.draft() for contact in contacts),
            ),
            consent=_either(lead.consent, self.consent.consent()),
            terms=TermsDraft(
                deal_value=lead.terms.deal_value if details.deal_value is None else details.deal_value,
                currency=details.currency or lead.terms.currency,
                closing_at=details.closing_date_time,
                solutions=own
                if needs.solutions is None
                else tuple(solution.id for solution in needs.solutions),
            ),
            notes=details.notes or lead.notes,
            team=drafts_of(lead.team) if team is None else tuple(contact.draft() for contact in team),
            invite_notes=self.invite_context.notes,
            help_code=self.invite_context.assistance_request_code,
            invitations=tuple(invitation.draft() for invitation in self.invitations or ()),
        )


def _either(given: Consent, said: Consent) -> Consent:
    """Consent that was given is not taken back."""
    return replace(
        said,
        share_contact=given.share_contact or said.share_contact,
        contact=given.contact or said.contact,
    )

"""Request models of the referral operations (docs/api.md), and their conversion to drafts and commands."""

from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from api.common.request_parts import (
    MAX_ITEMS,
    ConsentBody,
    CustomerBody,
    DetailsBody,
    InvitationBody,
    InviteContextBody,
    TargetBody,
    Team,
    solution_ids,
    team_draft,
)
from api.http.body import Body, Required
from api.http.fields import Amount, Code, Currency, DateTime, Name, Notes
from api.referrals.schemas import ReferralView
from shared.domain.draft import ContactDraft, CustomerDraft, DealDraft, InvitationDraft, TermsDraft
from shared.domain.editing import drafts_of
from shared.domain.lifecycle import Acceptance, ClosingStatement
from shared.domain.referral import Consent, Referral
from shared.domain.refusals import Fault
from shared.domain.vocabulary import ClosingReason, Sharing

ETAG_FIELD = "@odata.etag"
"""The ETag as OData clients send it back."""
Invitations = Annotated[tuple[InvitationBody, ...] | None, Field(max_length=MAX_ITEMS)]


class EditBody(Body):
    """The document that a PATCH or PUT makes of a referral: its editable fields (E1, E4).

    Changes to the other fields are found by comparing documents; they are not parsed.
    """

    response: ClassVar[type[BaseModel]] = ReferralView
    ignored: ClassVar[frozenset[str]] = frozenset({ETAG_FIELD, "invitations"})
    unused: ClassVar[frozenset[str]] = frozenset(
        {
            *(
                "publisherName",
                "referralSource",
                "callToAction",
                "partnerRole",
                "solutionArea",
                "solutionPlay",
            ),
            *("trackingInfo", "lastModifiedVia", "lastRunId", "businessProfileId", "attributes"),
        }
    )
    name: Annotated[Name | None, Required()] = None
    external_reference_id: Code | None = None
    campaign_id: Code | None = None
    customer_profile: CustomerBody = CustomerBody()
    consent: ConsentBody = ConsentBody()
    details: DetailsBody = DetailsBody()
    team: Team | None = None
    invite_context: InviteContextBody = InviteContextBody()

    def draft(self) -> DealDraft:
        """The deal that the request describes."""
        details, requirements = self.details, self.details.requirements
        return DealDraft(
            name=self.name,
            external_reference_id=self.external_reference_id,
            campaign_id=self.campaign_id,
            customer=self.customer_profile.draft(),
            consent=self.consent.consent(),
            terms=details.terms(),
            notes=details.notes,
            industries=requirements.industries or (),
            products=requirements.products or (),
            services=requirements.services or (),
            customer_requested_contact=bool(details.customer_requested_contact),
            team=team_draft(self.team),
            invite_notes=self.invite_context.notes,
            help_code=self.invite_context.assistance_request_code,
        )


class CreationBody(EditBody):
    """`POST /v1.0/engagements/referrals`."""

    ignored: ClassVar[frozenset[str]] = frozenset({ETAG_FIELD})
    engagement_id: Code | None = None
    location: Code | None = None
    mpn_id: Code | None = None
    type: Sharing | None = None
    target: Annotated[tuple[TargetBody, ...] | None, Field(max_length=MAX_ITEMS)] = None
    team: Annotated[Team | None, Required()] = None
    invitations: Invitations = None

    def faults(self) -> tuple[Fault, ...]:
        """`location` and `mpnId` are two names of one field."""
        if self.location and self.mpn_id and self.location != self.mpn_id:
            message = "location and mpnId are the same field: send one of them, or the same value in both."
            return (Fault("invalidValue", "/mpnId", message),)
        return ()

    def draft(self) -> DealDraft:
        """The deal that the request describes."""
        return replace(
            super().draft(),
            location=self.location or self.mpn_id,
            sharing=self.type or "Independent",
            solution_profiles=tuple(
                each.id or "" for each in self.target or () if each.type == "SolutionProfile"
            ),
            invitations=invitation_drafts(self.invitations),
        )


class AcceptBody(Body):
    """`POST …/accept` (L2)."""

    name: Name | None = None
    deal_value: Amount | None = None
    currency: Currency | None = None
    closing_date_time: DateTime | None = None
    notes: Notes | None = None
    external_reference_id: Code | None = None
    campaign_id: Code | None = None
    team: Team | None = None

    def acceptance(self) -> Acceptance:
        """The accepting organization's values."""
        return Acceptance(
            **self.model_dump(exclude={"closing_date_time", "team"}),
            closing_at=self.closing_date_time,
            team=tuple(contact.complete() for contact in self.team_draft()),
        )

    def team_draft(self) -> tuple[ContactDraft, ...]:
        """The contacts as sent, for the rules."""
        return team_draft(self.team)


class ClosingBody(Body):
    """`POST …/decline` and `…/lose` (L3, L6)."""

    reason: Annotated[ClosingReason | None, Required()] = None
    notes: Notes | None = None

    def statement(self) -> ClosingStatement:
        """The reason; only valid for a body without faults."""
        return ClosingStatement(reason=self.reason or "Other", notes=self.notes)

    def faults(self) -> tuple[Fault, ...]:
        """The reason `Other` needs an explanation."""
        if self.reason == "Other" and not self.notes:
            return (Fault("required", "/notes", "Explain the reason Other in the notes."),)
        return ()


class WinBody(Body):
    """`POST …/win`."""

    notes: Notes | None = None


class ContactedBody(Body):
    """`POST …/contacted` (R5): an empty object, or no body."""


class StageBody(Body):
    """`POST …/stage` (rules S): the name of a stage, or a CRM's percentage."""

    stage: Name | None = None
    percent: Amount | None = None

    def faults(self) -> tuple[Fault, ...]:
        """Exactly one of the two fields is needed."""
        if self.stage is None and self.percent is None:
            return (Fault("required", "/stage", "Send the stage, or the percent of your CRM."),)
        if self.stage is not None and self.percent is not None:
            return (Fault("invalidValue", "/percent", "Send either stage or percent, not both."),)
        return ()


class InvitationsBody(Body):
    """`POST …/invitations` (T3)."""

    invitations: Annotated[Invitations, Required()] = None


class MessageBody(Body):
    """`POST …/messages` (E3)."""

    text: Annotated[Notes | None, Required()] = None


class ReadBody(Body):
    """`PUT …/messages/read`: the sequence of the latest message that was read (N8)."""

    sequence: Annotated[int | None, Field(ge=0, strict=True), Required()] = None


class ConvertedCustomerBody(Body):
    """The only part of a lead's customer that can be changed: its contacts (E1)."""

    team: Team | None = None


class ConversionBody(Body):
    """`POST …/convert`: what the lead lacks; fields that are left out keep the lead's values."""

    name: Name | None = None
    external_reference_id: Code | None = None
    campaign_id: Code | None = None
    customer_profile: ConvertedCustomerBody = ConvertedCustomerBody()
    consent: ConsentBody = ConsentBody()
    details: DetailsBody = DetailsBody()
    team: Team | None = None
    invite_context: InviteContextBody = InviteContextBody()
    invitations: Invitations = None

    def draft(self, lead: Referral) -> DealDraft:
        """The deal that the lead would become. A close date that is not sent stays empty, and is not checked."""
        details, contacts = self.details, self.customer_profile.team
        solutions = details.requirements.solutions
        return DealDraft(
            name=self.name or lead.name,
            external_reference_id=self.external_reference_id or lead.external_reference_id,
            campaign_id=self.campaign_id or lead.campaign_id,
            location=lead.location,
            customer=CustomerDraft(
                name=lead.customer.name,
                team=drafts_of(lead.customer.team) if contacts is None else team_draft(contacts),
            ),
            consent=_combine(lead.consent, self.consent.consent()),
            terms=TermsDraft(
                deal_value=lead.terms.deal_value if details.deal_value is None else details.deal_value,
                currency=details.currency or lead.terms.currency,
                closing_at=details.closing_date_time,
                solutions=solution_ids(solutions)
                if solutions is not None
                else tuple(solution.id for solution in lead.terms.solutions),
            ),
            notes=details.notes or lead.notes,
            team=drafts_of(lead.team) if self.team is None else team_draft(self.team),
            invite_notes=self.invite_context.notes,
            help_code=self.invite_context.assistance_request_code,
            invitations=invitation_drafts(self.invitations),
        )


def invitation_drafts(invitations: tuple[InvitationBody, ...] | None) -> tuple[InvitationDraft, ...]:
    """The invitations of a request; none if the list was not sent."""
    return tuple(invitation.draft() for invitation in invitations or ())


def _combine(given: Consent, requested: Consent) -> Consent:
    """The requested consent; consent that was given is never withdrawn."""
    return replace(
        requested,
        share_contact=given.share_contact or requested.share_contact,
        contact=given.contact or requested.contact,
    )

"""The bodies of the referral operations (docs/api.md), and how they read as drafts and commands of the domain."""

from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from api.common.request_parts import (
    MANY,
    ConsentBody,
    CustomerBody,
    DetailsBody,
    InvitationBody,
    InviteContextBody,
    TargetBody,
    Team,
)
from api.http.body import Body, Required
from api.http.fields import Amount, Code, Currency, Moment, Name, Notes
from shared.domain.draft import ContactDraft, CustomerDraft, DealDraft, InvitationDraft, TermsDraft
from shared.domain.editing import drafts_of
from shared.domain.lifecycle import Acceptance, ClosingStatement
from shared.domain.referral import Consent, Referral
from shared.domain.refusals import Fault
from shared.domain.vocabulary import ClosingReason, Sharing


class CreationBody(Body):
    """`POST /v1.0/engagements/referrals`."""

    ignored: ClassVar[frozenset[str]] = frozenset(
        {
            *("id", "organizationId", "organizationName", "eTag", "@odata.etag", "links"),
            *(
                "createdDateTime",
                "updatedDateTime",
                "acceptedDateTime",
                "closedDateTime",
                "expirationDateTime",
            ),
            *("status", "substatus", "statusReason", "salesStage", "salesStagePercentage"),
            *("registrationStatus", "registrations", "qualification", "direction", "dealType"),
            *("favorite", "contactAlert", "responseRecommendedBy", "sellerTeam"),
            *("allowedActions", "editableFields", "warnings"),
        }
    )
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
    engagement_id: Code | None = None
    location: Code | None = None
    mpn_id: Code | None = None
    type: Sharing | None = None
    target: Annotated[tuple[TargetBody, ...] | None, Field(max_length=MANY)] = None
    customer_profile: CustomerBody = CustomerBody()
    consent: ConsentBody = ConsentBody()
    details: DetailsBody = DetailsBody()
    team: Annotated[Team | None, Required()] = None
    invite_context: InviteContextBody = InviteContextBody()
    invitations: Annotated[tuple[InvitationBody, ...] | None, Field(max_length=MANY)] = None

    def faults(self) -> tuple[Fault, ...]:
        """Faults that concern the wire alone."""
        found: list[Fault] = []
        if self.location and self.mpn_id and self.location != self.mpn_id:
            found.append(
                Fault("invalidValue", "/mpnId", "location and mpnId are one field: send the same in both.")
            )
        return tuple(found)

    def draft(self) -> DealDraft:
        """What the request says, for the rules."""
        details, requirements = self.details, self.details.requirements
        return DealDraft(
            name=self.name,
            external_reference_id=self.external_reference_id,
            campaign_id=self.campaign_id,
            location=self.location or self.mpn_id,
            sharing=self.type or "Independent",
            solution_profiles=tuple(
                each.id or "" for each in self.target or () if each.type == "SolutionProfile"
            ),
            customer=self.customer_profile.draft(),
            consent=self.consent.consent(),
            terms=TermsDraft(
                deal_value=details.deal_value,
                currency=details.currency,
                closing_at=details.closing_date_time,
                solutions=tuple(solution.id for solution in requirements.solutions or ()),
            ),
            notes=details.notes,
            industries=requirements.industries or (),
            products=requirements.products or (),
            services=requirements.services or (),
            customer_requested_contact=bool(details.customer_requested_contact),
            team=tuple(contact.draft() for contact in self.team or ()),
            invite_notes=self.invite_context.notes,
            help_code=self.invite_context.assistance_request_code,
            invitations=tuple(invitation.draft() for invitation in self.invitations or ()),
        )


class EditBody(CreationBody):
    """The document that a PATCH or PUT makes of a referral, as far as it can be edited (E1, E4).

    What cannot is compared as a document, and not read.
    """

    ignored: ClassVar[frozenset[str]] = CreationBody.ignored | {
        *("engagementId", "location", "mpnId", "type", "target", "invitations")
    }
    team: Team | None = None


class AcceptBody(Body):
    """`POST …/accept` (L2)."""

    name: Name | None = None
    deal_value: Amount | None = None
    currency: Currency | None = None
    closing_date_time: Moment | None = None
    notes: Notes | None = None
    external_reference_id: Code | None = None
    campaign_id: Code | None = None
    team: Team | None = None

    def acceptance(self) -> Acceptance:
        """What the accepting company says."""
        return Acceptance(
            name=self.name,
            deal_value=self.deal_value,
            currency=self.currency,
            closing_at=self.closing_date_time,
            notes=self.notes,
            external_reference_id=self.external_reference_id,
            campaign_id=self.campaign_id,
            team=tuple(contact.draft().complete() for contact in self.team or ()),
        )

    def team_draft(self) -> tuple[ContactDraft, ...]:
        """The contacts as sent, for the rules."""
        return tuple(contact.draft() for contact in self.team or ())


class ClosingBody(Body):
    """`POST …/decline` and `…/lose` (L3, L6)."""

    reason: Annotated[ClosingReason | None, Required()] = None
    notes: Notes | None = None

    def statement(self) -> ClosingStatement:
        """Why; to be asked of a body without faults."""
        return ClosingStatement(reason=self.reason or "Other", notes=self.notes)

    def faults(self) -> tuple[Fault, ...]:
        """`Other` says nothing by itself."""
        if self.reason == "Other" and not self.notes:
            return (Fault("required", "/notes", "Say in the notes what the reason is."),)
        return ()


class WinBody(Body):
    """`POST …/win`."""

    notes: Notes | None = None


class StageBody(Body):
    """`POST …/stage` (rules S): a stage's name, or a CRM's percentage."""

    stage: Name | None = None
    percent: Amount | None = None

    def faults(self) -> tuple[Fault, ...]:
        """One of the two says it."""
        if self.stage is None and self.percent is None:
            return (Fault("required", "/stage", "Name the stage, or give your CRM's percent."),)
        if self.stage is not None and self.percent is not None:
            return (Fault("invalidValue", "/percent", "Send either stage or percent, not both."),)
        return ()


class InvitationsBody(Body):
    """`POST …/invitations` (T3)."""

    invitations: Annotated[tuple[InvitationBody, ...] | None, Field(max_length=MANY), Required()] = None

    def drafts(self) -> tuple[InvitationDraft, ...]:
        """Whom the request invites."""
        return tuple(invitation.draft() for invitation in self.invitations or ())


class MessageBody(Body):
    """`POST …/messages` (E3)."""

    text: Annotated[Notes | None, Required()] = None


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

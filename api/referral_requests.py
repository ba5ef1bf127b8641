"""The bodies of the referral operations (docs/api.md), and how they read as drafts and commands of the domain."""

from typing import Annotated, ClassVar

from pydantic import Field

from api.body import Body, Required
from api.fields import (
    Amount,
    Code,
    Country,
    Currency,
    Email,
    EmptyObjectAsList,
    Flag,
    Locale,
    Moment,
    Name,
    Notes,
    Phone,
    UnknownAsNoHelp,
)
from shared.domain.draft import (
    AddressDraft,
    ContactDraft,
    CustomerDraft,
    DealDraft,
    InvitationDraft,
    TermsDraft,
)
from shared.domain.lifecycle import Acceptance
from shared.domain.referral import Consent, ProfileId
from shared.domain.refusals import Fault
from shared.domain.vocabulary import ClosingReason, CustomerSize, HelpCode, Sharing, TargetType

MANY = 1000  # bounds what is looked at; the rules say how many are allowed


class ContactPreferenceBody(Body):
    locale: Locale | None = None
    disable_notifications: Flag | None = None


class ContactBody(Body):
    first_name: Name | None = None
    last_name: Name | None = None
    phone_number: Phone | None = None
    email: Email | None = None
    title: Name | None = None
    contact_preference: ContactPreferenceBody | None = None

    def draft(self) -> ContactDraft:
        preference = self.contact_preference or ContactPreferenceBody()
        return ContactDraft(
            first_name=self.first_name,
            last_name=self.last_name,
            phone_number=self.phone_number,
            email=self.email,
            title=self.title,
            locale=preference.locale,
            disable_notifications=bool(preference.disable_notifications),
        )


Team = Annotated[tuple[ContactBody, ...], Field(max_length=MANY)]


class AddressBody(Body):
    address_line1: Name | None = None
    address_line2: Name | None = None
    city: Name | None = None
    state: Name | None = None
    postal_code: Code | None = None
    country: Annotated[Country | None, Required()] = None
    region: Name | None = None

    def draft(self) -> AddressDraft:
        return AddressDraft(**self.model_dump())


class ProfileIdBody(Body):
    profile_type: Annotated[Code | None, Required()] = None
    id: Annotated[Code | None, Required()] = None


class CustomerBody(Body):
    name: Annotated[Name | None, Required()] = None
    address: AddressBody = AddressBody()
    size: CustomerSize | None = None
    team: Team | None = None
    ids: Annotated[tuple[ProfileIdBody, ...] | None, EmptyObjectAsList, Field(max_length=20)] = None

    def draft(self) -> CustomerDraft:
        return CustomerDraft(
            name=self.name,
            address=self.address.draft(),
            size=self.size,
            ids=tuple(
                ProfileId(profile_type=each.profile_type or "", id=each.id or "") for each in self.ids or ()
            ),
            team=tuple(contact.draft() for contact in self.team or ()),
        )


class ConsentBody(Body):
    unused: ClassVar[frozenset[str]] = frozenset(
        {"consentToMicrosoftToContactSpecificPartners", "consentToContactMicrosoft"}
    )
    consent_to_to_share_info_with_others: Flag | None = None
    consent_to_contact: Flag | None = None
    consent_to_share_referral_with_microsoft_sellers: Flag | None = None

    def consent(self) -> Consent:
        return Consent(
            share_contact=bool(self.consent_to_to_share_info_with_others),
            contact=bool(self.consent_to_contact),
            microsoft_may_view=bool(self.consent_to_share_referral_with_microsoft_sellers),
        )


class SolutionBody(Body):
    id: Annotated[Code | None, Required()] = None
    name: Name | None = None
    type: Code | None = None


Solutions = Annotated[tuple[SolutionBody, ...], Field(max_length=MANY)]
Words = Annotated[tuple[Name, ...], Field(max_length=100)]


class RequirementsBody(Body):
    unused: ClassVar[frozenset[str]] = frozenset({"additionalRequirements"})
    industries: Words | None = None
    products: Words | None = None
    services: Words | None = None
    solutions: Annotated[Solutions | None, Required()] = None


class DetailsBody(Body):
    unused: ClassVar[frozenset[str]] = frozenset({"additionalRequirements", "publisherName"})
    notes: Notes | None = None
    deal_value: Annotated[Amount | None, Required()] = None
    currency: Annotated[Currency | None, Required()] = None
    closing_date_time: Annotated[Moment | None, Required()] = None
    requirements: RequirementsBody = RequirementsBody()
    customer_requested_contact: Flag | None = None


class InviteContextBody(Body):
    ignored: ClassVar[frozenset[str]] = frozenset({"invitedBy"})
    notes: Notes | None = None
    assistance_request_code: Annotated[HelpCode | None, UnknownAsNoHelp] = None


class TargetBody(Body):
    type: TargetType | None = None
    id: Annotated[Code | None, Required()] = None


class InvitationBody(Body):
    organization_id: Annotated[Code | None, Required()] = None
    target: TargetBody | None = None
    notes: Notes | None = None
    assistance_request_code: HelpCode | None = None
    deal_value: Amount | None = None
    currency: Currency | None = None
    closing_date_time: Moment | None = None
    team: Team | None = None
    solutions: Solutions | None = None

    def draft(self) -> InvitationDraft:
        return InvitationDraft(
            organization_id=self.organization_id,
            target=self.target.id if self.target else None,
            notes=self.notes,
            help_code=self.assistance_request_code,
            terms=TermsDraft(
                deal_value=self.deal_value,
                currency=self.currency,
                closing_at=self.closing_date_time,
                solutions=tuple(solution.id for solution in self.solutions or ()),
            ),
            team=None if self.team is None else tuple(contact.draft() for contact in self.team),
        )


class CreationBody(Body):
    """`POST /v1.0/engagements/referrals`."""

    ignored: ClassVar[frozenset[str]] = frozenset(
        {
            *("id", "organizationId", "organizationName", "eTag", "@odata.etag", "links", "target"),
            *(
                "createdDateTime",
                "updatedDateTime",
                "acceptedDateTime",
                "closedDateTime",
                "expirationDateTime",
            ),
            *("status", "substatus", "statusReason", "salesStage", "salesStagePercentage"),
            *("registrationStatus", "registrations", "qualification", "direction", "dealType"),
            *("favorite", "contactAlert", "responseRecommendedBy"),
            *("allowedActions", "editableFields", "warnings"),
        }
    )
    unused: ClassVar[frozenset[str]] = frozenset({"publisherName", "referralSource"})
    name: Annotated[Name | None, Required()] = None
    external_reference_id: Code | None = None
    campaign_id: Code | None = None
    engagement_id: Code | None = None
    location: Code | None = None
    mpn_id: Code | None = None
    type: Sharing | None = None
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
        if self.engagement_id:
            message = "Invite with invitations[] when you create the deal; it cannot join another engagement."
            found.append(Fault("notAllowed", "/engagementId", message))
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

    def faults(self) -> tuple[Fault, ...]:
        """`Other` says nothing by itself."""
        if self.reason == "Other" and not self.notes:
            return (Fault("required", "/notes", "Say in the notes what the reason is."),)
        return ()


class WinBody(Body):
    """`POST …/win`."""

    notes: Notes | None = None

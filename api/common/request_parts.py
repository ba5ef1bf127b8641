"""Request models of the parts of a referral (docs/api.md), and their conversion to the domain's drafts."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from api.http.body import Body, Required
from api.http.fields import (
    Amount,
    Code,
    Country,
    Currency,
    DateTime,
    Email,
    EmptyObjectAsList,
    Flag,
    Locale,
    Name,
    Notes,
    Phone,
    UnknownAsNoHelp,
)
from shared.domain.draft import AddressDraft, ContactDraft, CustomerDraft, InvitationDraft, TermsDraft
from shared.domain.referral import Consent, ProfileId
from shared.domain.vocabulary import CustomerSize, HelpCode, TargetType

MAX_ITEMS = 1000
"""Bounds the effort of parsing a list; the rules have lower limits."""


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
            **self.model_dump(exclude={"contact_preference"}),
            locale=preference.locale,
            disable_notifications=bool(preference.disable_notifications),
        )


Team = Annotated[tuple[ContactBody, ...], Field(max_length=MAX_ITEMS)]


def team_draft(team: Iterable[ContactBody] | None) -> tuple[ContactDraft, ...]:
    """The contacts of a team as drafts; none for a team that was not sent."""
    return tuple(contact.draft() for contact in team or ())


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


ProfileIds = Annotated[tuple[ProfileIdBody, ...], Field(max_length=20)]


class CustomerBody(Body):
    name: Annotated[Name | None, Required()] = None
    address: AddressBody = AddressBody()
    size: CustomerSize | None = None
    team: Team | None = None
    ids: Annotated[ProfileIds | None, EmptyObjectAsList] = None

    def draft(self) -> CustomerDraft:
        return CustomerDraft(
            name=self.name,
            address=self.address.draft(),
            size=self.size,
            ids=tuple(
                ProfileId(profile_type=each.profile_type or "", id=each.id or "") for each in self.ids or ()
            ),
            team=team_draft(self.team),
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
    unused: ClassVar[frozenset[str]] = frozenset(
        {"price", "quantity", "currency", "publisherName", "solutionType", "closingDateTime"}
    )
    id: Annotated[Code | None, Required()] = None
    name: Name | None = None
    type: Code | None = None


Solutions = Annotated[tuple[SolutionBody, ...], Field(max_length=MAX_ITEMS)]


def solution_ids(solutions: Iterable[SolutionBody] | None) -> tuple[str | None, ...]:
    """The ids of solutions; none for a list that was not sent."""
    return tuple(solution.id for solution in solutions or ())


def _id_of(value: object) -> object:
    """Industries, products and services are sent as text or as objects with an id; only the id is stored."""
    if isinstance(value, dict):
        return next((word for name, word in value.items() if str(name).lower() == "id"), value)
    return value


Word = Annotated[Name, BeforeValidator(_id_of)]
Words = Annotated[tuple[Word, ...], Field(max_length=100)]


class RequirementsBody(Body):
    unused: ClassVar[frozenset[str]] = frozenset({"additionalRequirements", "offers", "salesPlays"})
    industries: Words | None = None
    products: Words | None = None
    services: Words | None = None
    solutions: Annotated[Solutions | None, Required()] = None


class DetailsBody(Body):
    unused: ClassVar[frozenset[str]] = frozenset(
        {"additionalRequirements", "publisherName", "customerAction", "incentiveLevel"}
    )
    notes: Notes | None = None
    deal_value: Annotated[Amount | None, Required()] = None
    currency: Annotated[Currency | None, Required()] = None
    closing_date_time: Annotated[DateTime | None, Required()] = None
    requirements: RequirementsBody = RequirementsBody()
    customer_requested_contact: Flag | None = None

    def terms(self) -> TermsDraft:
        return TermsDraft(
            deal_value=self.deal_value,
            currency=self.currency,
            closing_at=self.closing_date_time,
            solutions=solution_ids(self.requirements.solutions),
        )


class InviteContextBody(Body):
    ignored: ClassVar[frozenset[str]] = frozenset({"invitedBy"})
    unused: ClassVar[frozenset[str]] = frozenset({"invitedMpnId"})
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
    closing_date_time: DateTime | None = None
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
                solutions=solution_ids(self.solutions),
            ),
            team=None if self.team is None else team_draft(self.team),
        )

"""Drafts: the content of a request for a new deal, where every field may be missing.

The API parses JSON into a draft and collects faults; the rules add theirs, so that the client gets all of them at
once. A draft without faults has everything that a deal needs.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.domain.referral import NO_CONSENT, Consent, Contact, ProfileId
from shared.domain.vocabulary import MICROSOFT, NO_HELP, CustomerSize, HelpCode, Sharing


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDraft:
    """A contact in a request."""

    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    email: str | None = None
    title: str | None = None
    locale: str | None = None
    disable_notifications: bool = False

    def complete(self) -> Contact:
        """The contact, if it has no faults: missing required fields become empty."""
        return Contact(
            first_name=self.first_name or "",
            last_name=self.last_name or "",
            phone_number=self.phone_number or "",
            email=self.email or "",
            title=self.title,
            locale=self.locale,
            disable_notifications=self.disable_notifications,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressDraft:
    """An address in a request."""

    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerDraft:
    """A customer in a request, to be matched with the customer directory (C7)."""

    name: str | None = None
    address: AddressDraft = AddressDraft()
    size: CustomerSize | None = None
    ids: tuple[ProfileId, ...] = ()
    team: tuple[ContactDraft, ...] = ()

    @property
    def duns(self) -> str | None:
        """The D-U-N-S number in the request, or None."""
        return next((number.id for number in self.ids if number.profile_type == "Duns"), None)


NO_CUSTOMER = CustomerDraft()


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsDraft:
    """Value, currency, close date and solutions (by id) in a request."""

    deal_value: Decimal | None = None
    currency: str | None = None
    closing_at: datetime | None = None
    solutions: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationDraft:
    """One entry of `invitations` in a request; `target` is a location of the invited partner, or `msft`."""

    organization_id: str | None = None
    target: str | None = None
    notes: str | None = None
    help_code: HelpCode | None = None
    terms: TermsDraft = TermsDraft()
    team: tuple[ContactDraft, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DealDraft:
    """A new deal in a request."""

    name: str | None = None
    external_reference_id: str | None = None
    campaign_id: str | None = None
    location: str | None = None
    sharing: Sharing = "Independent"
    solution_profiles: tuple[str, ...] = ()
    customer: CustomerDraft = NO_CUSTOMER
    consent: Consent = NO_CONSENT
    terms: TermsDraft = TermsDraft()
    notes: str | None = None
    industries: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    customer_requested_contact: bool = False
    team: tuple[ContactDraft, ...] = ()
    invite_notes: str | None = None
    help_code: HelpCode | None = None
    invitations: tuple[InvitationDraft, ...] = ()

    @property
    def microsoft_code(self) -> HelpCode:
        """The kind of help that Microsoft is asked for: from Q1, or else from the entry for `msft`."""
        entry = next((i for i in self.invitations if i.organization_id == MICROSOFT), None)
        if self.help_code and self.help_code != NO_HELP:
            return self.help_code
        if entry is None:
            return NO_HELP
        return entry.help_code or "GeneralOrOther"

    @property
    def all_invitations(self) -> tuple[InvitationDraft, ...]:
        """All invitations: Microsoft first, if it is invited, then the partners in the order sent."""
        partners = tuple(i for i in self.invitations if i.organization_id != MICROSOFT)
        if self.microsoft_code == NO_HELP:
            return partners
        entry = next((i for i in self.invitations if i.organization_id == MICROSOFT), None)
        notes = (entry.notes if entry else None) or self.invite_notes
        microsoft = InvitationDraft(organization_id=MICROSOFT, notes=notes, help_code=self.microsoft_code)
        return (microsoft, *partners)

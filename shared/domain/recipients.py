"""The recipients of a mail, from its audience, the reader's referral and the directory (rules M1 to M5)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from shared.domain.directory import Person
from shared.domain.ids import LocationId
from shared.domain.permissions import referral_roles
from shared.domain.referral import Contact, Referral
from shared.domain.vocabulary import MICROSOFT, Role
from shared.domain.work import Audience

DEFAULT_LOCALE = "en-US"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """An email address, and the preferred language (BCP 47)."""

    email: str
    name: str
    locale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """The possible readers of a mail in one organization, with their preferences.

    - `people`: all people of the organization.
    - `contacts`: the contacts that the referral was sent to, or those of its profile location now; maybe none.
    - `team`: the addresses of the sellers that the referral was routed to.
    - `registrant`: for a registration, the contact of its form.
    - `foreign`: the addresses, case-folded, of those contacts who are people of other organizations (M11).
    - `reviewers`: for the review team, the address of the assigned reviewer or of the lead.
    """

    people: tuple[Person, ...]
    contacts: tuple[Contact, ...] = ()
    team: tuple[str, ...] = ()
    registrant: tuple[Contact, ...] = ()
    foreign: frozenset[str] = frozenset()
    reviewers: tuple[str, ...] = ()


def recipients_of(audience: Audience, referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """The recipients of a mail, each address once. `referral` is the reader's own referral."""
    match audience:
        case "invitee":
            recipients = _invitees(referral, readers)
        case "answerers":
            recipients = _answerers(referral, readers)
        case "alerted":
            recipients = (*_invitees(referral, readers), *_answerers(referral, readers))
        case "inviter" | "party":
            recipients = _deal_team(referral, readers)
        case "customer":
            recipients = _contacts(referral.customer.team, Readers(people=()))
        case "reviewers" | "reviewLead":
            recipients = _reviewers(readers)
        case "registrants":
            recipients = _registrants(referral, readers)
        case _:
            assert_never(audience)
    return _distinct(recipients)


def _invitees(referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """Who is notified of a new inbound referral (M1).

    The contacts of the profile location; else the referrals admins of the location; else the MPN partner admins. For
    Microsoft, the routed team.
    """
    return _contacts(readers.contacts, readers) or _answerers(referral, readers)


def _answerers(referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """Who gets a reminder: the people who can answer (M3).

    The referrals admins of the location, or else the MPN partner admins; and the contacts whom the referral was sent
    to, if they can answer it. For Microsoft, the sellers of the routed team; if it has none, all sellers.
    """
    if referral.organization_id == MICROSOFT:
        sellers = _with_role("MicrosoftSeller", readers)
        return _people(_with_address(readers.team, sellers) or sellers)
    admins = [p for p in _with_role("ReferralsAdmin", readers) if _covers(p, referral.location)]
    answering = _people(admins) or _people(_with_role("MpnPartnerAdmin", readers))
    return (*answering, *_contacts(_able_to_answer(readers), readers))


def _able_to_answer(readers: Readers) -> list[Contact]:
    """The contacts whom the directory knows by their email, and lets work with referrals (V4)."""
    able = {person.email.casefold() for person in readers.people if referral_roles(person, "partner")}
    return [contact for contact in readers.contacts if contact.email.casefold() in able]


def _deal_team(referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """The team of a referral (M2, M4); if it is empty, those who were notified of the referral (L2)."""
    return _contacts(referral.team, readers) or (() if referral.team else _invitees(referral, readers))


def _reviewers(readers: Readers) -> tuple[Recipient, ...]:
    """The given deal reviewers; all of them if none is given, or none of these wants mail (G5, G7)."""
    reviewers = _with_role("DealReviewer", readers)
    return _people(_with_address(readers.reviewers, reviewers)) or _people(reviewers)


def _registrants(referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """The contact of a registration and the deal's team (M4), without those who have disabled mail in the team."""
    disabled = {contact.email.casefold() for contact in referral.team if contact.disable_notifications}
    contacts = [contact for contact in readers.registrant if contact.email.casefold() not in disabled]
    return (*_contacts(contacts, readers), *_deal_team(referral, readers))


def _with_address(addresses: Iterable[str], people: Iterable[Person]) -> list[Person]:
    folded = {address.casefold() for address in addresses}
    return [person for person in people if person.email.casefold() in folded]


def _with_role(role: Role, readers: Readers) -> list[Person]:
    return [person for person in readers.people if role in person.roles]


def _covers(person: Person, location: LocationId | None) -> bool:
    return person.everywhere or location in person.locations


def _people(people: Iterable[Person]) -> tuple[Recipient, ...]:
    recipients = (
        Recipient(email=p.email, name=p.name, locale=p.locale) for p in people if not p.disable_notifications
    )
    return _distinct(recipients)


def _contacts(contacts: Iterable[Contact], readers: Readers) -> tuple[Recipient, ...]:
    """Contacts as recipients, without people of other organizations (M11).

    Mail settings in the directory apply to contacts with the same address (V7).
    """
    by_email = {person.email.casefold(): person for person in readers.people}
    return _distinct(
        _recipient(contact, by_email.get(contact.email.casefold()))
        for contact in contacts
        if contact.email.casefold() not in readers.foreign
        and _wants_mail(contact, by_email.get(contact.email.casefold()))
    )


def _wants_mail(contact: Contact, person: Person | None) -> bool:
    return not contact.disable_notifications and not (person and person.disable_notifications)


def _recipient(contact: Contact, person: Person | None) -> Recipient:
    locale = contact.locale or (person.locale if person else DEFAULT_LOCALE)
    return Recipient(
        email=contact.email, name=f"{contact.first_name} {contact.last_name}".strip(), locale=locale
    )


def _distinct(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """One recipient for each address, ignoring case."""
    return tuple({recipient.email.casefold(): recipient for recipient in recipients}.values())
